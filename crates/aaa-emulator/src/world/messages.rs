//! Direct messages that the app sends for a user.

use aaa_types::UserId;
use jiff::Timestamp;

use super::World;
use crate::{control::Trigger, credentials, payload};

/// A direct message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Who sends it.
    pub sender: UserId,
    /// Who is to get it.
    pub recipient: UserId,
    /// What it says.
    pub text: Option<String>,
    /// The pictures in it. What is delivered has a place for one, and shows the first.
    pub media_ids: Vec<u64>,
}

/// A direct message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMessage {
    /// The two users, the smaller id first.
    pub conversation_id: String,
    /// The id that the deliveries carry too.
    pub event_id: String,
}

/// A direct message cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// It would go to oneself or to nobody.
    #[error("the recipient is the sender, or none of the users 1 to {max}", max = credentials::MAX_USER)]
    Recipient,
}

impl World {
    /// Sends a direct message. It is delivered to every webhook to which the sender or the
    /// recipient is subscribed, once for each of them.
    ///
    /// # Errors
    ///
    /// Refuses messages to oneself and to users that there are not.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_emulator::{settings::Settings, world::{NewMessage, World}};
    ///
    /// let now = "2025-11-22T04:00:00Z".parse()?;
    /// let mut world = World::new(Settings::default(), now);
    /// let (sender, recipient) = ("12".parse()?, "7".parse()?);
    /// let text = Some("hello".to_owned());
    /// let message = NewMessage { sender, recipient, text, media_ids: Vec::new() };
    /// assert_eq!(world.send_message(&message, now)?.conversation_id, "7-12");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_message(
        &mut self,
        message: &NewMessage,
        now: Timestamp,
    ) -> Result<SentMessage, MessageError> {
        let NewMessage { sender, recipient, text, media_ids } = message;
        let is_user = (1..=credentials::MAX_USER).contains(&recipient.as_u64());
        if sender == recipient || !is_user {
            return Err(MessageError::Recipient);
        }
        self.observe(now);
        let id = self.next_id();
        let media_id = media_ids.first().copied();
        let payload = payload::sent_message(id, *recipient, text.as_deref(), media_id);
        let ask = Trigger::new("direct_message_events", *sender).with_payload(payload);
        // The sender was let in with a token, so there is such a user.
        self.trigger(&ask, now).map_err(|_| MessageError::Recipient)?;
        let (first, second) = (sender.min(recipient), sender.max(recipient));
        Ok(SentMessage { conversation_id: format!("{first}-{second}"), event_id: id.to_string() })
    }
}
