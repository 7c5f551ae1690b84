//! The JSON form. The types here are private, so that no secret has a `Serialize` elsewhere.

use std::{collections::BTreeMap, fmt, marker::PhantomData, mem, str::FromStr};

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

/// A file of the version before this one had its users below this.
const BELOW: &str = "users";

#[derive(Default)]
struct Read {
    users: Users,
    unknown: Map<String, Value>,
}

/// Users by their id. A map would keep the last of two with one id and lose the other's token.
#[derive(Default)]
struct Users(BTreeMap<UserId, StoredToken>);

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
    #[serde(flatten)]
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
    Ok(Tokens { users: read.users.0, unknown: read.unknown })
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

impl Users {
    fn add<E: de::Error>(&mut self, user: UserId, stored: StoredToken) -> Result<(), E> {
        match self.0.insert(user, stored) {
            Some(_) => Err(E::custom("a user is there twice")),
            None => Ok(()),
        }
    }
}

impl<'de> Deserialize<'de> for Users {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ById;

        impl<'de> Visitor<'de> for ById {
            type Value = Users;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("users by their id")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Users, A::Error> {
                let mut users = Users::default();
                while let Some((user, stored)) = map.next_entry::<UserId, ReadUser>()? {
                    users.add(user, stored.into())?;
                }
                Ok(users)
            }
        }

        deserializer.deserialize_map(ById)
    }
}

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Read;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("users by their id")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read, A::Error> {
                let mut read = Read::default();
                let mut is_old = false;
                while let Some(name) = map.next_key::<String>()? {
                    if let Ok(user) = name.parse() {
                        read.users.add(user, map.next_value::<ReadUser>()?.into())?;
                    } else if name != BELOW {
                        read.unknown.insert(name, map.next_value()?);
                    } else if mem::replace(&mut is_old, true) {
                        return Err(de::Error::custom("there are users twice"));
                    } else {
                        for (user, stored) in map.next_value::<Users>()?.0 {
                            read.users.add(user, stored)?;
                        }
                    }
                }
                Ok(read)
            }
        }

        deserializer.deserialize_map(Members)
    }
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
