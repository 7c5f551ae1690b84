//! Emulates the webhook side of the X (Twitter) Account Activity API: the other side of every
//! protocol, on loopback, without an account.
//!
//! It behaves: a registration runs a real challenge-response check against the real URL,
//! deliveries are signed, OAuth 1.0a signatures are verified, webhooks become invalid as documented,
//! quotas and limits hold, and a replay job sends again what was attempted. Its [`control`] API
//! makes events, moves the clock, plans faults, and shows the ground truth of every event.
//!
//! ```
//! use aaa_emulator::{Emulator, control::Trigger};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let emulator = Emulator::start().await?;
//!     // Point a client to `emulator.url()`, with the credentials of `aaa_emulator::credentials`.
//!     // Nobody is subscribed yet, so nobody is concerned:
//!     let made = emulator.trigger(&Trigger::new("favorite_events", "7".parse()?)).await?;
//!     assert!(made.events.is_empty());
//!     assert!(emulator.ledger().events.is_empty());
//!     emulator.shutdown().await;
//!     Ok(())
//! }
//! ```
//!
//! # Parts
//!
//! [`world::World`] is the service as a state machine, without socket and clock: drive it in one
//! thread, on a time of your own. [`Emulator`] is the shell around it. [`settings`] says how it
//! behaves, and plays either side where X's documents contradict each other. Only v2 is spoken.
//!
//! # Limits
//!
//! It speaks no TLS: an `https` webhook is taken where X's rules allow it, and then fails its
//! check. It answers only to loopback names. Everything is kept in memory until it is reset.

mod api;
pub mod control;
pub mod credentials;
mod payload;
mod server;
pub mod settings;
pub mod world;

pub use server::{Builder, ControlError, Emulator, StartError};
