//! Calls the X (Twitter) API about webhooks, subscriptions and replays.
//!
#![cfg_attr(feature = "reqwest", doc = "```no_run")]
#![cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
//! use aaa_auth::{Consumer, UserCredential, UserToken};
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
//! let webhook = client
//!     .create_webhook(&"https://example.com/webhooks/twitter".parse()?)
//!     .await?;
//! let user = UserCredential::OAuth1(UserToken::new("7-token".parse()?, "secret".parse()?));
//! match client.create_subscription(webhook.id, &user).await {
//!     Ok(state) => assert!(state.subscribed),
//!     Err(error) if error.is_duplicate() => {} // subscribed already: what was wanted
//!     Err(error) => return Err(error.into()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # With or without IO
//!
//! Two thirds of this crate are pure: [`v2`] makes an [`ApiRequest`], which
//! [becomes](ApiRequest::to_http) an [`http::Request`] and [understands](ApiRequest::answer) the
//! [`http::Response`]. A [`Client`] joins that with a [`Transport`]. The feature `reqwest` (on by
//! default) brings `ReqwestTransport`; without it, bring your own and the crate has no runtime
//! and no TLS.
//!
//! # Which credential
//!
//! The calls take what X wants for them: the app's bearer token for nearly all; for registering,
//! validating and deleting a webhook also the owner's access token; the user's own for his
//! subscription. What is missing is named, with the variable to set, before anything is sent.
//!
//! # When it fails
//!
//! [`ClientError`] says what was tried and what came back. It answers the two questions that
//! matter: [may it succeed later](ClientError::is_retryable), and [may it have happened
//! nevertheless](ClientError::maybe_sent). Nothing is repeated behind your back.

mod answer;
mod client;
mod credentials;
mod edge;
mod error;
mod operation;
mod request;
#[cfg(feature = "reqwest")]
mod reqwest_transport;
mod transport;
pub mod v2;

pub use aaa_auth::{ApiUrl, ApiUrlError, Credentials};

#[cfg(feature = "reqwest")]
pub use crate::reqwest_transport::{BuildError, ReqwestTransport, Timeouts};
pub use crate::{
    client::{Client, ClientBuilder},
    credentials::MissingCredential,
    error::ClientError,
    operation::Operation,
    request::{ApiRequest, Auth},
    transport::{Transport, TransportError},
};
