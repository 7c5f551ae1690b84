use super::*;

#[test]
fn a_long_post_keeps_what_is_not_modelled() {
    let post: Post = serde_json::from_str(
        r#"{"created_at":"Thu Oct 11 12:00:00 +0000 2018","id":1050118621198921700,
            "id_str":"1050118621198921728","text":"To make room for …","truncated":true,
            "extended_tweet":{"full_text":"To make room for more expression","display_text_range":[0,32]},
            "user":{"id":6253282,"id_str":"6253282","screen_name":"API","url":null},
            "retweeted_status":{"id_str":"20","text":"inner"},
            "edit_history":{"initial_tweet_id":"1050118621198921728","edit_tweet_ids":["1050118621198921728"]}}"#,
    )
    .unwrap();
    assert_eq!(post.full_text(), Some("To make room for more expression"));
    assert_eq!(post.created_at().unwrap().to_string(), "2018-10-11T12:00:00Z");
    insta::assert_json_snapshot!(post, @r#"
    {
      "id_str": "1050118621198921728",
      "created_at": "Thu Oct 11 12:00:00 +0000 2018",
      "text": "To make room for …",
      "truncated": true,
      "extended_tweet": {
        "full_text": "To make room for more expression",
        "display_text_range": [
          0,
          32
        ]
      },
      "user": {
        "id": 6253282,
        "id_str": "6253282",
        "screen_name": "API",
        "url": null
      },
      "retweeted_status": {
        "id_str": "20",
        "text": "inner"
      },
      "edit_history": {
        "initial_tweet_id": "1050118621198921728",
        "edit_tweet_ids": [
          "1050118621198921728"
        ]
      },
      "id": 1050118621198921700
    }
    "#);
}

/// Traps: the number beside `id_str` is another one; the time is a text in one place and a
/// number in another.
#[test]
fn numbers_that_lie_and_times_in_two_forms() {
    let post: Post = serde_json::from_str(
        r#"{"id":1050118621198879000,"id_str":"1050118621198878979","timestamp_ms":"1539259200000"}"#,
    )
    .unwrap();
    assert_eq!(post.id_str, "1050118621198878979");
    assert_eq!(post.timestamp_ms.unwrap().as_u64(), Some(1_539_259_200_000));
    for time in ["1432228155593", r#""1432228155593""#] {
        let delete: PostDelete = serde_json::from_str(&format!(
            r#"{{"status":{{"id":"1045405559317569537","user_id":"7"}},"timestamp_ms":{time}}}"#
        ))
        .unwrap();
        assert_eq!(delete.deleted_at().unwrap().to_string(), "2015-05-21T17:09:15.593Z");
        if time.starts_with('"') {
            insta::assert_json_snapshot!(delete, @r#"
            {
              "status": {
                "id": "1045405559317569537",
                "user_id": "7"
              },
              "timestamp_ms": "1432228155593"
            }
            "#);
        }
    }
}

/// Trap: each of the nested posts may be cut off on its own.
#[test]
fn nested_posts_are_whole() {
    let long = |id: &str, text: &str, more: &str| {
        format!(
            r#"{{"id_str":"{id}","text":"{text} …","truncated":true,"is_quote_status":true,
            "extended_tweet":{{"full_text":"{text} to the end","display_text_range":[0,2051]}}{more}}}"#
        )
    };
    let quoted = format!(r#","quoted_status":{}"#, long("18", "quoted", ""));
    let inner = format!(r#","retweeted_status":{}{quoted}"#, long("19", "inner", &quoted));
    let post: Post = serde_json::from_str(&long("20", "outer", &inner)).unwrap();
    assert!(post.is_repost() && !post.is_quote());
    let inner = post.retweeted_status.as_ref().unwrap();
    assert!(inner.is_quote() && !inner.is_repost());
    let quoted = inner.quoted_status.as_ref().unwrap();
    let texts = [&post, inner, quoted].map(|post| post.full_text().unwrap());
    assert_eq!(texts, ["outer to the end", "inner to the end", "quoted to the end"]);
    assert_eq!(quoted.extended_tweet.as_ref().unwrap().display_text_range, Some([0, 2051]));
}

#[test]
fn forms_of_a_post() {
    let forms = |members: &str| {
        let json = format!(r#"{{"id_str":"20"{members}}}"#);
        let post: Post = serde_json::from_str(&json).unwrap();
        (post.is_repost(), post.is_quote(), post.is_reply())
    };
    assert_eq!(forms(""), (false, false, false));
    assert_eq!(forms(r#","retweeted_status":{"id_str":"1"}"#), (true, false, false));
    assert_eq!(forms(r#","quoted_status":{"id_str":"1"}"#), (false, true, false));
    // The quoted post is gone.
    assert_eq!(forms(r#","is_quote_status":true"#), (false, true, false));
    assert_eq!(forms(r#","is_quote_status":false"#), (false, false, false));
    assert_eq!(forms(r#","in_reply_to_status_id_str":"1""#), (false, false, true));
    assert_eq!(forms(r#","in_reply_to_status_id_str":null"#), (false, false, false));
    assert_eq!(forms(r#","in_reply_to_user_id_str":"7""#), (false, false, false));
    let both = r#","in_reply_to_status_id_str":"1","quoted_status_id_str":"2""#;
    assert_eq!(forms(both), (false, true, true));
}

#[test]
fn edits() {
    let post = |ids: &str| {
        let json = format!(
            r#"{{"id_str":"21","edit_history":{{"initial_tweet_id":"20","edit_tweet_ids":[{ids}]}},
            "edit_controls":{{"editable_until_ms":"1539262800000","edits_remaining":4,
            "is_edit_eligible":true}}}}"#
        );
        serde_json::from_str::<Post>(&json).unwrap()
    };
    assert!(!post(r#""21""#).is_edit());
    let edited = post(r#""20","21""#);
    assert!(edited.is_edit());
    let controls = edited.edit_controls.as_ref().unwrap();
    assert_eq!(controls.edits_remaining.as_ref().unwrap().as_u64(), Some(4));
    insta::assert_json_snapshot!(edited, @r#"
    {
      "id_str": "21",
      "edit_history": {
        "initial_tweet_id": "20",
        "edit_tweet_ids": [
          "20",
          "21"
        ]
      },
      "edit_controls": {
        "editable_until_ms": "1539262800000",
        "edits_remaining": 4,
        "is_edit_eligible": true
      }
    }
    "#);
}

#[test]
fn media_are_found_wherever_they_are() {
    let ids = |members: &str| {
        let json = format!(r#"{{"id_str":"20",{members}}}"#);
        let post: Post = serde_json::from_str(&json).unwrap();
        post.media().iter().filter_map(|media| media.id_str.clone()).collect::<String>()
    };
    let one = r#"{"media":[{"id_str":"1"}]}"#;
    let two = r#"{"media":[{"id_str":"2"},{"id_str":"3"}]}"#;
    assert_eq!(ids(&format!(r#""entities":{one}"#)), "1");
    assert_eq!(ids(&format!(r#""entities":{one},"extended_entities":{two}"#)), "23");
    assert_eq!(ids(&format!(r#""entities":{one},"extended_tweet":{{"entities":{two}}}"#)), "23");
    assert_eq!(ids(r#""entities":{}"#), "");
}
