//! Follows events of one kind, which are few among all others, of the app that is recovered.
//!
//! What is stale is not followed: it may be an old capture that somebody has sent again. Nor is what
//! came for another app: its webhook, its jobs and its users' permissions are others.

use aaa_webhook::inbox::{EventLog, EventQuery, StoredEvent};
use tokio::{sync::mpsc, time::sleep};

use super::{READ_AGAIN, apps::DEFAULT_APP, store::Store};

/// Reads what is stored of a kind; returns it and up to which number it looked.
pub(super) async fn stored<T>(
    store: &Store,
    kind: &str,
    read: fn(&StoredEvent) -> Option<T>,
) -> (Vec<T>, u64) {
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let query = EventQuery { kind: Some(kind.to_owned()), ..EventQuery::after(after, 100) };
        let last = *store.subscribe().borrow();
        match store.events(query).await {
            Ok(page) => {
                found.extend(page.iter().filter(counts).filter_map(read));
                match page.last() {
                    Some(event) => after = event.seq,
                    None => return (found, after.max(last)),
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the inbox could not be read; trying again");
                sleep(READ_AGAIN).await;
            }
        }
    }
}

/// Passes on what is stored behind `after` of a kind, as it arrives, until nobody takes it or the
/// store is closed: whoever runs this ends by itself then.
pub(super) async fn follow<T>(
    store: Store,
    kind: &str,
    mut after: u64,
    read: fn(&StoredEvent) -> Option<T>,
    sender: mpsc::Sender<T>,
) {
    let mut committed = store.subscribe();
    loop {
        let query = EventQuery { kind: Some(kind.to_owned()), ..EventQuery::after(after, 100) };
        // What is committed after this point wakes the loop again.
        let last = *committed.borrow_and_update();
        let page = match store.events(query).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%error, "the inbox could not be read; trying again");
                sleep(READ_AGAIN).await;
                continue;
            }
        };
        for event in &page {
            after = event.seq;
            if let Some(news) = Some(event).filter(counts).and_then(read)
                && sender.send(news).await.is_err()
            {
                return;
            }
        }
        if page.is_empty() {
            // What was looked through is not looked through again.
            after = after.max(last);
            if committed.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

/// Says whether anybody may act on an event.
fn counts(event: &&StoredEvent) -> bool {
    !event.stale && event.app == DEFAULT_APP
}

#[cfg(test)]
mod tests;
