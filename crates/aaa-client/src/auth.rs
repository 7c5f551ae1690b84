use aaa_auth::{Consumer, UserCredential, UserToken, bearer, oauth1::Signer};
use aaa_types::BearerToken;
use http::{HeaderValue, Method};
use jiff::Timestamp;
use url::Url;

use crate::{Credentials, missing::Needs};

/// Which credential a call needs.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Auth<'a> {
    /// The app's bearer token.
    Bearer,
    /// The app's bearer token; without one, a signature with the access token of its owner.
    BearerOrOwner,
    /// A signature with the access token of the app's owner.
    Owner,
    /// The app's bearer token if there is one; any answer is good.
    BearerIfAny,
    /// None; any answer is good.
    Nobody,
    /// The credential of the user whom the call is about.
    User(&'a UserCredential),
    /// A signature with the access token of the user whom the call is about.
    UserToken(&'a UserToken),
}

impl<'a> Auth<'a> {
    /// Makes the `Authorization` header of a request, unless anybody may ask.
    pub(crate) fn authorization(
        self,
        credentials: &Credentials,
        method: &Method,
        url: &Url,
        nonce: &str,
        now: Timestamp,
    ) -> Result<Option<HeaderValue>, Needs> {
        let Credentials { consumer, owner, bearer, .. } = credentials;
        // Bodies are JSON, so there is no form to sign.
        let sign = |consumer: &Consumer, token: &UserToken| {
            Signer::new(consumer).with_token(token).sign(method, url, &[], nonce, now)
        };
        let bearer = bearer.as_ref().map(bearer::authorization);
        let of_owner = || Some(sign(consumer.as_ref()?, owner.as_ref()?));
        let of_user = |token| consumer.as_ref().map(|consumer| sign(consumer, token));
        match self {
            Self::Nobody => return Ok(None),
            Self::BearerIfAny => return Ok(bearer),
            Self::Bearer => bearer.ok_or(Needs::Bearer),
            Self::BearerOrOwner => bearer.or_else(of_owner).ok_or(Needs::BearerOrOwner),
            Self::Owner => of_owner().ok_or(Needs::Owner),
            Self::User(UserCredential::OAuth2(token)) => Ok(bearer::authorization(token)),
            Self::User(UserCredential::OAuth1(token)) | Self::UserToken(token) => {
                of_user(token).ok_or(Needs::Consumer)
            }
        }
        .map(Some)
    }

    /// Says whether such a call is made with a signature.
    pub(crate) fn signs(self, credentials: &Credentials) -> bool {
        match self {
            Self::Owner | Self::UserToken(_) | Self::User(UserCredential::OAuth1(_)) => true,
            Self::BearerOrOwner => credentials.bearer.is_none(),
            Self::Bearer
            | Self::BearerIfAny
            | Self::Nobody
            | Self::User(UserCredential::OAuth2(_)) => false,
        }
    }

    /// Returns every secret that such a call is made with, or could be.
    pub(crate) fn secrets<'s>(self, credentials: &'s Credentials) -> Vec<&'s str>
    where
        'a: 's,
    {
        let Credentials { consumer, owner, bearer, .. } = credentials;
        let (user, oauth2) = match self {
            Self::User(UserCredential::OAuth1(token)) | Self::UserToken(token) => {
                (Some(token), None)
            }
            Self::User(UserCredential::OAuth2(token)) => (None, Some(token)),
            _ => (None, None),
        };
        let tokens = [owner.as_ref(), user].into_iter().flatten();
        let bearers = [bearer.as_ref(), oauth2].into_iter().flatten();
        let consumer = consumer.iter().map(|consumer| consumer.secret.expose());
        consumer
            .chain(tokens.flat_map(|token| [token.token.expose(), token.secret.expose()]))
            .chain(bearers.map(BearerToken::expose))
            .collect()
    }
}
