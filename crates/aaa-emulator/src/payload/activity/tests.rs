use aaa_types::event::Body;

use super::*;
use crate::{
    bodies::ACTIVITY_KINDS,
    payload::{STRANGER, tests::fresh},
};

/// The members of X's samples, by event type: of the filter, the payload and what is included.
const SAMPLES: [(&str, &str, &str, Option<&str>); 27] = [
    ("post.create", "user_id", POST_CREATED, Some("tweets users")),
    ("post.delete", "user_id", "author_id id", Some("users")),
    ("post.mention.create", "user_id", POST_CREATED, Some("tweets users")),
    (
        "post.reply.create",
        "user_id",
        "author_id conversation_id created_at display_text_range edit_history_tweet_ids entities id \
         in_reply_to_tweet_id in_reply_to_user_id lang paid_partnership possibly_sensitive \
         public_metrics referenced_tweets reply_settings text",
        Some(""),
    ),
    ("post.quote.create", "user_id", POST_REFERRING, Some("")),
    ("post.repost.create", "user_id", POST_REFERRING, Some("")),
    (
        "like.create",
        "direction user_id",
        "created_at id liked_tweet_author_id liked_tweet_id timestamp_ms",
        Some("tweets users"),
    ),
    ("follow.follow", "user_id", "source target", None),
    ("follow.unfollow", "user_id", "source target", None),
    ("profile.update.bio", "user_id", "after before", None),
    ("profile.update.profile_picture", "user_id", "after before", None),
    ("profile.update.banner_picture", "user_id", "after before", None),
    ("profile.update.screenname", "user_id", "after before", None),
    ("profile.update.geo", "user_id", "after before", None),
    ("profile.update.url", "user_id", "after before", None),
    ("chat.sent", "user_id", CHAT, None),
    ("chat.received", "user_id", CHAT, None),
    ("dm.sent", "user_id", "direct_message_events users", None),
    ("dm.received", "user_id", "direct_message_events users", None),
    ("spaces.start", "user_id", "broadcast_id event_type user", None),
    ("spaces.end", "user_id", "broadcast_id event_type user", None),
    ("broadcast.start", "user_id", BROADCAST, None),
    (
        "broadcast.end",
        "user_id",
        "available_for_replay broadcast_id broadcast_state created_timestamp_ms \
         created_timestamp_ms_str duration_ms duration_ms_str event_timestamp_ms \
         event_timestamp_ms_str language thumbnail_url title updated_timestamp_ms \
         updated_timestamp_ms_str user",
        None,
    ),
    ("broadcast.chat", "user_id", "author broadcast_id message message_id", None),
    (
        "news.new",
        "keyword",
        "category cluster_posts_results contexts disclaimer hook id name summary updated_at",
        None,
    ),
    ("oauth.revoke", "", "app_id date_time user_id", None),
    // There is no sample of this one.
    ("mute.mute", "user_id", "source target", None),
];

/// The sample of `post.create` has no link, so no entities either.
const POST_CREATED: &str = "author_id conversation_id created_at display_text_range edit_controls \
     edit_history_tweet_ids entities id lang paid_partnership possibly_sensitive public_metrics \
     reply_settings text";

const POST_REFERRING: &str = "author_id conversation_id created_at display_text_range \
     edit_history_tweet_ids entities id lang paid_partnership possibly_sensitive public_metrics \
     referenced_tweets reply_settings text";

const CHAT: &str = "conversation_id conversation_key_change_event conversation_key_version \
     conversation_token created_at_msec encoded_event id message_event_signature sender_id";

const BROADCAST: &str = "available_for_replay broadcast_id broadcast_state created_timestamp_ms \
     created_timestamp_ms_str event_timestamp_ms event_timestamp_ms_str language thumbnail_url title \
     updated_timestamp_ms updated_timestamp_ms_str user";

fn made(event_type: &str, given: Value) -> Value {
    event(event_type, "7".parse().unwrap(), &fresh(0), Some(&given))
}

fn members(value: &Value) -> String {
    let names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.join(" ")
}

#[test]
fn event_types_are_words_with_dots() {
    for good in ["post.create", "profile.update.bio", "dm.indicate_typing", "a.b"] {
        assert!(is_event_type(good), "{good}");
    }
    for bad in ["", ".", "post", "post.", ".create", "Post.create", "a b.c", "a..b"] {
        assert!(!is_event_type(bad), "{bad}");
    }
}

#[test]
fn everything_has_the_members_of_its_sample() {
    for (event_type, filter, payload, includes) in SAMPLES {
        assert!(ACTIVITY_KINDS.contains(&event_type), "{event_type}");
        let made = made(event_type, json!({}));
        assert_eq!(members(&made["filter"]), filter, "{event_type}");
        assert_eq!(members(&made["payload"]), payload, "{event_type}");
        assert_eq!(made.get("includes").map(members).as_deref(), includes, "{event_type}");
        assert_eq!(made.get("tag").is_none(), event_type == "oauth.revoke");
    }
}

#[test]
fn who_is_who() {
    let of = |event_type: &str, paths: &[&str]| -> Vec<String> {
        let made = made(event_type, json!({}));
        let text = |path: &&str| made.pointer(path).unwrap().as_str().unwrap().to_owned();
        paths.iter().map(text).collect()
    };
    let other = STRANGER.to_string();
    for event_type in
        ["mention", "reply", "quote", "repost"].map(|what| format!("post.{what}.create"))
    {
        let told = of(&event_type, &["/filter/user_id", "/payload/author_id"]);
        assert_eq!(told, ["7", &other], "{event_type}");
    }
    assert_eq!(of("post.create", &["/payload/author_id"]), ["7"]);
    let users = ["/includes/users/0/id", "/includes/users/1/id", "/payload/entities/mentions/0/id"];
    assert_eq!(of("post.mention.create", &users), [other.as_str(), "7", "7"]);
    let reply = ["/payload/in_reply_to_user_id", "/payload/in_reply_to_tweet_id"];
    assert_eq!(of("post.reply.create", &reply), ["7", "1992085000012345679"]);
    let like = ["/payload/liked_tweet_author_id", "/includes/users/0/id", "/filter/direction"];
    assert_eq!(of("like.create", &like), [other.as_str(), other.as_str(), "outbound"]);
    let sides = ["/payload/source/data/id", "/payload/target/data/id"];
    assert_eq!(of("follow.unfollow", &sides), ["7", &other]);
    let sender = "/payload/direct_message_events/0/message_create/sender_id";
    let user = format!("/payload/users/{other}/data/id");
    assert_eq!(of("dm.sent", &[sender, &user]), ["7", &other]);
    assert_eq!(of("dm.received", &[sender, &user]), [other.as_str(), other.as_str()]);
    assert_eq!(of("chat.sent", &["/payload/sender_id"]), ["7"]);
    assert_eq!(of("chat.received", &["/payload/sender_id"]), [other]);
    assert_eq!(
        of("spaces.end", &["/payload/event_type", "/payload/user/data/id"]),
        ["spaces_end", "7"]
    );
    assert_eq!(of("broadcast.end", &["/payload/broadcast_state"]), ["Ended"]);
}

#[test]
fn places_in_texts_are_right() {
    for event_type in
        ["post.create", "post.mention.create", "post.reply.create", "post.quote.create"]
    {
        let post = &made(event_type, json!({}))["payload"];
        let text: Vec<char> = post["text"].as_str().unwrap().chars().collect();
        let part = |range: (&Value, &Value)| -> String {
            let end = |end: &Value| usize::try_from(end.as_u64().unwrap()).unwrap();
            text[end(range.0)..end(range.1)].iter().collect()
        };
        for place in ["mentions", "urls"].iter().flat_map(|name| post["entities"][name].as_array())
        {
            let place = &place[0];
            let there = part((&place["start"], &place["end"]));
            assert!(there == "@user7" || place["url"] == *there, "{event_type}: {there}");
            assert_eq!(place["start_str"], place["start"].to_string());
        }
        let shown = part((&post["display_text_range"][0], &post["display_text_range"][1]));
        assert_eq!(shown, shown.trim(), "{event_type}");
    }
}

/// A post, a mention and a story are named by their own id, also where the caller gives it.
#[test]
fn identities_follow_ids() {
    let key = |event_type: &str, given: Value| {
        let body = json!({"data": made(event_type, given)}).to_string();
        Body::parse(body.as_bytes()).unwrap().events()[0].identity().to_string()
    };
    for event_type in NAMED_BY_ID {
        assert_eq!(key(event_type, json!({})), format!("/{event_type}:1992085043712345677"));
        let given = json!({"payload": {"id": "21"}});
        assert_eq!(key(event_type, given), format!("/{event_type}:21"));
        let given = json!({"payload": {"id": "21"}, "event_uuid": "-5"});
        assert_eq!(key(event_type, given), format!("/{event_type}:-5"));
    }
    for event_type in ACTIVITY_KINDS.iter().filter(|kind| !NAMED_BY_ID.contains(kind)) {
        assert_eq!(key(event_type, json!({})), format!("/{event_type}:-859589726103760815"));
    }
}

#[test]
fn what_is_given_stands_and_the_rest_agrees() {
    let post = made("post.create", json!({"payload": {"id": "21", "author_id": "9"}}));
    assert_eq!(post["payload"]["edit_history_tweet_ids"], json!(["21"]));
    assert_eq!(post["payload"]["conversation_id"], "21");
    assert_eq!(post["includes"]["tweets"][0], post["payload"]);
    assert_eq!(post["includes"]["users"][0]["username"], "user9");
    let reply = made("post.reply.create", json!({"payload": {"id": "21"}}));
    assert_eq!(reply["payload"]["conversation_id"], "1992085000012345679");
    let odd = made("dm.sent", json!({"payload": 5, "filter": null, "includes": [1]}));
    assert_eq!(
        (&odd["payload"], &odd["filter"], &odd["includes"]),
        (&json!(5), &Value::Null, &json!([1]))
    );
    let odd = made("post.create", json!({"payload": {"id": 5, "author_id": null, "entities": 1}}));
    assert_eq!(odd["includes"]["users"], json!([]));
}

/// A few of them whole, but for users and posts.
#[test]
fn some_in_full() {
    let told: Vec<_> = ["like.create", "chat.received", "spaces.start", "oauth.revoke"]
        .map(|event_type| made(event_type, json!({})))
        .into_iter()
        .map(|mut made| {
            for path in ["/payload/user/data", "/includes"] {
                made.pointer_mut(path).into_iter().for_each(|inner| *inner = json!("…"));
            }
            made
        })
        .collect();
    insta::assert_json_snapshot!(told, @r#"
    [
      {
        "event_type": "like.create",
        "event_uuid": "-859589726103760815",
        "filter": {
          "direction": "outbound",
          "user_id": "7"
        },
        "includes": "…",
        "payload": {
          "created_at": "2025-11-22T04:13:20.000Z",
          "id": "a7ba59eab0bfcba386f7acedac279542",
          "liked_tweet_author_id": "2244994945",
          "liked_tweet_id": "1992085000012345679",
          "timestamp_ms": "1763784800123"
        },
        "tag": "emulator"
      },
      {
        "event_type": "chat.received",
        "event_uuid": "-859589726103760815",
        "filter": {
          "user_id": "7"
        },
        "payload": {
          "conversation_id": "2244994945:7",
          "conversation_key_change_event": "CwABAAAAEzE5OTIwODUwMDAwMTIzNDU2NzkA",
          "conversation_key_version": "1736723828667",
          "conversation_token": "eyJhbGciOiJIUzI1NiJ9.eyJyZXF1ZXN0aW5nVXNlcklkIjoiNyJ9.YTdiYTU5ZWFiMGJmY2JhMzg2ZjdhY2VkYWMyNzk1NDI",
          "created_at_msec": "1763784800123",
          "encoded_event": "CwABAAAAEzE5OTIwODUwNDM3MTIzNDU2NzcA",
          "id": "a7ba59ea-b0bf-4ba3-86f7-acedac279542",
          "message_event_signature": {
            "public_key_version": "1736723828667",
            "signature": "YTdiYTU5ZWFiMGJmY2JhMzg2ZjdhY2VkYWMyNzk1NDJhN2JhNTllYWIwYmZjYmEzODZmN2FjZWRhYzI3OTU0Mg",
            "signature_version": "7",
            "signing_public_key": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwNw=="
          },
          "sender_id": "2244994945"
        },
        "tag": "emulator"
      },
      {
        "event_type": "spaces.start",
        "event_uuid": "-859589726103760815",
        "filter": {
          "user_id": "7"
        },
        "payload": {
          "broadcast_id": "102N9lmJpEMP7",
          "event_type": "spaces_start",
          "user": {
            "data": "…"
          }
        },
        "tag": "emulator"
      },
      {
        "event_type": "oauth.revoke",
        "event_uuid": "-859589726103760815",
        "filter": {},
        "payload": {
          "app_id": "100",
          "date_time": "2025-11-22T04:13:20+00:00",
          "user_id": "7"
        }
      }
    ]
    "#);
}
