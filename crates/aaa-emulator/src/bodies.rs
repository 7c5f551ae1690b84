//! Bodies of deliveries by themselves, for whoever sends them to a receiver of their own.

use aaa_types::UserId;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{
    control::TriggeredEvent,
    payload::{self, Around, Fresh, Item},
    settings::BlockedFlag,
    world::{
        TriggerError,
        events::{check_context, identity},
        random::{Ids, Random},
    },
};

/// The kind that tells how a replay job ended; in a world it comes with a job, and not by itself.
pub const JOB_STATUS: &str = payload::JOB_STATUS;

/// The kinds that X documents, all of which are generated.
pub const KINDS: [&str; 14] = [
    "tweet_create_events",
    "tweet_delete_events",
    "favorite_events",
    "follow_events",
    "unfollow_events",
    "block_events",
    "unblock_events",
    "mute_events",
    "unmute_events",
    "direct_message_events",
    "direct_message_indicate_typing_events",
    "direct_message_mark_read_events",
    "user_event",
    JOB_STATUS,
];

/// Event types of the X Activity API, which reach the same webhook: those of which X prints a
/// sample, and a few that are like them. Any other words with dots between them are taken too.
pub const ACTIVITY_KINDS: [&str; 32] = [
    "post.create",
    "post.delete",
    "post.mention.create",
    "post.reply.create",
    "post.quote.create",
    "post.repost.create",
    "like.create",
    "follow.follow",
    "follow.unfollow",
    "profile.update.bio",
    "profile.update.profile_picture",
    "profile.update.banner_picture",
    "profile.update.screenname",
    "profile.update.geo",
    "profile.update.url",
    "chat.sent",
    "chat.received",
    "dm.sent",
    "dm.received",
    "dm.read",
    "dm.indicate_typing",
    "mute.mute",
    "mute.unmute",
    "block.block",
    "block.unblock",
    "spaces.start",
    "spaces.end",
    "broadcast.start",
    "broadcast.end",
    "broadcast.chat",
    "news.new",
    "oauth.revoke",
];

/// Says whether something is generated for a kind: it is one of [`KINDS`], words with dots between
/// them such as the [`ACTIVITY_KINDS`], or [`FILTERED_STREAM`].
///
/// # Examples
///
/// ```
/// use aaa_emulator::bodies::is_generated;
///
/// assert!(is_generated("follow_events") && is_generated("post.create"));
/// assert!(!is_generated("brand_new_events") && !is_generated("posts"));
/// ```
pub fn is_generated(kind: &str) -> bool {
    payload::is_generated(kind)
}

/// A post of a filtered stream, which X sends without a name.
pub const FILTERED_STREAM: &str = payload::STREAMED;

/// Makes bodies one after another, each with an identity of its own. Two that have different seeds
/// make different events, also at the same time.
///
/// # Examples
///
/// ```
/// use aaa_emulator::bodies::Bodies;
///
/// let mut bodies = Bodies::new(7);
/// let now = "2025-11-22T04:13:00Z".parse()?;
/// let like = bodies.make("favorite_events", "7".parse()?, None, now)?;
/// assert!(like.body.starts_with(br#"{"for_user_id":"7","favorite_events":[{"#));
/// assert!(like.event.key.starts_with("7/favorite_events:"));
///
/// let hello = serde_json::json!({"text": "hello"});
/// let post = bodies.make("tweet_create_events", "7".parse()?, Some(&hello), now)?;
/// assert!(String::from_utf8(post.body.to_vec())?.contains(r#""text":"hello""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Bodies {
    random: Random,
    ids: Ids,
    stranger: u64,
    made: u64,
    /// The seconds, from first to last, that revocations were made in.
    revoked: Option<(i64, i64)>,
}

/// A body, and which event it brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The event; its id is a number that only this maker gave it.
    pub event: TriggeredEvent,
    /// The body, byte for byte as it is to be signed and sent.
    pub body: Bytes,
}

impl Bodies {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        // What has no id is told apart by its time and by whom it concerns; so the other side is
        // somebody else for each seed.
        let stranger = payload::STRANGER + (random.next() >> 16);
        Self { random, ids: Ids::new(), stranger, made: 0, revoked: None }
    }

    /// Makes the body that tells a user of something they did. `payload` is merged deeply into the
    /// item; of a kind that is unknown here, whose name ends in `_events`, it is the item. Without
    /// a payload posts and direct messages come in several varieties, in turn.
    ///
    /// # Errors
    ///
    /// Refuses what is no kind, and for the [kinds](KINDS) that are known a payload that is no
    /// object.
    pub fn make(
        &mut self,
        kind: &str,
        user: UserId,
        payload: Option<&Value>,
        now: Timestamp,
    ) -> Result<Made, TriggerError> {
        self.make_with(kind, user, (payload, None), now)
    }

    /// The same; the second of what is given is merged deeply into the other top-level members of
    /// the body, and `null` leaves one out.
    ///
    /// # Errors
    ///
    /// As [`Bodies::make`]; also members that would make another event of it.
    pub fn make_with(
        &mut self,
        kind: &str,
        user: UserId,
        (payload, context): (Option<&Value>, Option<&Map<String, Value>>),
        now: Timestamp,
    ) -> Result<Made, TriggerError> {
        if !payload::is_kind(kind) && kind != JOB_STATUS {
            return Err(TriggerError::Kind(kind.chars().take(100).collect()));
        }
        if payload::is_generated(kind) && payload.is_some_and(|payload| !payload.is_object()) {
            return Err(TriggerError::Payload(kind.to_owned()));
        }
        check_context(kind, context)?;
        let fresh = self.fresh(kind, payload.is_none(), now);
        let mut item = Item::new(kind, user, payload, &fresh);
        item.set_apart(payload, |sort| self.ids.next_millis(sort, now));
        let body = item.body(user, Around { context, ..BlockedFlag::Bool.into() });
        let (kind, key) = identity(&body);
        let for_user_id = item.names_user().then_some(user);
        let id = self.ids.next(&mut self.random, now).to_string();
        Ok(Made { event: TriggeredEvent { id, key, kind, for_user_id }, body })
    }

    fn fresh(&mut self, kind: &str, varied: bool, now: Timestamp) -> Fresh {
        let variety = if varied { self.made } else { 0 };
        self.made += u64::from(varied);
        let (random, ids) = (&mut self.random, &mut self.ids);
        let (older_id, id) = (ids.next(random, now), ids.next(random, now));
        let hex = random.hex();
        let revoked_at = if kind == "user_event" { self.next_second(now) } else { now };
        Fresh { now, id, older_id, hex, variety, stranger: self.stranger, revoked_at }
    }

    /// A second that no other revocation has: now, or before the others.
    fn next_second(&mut self, now: Timestamp) -> Timestamp {
        let now = now.as_second();
        let (second, taken) = match self.revoked {
            Some((first, last)) if now <= last => (first - 1, (first - 1, last)),
            Some((first, _)) => (now, (first, now)),
            None => (now, (now, now)),
        };
        self.revoked = Some(taken);
        Timestamp::from_second(second).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use aaa_types::event::{Body, Event};

    use super::*;

    fn now() -> Timestamp {
        "2025-11-22T04:13:20.123Z".parse().unwrap()
    }

    fn user() -> UserId {
        "7".parse().unwrap()
    }

    #[test]
    fn every_kind_is_made_and_each_event_is_another() {
        // Two runs that begin at the same moment.
        let mut makers = [Bodies::new(1), Bodies::new(2)];
        let mut keys = HashSet::new();
        for kind in KINDS {
            for (second, bodies) in [false, true].into_iter().zip(&mut makers) {
                for n in 0..50 {
                    let later = now() + jiff::SignedDuration::from_millis(n * 40);
                    let made = bodies.make(kind, user(), None, later).unwrap();
                    let body = Body::parse(&made.body).unwrap();
                    let [event] = body.events().try_into().unwrap();
                    assert_eq!(event.identity().to_string(), made.event.key);
                    assert_eq!(made.event.kind, kind);
                    assert!(!matches!(event.decode(), Event::Unknown { .. }), "{kind}");
                    let named = !["user_event", JOB_STATUS].contains(&kind);
                    assert_eq!(made.event.for_user_id, named.then(user));
                    let is_new = keys.insert(made.event.key);
                    // Of a revocation only user and second are told, so two runs at the same
                    // moment tell of the same.
                    assert!(is_new || (kind == "user_event" && second), "{kind}");
                }
            }
        }
    }

    #[test]
    fn a_payload_is_merged() {
        let mut bodies = Bodies::new(0);
        let failed = serde_json::json!({"job_state": "Incomplete"});
        let made = bodies.make(JOB_STATUS, user(), Some(&failed), now()).unwrap();
        let body: Value = serde_json::from_slice(&made.body).unwrap();
        assert_eq!(body[JOB_STATUS]["job_state"], "Incomplete");
        assert_eq!(
            made.event.key,
            format!(
                "/replay_job_status:{}:Incomplete",
                body[JOB_STATUS]["job_id"].as_str().unwrap()
            )
        );
        let item = serde_json::json!([1]);
        let made = bodies.make("brand_new_events", user(), Some(&item), now()).unwrap();
        assert_eq!(made.body, br#"{"for_user_id":"7","brand_new_events":[[1]]}"#.as_slice());
        for (kind, payload) in [("tweet", None), (JOB_STATUS, Some(&item)), ("_events", None)] {
            assert!(bodies.make(kind, user(), payload, now()).is_err(), "{kind}");
        }
    }
}
