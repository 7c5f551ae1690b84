//! Receives X (Twitter) webhooks: answers challenge-response checks, verifies signatures, and
//! acknowledges a delivery only after it is durable.
//!
//! The core is pure: [`crc`] and [`signature`] are functions over bytes, [`delivery`] is the way
//! of a delivery as a typestate, [`diagnosis`] says why a signature does not fit, and [`inbox`] is
//! the trait that a store implements; [`consumer`] does something with what was stored;
//! [`networks`] says from where requests may come; a [`distribution`] is what was measured. With the feature `axum` (on by default)
//! `receiver` is a tower service, an axum router and an extractor; with `server` there is an accept
//! loop with time-outs and a draining shutdown, with `tls` behind TLS; with `metrics` there is what
//! an operator watches.
//!
//! ```
//! use aaa_webhook::{crc::CrcToken, signature::Signature};
//!
//! let secret = "consumer-secret".parse()?;
//! let token = CrcToken::parse("OWY4ODQ2ZjgtNDljMC00NDY2LWJhMGQtYTE4NzQ0MTM2OGFi")?;
//! assert!(token.answer(&secret).starts_with(r#"{"response_token":"sha256="#));
//!
//! let body = br#"{"for_user_id":"7","favorite_events":[]}"#;
//! let signature = Signature::of(&secret, body);
//! assert!(signature.verifies(&secret, body));
//! assert!(!signature.verifies(&secret, b"{}"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a 200 means
//!
//! X sends a delivery again, or has it replayed, as long as it was not answered 200. So a 200 is a
//! promise, and this one is made only of what was kept:
//!
//! * the body is what X signed, byte for byte, with a secret of an app that is configured for that
//!   path ([`delivery::VerifiedDelivery`]);
//! * each of its events is in the inbox, this copy or an earlier one, and what [`inbox::Inbox`]
//!   promises was waited for ([`delivery::Durable`]). The inboxes of `aaa-store` say what they
//!   survive: the SQLite one a killed process and a power loss;
//! * the answer was made from that ([`delivery::Acknowledged`]): there is no other way to one.
//!
//! It does not mean that anybody has handled the events. Whoever reads them from the inbox keeps
//! its own place there, so that a handler that fails, or is slow, never makes X wait. An answer
//! that X does not see in time is no loss either: X sends the delivery again, and its events are
//! there already.
//!
//! Everything else is answered with something else, never with a redirect, and nothing of it is
//! stored. A verified delivery that is refused (503) is counted, since it may have to be replayed;
//! what X did not sign is counted apart, since anybody can send it.

pub mod app;
pub mod consumer;
pub mod crc;
pub mod delivery;
pub mod diagnosis;
pub mod distribution;
pub mod inbox;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod networks;
#[cfg(feature = "axum")]
pub mod receiver;
#[cfg(feature = "server")]
pub mod server;
pub mod signature;
