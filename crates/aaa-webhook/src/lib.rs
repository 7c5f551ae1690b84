//! Receives X (Twitter) webhooks: answers challenge-response checks, verifies signatures, and
//! acknowledges a delivery only after it is durable.
//!
//! The core is pure: [`crc`] and [`signature`] are functions over bytes, [`delivery`] is the way of
//! a delivery as a typestate, [`diagnosis`] says why a signature does not fit, and [`inbox`] is the
//! trait that a store implements. An [`app`] has the secrets that verify; [`consumer`] does something
//! with what was stored; [`networks`] says from where requests may come. A [`distribution`] is what
//! was measured, and a [`failure_streak`] has a log tell of a failure once. With the feature `axum`
//! (on by default) `receiver` is a tower service, an axum router and an extractor; with `server`
//! there is an accept loop with time-outs and a draining shutdown, with `tls` behind TLS; with
//! `metrics` there is what an operator watches.
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
//!
//! # What it costs
//!
//! * **Body size.** A body is read once into memory, signed over once for each secret of its path,
//!   and walked through once for what identifies its events; so time and memory grow in step with
//!   it. Nothing is decompressed, and no tree of its JSON is built. The limit, 1 MiB, is looked at
//!   while the bytes arrive: one more is a 413 before anything is signed over.
//! * **Secrets.** Every secret of a path is tried on every delivery, whichever fits, so that the
//!   time tells nothing: each secret more, of another app or a previous one, costs one more
//!   HMAC-SHA256 over the body. A path of its own for each app keeps that at one or two, however
//!   many apps there are; what grows then is a sorted map of paths.
//! * **Connections.** An idle one is a task, a socket and buffers that grow with what is sent, up
//!   to `server::Limits::header_bytes` (32 KiB). Beyond the first 16 KiB of each, all bodies that
//!   are not verified yet share `receiver::Limits::bodies` (64 MiB). So on 1,024 connections
//!   strangers keep at most 1,024 times 48 KiB and 64 MiB of what they sent, 112 MiB, at worst
//!   twice that since memory grows by doubling, and answers that they do not read. Deliveries that
//!   are verified wait in the inbox's queue, which has bounds of its own.
//! * **Stored keys.** The receiver keeps none, and a check never asks for one: what many keys cost,
//!   the inbox says.

pub mod app;
pub mod consumer;
pub mod crc;
pub mod delivery;
pub mod diagnosis;
pub mod distribution;
pub mod failure_streak;
pub mod inbox;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod networks;
#[cfg(feature = "axum")]
pub mod receiver;
#[cfg(feature = "server")]
pub mod server;
pub mod signature;

/// The example of the README.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../README.md")]
mod readme {}
