//! The address of a webhook.

mod refusal;

use std::{convert::Infallible, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::{Host, Url};

pub use self::refusal::UrlRefusal;

/// The longest webhook URL that X takes, in characters.
const MAX_LENGTH: usize = 200;

/// An absolute `http` or `https` URL of 1 to 200 characters, without user, password or fragment.
///
/// X itself takes less: [`WebhookUrl::check_public`] applies its rules (`https`, no port, a host
/// that it can reach). Addresses that it refuses are of use with an emulator on loopback, and
/// [`WebhookUrl::check_registrable`] knows when.
///
/// # Examples
///
/// ```
/// use aaa_types::WebhookUrl;
///
/// let url: WebhookUrl = "https://example.com/webhooks/twitter".parse()?;
/// assert!(url.check_public().is_ok());
///
/// let local: WebhookUrl = "http://127.0.0.1:8080/webhooks/twitter".parse()?;
/// assert!(local.check_public().is_err());
/// assert!(local.is_loopback());
/// # Ok::<(), aaa_types::url::WebhookUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebhookUrl(String);

impl WebhookUrl {
    /// Returns the URL as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks the URL against X's rules for a webhook, and that X can reach its host.
    ///
    /// Addresses and names of the documentation (`192.0.2.1`, `a.example`) pass: they lead
    /// nowhere, but to nothing private either.
    ///
    /// # Errors
    ///
    /// Fails when the scheme is not `https`, when a port is named
    /// (<https://docs.x.com/x-api/webhooks/introduction>), or when the host is an address or a
    /// name of a machine or a private network, in whatever disguise.
    pub fn check_public(&self) -> Result<(), WebhookUrlError> {
        let url = self.parsed()?;
        if url.scheme() != "https" {
            return Err(self.error(UrlRefusal::NotHttps));
        }
        // The parser drops a port that is the scheme's own, so the text is asked as well.
        let authority = self.0.split(['/', '?']).nth(2).unwrap_or_default();
        let after_host = authority.rsplit(']').next().unwrap_or_default();
        if url.port().is_some() || after_host.contains(':') {
            return Err(self.error(UrlRefusal::Port));
        }
        match refusal::of_host(&url) {
            Some(refusal) => Err(self.error(refusal)),
            None => Ok(()),
        }
    }

    /// Checks whether the URL can be registered at an API: a public one always, one on loopback
    /// (`http` and a port included) only where the API itself is on loopback, as an emulator is.
    ///
    /// # Errors
    ///
    /// Fails as [`WebhookUrl::check_public`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_types::{WebhookUrl, url::UrlRefusal};
    ///
    /// let local: WebhookUrl = "http://127.0.0.1:8080/webhooks/twitter".parse()?;
    /// assert!(local.check_registrable(true).is_ok());
    /// let error = local.check_registrable(false).unwrap_err();
    /// assert_eq!(error.refusal(), UrlRefusal::NotHttps);
    /// # Ok::<(), aaa_types::url::WebhookUrlError>(())
    /// ```
    pub fn check_registrable(&self, api_is_loopback: bool) -> Result<(), WebhookUrlError> {
        if api_is_loopback && self.is_loopback() { Ok(()) } else { self.check_public() }
    }

    /// Says whether the host is a loopback address or `localhost`.
    pub fn is_loopback(&self) -> bool {
        self.parsed().is_ok_and(|url| refusal::of_host(&url) == Some(UrlRefusal::Loopback))
    }

    fn parsed(&self) -> Result<Url, WebhookUrlError> {
        Url::parse(&self.0).map_err(|_| self.error(UrlRefusal::NotAbsolute))
    }

    fn error(&self, refusal: UrlRefusal) -> WebhookUrlError {
        WebhookUrlError { url: self.0.clone(), refusal }
    }
}

impl FromStr for WebhookUrl {
    type Err = WebhookUrlError;

    fn from_str(text: &str) -> Result<Self, WebhookUrlError> {
        let fail = |refusal| {
            let url = text.chars().take(MAX_LENGTH).collect();
            Err(WebhookUrlError { url, refusal })
        };
        if has_credentials(text) {
            // What is before the `@` may be a password, so the URL is not repeated.
            return Err(WebhookUrlError {
                url: "[redacted]".to_owned(),
                refusal: UrlRefusal::Credentials,
            });
        }
        if text.is_empty() || text.chars().count() > MAX_LENGTH {
            return fail(UrlRefusal::Length);
        }
        // Browsers take a backslash for a slash; other parsers do not, so nobody should.
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return fail(UrlRefusal::Characters);
        }
        let Ok(url) = Url::parse(text) else {
            return fail(UrlRefusal::NotAbsolute);
        };
        if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
            return fail(UrlRefusal::Scheme);
        }
        // `https:a.example` and `https:///a.example` are mended by browsers only.
        let after_scheme = text.split_once("://").map(|(_, rest)| rest);
        if after_scheme.is_none_or(|rest| rest.starts_with('/')) {
            return fail(UrlRefusal::NotAbsolute);
        }
        if url.fragment().is_some() {
            return fail(UrlRefusal::Fragment);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({})", self.0)
    }
}

impl Serialize for WebhookUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for WebhookUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The address of a webhook as X tells it, which may be any text.
///
/// What is registered was checked by X, at some time and by its own rules, and not by us. So it is
/// compared and shown, and nothing else is assumed of it.
///
/// # Examples
///
/// ```
/// use aaa_types::{WebhookUrl, url::WebhookAddress};
///
/// let url: WebhookUrl = "https://example.com/webhooks/twitter".parse()?;
/// assert!(WebhookAddress::from(url.clone()) == url);
///
/// let odd: WebhookAddress = serde_json::from_str(r#""https://example.com/#part""#)?;
/// assert!(odd != url);
/// assert!(odd.as_str().parse::<WebhookUrl>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookAddress(String);

impl WebhookAddress {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<WebhookUrl> for WebhookAddress {
    fn from(url: WebhookUrl) -> Self {
        Self(url.0)
    }
}

impl FromStr for WebhookAddress {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl PartialEq<WebhookUrl> for WebhookAddress {
    fn eq(&self, url: &WebhookUrl) -> bool {
        self.0 == url.0
    }
}

impl fmt::Display for WebhookAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says whether the host of any URL is the machine itself: a loopback address, `localhost` or a name
/// below it, which RFC 6761 wants resolvers to keep on the machine. A dot behind the name counts as
/// another name: some resolvers ask others for that one.
///
/// # Examples
///
/// ```
/// use aaa_types::url::is_loopback;
/// use url::Url;
///
/// assert!(is_loopback(&Url::parse("http://app.localhost:8080/")?));
/// assert!(is_loopback(&Url::parse("http://[::ffff:127.0.0.1]/")?));
/// assert!(!is_loopback(&Url::parse("http://localhost./")?));
/// assert!(!is_loopback(&Url::parse("http://localhost.example.com/")?));
/// # Ok::<(), url::ParseError>(())
/// ```
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
        None => false,
    }
}

/// A text is not the address of a webhook, or not one for this API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` cannot be a webhook: {refusal}")]
pub struct WebhookUrlError {
    url: String,
    refusal: UrlRefusal,
}

impl WebhookUrlError {
    /// Returns the reason.
    pub fn refusal(&self) -> UrlRefusal {
        self.refusal
    }
}

/// Looks for a user or a password, in a text that need not be a URL.
fn has_credentials(text: &str) -> bool {
    match Url::parse(text) {
        // The parser drops an empty user, so the text is asked as well.
        Ok(url) if url.has_host() => {
            let authority = text.split(['/', '?', '#']).nth(2).unwrap_or_default();
            !url.username().is_empty() || url.password().is_some() || authority.contains('@')
        }
        // Nobody knows what is before the `@` then.
        _ => text.contains('@'),
    }
}

#[cfg(test)]
mod tests;
