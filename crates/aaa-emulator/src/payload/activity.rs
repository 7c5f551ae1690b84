//! Events of the X Activity API, and posts of a filtered stream: both reach the same webhook.

use aaa_types::UserId;
use serde_json::{Value, json};

use super::{Fresh, direct_message};
use crate::credentials;

/// Says whether a kind is an event type of the X Activity API: words with dots between them.
pub(super) fn is_event_type(kind: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b"_-".contains(&b))
    };
    kind.contains('.') && kind.len() <= 100 && kind.split('.').all(is_word)
}

/// What stands under `data`. X documents the payload of few types; that of the others holds who
/// acts on what.
pub(super) fn event(event_type: &str, user: UserId, fresh: &Fresh) -> Value {
    // Half of the observed ids are negative.
    let uuid = i64::from_ne_bytes(fresh.id.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_ne_bytes());
    json!({
        "event_uuid": uuid.to_string(),
        "filter": {"user_id": user.to_string()},
        "event_type": event_type,
        "tag": "emulator",
        "payload": payload(event_type, user, fresh),
    })
}

/// A whole body of a filtered stream.
pub(super) fn streamed(user: UserId, fresh: &Fresh) -> Value {
    json!({
        "data": post(user, fresh),
        "includes": {"users": [{
            "id": user.to_string(), "name": format!("User {user}"), "username": format!("user{user}"),
        }]},
        "matching_rules": [{"id": fresh.older_id.to_string(), "tag": "emulator"}],
    })
}

fn payload(event_type: &str, user: UserId, fresh: &Fresh) -> Value {
    let user_id = user.to_string();
    let stranger = fresh.stranger.to_string();
    let (family, action) = event_type.split_once('.').unwrap_or((event_type, ""));
    match (family, action) {
        ("post", "delete") => json!({"id": fresh.older_id.to_string(), "author_id": user_id}),
        ("post", _) => post(user, fresh),
        ("like", _) => json!({
            "id": fresh.hex, "post_id": fresh.older_id.to_string(), "user_id": user_id,
        }),
        ("follow" | "mute" | "block", _) => json!({
            "source": {"id": user_id, "username": format!("user{user}")},
            "target": {"id": stranger, "username": format!("user{stranger}")},
        }),
        ("profile", _) => json!({"before": "before", "after": format!("after {}", fresh.id)}),
        ("dm", "read") => {
            listed("direct_message_mark_read_events", direct_message::read(user, fresh))
        }
        ("dm", "indicate_typing") => {
            listed("direct_message_indicate_typing_events", direct_message::typing(user, fresh))
        }
        ("dm", _) => listed("direct_message_events", direct_message::message(user, fresh)),
        ("chat", _) => json!({
            "id": fresh.id.to_string(),
            "conversation_id": format!("{user_id}-{stranger}"),
            "sender_id": user_id,
            "encoded_event": fresh.hex,
        }),
        ("oauth", _) => json!({
            "date_time": super::revoked_time(fresh.revoked_at),
            "target": {"app_id": credentials::APP_ID.to_string()},
            "source": {"user_id": user_id},
        }),
        _ => json!({"id": fresh.id.to_string(), "user_id": user_id}),
    }
}

/// The same arrays as in the Account Activity API, but deeper.
fn listed(kind: &str, item: Value) -> Value {
    let mut payload = json!({ kind: [item] });
    if let Some(first) = payload.pointer(&format!("/{kind}/0")).cloned() {
        for (name, value) in direct_message::context(&first) {
            super::merge(&mut payload, &json!({ name: value }));
        }
    }
    payload
}

/// A post as v2 writes it.
fn post(user: UserId, fresh: &Fresh) -> Value {
    let id = fresh.id.to_string();
    json!({
        "id": id,
        "text": "Grüße aus dem Emulator 👋 https://t.co/example",
        "author_id": user.to_string(),
        "created_at": fresh.now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "edit_history_tweet_ids": [id],
        "lang": "de",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_types_are_words_with_dots() {
        for good in ["post.create", "profile.update.bio", "dm.indicate_typing", "a.b"] {
            assert!(is_event_type(good), "{good}");
        }
        for bad in ["", ".", "post", "post.", ".create", "Post.create", "a b.c", "a..b"] {
            assert!(!is_event_type(bad), "{bad}");
        }
    }
}
