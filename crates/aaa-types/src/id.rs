//! Identifiers. X writes them as decimal strings of 1 to 19 digits, since they do not fit a
//! JSON number in most languages; so do we.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Number;

/// The largest number of 19 digits.
const MAX: u64 = 9_999_999_999_999_999_999;

macro_rules! decimal_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// In text and JSON it is a decimal string of 1 to 19 digits without leading zeros.
        ///
        /// # Examples
        ///
        /// ```
        #[doc = concat!("use aaa_types::", stringify!($name), ";")]
        ///
        #[doc = concat!("let id: ", stringify!($name), " = \"1234577122340233217\".parse()?;")]
        /// assert_eq!(id.as_u64(), 1234577122340233217);
        #[doc = concat!("assert!(\"12a\".parse::<", stringify!($name), ">().is_err());")]
        /// # Ok::<(), aaa_types::id::IdError>(())
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Returns the identifier as a number.
            pub const fn as_u64(self) -> u64 {
                self.0
            }
        }

        impl TryFrom<u64> for $name {
            type Error = IdError;

            fn try_from(number: u64) -> Result<Self, IdError> {
                if number <= MAX {
                    Ok(Self(number))
                } else {
                    Err(IdError::new($what, &number.to_string()))
                }
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_decimal(text).map(Self).ok_or_else(|| IdError::new($what, text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

decimal_id! {
    /// The identifier of a registered webhook.
    WebhookId, "webhook id"
}
decimal_id! {
    /// The identifier of an X user.
    UserId, "user id"
}
decimal_id! {
    /// The identifier of an X app.
    AppId, "app id"
}
decimal_id! {
    /// The identifier of a replay job.
    JobId, "replay job id"
}
decimal_id! {
    /// The identifier of something that was uploaded to X.
    MediaId, "media id"
}

/// A text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}: expected 1 to 19 decimal digits without leading zeros")]
pub struct IdError {
    what: &'static str,
    text: String,
}

impl IdError {
    fn new(what: &'static str, text: &str) -> Self {
        Self { what, text: text.chars().take(40).collect() }
    }
}

/// Reads an identifier that X may write as a number: every integer of 19 digits is read exactly.
/// Where nothing hangs on it, an identifier must be a text.
pub(crate) fn text_or_integer<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = IdError> + TryFrom<u64, Error = IdError>,
{
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "an identifier as text or as an integer")]
    enum Written {
        Text(String),
        Integer(u64),
    }
    let id = match Written::deserialize(deserializer)? {
        Written::Text(text) => text.parse(),
        Written::Integer(number) => number.try_into(),
    };
    id.map_err(de::Error::custom)
}

/// Reads a text that X may write as a number, which is kept as it is written.
pub(crate) fn text_or_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text or a number")]
    enum Written {
        Text(String),
        Number(Number),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::Text(text) => text,
        Written::Number(number) => number.to_string(),
    })
}

/// Reads the same where it may be absent or null.
pub(crate) fn maybe_text_or_number<'de, D>(deserializer: D) -> Result<Option<String>, D::Error>
where
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    struct Written(#[serde(deserialize_with = "text_or_number")] String);
    Ok(Option::<Written>::deserialize(deserializer)?.map(|Written(text)| text))
}

fn parse_decimal(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    if text.is_empty() || text.len() > 19 || !digits || leading_zero {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edges() {
        for good in ["0", "1", "9999999999999999999"] {
            assert_eq!(good.parse::<UserId>().unwrap().to_string(), good);
        }
        for bad in ["", "01", "00", "-1", "+1", " 1", "1 ", "1.0", "٣", "10000000000000000000"] {
            assert!(bad.parse::<UserId>().is_err(), "{bad:?} was accepted");
        }
        assert!(UserId::try_from(MAX + 1).is_err());
    }

    #[test]
    fn json_is_a_string_only() {
        insta::assert_snapshot!(
            serde_json::to_string(&WebhookId(1234577122340233217)).unwrap(),
            @r#""1234577122340233217""#
        );
        assert!(serde_json::from_str::<WebhookId>("12").is_err());
    }

    proptest! {
        #[test]
        fn text_round_trip(number in 0..=MAX) {
            let id = JobId::try_from(number).unwrap();
            prop_assert_eq!(id.to_string().parse::<JobId>().unwrap(), id);
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".*") {
            if let Ok(id) = text.parse::<AppId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
