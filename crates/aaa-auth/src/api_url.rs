use std::{fmt, str::FromStr};

use aaa_types::url::is_loopback;
use http::Uri;
use url::Url;

/// Where the API is: the host, without `/2` and `/1.1`.
///
/// `https`, or `http` on loopback, where an emulator may live. Plain `http` to anywhere else is
/// refused, since every request carries a credential. A path is kept and put before the API's own.
///
/// # Examples
///
/// ```
/// use aaa_auth::ApiUrl;
///
/// let x: ApiUrl = ApiUrl::X.parse()?;
/// assert_eq!(x.to_string(), "https://api.x.com");
/// assert!(x.is_https() && !x.is_loopback());
///
/// let emulator: ApiUrl = "http://127.0.0.1:7878/".parse()?;
/// assert!(emulator.is_loopback());
///
/// assert!("http://api.x.com".parse::<ApiUrl>().is_err());
/// # Ok::<(), aaa_auth::ApiUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
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

    /// Returns the URL of a call. `path` begins with a slash; the query is encoded here.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_auth::ApiUrl;
    ///
    /// let api: ApiUrl = "https://proxy.example/x/".parse()?;
    /// let url = api.join("/1.1/account_activity/webhooks.json", &[("url", "https://a.b".into())]);
    /// assert_eq!(
    ///     url.as_str(),
    ///     "https://proxy.example/x/1.1/account_activity/webhooks.json?url=https%3A%2F%2Fa.b",
    /// );
    /// # Ok::<(), aaa_auth::ApiUrlError>(())
    /// ```
    pub fn join(&self, path: &str, query: &[(&str, String)]) -> Url {
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
        let mut url = Url::parse(text).map_err(|_| ApiUrlError::NotAbsolute)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ApiUrlError::UserInfo);
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err(ApiUrlError::Plain),
            _ => return Err(ApiUrlError::Scheme),
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(ApiUrlError::Query);
        }
        // One way to write it, so that two are equal when they lead to the same place.
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        // The two parsers differ in details; what only one of them takes cannot be called.
        Uri::try_from(url.as_str()).map_err(|_| ApiUrlError::NotAbsolute)?;
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

/// A text is not the address of an API. The text itself is not kept: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiUrlError {
    /// Not an absolute URL that HTTP can carry.
    #[error("the API's URL is not an absolute URL that HTTP can carry")]
    NotAbsolute,
    /// A user or a password is in it.
    #[error("the API's URL must not contain a user or a password")]
    UserInfo,
    /// Plain `http` to another machine.
    #[error("the API's URL is plain `http`, which would show every credential: use `https`")]
    Plain,
    /// Neither `https` nor `http`.
    #[error("the API's URL must begin with `https` (or with `http` on loopback)")]
    Scheme,
    /// A query or a fragment is in it.
    #[error("the API's URL must not contain a query or a fragment")]
    Query,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepted_and_joined() {
        for (base, whole) in [
            ("https://api.x.com", "https://api.x.com/oauth2/token"),
            ("https://API.twitter.com:443/", "https://api.twitter.com/oauth2/token"),
            ("http://localhost:1", "http://localhost:1/oauth2/token"),
            ("http://[::1]:7878", "http://[::1]:7878/oauth2/token"),
            ("https://proxy.example/x/", "https://proxy.example/x/oauth2/token"),
        ] {
            let url: ApiUrl = base.parse().unwrap();
            assert_eq!(url.join("/oauth2/token", &[]).as_str(), whole);
        }
    }

    #[test]
    fn slashes_at_the_end_make_no_difference() {
        for (one, other) in [
            ("https://api.x.com", "https://api.x.com//"),
            ("https://proxy.example/x", "https://proxy.example/x///"),
        ] {
            let [one, other] = [one, other].map(|text| text.parse::<ApiUrl>().unwrap());
            assert_eq!(one, other);
            assert_eq!(one.join("/2/webhooks", &[]), other.join("/2/webhooks", &[]));
        }
    }

    #[test]
    fn joined_with_a_query() {
        for base in ["https://api.x.com", "http://127.0.0.1:1/x/"] {
            let query = [("from_date", "202511220400".to_owned()), ("x", "a b&c".to_owned())];
            let url = base.parse::<ApiUrl>().unwrap().join("/2/webhooks", &query);
            let base = base.trim_end_matches('/');
            assert_eq!(url.as_str(), format!("{base}/2/webhooks?from_date=202511220400&x=a+b%26c"));
        }
    }

    #[test]
    fn refused() {
        for (text, error) in [
            ("", ApiUrlError::NotAbsolute),
            ("api.x.com", ApiUrlError::NotAbsolute),
            ("https://", ApiUrlError::NotAbsolute),
            ("http://api.x.com", ApiUrlError::Plain),
            ("http://localhost.example", ApiUrlError::Plain),
            ("http://localhost.", ApiUrlError::Plain),
            ("ftp://localhost", ApiUrlError::Scheme),
            ("https://me:hush@api.x.com", ApiUrlError::UserInfo),
            ("https://a/?b", ApiUrlError::Query),
            ("https://a/#b", ApiUrlError::Query),
        ] {
            assert_eq!(text.parse::<ApiUrl>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_can_be_called(
            base in prop_oneof!["\\PC*", "https?://(localhost|[a-z]{1,3}|127\\.0\\.0\\.1)[/:@?#a-z0-9%\\[\\]^|{}\"]{0,9}"],
            path in "/\\PC{0,12}",
        ) {
            if let Ok(api) = base.parse::<ApiUrl>() {
                prop_assert!(api.is_https() || api.is_loopback());
                prop_assert_eq!(api.to_string().parse::<ApiUrl>(), Ok(api.clone()));
                let url = api.join(&path, &[("a", path.clone())]);
                prop_assert!(Uri::try_from(url.as_str()).is_ok(), "{url}");
            }
        }
    }
}
