//! Finds the gaps of an X (Twitter) webhook receiver and replays them.

pub mod coverage;
pub mod ledger;
