//! The receiver as X sees it.

mod answers;
#[cfg(feature = "server")]
mod sockets;
mod support;
