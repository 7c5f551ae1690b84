use jiff::Timestamp;

use super::{Entities, Media, model::model};
use crate::time::parse_epoch_millis;

model! {
    /// A direct message, sent or received. Names and pictures of its users are in the `users`
    /// member of the delivery: see [`DeliveryContext`](super::DeliveryContext).
    pub struct DirectMessage {
        /// `message_create`, or something new.
        pub kind: Option<String> = optional("type"),
        /// The identifier.
        pub id: String = required("id"),
        /// When it was sent, in milliseconds since 1970, as a string.
        pub created_timestamp: Option<String> = optional("created_timestamp"),
        /// The message.
        pub message_create: Box<DirectMessageContent> = required("message_create"),
        /// What made the sender write.
        pub initiated_via: Option<InitiatedVia> = optional("initiated_via"),
    }
}

impl DirectMessage {
    /// Returns when the message was sent.
    pub fn created_at(&self) -> Option<Timestamp> {
        parse_epoch_millis(self.created_timestamp.as_deref()?)
    }

    /// Returns which way the message went for a user, given the identifier in decimal; `None`
    /// when the user neither sent nor got it. A note to oneself was sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_types::payload::{DirectMessage, Direction};
    ///
    /// let message: DirectMessage = serde_json::from_str(r#"{"id":"1","message_create":
    ///     {"sender_id":"8","target":{"recipient_id":"7"},"message_data":{"text":"hello"}}}"#)?;
    /// assert_eq!(message.direction("7"), Some(Direction::Received));
    /// assert_eq!(message.direction("8"), Some(Direction::Sent));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn direction(&self, user_id: &str) -> Option<Direction> {
        if self.message_create.sender_id == user_id {
            Some(Direction::Sent)
        } else {
            (self.message_create.target.recipient_id == user_id).then_some(Direction::Received)
        }
    }
}

/// Which way a direct message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The user wrote it.
    Sent,
    /// The user got it.
    Received,
}

model! {
    /// What made the sender of a direct message write.
    pub struct InitiatedVia {
        /// A post with a button for messages.
        pub tweet_id: Option<String> = optional("tweet_id"),
        /// A welcome message.
        pub welcome_message_id: Option<String> = optional("welcome_message_id"),
    }
}

model! {
    /// Who wrote what to whom.
    pub struct DirectMessageContent {
        /// To whom it was sent.
        pub target: Recipient = required("target"),
        /// Who sent it.
        pub sender_id: String = required("sender_id"),
        /// The app that sent it.
        pub source_app_id: Option<String> = optional("source_app_id"),
        /// Text and attachments.
        pub message_data: DirectMessageData = required("message_data"),
    }
}

model! {
    /// The receiving end of a direct message.
    pub struct Recipient {
        /// The user.
        pub recipient_id: String = required("recipient_id"),
    }
}

model! {
    /// Text and attachments of a direct message.
    pub struct DirectMessageData {
        /// The text.
        pub text: Option<String> = optional("text"),
        /// Tags, links and names in the text.
        pub entities: Option<Entities> = optional("entities"),
        /// What was sent with the text.
        pub attachment: Option<Attachment> = optional("attachment"),
        /// The answer that the sender picked among those offered.
        pub quick_reply_response: Option<QuickReplyResponse> = optional("quick_reply_response"),
    }
}

model! {
    /// What was sent with a direct message.
    pub struct Attachment {
        /// `media`, or something new.
        pub kind: Option<String> = optional("type"),
        /// A photo, video or animation.
        pub media: Option<Box<Media>> = optional("media"),
    }
}

model! {
    /// The answer that the sender of a direct message picked among those offered.
    pub struct QuickReplyResponse {
        /// `options`, or something new.
        pub kind: Option<String> = optional("type"),
        /// What the offering app wrote to itself into the picked answer.
        pub metadata: Option<String> = optional("metadata"),
    }
}

model! {
    /// Somebody is writing (`direct_message_indicate_typing_events`). The subscribed user need
    /// not be one of the two.
    pub struct Typing {
        /// When, in milliseconds since 1970, as a string.
        pub created_timestamp: Option<String> = optional("created_timestamp"),
        /// Who is writing.
        pub sender_id: String = required("sender_id"),
        /// To whom.
        pub target: Recipient = required("target"),
    }
}

impl Typing {
    /// Returns when it happened.
    pub fn created_at(&self) -> Option<Timestamp> {
        parse_epoch_millis(self.created_timestamp.as_deref()?)
    }
}

model! {
    /// Somebody has read messages (`direct_message_mark_read_events`). The subscribed user need
    /// not be one of the two.
    pub struct MarkRead {
        /// When, in milliseconds since 1970, as a string.
        pub created_timestamp: Option<String> = optional("created_timestamp"),
        /// Who has read.
        pub sender_id: String = required("sender_id"),
        /// Whose messages.
        pub target: Recipient = required("target"),
        /// The last message that was read.
        pub last_read_event_id: Option<String> = optional("last_read_event_id"),
    }
}

impl MarkRead {
    /// Returns when it happened.
    pub fn created_at(&self) -> Option<Timestamp> {
        parse_epoch_millis(self.created_timestamp.as_deref()?)
    }
}

#[cfg(test)]
mod tests;
