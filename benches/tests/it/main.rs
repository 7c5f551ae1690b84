//! What is measured does what it is said to do.

mod allocations;
mod fixtures;
mod signature;
