use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Extra;
use crate::time::parse_epoch_millis;

/// A direct message, sent or received. Names and pictures of its users are in the `users` member
/// of the delivery, which is part of its context.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DirectMessage {
    /// `message_create`, or something new.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The identifier.
    pub id: String,
    /// When it was sent, in milliseconds since 1970, as a string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_timestamp: Option<String>,
    /// The message.
    pub message_create: Box<DirectMessageContent>,
    /// Everything else, such as `initiated_via`.
    #[serde(flatten)]
    pub extra: Extra,
}

impl DirectMessage {
    /// Returns when the message was sent.
    pub fn created_at(&self) -> Option<Timestamp> {
        parse_epoch_millis(self.created_timestamp.as_deref()?)
    }
}

/// Who wrote what to whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DirectMessageContent {
    /// To whom it was sent.
    pub target: Recipient,
    /// Who sent it.
    pub sender_id: String,
    /// The app that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_app_id: Option<String>,
    /// Text and attachments.
    pub message_data: DirectMessageData,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The receiving end of a direct message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipient {
    /// The user.
    pub recipient_id: String,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Text and attachments of a direct message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DirectMessageData {
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Everything else: entities, attachment, quick reply.
    #[serde(flatten)]
    pub extra: Extra,
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
