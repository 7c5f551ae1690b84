use serde::de::DeserializeOwned;

use crate::payload::{DirectMessage, Favorite, Post, Relation, ReplayJobStatus};

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
        let decoded = match kind {
            "tweet_create_events" => read(payload).map(Self::Post),
            "favorite_events" => read(payload).map(Self::Favorite),
            "follow_events" | "unfollow_events" => read(payload).map(Self::Follow),
            "block_events" | "unblock_events" => read(payload).map(Self::Block),
            "mute_events" | "unmute_events" => read(payload).map(Self::Mute),
            "direct_message_events" => read(payload).map(Self::DirectMessage),
            "replay_job_status" => read(payload).map(Self::ReplayJobStatus),
            _ => None,
        };
        decoded
            .unwrap_or_else(|| Self::Unknown { kind: kind.to_owned(), payload: payload.to_owned() })
    }
}

fn read<T: DeserializeOwned>(payload: &str) -> Option<T> {
    serde_json::from_str(payload).ok()
}
