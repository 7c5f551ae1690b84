//! Calls the X (Twitter) API about webhooks, subscriptions and replays.
//!
#![cfg_attr(feature = "reqwest", doc = "```no_run")]
#![cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
//! use aaa_auth::{Consumer, UserToken};
//! use aaa_client::{ApiUrl, Client};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // X itself, or an emulator: `"http://127.0.0.1:7878"`.
//! let client = Client::builder(ApiUrl::X.parse()?)
//!     .consumer(Consumer::new("app-key".parse()?, "app-secret".parse()?))
//!     .bearer("AAAA%2Fbbbb".parse()?)
//!     .build()?;
//!
//! let url = "https://example.com/webhooks/twitter".parse()?;
//! let ensured = client.app().ensure_webhook(&url).await?;
//! let user = client.user(UserToken::new("7-token".parse()?, "secret".parse()?));
//! // Already subscribed is not an error.
//! user.ensure_subscription(ensured.webhook.id).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # With or without IO
//!
//! Two thirds of this crate are pure: [`v2`] and [`v1_1`] make an [`ApiRequest`], which
//! [becomes](ApiRequest::to_http) an [`http::Request`] and [understands](ApiRequest::answer) the
//! [`http::Response`]; a [`RetryPolicy`] decides and does not wait. A [`Client`] joins that with a
//! [`Transport`]. The feature `reqwest` (on by default) brings `ReqwestTransport`; without it,
//! bring your own and the crate has no runtime and no TLS.
//!
//! # Which credential for which call
//!
//! The handle of a call takes the credential that X wants for it. What is missing is named, with
//! the variable to set, before anything is sent.
//!
//! | Call | Handle | v2 | v1.1 |
//! |---|---|---|---|
//! | register, validate, delete a webhook | [`app`](Client::app) | bearer token, or the owner's OAuth 1.0a | the owner's OAuth 1.0a |
//! | list webhooks and subscriptions, count, remove a subscription, replay | [`app`](Client::app), [`bulk`](Client::bulk) | bearer token | bearer token |
//! | subscribe, check the subscription | [`user`](Client::user), [`bulk`](Client::bulk) | the user's OAuth 1.0a or OAuth 2.0 | the user's OAuth 1.0a |
//! | end one's own subscription | [`user`](Client::user) | no such call | the user's OAuth 1.0a, deprecated |
//! | send a direct message | [`user`](Client::user) | the sender's OAuth 1.0a or OAuth 2.0 | over v2 |
//! | hand out and invalidate tokens | [`oauth`](Client::oauth) | the app's key and secret | the same |
//!
//! OAuth 1.0a signatures need the app's key and secret as well.
//!
//! # Both generations
//!
//! [`ClientBuilder::version`] chooses; the calls and what they return are the same.
//!
//! | | v2 | v1.1 |
//! |---|---|---|
//! | paths | `/2/webhooks…`, `/2/account_activity/…` | `/1.1/account_activity/….json` |
//! | the URL to register | in a JSON body | in the query, signed |
//! | a success | 200 and JSON | 204, or 202 for a replay, often without a body |
//! | not subscribed | `"subscribed":false` | an error, understood as that |
//! | replay | two routes, see [`ReplayRoute`](v2::ReplayRoute) | one |
//!
//! # When it fails
//!
//! [`ClientError`] says what was tried and what came back, and [what to
//! do](ClientError::advice). It answers the two questions that matter: [may it succeed
//! later](ClientError::is_retryable), and [may it have happened
//! nevertheless](ClientError::maybe_done). What is safe is made again, as the [`RetryPolicy`]
//! says: a rate limit is waited for until its reset, by X's clock.

mod answer;
mod app;
mod auth;
mod builder;
mod bulk;
mod call;
mod client;
mod edge;
mod ensure;
mod error;
mod missing;
mod not_sent;
mod oauth;
mod operation;
mod page;
mod rate_limit;
mod request;
#[cfg(feature = "reqwest")]
mod reqwest_transport;
mod retry;
mod transport;
mod user;
pub mod v1_1;
pub mod v2;
mod version;

pub use aaa_auth::{ApiUrl, ApiUrlError, Credentials};

#[cfg(feature = "reqwest")]
pub use crate::reqwest_transport::{BuildError, ReqwestTransport, Timeouts};
pub use crate::{
    app::AppClient,
    auth::Auth,
    builder::ClientBuilder,
    bulk::{Bulk, BulkProgress, BulkReport, BulkResult, Removed},
    client::Client,
    ensure::{Ensured, EnsuredWebhook},
    error::ClientError,
    missing::MissingCredential,
    not_sent::NotSent,
    oauth::OAuthClient,
    operation::Operation,
    page::{Page, PageToken},
    rate_limit::RateLimit,
    request::ApiRequest,
    retry::{FailedAttempt, RetryDecision, RetryPolicy, Wait},
    transport::{Transport, TransportError},
    user::UserClient,
    version::{ApiVersion, ApiVersionError},
};

/// The example of the README.
#[cfg(all(doctest, feature = "reqwest"))]
#[doc = include_str!("../README.md")]
mod readme {}
