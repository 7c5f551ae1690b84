//! The public face of the crate: whole deliveries in, typed events out.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod extraction;
mod keys;
mod secrets;
mod traps;
