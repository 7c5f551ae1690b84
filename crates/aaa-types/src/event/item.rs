//! What identifies an item of each kind, and which time it carries.
//!
//! Only the members in question are read; the rest of an item is skipped, however deep.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::ItemIdentity;
use crate::time::{parse_created_at, parse_epoch_millis, snowflake_time};

/// Identity and time of one item.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) identity: ItemIdentity,
    pub(super) occurred_at: Option<Timestamp>,
}

/// Reads an item of a kind; what lacks a usable identity is identified by its bytes. There are no
/// `fields` when the item is no object, or has one of these members twice.
pub(super) fn read(kind: &str, text: &str, fields: Option<&Fields<'_>>) -> Item {
    let identity = fields.and_then(|fields| match kind {
        "tweet_create_events" => fields.post(),
        "tweet_delete_events" => fields.post_delete(),
        "favorite_events" => fields.favorite(),
        "follow_events" | "unfollow_events" | "block_events" | "unblock_events" | "mute_events"
        | "unmute_events" => fields.relation(),
        "direct_message_events" => fields.direct_message(),
        "direct_message_indicate_typing_events" => fields.typing(),
        "direct_message_mark_read_events" => fields.mark_read(),
        "user_event" => fields.revoke(),
        "replay_job_status" => fields.replay_job_status(),
        _ => None,
    });
    identity.unwrap_or_else(|| opaque(text))
}

/// Identifies an item by its bytes.
pub(super) fn opaque(raw: &str) -> Item {
    Item { identity: ItemIdentity::from_bytes(raw.as_bytes()), occurred_at: None }
}

type Raw<'a> = Option<&'a RawValue>;

/// Every member that identifies or dates an item of any kind; each is read only when needed.
#[derive(Deserialize)]
pub(super) struct Fields<'a> {
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    id_str: Raw<'a>,
    #[serde(borrow)]
    created_at: Raw<'a>,
    #[serde(borrow)]
    timestamp_ms: Raw<'a>,
    #[serde(borrow)]
    created_timestamp: Raw<'a>,
    #[serde(borrow)]
    status: Raw<'a>,
    #[serde(borrow)]
    user: Raw<'a>,
    #[serde(borrow)]
    favorited_status: Raw<'a>,
    #[serde(borrow, rename = "type")]
    kind: Raw<'a>,
    #[serde(borrow)]
    source: Raw<'a>,
    #[serde(borrow)]
    target: Raw<'a>,
    #[serde(borrow)]
    sender_id: Raw<'a>,
    #[serde(borrow)]
    last_read_event_id: Raw<'a>,
    #[serde(borrow)]
    revoke: Raw<'a>,
    #[serde(borrow)]
    job_id: Raw<'a>,
    #[serde(borrow)]
    job_state: Raw<'a>,
}

/// The members that name a nested thing.
#[derive(Deserialize)]
struct Nested<'a> {
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    id_str: Raw<'a>,
    #[serde(borrow)]
    recipient_id: Raw<'a>,
    #[serde(borrow)]
    user_id: Raw<'a>,
    #[serde(borrow)]
    app_id: Raw<'a>,
    #[serde(borrow)]
    date_time: Raw<'a>,
    #[serde(borrow)]
    source: Raw<'a>,
    #[serde(borrow)]
    target: Raw<'a>,
}

/// The members of an X Activity API envelope that matter here.
#[derive(Deserialize)]
pub(super) struct Activity<'a> {
    #[serde(borrow)]
    event_type: Raw<'a>,
    #[serde(borrow)]
    event_uuid: Raw<'a>,
}

impl Activity<'_> {
    /// Returns the type, which must be a text.
    pub(super) fn event_type(&self) -> Option<String> {
        self.event_type.and_then(string).map(Cow::into_owned)
    }

    /// Returns the identity, if there is a usable one.
    pub(super) fn identity(&self) -> Option<ItemIdentity> {
        text(self.event_uuid).map(named)
    }
}

impl Fields<'_> {
    /// The numeric `id` of a post may have lost precision, so only `id_str` counts. Its time is
    /// the one inside the id: the identity alone decides it.
    fn post(&self) -> Option<Item> {
        let id = text(self.id_str)?;
        let time = id.parse().ok().and_then(snowflake_time).or_else(|| self.millis());
        Some(Item { identity: named(id), occurred_at: time })
    }

    /// The id is that of the post, which may be years older than its deletion.
    fn post_delete(&self) -> Option<Item> {
        let id = text(nested(self.status)?.id)?;
        Some(Item { identity: named(id), occurred_at: self.millis() })
    }

    fn favorite(&self) -> Option<Item> {
        let identity = match text(self.id) {
            Some(id) => named(id),
            None => {
                let user = id_of(self.user)?;
                let post = text(nested(self.favorited_status)?.id_str)?;
                ItemIdentity::from_parts([&user, &post])
            }
        };
        let created_at = || parse_created_at(&text(self.created_at)?);
        Some(Item { identity, occurred_at: self.millis().or_else(created_at) })
    }

    fn relation(&self) -> Option<Item> {
        let kind = text(self.kind)?;
        let (source, target) = (id_of(self.source)?, id_of(self.target)?);
        let time = text(self.created_timestamp)?;
        Some(Item {
            identity: ItemIdentity::from_parts([&kind, &source, &target, &time]),
            occurred_at: parse_epoch_millis(&time),
        })
    }

    fn direct_message(&self) -> Option<Item> {
        let id = text(self.id)?;
        let own = || parse_epoch_millis(&text(self.created_timestamp)?);
        let time = id.parse().ok().and_then(snowflake_time).or_else(own);
        Some(Item { identity: named(id), occurred_at: time })
    }

    fn typing(&self) -> Option<Item> {
        let time = text(self.created_timestamp)?;
        let sender = text(self.sender_id)?;
        let recipient = text(nested(self.target)?.recipient_id)?;
        Some(Item {
            identity: ItemIdentity::from_parts([&time, &sender, &recipient]),
            occurred_at: parse_epoch_millis(&time),
        })
    }

    fn mark_read(&self) -> Option<Item> {
        let time = text(self.created_timestamp)?;
        let sender = text(self.sender_id)?;
        let recipient = text(nested(self.target)?.recipient_id)?;
        let last = text(self.last_read_event_id)?;
        Some(Item {
            identity: ItemIdentity::from_parts([&time, &sender, &recipient, &last]),
            occurred_at: parse_epoch_millis(&time),
        })
    }

    fn revoke(&self) -> Option<Item> {
        let revoke = nested(self.revoke)?;
        let time = text(revoke.date_time)?;
        let app = text(nested(revoke.target)?.app_id)?;
        let user = text(nested(revoke.source)?.user_id)?;
        Some(Item {
            identity: ItemIdentity::from_parts([&time, &app, &user]),
            occurred_at: parse_created_at(&time),
        })
    }

    fn replay_job_status(&self) -> Option<Item> {
        let job = text(self.job_id)?;
        let state = text(self.job_state)?;
        let identity = ItemIdentity::from_parts([&job, &state]);
        // The id of a job is a snowflake, but of its creation; the status has no time of its own.
        Some(Item { identity, occurred_at: None })
    }

    fn millis(&self) -> Option<Timestamp> {
        parse_epoch_millis(&text(self.timestamp_ms)?)
    }
}

/// A usable part of an identity: a text or an integer in its decimal digits, not empty.
pub(super) fn text(value: Raw<'_>) -> Option<Cow<'_, str>> {
    let value = value?;
    let raw = value.get();
    let integer = raw.strip_prefix('-').unwrap_or(raw);
    if !integer.is_empty() && integer.bytes().all(|b| b.is_ascii_digit()) {
        return Some(raw.into());
    }
    string(value).filter(|text| !text.is_empty())
}

fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    serde_json::from_str::<Text<'_>>(value.get()).ok().map(|text| text.0)
}

fn named(id: Cow<'_, str>) -> ItemIdentity {
    ItemIdentity::Named(id.into_owned())
}

fn nested<'a>(value: Raw<'a>) -> Option<Nested<'a>> {
    object(value?)
}

/// Returns the id of a user. A number may have lost precision where a text is there as well.
fn id_of<'a>(user: Raw<'a>) -> Option<Cow<'a, str>> {
    let user = nested(user)?;
    text(user.id_str).or_else(|| text(user.id))
}

/// Reads an object. An array is refused first, since serde would fill a struct from one by
/// position.
pub(super) fn object<'a, T: Deserialize<'a>>(value: &'a RawValue) -> Option<T> {
    let raw = value.get();
    if raw.starts_with('{') { serde_json::from_str(raw).ok() } else { None }
}
