use std::{convert::Infallible, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What kind an event is of. Its text is X's own name, both ways.
///
/// # Examples
///
/// ```
/// use aaa_types::event::EventKind;
///
/// assert_eq!(EventKind::from("favorite_events"), EventKind::Favorite);
/// assert_eq!(EventKind::PostDelete.as_str(), "tweet_delete_events");
/// assert_eq!(EventKind::from("post.create"), EventKind::Activity("post.create".to_owned()));
/// assert_eq!(EventKind::from("poke_events").to_string(), "poke_events");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// `tweet_create_events`.
    Post,
    /// `tweet_delete_events`.
    PostDelete,
    /// `favorite_events`.
    Favorite,
    /// `follow_events`, which hold the ends of follows too.
    Follow,
    /// `unfollow_events`, which X's guide names but no sample shows.
    Unfollow,
    /// `block_events`, which hold the ends of blocks too.
    Block,
    /// `unblock_events`, which X's guide names but no sample shows.
    Unblock,
    /// `mute_events`, which hold the ends of mutes too.
    Mute,
    /// `unmute_events`, which X's guide names but no sample shows.
    Unmute,
    /// `user_event`: access was taken back.
    Revoke,
    /// `direct_message_events`.
    DirectMessage,
    /// `direct_message_indicate_typing_events`.
    Typing,
    /// `direct_message_mark_read_events`.
    MarkRead,
    /// `replay_job_status`.
    ReplayJobStatus,
    /// The `event_type` of an event of the X Activity API, which has a dot: `post.create`.
    Activity(String),
    /// Any other name, and `unknown`.
    Unknown(String),
}

/// The kinds with a fixed name.
const NAMES: [(&str, EventKind); 14] = [
    ("tweet_create_events", EventKind::Post),
    ("tweet_delete_events", EventKind::PostDelete),
    ("favorite_events", EventKind::Favorite),
    ("follow_events", EventKind::Follow),
    ("unfollow_events", EventKind::Unfollow),
    ("block_events", EventKind::Block),
    ("unblock_events", EventKind::Unblock),
    ("mute_events", EventKind::Mute),
    ("unmute_events", EventKind::Unmute),
    ("user_event", EventKind::Revoke),
    ("direct_message_events", EventKind::DirectMessage),
    ("direct_message_indicate_typing_events", EventKind::Typing),
    ("direct_message_mark_read_events", EventKind::MarkRead),
    ("replay_job_status", EventKind::ReplayJobStatus),
];

impl EventKind {
    /// Returns X's own name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Post => "tweet_create_events",
            Self::PostDelete => "tweet_delete_events",
            Self::Favorite => "favorite_events",
            Self::Follow => "follow_events",
            Self::Unfollow => "unfollow_events",
            Self::Block => "block_events",
            Self::Unblock => "unblock_events",
            Self::Mute => "mute_events",
            Self::Unmute => "unmute_events",
            Self::Revoke => "user_event",
            Self::DirectMessage => "direct_message_events",
            Self::Typing => "direct_message_indicate_typing_events",
            Self::MarkRead => "direct_message_mark_read_events",
            Self::ReplayJobStatus => "replay_job_status",
            Self::Activity(name) | Self::Unknown(name) => name,
        }
    }
}

impl From<&str> for EventKind {
    fn from(name: &str) -> Self {
        if let Some((_, kind)) = NAMES.iter().find(|(known, _)| *known == name) {
            return kind.clone();
        }
        // An array of events never is one of the X Activity API, whatever its name.
        if name.contains('.') && !name.ends_with("_events") {
            Self::Activity(name.to_owned())
        } else {
            Self::Unknown(name.to_owned())
        }
    }
}

impl FromStr for EventKind {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(name.into())
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for EventKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for EventKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(String::deserialize(deserializer)?.as_str().into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_fixed_name_is_its_own_kind() {
        for (name, kind) in &NAMES {
            assert_eq!(kind.as_str(), *name);
            assert!(!matches!(kind, EventKind::Activity(_) | EventKind::Unknown(_)), "{name}");
        }
    }

    #[test]
    fn json() {
        let kinds = ["mute_events", "dm.received", "a.b_events", "unknown", ""];
        let kinds = kinds.map(EventKind::from);
        assert!(matches!(kinds[2], EventKind::Unknown(_)));
        insta::assert_compact_json_snapshot!(kinds, @r#"["mute_events", "dm.received", "a.b_events", "unknown", ""]"#);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(name in ".*") {
            let kind = EventKind::from(name.as_str());
            prop_assert_eq!(kind.to_string(), name.as_str());
            let json = serde_json::to_string(&kind).unwrap();
            prop_assert_eq!(serde_json::from_str::<EventKind>(&json).unwrap(), kind);
        }
    }
}
