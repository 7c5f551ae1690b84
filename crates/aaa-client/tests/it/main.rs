//! The client against real connections on loopback.
#![cfg(feature = "reqwest")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod failure;
mod server;
mod success;
mod tls;
