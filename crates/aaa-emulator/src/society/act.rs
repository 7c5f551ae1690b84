//! One thing that a user does, and how it is told.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::payload;

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum What {
    Post,
    Mention,
    Reply,
    Repost,
    Quote,
    Like,
    Delete,
    Write,
    Type,
    Read,
    Follow,
    Unfollow,
    Block,
    Unblock,
    Mute,
    Unmute,
}

/// An act, and what there is to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Act {
    pub(crate) what: What,
    /// Who acts.
    pub(crate) actor: u64,
    /// To whom; nobody in particular for some acts.
    pub(crate) other: u64,
    /// The id of the post or message, if it is about one.
    pub(crate) id: u64,
    /// What it says.
    pub(crate) text: String,
    /// The post or message that is answered, liked or read.
    pub(crate) seen: Option<Seen>,
}

/// Something that was there before.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) id: u64,
    pub(crate) text: String,
    pub(crate) at: Timestamp,
}

impl Act {
    pub(super) fn new(what: What, actor: u64, other: u64) -> Self {
        Self { what, actor, other, id: 0, text: String::new(), seen: None }
    }

    pub(super) fn saying(mut self, id: u64, text: String) -> Self {
        self.id = id;
        self.text = text;
        self
    }

    pub(super) fn about(mut self, seen: Seen) -> Self {
        self.seen = Some(seen);
        self
    }

    /// Returns X's name of its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self.what {
            What::Post | What::Mention | What::Reply | What::Repost | What::Quote => {
                "tweet_create_events"
            }
            What::Like => "favorite_events",
            What::Delete => "tweet_delete_events",
            What::Write => "direct_message_events",
            What::Type => "direct_message_indicate_typing_events",
            What::Read => "direct_message_mark_read_events",
            What::Follow | What::Unfollow => "follow_events",
            What::Block | What::Unblock => "block_events",
            What::Mute | What::Unmute => "mute_events",
        }
    }

    /// Writes what differs from an item that is generated.
    pub(crate) fn payload(&self) -> Value {
        let Self { other, id, text, .. } = self;
        let to = json!({"target": {"recipient_id": other.to_string()}});
        let mention = || json!({"entities": {"user_mentions": [payload::mention(*other)]}});
        let seen = self.seen.as_ref();
        let seen_id = seen.map(|seen| seen.id).unwrap_or_default();
        let post = || {
            let seen = seen.map(|seen| payload::post(*other, seen.id, &seen.text, seen.at));
            seen.unwrap_or_default()
        };
        let mut value = match self.what {
            What::Post | What::Mention | What::Reply | What::Repost | What::Quote => {
                json!({"id": payload::lossy(*id), "id_str": id.to_string(), "text": text})
            }
            What::Like => json!({"favorited_status": post()}),
            What::Delete => json!({"status": {"id": id.to_string()}}),
            What::Write => json!({"id": id.to_string(), "message_create": to}),
            What::Type | What::Read => to,
            _ => json!({
                "type": self.word(),
                "target": {
                    "id": other.to_string(),
                    "screen_name": format!("user{other}"),
                    "name": format!("User {other}"),
                },
            }),
        };
        let more = match self.what {
            What::Mention => mention(),
            What::Reply => json!({
                "in_reply_to_status_id": payload::lossy(seen_id),
                "in_reply_to_status_id_str": seen_id.to_string(),
                "in_reply_to_user_id": other,
                "in_reply_to_user_id_str": other.to_string(),
                "in_reply_to_screen_name": format!("user{other}"),
                "entities": {"user_mentions": [payload::mention(*other)]},
            }),
            What::Repost => json!({
                "retweeted_status": post(),
                "entities": {"user_mentions": [payload::mention(*other)]},
            }),
            What::Quote => json!({
                "is_quote_status": true,
                "quoted_status_id": payload::lossy(seen_id),
                "quoted_status_id_str": seen_id.to_string(),
                "quoted_status": post(),
            }),
            What::Write => json!({"message_create": {"message_data": {"text": text}}}),
            What::Read => json!({"last_read_event_id": seen_id.to_string()}),
            _ => json!({}),
        };
        payload::merge(&mut value, &more);
        value
    }

    /// Returns what it has in common with others that only their time tells it from.
    pub(crate) fn sort(&self) -> Option<String> {
        let what = match self.what {
            What::Type => "typing",
            What::Read => "read",
            What::Follow
            | What::Unfollow
            | What::Block
            | What::Unblock
            | What::Mute
            | What::Unmute => self.word(),
            _ => return None,
        };
        Some(payload::sort(what, &self.actor.to_string(), &self.other.to_string()))
    }

    /// Says whether somebody blocks another, or does so no longer.
    pub(crate) fn blocks(&self) -> Option<bool> {
        match self.what {
            What::Block => Some(true),
            What::Unblock => Some(false),
            _ => None,
        }
    }

    pub(super) fn word(&self) -> &'static str {
        match self.what {
            What::Unfollow => "unfollow",
            What::Block => "block",
            What::Unblock => "unblock",
            What::Mute => "mute",
            What::Unmute => "unmute",
            _ => "follow",
        }
    }
}
