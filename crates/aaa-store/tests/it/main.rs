//! The stores as their users see them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod commit;
mod conformance;
mod consumers;
mod consuming;
mod damage;
mod directory;
mod full_disk;
mod helper;
mod jetstream;
mod killing;
mod ledger;
mod ledger_model;
mod model;
mod reading;
mod redaction;
mod retention;
mod upkeep;
