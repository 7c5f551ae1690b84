//! The public face of the crate: whole deliveries in, typed events out.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod secrets;
mod traps;
