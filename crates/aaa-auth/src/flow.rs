//! The three-legged flow of OAuth 1.0a: an app asks a user for permission and gets their token
//! (<https://docs.x.com/resources/fundamentals/authentication/oauth-1-0a/obtaining-user-access-tokens>).
//!
//! 1. [`request_token`] begins, with the [`Callback`] to which the user is sent afterwards, or
//!    none, when they are to type in a PIN.
//! 2. The user opens [`RequestToken::authorize_url`] and agrees, or does not.
//! 3. [`RequestToken::verifier`] reads the query that the callback brings;
//!    [`Verifier::from_pin`] reads what the user typed.
//! 4. [`access_token`] exchanges the verifier for the user's [`Access`].
//!
//! ```
//! use aaa_auth::{ApiUrl, Consumer, flow::{self, Callback, Verifier}};
//! use http::Response;
//!
//! let api: ApiUrl = ApiUrl::X.parse()?;
//! let consumer = Consumer::new("app-key".parse()?, "app-secret".parse()?);
//! let now = "2025-11-22T04:00:00Z".parse()?;
//!
//! let exchange = flow::request_token(&api, &consumer, &Callback::OUT_OF_BAND, "a1b2", now);
//! // Send `exchange.to_http()`; this is what comes back.
//! let answer = "oauth_token=r-1&oauth_token_secret=hush&oauth_callback_confirmed=true";
//! let request_token = exchange.answer(&Response::new(answer))?;
//! assert_eq!(
//!     request_token.authorize_url(&api).as_str(),
//!     "https://api.x.com/oauth/authorize?oauth_token=r-1",
//! );
//!
//! let pin = Verifier::from_pin("1234567\n")?;
//! let exchange = flow::access_token(&api, &consumer, &request_token, &pin, "c3d4", now);
//! let answer = "oauth_token=7-token&oauth_token_secret=hush&user_id=7&screen_name=seven";
//! let access = exchange.answer(&Response::new(answer))?;
//! assert_eq!(access.token.token.expose(), "7-token");
//! assert_eq!(access.screen_name.as_deref(), Some("seven"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod callback;
mod request_token;
mod verifier;

pub use self::{
    access::{Access, access_token},
    callback::{Callback, CallbackError, CallbackUrlError},
    request_token::{RequestToken, request_token},
    verifier::{Verifier, VerifierError},
};

#[cfg(test)]
mod tests;
