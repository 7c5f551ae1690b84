//! The pages over a real store, a real receiver and an emulated X.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod actions;
mod browser;
mod day;
mod elsewhere;
mod guard;
mod hostile;
mod letters;
mod pages;
mod sign_in;
mod stage;
