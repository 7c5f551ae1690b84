//! Posts, their deletion, and likes.

use aaa_types::UserId;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Fresh, created_at, user};

/// A post by `user`. The varieties: plain, long, a reply, a repost, a quote, an edit.
pub(super) fn create(user: UserId, fresh: &Fresh) -> Value {
    let mut post = plain(&user.to_string(), fresh.id, fresh.now);
    let stranger = fresh.stranger.to_string();
    let inner = || plain(&stranger, fresh.older_id, fresh.now);
    let more = match fresh.variety % 6 {
        1 => long(),
        2 => json!({
            "text": format!("@user{stranger} Danke für den Hinweis!"),
            "in_reply_to_status_id": lossy(fresh.older_id),
            "in_reply_to_status_id_str": fresh.older_id.to_string(),
            "in_reply_to_user_id": fresh.stranger,
            "in_reply_to_user_id_str": stranger,
            "in_reply_to_screen_name": format!("user{stranger}"),
            "entities": {"user_mentions": [mention(&stranger)]},
        }),
        3 => json!({
            "text": format!("RT @user{stranger}: Grüße aus dem Emulator 👋"),
            "retweeted_status": inner(),
            "entities": {"user_mentions": [mention(&stranger)]},
        }),
        4 => json!({
            "is_quote_status": true,
            "quoted_status_id": lossy(fresh.older_id),
            "quoted_status_id_str": fresh.older_id.to_string(),
            "quoted_status": inner(),
        }),
        5 => json!({
            "edit_history": {
                "initial_tweet_id": fresh.older_id.to_string(),
                "edit_tweet_ids": [fresh.older_id.to_string(), fresh.id.to_string()],
            },
            "edit_controls": {
                "edits_remaining": 4,
                "editable_until_ms": (fresh.now.as_millisecond() + 3_600_000).to_string(),
            },
        }),
        _ => json!({}),
    };
    super::merge(&mut post, &more);
    post
}

/// The deletion of an older post of `user`.
pub(super) fn delete(user: UserId, fresh: &Fresh) -> Value {
    json!({
        "status": {"id": fresh.older_id.to_string(), "user_id": user.to_string()},
        "timestamp_ms": fresh.now.as_millisecond().to_string(),
    })
}

/// `user` likes somebody's older post.
pub(super) fn favorite(user: UserId, fresh: &Fresh) -> Value {
    json!({
        "id": fresh.hex,
        "created_at": created_at(fresh.now),
        "timestamp_ms": fresh.now.as_millisecond(),
        "favorited_status": plain(&fresh.stranger.to_string(), fresh.older_id, fresh.now),
        "user": user::in_post(&user.to_string()),
    })
}

/// A post with nothing to it.
pub(super) fn plain(author: &str, id: u64, at: Timestamp) -> Value {
    json!({
        "created_at": created_at(at),
        "id": lossy(id),
        "id_str": id.to_string(),
        "text": "Grüße aus dem Emulator 👋 https://t.co/example",
        "source": "<a href=\"https://example.com/emulator\" rel=\"nofollow\">Emulator</a>",
        "truncated": false,
        "in_reply_to_status_id": null,
        "in_reply_to_status_id_str": null,
        "in_reply_to_user_id": null,
        "in_reply_to_user_id_str": null,
        "in_reply_to_screen_name": null,
        "user": user::in_post(author),
        "geo": null,
        "coordinates": null,
        "place": null,
        "contributors": null,
        "is_quote_status": false,
        "quote_count": 0,
        "reply_count": 0,
        "retweet_count": 0,
        "favorite_count": 0,
        "entities": {
            "hashtags": [],
            "urls": [{
                "url": "https://t.co/example",
                "expanded_url": "https://example.com/",
                "display_url": "example.com",
                "indices": [26, 46],
            }],
            "user_mentions": [],
            "symbols": [],
        },
        "favorited": false,
        "retweeted": false,
        "filter_level": "low",
        "lang": "de",
        "timestamp_ms": at.as_millisecond().to_string(),
    })
}

/// The members that make a post a long one.
fn long() -> Value {
    let full = "Wer viel zu sagen hat, sagt es hier in voller Länge. ".repeat(8);
    let full = full.trim_end();
    let cut: String = full.chars().take(116).collect();
    json!({
        "text": format!("{cut}… https://t.co/longpost"),
        "truncated": true,
        "display_text_range": [0, 140],
        "extended_tweet": {
            "full_text": full,
            "display_text_range": [0, full.chars().count()],
            "entities": {"hashtags": [], "urls": [], "user_mentions": [], "symbols": []},
        },
    })
}

pub(super) fn mention(id: &str) -> Value {
    json!({
        "screen_name": format!("user{id}"),
        "name": format!("User {id}"),
        "id": id.parse::<u64>().unwrap_or_default(),
        "id_str": id,
        "indices": [0, 15],
    })
}

/// A number that has gone through a double, as in X's own samples: `id_str` is the id.
pub(crate) fn lossy(id: u64) -> u64 {
    id as f64 as u64
}
