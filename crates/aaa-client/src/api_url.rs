use std::{fmt, str::FromStr};

use http::Uri;
use url::{Host, Url};

/// Where the API is: `https`, or `http` on loopback, where an emulator may live.
///
/// Plain `http` to anywhere else is refused, since every request carries a credential. A path is
/// kept and put before the API's own.
///
/// # Examples
///
/// ```
/// use aaa_client::ApiUrl;
///
/// let x: ApiUrl = ApiUrl::X.parse()?;
/// assert_eq!(x.to_string(), "https://api.x.com");
///
/// let emulator: ApiUrl = "http://127.0.0.1:7878/".parse()?;
/// assert!(emulator.is_loopback());
///
/// assert!("http://api.x.com".parse::<ApiUrl>().is_err());
/// # Ok::<(), aaa_client::ApiUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ApiUrl(Url);

impl ApiUrl {
    /// X itself.
    pub const X: &'static str = "https://api.x.com";

    /// Says whether the host is a loopback address or `localhost`.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Says whether requests are encrypted on their way.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns the URL of a call. `path` begins with a slash.
    pub(crate) fn join(&self, path: &str, query: &[(&'static str, String)]) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

impl FromStr for ApiUrl {
    type Err = ApiUrlError;

    fn from_str(text: &str) -> Result<Self, ApiUrlError> {
        let fail = |why| {
            let url = text.chars().take(200).collect();
            Err(ApiUrlError { url, why })
        };
        let Ok(url) = Url::parse(text) else {
            return fail("it is not an absolute URL");
        };
        if !url.username().is_empty() || url.password().is_some() {
            // What is before the `@` may be a password, so the URL is not repeated.
            return Err(ApiUrlError {
                url: "[redacted]".to_owned(),
                why: "it must not contain a user or a password",
            });
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return fail("plain `http` would show every credential: use `https`"),
            _ => return fail("only `https` (and `http` on loopback) is spoken"),
        }
        if url.query().is_some() || url.fragment().is_some() {
            return fail("it must not contain a query or a fragment");
        }
        // The two parsers differ in details; what only one of them takes cannot be called.
        if Uri::try_from(url.as_str()).is_err() {
            return fail("it is not a URL that HTTP can carry");
        }
        Ok(Self(url))
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiUrl({self})")
    }
}

/// A text is not the address of an API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` cannot be the API's URL: {why}")]
pub struct ApiUrlError {
    url: String,
    why: &'static str,
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
    fn accepted_and_refused() {
        for good in [
            "https://api.x.com",
            "https://api.twitter.com:443/",
            "http://localhost:1",
            "http://[::1]:7878",
            "https://proxy.example/x/",
        ] {
            assert!(good.parse::<ApiUrl>().is_ok(), "{good} was refused");
        }
        for bad in [
            "",
            "api.x.com",
            "http://api.x.com",
            "http://localhost.example",
            "ftp://localhost",
            "https://",
            "https://a/?b",
            "https://a/#b",
        ] {
            assert!(bad.parse::<ApiUrl>().is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        let error = "https://me:hush@api.x.com".parse::<ApiUrl>().unwrap_err();
        insta::assert_snapshot!(
            error,
            @"`[redacted]` cannot be the API's URL: it must not contain a user or a password"
        );
    }

    #[test]
    fn joining() {
        let join = |base: &str| {
            let query = [("from_date", "202511220400".to_owned()), ("x", "a b&c".to_owned())];
            base.parse::<ApiUrl>().unwrap().join("/2/webhooks", &query).to_string()
        };
        assert_eq!(
            join("https://api.x.com"),
            "https://api.x.com/2/webhooks?from_date=202511220400&x=a+b%26c"
        );
        assert_eq!(
            join("http://127.0.0.1:1/x/"),
            "http://127.0.0.1:1/x/2/webhooks?from_date=202511220400&x=a+b%26c"
        );
    }
}
