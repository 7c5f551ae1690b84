//! Signing a request.

use std::{fmt, num::NonZeroU64};

use http::{HeaderValue, Method};
use jiff::Timestamp;
use oauth1_request::{Builder, Credentials};
use url::Url;

use super::{
    hmac_sha1::HmacSha1,
    parameters::{Parameters, base_method, base_url},
};
use crate::{Consumer, UserToken, header};

/// Signs requests for one app, and mostly for one user.
///
/// # Examples
///
/// The example of X's page about signatures (on the host that is called today):
///
/// ```
/// use aaa_auth::{Consumer, UserToken, oauth1::Signer};
/// use http::Method;
/// use url::Url;
///
/// let consumer = Consumer::new(
///     "xvz1evFS4wEEPTGEFPHBog".parse()?,
///     "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw".parse()?,
/// );
/// let user = UserToken::new(
///     "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb".parse()?,
///     "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE".parse()?,
/// );
/// let header = Signer::new(&consumer).with_token(&user).sign(
///     &Method::POST,
///     &Url::parse("https://api.x.com/1.1/statuses/update.json?include_entities=true")?,
///     &[("status", "Hello Ladies + Gentlemen, a signed OAuth request!")],
///     "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg",
///     "2011-10-14T20:09:18Z".parse()?,
/// );
/// let header = header.to_str()?;
/// assert!(header.ends_with(r#"oauth_signature="Ls93hJiZbQ3akF3HF3x1Bz8%2FzU4%3D""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    consumer: &'a Consumer,
    token: Option<&'a UserToken>,
    callback: Option<&'a str>,
    verifier: Option<&'a str>,
}

impl<'a> Signer<'a> {
    /// Creates a signer for an app alone, as the first step of the three-legged flow needs it.
    pub fn new(consumer: &'a Consumer) -> Self {
        Self { consumer, token: None, callback: None, verifier: None }
    }

    /// Signs for a user as well.
    #[must_use]
    pub fn with_token(mut self, token: &'a UserToken) -> Self {
        self.token = Some(token);
        self
    }

    /// Adds `oauth_callback`: where a user who gave permission is sent, or `oob`.
    #[must_use]
    pub fn with_callback(mut self, callback: &'a str) -> Self {
        self.callback = Some(callback);
        self
    }

    /// Adds `oauth_verifier`: the proof that the user gave permission.
    #[must_use]
    pub fn with_verifier(mut self, verifier: &'a str) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Signs a request and returns the value of its `Authorization` header, marked sensitive.
    ///
    /// `form` holds the decoded parameters of a form body; the query is taken from `url`. The
    /// nonce must be ASCII and differ between any two requests of the same second. A time before
    /// 1970 is signed as second 1, the earliest there is.
    pub fn sign(
        &self,
        method: &Method,
        url: &Url,
        form: &[(&str, &str)],
        nonce: &str,
        now: Timestamp,
    ) -> HeaderValue {
        let consumer = Credentials::new(self.consumer.key.as_str(), self.consumer.secret.expose());
        let mut builder = Builder::new(consumer, HmacSha1);
        builder
            .token(self.token.map(|t| Credentials::new(t.token.expose(), t.secret.expose())))
            .callback(self.callback)
            .verifier(self.verifier)
            .nonce(nonce)
            // Without a time the builder would look for a clock.
            .timestamp(seconds(now))
            .version(true);
        let parameters = Parameters::collect(url, form, std::iter::empty());
        let value = builder.authorize(&base_method(method), base_url(url), &parameters);
        header::sensitive(&value)
    }
}

/// The verifier is worth a token, so it is not shown.
impl fmt::Debug for Signer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("consumer", self.consumer)
            .field("token", &self.token)
            .field("callback", &self.callback)
            .finish_non_exhaustive()
    }
}

fn seconds(at: Timestamp) -> NonZeroU64 {
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    NonZeroU64::new(seconds).unwrap_or(NonZeroU64::MIN)
}
