//! Prints events as they arrive.

use aaa_store::SqliteStore;
use aaa_webhook::inbox::{EventLog, EventQuery};

use crate::{
    cli::Format,
    events,
    exit::{Exit, Failure},
};

/// How many events are read at once.
const PAGE: usize = 200;

/// A reader that begins at the end of the inbox.
pub(super) struct Live {
    store: SqliteStore,
    format: Format,
    after: u64,
}

impl Live {
    /// Remembers where the inbox ends now.
    pub(super) async fn new(store: SqliteStore, format: Format) -> Result<Self, Failure> {
        let stats = store.stats().await;
        let stats = stats.map_err(|error| Exit::Failed.of("could not read the store", error))?;
        Ok(Self { store, format, after: stats.last_seq.unwrap_or(0) })
    }

    /// Prints until the end of the run, or until nobody reads any more; the receiver does not care.
    pub(super) async fn run(mut self, stopped: impl Future<Output = ()>) -> Result<(), Failure> {
        if self.format == Format::None {
            return Ok(());
        }
        let mut committed = self.store.subscribe();
        let mut stopped = std::pin::pin!(stopped);
        let mut ending = false;
        loop {
            committed.mark_unchanged();
            let query = EventQuery::after(self.after, PAGE);
            let page = self.store.events(query).await;
            let page = page.map_err(|error| Exit::Failed.of("could not read the inbox", error))?;
            for event in &page {
                self.after = event.seq;
                if !events::print(event, self.format == Format::Json)? {
                    return Ok(());
                }
            }
            if !page.is_empty() {
                continue;
            }
            if ending {
                return Ok(());
            }
            tokio::select! {
                // What the end of the run still brought is printed before this ends.
                () = &mut stopped => ending = true,
                changed = committed.changed() => ending = changed.is_err(),
            }
        }
    }
}
