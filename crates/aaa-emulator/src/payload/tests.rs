use aaa_types::event::{Body, Event};

use super::*;
use crate::settings::BlockedFlag;

pub(super) fn fresh(variety: u64) -> Fresh {
    let now: Timestamp = "2025-11-22T04:13:20.123Z".parse().unwrap();
    Fresh {
        now,
        id: 1_992_085_043_712_345_677,
        older_id: 1_992_085_000_012_345_679,
        hex: "a7ba59eab0bfcba386f7acedac279542".into(),
        variety,
        stranger: STRANGER,
        revoked_at: now,
    }
}

fn item(kind: &str, variety: u64, payload: Value) -> Item {
    Item::new(kind, user(7), Some(&payload), &fresh(variety))
}

fn user(id: u64) -> UserId {
    UserId::try_from(id).unwrap()
}

fn key(item: &Item) -> String {
    Body::parse(&item.body(user(7), BlockedFlag::Bool.into())).unwrap().events()[0]
        .identity()
        .to_string()
}

#[test]
fn every_kind_has_the_identity_that_receivers_derive() {
    for (kind, expected) in [
        ("tweet_create_events", "7/tweet_create_events:1992085043712345677"),
        ("tweet_delete_events", "7/tweet_delete_events:1992085000012345679"),
        ("favorite_events", "7/favorite_events:a7ba59eab0bfcba386f7acedac279542"),
        ("follow_events", "7/follow_events:follow:7:2244994945:1763784800123"),
        ("unblock_events", "7/unblock_events:unblock:7:2244994945:1763784800123"),
        ("mute_events", "7/mute_events:mute:7:2244994945:1763784800123"),
        ("direct_message_events", "7/direct_message_events:1992085043712345677"),
        (
            "direct_message_indicate_typing_events",
            "7/direct_message_indicate_typing_events:1763784800123:7:2244994945",
        ),
        (
            "direct_message_mark_read_events",
            "7/direct_message_mark_read_events:1763784800123:7:2244994945:1992085000012345679",
        ),
        ("user_event", "/user_event:2025-11-22T04:13:20+00:00:100:7"),
    ] {
        assert!(is_kind(kind));
        for variety in 0..6 {
            assert_eq!(key(&item(kind, variety, json!({}))), expected);
        }
    }
}

#[test]
fn every_variety_decodes() {
    for kind in ["tweet_create_events", "favorite_events", "follow_events", "direct_message_events"]
    {
        for variety in 0..6 {
            let body = item(kind, variety, json!({})).body(user(7), BlockedFlag::Bool.into());
            let event = Body::parse(&body).unwrap().events()[0].decode();
            assert!(!matches!(event, Event::Unknown { .. }), "{kind} {variety}");
        }
    }
}

#[test]
fn traps_are_set() {
    let plain = item("tweet_create_events", 0, json!({}));
    assert_ne!(plain.value["id"].as_u64(), plain.value["id_str"].as_str().unwrap().parse().ok());
    let text = String::from_utf8(plain.body(user(7), BlockedFlag::Bool.into()).to_vec()).unwrap();
    assert!(text.contains(r"https:\/\/t.co\/example") && !text.contains("://"));
    assert!(!text.is_ascii());
    assert!(item("tweet_create_events", 1, json!({})).value["extended_tweet"].is_object());
    assert!(item("favorite_events", 0, json!({})).value["timestamp_ms"].is_number());
    assert!(item("tweet_delete_events", 0, json!({})).value["timestamp_ms"].is_string());
    let apps = |variety| {
        let body = item("direct_message_events", variety, json!({}))
            .body(user(7), BlockedFlag::Bool.into());
        serde_json::from_slice::<Value>(&body).unwrap().get("apps").is_some()
    };
    assert!(apps(0) && !apps(3));
}

#[test]
fn a_payload_is_merged_and_decides_who_is_concerned() {
    let payload = json!({"message_create": {
        "target": {"recipient_id": "8"}, "message_data": {"text": "hallo"},
    }});
    let message = item("direct_message_events", 0, payload);
    assert_eq!(message.parties(Relations::ByUserOrOfUser), [user(7), user(8)]);
    assert_eq!(message.value["message_create"]["message_data"]["text"], "hallo");
    assert!(message.value["message_create"]["message_data"]["entities"].is_object());
    let body: Value =
        serde_json::from_slice(&message.body(user(8), BlockedFlag::Bool.into())).unwrap();
    assert_eq!(body["for_user_id"], "8");
    assert_eq!(body["users"]["8"]["screen_name"], "user8");

    let mention = json!({"entities": {"user_mentions": [{"id_str": "9"}]}});
    let post = item("tweet_create_events", 0, mention);
    assert_eq!(post.parties(Relations::ByUser), [user(7), user(9)]);
    let blocked = |for_user| {
        let body: Value =
            serde_json::from_slice(&post.body(user(for_user), BlockedFlag::Bool.into())).unwrap();
        body.get("user_has_blocked").cloned()
    };
    assert_eq!((blocked(7), blocked(9)), (None, Some(Value::Bool(false))));
}

#[test]
fn relations_concern_both_or_one() {
    let target = json!({"target": {"id": "8"}});
    for (kind, relations, expected) in [
        ("follow_events", Relations::ByUser, 2),
        ("unfollow_events", Relations::ByUser, 1),
        ("block_events", Relations::ByUser, 1),
        ("block_events", Relations::ByUserOrOfUser, 2),
    ] {
        let parties = item(kind, 0, target.clone()).parties(relations);
        assert_eq!(parties.len(), expected, "{kind} {relations:?}");
    }
}

#[test]
fn an_unknown_kind_carries_its_payload() {
    let item = item("brand_new_events", 3, json!({"a": [1, "b/c"]}));
    let expected = br#"{"for_user_id":"7","brand_new_events":[{"a":[1,"b\/c"]}]}"#;
    assert_eq!(item.body(user(7), BlockedFlag::Bool.into()), expected.as_slice());
    assert!(key(&item).starts_with("7/brand_new_events:sha256:"));
    assert!(!is_kind("_events") && !is_kind("tweet_create_event"));
}

#[test]
fn a_repost_is_not_for_those_whom_it_merely_mentions() {
    let mentions = json!({"user_mentions": [{"id_str": "9"}, {"id_str": "8"}]});
    let original = json!({"user": {"id_str": "8"}});
    let repost = json!({"entities": mentions, "retweeted_status": original});
    let repost = item("tweet_create_events", 0, repost);
    assert_eq!(repost.parties(Relations::ByUser), [user(7), user(8)]);
}

#[test]
fn other_products_share_the_webhook() {
    for kind in crate::bodies::ACTIVITY_KINDS {
        let made = item(kind, 0, json!({"tag": "mine"}));
        let body = made.body(user(7), BlockedFlag::Bool.into());
        assert!(!made.names_user() && made.parties(Relations::ByUser) == [user(7)], "{kind}");
        let body = Body::parse(&body).unwrap();
        let [event] = body.events().try_into().unwrap();
        assert_eq!(event.identity().kind(), kind);
        let Event::Activity(activity) = event.decode() else { panic!("{kind}") };
        assert_eq!(activity.tag.as_deref(), Some("mine"));
        assert!(activity.event_uuid.is_some());
    }
    let streamed = item(STREAMED, 0, json!({"data": {"text": "hi"}}));
    let body: Value =
        serde_json::from_slice(&streamed.body(user(7), BlockedFlag::Bool.into())).unwrap();
    assert_eq!((&body["data"]["text"], &body["data"]["author_id"]), (&json!("hi"), &json!("7")));
    assert!(body["matching_rules"][0]["id"].is_string() && body.get("for_user_id").is_none());
}

/// Who is named by one of their ids is named by all of them, but for what was given as well.
#[test]
fn ids_that_are_given_bring_the_rest() {
    let shown = |kind: &str, payload: Value, paths: &[&str]| -> Vec<Value> {
        let item = Item::new(kind, user(7), Some(&payload), &fresh(0));
        paths.iter().map(|path| item.value.pointer(path).cloned().unwrap_or_default()).collect()
    };
    let post = json!({
        "id_str": "9007199254740993", "in_reply_to_user_id_str": "8",
        "user": {"id_str": "9"}, "quoted_status": {"user": {"id": 10, "name": "Ann"}},
    });
    let paths = [
        "/id",
        "/in_reply_to_user_id",
        "/in_reply_to_screen_name",
        "/user/id",
        "/user/screen_name",
        "/user/name",
        "/quoted_status/user/id_str",
        "/quoted_status/user/screen_name",
        "/quoted_status/user/name",
    ];
    let told =
        json!(
            [9_007_199_254_740_992_u64, 8, "user8", 9, "user9", "User 9", "10", "user10", "Ann",]
        );
    assert_eq!(json!(shown("tweet_create_events", post, &paths)), told);
    let follow = json!({"target": {"id": "8"}, "source": {"id": "9", "screen_name": "ann"}});
    let paths = ["/target/screen_name", "/target/name", "/source/screen_name", "/source/name"];
    let told = ["user8", "User 8", "ann", "User 9"];
    assert_eq!(shown("follow_events", follow, &paths), told);
    let like = json!({"user": {"id_str": "8"}, "favorited_status": {"user": {"id_str": "9"}}});
    let paths = ["/user/id", "/favorited_status/user/screen_name"];
    assert_eq!(json!(shown("favorite_events", like, &paths)), json!([8, "user9"]));
    // What does not fit is left as it is.
    let odd = json!({"id_str": "x", "user": [1], "in_reply_to_user_id_str": 5});
    assert_eq!(shown("tweet_create_events", odd, &["/user", "/id_str"]), [json!([1]), json!("x")]);
}
