//! Who calls.

use std::{borrow::Cow, collections::HashSet};

use aaa_auth::oauth1::{Authorization, NonceCache, TimestampWindow};
use aaa_types::{AccessTokenSecret, UserId};
use http::{HeaderValue, header, request::Parts};
use jiff::Timestamp;
use url::Url;

use crate::{credentials, world::World};

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
        world: &World,
        parts: &Parts,
        form: &[(String, String)],
        clocks: &[Timestamp],
    ) -> Result<Caller, Denied> {
        match bearer(single(parts)?) {
            Some(token) if world.is_bearer_token(token) => Ok(Caller::App),
            Some(token) => {
                credentials::user_of_oauth2_token(token).map(Caller::OAuth2).ok_or(Denied::Bearer)
            }
            None => {
                let mut user = None;
                self.verify(parts, form, clocks, |token| {
                    let token = token.ok_or(Denied::Signature)?;
                    let known = credentials::user_of_access_token(token).ok_or(Denied::Token)?;
                    user = Some(known);
                    secret(&credentials::user_token(known.as_u64()).secret).map(Some)
                })?;
                user.map(Caller::OAuth1).ok_or(Denied::Signature)
            }
        }
    }

    /// Verifies the signature of a call that has no token yet.
    pub(super) fn admit_without_token(
        &mut self,
        parts: &Parts,
        form: &[(String, String)],
        clocks: &[Timestamp],
    ) -> Result<Authorization, Denied> {
        self.verify(parts, form, clocks, |token| match token {
            None => Ok(None),
            Some(_) => Err(Denied::Signature),
        })
    }

    /// Verifies the signature of a call with a request token. `secret_of` knows its secret.
    pub(super) fn admit_with_request_token(
        &mut self,
        parts: &Parts,
        form: &[(String, String)],
        clocks: &[Timestamp],
        secret_of: impl FnOnce(&str) -> Option<String>,
    ) -> Result<Authorization, Denied> {
        self.verify(parts, form, clocks, |token| {
            let token = token.ok_or(Denied::Signature)?;
            secret(&secret_of(token).ok_or(Denied::Token)?).map(Some)
        })
    }

    fn verify(
        &mut self,
        parts: &Parts,
        form: &[(String, String)],
        clocks: &[Timestamp],
        secret_of: impl FnOnce(Option<&str>) -> Result<Option<AccessTokenSecret>, Denied>,
    ) -> Result<Authorization, Denied> {
        let value = single(parts)?;
        let is_oauth = value.as_bytes().get(..6).is_some_and(|b| b.eq_ignore_ascii_case(b"OAuth "));
        if !is_oauth {
            return Err(Denied::Unauthorized);
        }
        let authorization = Authorization::parse(value).map_err(|_| Denied::Signature)?;
        if authorization.consumer_key() != credentials::CONSUMER_KEY {
            return Err(Denied::Signature);
        }
        let secret = secret_of(authorization.token())?;
        let consumer = credentials::consumer_secret().ok_or(Denied::Signature)?;
        let url = called_url(parts).ok_or(Denied::Signature)?;
        let form: Vec<_> = form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        if has_duplicates(&url, &form) {
            return Err(Denied::Signature);
        }
        authorization
            .verify(&parts.method, &url, &form, &consumer, secret.as_ref())
            .map_err(|_| Denied::Signature)?;
        let is_timely = clocks
            .iter()
            .any(|now| TimestampWindow::FIVE_MINUTES.contains(authorization.timestamp(), *now));
        if !is_timely {
            return Err(Denied::Timestamp);
        }
        self.nonces.check(&authorization, clocks).map_err(|_| Denied::Signature)?;
        Ok(authorization)
    }
}

impl Caller {
    pub(super) fn is_app(self) -> bool {
        self == Self::App
    }

    /// Says whether the app's owner signed.
    pub(super) fn is_owner(self) -> bool {
        matches!(self, Self::OAuth1(user) if user.as_u64() == credentials::OWNER)
    }

    /// The user, unless the app itself calls.
    pub(super) fn user(self) -> Option<UserId> {
        match self {
            Self::OAuth1(user) | Self::OAuth2(user) => Some(user),
            Self::App => None,
        }
    }
}

/// The header, unless it is there twice.
fn single(parts: &Parts) -> Result<&HeaderValue, Denied> {
    let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(Denied::Unauthorized),
    }
}

fn secret(text: &str) -> Result<AccessTokenSecret, Denied> {
    text.parse().map_err(|_| Denied::Signature)
}

/// X refuses a signature over a parameter that is there twice.
fn has_duplicates(url: &Url, form: &[(&str, &str)]) -> bool {
    let mut names = HashSet::new();
    let query = url.query_pairs().map(|(name, _)| name);
    let form = form.iter().map(|(name, _)| Cow::Borrowed(*name));
    !query.chain(form).all(|name| names.insert(name))
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
