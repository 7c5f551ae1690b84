//! The stores as their users see them.

mod conformance;
mod helper;
