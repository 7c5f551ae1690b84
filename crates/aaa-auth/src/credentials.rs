use aaa_types::{AccessToken, AccessTokenSecret, BearerToken, ConsumerKey, ConsumerSecret};

/// An app's own credentials: its consumer key (API key) and consumer secret (API secret key).
///
/// # Examples
///
/// ```
/// use aaa_auth::Consumer;
///
/// let consumer = Consumer::new("app-key".parse()?, "app-secret".parse()?);
/// assert!(!format!("{consumer:?}").contains("app-secret"));
/// # Ok::<(), aaa_types::secret::SecretError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Consumer {
    /// Names the app; sent in the clear.
    pub key: ConsumerKey,
    /// Signs.
    pub secret: ConsumerSecret,
}

impl Consumer {
    /// Creates the credentials.
    pub fn new(key: ConsumerKey, secret: ConsumerSecret) -> Self {
        Self { key, secret }
    }
}

/// A user's OAuth 1.0a access token and its secret, valid together with one app's [`Consumer`].
///
/// The request token of the three-legged flow has the same form.
///
/// # Examples
///
/// ```
/// use aaa_auth::UserToken;
///
/// let token = UserToken::new("7-token".parse()?, "user-secret".parse()?);
/// assert!(!format!("{token:?}").contains("7-token"));
/// assert!(!format!("{token:?}").contains("user-secret"));
/// # Ok::<(), aaa_types::secret::SecretError>(())
/// ```
#[derive(Debug, Clone)]
pub struct UserToken {
    /// Names the user and the app; sent in the clear, yet nobody else's business.
    pub token: AccessToken,
    /// Signs.
    pub secret: AccessTokenSecret,
}

impl UserToken {
    /// Creates the token.
    pub fn new(token: AccessToken, secret: AccessTokenSecret) -> Self {
        Self { token, secret }
    }
}

/// What proves that a request is made for a user.
///
/// X takes either for subscriptions. An OAuth 2.0 token needs the scopes `users.read`,
/// `tweet.read`, `dm.read` and `dm.write`, and ends after two hours.
#[derive(Debug, Clone)]
pub enum UserCredential {
    /// An OAuth 1.0a token; every request is signed with it and the app's [`Consumer`].
    OAuth1(UserToken),
    /// The user's OAuth 2.0 token, sent as a bearer token.
    OAuth2(BearerToken),
}

impl From<UserToken> for UserCredential {
    fn from(token: UserToken) -> Self {
        Self::OAuth1(token)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn debug_never_shows_a_secret(secret in "[!-~]{12,40}") {
            let token = UserToken::new(secret.parse().unwrap(), secret.parse().unwrap());
            let shown = [
                format!("{:#?}", Consumer::new("app".parse().unwrap(), secret.parse().unwrap())),
                format!("{token:#?}"),
                format!("{:?}", UserCredential::from(token)),
                format!("{:?}", UserCredential::OAuth2(secret.parse().unwrap())),
            ];
            for shown in shown {
                prop_assert!(!shown.contains(&secret), "{shown}");
            }
        }
    }
}
