//! The client against a transport in the process, real connections on loopback, and an emulator.
#![cfg(feature = "reqwest")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod bulk;
mod emulator;
mod ensure;
mod failure;
mod fake;
mod pages;
mod requests;
mod retry;
mod secrets;
mod server;
mod spans;
mod success;
mod tls;
