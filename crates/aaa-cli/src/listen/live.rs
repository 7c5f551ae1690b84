//! Prints events as they arrive.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use aaa_webhook::inbox::{EventLog, EventQuery};
use tokio::{sync::mpsc, time::sleep};

use super::{READ_AGAIN, store::Store};
use crate::{
    cli::Format,
    events,
    exit::{Exit, Failure},
    output,
};

/// How many events are read at once.
const PAGE: usize = 200;

/// How many lines may wait for a slow reader; the others wait in the inbox.
const WAITING: usize = 64;

/// A reader that begins at the end of the inbox.
pub(super) struct Live {
    store: Store,
    format: Format,
    after: u64,
    printed: Arc<AtomicU64>,
}

impl Live {
    /// Remembers where the inbox ends now.
    pub(super) async fn new(store: Store, format: Format) -> Result<Self, Failure> {
        let stats = store.stats().await;
        let stats = stats.map_err(|error| Exit::Failed.of("could not read the store", error))?;
        let after = stats.last_seq.unwrap_or(0);
        Ok(Self { store, format, after, printed: Arc::new(AtomicU64::new(after)) })
    }

    /// Returns the number of the last event that was printed, as it rises; nothing when none is.
    pub(super) fn printed(&self) -> Option<Arc<AtomicU64>> {
        (self.format != Format::None).then(|| Arc::clone(&self.printed))
    }

    /// Prints until the end of the run, or until nobody reads any more; the receiver does not
    /// care. A reader that stalls holds up this task and a thread of its own, nothing else.
    pub(super) async fn run(self, ended: impl Future<Output = ()>) -> Result<(), Failure> {
        if self.format == Format::None {
            return Ok(());
        }
        let (lines, mut waiting) = mpsc::channel::<(u64, String)>(WAITING);
        let printed = Arc::clone(&self.printed);
        let printer = tokio::task::spawn_blocking(move || {
            while let Some((seq, line)) = waiting.blocking_recv() {
                if !output::line(line)? {
                    break;
                }
                printed.store(seq, SeqCst);
            }
            Ok(())
        });
        let read = self.read(lines, ended).await;
        read.and(printer.await.unwrap_or(Ok(())))
    }

    async fn read(
        mut self,
        lines: mpsc::Sender<(u64, String)>,
        ended: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        let mut committed = self.store.subscribe();
        let mut ended = std::pin::pin!(ended);
        let mut ending = false;
        loop {
            committed.mark_unchanged();
            let page = match self.store.events(EventQuery::after(self.after, PAGE)).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(%error, "events cannot be printed; trying again");
                    sleep(READ_AGAIN).await;
                    continue;
                }
            };
            for event in &page {
                self.after = event.seq;
                let line = events::text(event, self.format == Format::Json)?;
                if lines.send((event.seq, line)).await.is_err() {
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
                () = &mut ended => ending = true,
                changed = committed.changed() => ending = changed.is_err(),
            }
        }
    }
}
