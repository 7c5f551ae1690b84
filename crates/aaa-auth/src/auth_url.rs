use std::{fmt, str::FromStr};

use http::Uri;
use url::{Host, Url};

/// Where tokens are handed out: the API's host, without `/2` and `/1.1`.
///
/// `https`, or `http` on loopback, where an emulator may live. Plain `http` to anywhere else is
/// refused, since these requests carry secrets. A path is kept and put before the API's own.
///
/// # Examples
///
/// ```
/// use aaa_auth::AuthUrl;
///
/// let x: AuthUrl = AuthUrl::X.parse()?;
/// assert_eq!(x.to_string(), "https://api.x.com");
/// assert!("http://127.0.0.1:7878".parse::<AuthUrl>().is_ok());
/// assert!("http://api.x.com".parse::<AuthUrl>().is_err());
/// # Ok::<(), aaa_auth::AuthUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct AuthUrl(Url);

impl AuthUrl {
    /// X itself.
    pub const X: &'static str = "https://api.x.com";

    /// Returns the URL of an endpoint. `path` begins with a slash.
    pub(crate) fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        url
    }
}

impl FromStr for AuthUrl {
    type Err = AuthUrlError;

    fn from_str(text: &str) -> Result<Self, AuthUrlError> {
        let url = Url::parse(text).map_err(|_| AuthUrlError::NotAbsolute)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AuthUrlError::UserInfo);
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err(AuthUrlError::Plain),
            _ => return Err(AuthUrlError::Scheme),
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(AuthUrlError::Query);
        }
        // The two parsers differ in details; what only one of them takes cannot be called.
        Uri::try_from(url.as_str()).map_err(|_| AuthUrlError::NotAbsolute)?;
        Ok(Self(url))
    }
}

impl fmt::Display for AuthUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for AuthUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthUrl({self})")
    }
}

/// A text is not an address at which tokens can be asked for. The text itself is not kept: it
/// may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthUrlError {
    /// Not an absolute URL that HTTP can carry.
    #[error("the API's URL is not an absolute URL that HTTP can carry")]
    NotAbsolute,
    /// A user or a password is in it.
    #[error("the API's URL must not contain a user or a password")]
    UserInfo,
    /// Plain `http` to another machine.
    #[error("plain `http` would show every secret on its way: use `https`")]
    Plain,
    /// Neither `https` nor `http`.
    #[error("the API's URL must begin with `https` (or with `http` on loopback)")]
    Scheme,
    /// A query or a fragment is in it.
    #[error("the API's URL must not contain a query or a fragment")]
    Query,
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_and_joined() {
        for (base, whole) in [
            ("https://api.x.com", "https://api.x.com/oauth2/token"),
            ("https://API.twitter.com:443/", "https://api.twitter.com/oauth2/token"),
            ("http://[::1]:7878", "http://[::1]:7878/oauth2/token"),
            ("https://proxy.example/x/", "https://proxy.example/x/oauth2/token"),
        ] {
            let url: AuthUrl = base.parse().unwrap();
            assert_eq!(url.join("/oauth2/token").as_str(), whole);
        }
    }

    #[test]
    fn refused() {
        for (text, error) in [
            ("", AuthUrlError::NotAbsolute),
            ("api.x.com", AuthUrlError::NotAbsolute),
            ("http://api.x.com", AuthUrlError::Plain),
            ("http://localhost.example", AuthUrlError::Plain),
            ("ftp://localhost", AuthUrlError::Scheme),
            ("https://me:hush@api.x.com", AuthUrlError::UserInfo),
            ("https://a/?b", AuthUrlError::Query),
            ("https://a/#b", AuthUrlError::Query),
        ] {
            assert_eq!(text.parse::<AuthUrl>(), Err(error), "{text}");
        }
    }
}
