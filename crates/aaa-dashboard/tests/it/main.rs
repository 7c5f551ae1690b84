//! The pages over a real store, a real receiver and an emulated X.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod actions;
mod day;
mod guard;
mod pages;
mod show;
mod stage;
