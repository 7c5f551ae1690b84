//! The tokens of an app's users, and the form in which they are kept.
//!
//! ```json
//! {
//!   "7": {
//!     "access_token": "7-token",
//!     "access_token_secret": "user-secret",
//!     "screen_name": "seven",
//!     "added_at": "2025-11-22T04:00:00Z"
//!   }
//! }
//! ```
//!
//! Users are keyed by their id. Token and secret are required, the rest is not. Where the user has
//! taken access back since, `revoked_at` says when. Members that are unknown here, of the whole or of
//! a user, are kept as they are, so that a file of a newer version survives being written by this
//! one. A user may be there once.
//!
//! With the feature `files`, `TokenFile` keeps them in a file that nobody else can read, and that
//! several processes may write to.

mod error;
#[cfg(feature = "files")]
mod file;
mod json;

use std::{collections::BTreeMap, fmt};

use aaa_types::UserId;
use jiff::Timestamp;
use secrecy::zeroize::Zeroizing;
use serde_json::{Map, Value};

pub use self::error::TokensError;
#[cfg(feature = "files")]
pub use self::file::{TokenFile, TokenFileError};
use crate::{UserToken, flow::Access};

/// The tokens of many users of one app.
///
/// # Examples
///
/// ```
/// use aaa_auth::{UserToken, tokens::{StoredToken, Tokens}};
///
/// let token = UserToken::new("7-token".parse()?, "user-secret".parse()?);
/// let mut tokens = Tokens::default();
/// tokens.insert("7".parse()?, StoredToken::new(token, "2025-11-22T04:00:00Z".parse()?));
///
/// let read = Tokens::from_json(tokens.to_json().as_bytes())?;
/// assert_eq!(read.get("7".parse()?).unwrap().token.token.expose(), "7-token");
/// assert!(read.get("8".parse()?).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Tokens {
    users: BTreeMap<UserId, StoredToken>,
    unknown: Map<String, Value>,
}

impl Tokens {
    /// Reads the JSON form.
    ///
    /// # Errors
    ///
    /// Fails when it is not of this form, and names line and column, never what stands there.
    pub fn from_json(json: &[u8]) -> Result<Self, TokensError> {
        json::read(json)
    }

    /// Writes the JSON form, every token in the clear: whoever calls this must not print it, and
    /// must not store it where others can read it. The text is wiped when it is dropped.
    pub fn to_json(&self) -> Zeroizing<String> {
        json::write(self)
    }

    /// Returns the token of a user.
    pub fn get(&self, user: UserId) -> Option<&StoredToken> {
        self.users.get(&user)
    }

    /// Adds the token of a user, or puts it in the place of the one that is there, which is
    /// returned.
    pub fn insert(&mut self, user: UserId, mut token: StoredToken) -> Option<StoredToken> {
        // What a newer version knows of the user is not this version's to drop.
        if let Some(old) = self.users.get(&user).filter(|_| token.unknown.is_empty()) {
            token.unknown.clone_from(&old.unknown);
        }
        self.users.insert(user, token)
    }

    /// Notes at the token of a user that they have taken access back at a time; says whether that is
    /// news. A token that was added since is another one, and stays as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_auth::{UserToken, tokens::{StoredToken, Tokens}};
    ///
    /// let (user, token) = ("7".parse()?, UserToken::new("7-token".parse()?, "hush".parse()?));
    /// let mut tokens = Tokens::default();
    /// tokens.insert(user, StoredToken::new(token.clone(), "2025-11-22T04:00:00Z".parse()?));
    /// let at = "2025-11-22T05:00:00Z".parse()?;
    /// assert!(tokens.revoke(user, at) && tokens.get(user).unwrap().is_revoked());
    ///
    /// // He permits it again, and is told about the revocation once more.
    /// tokens.insert(user, StoredToken::new(token, "2025-11-22T06:00:00Z".parse()?));
    /// assert!(!tokens.revoke(user, at) && !tokens.get(user).unwrap().is_revoked());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn revoke(&mut self, user: UserId, at: Timestamp) -> bool {
        let Some(stored) = self.users.get_mut(&user) else { return false };
        let is_older = stored.added_at.is_none_or(|added| added <= at);
        let is_news = is_older && !stored.is_revoked();
        if is_news {
            stored.revoked_at = Some(at);
        }
        is_news
    }

    /// Removes the token of a user, and returns it.
    pub fn remove(&mut self, user: UserId) -> Option<StoredToken> {
        self.users.remove(&user)
    }

    /// Returns all of them, by ascending id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (UserId, &StoredToken)> {
        self.users.iter().map(|(user, token)| (*user, token))
    }

    /// Returns how many users there are.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Says whether there is no user.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
}

/// Who is there, and no token.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("users", &self.users).finish_non_exhaustive()
    }
}

/// The token of one user, and what is known about it.
#[derive(Clone)]
#[non_exhaustive]
pub struct StoredToken {
    /// The token and its secret.
    pub token: UserToken,
    /// The user's name when the token was added, without `@`. Users change it.
    pub screen_name: Option<String>,
    /// When the token was added.
    pub added_at: Option<Timestamp>,
    /// When the user took access back, as far as that was heard of.
    pub revoked_at: Option<Timestamp>,
    unknown: Map<String, Value>,
}

impl StoredToken {
    /// Creates it from a token.
    pub fn new(token: UserToken, added_at: Timestamp) -> Self {
        Self {
            token,
            screen_name: None,
            added_at: Some(added_at),
            revoked_at: None,
            unknown: Map::new(),
        }
    }

    /// Creates it from what the three-legged flow ended with.
    pub fn from_access(access: Access, added_at: Timestamp) -> Self {
        Self { screen_name: access.screen_name, ..Self::new(access.token, added_at) }
    }

    /// Says whether the user has taken access back since the token was added. One that nobody knows
    /// the time of is older than any revocation.
    pub fn is_revoked(&self) -> bool {
        self.revoked_at.is_some_and(|revoked| self.added_at.is_none_or(|added| added <= revoked))
    }
}

impl fmt::Debug for StoredToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredToken")
            .field("token", &self.token)
            .field("screen_name", &self.screen_name)
            .field("added_at", &self.added_at)
            .field("revoked_at", &self.revoked_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
