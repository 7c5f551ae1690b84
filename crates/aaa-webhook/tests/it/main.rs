//! The receiver as X sees it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod answers;
#[cfg(feature = "server")]
mod attacks;
#[cfg(feature = "consumer")]
mod consumers;
#[cfg(all(unix, feature = "server"))]
mod crowd;
mod embedding;
#[cfg(feature = "tls")]
mod encrypted;
mod seen;
mod settings;
#[cfg(feature = "server")]
mod sockets;
#[cfg(feature = "server")]
mod sources;
mod support;
