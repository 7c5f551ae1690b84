//! Bodies of deliveries, as X writes them: generated items of each kind, the caller's own members
//! merged in, slashes escaped, text beyond ASCII.
//!
//! What clients get wrong is on purpose: numeric ids that have gone through a double, users in
//! four shapes, `timestamp_ms` as number and as string, long posts cut off, maps that are absent.

mod activity;
mod agree;
mod body;
mod direct_message;
mod post;
mod relation;
mod user;

use aaa_types::UserId;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) use self::{body::Around, post::lossy, user::STRANGER};
use crate::{credentials, settings::Relations};

/// What a generator may use: time, fresh identifiers, and a serial number that picks a variety.
pub(crate) struct Fresh {
    /// The emulator's time.
    pub(crate) now: Timestamp,
    /// A new snowflake id.
    pub(crate) id: u64,
    /// The snowflake id of something older.
    pub(crate) older_id: u64,
    /// 32 hex digits.
    pub(crate) hex: String,
    /// Which variety: plain, long, a reply and so on. 0 is the plain one.
    pub(crate) variety: u64,
    /// The other side of what nobody named another side for.
    pub(crate) stranger: u64,
    /// When a user took permission back; it is told to the second.
    pub(crate) revoked_at: Timestamp,
}

/// An item and what goes around it.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    kind: String,
    value: Value,
    shape: Shape,
    /// Who was asked to act.
    actor: UserId,
}

/// How an item stands in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// In an array, beside `for_user_id`.
    Listed,
    /// By itself, for no user in particular.
    Alone,
    /// Under `data`.
    Activity,
    /// It is the body.
    Whole,
}

/// Says whether events of a kind can be made.
pub(crate) fn is_kind(kind: &str) -> bool {
    matches!(kind, "user_event" | STREAMED)
        || kind.ends_with("_events") && kind.len() > "_events".len()
        || activity::is_event_type(kind)
}

/// Says whether the items of a kind must be objects, because something is generated for them.
pub(crate) fn is_generated(kind: &str) -> bool {
    crate::bodies::KINDS.contains(&kind) || kind == STREAMED || activity::is_event_type(kind)
}

/// Stands for a post of a filtered stream, which has no name of its own.
pub(crate) const STREAMED: &str = "filtered_stream";

/// The kind that is no event of anybody: it tells how a replay job ended.
pub(crate) const JOB_STATUS: &str = "replay_job_status";

impl Item {
    /// Generates an item of `kind` in which `user` acts, and merges `payload` into it; what belongs
    /// to ids that are given so is made to agree. Of a kind that is unknown here the payload is the
    /// item.
    pub(crate) fn new(kind: &str, user: UserId, payload: Option<&Value>, fresh: &Fresh) -> Self {
        let mut value = match kind {
            "tweet_create_events" => post::create(user, fresh),
            "tweet_delete_events" => post::delete(user, fresh),
            "favorite_events" => post::favorite(user, fresh),
            "follow_events" => relation::item("follow", user, fresh),
            "unfollow_events" => relation::item("unfollow", user, fresh),
            "block_events" => relation::item("block", user, fresh),
            "unblock_events" => relation::item("unblock", user, fresh),
            "mute_events" => relation::item("mute", user, fresh),
            "unmute_events" => relation::item("unmute", user, fresh),
            "direct_message_events" => direct_message::message(user, fresh),
            "direct_message_indicate_typing_events" => direct_message::typing(user, fresh),
            "direct_message_mark_read_events" => direct_message::read(user, fresh),
            "user_event" => revoke(user, fresh),
            JOB_STATUS => job_status(
                &fresh.older_id.to_string(),
                &fresh.id.to_string(),
                "Complete",
                "Job completed successfully",
            ),
            STREAMED => activity::streamed(user, fresh),
            kind if activity::is_event_type(kind) => activity::event(kind, user, fresh, payload),
            _ => json!({}),
        };
        if let Some(payload) = payload {
            merge(&mut value, payload);
            agree::agree(kind, &mut value, payload);
        }
        let shape = match kind {
            "user_event" | JOB_STATUS => Shape::Alone,
            STREAMED => Shape::Whole,
            kind if activity::is_event_type(kind) => Shape::Activity,
            _ => Shape::Listed,
        };
        Self { kind: kind.to_owned(), value, shape, actor: user }
    }

    /// Returns the users whom the item concerns, besides the one who acts.
    pub(crate) fn parties(&self, relations: Relations) -> Vec<UserId> {
        if self.shape == Shape::Activity {
            // Not every filter names a user. What has none is for who was asked to act.
            return vec![self.user("/filter/user_id").unwrap_or(self.actor)];
        }
        let paths: &[&str] = match self.kind.as_str() {
            "tweet_create_events" => &[
                "/user/id_str",
                "/in_reply_to_user_id_str",
                "/retweeted_status/user/id_str",
                "/quoted_status/user/id_str",
            ],
            "tweet_delete_events" => &["/status/user_id"],
            "favorite_events" => &["/user/id_str", "/favorited_status/user/id_str"],
            "direct_message_events" => {
                &["/message_create/sender_id", "/message_create/target/recipient_id"]
            }
            "direct_message_indicate_typing_events" | "direct_message_mark_read_events" => {
                &["/sender_id", "/target/recipient_id"]
            }
            "user_event" => &["/revoke/source/user_id"],
            STREAMED => &["/data/author_id"],
            _ if self.is_relation() && self.is_for_both(relations) => &["/source/id", "/target/id"],
            _ if self.is_relation() => &["/source/id"],
            _ => &[],
        };
        let mut parties: Vec<_> = paths.iter().filter_map(|path| self.user(path)).collect();
        parties.extend(self.mentioned());
        parties
    }

    /// Returns whom a post mentions, as far as they hear of it.
    fn mentioned(&self) -> Vec<UserId> {
        // Who is merely mentioned in a post hears nothing of its reposts.
        let is_repost = self.value.get("retweeted_status").is_some_and(Value::is_object);
        if self.kind == "tweet_create_events" && !is_repost {
            let mentions = self.value.pointer("/entities/user_mentions").and_then(Value::as_array);
            let ids = mentions.into_iter().flatten().filter_map(|m| m.get("id_str"));
            return ids.filter_map(|id| id.as_str()?.parse().ok()).collect();
        }
        Vec::new()
    }

    /// Says whether a post of somebody else mentions or answers a user.
    fn is_addressed_to(&self, user: UserId) -> bool {
        let answers = || self.user("/in_reply_to_user_id_str") == Some(user);
        self.author() != Some(user) && (self.mentioned().contains(&user) || answers())
    }

    /// Returns who wrote a post.
    pub(crate) fn author(&self) -> Option<UserId> {
        self.user("/user/id_str").filter(|_| self.kind == "tweet_create_events")
    }

    /// Returns who blocks whom, or does so no longer.
    pub(crate) fn block(&self) -> Option<(bool, UserId, UserId)> {
        let blocks = match self.value.get("type").and_then(Value::as_str) {
            Some("block") => true,
            Some("unblock") => false,
            _ => return None,
        };
        let is_relation = self.is_relation();
        let (source, target) = (self.user("/source/id")?, self.user("/target/id")?);
        is_relation.then_some((blocks, source, target))
    }

    /// Gives an item that only its time tells from others a time of its own, unless the caller has
    /// given one. `mint` is asked with what those have in common.
    pub(crate) fn set_apart(&mut self, given: Option<&Value>, mint: impl FnOnce(String) -> i64) {
        if given.is_some_and(|given| given.get("created_timestamp").is_some()) {
            return;
        }
        let text = |path| self.value.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let sort = match self.kind.as_str() {
            "direct_message_indicate_typing_events" => {
                sort("typing", text("/sender_id"), text("/target/recipient_id"))
            }
            "direct_message_mark_read_events" => {
                sort("read", text("/sender_id"), text("/target/recipient_id"))
            }
            _ if self.is_relation() => sort(text("/type"), text("/source/id"), text("/target/id")),
            _ => return,
        };
        merge(&mut self.value, &json!({"created_timestamp": mint(sort).to_string()}));
    }

    /// Says whether the item is of the Account Activity API, so that subscriptions to it decide.
    pub(crate) fn is_account_activity(&self) -> bool {
        matches!(self.shape, Shape::Listed | Shape::Alone)
    }

    /// Says whether the body names the user it is for.
    pub(crate) fn names_user(&self) -> bool {
        self.shape == Shape::Listed
    }

    fn is_relation(&self) -> bool {
        let known = ["follow", "block", "mute"];
        let kind = self.kind.strip_prefix("un").unwrap_or(&self.kind);
        kind.strip_suffix("_events").is_some_and(|kind| known.contains(&kind))
    }

    fn is_for_both(&self, relations: Relations) -> bool {
        let is_follow = self.value.get("type").and_then(Value::as_str) == Some("follow");
        is_follow || relations == Relations::ByUserOrOfUser
    }

    fn user(&self, path: &str) -> Option<UserId> {
        self.value.pointer(path)?.as_str()?.parse().ok()
    }
}

/// Writes a post by itself, as it stands in a like or a repost of it.
pub(crate) fn post(author: u64, id: u64, text: &str, at: Timestamp) -> Value {
    let mut post = post::plain(&author.to_string(), id, at);
    merge(&mut post, &json!({ "text": text }));
    post
}

/// Writes what says that a post names somebody.
pub(crate) fn mention(user: u64) -> Value {
    post::mention(&user.to_string())
}

/// Returns what differs in a message that the app sends from one that is made up.
pub(crate) fn sent_message(
    id: u64,
    recipient: UserId,
    text: Option<&str>,
    media_id: Option<u64>,
) -> Value {
    direct_message::sent(id, recipient, text, media_id)
}

/// Writes the body that ends a replay job.
pub(crate) fn replay_job_status(webhook: &str, job: &str, state: &str, words: &str) -> Bytes {
    let body = json!({ JOB_STATUS: job_status(webhook, job, state, words) });
    Bytes::from(body.to_string())
}

fn job_status(webhook: &str, job: &str, state: &str, words: &str) -> Value {
    json!({
        "webhook_id": webhook,
        "job_state": state,
        "job_state_description": words,
        "job_id": job,
    })
}

fn revoke(user: UserId, fresh: &Fresh) -> Value {
    json!({"revoke": {
        "date_time": revoked_time(fresh.revoked_at),
        "target": {"app_id": credentials::APP_ID.to_string()},
        "source": {"user_id": user.to_string()},
    }})
}

fn revoked_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// The time format of posts and favorites.
pub(crate) fn created_at(time: Timestamp) -> String {
    time.strftime("%a %b %d %H:%M:%S +0000 %Y").to_string()
}

/// What events have in common that only their time tells apart.
pub(crate) fn sort(what: &str, from: &str, to: &str) -> String {
    format!("{what}:{from}:{to}")
}

/// Objects are merged member by member, everything else is replaced.
pub(crate) fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.as_str()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// X escapes slashes. Outside of strings JSON has none.
pub(crate) fn escape_slashes(json: &str) -> String {
    json.replace('/', r"\/")
}

#[cfg(test)]
mod tests;
