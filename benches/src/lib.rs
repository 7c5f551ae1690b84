//! What is measured, and what it is measured beside: everything here is done twice, by way of this
//! project and by way of a bare library.
//!
//! `cargo xtask bench` measures both several times and judges the ratios; times alone say more
//! about a machine than about the code.

pub mod fixtures;
pub mod payload;
pub mod plan;
pub mod signature;
pub mod timing;
