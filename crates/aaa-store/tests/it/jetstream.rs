//! The inbox on JetStream, with real servers.

mod nats;
mod opening;
mod suites;
