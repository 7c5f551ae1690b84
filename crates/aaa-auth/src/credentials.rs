use aaa_types::{AccessToken, AccessTokenSecret, BearerToken, ConsumerKey, ConsumerSecret, UserId};

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

    /// Returns the user whom the token is for, as far as it says so itself: X's access tokens
    /// begin with the user's id and a hyphen. Request tokens do not.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_auth::UserToken;
    ///
    /// let token = UserToken::new("370773112-GmHxMAgYyLbN".parse()?, "hush".parse()?);
    /// assert_eq!(token.user_id(), Some("370773112".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn user_id(&self) -> Option<UserId> {
        let (id, _) = self.token.expose().split_once('-')?;
        id.parse().ok()
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

/// The app's own credentials, as far as they are at hand. Each call takes the one it needs.
///
/// # Examples
///
/// ```
/// use aaa_auth::Credentials;
///
/// let credentials = Credentials::default().with_bearer("AAAA%2Fbbbb".parse()?);
/// assert!(credentials.consumer.is_none());
/// assert!(!format!("{credentials:?}").contains("AAAA"));
/// # Ok::<(), aaa_types::secret::SecretError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Key and secret of the app; OAuth 1.0a signatures need them.
    pub consumer: Option<Consumer>,
    /// The access token of the app's owner; used where no bearer token is at hand.
    pub owner: Option<UserToken>,
    /// The app's bearer token.
    pub bearer: Option<BearerToken>,
}

impl Credentials {
    /// Adds key and secret of the app.
    #[must_use]
    pub fn with_consumer(mut self, consumer: Consumer) -> Self {
        self.consumer = Some(consumer);
        self
    }

    /// Adds the access token of the app's owner.
    #[must_use]
    pub fn with_owner(mut self, owner: UserToken) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Adds the app's bearer token.
    #[must_use]
    pub fn with_bearer(mut self, bearer: BearerToken) -> Self {
        self.bearer = Some(bearer);
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whose_a_token_is() {
        let user =
            |token: &str| UserToken::new(token.parse().unwrap(), "hush".parse().unwrap()).user_id();
        assert_eq!(user("7-token-x").map(UserId::as_u64), Some(7));
        for none in ["token", "-token", "a7-token", "07-token", "NPcudxy0yU5T3tBzho7iCotZ3cnetKwc"]
        {
            assert_eq!(user(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn debug_never_shows_a_secret(secret in "[!-~]{12,40}") {
            let token = UserToken::new(secret.parse().unwrap(), secret.parse().unwrap());
            let credentials = Credentials::default()
                .with_consumer(Consumer::new("app".parse().unwrap(), secret.parse().unwrap()))
                .with_owner(token.clone())
                .with_bearer(secret.parse().unwrap());
            let shown = [
                format!("{credentials:#?}"),
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
