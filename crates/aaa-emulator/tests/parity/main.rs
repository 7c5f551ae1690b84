//! What `docs/PARITY.md` says, row by row: the name of each test is the id of its row.
//!
//! They are a program of their own, small and without sockets for the most part, since
//! `cargo xtask parity` builds it anew for each line that it changes. With `AAA_PARITY_FLIP` set to
//! the name of a setting, that setting is the other way round, and the test of its row has to fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod checks;
#[cfg(test)]
mod deliveries;
#[cfg(test)]
mod enterprise;
#[cfg(test)]
mod flip;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod own;
#[cfg(test)]
mod replays;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod webhooks;
