use super::{super::MediaKind, *};

#[test]
fn json() {
    let message: DirectMessage = serde_json::from_str(
        r#"{"type":"message_create","id":"954491830116155396","created_timestamp":"1516403560557",
            "message_create":{"target":{"recipient_id":"12"},"sender_id":"7",
            "message_data":{"text":"Hello","entities":{"urls":[]}}},
            "initiated_via":{"tweet_id":"20"}}"#,
    )
    .unwrap();
    assert_eq!(message.created_at().unwrap().to_string(), "2018-01-19T23:12:40.557Z");
    insta::assert_json_snapshot!(message, @r#"
    {
      "type": "message_create",
      "id": "954491830116155396",
      "created_timestamp": "1516403560557",
      "message_create": {
        "target": {
          "recipient_id": "12"
        },
        "sender_id": "7",
        "message_data": {
          "text": "Hello",
          "entities": {
            "urls": []
          }
        }
      },
      "initiated_via": {
        "tweet_id": "20"
      }
    }
    "#);
}

/// Trap: everything that may come with a message.
#[test]
fn attachment_and_quick_reply() {
    let message = |media: &str| {
        let json = format!(
            r#"{{"id":"1","initiated_via":{{"welcome_message_id":"2"}},
            "message_create":{{"sender_id":"8","target":{{"recipient_id":"7"}},"message_data":{{
            "attachment":{{"type":"media","media":{media}}},
            "quick_reply_response":{{"type":"options","metadata":"yes"}}}}}}}}"#
        );
        serde_json::from_str::<DirectMessage>(&json).unwrap()
    };
    for (kind, expected) in [
        ("photo", MediaKind::Photo),
        ("video", MediaKind::Video),
        ("animated_gif", MediaKind::AnimatedGif),
    ] {
        let media = format!(r#"{{"type":"{kind}","video_info":{{"variants":[{{"bitrate":0}}]}}}}"#);
        let data = message(&media).message_create.message_data;
        let media = data.attachment.unwrap().media.unwrap();
        assert_eq!(media.kind, Some(expected));
        assert_eq!(media.video_info.unwrap().variants.len(), 1);
    }
    insta::assert_json_snapshot!(message(r#"{"id_str":"22","type":"photo"}"#), @r#"
    {
      "id": "1",
      "message_create": {
        "target": {
          "recipient_id": "7"
        },
        "sender_id": "8",
        "message_data": {
          "attachment": {
            "type": "media",
            "media": {
              "id_str": "22",
              "type": "photo"
            }
          },
          "quick_reply_response": {
            "type": "options",
            "metadata": "yes"
          }
        }
      },
      "initiated_via": {
        "welcome_message_id": "2"
      }
    }
    "#);
}

#[test]
fn directions() {
    let message = |sender: &str, recipient: &str| {
        let json = format!(
            r#"{{"id":"1","message_create":{{"sender_id":"{sender}",
            "target":{{"recipient_id":"{recipient}"}},"message_data":{{}}}}}}"#
        );
        serde_json::from_str::<DirectMessage>(&json).unwrap()
    };
    assert_eq!(message("7", "8").direction("7"), Some(Direction::Sent));
    assert_eq!(message("8", "7").direction("7"), Some(Direction::Received));
    assert_eq!(message("7", "7").direction("7"), Some(Direction::Sent));
    assert_eq!(message("8", "9").direction("7"), None);
}

#[test]
fn typing_and_reading() {
    let typing: Typing = serde_json::from_str(
        r#"{"created_timestamp":"1518127183443","sender_id":"9","target":{"recipient_id":"8"}}"#,
    )
    .unwrap();
    assert_eq!(typing.created_at().unwrap().to_string(), "2018-02-08T21:59:43.443Z");
    insta::assert_json_snapshot!(typing, @r#"
    {
      "created_timestamp": "1518127183443",
      "sender_id": "9",
      "target": {
        "recipient_id": "8"
      }
    }
    "#);
    let read: MarkRead = serde_json::from_str(
        r#"{"created_timestamp":"1518452444662","sender_id":"9","target":{"recipient_id":"8"},
            "last_read_event_id":"963085315333238788","new":null}"#,
    )
    .unwrap();
    assert_eq!(read.created_at().unwrap().to_string(), "2018-02-12T16:20:44.662Z");
    insta::assert_json_snapshot!(read, @r#"
    {
      "created_timestamp": "1518452444662",
      "sender_id": "9",
      "target": {
        "recipient_id": "8"
      },
      "last_read_event_id": "963085315333238788",
      "new": null
    }
    "#);
}
