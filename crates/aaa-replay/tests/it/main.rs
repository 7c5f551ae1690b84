//! The driver with a ledger in memory and an X that is a list of answers, and with an emulator.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[cfg(feature = "driver")]
mod driver;
#[cfg(feature = "driver")]
mod emulator;
#[cfg(feature = "driver")]
mod stage;
#[cfg(feature = "driver")]
mod support;
