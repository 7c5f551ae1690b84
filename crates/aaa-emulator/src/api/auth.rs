//! Who calls.

use aaa_auth::oauth1::{Authorization, NonceCache, TimestampWindow};
use aaa_types::{AccessTokenSecret, UserId};
use http::{HeaderValue, header, request::Parts};
use jiff::Timestamp;
use url::Url;

use crate::credentials;

/// Verifies credentials, and remembers which nonces were used.
#[derive(Debug)]
pub(crate) struct Gate {
    nonces: NonceCache,
}

/// Whose credentials a call has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// The app's bearer token.
    App,
    /// A signature.
    OAuth1(UserId),
    /// A user's bearer token.
    OAuth2(UserId),
}

/// Why a call is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// No credentials.
    Unauthorized,
    /// A bearer token that nobody has.
    Bearer,
    /// A signature that does not hold: code 32.
    Signature,
    /// A signature with a token that nobody has: code 89.
    Token,
    /// A signature whose time is too far away: code 135.
    Timestamp,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { nonces: NonceCache::new(TimestampWindow::FIVE_MINUTES) }
    }

    /// Finds out who calls. `form` is what the body says, if it is a form.
    pub(super) fn admit(
        &mut self,
        parts: &Parts,
        form: &[(String, String)],
        clocks: &[Timestamp],
    ) -> Result<Caller, Denied> {
        let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Denied::Unauthorized);
        };
        match bearer(value) {
            Some(token) if token == credentials::BEARER_TOKEN => Ok(Caller::App),
            Some(token) => {
                credentials::user_of_oauth2_token(token).map(Caller::OAuth2).ok_or(Denied::Bearer)
            }
            None => self.verify(value, parts, form, clocks).map(Caller::OAuth1),
        }
    }

    fn verify(
        &mut self,
        value: &HeaderValue,
        parts: &Parts,
        form: &[(String, String)],
        clocks: &[Timestamp],
    ) -> Result<UserId, Denied> {
        let is_oauth = value.as_bytes().get(..6).is_some_and(|b| b.eq_ignore_ascii_case(b"OAuth "));
        if !is_oauth {
            return Err(Denied::Unauthorized);
        }
        let authorization = Authorization::parse(value).map_err(|_| Denied::Signature)?;
        if authorization.consumer_key() != credentials::CONSUMER_KEY {
            return Err(Denied::Signature);
        }
        let token = authorization.token().ok_or(Denied::Signature)?;
        let user = credentials::user_of_access_token(token).ok_or(Denied::Token)?;
        let secret: AccessTokenSecret =
            credentials::user_token(user.as_u64()).secret.parse().map_err(|_| Denied::Signature)?;
        let consumer = credentials::consumer_secret().ok_or(Denied::Signature)?;
        let url = called_url(parts).ok_or(Denied::Signature)?;
        let form: Vec<_> = form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        authorization
            .verify(&parts.method, &url, &form, &consumer, Some(&secret))
            .map_err(|_| Denied::Signature)?;
        let is_timely = clocks
            .iter()
            .any(|now| TimestampWindow::FIVE_MINUTES.contains(authorization.timestamp(), *now));
        if !is_timely {
            return Err(Denied::Timestamp);
        }
        self.nonces.check(&authorization, clocks).map_err(|_| Denied::Signature)?;
        Ok(user)
    }
}

impl Caller {
    pub(super) fn is_app(self) -> bool {
        self == Self::App
    }

    /// The user, unless the app itself calls.
    pub(super) fn user(self) -> Option<UserId> {
        match self {
            Self::OAuth1(user) | Self::OAuth2(user) => Some(user),
            Self::App => None,
        }
    }
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(token.trim())
}

/// The URL as the client called it: the host is part of the signature.
fn called_url(parts: &Parts) -> Option<Url> {
    let host = parts.headers.get(header::HOST)?.to_str().ok()?;
    let path = parts.uri.path_and_query()?.as_str();
    Url::parse(&format!("http://{host}{path}")).ok()
}
