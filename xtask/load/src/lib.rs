//! What stands around a receiver that is tested from outside, as X would see it: its process,
//! deliveries that are all different, and connections to send them on.

pub mod clock;
pub mod delivery;
pub mod http;
pub mod process;
pub mod slow;
pub mod usage;

/// The consumer secret that the receiver is given and that deliveries are signed with.
pub const SECRET: &str = "load-consumer-secret";

/// The path of the webhook.
pub const PATH: &str = "/webhooks/twitter";
