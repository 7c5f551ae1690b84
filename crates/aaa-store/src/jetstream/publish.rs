//! Publishing, until the stream has surely taken a message.

use std::time::Duration;

use aaa_types::EventKey;
use async_nats::{
    connection::State,
    jetstream::{
        context::{PublishError, PublishErrorKind},
        message::PublishMessage,
        publish::PublishAck,
    },
};
use tokio::time::{sleep, timeout};

use super::{Shared, error::JetStreamError, message::Outgoing, settings::Keys};

/// How long one attempt waits for its acknowledgement: a new leader is elected sooner than all
/// attempts are over.
const ATTEMPT: Duration = Duration::from_millis(500);

/// How long to wait after an answer that promises nothing.
const PAUSE: Duration = Duration::from_millis(20);

/// The server's words for a stream that has a message of that subject.
const TAKEN: &str = "maximum messages per subject exceeded";

/// What came of publishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// The number in the stream.
    pub(super) seq: u64,
    /// Whether it was there before.
    pub(super) duplicate: bool,
}

/// What an acknowledgement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Taken {
        seq: u64,
        duplicate: bool,
    },
    /// Nothing that can be relied on: ask again.
    Nothing,
    Foreign,
}

/// Judges an acknowledgement. While a copy is on its way through the servers, it says `duplicate`
/// and has no number: nothing is stored yet, and nobody knows whether it will be.
fn judge(ack: &PublishAck, stream: &str) -> Said {
    if ack.stream != stream {
        Said::Foreign
    } else if ack.sequence == 0 {
        Said::Nothing
    } else {
        Said::Taken { seq: ack.sequence, duplicate: ack.duplicate }
    }
}

impl Shared {
    /// Publishes until the stream has the message or `commit_time` is over.
    pub(super) async fn publish(&self, message: Outgoing) -> Result<Taken, JetStreamError> {
        let mut last = "no acknowledgement came".to_owned();
        let all = self.attempts(&message, &mut last);
        match timeout(self.settings.commit_time, all).await {
            Ok(result) => result,
            Err(_) => Err(JetStreamError::Failed {
                action: "store an event in time",
                reason: format!("{last}; is a majority of the servers up?"),
            }),
        }
    }

    async fn attempts(
        &self,
        message: &Outgoing,
        last: &mut String,
    ) -> Result<Taken, JetStreamError> {
        // Whether an attempt without an answer may have stored it.
        let mut unclear = false;
        let client = self.context.client();
        loop {
            // What is asked while there is no connection waits for one, and is sent then, with its
            // body, although nobody wants to know any more.
            if client.connection_state() != State::Connected {
                "there is no connection".clone_into(last);
                sleep(PAUSE).await;
                continue;
            }
            match timeout(ATTEMPT, self.attempt(message)).await {
                Ok(Ok(ack)) => match judge(&ack, &self.settings.stream) {
                    Said::Taken { seq, duplicate } => {
                        return Ok(Taken { seq, duplicate: duplicate && !unclear });
                    }
                    Said::Nothing => {
                        "a copy is on its way through the servers".clone_into(last);
                    }
                    Said::Foreign => {
                        let reason = format!("another stream, `{}`, takes its subject", ack.stream);
                        return Err(JetStreamError::Failed { action: "store an event", reason });
                    }
                },
                Ok(Err(error)) if self.is_taken(&error) => {
                    if let Some(seq) = self.find(message.key, &message.subject).await? {
                        return Ok(Taken { seq, duplicate: !unclear });
                    }
                    "a copy is on its way through the servers".clone_into(last);
                }
                Ok(Err(error)) => {
                    *last = reason(&error);
                    if is_final(&error) {
                        let reason = last.clone();
                        return Err(JetStreamError::Failed { action: "store an event", reason });
                    }
                    unclear |= !matches!(error.kind(), PublishErrorKind::StreamNotFound);
                }
                Err(_) => {
                    unclear = true;
                    "no acknowledgement came".clone_into(last);
                    continue;
                }
            }
            sleep(PAUSE).await;
        }
    }

    async fn attempt(&self, message: &Outgoing) -> Result<PublishAck, PublishError> {
        let publish =
            PublishMessage::build().payload(message.body.clone()).headers(message.headers.clone());
        self.context.send_publish(message.subject.clone(), publish).await?.await
    }

    fn is_taken(&self, error: &PublishError) -> bool {
        self.settings.keys == Keys::Subjects && reason(error).contains(TAKEN)
    }

    /// Looks whether the leader has a message of that subject, which is that of one key.
    async fn find(&self, key: EventKey, subject: &str) -> Result<Option<u64>, JetStreamError> {
        match self.events.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Ok(Some(message.sequence)),
            Err(error) if super::is_missing(&error) => Ok(None),
            Err(error) => {
                tracing::debug!(%key, %error, "a copy could not be looked for");
                Ok(None)
            }
        }
    }
}

/// Says what the server said, which the client keeps as the source.
fn reason(error: &PublishError) -> String {
    match std::error::Error::source(error) {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

/// Says whether another attempt would be answered the same.
fn is_final(error: &PublishError) -> bool {
    let words = reason(error);
    error.kind() == PublishErrorKind::MaxPayloadExceeded
        || ["maximum bytes exceeded", "maximum messages exceeded", "insufficient", "resource"]
            .iter()
            .any(|full| words.contains(full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_of_this_stream_is_an_acknowledgement() {
        let ack = |stream: &str, sequence, duplicate| PublishAck {
            stream: stream.to_owned(),
            sequence,
            duplicate,
            ..PublishAck::default()
        };
        assert_eq!(judge(&ack("aaa", 7, false), "aaa"), Said::Taken { seq: 7, duplicate: false });
        assert_eq!(judge(&ack("aaa", 7, true), "aaa"), Said::Taken { seq: 7, duplicate: true });
        assert_eq!(judge(&ack("aaa", 0, true), "aaa"), Said::Nothing);
        assert_eq!(judge(&ack("aaa", 0, false), "aaa"), Said::Nothing);
        assert_eq!(judge(&ack("other", 7, false), "aaa"), Said::Foreign);
    }
}
