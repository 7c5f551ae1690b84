//! What can be changed. The guard has seen to it that a page of ours asks.

pub(crate) mod accounts;
pub(crate) mod events;
pub(crate) mod letters;
pub(crate) mod replay;
pub(crate) mod webhooks;
