//! The inbox on JetStream, with real servers.

mod faults;
mod nats;
mod opening;
mod reading;
mod redriving;
mod room;
mod suites;
mod way;
mod working;
