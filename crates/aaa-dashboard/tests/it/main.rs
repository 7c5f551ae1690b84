//! The pages over a real store, a real receiver and an emulated X.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod day;
mod stage;
mod show;
