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
//! thread, on a time of your own; [`rest::Rest`] answers HTTP requests with it. [`Emulator`] is the
//! shell around both. [`settings`] says how it behaves, and plays either side where X's documents
//! contradict each other. [`bodies::Bodies`] makes what a webhook would be sent, without any of
//! that around it.
//!
//! # In tests
//!
//! Each test starts an emulator of its own ([`Emulator::start`]: a free port, a few milliseconds),
//! and says what must have been true when it ends ([`Builder::expect`]). With
//! [`Settings::start`](settings::Settings::start) and a time that stands still, the same seed and
//! the same commands give the same ids, tokens and answers. `docs/PARITY.md` in the repository says
//! of each behaviour where it comes from, and which setting turns it.
//!
//! # Two generations
//!
//! The calls of v2 and those of v1.1 Enterprise work on the same webhooks and subscriptions. Each
//! generation answers in its own form, refuses in its own words, and counts calls apart. What
//! X documents differently follows [`settings::Generation`]: the deadline of a check and the
//! look-back of a replay that of the call, deadline and retries of deliveries that of the webhook's
//! registration. v1.1 signs the challenges that somebody asked for.
//!
//! Where v1.1's documents are silent, this is answered:
//!
//! | Asked | Answer |
//! |---|---|
//! | a URL that is registered already | 403, code 214, `Webhook URL does not meet the requirements.` |
//! | a check that ended without an answer | 403, code 214, as for an answer other than 200 |
//! | a subscription that exists | 409, code 355 |
//! | one subscription too many | 403, code 214, `Too many resources already created.` |
//! | whether a user is subscribed who is not | 404, code 34, `Sorry, that page does not exist.` |
//! | a minute of a replay that is past, but too young | 400, code 368 |
//! | the app's bearer token where a user's signature is needed | 401, code 348; 403, code 261 for webhooks |
//! | a signature of somebody who does not own the app | 401, code 99 |
//!
//! # Tokens
//!
//! The tokens of [`credentials`] are always there. A client can also ask for them as it asks X:
//! `POST /oauth/request_token`, the page `/oauth/authorize` (or `/oauth/authenticate`, which shows
//! no PIN), `POST /oauth/access_token`; `POST /oauth2/token` and `/oauth2/invalidate_token` for the
//! app's bearer token, of which the next one is `emulator-bearer-2`. On the page anybody can be any
//! user. Request tokens, verifiers and PINs come from the seed, live for 15 minutes of the
//! emulator's clock, and protect nothing.
//!
//! A script gives permission by sending the page's form, whose `authenticity_token` is on the page:
//!
//! ```text
//! page=http://localhost:7878/oauth/authorize
//! form=$(curl -s "$page?oauth_token=$TOKEN" |
//!     sed -n 's/.*name="authenticity_token" value="\([^"]*\)".*/\1/p')
//! curl -si "$page" -d oauth_token=$TOKEN -d authenticity_token=$form \
//!     -d user_id=7 -d decision=approve
//! ```
//!
//! The answer leads back to the callback, in `Location`, or shows the PIN of `oob`. `decision=deny`
//! leads back with `denied`.
//!
//! # Direct messages
//!
//! `POST /2/dm_conversations/with/{participant_id}/messages` sends one. It comes back through the
//! webhooks, for the sender and for the recipient as far as they are subscribed, under the id that
//! the answer gave.
//!
//! # Limits
//!
//! An `https` webhook is called if somebody said whose certificates to trust ([`Trust`], feature
//! `tls`, on by default); otherwise it fails its check, since X takes failed TLS as a broken
//! webhook. The emulator itself speaks plain HTTP and answers only to loopback names. Everything
//! is kept in memory until it is reset, unless it is told to save its state.

mod api;
pub mod bodies;
pub mod control;
pub mod credentials;
mod expectation;
mod html;
mod payload;
pub mod rest;
mod server;
pub mod settings;
mod society;
pub mod world;

pub use expectation::Expectation;
pub use server::{Builder, ControlError, Emulator, StartError};
#[cfg(feature = "tls")]
pub use server::{Trust, TrustError};

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
