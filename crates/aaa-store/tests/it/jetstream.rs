//! The inbox on JetStream, with real servers.

mod faults;
mod nats;
mod opening;
mod suites;
mod working;
