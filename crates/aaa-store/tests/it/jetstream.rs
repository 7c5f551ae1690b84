//! The inbox on JetStream, with real servers.

mod away;
mod faults;
mod nats;
mod opening;
mod overdue;
mod reading;
mod redriving;
mod room;
mod suites;
mod way;
mod working;
