//! What deliveries bring.

use aaa_emulator::{control::Trigger, settings::Settings};
use serde_json::{Value, json};

use crate::stage::{Stage, user};

/// The bodies of events of user 7, while users 7 and 8 are subscribed.
fn bodies(ask: &Trigger) -> Vec<Value> {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    stage.subscribe(&id, 8);
    stage.trigger(ask);
    stage.all_posts(200)
}

fn ask(kind: &str) -> Trigger {
    Trigger::new(kind, user(7))
}

#[test]
fn relations() {
    let payload = json!({"target": {"id": "8"}});
    for kind in ["unfollow_events", "block_events", "mute_events"] {
        assert_eq!(bodies(&ask(kind).with_payload(payload.clone())).len(), 2, "{kind}");
    }
}

#[test]
fn relations_v1() {
    let (mut stage, id) = Stage::enterprise(Settings::default());
    stage.subscribe(&id, 8);
    let payload = json!({"target": {"id": "8"}});
    stage.trigger(&ask("block_events").with_payload(payload.clone()));
    assert_eq!(stage.all_posts(200).len(), 1);
    // Of a follow both are told.
    stage.trigger(&ask("follow_events").with_payload(payload));
    assert_eq!(stage.all_posts(200).len(), 2);
}

#[test]
fn relation_keys() {
    let own = &bodies(&ask("unfollow_events"))[0];
    assert_eq!(own["unfollow_events"][0]["type"], "unfollow");
    let typed = json!({"type": "unfollow"});
    let typed = &bodies(&ask("follow_events").with_payload(typed))[0];
    assert_eq!(typed["follow_events"][0]["type"], "unfollow");
}

#[test]
fn blocked_flag() {
    let mention = json!({"entities": {"user_mentions": [{"id_str": "8"}]}});
    let bodies = bodies(&ask("tweet_create_events").with_payload(mention));
    assert_eq!(bodies[0].get("user_has_blocked"), None, "their own post");
    assert_eq!(bodies[1]["user_has_blocked"], false);
}

#[test]
fn blocked_place() {
    let by_8 = json!({"user": {"id_str": "8"}});
    for (payload, stands) in [
        (json!({"entities": {"user_mentions": [{"id_str": "8"}]}}), true),
        (json!({"in_reply_to_user_id_str": "8"}), true),
        (json!({"quoted_status": by_8}), false),
        (json!({"retweeted_status": by_8}), false),
    ] {
        let bodies = bodies(&ask("tweet_create_events").with_payload(payload.clone()));
        let there: Vec<_> = bodies.iter().map(|b| b.get("user_has_blocked").is_some()).collect();
        assert_eq!(there, [false, stands], "{payload}");
    }
}

#[test]
fn blocked_author() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    stage.subscribe(&id, 8);
    let reply = ask("tweet_create_events").with_payload(json!({"in_reply_to_user_id_str": "8"}));
    let of_7 = json!({"target": {"id": "7"}});
    let mut flags = Vec::new();
    for kind in [None, Some("block_events"), Some("unblock_events")] {
        if let Some(kind) = kind {
            stage.trigger(&Trigger::new(kind, user(8)).with_payload(of_7.clone()));
            stage.all_posts(200);
        }
        stage.trigger(&reply);
        flags.push(stage.all_posts(200)[1]["user_has_blocked"].clone());
    }
    assert_eq!(flags, [json!(false), json!(true), json!(false)]);
}

#[test]
fn repost_mention() {
    let repost = json!({
        "entities": {"user_mentions": [{"id_str": "8"}]},
        "retweeted_status": {"user": {"id_str": "9"}},
    });
    assert_eq!(bodies(&ask("tweet_create_events").with_payload(repost)).len(), 1);
}

#[test]
fn lossy_id() {
    let post = &bodies(&ask("tweet_create_events"))[0]["tweet_create_events"][0];
    let exact: u64 = post["id_str"].as_str().unwrap().parse().unwrap();
    assert_ne!(post["id"].as_u64(), Some(exact));
}

#[test]
fn escaped_slashes() {
    let (mut stage, _) = Stage::subscribed(Settings::default());
    stage.make("tweet_create_events", 1);
    stage.collect();
    let text = String::from_utf8(stage.posts[0].body.to_vec()).unwrap();
    assert!(text.contains(r"https:\/\/t.co\/example"), "{text}");
}

#[test]
fn beyond_ascii() {
    let (mut stage, _) = Stage::subscribed(Settings::default());
    stage.make("tweet_create_events", 1);
    stage.collect();
    let body: Value = serde_json::from_slice(&stage.posts[0].body).unwrap();
    let text = body["tweet_create_events"][0]["text"].as_str().unwrap();
    let is_as_it_is = String::from_utf8(stage.posts[0].body.to_vec()).unwrap().contains("👋");
    assert!(!text.is_ascii() && is_as_it_is, "{text}");
}

#[test]
fn time_in_favorites() {
    let item = &bodies(&ask("favorite_events"))[0]["favorite_events"][0];
    assert!(item["timestamp_ms"].is_number(), "{item}");
    assert_eq!(item["id"].as_str().map(str::len), Some(32));
}

#[test]
fn time_in_deletes() {
    let item = &bodies(&ask("tweet_delete_events"))[0]["tweet_delete_events"][0];
    assert!(item["timestamp_ms"].is_string(), "{item}");
}

#[test]
fn users_in_relations() {
    let item = &bodies(&ask("follow_events"))[0]["follow_events"][0];
    assert_eq!((&item["source"]["id"], item["source"].get("id_str")), (&json!("7"), None));
    assert_eq!(item["target"]["location"], "");
}

#[test]
fn users_in_messages() {
    let payload = json!({"message_create": {"target": {"recipient_id": "8"}}});
    let body = &bodies(&ask("direct_message_events").with_payload(payload))[0];
    assert_eq!(body["users"]["8"]["id"], "8");
}

#[test]
fn apps_may_be_absent() {
    let has_apps: Vec<_> = bodies(&ask("direct_message_events").with_count(4))
        .iter()
        .map(|body| body.get("apps").is_some())
        .collect();
    assert_eq!(has_apps, [true, true, true, false]);
}

#[test]
fn long_posts() {
    let bodies = bodies(&ask("tweet_create_events").with_count(6));
    let long: Vec<_> = bodies
        .iter()
        .map(|body| &body["tweet_create_events"][0])
        .filter(|post| post["truncated"] == true)
        .collect();
    assert_eq!(long.len(), 1);
    assert!(long[0]["extended_tweet"]["full_text"].as_str().unwrap().len() > 280);
}

#[test]
fn revoke_time() {
    let body = &bodies(&ask("user_event"))[0];
    assert_eq!(body["user_event"]["revoke"]["date_time"], "2025-11-22T04:00:00+00:00");
}

#[test]
fn activity_on_the_webhook() {
    let body = &bodies(&ask("post.create"))[0];
    assert_eq!(body["data"]["event_type"], "post.create");
    assert!(body.get("for_user_id").is_none());
    assert!(body["data"]["event_uuid"].as_str().unwrap().parse::<i64>().is_ok());
}

#[test]
fn activity_nests_messages() {
    let body = &bodies(&ask("dm.received"))[0];
    assert!(body["data"]["payload"]["direct_message_events"].is_array());
    assert!(body.get("direct_message_events").is_none());
}

#[test]
fn activity_identity() {
    for kind in ["post.create", "post.mention.create", "news.new"] {
        let data = &bodies(&ask(kind))[0]["data"];
        assert_eq!(data["event_uuid"], data["payload"]["id"], "{kind}");
    }
    let data = &bodies(&ask("post.repost.create"))[0]["data"];
    assert_ne!(data["event_uuid"], data["payload"]["id"]);
    let uuids = bodies(&ask("like.create").with_count(20));
    let is_negative = |body: &Value| body["data"]["event_uuid"].as_str().unwrap().starts_with('-');
    assert!(uuids.iter().any(is_negative) && !uuids.iter().all(is_negative));
}

#[test]
fn activity_filter() {
    let filter = |kind: &str| bodies(&ask(kind))[0]["data"]["filter"].clone();
    assert_eq!(filter("post.create"), json!({"user_id": "7"}));
    assert_eq!(filter("like.create"), json!({"user_id": "7", "direction": "outbound"}));
    assert!(filter("news.new")["keyword"].is_string());
    assert_eq!(filter("oauth.revoke"), json!({}));
}

#[test]
fn activity_author() {
    for what in ["mention", "reply", "quote", "repost"] {
        let data = &bodies(&ask(&format!("post.{what}.create")))[0]["data"];
        assert_eq!(data["filter"]["user_id"], "7");
        assert!(data["payload"]["author_id"].is_string());
        assert_ne!(data["payload"]["author_id"], "7", "{what}");
    }
}

#[test]
fn activity_like() {
    let payload = &bodies(&ask("like.create"))[0]["data"]["payload"];
    assert_eq!(payload["id"].as_str().map(str::len), Some(32));
    assert_eq!(payload["timestamp_ms"], "1763784000000");
    assert_eq!(payload["created_at"], "2025-11-22T04:00:00.000Z");
    assert!(payload["liked_tweet_id"].is_string() && payload["liked_tweet_author_id"].is_string());
}

#[test]
fn activity_revoke() {
    let payload = &bodies(&ask("oauth.revoke"))[0]["data"]["payload"];
    let told = json!({"date_time": "2025-11-22T04:00:00+00:00", "user_id": "7", "app_id": "100"});
    assert_eq!(payload, &told);
}

#[test]
fn activity_users() {
    for (kind, path) in [
        ("follow.follow", "/data/payload/source/data/id"),
        ("spaces.start", "/data/payload/user/data/id"),
        ("broadcast.chat", "/data/payload/author/data/id"),
        ("dm.sent", "/data/payload/users/7/data/id"),
        ("post.delete", "/data/includes/users/0/data/id"),
        // What a post includes is not so.
        ("post.create", "/data/includes/users/0/id"),
    ] {
        assert_eq!(bodies(&ask(kind))[0].pointer(path), Some(&json!("7")), "{kind}");
    }
}

#[test]
fn activity_chat() {
    let payload = &bodies(&ask("chat.received"))[0]["data"]["payload"];
    assert_eq!(payload.as_object().unwrap().len(), 9);
    let id = payload["id"].as_str().unwrap();
    let parts: Vec<_> = id.split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
}

#[test]
fn activity_without_sample() {
    let of = |kind: &str| bodies(&ask(kind))[0]["data"]["payload"].clone();
    for kind in ["mute.mute", "block.unblock"] {
        assert_eq!(of(kind)["source"]["data"]["id"], "7", "{kind}");
    }
    assert!(of("dm.read")["direct_message_mark_read_events"].is_array());
    assert!(of("dm.indicate_typing")["direct_message_indicate_typing_events"].is_array());
}

#[test]
fn stream_on_the_webhook() {
    let body = &bodies(&ask("filtered_stream"))[0];
    assert_eq!(body["data"]["author_id"], "7");
    assert!(body["matching_rules"][0]["id"].is_string());
}
