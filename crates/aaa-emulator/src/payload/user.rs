//! Users, in the four shapes in which they turn up.

use serde_json::{Value, json};

/// Somebody who has no tokens here and so never a subscription: the other side of what nobody
/// named another side for.
pub(crate) const STRANGER: u64 = 2_244_994_945;

/// In posts and favorites: a numeric `id` beside `id_str`, and nulls.
pub(super) fn in_post(id: &str) -> Value {
    json!({
        "id": id.parse::<u64>().unwrap_or_default(),
        "id_str": id,
        "name": name(id),
        "screen_name": screen_name(id),
        "location": null,
        "url": null,
        "description": "Täglich frisch ☕",
        "translator_type": "none",
        "protected": false,
        "verified": false,
        "followers_count": 19,
        "friends_count": 21,
        "listed_count": 0,
        "favourites_count": 7,
        "statuses_count": 42,
        "created_at": "Wed May 23 06:01:13 +0000 2007",
        "utc_offset": null,
        "time_zone": null,
        "geo_enabled": false,
        "lang": null,
        "contributors_enabled": false,
        "is_translator": false,
        "profile_background_color": "F5F8FA",
        "profile_image_url_https": IMAGE,
        "default_profile": true,
        "default_profile_image": false,
        "following": null,
        "follow_request_sent": null,
        "notifications": null,
    })
}

/// In follows, blocks and mutes: a string `id`, no `id_str`, and empty strings.
pub(super) fn in_relation(id: &str) -> Value {
    json!({
        "id": id,
        "default_profile_image": false,
        "profile_background_image_url": "",
        "friends_count": 21,
        "favourites_count": 7,
        "profile_link_color": -1,
        "profile_background_image_url_https": "",
        "utc_offset": 0,
        "screen_name": screen_name(id),
        "is_translator": false,
        "followers_count": 19,
        "name": name(id),
        "lang": "",
        "profile_use_background_image": false,
        "created_at": "Wed May 23 06:01:13 +0000 2007",
        "profile_image_url_https": IMAGE,
        "protected": false,
        "description": "",
        "location": "",
        "verified": false,
        "url": "",
    })
}

/// In direct messages: condensed, a string `id`, some members absent.
pub(super) fn in_direct_message(id: &str) -> Value {
    json!({
        "id": id,
        "created_timestamp": "1179900073000",
        "name": name(id),
        "screen_name": screen_name(id),
        "description": "null",
        "protected": false,
        "verified": false,
        "followers_count": 19,
        "friends_count": 21,
        "statuses_count": 42,
        "profile_image_url_https": IMAGE,
    })
}

/// In events of the X Activity API: as v2 writes users, every number also as a text.
pub(super) fn in_activity(id: &str) -> Value {
    json!({
        "id": id,
        "name": name(id),
        "username": screen_name(id),
        "description": "Täglich frisch ☕",
        "location": "Bielefeld",
        "url": "",
        "protected": false,
        "verified": false,
        "verified_type": "none",
        "is_identity_verified": false,
        "created_at": "2007-05-23T06:01:13.000Z",
        "profile_image_url": IMAGE,
        "profile_banner_url": "",
        "affiliation": {
            "description": "Automated",
            "badge_url": "https://pbs.twimg.com/semantic_core_img/emulator",
        },
        "public_metrics": {
            "followers_count": 19,
            "followers_count_str": "19",
            "following_count": 21,
            "following_count_str": "21",
            "tweet_count": 42,
            "tweet_count_str": "42",
            "listed_count": 0,
            "listed_count_str": "0",
            "like_count": 7,
            "like_count_str": "7",
            "media_count": 0,
            "media_count_str": "0",
        },
    })
}

pub(super) fn screen_name(id: &str) -> String {
    format!("user{id}")
}

pub(super) fn name(id: &str) -> String {
    format!("User {id}")
}

const IMAGE: &str =
    "https://abs.twimg.com/sticky/default_profile_images/default_profile_normal.png";
