//! Receives X (Twitter) webhooks: answers challenge-response checks, verifies signatures, and
//! acknowledges a delivery only after it is durable.
//!
//! The core is pure: [`crc`] and [`signature`] are functions over bytes, [`delivery`] is the way
//! of a delivery as a typestate, and [`inbox`] is the trait that a store implements. With the
//! feature `axum` (on by default) `receiver` is a tower service and an axum router; with
//! `server` there is an accept loop with header time-outs and a draining shutdown. [`consumer`]
//! does something with what was stored.
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

pub mod app;
pub mod consumer;
pub mod crc;
pub mod delivery;
pub mod inbox;
#[cfg(feature = "axum")]
pub mod receiver;
#[cfg(feature = "server")]
pub mod server;
pub mod signature;
