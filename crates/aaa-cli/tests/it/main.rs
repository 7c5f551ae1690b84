//! The compiled binary, as a script would use it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[cfg(unix)]
mod demo;
#[cfg(unix)]
mod receive;
mod support;
mod usage;
