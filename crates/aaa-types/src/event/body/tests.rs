use proptest::prelude::*;

use super::*;
use crate::event::Involvement;

/// One line per event: identity, time, payload length, then the context.
fn describe(body: &str) -> String {
    let body = Body::parse(body.as_bytes()).unwrap();
    let mut text = String::new();
    for event in body.events() {
        let time = event.occurred_at().map_or("no time".to_owned(), |t| t.to_string());
        text += &format!("{} at {time} = {}\n", event.identity(), event.payload());
    }
    text + &format!("context {}", serde_json::to_string(&body.context()).unwrap())
}

#[test]
fn identities_of_all_kinds() {
    let post = r#"{"for_user_id":"7","tweet_create_events":[{"id":1050118621198921700,"id_str":"1050118621198921728"}],"user_has_blocked":"false"}"#;
    insta::assert_snapshot!(describe(post), @r#"
    7/tweet_create_events:1050118621198921728 at 2018-10-10T20:19:24.211Z = {"id":1050118621198921700,"id_str":"1050118621198921728"}
    context {"user_has_blocked":"false"}
    "#);
    let delete = r#"{"for_user_id":"7","tweet_delete_events":[{"status":{"id":"1045405559317569537","user_id":"7"},"timestamp_ms":"1432228155593"}]}"#;
    insta::assert_snapshot!(describe(delete), @r#"
    7/tweet_delete_events:1045405559317569537 at 2015-05-21T17:09:15.593Z = {"status":{"id":"1045405559317569537","user_id":"7"},"timestamp_ms":"1432228155593"}
    context {}
    "#);
    let favorite = r#"{"for_user_id":"7","favorite_events":[{"id":"a7ba59eab0bfcba386f7acedac279542","timestamp_ms":1522082006140},{"user":{"id":8,"id_str":"8"},"favorited_status":{"id_str":"20"},"created_at":"Mon Mar 26 16:33:26 +0000 2018"}]}"#;
    insta::assert_snapshot!(describe(favorite), @r#"
    7/favorite_events:a7ba59eab0bfcba386f7acedac279542 at 2018-03-26T16:33:26.14Z = {"id":"a7ba59eab0bfcba386f7acedac279542","timestamp_ms":1522082006140}
    7/favorite_events:8:20 at 2018-03-26T16:33:26Z = {"user":{"id":8,"id_str":"8"},"favorited_status":{"id_str":"20"},"created_at":"Mon Mar 26 16:33:26 +0000 2018"}
    context {}
    "#);
    let relations = r#"{"for_user_id":"7","follow_events":[{"type":"follow","created_timestamp":"1517588749178","target":{"id":"8"},"source":{"id":"7"}}],"unmute_events":[{"type":"unmute","created_timestamp":"1517588749178","target":{"id":"8"},"source":{"id":"7"}}]}"#;
    insta::assert_snapshot!(describe(relations), @r#"
    7/follow_events:follow:7:8:1517588749178 at 2018-02-02T16:25:49.178Z = {"type":"follow","created_timestamp":"1517588749178","target":{"id":"8"},"source":{"id":"7"}}
    7/unmute_events:unmute:7:8:1517588749178 at 2018-02-02T16:25:49.178Z = {"type":"unmute","created_timestamp":"1517588749178","target":{"id":"8"},"source":{"id":"7"}}
    context {}
    "#);
    let messages = r#"{"for_user_id":"7","direct_message_events":[{"type":"message_create","id":"954491830116155396","created_timestamp":"1516403560557"}],"users":{"7":{"id":"7"}},"apps":{}}"#;
    insta::assert_snapshot!(describe(messages), @r#"
    7/direct_message_events:954491830116155396 at 2018-01-19T23:12:40.557Z = {"type":"message_create","id":"954491830116155396","created_timestamp":"1516403560557"}
    context {"users":{"7":{"id":"7"}},"apps":{}}
    "#);
    let typing = r#"{"for_user_id":"7","direct_message_indicate_typing_events":[{"created_timestamp":"1518127183443","sender_id":"9","target":{"recipient_id":"8"}}]}"#;
    insta::assert_snapshot!(describe(typing), @r#"
    7/direct_message_indicate_typing_events:1518127183443:9:8 at 2018-02-08T21:59:43.443Z = {"created_timestamp":"1518127183443","sender_id":"9","target":{"recipient_id":"8"}}
    context {}
    "#);
    let read = r#"{"for_user_id":"7","direct_message_mark_read_events":[{"created_timestamp":"1518452444662","sender_id":"9","target":{"recipient_id":"8"},"last_read_event_id":"963085315333238788"}]}"#;
    insta::assert_snapshot!(describe(read), @r#"
    7/direct_message_mark_read_events:1518452444662:9:8:963085315333238788 at 2018-02-12T16:20:44.662Z = {"created_timestamp":"1518452444662","sender_id":"9","target":{"recipient_id":"8"},"last_read_event_id":"963085315333238788"}
    context {}
    "#);
    let revoke = r#"{"user_event":{"revoke":{"date_time":"2018-05-24T09:48:12+00:00","target":{"app_id":"13090192"},"source":{"user_id":"63046977"}}}}"#;
    insta::assert_snapshot!(describe(revoke), @r#"
    /user_event:2018-05-24T09:48:12+00:00:13090192:63046977 at 2018-05-24T09:48:12Z = {"revoke":{"date_time":"2018-05-24T09:48:12+00:00","target":{"app_id":"13090192"},"source":{"user_id":"63046977"}}}
    context {}
    "#);
    let status = r#"{"replay_job_status":{"webhook_id":"12","job_state":"Complete","job_id":"1095098195724558337"}}"#;
    insta::assert_snapshot!(describe(status), @r#"
    /replay_job_status:1095098195724558337:Complete at no time = {"webhook_id":"12","job_state":"Complete","job_id":"1095098195724558337"}
    context {}
    "#);
}

#[test]
fn activity_api_and_filtered_stream() {
    let activity = r#"{"data":{"event_uuid":-1234,"filter":{},"event_type":"dm.received","payload":{"direct_message_events":[{"id":"1"}]}}}"#;
    insta::assert_snapshot!(describe(activity), @r#"
    /dm.received:-1234 at no time = {"event_uuid":-1234,"filter":{},"event_type":"dm.received","payload":{"direct_message_events":[{"id":"1"}]}}
    context {}
    "#);
    insta::assert_snapshot!(describe(r#"{"data":{"event_type":"post.create"}}"#), @r#"
    /post.create:sha256:266b3493e46141fafdfbd74e09c73d822c2f91bb1622459dad65ea82a7f375af at no time = {"event_type":"post.create"}
    context {}
    "#);
    let stream = r#"{"data":{"id":"1","text":"x"},"matching_rules":[{"id":"2"}]}"#;
    insta::assert_snapshot!(describe(stream), @r#"
    /unknown:sha256:bcab282fe76a719fac594a58289a5f8a2cbcce4e21040e711c2978a661dba054 at no time = {"data":{"id":"1","text":"x"},"matching_rules":[{"id":"2"}]}
    context {}
    "#);
}

#[test]
fn unknown_kinds_items_and_bodies() {
    insta::assert_snapshot!(describe(r#"{"for_user_id":"7","poke_events":[{"a":1},2]}"#), @r#"
    7/poke_events:sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862 at no time = {"a":1}
    7/poke_events:sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35 at no time = 2
    context {}
    "#);
    insta::assert_snapshot!(describe(r#"{"for_user_id":"7","favorite_events":[]}"#), @r#"
    7/unknown:sha256:2009f608746012fa8433b7de0f8dd9c618d559e74c81b1cac898549cb0eb3515 at no time = {"for_user_id":"7","favorite_events":[]}
    context {}
    "#);
    insta::assert_snapshot!(describe("{}"), @"
    /unknown:sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a at no time = {}
    context {}
    ");
    insta::assert_snapshot!(describe(r#"{"odd_events":{"a":1},"user_event":7}"#), @r#"
    /unknown:sha256:88e412b9275ace34137987173b1f06ddca15a19a7ea11b340adf09e68d650a23 at no time = {"odd_events":{"a":1},"user_event":7}
    context {}
    "#);
    // An array is not read as an object by position.
    insta::assert_snapshot!(describe(r#"{"direct_message_events":[["1","2"]]}"#), @r#"
    /direct_message_events:sha256:cc3f2a1ffd63c4db19e0114b93a94b774e4a2d07a2a5ec5b193303ac1387d633 at no time = ["1","2"]
    context {}
    "#);
}

#[test]
fn several_arrays_and_repeated_members() {
    let several = r#"{"for_user_id":"7","favorite_events":[{"id":"a"}],"direct_message_events":[{"id":"1"}],"favorite_events":[{"id":"b"}],"for_user_id":"8"}"#;
    insta::assert_snapshot!(describe(several), @r#"
    8/favorite_events:a at no time = {"id":"a"}
    8/direct_message_events:1 at no time = {"id":"1"}
    8/favorite_events:b at no time = {"id":"b"}
    context {}
    "#);
}

#[test]
fn not_a_delivery() {
    let error = |bytes: &[u8]| Body::parse(bytes).unwrap_err();
    assert_eq!(error(b"[]"), BodyError::NotAnObject);
    assert_eq!(error(b"\"x\""), BodyError::NotAnObject);
    assert_eq!(error(b"12345678901234567890"), BodyError::NotAnObject);
    for bytes in [&b""[..], b"{", b"{}{}", b"\xef\xbb\xbf{}", b"{\"a\":\"\xff\"}", b"{\"a\":\0}"] {
        assert!(matches!(error(bytes), BodyError::NotJson { .. }), "{bytes:?}");
    }
}

#[test]
fn strange_but_valid_json_is_kept() {
    // A lone surrogate in a name: one unknown event, the bytes as they came.
    insta::assert_snapshot!(describe(r#"{"\ud800":1,"favorite_events":[{"id":"a"}]}"#), @r#"
    /unknown:sha256:973ca1c2f6245aee740970f69ee9179d284ca52c9e347eccfcf09aafb3a9388c at no time = {"\ud800":1,"favorite_events":[{"id":"a"}]}
    context {}
    "#);
    insta::assert_snapshot!(describe(r#"{"favorite_events":[{"id":"\ud800","n":1e999}]}"#), @r#"
    /favorite_events:sha256:2acaec5bfe745818fde72f93ae60df791cc2d1593a1a7cb23f18068a25f7824a at no time = {"id":"\ud800","n":1e999}
    context {}
    "#);
    let deep = format!(
        r#"{{"favorite_events":[{{"id":"a","x":{}{}}}]}}"#,
        "[".repeat(200_000),
        "]".repeat(200_000)
    );
    let body = Body::parse(deep.as_bytes()).unwrap();
    let event = body.events().remove(0);
    assert_eq!(event.identity().to_string(), "/favorite_events:a");
    assert!(matches!(event.decode(), Event::Unknown { .. }));
}

#[test]
fn known_kinds_decode() {
    let decode = |kind: &str, payload: &str| Event::decode(kind, payload);
    assert!(matches!(decode("tweet_create_events", r#"{"id_str":"1"}"#), Event::Post(_)));
    assert!(matches!(decode("tweet_create_events", r#"{"id":1}"#), Event::Unknown { .. }));
    let relation = r#"{"type":"block","target":{"id":"1"},"source":{"id":"2"}}"#;
    assert!(matches!(decode("follow_events", relation), Event::Follow(_)));
    assert!(matches!(decode("block_events", relation), Event::Block(_)));
    assert!(matches!(decode("unmute_events", relation), Event::Mute(_)));
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Value, json};
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        "[a-z0-9_]{0,8}".prop_map(|s| json!(s)),
    ];
    let name = prop_oneof![
        "[a-z]{1,4}",
        Just("favorite_events".to_owned()),
        Just("follow_events".to_owned()),
        Just("user_event".to_owned()),
        Just("data".to_owned()),
        Just("id".to_owned()),
        Just("source".to_owned()),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Compares the two ways to read a body; says whether the fast one knew what to do.
fn both_ways(bytes: &[u8]) -> bool {
    let fast = one_pass::read(bytes).map(|read| format!("{read:?}"));
    let slow = members::read(bytes).map(|read| format!("{read:?}"));
    assert!(fast.is_none() || fast.as_ref() == slow.as_ref().ok(), "{fast:?}, and not {slow:?}");
    fast.is_some()
}

#[test]
fn one_pass_is_enough_for_whatever_x_sends() {
    for body in [
        "{}",
        r#" { "for_user_id" : "7" , "favorite_events" : [ {"id":"a"} , 2, [3], "4" ] } "#,
        r#"{"tweet_create_events":[{"id_str":"1","id_str":"2"},{"\ud800":1}],"users":{}}"#,
        r#"{"odd_events":{},"none_events":[],"user_event":7,"replay_job_status":{"job_id":1}}"#,
        r#"{"data":{"event_type":"post.create","event_uuid":-5},"for_user_id":8}"#,
        r#"{"data":{"event_type":7},"data":[],"data":{"a":{},"a":{}},"\u0064ata":null}"#,
        r#"{"n":-0,"m":1e999,"o":123456789012345678901234567890,"s":"\ud800\/\u0000ä"}"#,
    ] {
        assert!(both_ways(body.as_bytes()), "{body}");
    }
    // Never taken: the slow way knows why.
    for body in [
        "",
        "[]",
        "1",
        "{",
        "{}{}",
        "{},",
        r#"{"a":1,}"#,
        r#"{,"a":1}"#,
        r#"{"a" 1}"#,
        r#"{"a":1 "b":2}"#,
        r#"{a:1}"#,
        r#"{7:1}"#,
        r#"{"a_events":[1,]}"#,
        r#"{"a_events":[,]}"#,
        r#"{"a_events":[1 2]}"#,
        r#"{"a_events":[{}{}]}"#,
        r#"{"a_events":["1""2"]}"#,
        r#"{"a_events":[1}"#,
        r#"{"a_events":[01]}"#,
        r#"{"a":01}"#,
        r#"{"a":"\x"}"#,
        "{\"a\":\"\n\"}",
        "{\u{a0}}",
        "\u{feff}{}",
        r#"{"\ud800":1}"#,
    ] {
        assert!(!both_ways(body.as_bytes()), "{body}");
    }
}

proptest! {
    /// What is read in one pass is what is read step by step, whatever is broken in a text.
    #[test]
    fn one_pass_reads_the_same(
        value in json_value(),
        pretty: bool,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, "[\\[\\]{}:,\" 0a\\\\]{0,2}"), 0..3),
    ) {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        prop_assert!(both_ways(text.as_bytes()) == value.is_object());
        let mut text: Vec<char> = text.chars().collect();
        for (at, gone, new) in cuts {
            let at = at.index(text.len() + 1);
            text.splice(at..(at + gone).min(text.len()), new.chars());
        }
        both_ways(String::from_iter(text).as_bytes());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        if let Ok(body) = Body::parse(&bytes) {
            for event in body.events() {
                let _ = event.decode().involvement("7");
            }
            drop(body.context().decode());
        }
    }

    #[test]
    fn every_object_has_an_event_and_every_payload_is_in_the_body(value in json_value()) {
        let text = value.to_string();
        match Body::parse(text.as_bytes()) {
            Err(error) => {
                prop_assert!(!value.is_object());
                prop_assert_eq!(error, BodyError::NotAnObject);
            }
            Ok(body) => {
                let events = body.events();
                prop_assert!(!events.is_empty());
                for event in events {
                    prop_assert!(text.contains(event.payload()));
                    let event = event.decode();
                    let by = event.involvement("7") == Some(Involvement::By);
                    prop_assert_eq!(by, event.actor_id().as_deref() == Some("7"));
                }
            }
        }
    }

    #[test]
    fn regrouping_changes_no_key(ids in prop::collection::vec("[a-f0-9]{4,32}", 1..6)) {
        let item = |id: &String| format!(r#"{{"id":"{id}","timestamp_ms":1522082006140}}"#);
        let together = format!(
            r#"{{"for_user_id":"7","favorite_events":[{}]}}"#,
            ids.iter().map(item).collect::<Vec<_>>().join(",")
        );
        let body = Body::parse(together.as_bytes()).unwrap();
        for (event, id) in body.events().iter().zip(&ids) {
            let alone = format!(r#"{{"favorite_events":[{}],"for_user_id":"7"}}"#, item(id));
            let alone = Body::parse(alone.as_bytes()).unwrap();
            let other = alone.events().remove(0);
            prop_assert_eq!(
                event.identity().key("app", event.occurred_at()),
                other.identity().key("app", other.occurred_at())
            );
        }
    }
}
