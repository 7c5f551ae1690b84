//! The address of a webhook.

use std::{convert::Infallible, fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::{Host, Url};

/// The longest webhook URL that X takes, in characters.
const MAX_LENGTH: usize = 200;

/// An absolute `http` or `https` URL of 1 to 200 characters, without user, password or fragment.
///
/// X itself takes less: [`WebhookUrl::check_public`] applies its rules (`https`, no port).
/// Addresses that it refuses are of use with an emulator on loopback.
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

    /// Checks the URL against X's rules for a webhook.
    ///
    /// # Errors
    ///
    /// Fails when the scheme is not `https` or when a port is named
    /// (<https://docs.x.com/x-api/webhooks/introduction>).
    pub fn check_public(&self) -> Result<(), WebhookUrlError> {
        let url = self.parsed()?;
        if url.scheme() != "https" {
            return Err(self.error("X only takes `https`"));
        }
        // The parser drops a port that is the scheme's own, so the text is asked as well.
        let authority = self.0.split('/').nth(2).unwrap_or_default();
        let after_host = authority.rsplit(']').next().unwrap_or_default();
        if url.port().is_some() || after_host.contains(':') {
            return Err(self.error("X takes no port"));
        }
        Ok(())
    }

    /// Says whether the host is a loopback address or `localhost`.
    pub fn is_loopback(&self) -> bool {
        self.parsed().is_ok_and(|url| match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
            None => false,
        })
    }

    fn parsed(&self) -> Result<Url, WebhookUrlError> {
        Url::parse(&self.0).map_err(|_| self.error("it is not an absolute URL"))
    }

    fn error(&self, why: &'static str) -> WebhookUrlError {
        WebhookUrlError { url: self.0.clone(), why }
    }
}

impl FromStr for WebhookUrl {
    type Err = WebhookUrlError;

    fn from_str(text: &str) -> Result<Self, WebhookUrlError> {
        let fail = |why| {
            let url = text.chars().take(MAX_LENGTH).collect();
            Err(WebhookUrlError { url, why })
        };
        if text.is_empty() || text.chars().count() > MAX_LENGTH {
            return fail("it must have 1 to 200 characters");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return fail("it contains white space or control characters");
        }
        let Ok(url) = Url::parse(text) else {
            return fail("it is not an absolute URL");
        };
        if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
            return fail("only `https` (and `http` on loopback) can be a webhook");
        }
        if !url.username().is_empty() || url.password().is_some() {
            // What is before the `@` may be a password, so the URL is not repeated.
            return Err(WebhookUrlError {
                url: "[redacted]".to_owned(),
                why: "it must not contain a user or a password",
            });
        }
        if url.fragment().is_some() {
            return fail("it must not contain a fragment");
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

/// A text is not the address of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` cannot be a webhook: {why}")]
pub struct WebhookUrlError {
    url: String,
    why: &'static str,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepted_and_refused() {
        for good in ["https://a.example/x?y=z", "http://127.0.0.1:1/", "https://[::1]:8/x"] {
            assert_eq!(good.parse::<WebhookUrl>().unwrap().as_str(), good);
        }
        for bad in
            ["", "/x", "ftp://a/", "https://", "https://u:p@a/", "https://a/#b", "https://a/ b"]
        {
            assert!(bad.parse::<WebhookUrl>().is_err(), "{bad:?} was accepted");
        }
        let long = format!("https://a.example/{}", "x".repeat(183));
        assert!(long.parse::<WebhookUrl>().is_err());
    }

    #[test]
    fn a_password_is_not_repeated() {
        let error = "https://me:hush@a.example/".parse::<WebhookUrl>().unwrap_err();
        assert!(!error.to_string().contains("hush"));
    }

    #[test]
    fn public_rules() {
        let check = |text: &str| text.parse::<WebhookUrl>().unwrap().check_public().is_ok();
        assert!(check("https://a.example/x"));
        assert!(check("https://[2001:db8::1]/x"));
        assert!(!check("http://a.example/x"));
        assert!(!check("https://a.example:8443/x"));
        assert!(!check("https://a.example:443/x"));
        assert!(!check("https://[2001:db8::1]:443/x"));
    }

    #[test]
    fn loopback() {
        for (url, expected) in [
            ("http://localhost:1/", true),
            ("http://127.8.8.8/", true),
            ("http://[::1]/", true),
            ("http://10.0.0.1/", false),
            ("http://localhost.example/", false),
        ] {
            assert_eq!(url.parse::<WebhookUrl>().unwrap().is_loopback(), expected, "{url}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in ".*") {
            if let Ok(url) = text.parse::<WebhookUrl>() {
                let _ = (url.check_public(), url.is_loopback());
            }
        }
    }
}
