//! What a user of the crate sees of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bytes;
mod secrets;
#[cfg(feature = "files")]
mod token_file;
