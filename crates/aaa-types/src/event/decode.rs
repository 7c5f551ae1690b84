use serde::de::DeserializeOwned;

use super::EventKind;
use crate::payload::{
    Activity, DirectMessage, Favorite, MarkRead, Post, PostDelete, Relation, ReplayJobStatus,
    Typing, UserEvent,
};

/// The typed content of one event.
///
/// What is not modelled, or does not fit its model, is kept as it came in [`Event::Unknown`]:
/// decoding loses nothing and never fails.
///
/// # Examples
///
/// ```
/// use aaa_types::event::Event;
///
/// let event = Event::decode("brand_new_events", r#"{"a":1}"#);
/// assert!(matches!(event, Event::Unknown { kind, payload }
///     if kind == "brand_new_events" && payload == r#"{"a":1}"#));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A post, reply, repost, quote or mention (`tweet_create_events`).
    Post(Box<Post>),
    /// The end of a post (`tweet_delete_events`).
    PostDelete(Box<PostDelete>),
    /// A like (`favorite_events`).
    Favorite(Box<Favorite>),
    /// A follow or unfollow (`follow_events`, `unfollow_events`).
    Follow(Box<Relation>),
    /// A block or unblock (`block_events`, `unblock_events`).
    Block(Box<Relation>),
    /// A mute or unmute (`mute_events`, `unmute_events`).
    Mute(Box<Relation>),
    /// A direct message, sent or received (`direct_message_events`).
    DirectMessage(Box<DirectMessage>),
    /// Somebody is writing a direct message (`direct_message_indicate_typing_events`).
    Typing(Box<Typing>),
    /// Somebody has read direct messages (`direct_message_mark_read_events`).
    MarkRead(Box<MarkRead>),
    /// A user took back the app's access (`user_event`).
    Revoke(Box<UserEvent>),
    /// An event of the X Activity API.
    Activity(Box<Activity>),
    /// The end of a replay job (`replay_job_status`).
    ReplayJobStatus(ReplayJobStatus),
    /// Anything else, as it came.
    Unknown {
        /// X's name of the kind.
        kind: String,
        /// The item, or the whole body; JSON.
        payload: String,
    },
}

impl Event {
    /// Builds the event of a kind from its item.
    pub fn decode(kind: &str, payload: &str) -> Self {
        let decoded = match EventKind::from(kind) {
            EventKind::Post => read(payload).map(Self::Post),
            EventKind::PostDelete => read(payload).map(Self::PostDelete),
            EventKind::Favorite => read(payload).map(Self::Favorite),
            EventKind::Follow | EventKind::Unfollow => read(payload).map(Self::Follow),
            EventKind::Block | EventKind::Unblock => read(payload).map(Self::Block),
            EventKind::Mute | EventKind::Unmute => read(payload).map(Self::Mute),
            EventKind::DirectMessage => read(payload).map(Self::DirectMessage),
            EventKind::Typing => read(payload).map(Self::Typing),
            EventKind::MarkRead => read(payload).map(Self::MarkRead),
            EventKind::Revoke => read(payload).map(Self::Revoke),
            EventKind::ReplayJobStatus => read(payload).map(Self::ReplayJobStatus),
            EventKind::Activity(_) => read(payload).map(Self::Activity),
            EventKind::Unknown(_) => None,
        };
        decoded
            .unwrap_or_else(|| Self::Unknown { kind: kind.to_owned(), payload: payload.to_owned() })
    }
}

fn read<T: DeserializeOwned>(payload: &str) -> Option<T> {
    serde_json::from_str(payload).ok()
}
