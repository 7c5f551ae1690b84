//! The shell around the world: sockets, tasks and the clock.

mod builder;
mod clock;
mod control;
mod courier;
mod error;
mod guard;
mod handle;
mod http_api;
mod orders;
mod outbound;
mod page;
mod shared;
#[cfg(feature = "tls")]
mod tls;

#[cfg(feature = "tls")]
pub use self::tls::{Trust, TrustError};
pub use self::{
    builder::Builder,
    error::{ControlError, StartError},
    handle::Emulator,
};
