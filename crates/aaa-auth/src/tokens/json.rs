//! The JSON form. The types here are private, so that no secret has a `Serialize` elsewhere.

use std::{collections::BTreeMap, fmt, marker::PhantomData, str::FromStr};

use aaa_types::{AccessToken, AccessTokenSecret, UserId};
use jiff::Timestamp;
use secrecy::zeroize::Zeroizing;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{StoredToken, Tokens, TokensError};
use crate::UserToken;

#[derive(Deserialize)]
struct Read {
    #[serde(deserialize_with = "users")]
    users: BTreeMap<UserId, StoredToken>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

#[derive(Deserialize)]
struct ReadUser {
    access_token: Parsed<AccessToken>,
    access_token_secret: Parsed<AccessTokenSecret>,
    screen_name: Option<String>,
    added_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

#[derive(Serialize)]
struct Written<'a> {
    users: BTreeMap<UserId, WrittenUser<'a>>,
    #[serde(flatten)]
    unknown: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct WrittenUser<'a> {
    access_token: &'a str,
    access_token_secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    screen_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    added_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
    #[serde(flatten)]
    unknown: &'a Map<String, Value>,
}

pub(super) fn read(json: &[u8]) -> Result<Tokens, TokensError> {
    let read: Read = serde_json::from_slice(json).map_err(|error| TokensError::new(&error))?;
    Ok(Tokens { users: read.users, unknown: read.unknown })
}

pub(super) fn write(tokens: &Tokens) -> Zeroizing<String> {
    let users = tokens.iter().map(|(user, stored)| (user, WrittenUser::new(stored)));
    let written = Written { users: users.collect(), unknown: &tokens.unknown };
    // Maps with text for keys can always be written.
    let mut json = serde_json::to_string_pretty(&written).unwrap_or_default();
    json.push('\n');
    Zeroizing::new(json)
}

impl<'a> WrittenUser<'a> {
    fn new(stored: &'a StoredToken) -> Self {
        Self {
            access_token: stored.token.token.expose(),
            access_token_secret: stored.token.secret.expose(),
            screen_name: stored.screen_name.as_deref(),
            added_at: stored.added_at,
            revoked_at: stored.revoked_at,
            unknown: &stored.unknown,
        }
    }
}

impl From<ReadUser> for StoredToken {
    fn from(user: ReadUser) -> Self {
        Self {
            token: UserToken::new(user.access_token.0, user.access_token_secret.0),
            screen_name: user.screen_name,
            added_at: user.added_at,
            revoked_at: user.revoked_at,
            unknown: user.unknown,
        }
    }
}

/// Reads the users. A map would keep the last of two with one id and lose the other's token.
fn users<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<UserId, StoredToken>, D::Error> {
    struct Users;

    impl<'de> Visitor<'de> for Users {
        type Value = BTreeMap<UserId, StoredToken>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("users by their id")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut users = BTreeMap::new();
            while let Some((user, stored)) = map.next_entry::<UserId, ReadUser>()? {
                if users.insert(user, stored.into()).is_some() {
                    return Err(de::Error::custom("a user is there twice"));
                }
            }
            Ok(users)
        }
    }

    deserializer.deserialize_map(Users)
}

/// What is parsed from a text where it stands, without a copy of the text.
struct Parsed<T>(T);

impl<'de, T: FromStr> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<T>(PhantomData<T>);

        impl<T: FromStr> Visitor<'_> for Text<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
                text.parse().map_err(|_| E::custom("the text is malformed"))
            }
        }

        deserializer.deserialize_str(Text(PhantomData)).map(Self)
    }
}
