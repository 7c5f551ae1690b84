use serde::{Deserialize, Serialize};

use crate::{MediaId, id};

/// A direct message to be sent: text, attachments, or both.
///
/// # Examples
///
/// ```
/// use aaa_types::api::NewDirectMessage;
///
/// let message = NewDirectMessage::text("hello")?.with_attachment("12".parse()?);
/// assert_eq!(
///     serde_json::to_string(&message)?,
///     r#"{"text":"hello","attachments":[{"media_id":"12"}]}"#,
/// );
/// assert!(NewDirectMessage::text(" ").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewDirectMessage {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Attachment {
    media_id: MediaId,
}

impl NewDirectMessage {
    /// Creates a message of text.
    ///
    /// # Errors
    ///
    /// Fails when there is nothing but white space.
    pub fn text(text: impl Into<String>) -> Result<Self, EmptyMessageError> {
        let text = text.into();
        if text.trim().is_empty() {
            return Err(EmptyMessageError);
        }
        Ok(Self { text: Some(text), attachments: Vec::new() })
    }

    /// Creates a message of something that was uploaded before.
    pub fn attachment(media: MediaId) -> Self {
        Self { text: None, attachments: vec![Attachment { media_id: media }] }
    }

    /// Adds something that was uploaded before.
    #[must_use]
    pub fn with_attachment(mut self, media: MediaId) -> Self {
        self.attachments.push(Attachment { media_id: media });
        self
    }
}

/// A direct message holds neither text nor an attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a direct message needs text or an attachment, and has neither")]
pub struct EmptyMessageError;

/// A direct message that X took.
///
/// It comes back through the webhooks of both users, as far as they are subscribed; there its
/// `id` is `dm_event_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentDirectMessage {
    /// The conversation: the two users' ids with a hyphen between them.
    pub dm_conversation_id: String,
    /// The message.
    #[serde(deserialize_with = "id::text_or_number")]
    pub dm_event_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Answer;

    #[test]
    fn what_is_sent() {
        let json = |message: &NewDirectMessage| serde_json::to_string(message).unwrap();
        insta::assert_snapshot!(
            json(&NewDirectMessage::text("a \"b\"\n").unwrap()), @r#"{"text":"a \"b\"\n"}"#
        );
        let media = |id: &str| id.parse::<MediaId>().unwrap();
        insta::assert_snapshot!(
            json(&NewDirectMessage::attachment(media("1455952740635586573")).with_attachment(media("2"))),
            @r#"{"attachments":[{"media_id":"1455952740635586573"},{"media_id":"2"}]}"#
        );
        insta::assert_snapshot!(
            NewDirectMessage::text("").unwrap_err(),
            @"a direct message needs text or an attachment, and has neither"
        );
    }

    #[test]
    fn what_comes_back() {
        for body in [
            r#"{"data":{"dm_conversation_id":"7-8","dm_event_id":"1346889436626259968"}}"#,
            r#"{"dm_conversation_id":"7-8","dm_event_id":1346889436626259968}"#,
        ] {
            let sent = Answer::<SentDirectMessage>::parse(body.as_bytes()).unwrap();
            insta::allow_duplicates! {
                insta::assert_snapshot!(
                    serde_json::to_string(&sent).unwrap(),
                    @r#"{"dm_conversation_id":"7-8","dm_event_id":"1346889436626259968"}"#
                );
            }
        }
    }
}
