//! OAuth 1.0a with HMAC-SHA1, as X uses it ([RFC 5849](https://www.rfc-editor.org/rfc/rfc5849)).
//!
//! [`Signer`] signs a request. [`Authorization`] is the header taken apart by whoever receives it:
//! it verifies the signature, and [`TimestampWindow`] and [`NonceCache`] refuse what is stale or
//! was seen before.
//!
//! What is signed: the method, the URL with its query, the form parameters of a body of type
//! `application/x-www-form-urlencoded`, and the header's own parameters. A JSON body is not. The
//! host is part of it, so the URL must name the host that is really called.

mod authorization;
mod freshness;
mod hmac_sha1;
mod parameters;
mod sign;
mod verify;

pub(crate) use self::parameters::encode;
pub use self::{
    authorization::{Authorization, ParseError},
    freshness::{FreshnessError, NonceCache, TimestampWindow},
    sign::Signer,
    verify::VerifyError,
};

#[cfg(test)]
mod tests;
