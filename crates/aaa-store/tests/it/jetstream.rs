//! The inbox on JetStream, with real servers.

mod faults;
mod nats;
mod opening;
mod room;
mod suites;
mod working;
