use std::{borrow::Cow, fmt};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::EventKey;

/// What makes two events the same: the subscribed user, the kind and the identity of the item.
///
/// The same post delivered for two users is two events. Its text form is
/// `for_user_id/kind:identity`; the part before the slash is empty when there is no user.
///
/// # Examples
///
/// ```
/// use aaa_types::event::{EventIdentity, ItemIdentity};
///
/// let id = ItemIdentity::from_parts(["follow", "7", "8", "1527169700000"]);
/// let event = EventIdentity::new(Some("8"), "follow_events", id);
/// assert_eq!(event.to_string(), "8/follow_events:follow:7:8:1527169700000");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventIdentity {
    for_user_id: String,
    kind: String,
    item: ItemIdentity,
}

impl EventIdentity {
    /// Creates an identity.
    pub fn new(for_user_id: Option<&str>, kind: &str, item: ItemIdentity) -> Self {
        Self {
            for_user_id: for_user_id.unwrap_or_default().to_owned(),
            kind: kind.to_owned(),
            item,
        }
    }

    /// Returns the user whose subscription brought the event.
    pub fn for_user_id(&self) -> Option<&str> {
        Some(self.for_user_id.as_str()).filter(|id| !id.is_empty())
    }

    /// Returns X's name of the kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns the identity of the item.
    pub fn item(&self) -> &ItemIdentity {
        &self.item
    }

    /// Returns the key under which a store knows the event.
    ///
    /// `app` names the app whose secret verified the delivery, since nothing in a body does;
    /// `occurred_at` is the event's own time.
    pub fn key(&self, app: &str, occurred_at: Option<Timestamp>) -> EventKey {
        EventKey::new(app, &self.for_user_id, &self.kind, &self.item, occurred_at)
    }
}

impl fmt::Display for EventIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.for_user_id, self.kind, self.item)
    }
}

/// What identifies an item within its kind.
///
/// Its text form joins the parts with `:`, or is `sha256:` and 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ItemIdentity {
    /// X's identifier, or the parts from which one is derived, joined with `:`.
    Named(String),
    /// The SHA-256 of the raw bytes of an item that has nothing better.
    Hash([u8; 32]),
}

impl ItemIdentity {
    /// Joins parts in their order.
    pub fn from_parts<const N: usize>(parts: [&str; N]) -> Self {
        Self::Named(parts.join(":"))
    }

    /// Hashes the raw bytes of an item.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self::Hash(Sha256::digest(bytes).into())
    }

    /// Returns the text form.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Named(text) => text.into(),
            Self::Hash(_) => self.to_string().into(),
        }
    }
}

impl fmt::Display for ItemIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(text) => f.write_str(text),
            Self::Hash(hash) => {
                f.write_str("sha256:")?;
                hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_parts_are_what_it_was_made_of() {
        let item = || ItemIdentity::from_parts(["20"]);
        let of_user = EventIdentity::new(Some("7"), "tweet_create_events", item());
        assert_eq!((of_user.for_user_id(), of_user.kind()), (Some("7"), "tweet_create_events"));
        assert_eq!(of_user.item(), &item());
        // Nobody is none, however that is said.
        for nobody in [None, Some("")] {
            let of_nobody = EventIdentity::new(nobody, "unknown", item());
            assert_eq!(
                (of_nobody.for_user_id(), of_nobody.to_string().as_str()),
                (None, "/unknown:20")
            );
        }
    }
}
