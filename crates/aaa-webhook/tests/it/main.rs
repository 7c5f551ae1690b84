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
mod embedding;
#[cfg(feature = "tls")]
mod encrypted;
mod seen;
#[cfg(feature = "server")]
mod sockets;
mod support;
