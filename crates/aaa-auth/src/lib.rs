//! Signs requests to the X (Twitter) API with OAuth 1.0a, and verifies such signatures; sign-in
//! flows and bearer tokens.
//!
//! Everything here is pure. Nonces and times are arguments, so a signature can be repeated in a
//! test and checked on any clock; nothing opens a socket, and only with the feature `files` (off
//! by default) are files read or written.
//!
//! ```
//! use aaa_auth::{Consumer, UserToken, oauth1::{Authorization, Signer}};
//! use http::Method;
//! use url::Url;
//!
//! let consumer = Consumer::new("xvz1evFS4wEEPTGEFPHBog".parse()?, "app-secret".parse()?);
//! let user = UserToken::new("7-token".parse()?, "user-secret".parse()?);
//! let url = Url::parse("https://api.x.com/2/account_activity/webhooks/12/subscriptions/all")?;
//!
//! // The side that asks. A JSON body is not signed, so the form is empty.
//! let header = Signer::new(&consumer)
//!     .with_token(&user)
//!     .sign(&Method::POST, &url, &[], "a1b2c3d4", "2025-11-22T04:00:00Z".parse()?);
//!
//! // The side that answers.
//! let authorization = Authorization::parse(&header)?;
//! assert_eq!(authorization.consumer_key(), "xvz1evFS4wEEPTGEFPHBog");
//! assert_eq!(authorization.token(), Some("7-token"));
//! authorization.verify(&Method::POST, &url, &[], &consumer.secret, Some(&user.secret))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which credential for which call
//!
//! | Call | Credential |
//! |---|---|
//! | webhooks, subscription lists and counts, replay | the app's bearer token, [`bearer::authorization`] |
//! | webhooks, as an alternative | the app owner's [`UserToken`] |
//! | to subscribe a user, or to ask whether they are subscribed | that user's [`UserCredential`] |
//!
//! Where they come from: [`flow`] asks a user for permission, [`app_only`] hands out the bearer
//! token. Both make an [`Exchange`], a request and the meaning of its answer. What an app has
//! already is in variables, which [`environment`] reads; the tokens of its users are kept in
//! [`tokens`].
//!
//! No secret appears in any `Debug` or error, and every header value is marked sensitive.

mod api_url;
pub mod app_only;
pub mod bearer;
mod credentials;
pub mod environment;
mod exchange;
#[cfg(feature = "files")]
mod files;
pub mod flow;
mod form;
mod header;
pub mod oauth1;
pub mod tokens;

pub use crate::{
    api_url::{ApiUrl, ApiUrlError},
    credentials::{Consumer, Credentials, UserCredential, UserToken},
    exchange::{AnswerError, AuthError, Exchange, Step, redacted},
};

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
