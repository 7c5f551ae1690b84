//! The receiver as X sees it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod answers;
#[cfg(feature = "server")]
mod sockets;
mod support;
