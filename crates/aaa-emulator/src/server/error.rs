use std::net::SocketAddr;

use aaa_types::WebhookId;

use crate::{
    settings::SettingsError,
    world::{SnapshotError, TriggerError},
};

/// An emulator cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened at.
    #[error("cannot listen on {addr}: {reason}; choose another address, port 0 takes a free one")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        reason: String,
    },
    /// A setting says what cannot be.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The state is none that an emulator wrote.
    #[error(transparent)]
    State(#[from] SnapshotError),
    /// The traffic cannot be as asked.
    #[error("the traffic cannot begin: {0}")]
    Traffic(&'static str),
}

/// The emulator cannot do what it was told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Events cannot be made.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    /// There is no such webhook.
    #[error("there is no webhook {0}: `GET /_emulator/state` has all of them")]
    Webhook(WebhookId),
    /// A fault does not make sense.
    #[error("the fault cannot be planned: {0}")]
    Fault(&'static str),
    /// The clock cannot go so far.
    #[error(
        "the clock goes forward by at most a year at once and thirty years in all, and not beyond \
         2080"
    )]
    TooFar,
    /// Traffic cannot be as asked.
    #[error("the traffic cannot begin: {0}")]
    Traffic(&'static str),
    /// Too much would happen at once.
    #[error(
        "that step of the clock would bring {0} acts of traffic, and {max} is the most: advance in \
         smaller steps, or end the traffic first",
        max = crate::control::Traffic::MAX_STEP
    )]
    TooMuch(u64),
    /// What was waited for is gone.
    #[error("the emulator was reset or stopped meanwhile: what was asked for is gone")]
    Gone,
}
