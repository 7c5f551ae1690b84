//! One test for each trap of X's payloads, from the bytes of a delivery to what a handler sees.

use aaa_types::{
    event::{Body, Event, EventKind, Involvement},
    payload::{DeliveryContext, MediaKind},
};

/// Takes a delivery apart: its only event and what stands beside it.
fn only(body: &str) -> (Event, DeliveryContext) {
    let body = Body::parse(body.as_bytes()).unwrap();
    let events = body.events();
    assert_eq!(events.len(), 1);
    (events[0].decode(), body.context().decode().unwrap())
}

#[test]
fn user_has_blocked_is_a_flag_or_a_text() {
    for (written, blocked) in
        [("true", true), (r#""true""#, true), ("false", false), (r#""false""#, false)]
    {
        let (event, context) = only(&format!(
            r#"{{"for_user_id":"7","user_has_blocked":{written},"tweet_create_events":[
            {{"id_str":"20","user":{{"id":8,"id_str":"8"}},"in_reply_to_user_id_str":"7"}}]}}"#
        ));
        assert_eq!(event.involvement("7"), Some(Involvement::About));
        assert_eq!(context.user_has_blocked(), blocked);
    }
    let (_, absent) = only(r#"{"for_user_id":"7","tweet_create_events":[{"id_str":"20"}]}"#);
    assert!(absent.user_has_blocked.is_none() && !absent.user_has_blocked());
}

#[test]
fn times_are_numbers_or_texts_in_two_formats() {
    let (event, _) = only(
        r#"{"for_user_id":"7","tweet_delete_events":[
        {"status":{"id":"1045405559317569537","user_id":"7"},"timestamp_ms":"1432228155593"}]}"#,
    );
    let Event::PostDelete(delete) = event else { panic!("not a deletion") };
    assert_eq!(delete.deleted_at().unwrap().to_string(), "2015-05-21T17:09:15.593Z");
    let (event, _) = only(
        r#"{"for_user_id":"7","favorite_events":[{"id":"a7ba59eab0bfcba386f7acedac279542",
        "created_at":"Mon Mar 26 16:33:26 +0000 2018","timestamp_ms":1522082006140,
        "favorited_status":{"id_str":"20"},"user":{"id":8,"id_str":"8"}}]}"#,
    );
    let Event::Favorite(favorite) = event else { panic!("not a favorite") };
    assert_eq!(favorite.created_at().unwrap().to_string(), "2018-03-26T16:33:26.14Z");
    // The other form in either place is no reason not to understand the event.
    let (event, _) = only(
        r#"{"for_user_id":"7","favorite_events":[{"created_at":"Mon Mar 26 16:33:26 +0000 2018",
        "timestamp_ms":"1522082006140","favorited_status":{"id_str":"20"},"user":{"id_str":"8"}}]}"#,
    );
    let Event::Favorite(favorite) = event else { panic!("not a favorite") };
    assert_eq!(favorite.created_at().unwrap().to_string(), "2018-03-26T16:33:26Z");
    assert_eq!(favorite.extra["timestamp_ms"], "1522082006140");
    let (event, _) = only(
        r#"{"user_event":{"revoke":{"date_time":"2018-05-24T09:48:12+00:00",
        "target":{"app_id":"13090192"},"source":{"user_id":"7"}}}}"#,
    );
    assert_eq!(event.actor_id().as_deref(), Some("7"));
    let Event::Revoke(event) = event else { panic!("not a revocation") };
    assert_eq!(event.revoke.revoked_at().unwrap().to_string(), "2018-05-24T09:48:12Z");
}

#[test]
fn the_numeric_id_of_a_post_is_not_its_id() {
    let body = r#"{"for_user_id":"7","tweet_create_events":[
        {"id":1050118621198879000,"id_str":"1050118621198878979"}]}"#;
    let body = Body::parse(body.as_bytes()).unwrap();
    let event = body.events().remove(0);
    assert_eq!(event.identity().to_string(), "7/tweet_create_events:1050118621198878979");
    let Event::Post(post) = event.decode() else { panic!("not a post") };
    assert_eq!(post.id_str, "1050118621198878979");
    assert_eq!(post.extra["id"].as_u64(), Some(1_050_118_621_198_879_000));
}

#[test]
fn users_are_written_in_three_ways() {
    let (event, _) = only(
        r#"{"for_user_id":"7","block_events":[{"type":"block","created_timestamp":"1518127020304",
        "source":{"id":"7","name":"","location":"","url":null},"target":{"id":"8","description":""}}]}"#,
    );
    assert_eq!(event.involvement("8"), Some(Involvement::About));
    let Event::Block(block) = event else { panic!("not a block") };
    assert_eq!((block.source.location(), block.source.url()), (None, None));
    assert_eq!(block.target.id().as_deref(), Some("8"));

    let (event, context) = only(
        r#"{"for_user_id":"7","direct_message_indicate_typing_events":[
        {"created_timestamp":"1518127183443","sender_id":"9","target":{"recipient_id":"8"}}],
        "users":{"8":{"id":"8","created_timestamp":"1422556069340","url":"null"},"9":{"id":"9"}}}"#,
    );
    // The subscribed user need not be one of the two.
    assert_eq!(event.involvement("7"), None);
    assert_eq!(event.involvement("9"), Some(Involvement::By));
    assert!(matches!(event, Event::Typing(_)));
    assert_eq!(context.users["8"].url(), None);
    assert_eq!(context.users["8"].created_at().unwrap().as_millisecond(), 1_422_556_069_340);
    assert_eq!(context.users["9"].created_at(), None);
}

#[test]
fn long_posts_are_nested_and_cut_off() {
    let (event, _) = only(
        r#"{"for_user_id":"7","tweet_create_events":[{"id_str":"21","text":"RT @eight: ab…",
        "truncated":false,"user":{"id":7,"id_str":"7"},"retweeted_status":{"id_str":"20",
        "text":"ab…","truncated":true,"user":{"id":8,"id_str":"8"},
        "extended_tweet":{"full_text":"abcdef","display_text_range":[0,2051]},
        "edit_history":{"initial_tweet_id":"19","edit_tweet_ids":["19","20"]}}}]}"#,
    );
    assert_eq!(event.involvement("7"), Some(Involvement::By));
    assert_eq!(event.involvement("8"), Some(Involvement::About));
    let Event::Post(post) = event else { panic!("not a post") };
    assert!(post.is_repost() && !post.is_edit());
    let inner = post.retweeted_status.unwrap();
    assert!(inner.is_edit());
    assert_eq!(inner.full_text(), Some("abcdef"));
}

#[test]
fn direct_messages_come_with_and_without_everything() {
    let (event, context) = only(
        r#"{"for_user_id":"7","direct_message_events":[{"type":"message_create","id":"1",
        "created_timestamp":"1516403560557","message_create":{"target":{"recipient_id":"7"},
        "sender_id":"8","message_data":{"text":"look","attachment":{"type":"media",
        "media":{"type":"animated_gif","video_info":{"variants":[{"bitrate":0}]}}},
        "quick_reply_response":{"type":"options","metadata":"yes"},"ctas":[1]}},
        "initiated_via":{"welcome_message_id":"2"}}],"users":{"8":{"id":"8","name":"Eight"}}}"#,
    );
    let Event::DirectMessage(message) = event else { panic!("not a message") };
    assert_eq!(context.sender(&message).unwrap().name.as_deref(), Some("Eight"));
    assert!(context.recipient(&message).is_none() && context.source_app(&message).is_none());
    assert_eq!(message.initiated_via.unwrap().welcome_message_id.as_deref(), Some("2"));
    let data = message.message_create.message_data;
    assert_eq!(data.attachment.unwrap().media.unwrap().kind, Some(MediaKind::AnimatedGif));
    assert_eq!(data.quick_reply_response.unwrap().metadata.as_deref(), Some("yes"));
    assert!(data.extra.contains_key("ctas"));
}

#[test]
fn what_is_unknown_is_kept() {
    // An unknown `type` is kept in the model.
    let (event, _) = only(
        r#"{"for_user_id":"7","mute_events":[{"type":"mute_for_a_day","source":{"id":"7"},
        "target":{"id":"8"},"until":"2030"}]}"#,
    );
    let Event::Mute(mute) = event else { panic!("not a mute") };
    assert_eq!((mute.kind.as_deref(), mute.is_undo()), (Some("mute_for_a_day"), false));
    assert_eq!(mute.extra["until"], "2030");
    // What is no event of its kind, or of no known kind, or no event at all, is kept whole.
    for (body, kind, kept) in [
        (r#"{"user_event":{"rename":{"to":"x"}}}"#, "user_event", r#"{"rename":{"to":"x"}}"#),
        (r#"{"for_user_id":"7","poke_events":[{"a":1}]}"#, "poke_events", r#"{"a":1}"#),
        (r#"{"direct_message_events":[["1"]]}"#, "direct_message_events", r#"["1"]"#),
        (r#"{"data":{"event_type":"poke"}}"#, "poke", r#"{"event_type":"poke"}"#),
        (r#"{"a":{"b":[1e999]}}"#, "unknown", r#"{"a":{"b":[1e999]}}"#),
        (
            r#"{"data":{"id":"1"},"matching_rules":[]}"#,
            "unknown",
            r#"{"data":{"id":"1"},"matching_rules":[]}"#,
        ),
    ] {
        let whole = Body::parse(body.as_bytes()).unwrap();
        let event = whole.events().remove(0).decode();
        assert!(
            matches!(&event, Event::Unknown { kind: k, payload } if k == kind && payload == kept),
            "{body} gave {event:?}"
        );
        assert_eq!((event.actor_id(), event.involvement("7")), (None, None));
    }
}

#[test]
fn the_activity_api_shares_the_webhook() {
    // A message inside an envelope is the envelope's, not a direct message of this API.
    let body = br#"{"data":{"event_uuid":"-6850472171600526495","filter":{"user_id":"7"},
        "event_type":"dm.received","tag":"in","payload":{"direct_message_events":[{"id":"1"}],
        "users":{}}}}"#;
    let body = Body::parse(body).unwrap();
    let events = body.events();
    assert_eq!(events.len(), 1);
    assert_eq!(EventKind::from(events[0].kind()), EventKind::Activity("dm.received".to_owned()));
    let Event::Activity(activity) = events[0].decode() else { panic!("not an envelope") };
    assert_eq!(activity.tag.as_deref(), Some("in"));
    assert_eq!(activity.payload.unwrap()["direct_message_events"][0]["id"], "1");
    assert!(activity.includes.is_none());
}

#[test]
fn several_kinds_in_one_delivery() {
    let body = br#"{"for_user_id":"7","follow_events":[{"type":"follow","source":{"id":"8"},
        "target":{"id":"7"}}],"unfollow_events":[{"type":"unfollow","source":{"id":"7"},
        "target":{"id":"8"}}],"replay_job_status":{"webhook_id":"12","job_state":"Complete",
        "job_id":"13"}}"#;
    let body = Body::parse(body).unwrap();
    let events = body.events();
    let kinds: Vec<EventKind> = events.iter().map(|event| event.kind().into()).collect();
    assert_eq!(kinds, [EventKind::Follow, EventKind::Unfollow, EventKind::ReplayJobStatus]);
    let sides: Vec<_> = events.iter().map(|event| event.decode().involvement("7")).collect();
    assert_eq!(sides, [Some(Involvement::About), Some(Involvement::By), None]);
}

/// Users of follows have a number only, by the samples; where a text is there as well it is exact.
#[test]
fn whoever_follows_is_told_apart_by_the_text_of_the_id() {
    let follow = |id_str: &str| {
        let body = format!(
            r#"{{"for_user_id":"7","follow_events":[{{"type":"follow",
            "created_timestamp":"1527169700000","target":{{"id":7}},
            "source":{{"id":1050118621198921700{id_str}}}}}]}}"#
        );
        Body::parse(body.as_bytes()).unwrap().events()[0].identity().to_string()
    };
    let ids = [r#","id_str":"1050118621198921728""#, r#","id_str":"1050118621198921729""#, ""];
    let keys = ids.map(follow);
    assert!(keys[0].contains(":1050118621198921728:"), "{keys:?}");
    assert!(keys[1].contains(":1050118621198921729:"), "{keys:?}");
    assert!(keys[2].contains(":1050118621198921700:"), "{keys:?}");
}
