//! Posts as v2 writes them.

use aaa_types::UserId;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{numbers, time};
use crate::payload::{Fresh, merge, user};

/// What most posts say.
pub(super) const TEXT: &str = "Grüße aus dem Emulator 👋 https://t.co/example";

/// What the link in it is.
const LINK: &str = "https://t.co/example";

/// Says whether the payload of an event type is a post.
pub(super) fn is_whole(event_type: &str) -> bool {
    event_type.starts_with("post.") && event_type != "post.delete"
}

/// What somebody has posted: the user of the filter, or another who mentions, answers, quotes or
/// reposts them.
pub(super) fn made(action: &str, user: &str, fresh: &Fresh) -> Value {
    let id = fresh.id.to_string();
    let older_id = fresh.older_id.to_string();
    let other = fresh.stranger.to_string();
    let name = user::screen_name(user);
    let refers = |how: &str| json!({"referenced_tweets": [{"type": how, "id": older_id}]});
    let by = |author: &str, text: &str| plain(&id, author, text, fresh.now);
    let (mut post, more) = match action {
        "mention.create" => {
            let text = format!("Grüße, @{name}");
            let post = by(&other, &text);
            (post, merged([mentions(user, &text), editable(fresh.now)]))
        }
        "reply.create" => {
            let text = format!("@{name} Danke für den Hinweis!");
            let shown = json!({
                "conversation_id": older_id,
                "in_reply_to_tweet_id": older_id,
                "in_reply_to_user_id": user,
                "display_text_range": [length(&name) + 2, length(&text)],
            });
            (by(&other, &text), merged([mentions(user, &text), refers("replied_to"), shown]))
        }
        "quote.create" => {
            let address = format!("https://twitter.com/{name}/status/{older_id}");
            let text = format!("Dazu ist mehr zu sagen. {LINK}");
            let shown = json!({"display_text_range": [0, length(&text) - length(LINK) - 1]});
            (by(&other, &text), merged([links(&text, &address), refers("quoted"), shown]))
        }
        "repost.create" => {
            let text = format!("RT @{name}: {TEXT}");
            (by(&other, &text), merged([mentions(user, &text), refers("retweeted")]))
        }
        _ => (by(user, TEXT), merged([links(TEXT, "https://example.com/"), editable(fresh.now)])),
    };
    merge(&mut post, &more);
    post
}

/// A post with nothing to it.
pub(super) fn plain(id: &str, author: &str, text: &str, at: Timestamp) -> Value {
    let counts = ["retweet", "reply", "like", "quote", "bookmark", "impression"];
    let counts = counts.map(|what| (format!("{what}_count"), 0));
    json!({
        "id": id,
        "text": text,
        "author_id": author,
        "created_at": time(at),
        "conversation_id": id,
        "edit_history_tweet_ids": [id],
        "display_text_range": [0, length(text)],
        "lang": "de",
        "possibly_sensitive": false,
        "paid_partnership": false,
        "reply_settings": "everyone",
        "public_metrics": numbers(counts.iter().map(|(name, count)| (name.as_str(), *count))),
    })
}

/// A post of a filtered stream, which has the members that one asked for.
pub(super) fn streamed(user: UserId, fresh: &Fresh) -> Value {
    let id = fresh.id.to_string();
    json!({
        "id": id,
        "text": TEXT,
        "author_id": user.to_string(),
        "created_at": fresh.now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "edit_history_tweet_ids": [id],
        "lang": "de",
    })
}

/// The users that a post names: who wrote it, and whom it mentions.
pub(super) fn named(post: &Value) -> Vec<&str> {
    let mentions = post.pointer("/entities/mentions").and_then(Value::as_array);
    let mentioned = mentions.into_iter().flatten().filter_map(|mention| mention.get("id"));
    let ids = post.get("author_id").into_iter().chain(mentioned).filter_map(Value::as_str);
    ids.collect()
}

fn merged<const N: usize>(members: [Value; N]) -> Value {
    let mut all = json!({});
    members.iter().for_each(|members| merge(&mut all, members));
    all
}

fn editable(at: Timestamp) -> Value {
    let until = at.checked_add(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MAX);
    let mut controls = numbers([("edits_remaining", 5)]);
    merge(&mut controls, &json!({"is_edit_eligible": true, "editable_until": time(until)}));
    json!({ "edit_controls": controls })
}

/// Whom a text names, where it does.
fn mentions(user: &str, text: &str) -> Value {
    let name = user::screen_name(user);
    let mut mention = place(text, &format!("@{name}"));
    merge(&mut mention, &json!({"username": name, "id": user}));
    json!({"entities": {"mentions": [mention]}})
}

fn links(text: &str, address: &str) -> Value {
    let mut link = place(text, LINK);
    let shown = address.trim_start_matches("https://").trim_end_matches('/');
    merge(&mut link, &json!({"url": LINK, "expanded_url": address, "display_url": shown}));
    json!({"entities": {"urls": [link]}})
}

/// From where to where a part of a text goes, in characters.
fn place(text: &str, part: &str) -> Value {
    let before = text.split(part).next().unwrap_or_default();
    let start = length(before);
    numbers([("start", start), ("end", start + length(part))])
}

fn length(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}
