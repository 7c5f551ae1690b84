//! Whether the stream is still the one that the bucket is about, and still safe.

use std::{sync::PoisonError, time::Duration};

use async_nats::jetstream::stream::Info;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{Shared, bucket::Room, error::JetStreamError, stream};

/// The document.
const KEY: &str = "stream";

/// How often to ask again when the stream seems to be behind: a server that leads no more, and has
/// not noticed, says so too.
const ASKED: u32 = 10;

/// How long to wait in between.
const PAUSE: Duration = Duration::from_millis(300);

/// What the bucket knows of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// When it was made.
    created: Timestamp,
    /// The highest number that was seen.
    last: u64,
}

impl Known {
    fn of(info: &Info) -> Self {
        let created = Timestamp::from_nanosecond(info.created.unix_timestamp_nanos());
        let created = created.unwrap_or(Timestamp::UNIX_EPOCH);
        Self { created, last: info.state.last_sequence }
    }
}

impl Shared {
    /// Compares the stream with what the bucket knows of it, and notes how far it is.
    pub(super) async fn belongs(&self) -> Result<(), JetStreamError> {
        let known = self.bucket.read::<Known>(KEY).await?;
        let mut asked = 0;
        let found = loop {
            let info = self.info().await?;
            let found = Known::of(&info);
            let Some(known) = known else { break found };
            if found.created != known.created {
                return Err(self.apart(format!(
                    "the one was made at {:.0}, and the other is about one that was made at {:.0}",
                    found.created, known.created
                )));
            }
            if found.last >= known.last {
                break found;
            }
            asked += 1;
            if asked > ASKED {
                return Err(self.apart(format!(
                    "the one ends at number {}, and the other knows of number {}: was it brought \
                     back from a copy?",
                    found.last, known.last
                )));
            }
            sleep(PAUSE).await;
        };
        if known == Some(found) {
            return Ok(());
        }
        let note = |known: &mut Known| {
            let last = known.last.max(found.last);
            *known = Known { last, ..found };
            Ok::<(), JetStreamError>(())
        };
        self.bucket.change(KEY, Room::Last, || found, note).await?
    }

    /// Looks whether the stream is still safe; notes what is wrong, and says so once.
    pub(super) async fn inspect(&self) -> Result<(), JetStreamError> {
        let looked = async {
            stream::inspect(&self.context, &self.settings).await?;
            self.belongs().await
        };
        let looked = looked.await;
        let trouble = match &looked {
            Ok(()) => None,
            // Whoever writes is told that nobody answers; what was known is still known.
            Err(JetStreamError::Failed { .. } | JetStreamError::Unfit { .. }) => return looked,
            Err(error) => Some(error.clone()),
        };
        let mut noted = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *noted != trouble {
            match &trouble {
                Some(error) => tracing::error!(%error, "what is acknowledged may be lost"),
                None => tracing::info!("the stream is safe again"),
            }
            *noted = trouble;
        }
        drop(noted);
        looked
    }

    fn apart(&self, reason: String) -> JetStreamError {
        JetStreamError::Apart { stream: self.settings.stream.clone(), reason }
    }
}
