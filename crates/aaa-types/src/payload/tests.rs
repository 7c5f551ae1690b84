use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::*;
use crate::event::{Body, Event};

/// One item of each kind, with every member that a model names.
fn post() -> Value {
    let user = json!({"id": 1050118621198921700_u64, "id_str": "1050118621198921728",
        "name": "Seven", "screen_name": "seven", "location": null, "url": null,
        "description": "", "protected": false, "verified": false, "followers_count": 22,
        "friends_count": 45, "statuses_count": 494, "created_at": "Thu Jul 15 23:26:04 +0000 2010",
        "profile_image_url_https": "https://pbs.twimg.com/profile_images/1/a_normal.jpg",
        "following": null});
    let mention = json!({"id": 8, "id_str": "8", "screen_name": "eight", "name": "Eight",
        "indices": [0, 6]});
    let entities = json!({"hashtags": [{"text": "x", "indices": [7, 9]}],
        "symbols": [{"text": "X", "indices": [10, 12]}], "user_mentions": [mention],
        "urls": [{"url": "https://t.co/a", "expanded_url": "https://example.com/a",
            "display_url": "example.com/a", "indices": [13, 27]}]});
    let media = json!({"media": [{"id": 20, "id_str": "20", "type": "video", "indices": [28, 42],
        "media_url": "http://pbs.twimg.com/20.jpg", "media_url_https": "https://pbs.twimg.com/20.jpg",
        "url": "https://t.co/b", "expanded_url": "https://x.com/seven/status/20/video/1",
        "display_url": "pic.x.com/b", "sizes": {"small": {"w": 680, "h": 383, "resize": "fit"}},
        "video_info": {"aspect_ratio": [16, 9], "duration_millis": 30033, "variants": [
            {"content_type": "application/x-mpegURL", "url": "https://video.twimg.com/20.m3u8"},
            {"bitrate": 832000, "content_type": "video/mp4", "url": "https://video.twimg.com/20.mp4"}]}}]});
    let long = json!({"full_text": "@eight #x $X …", "display_text_range": [0, 2051],
        "entities": entities, "extended_entities": media});
    let inner = |id: &str| {
        json!({"id": 1, "id_str": id, "text": "inner …", "truncated": true,
        "extended_tweet": long, "user": {"id": 8, "id_str": "8"}})
    };
    let mut post = json!({"created_at": "Thu Oct 11 12:00:00 +0000 2018",
        "id": 1050118621198921000_u64, "id_str": "1050118621198921728", "text": "@eight …",
        "source": "<a href=\"https://x.com\">X</a>", "truncated": true, "extended_tweet": long,
        "display_text_range": [7, 140], "user": user, "entities": entities,
        "extended_entities": media, "quoted_status": inner("20"), "quoted_status_id": 20,
        "quoted_status_id_str": "20", "is_quote_status": true, "lang": "en",
        "timestamp_ms": "1539259200000", "geo": null, "favorited": false});
    let more = json!({"in_reply_to_status_id": 19, "in_reply_to_status_id_str": "19",
        "in_reply_to_user_id": 8, "in_reply_to_user_id_str": "8", "in_reply_to_screen_name": "eight",
        "retweeted_status": inner("18"),
        "edit_history": {"initial_tweet_id": "17", "edit_tweet_ids": ["17", "1050118621198921728"]},
        "edit_controls": {"editable_until_ms": 1539262800000_u64, "edits_remaining": "4",
            "is_edit_eligible": true}});
    let more = more.as_object().unwrap().clone();
    post.as_object_mut().unwrap().extend(more);
    post
}

fn direct_message() -> Value {
    json!({"type": "message_create", "id": "954491830116155396",
        "created_timestamp": "1516403560557", "initiated_via": {"tweet_id": "20",
            "welcome_message_id": "21"},
        "message_create": {"target": {"recipient_id": "7"}, "sender_id": "8",
            "source_app_id": "100", "message_data": {"text": "Hello https://t.co/c",
                "entities": {"hashtags": [], "symbols": [], "user_mentions": [], "urls": [
                    {"url": "https://t.co/c", "indices": [6, 20]}]},
                "quick_reply_response": {"type": "options", "metadata": "yes"},
                "attachment": {"type": "media", "media": {"id": 22, "id_str": "22",
                    "type": "animated_gif", "media_url_https": "https://ton.twitter.com/22.jpg",
                    "video_info": {"aspect_ratio": [1, 1], "variants": [{"bitrate": 0,
                        "content_type": "video/mp4", "url": "https://video.twimg.com/22.mp4"}]}}}}}})
}

fn items() -> [(&'static str, Value); 10] {
    let relation = json!({"type": "follow", "created_timestamp": "1517588749178",
        "target": {"id": "7", "screen_name": "seven", "location": ""},
        "source": {"id": "8", "created_timestamp": 1422556069340_u64}});
    [
        ("tweet_create_events", post()),
        (
            "tweet_delete_events",
            json!({"status": {"id": "1045405559317569537", "user_id": "7"},
            "timestamp_ms": "1432228155593"}),
        ),
        (
            "favorite_events",
            json!({"id": "a7ba59eab0bfcba386f7acedac279542",
            "created_at": "Mon Mar 26 16:33:26 +0000 2018", "timestamp_ms": 1522082006140_u64,
            "favorited_status": post(), "user": {"id": 7, "id_str": "7"}}),
        ),
        ("follow_events", relation),
        ("direct_message_events", direct_message()),
        (
            "direct_message_indicate_typing_events",
            json!({"created_timestamp": "1518127183443",
            "sender_id": "9", "target": {"recipient_id": "8"}}),
        ),
        (
            "direct_message_mark_read_events",
            json!({"created_timestamp": "1518452444662",
            "sender_id": "9", "target": {"recipient_id": "8"},
            "last_read_event_id": "963085315333238788"}),
        ),
        (
            "user_event",
            json!({"revoke": {"date_time": "2018-05-24T09:48:12+00:00",
            "target": {"app_id": "13090192"}, "source": {"user_id": "7"}}}),
        ),
        (
            "replay_job_status",
            json!({"webhook_id": "12", "job_state": "Incomplete",
            "job_state_description": "Job failed", "job_id": "13"}),
        ),
        (
            "post.create",
            json!({"event_uuid": "-6850472171600526495", "filter": {"user_id": "7"},
            "event_type": "post.create", "tag": "posts", "payload": {"id": "20", "text": "x"},
            "includes": {"users": [{"id": "7"}]}}),
        ),
    ]
}

fn context() -> Value {
    json!({"user_has_blocked": "false", "is_blocked_by": true,
        "users": {"8": {"id": "8", "created_timestamp": "1422556069340", "name": "Eight",
            "location": "null"}, "7": {"id": "7"}},
        "apps": {"100": {"id": "100", "name": "App", "url": "https://example.com"}}})
}

fn round<T: Serialize + DeserializeOwned>(text: &str) -> Option<Value> {
    let model: T = serde_json::from_str(text).ok()?;
    Some(serde_json::to_value(model).unwrap())
}

/// Decodes and encodes an item in the model of its kind.
fn again(kind: &str, text: &str) -> Option<Value> {
    match kind {
        "tweet_create_events" => round::<Post>(text),
        "tweet_delete_events" => round::<PostDelete>(text),
        "favorite_events" => round::<Favorite>(text),
        "follow_events" => round::<Relation>(text),
        "direct_message_events" => round::<DirectMessage>(text),
        "direct_message_indicate_typing_events" => round::<Typing>(text),
        "direct_message_mark_read_events" => round::<MarkRead>(text),
        "user_event" => round::<UserEvent>(text),
        "replay_job_status" => round::<ReplayJobStatus>(text),
        "post.create" => round::<Activity>(text),
        "context" => round::<DeliveryContext>(text),
        _ => panic!("no model of {kind}"),
    }
}

/// Visits every value inside, the outermost not included.
fn visit(value: &mut Value, f: &mut impl FnMut(&mut Value)) {
    let inner: Vec<&mut Value> = match value {
        Value::Object(members) => members.values_mut().collect(),
        Value::Array(items) => items.iter_mut().collect(),
        _ => Vec::new(),
    };
    for value in inner {
        visit(value, f);
        f(value);
    }
}

#[test]
fn complete_items_fit_and_come_back() {
    for (kind, item) in items() {
        let text = item.to_string();
        assert!(!matches!(Event::decode(kind, &text), Event::Unknown { .. }), "{kind}");
        assert_eq!(again(kind, &text).unwrap(), item, "{kind}");
    }
    assert_eq!(again("context", &context().to_string()).unwrap(), context());
}

/// The fixtures are read into fields: only what no model names is left over.
#[test]
fn named_members_become_fields() {
    let post: Post = serde_json::from_value(post()).unwrap();
    let left = |extra: &Extra| extra.keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        left(&post.extra),
        "favorited geo id in_reply_to_status_id in_reply_to_user_id quoted_status_id source"
    );
    assert_eq!(left(&post.user.as_ref().unwrap().extra), "following location url");
    assert_eq!(left(&post.media()[0].extra), "id media_url sizes");
    assert_eq!(left(&post.full_entities().unwrap().extra), "");
    assert_eq!(left(&post.edit_controls.as_ref().unwrap().extra), "");
    assert_eq!(left(&post.edit_history.as_ref().unwrap().extra), "");
    let message: DirectMessage = serde_json::from_value(direct_message()).unwrap();
    let data = &message.message_create.message_data;
    assert_eq!(left(&message.extra) + &left(&data.extra), "");
    assert_eq!(left(&data.entities.as_ref().unwrap().extra), "hashtags symbols user_mentions");
    let context: DeliveryContext = serde_json::from_value(context()).unwrap();
    assert_eq!(left(&context.extra), "");
}

#[test]
fn null_and_odd_shapes_stay_where_they_are() {
    let text = r#"{"entities":{"urls":null,"hashtags":[1]},"id_str":"1","lang":7,"text":null,"truncated":"yes"}"#;
    let post: Post = serde_json::from_str(text).unwrap();
    assert_eq!((post.text.as_deref(), post.truncated), (None, None));
    assert_eq!(serde_json::to_value(&post).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    // A field that is set wins over what came.
    let changed = Post { text: Some("new".to_owned()), ..post };
    let json = serde_json::to_string(&changed).unwrap();
    assert_eq!(json.matches(r#""text""#).count(), 1);
    assert!(json.contains(r#""text":"new""#), "{json}");
}

#[test]
fn a_member_that_comes_twice_is_kept_by_not_fitting() {
    for payload in [r#"{"id_str":"1","a":1,"a":2}"#, r#"{"id_str":"1","id_str":"1"}"#] {
        assert!(
            matches!(Event::decode("tweet_create_events", payload), Event::Unknown { payload: kept, .. } if kept == payload)
        );
    }
}

/// Further inside, the last one counts, whether it fits or not.
#[test]
fn a_member_that_comes_twice_further_inside() {
    let read = |user: &str| {
        let text = format!(r#"{{"id_str":"1","user":{user}}}"#);
        let post: Post = serde_json::from_str(&text).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_value(&post).unwrap(), value, "{text}");
        post.user.unwrap()
    };
    assert_eq!(read(r#"{"name":"a","name":"b"}"#).name.as_deref(), Some("b"));
    let user = read(r#"{"name":7,"name":"b"}"#);
    assert_eq!((user.name.as_deref(), user.extra.len()), (Some("b"), 0));
    assert_eq!(read(r#"{"name":"a","name":7}"#).extra["name"], 7);
    assert_eq!(read(r#"{"new":"a","new":7}"#).extra["new"], 7);
    let context = r#"{"users":{"7":1,"7":{"id":"7"},"8":{"id":1},"8":{"id":"8"}}}"#;
    let context: DeliveryContext = serde_json::from_str(context).unwrap();
    assert_eq!(context.users["7"].id().as_deref(), Some("7"));
    assert_eq!(context.users["8"].id().as_deref(), Some("8"));
}

/// What was read already goes back to the rest: of a model that lacks something, of a list with an
/// item of another shape, of a pair that is none.
#[test]
fn what_does_not_fit_in_the_end_is_whole() {
    for (member, value) in [
        ("quoted_status", r#"{"text":"no id","truncated":true,"lang":7,"user":{"id":7},"new":1}"#),
        ("entities", r#"{"media":[{"id_str":"1","indices":[1,2]},2,{"url":"x"}]}"#),
        (
            "entities",
            r#"{"hashtags":[{"indices":[1]},{"indices":[1,2,3,"4"]},{"indices":["1",2]}]}"#,
        ),
        ("display_text_range", "[]"),
        ("edit_controls", r#"{"edits_remaining":-1.5,"editable_until_ms":-5}"#),
    ] {
        let text = format!(r#"{{"id_str":"1","{member}":{value}}}"#);
        let post: Post = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&post).unwrap().len(), text.len(), "{post:?}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_value(&post).unwrap(), value);
    }
}

#[test]
fn what_is_missing_is_named() {
    let error = |json: &str| serde_json::from_str::<Favorite>(json).unwrap_err().to_string();
    insta::assert_snapshot!(
        error(r#"{"user":{}}"#),
        @"missing field `favorited_status` at line 1 column 11"
    );
    insta::assert_snapshot!(
        error(r#"{"user":7,"favorited_status":{"id_str":"1"}}"#),
        @"the member `user` has another shape than expected at line 1 column 44"
    );
    insta::assert_snapshot!(
        error(r#"{"user":{},"user":{}}"#),
        @"the member `user` comes twice at line 1 column 21"
    );
}

/// A text, a reader and a tree are read alike, though only a text can be borrowed from.
#[test]
fn whatever_is_read_from() {
    let (from_tree, text) = (serde_json::from_value::<Post>(post()).unwrap(), post().to_string());
    assert_eq!(serde_json::from_str::<Post>(&text).unwrap(), from_tree);
    assert_eq!(serde_json::from_reader::<_, Post>(text.as_bytes()).unwrap(), from_tree);
}

/// As deep as the parser goes, on a stack as small as a worker's.
/// Where somebody was may need every digit that a double has.
#[test]
fn fractions_keep_their_value() {
    let mut item = post();
    item["coordinates"] = json!({"type": "Point", "coordinates": [0, 1]});
    let text = item.to_string().replace("[0,1]", "[-122.41941550000001,31.245270191439438]");
    let again = again("tweet_create_events", &text).unwrap().to_string();
    assert!(again.contains("[-122.41941550000001,31.245270191439438]"), "{again}");
}

#[test]
fn deep_nesting_needs_little_stack() {
    let nested = |depth: usize| {
        let open = r#"{"id_str":"1","retweeted_status":"#.repeat(depth);
        format!(r#"{open}{{"id_str":"1"}}{}"#, "}".repeat(depth))
    };
    let decode = move || {
        let fits = Event::decode("tweet_create_events", &nested(126));

        let Event::Post(post) = fits else { panic!("too deep already") };
        assert!(serde_json::to_string(&post).is_ok());
        assert!(matches!(
            Event::decode("tweet_create_events", &nested(128)),
            Event::Unknown { .. }
        ));
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(decode).unwrap().join().unwrap();
}

fn odd_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "[a-z0-9]{0,5}".prop_map(Value::from),
        Just(json!("null")),
        Just(json!("true")),
        Just(json!([])),
        Just(json!({})),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Unknown members, at any depth, never change whether an item fits, and none is lost.
    #[test]
    fn unknown_members_survive(
        which in 0..10_usize,
        name in "zz[a-z]{0,4}",
        values in prop::collection::vec(odd_value(), 1..6),
    ) {
        let (kind, mut item) = items()[which].clone();
        let mut values = values.iter().cycle();
        let mut add = |value: &mut Value| if let Value::Object(members) = value {
            members.insert(name.clone(), values.next().unwrap().clone());
        };
        add(&mut item);
        visit(&mut item, &mut add);
        let text = item.to_string();
        let unknown = matches!(Event::decode(kind, &text), Event::Unknown { .. });
        prop_assert!(!unknown);
        prop_assert_eq!(again(kind, &text), Some(item));
    }

    /// Whatever is replaced by whatever: what fits comes back the same, the rest is unknown.
    #[test]
    fn changed_members_survive(
        which in 0..11_usize,
        place in any::<prop::sample::Index>(),
        odd in odd_value(),
    ) {
        let (kind, mut item) = items().get(which).cloned().unwrap_or_else(|| ("context", context()));
        let mut count = 0;
        visit(&mut item, &mut |_| count += 1);
        let mut left = place.index(count);
        visit(&mut item, &mut |value| {
            if left == 0 {
                *value = odd.clone();
            }
            left = left.wrapping_sub(1);
        });
        let text = item.to_string();
        let came_back = again(kind, &text);
        if kind == "context" {
            prop_assert!(came_back.is_some());
        } else {
            let unknown = matches!(Event::decode(kind, &text), Event::Unknown { .. });
            prop_assert_eq!(came_back.is_none(), unknown);
        }
        if let Some(mut came_back) = came_back {
            if kind == "replay_job_status" {
                // A number is the same identifier as its digits.
                for name in ["webhook_id", "job_id"] {
                    if item[name].is_u64() {
                        came_back[name] = item[name].clone();
                    }
                }
            }
            prop_assert_eq!(came_back, item);
        }
    }

    #[test]
    fn arbitrary_text_never_panics(which in 0..10_usize, text in ".*", cut in any::<prop::sample::Index>()) {
        let (kind, item) = &items()[which];
        drop(Event::decode(kind, &text));
        let item = item.to_string();
        let end = cut.index(item.len());
        drop(Event::decode(kind, &String::from_utf8_lossy(&item.as_bytes()[..end])));
        if let Ok(body) = Body::parse(text.as_bytes()) {
            drop(body.context().decode());
        }
    }
}
