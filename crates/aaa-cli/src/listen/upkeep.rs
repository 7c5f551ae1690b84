//! Takes out of the store what is over.

use std::{pin::pin, time::Duration};

use aaa_replay::{driver::XClock, ledger::Ledger};
use aaa_store::sqlite::Pruned;
use aaa_webhook::consumer::{ConsumerName, CursorError, Cursors};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::store::Store;

/// From one time to the next.
const PERIOD: Duration = Duration::from_secs(5 * 60);

/// How often to look whether X's clock was read.
const LOOK: Duration = Duration::from_secs(1);

/// How long coverage is kept: longer than any replay reaches.
const COVERAGE: SignedDuration = SignedDuration::from_hours(8 * 24);

/// Prunes the store.
pub(super) struct Upkeep {
    store: Store,
    clock: XClock,
    /// Consumers of this run, and after which event they begin if they have no cursor yet.
    expected: Vec<(ConsumerName, u64)>,
    /// Whether X's clock is going to be read.
    awaits_x: bool,
    /// Goes when nobody needs any more what was stored before this run.
    past: Option<oneshot::Receiver<()>>,
}

impl Upkeep {
    /// Prepares to prune what neither the expected consumers nor any others wait for.
    pub(super) fn new(
        store: &Store,
        clock: &XClock,
        expected: impl IntoIterator<Item = (ConsumerName, u64)>,
    ) -> Self {
        let expected = expected.into_iter().collect();
        let (store, clock) = (store.clone(), clock.clone());
        Self { store, clock, expected, awaits_x: false, past: None }
    }

    /// Begins when this has gone: until then somebody reads what was stored before this run.
    pub(super) fn after(self, past: oneshot::Receiver<()>) -> Self {
        Self { past: Some(past), ..self }
    }

    /// Begins when X's clock was read: until then the local one decides, and bodies that it takes
    /// for old would be gone.
    pub(super) fn after_x(self) -> Self {
        Self { awaits_x: true, ..self }
    }

    /// Prunes at once and then every few minutes, until the run has ended.
    pub(super) async fn run(mut self, ended: impl Future<Output = ()>) {
        let mut ended = pin!(ended);
        if let Some(past) = self.past.take() {
            tokio::select! {
                () = &mut ended => return,
                _ = past => {}
            }
        }
        let (mut held_back, mut is_first) = (None, true);
        loop {
            let round = async {
                if is_first {
                    self.clock_is_read().await;
                } else {
                    sleep(PERIOD).await;
                }
                self.prune(self.clock.now()).await
            };
            let pruned = tokio::select! {
                // Dropped in the middle, a round goes on where it was at the next one.
                () = &mut ended => return,
                pruned = round => pruned,
            };
            is_first = false;
            match pruned {
                Ok(pruned) => {
                    tracing::debug!(?pruned, "the store was pruned");
                    if pruned.held_back.is_some() && pruned.held_back != held_back {
                        tracing::warn!(
                            seq = pruned.held_back,
                            "events that are old enough to go are kept: a consumer has not handled \
                             them; `aaa events stats` shows which"
                        );
                    }
                    held_back = pruned.held_back;
                }
                Err(error) => tracing::warn!(%error, "the store could not be pruned; trying later"),
            }
        }
    }

    /// Waits for a reading of X's clock, if there is going to be one, and for no longer than from
    /// one time to the next.
    async fn clock_is_read(&self) {
        let read = async {
            while self.clock.age().is_none() {
                sleep(LOOK).await;
            }
        };
        if self.awaits_x {
            let _ = timeout(PERIOD, read).await;
        }
    }

    /// Prunes what no consumer still waits for.
    async fn prune(&self, now: Timestamp) -> Result<Pruned, CursorError> {
        let cursors = self.store.cursors().await?;
        let is_new = |name: &ConsumerName| cursors.iter().all(|(known, _)| known != name);
        let new = self.expected.iter().filter(|(name, _)| is_new(name)).map(|(_, start)| *start);
        let handled = cursors.iter().map(|(_, cursor)| cursor.progress.cursor()).chain(new).min();
        let keep_from = handled.map_or(u64::MAX, |handled| handled.saturating_add(1));
        if !self.awaits_x {
            self.trim(now).await;
        }
        self.store.prune(now, keep_from).await
    }

    /// Removes coverage that is older than any replay reaches. Who recovers does that as well, by
    /// what there is to recover.
    async fn trim(&self, now: Timestamp) {
        let before = now.saturating_sub(COVERAGE).unwrap_or(Timestamp::MIN);
        if let Err(error) = self.store.trim(before).await {
            tracing::warn!(%error, "old coverage could not be removed; trying later");
        }
    }
}

#[cfg(test)]
mod tests {
    use aaa_store::{Settings, SqliteStore};
    use aaa_webhook::{
        app::App,
        consumer::Cursors,
        delivery::Received,
        inbox::Inbox,
        signature::{self, Signature},
    };
    use http::HeaderMap;

    use super::*;

    async fn arrive(store: &Store, id: u64, at: Timestamp) {
        let body = format!(
            r#"{{"for_user_id":"7","follow_events":[{{"type":"follow","created_timestamp":"{}",
            "source":{{"id":"{id}"}},"target":{{"id":"7"}}}}]}}"#,
            at.as_millisecond(),
        );
        let app = App::new("default", "secret".parse().unwrap());
        let signature = Signature::of(app.active(), body.as_bytes()).to_string();
        let headers = HeaderMap::from_iter([(signature::HEADER, signature.parse().unwrap())]);
        let received = Received::new(body.into(), at).verify(&headers, &[app]).unwrap();
        assert_eq!(store.commit(received).await.unwrap().stored, 1);
    }

    #[tokio::test]
    async fn it_begins_when_xs_clock_was_read() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("data"), Settings::default()).unwrap();
        let store = Store::Sqlite(store);
        let clock = XClock::new();
        Upkeep::new(&store, &clock, []).clock_is_read().await;
        let upkeep = Upkeep::new(&store, &clock, []).after_x();
        assert!(timeout(Duration::ZERO, upkeep.clock_is_read()).await.is_err());
        clock.observe(clock.wall());
        upkeep.clock_is_read().await;
        store.close(true).await.unwrap();
    }

    #[tokio::test]
    async fn it_begins_when_nobody_reads_any_more_what_was_stored_before() {
        let directory = tempfile::tempdir().unwrap();
        let hour = Duration::from_secs(60 * 60);
        let settings = Settings { body_retention: Some(hour), ..Settings::default() };
        let store = SqliteStore::open(directory.path().join("data"), settings).unwrap();
        let store = Store::Sqlite(store);
        let start: Timestamp = "2025-11-22T04:13:00Z".parse().unwrap();
        arrive(&store, 1, start).await;
        arrive(&store, 2, start + SignedDuration::from_hours(3)).await;
        let count = async || store.stats().await.unwrap().events;
        let (past, is_past) = oneshot::channel();
        let upkeep = Upkeep::new(&store, &XClock::new(), []).after(is_past);
        let upkeep = tokio::spawn(upkeep.run(std::future::pending()));
        for _ in 0..20 {
            assert_eq!(count().await, 2);
        }
        drop(past);
        let pruned = async { while count().await > 1 {} };
        timeout(Duration::from_secs(60), pruned).await.expect("it does not begin");
        upkeep.abort();
        let _ = upkeep.await;
        store.close(true).await.unwrap();
    }

    #[tokio::test]
    async fn what_a_consumer_waits_for_stays() {
        let directory = tempfile::tempdir().unwrap();
        let hour = Duration::from_secs(60 * 60);
        let settings =
            Settings { key_retention: hour, body_retention: Some(hour), ..Settings::default() };
        let store = SqliteStore::open(directory.path().join("data"), settings).unwrap();
        let store = Store::Sqlite(store);
        let start: Timestamp = "2025-11-22T04:13:00Z".parse().unwrap();
        arrive(&store, 1, start).await;
        arrive(&store, 2, start).await;
        let later = start + SignedDuration::from_hours(3);
        arrive(&store, 3, later).await;

        // It has handled the first of them.
        let slow: ConsumerName = "slow".parse().unwrap();
        store.open(&slow, 1).await.unwrap();
        // Another one has not begun yet.
        let upkeep = |expected: &[(ConsumerName, u64)]| {
            Upkeep::new(&store, &XClock::new(), expected.iter().cloned())
        };
        let new = ("new".parse().unwrap(), 0);
        let pruned = upkeep(&[new]).prune(later).await.unwrap();
        assert_eq!((pruned.events, pruned.held_back), (0, Some(1)));
        let pruned = upkeep(&[(slow, 0)]).prune(later).await.unwrap();
        assert_eq!((pruned.events, pruned.held_back), (1, Some(2)));
        store.close(true).await.unwrap();
    }
}
