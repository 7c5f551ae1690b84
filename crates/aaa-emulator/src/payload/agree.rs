//! Whoever gives one id of somebody, or of a post, means that one: what else names it is made to
//! agree, unless it was given too.

use serde_json::{Value, json};

use super::{lossy, user};

/// Fills in what belongs to the ids that were given in an item of a kind.
pub(super) fn agree(kind: &str, value: &mut Value, given: &Value) {
    match kind {
        "tweet_create_events" => post(value, given),
        "favorite_events" => {
            inside("user", value, given, person);
            inside("favorited_status", value, given, post);
        }
        "follow_events" | "unfollow_events" | "block_events" | "unblock_events" | "mute_events"
        | "unmute_events" => {
            inside("source", value, given, related);
            inside("target", value, given, related);
        }
        _ => {}
    }
}

fn inside(name: &str, value: &mut Value, given: &Value, fill: fn(&mut Value, &Value)) {
    if let (Some(value), Some(given)) = (value.get_mut(name), given.get(name)) {
        fill(value, given);
    }
}

fn post(value: &mut Value, given: &Value) {
    both(value, given, "id", "id_str", lossy);
    both(value, given, "in_reply_to_status_id", "in_reply_to_status_id_str", lossy);
    both(value, given, "in_reply_to_user_id", "in_reply_to_user_id_str", |id| id);
    both(value, given, "quoted_status_id", "quoted_status_id_str", lossy);
    let answered = ["in_reply_to_user_id", "in_reply_to_user_id_str"];
    if answered.iter().any(|name| given.get(name).is_some()) {
        let id = value.get("in_reply_to_user_id_str").and_then(Value::as_str).map(str::to_owned);
        fill(value, given, "in_reply_to_screen_name", id.map(|id| user::screen_name(&id)));
    }
    inside("user", value, given, person);
    inside("retweeted_status", value, given, post);
    inside("quoted_status", value, given, post);
}

/// A user as posts and likes have one.
fn person(value: &mut Value, given: &Value) {
    both(value, given, "id", "id_str", |id| id);
    if given.get("id").is_some() || given.get("id_str").is_some() {
        names(value, given, "id_str");
    }
}

/// A user as follows, blocks and mutes have one.
fn related(value: &mut Value, given: &Value) {
    if given.get("id").is_some() {
        names(value, given, "id");
    }
}

fn names(value: &mut Value, given: &Value, id: &str) {
    let id = value.get(id).and_then(Value::as_str).map(str::to_owned);
    fill(value, given, "screen_name", id.as_deref().map(user::screen_name));
    fill(value, given, "name", id.as_deref().map(user::name));
}

/// Of a number and a text that say the same, the one that was not given follows the other.
fn both(value: &mut Value, given: &Value, number: &str, text: &str, as_number: fn(u64) -> u64) {
    match (given.get(number), given.get(text)) {
        (None, Some(Value::String(id))) => {
            let id = id.parse().ok().map(as_number);
            fill(value, given, number, id);
        }
        (Some(Value::Number(id)), None) => fill(value, given, text, Some(id.to_string())),
        (Some(Value::Null), None) => fill(value, given, text, Some(Value::Null)),
        (None, Some(Value::Null)) => fill(value, given, number, Some(Value::Null)),
        _ => {}
    }
}

fn fill(value: &mut Value, given: &Value, name: &str, with: Option<impl Into<Value>>) {
    if let (Some(with), None) = (with, given.get(name)) {
        super::merge(value, &json!({ name: with.into() }));
    }
}
