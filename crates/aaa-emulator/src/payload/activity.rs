//! Events of the X Activity API, and posts of a filtered stream: both reach the same webhook.
//!
//! X prints a sample of most event types, and what is made here is written after it. Of `mute.*`,
//! `block.*`, `dm.read` and `dm.indicate_typing` there is none; they are like what they are closest
//! to. Of what else there may be, nothing is known but the envelope.

mod chat;
mod live;
mod post;

use aaa_types::UserId;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Fresh, direct_message, merge, user};
use crate::credentials;

/// The event types whose `event_uuid` is the id of what they are about, in the samples.
const NAMED_BY_ID: [&str; 3] = ["post.create", "post.mention.create", "news.new"];

/// Says whether a kind is an event type of the X Activity API: words with dots between them.
pub(super) fn is_event_type(kind: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b"_-".contains(&b))
    };
    kind.contains('.') && kind.len() <= 100 && kind.split('.').all(is_word)
}

/// What stands under `data`, with the members that the caller gives.
pub(super) fn event(event_type: &str, user: UserId, fresh: &Fresh, given: Option<&Value>) -> Value {
    // Half of the observed ids are negative.
    let uuid = i64::from_ne_bytes(fresh.id.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_ne_bytes());
    let (family, action) = event_type.split_once('.').unwrap_or((event_type, ""));
    let mut event = json!({
        "event_uuid": uuid.to_string(),
        "filter": filter(family, user),
        "event_type": event_type,
        "payload": payload(family, action, user, fresh),
    });
    // A revocation reaches whoever has a webhook, so no subscription gave it a name.
    if family != "oauth" {
        merge(&mut event, &json!({"tag": "emulator"}));
    }
    let given = given.unwrap_or(&Value::Null);
    for derive in [identity, beside] {
        take_over(&mut event, given);
        let derived = derive(event_type, &event, fresh);
        merge(&mut event, &derived);
    }
    take_over(&mut event, given);
    event
}

/// A whole body of a filtered stream.
pub(super) fn streamed(user: UserId, fresh: &Fresh) -> Value {
    json!({
        "data": post::streamed(user, fresh),
        "includes": {"users": [{
            "id": user.to_string(), "name": format!("User {user}"), "username": format!("user{user}"),
        }]},
        "matching_rules": [{"id": fresh.older_id.to_string(), "tag": "emulator"}],
    })
}

fn take_over(event: &mut Value, given: &Value) {
    if given.is_object() {
        merge(event, given);
    }
}

/// What the subscription asked for that brought the event.
fn filter(family: &str, user: UserId) -> Value {
    let user_id = user.to_string();
    match family {
        "oauth" => json!({}),
        "news" => json!({"keyword": "emulator"}),
        "like" => json!({"user_id": user_id, "direction": "outbound"}),
        _ => json!({"user_id": user_id}),
    }
}

fn payload(family: &str, action: &str, user: UserId, fresh: &Fresh) -> Value {
    let user_id = user.to_string();
    let stranger = fresh.stranger.to_string();
    match (family, action) {
        ("post", "delete") => json!({"id": fresh.older_id.to_string(), "author_id": user_id}),
        ("post", _) => post::made(action, &user_id, fresh),
        ("like", _) => json!({
            "id": fresh.hex,
            "created_at": time(fresh.now),
            "timestamp_ms": fresh.now.as_millisecond().to_string(),
            "liked_tweet_id": fresh.older_id.to_string(),
            "liked_tweet_author_id": stranger,
        }),
        ("follow" | "mute" | "block", _) => {
            json!({"source": enclosed(&user_id), "target": enclosed(&stranger)})
        }
        ("profile", _) => profile(action, user, fresh),
        ("dm", "read") => {
            listed("direct_message_mark_read_events", direct_message::read(user, fresh))
        }
        ("dm", "indicate_typing") => {
            listed("direct_message_indicate_typing_events", direct_message::typing(user, fresh))
        }
        ("dm", "received") => listed(MESSAGES, direct_message::plain(&stranger, &user_id, fresh)),
        ("dm", _) => listed(MESSAGES, direct_message::plain(&user_id, &stranger, fresh)),
        ("chat", _) => chat::message(action, &user_id, fresh),
        ("spaces", _) => live::space(action, &user_id, fresh),
        ("broadcast", "chat") => live::said(&user_id, fresh),
        ("broadcast", _) => live::broadcast(action, &user_id, fresh),
        ("news", _) => story(fresh),
        ("oauth", _) => json!({
            "date_time": super::revoked_time(fresh.revoked_at),
            "user_id": user_id,
            "app_id": credentials::APP_ID.to_string(),
        }),
        _ => json!({"id": fresh.id.to_string(), "user_id": user_id}),
    }
}

const MESSAGES: &str = "direct_message_events";

/// The same arrays as in the Account Activity API, but deeper.
fn listed(kind: &str, item: Value) -> Value {
    json!({ kind: [item] })
}

/// What changed in a profile: what it was, and what it is.
fn profile(action: &str, user: UserId, fresh: &Fresh) -> Value {
    let image = |name: &str| format!("https://pbs.twimg.com/profile_images/{name}_normal.jpg");
    let banner = |second: i64| format!("https://pbs.twimg.com/profile_banners/{user}/{second}");
    let (before, after) = match action {
        "update.profile_picture" => (image("before"), image(&fresh.id.to_string())),
        "update.banner_picture" => (banner(1_500_000_000), banner(fresh.now.as_second())),
        "update.url" => ("https://t.co/before".to_owned(), "https://t.co/after".to_owned()),
        _ => ("before".to_owned(), format!("after {}", fresh.id)),
    };
    json!({"before": before, "after": after})
}

/// A story of the news.
fn story(fresh: &Fresh) -> Value {
    json!({
        "id": fresh.id.to_string(),
        "name": "Der Emulator macht Nachrichten",
        "summary": "Ein Emulator spricht für sich selbst, und wer zuhört, erfährt es zuerst.",
        "hook": "Wer hätte gedacht, dass ein Emulator eine Nachricht wert ist?",
        "category": "News",
        "updated_at": time(fresh.now),
        "disclaimer": "This story is a summary of posts on X and may evolve over time.",
        "contexts": {
            "topics": ["Technology"],
            "entities": {
                "events": [], "organizations": [], "people": [], "places": [], "products": [],
            },
            "finance": {"tickers": []},
            "sports": {"teams": []},
        },
        "cluster_posts_results": [{"post_id": fresh.older_id.to_string()}],
    })
}

/// What follows from the id of a post or a story, whether it was made here or given.
fn identity(event_type: &str, event: &Value, _: &Fresh) -> Value {
    let Some(id) = event.pointer("/payload/id").and_then(Value::as_str) else {
        return json!({});
    };
    let mut derived = json!({});
    if NAMED_BY_ID.contains(&event_type) {
        merge(&mut derived, &json!({"event_uuid": id}));
    }
    if post::is_whole(event_type) {
        merge(&mut derived, &json!({"payload": {"edit_history_tweet_ids": [id]}}));
    }
    if post::is_whole(event_type) && event_type != "post.reply.create" {
        merge(&mut derived, &json!({"payload": {"conversation_id": id}}));
    }
    derived
}

/// What stands beside the payload, or in it, and shows whom and what it names.
fn beside(event_type: &str, event: &Value, fresh: &Fresh) -> Value {
    let payload = event.get("payload").unwrap_or(&Value::Null);
    let text = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default();
    match event_type {
        "post.create" | "post.mention.create" => {
            let users: Vec<_> = post::named(payload).into_iter().map(user::in_activity).collect();
            json!({"includes": {"tweets": [payload], "users": users}})
        }
        "post.delete" => json!({"includes": {"users": [enclosed(text("author_id"))]}}),
        "post.reply.create" | "post.quote.create" | "post.repost.create" => json!({"includes": {}}),
        "like.create" => {
            let author = text("liked_tweet_author_id");
            let liked = post::plain(text("liked_tweet_id"), author, post::TEXT, fresh.now);
            json!({"includes": {"tweets": [liked], "users": [user::in_activity(author)]}})
        }
        _ if event_type.starts_with("dm.") => {
            let mut items = payload.as_object().into_iter().flatten();
            let item = items.find_map(|(name, items)| items.get(0).filter(|_| name != "users"));
            let users = item.map(|item| direct_message::users(item, enclosed));
            json!({"payload": {"users": users.unwrap_or_else(|| json!({}))}})
        }
        _ => json!({}),
    }
}

/// A user alone, under `data`.
fn enclosed(id: &str) -> Value {
    json!({ "data": user::in_activity(id) })
}

/// Seconds, but written with three digits more.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// Numbers, each of them also as a text.
fn numbers<'a>(members: impl IntoIterator<Item = (&'a str, u64)>) -> Value {
    let both = members.into_iter().flat_map(|(name, number)| {
        [
            (name.to_owned(), Value::from(number)),
            (format!("{name}_str"), Value::from(number.to_string())),
        ]
    });
    Value::Object(both.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests;
