//! Keys, tokens and secrets. What must stay secret is redacted in `Debug`, has no `Display`, no
//! `Serialize` and no `PartialEq`, and is wiped from memory when it is dropped.

use std::{fmt, str::FromStr};

use secrecy::{ExposeSecret, SecretString};

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// # Examples
        ///
        /// ```
        #[doc = concat!("use aaa_types::", stringify!($name), ";")]
        ///
        #[doc = concat!("let secret: ", stringify!($name), " = \"hush\".parse()?;")]
        #[doc = concat!("assert_eq!(format!(\"{secret:?}\"), \"", stringify!($name), "([redacted])\");")]
        /// assert_eq!(secret.expose(), "hush");
        /// // Empty, or copied together with a line end: refused where it is made.
        #[doc = concat!("assert!(\"hush\\n\".parse::<", stringify!($name), ">().is_err());")]
        /// # Ok::<(), aaa_types::secret::SecretError>(())
        /// ```
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Returns the secret itself; whoever calls this must not print or store it.
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl FromStr for $name {
            type Err = SecretError;

            fn from_str(text: &str) -> Result<Self, SecretError> {
                check($what, text)?;
                Ok(Self(SecretString::from(text)))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    };
}

secret! {
    /// An app's consumer secret (API secret key): signs requests, and X signs deliveries with it.
    ConsumerSecret, "consumer secret"
}
secret! {
    /// A user's OAuth 1.0a access token.
    AccessToken, "access token"
}
secret! {
    /// The secret that belongs to an [`AccessToken`].
    AccessTokenSecret, "access token secret"
}
secret! {
    /// A bearer token: app-only, or a user's OAuth 2.0 token. Used verbatim, percent signs included.
    BearerToken, "bearer token"
}

/// An app's consumer key (API key). It names the app and is sent in the clear.
///
/// # Examples
///
/// ```
/// let key: aaa_types::ConsumerKey = "xvz1evFS4wEEPTGEFPHBog".parse()?;
/// assert_eq!(key.as_str(), "xvz1evFS4wEEPTGEFPHBog");
/// # Ok::<(), aaa_types::secret::SecretError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConsumerKey(String);

impl ConsumerKey {
    /// Returns the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ConsumerKey {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        check("consumer key", text)?;
        Ok(Self(text.to_owned()))
    }
}

/// A text cannot be a key, token or secret. The text itself is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Nothing is there. An empty secret would verify what anybody signed.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// White space or another character that no key of X has, often a line end from copying.
    #[error("the {0} contains white space or a character outside printable ASCII: copy it again")]
    Unprintable(&'static str),
}

fn check(what: &'static str, text: &str) -> Result<(), SecretError> {
    if text.is_empty() {
        Err(SecretError::Empty(what))
    } else if text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(SecretError::Unprintable(what))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn empty_and_unprintable_are_refused() {
        assert_eq!("".parse::<ConsumerKey>(), Err(SecretError::Empty("consumer key")));
        for bad in ["a b", "a\n", "\ta", "ä"] {
            assert!(bad.parse::<BearerToken>().is_err(), "{bad:?} was accepted");
        }
    }

    proptest! {
        #[test]
        fn debug_never_shows_a_secret(text in "[!-~]{8,40}") {
            let shown = [
                format!("{:#?}", text.parse::<ConsumerSecret>().unwrap()),
                format!("{:?}", text.parse::<AccessToken>().unwrap()),
                format!("{:?}", text.parse::<AccessTokenSecret>().unwrap()),
                format!("{:?}", text.parse::<BearerToken>().unwrap()),
            ];
            prop_assert!(shown.iter().all(|shown| !shown.contains(&text)));
        }

        #[test]
        fn errors_never_show_the_text(text in "[!-~]{8,40}") {
            let error = format!("{text} ").parse::<ConsumerSecret>().unwrap_err();
            let shown = format!("{error} {error:?}");
            prop_assert!(!shown.contains(&text));
        }
    }
}
