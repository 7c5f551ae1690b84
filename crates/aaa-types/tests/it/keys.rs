//! The key of one event of each kind, to the last bit: a store made today must know the event again
//! in years.

use aaa_types::event::Body;

/// Kind by kind, a delivery, the identity of its only event and its key for the app `app`.
const KEYS: [(&str, &str, &str); 22] = [
    (
        r#"{"for_user_id":"7","tweet_create_events":[{"id_str":"1050118621198921728"}]}"#,
        "7/tweet_create_events:1050118621198921728",
        "5bbe5ecc19925cf89764f4c3ed976ff4",
    ),
    (
        r#"{"for_user_id":"7","tweet_create_events":[{"id_str":"20"}]}"#,
        "7/tweet_create_events:20",
        "0000000009ca9ff9734cc1acf4b867c5",
    ),
    (
        r#"{"for_user_id":"7","tweet_delete_events":[{"status":{"id":"1045405559317569537","user_id":"7"},"timestamp_ms":"1432228155593"}]}"#,
        "7/tweet_delete_events:1045405559317569537",
        "555e113b0d727526b3d5e253909103b2",
    ),
    (
        r#"{"for_user_id":"7","favorite_events":[{"id":"a7ba59eab0bfcba386f7acedac279542","timestamp_ms":1522082006140}]}"#,
        "7/favorite_events:a7ba59eab0bfcba386f7acedac279542",
        "5ab920d6c0ac801ecaecec82cac37a37",
    ),
    (
        r#"{"for_user_id":"7","favorite_events":[{"user":{"id_str":"8"},"favorited_status":{"id_str":"20"},"created_at":"Mon Mar 26 16:33:26 +0000 2018"}]}"#,
        "7/favorite_events:8:20",
        "5ab920d67a0d2fb48270fa7d4ee90952",
    ),
    (
        r#"{"for_user_id":"7","follow_events":[{"type":"follow","created_timestamp":"1517588749178","target":{"id":"8"},"source":{"id":"7"}}]}"#,
        "7/follow_events:follow:7:8:1517588749178",
        "5a74910db092b85fc5ec40e2dfaeafdd",
    ),
    (
        r#"{"for_user_id":"7","unfollow_events":[{"type":"unfollow","created_timestamp":"1517588749178","target":{"id":"8"},"source":{"id":"7"}}]}"#,
        "7/unfollow_events:unfollow:7:8:1517588749178",
        "5a74910de2f00cce97cf901c72e1751c",
    ),
    (
        r#"{"for_user_id":"7","block_events":[{"type":"block","created_timestamp":"1518127020304","target":{"id":"8"},"source":{"id":"7"}}]}"#,
        "7/block_events:block:7:8:1518127020304",
        "5a7cc7acd6adbbd8735bf79108a2eda7",
    ),
    (
        r#"{"for_user_id":"7","unblock_events":[{"type":"unblock","created_timestamp":"1518127020304","target":{"id":"8"},"source":{"id":"7"}}]}"#,
        "7/unblock_events:unblock:7:8:1518127020304",
        "5a7cc7acf630293b526bc5207c054145",
    ),
    (
        r#"{"for_user_id":"7","mute_events":[{"type":"mute","created_timestamp":"1518127020304","target":{"id":"8"},"source":{"id":"7"}}]}"#,
        "7/mute_events:mute:7:8:1518127020304",
        "5a7cc7acb89b9adfab8a2f53bc4e9a5d",
    ),
    (
        r#"{"for_user_id":"7","unmute_events":[{"type":"unmute","created_timestamp":"1518127020304","target":{"id":"8"},"source":{"id":"7"}}]}"#,
        "7/unmute_events:unmute:7:8:1518127020304",
        "5a7cc7ac74c2a2e96f9a41211865458b",
    ),
    (
        r#"{"for_user_id":"7","direct_message_events":[{"type":"message_create","id":"954491830116155396","created_timestamp":"1516403560557"}]}"#,
        "7/direct_message_events:954491830116155396",
        "5a627b68700a646f26888139cc392282",
    ),
    (
        r#"{"for_user_id":"7","direct_message_indicate_typing_events":[{"created_timestamp":"1518127183443","sender_id":"9","target":{"recipient_id":"8"}}]}"#,
        "7/direct_message_indicate_typing_events:1518127183443:9:8",
        "5a7cc84f24dfc18b8e2cf455d3c79646",
    ),
    (
        r#"{"for_user_id":"7","direct_message_mark_read_events":[{"created_timestamp":"1518452444662","sender_id":"9","target":{"recipient_id":"8"},"last_read_event_id":"963085315333238788"}]}"#,
        "7/direct_message_mark_read_events:1518452444662:9:8:963085315333238788",
        "5a81bedcc302542b46815a18e9d4d192",
    ),
    (
        r#"{"user_event":{"revoke":{"date_time":"2018-05-24T09:48:12+00:00","target":{"app_id":"13090192"},"source":{"user_id":"63046977"}}}}"#,
        "/user_event:2018-05-24T09:48:12+00:00:13090192:63046977",
        "5b068a5ce5399a6f3fb36740f5852994",
    ),
    (
        r#"{"replay_job_status":{"webhook_id":"12","job_state":"Complete","job_id":"1095098195724558337"}}"#,
        "/replay_job_status:1095098195724558337:Complete",
        "00000000a445fe95f21cc9d038c90de1",
    ),
    (
        r#"{"data":{"event_type":"post.create","event_uuid":"-6850472171600526495"}}"#,
        "/post.create:-6850472171600526495",
        "00000000196d78716778e646efa9b40d",
    ),
    (
        r#"{"data":{"event_type":"post.create"}}"#,
        "/post.create:sha256:266b3493e46141fafdfbd74e09c73d822c2f91bb1622459dad65ea82a7f375af",
        "0000000054281a66fc09a0f8fad1ed5e",
    ),
    (
        r#"{"for_user_id":"7","poke_events":[{"a":1}]}"#,
        "7/poke_events:sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862",
        "00000000bef53ca694395d4f85cd38e7",
    ),
    (
        r#"{"for_user_id":"7","favorite_events":[{"a":1}]}"#,
        "7/favorite_events:sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862",
        "00000000e8c08582deeef6143e9bb498",
    ),
    (
        r#"{"data":{"id":"1","text":"x"},"matching_rules":[{"id":"2"}]}"#,
        "/unknown:sha256:bcab282fe76a719fac594a58289a5f8a2cbcce4e21040e711c2978a661dba054",
        "00000000ebc6273527c9c1b31c2bb5f8",
    ),
    (
        "{}",
        "/unknown:sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "000000000d50dbebb0ebc702086326eb",
    ),
];

#[test]
fn the_key_of_every_kind_is_fixed() {
    for (body, identity, key) in KEYS {
        let parsed = Body::parse(body.as_bytes()).unwrap();
        let events = parsed.events();
        let [event] = events.as_slice() else { panic!("not one event: {body}") };
        assert_eq!(event.identity().to_string(), identity);
        let found = event.identity().key("app", event.occurred_at());
        assert_eq!(found.to_string(), key, "{identity}");
    }
}
