use super::{Prefix, ValueError};

/// A variable that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Variable {
    /// `X_CONSUMER_KEY`
    ConsumerKey,
    /// `X_CONSUMER_SECRET`
    ConsumerSecret,
    /// `X_CONSUMER_SECRET_PREVIOUS`
    ConsumerSecretPrevious,
    /// `X_ACCESS_TOKEN`
    AccessToken,
    /// `X_ACCESS_TOKEN_SECRET`
    AccessTokenSecret,
    /// `X_BEARER_TOKEN`
    BearerToken,
    /// `X_API_URL`
    ApiUrl,
}

impl Variable {
    /// Every variable.
    pub const ALL: [Self; 7] = [
        Self::ConsumerKey,
        Self::ConsumerSecret,
        Self::ConsumerSecretPrevious,
        Self::AccessToken,
        Self::AccessTokenSecret,
        Self::BearerToken,
        Self::ApiUrl,
    ];

    /// Returns the whole name.
    pub fn name(self, prefix: &Prefix) -> String {
        let name = match self {
            Self::ConsumerKey => "CONSUMER_KEY",
            Self::ConsumerSecret => "CONSUMER_SECRET",
            Self::ConsumerSecretPrevious => "CONSUMER_SECRET_PREVIOUS",
            Self::AccessToken => "ACCESS_TOKEN",
            Self::AccessTokenSecret => "ACCESS_TOKEN_SECRET",
            Self::BearerToken => "BEARER_TOKEN",
            Self::ApiUrl => "API_URL",
        };
        format!("{prefix}_{name}")
    }

    /// Finds what copying leaves behind, before what it spoils is called malformed.
    pub(super) fn check(self, text: &str) -> Result<(), ValueError> {
        let around = |is: fn(char) -> bool| text.starts_with(is) || text.ends_with(is);
        let scheme = || text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer "));
        if around(|c| c.is_whitespace() || INVISIBLE.contains(&c)) {
            Err(ValueError::Space)
        } else if around(|c| QUOTES.contains(&c)) {
            Err(ValueError::Quoted)
        } else if self == Self::BearerToken && scheme() {
            Err(ValueError::Scheme)
        } else {
            Ok(())
        }
    }
}

/// Quotes as shells, and as word processors, have them. No key, token or URL begins or ends so.
const QUOTES: [char; 9] = ['"', '\'', '`', '“', '”', '„', '‘', '’', '‚'];

/// What looks like nothing and is no white space: zero-width characters and the byte order mark.
const INVISIBLE: [char; 5] = ['\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}'];
