//! The embedded store: one SQLite file in a directory of its own.
//!
//! What it promises: an answered [`Inbox::commit`] survives a killed process and a power loss,
//! since every commit is synced (`synchronous=FULL`, read back before anything is accepted).
//! One process writes; any number may read beside it, also while it is stopped or after it was
//! killed. Commands of another process may [`check`], [`backup`], [`vacuum`] and [`forget`]
//! meanwhile, and use the ledger of replays ([`SqliteLedger`]).
//!
//! # What is looked at when it is opened
//!
//! Looking at every page takes seconds for each gigabyte, so that is done when there is a reason:
//! the machine went down while the file was open, or the file was changed since it was closed or
//! its process was killed (a restored backup, another tool), or it is brought up to date, or
//! reading or writing failed. Otherwise only the edges of each table are looked at. That a process
//! was killed is no reason by itself: what it had written is as it wrote it. But it is one where
//! the system does not tell whether the machine was started anew (all but Linux), and when the kill
//! came at the end of a checkpoint, which looks like a change by somebody else. What a disk loses
//! silently is found when it is read, or by [`check`].
//!
//! It is looked at before anything is accepted, not meanwhile: a damaged file would be written to
//! until the damage is found, and what was answered 200 be stored where it may not be read again.
//!
//! A damaged file is refused and left as it is; a damaged write-ahead log too, where SQLite itself
//! would drop what follows the damage. What cannot be told from an unfinished transaction is damage
//! in the last one or two of that log.
//!
//! # What it costs
//!
//! Ratios are of single runs, on two cores that others used too: they tell what grows and what does
//! not.
//!
//! * **A commit** appends a row for each delivery, with its body, and one for each event, and syncs
//!   the log once, whatever waited. A transaction of some fifty deliveries of 2.4 kB took two to
//!   eight times as long as one of a single delivery. [`SqliteStore::transactions`] tells how many
//!   share one, and how long it takes.
//! * **Stored keys** hardly matter to it: with 64 deliveries at once, a store of a million keys took
//!   as many in a second as an empty one. A key is looked for in a tree; one that carries its time
//!   is near the end of that, where the pages are in memory. Keys without a time lie anywhere.
//! * **Filing**, some 2,048 events at once, is part of the commit that makes them so many. Until
//!   then their keys, 16 bytes each, are in memory. A copy is a commit like any other, with a row
//!   to change and a sync.
//! * **A body** is written to the log and later, at a checkpoint, to the file. Memory is bounded by
//!   [`Settings::queue_bytes`], not by what is stored; a page of events ends after 16 MiB of bodies,
//!   and the writer's cache of pages holds 16 MiB.
//! * **A page of events** without a filter does not depend on how many there are. Filters look
//!   through blocks of 8,192 numbers that hold such a kind or such a user. In a million events, and
//!   compared with the first hundred of all: those of a kind that is one in fifty took 6 times as
//!   long, the one or two events there are of a rare kind or user 8 times, those of a user who is one
//!   in a thousand 40 times, and a user who is not there no longer at all. The worst is a kind and a
//!   user that are in every block and never in one event: 360 times, since everything is looked at.
//! * **Opening** with a look at every page grows with the file; at a million keys it took 240 times
//!   as long as opening a closed one, and 47 times as long as opening one after a kill.
//! * **Connections** of clients are unknown to the store: what they bring costs, not how many there
//!   are.
//!
//! # How long something is kept
//!
//! [`SqliteStore::prune`] removes what is over. Keys of events that carry their own time live for
//! [`Settings::key_retention`], all others for ever. Bodies live for
//! [`Settings::body_retention`], by default for ever.
//!
//! With [`Settings::redact_on_deletion`] the store follows what X asks of those who store posts:
//! when a post is deleted, its stored payload is replaced by its identity and a note, in the
//! transaction that stores the deletion; when a user revokes access, the same happens to all
//! events for that user so far, in small steps of [`SqliteStore::prune`], which go on after a
//! crash. Found are posts that came as an event of their own, through the same app. Not found are
//! copies inside other events (a repost, a quote, a like), copies in a body that was kept for
//! another event, and events of the X Activity API. What was deleted or revoked while this was off
//! is not looked for when it is on again.

mod backup;
mod batch;
mod beside;
mod check;
mod clock;
mod consumers;
mod counters;
mod files;
mod filing;
mod forget;
mod ledger;
mod measured;
mod open;
mod prune;
mod reader;
mod redact;
mod schema;
pub(crate) mod values;
mod wal;
mod writer;

use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use aaa_replay::{
    coverage::{Proof, Span},
    ledger::{Attempt, Declared, Lease, Seen, Summary},
};
use aaa_types::{UserId, WebhookId};
use aaa_webhook::{
    delivery::VerifiedDelivery,
    inbox::{EventLog, EventQuery, Inbox, InboxError, Receipt, StoredEvent},
};
use jiff::Timestamp;
use tokio::sync::watch;

pub use self::{
    backup::{BackedUp, backup},
    beside::SqliteBeside,
    check::{Depth, Fault, Finding, Report, check},
    files::{DATABASE, is_in_use},
    forget::{Forgotten, Vacuumed, forget, vacuum},
    ledger::SqliteLedger,
    measured::Transactions,
    prune::Pruned,
};
use self::{
    batch::Batch,
    files::{Claim, Doubt},
    prune::Pass,
    reader::ReaderThread,
    schema::Look,
    writer::{Wait, WriterThread},
};
use crate::error::StoreError;

/// How a store behaves. The defaults suit a receiver.
///
/// # Examples
///
/// ```
/// use aaa_store::Settings;
/// use std::time::Duration;
///
/// let settings = Settings { heartbeat_period: Duration::from_secs(1), ..Settings::default() };
/// assert_eq!(settings.queue_deliveries, 1024);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How many deliveries may wait for their commit; one more is refused. 1,024.
    pub queue_deliveries: usize,
    /// How many bytes of bodies may wait for their commit. 64 MiB.
    pub queue_bytes: usize,
    /// How many deliveries one transaction stores at most. 256.
    pub batch_deliveries: usize,
    /// How many bytes of bodies one transaction stores, about. 4 MiB.
    pub batch_bytes: usize,
    /// How long the key of an event is remembered, and so how old an event may be when it
    /// arrives without being stale. 8 days: the longest look-back of a replay, and more.
    pub key_retention: Duration,
    /// How long the bodies of deliveries are kept, with their events. `None`: for ever.
    pub body_retention: Option<Duration>,
    /// Whether content is replaced when X reports that a post was deleted or that a user revoked
    /// access. X's policy asks for it; by default everything is kept as it came.
    pub redact_on_deletion: bool,
    /// How often heartbeats are written. 5 s.
    pub heartbeat_period: Duration,
    /// How long to wait for another process that is writing. 2 s, which leaves a delivery time
    /// for its answer.
    pub busy_timeout: Duration,
    /// The size of a page in bytes, a power of two from 512 to 65,536; it counts when the file is
    /// made. 8,192: three posts fit into one, and a commit is smaller than with other sizes.
    pub page_size: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            queue_deliveries: 1024,
            queue_bytes: 64 * 1024 * 1024,
            batch_deliveries: 256,
            batch_bytes: 4 * 1024 * 1024,
            key_retention: Duration::from_secs(8 * 24 * 60 * 60),
            body_retention: None,
            redact_on_deletion: false,
            heartbeat_period: Duration::from_secs(5),
            busy_timeout: Duration::from_secs(2),
            page_size: 8192,
        }
    }
}

/// The store of the process that receives. Clones share it.
///
/// When the last clone is dropped, what is queued is still written, in the background; only
/// [`SqliteStore::close`] waits for it.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: Arc<WriterThread>,
    reader: SqliteReader,
    last_seq: watch::Receiver<u64>,
}

impl SqliteStore {
    /// Opens the store in a directory, and makes both where they are missing (on Unix with the
    /// modes 0700 and 0600).
    ///
    /// It blocks for as long as SQLite checks the file, so call it before the receiver starts. See
    /// [the module](crate::sqlite) for what is checked.
    ///
    /// # Errors
    ///
    /// Fails when another process writes there, when other users can read it, when the file is
    /// damaged, foreign, from a newer version or cannot be written durably. Then nothing in it
    /// was changed.
    pub fn open(directory: impl AsRef<Path>, settings: Settings) -> Result<Self, StoreError> {
        let claim = Claim::new(directory.as_ref())?;
        let path = claim.database.clone();
        let look = if claim.was_sound() { Look::AtEdges } else { Look::Everywhere };
        let db = schema::open_writer(&path, &settings, look)?;
        if let Err(error) = schema::empty_log(&db, &path) {
            // A reader is at work; the log is emptied later.
            tracing::debug!(%error, "the write-ahead log was not emptied at the start");
        }
        redact::prepare(&db, settings.redact_on_deletion)
            .map_err(|error| StoreError::sqlite(&path, &error))?;
        let last = db
            .query_row("SELECT ifnull(max(seq), 0) FROM events", [], |row| row.get(0))
            .map_err(|error| StoreError::sqlite(&path, &error))?;
        let (sender, last_seq) = watch::channel(values::count(last));
        let reader = SqliteReader::spawn(&path, settings.busy_timeout, claim.doubt().clone())?;
        claim.mark_open();
        let writer = WriterThread::spawn(claim, db, &settings, sender)?;
        Ok(Self { writer: Arc::new(writer), reader, last_seq })
    }

    /// Opens the store of another process for reading, whether that runs or not.
    ///
    /// Nothing is created but SQLite's own `-wal` and `-shm` files, where they are missing.
    ///
    /// # Errors
    ///
    /// Fails when there is no store, when other users can read it, and when it has another
    /// version or is no store at all.
    pub fn open_reader(directory: impl AsRef<Path>) -> Result<SqliteReader, StoreError> {
        let path = files::find(directory.as_ref())?;
        SqliteReader::spawn(&path, Settings::default().busy_timeout, Doubt::default())
    }

    /// Returns the handle that only reads.
    pub fn reader(&self) -> &SqliteReader {
        &self.reader
    }

    /// Watches the sequence number of the last event that was committed, so that a consumer can
    /// sleep until there is something new. It ends when the store is closed.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        let mut last_seq = self.last_seq.clone();
        last_seq.mark_unchanged();
        last_seq
    }

    /// Counts what is stored.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        self.reader.stats().await
    }

    /// Says how much waits for its commit now.
    pub fn queued(&self) -> Queued {
        self.writer.queued()
    }

    /// Returns what the transactions were like that took deliveries, since the store was opened.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_store::{Settings, SqliteStore};
    ///
    /// let directory = tempfile::tempdir()?;
    /// let store = SqliteStore::open(directory.path().join("aaa-data"), Settings::default())?;
    /// assert_eq!(store.transactions().deliveries.count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn transactions(&self) -> Transactions {
        self.writer.measured().read()
    }

    /// Returns how many events were stored as stale since the store was opened.
    pub fn stale(&self) -> u64 {
        self.writer.measured().stale()
    }

    /// Says of each key, in its text form, whether such an event is stored.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn contains_keys(&self, keys: &[String]) -> Result<Vec<bool>, StoreError> {
        self.reader.contains_keys(keys).await
    }

    /// Removes what is over, see [the module](crate::sqlite), and gives free pages back to the
    /// file system. Call it every few minutes.
    ///
    /// It works in small steps between and within the commits of deliveries, which hardly wait
    /// for it, and may be dropped at any time. Events from the sequence number `keep_from` on are
    /// still waited for by somebody and are kept with their bodies, however old;
    /// [`Pruned::held_back`] tells. `u64::MAX` means that nobody waits.
    ///
    /// For keys, what is past is decided by `now` and by the newest event, whichever is earlier;
    /// bodies go by `now` alone, so it should come from a clock that was compared with another.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written. What was done until then stays done.
    pub async fn prune(&self, now: Timestamp, keep_from: u64) -> Result<Pruned, StoreError> {
        let (mut pruned, mut pass) = (Pruned::default(), Pass::FIRST);
        while pass != Pass::Done {
            let work = move |batch: &mut Batch<'_>| {
                if pass == Pass::FIRST {
                    batch.file()?;
                }
                prune::step(batch.db, batch.rules, pass, keep_from, now)
            };
            let (step, next) = self.write(0, Wait::ForRoom, work).await?;
            pruned.add(step);
            pass = next;
        }
        Ok(pruned)
    }

    /// Writes what is queued, and closes the file. All clones are closed with it; they can still
    /// read.
    ///
    /// # Errors
    ///
    /// Fails when SQLite cannot close the file. What was acknowledged is durable nevertheless.
    pub async fn close(&self) -> Result<(), StoreError> {
        // The last connection that closes removes the log, and a reader may not.
        self.reader.thread.rest().await;
        self.writer.close().await
    }

    async fn write<T, F>(&self, bytes: usize, wait: Wait, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Batch<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.writer.write(bytes, wait, work).await
    }
}

impl Inbox for SqliteStore {
    async fn commit(&self, delivery: VerifiedDelivery) -> Result<Receipt, InboxError> {
        let bytes = delivery.body().len();
        let queued = clock::instant();
        let work = move |batch: &mut Batch<'_>| {
            let receipt = batch.store(&delivery)?;
            batch.queued_since(queued);
            Ok(receipt)
        };
        Ok(self.write(bytes, Wait::Never, work).await?)
    }
}

impl EventLog for SqliteStore {
    async fn events(&self, query: EventQuery) -> Result<Vec<StoredEvent>, InboxError> {
        self.reader.events(query).await
    }
}

/// A store that is only read, from any process. Clones share one connection.
///
/// A page of [`EventLog::events`] may be shorter than its limit when bodies are large; only an
/// empty page is the end.
#[derive(Debug, Clone)]
pub struct SqliteReader {
    thread: Arc<ReaderThread>,
}

impl SqliteReader {
    fn spawn(path: &Path, busy_timeout: Duration, doubt: Doubt) -> Result<Self, StoreError> {
        Ok(Self { thread: Arc::new(ReaderThread::spawn(path, busy_timeout, doubt)?) })
    }

    /// Counts what is stored.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        self.thread.ask(reader::stats).await
    }

    /// Says of each key, in its text form, whether such an event is stored.
    ///
    /// It looks through all events, page by page: good for a check, not for every delivery.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn contains_keys(&self, keys: &[String]) -> Result<Vec<bool>, StoreError> {
        let mut missing: HashSet<String> = keys.iter().cloned().collect();
        let mut after = Some(0);
        while let Some(start) = after {
            (missing, after) = self
                .thread
                .ask(move |db| {
                    let next = reader::find_keys(db, start, &mut missing)?;
                    Ok((missing, next))
                })
                .await?;
        }
        Ok(keys.iter().map(|key| !missing.contains(key)).collect())
    }

    /// Returns the spans of coverage in the order of their writing.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn spans(&self) -> Result<Vec<Span>, StoreError> {
        Ok(self.spans_from(0).await?.into_iter().map(|(_, span)| span).collect())
    }

    /// Returns the spans of coverage with their numbers, from one on.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn spans_from(&self, number: u64) -> Result<Vec<(u64, Span)>, StoreError> {
        self.thread.ask(move |db| ledger::spans_from(db, number)).await
    }

    /// Returns the stretches of coverage in which something arrived.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn proofs(&self) -> Result<Vec<Proof>, StoreError> {
        self.thread.ask(|db| ledger::proofs(db)).await
    }

    /// Returns the declared gaps in their order.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn declared(&self) -> Result<Vec<Declared>, StoreError> {
        self.thread.ask(|db| ledger::declared(db)).await
    }

    /// Returns the lease as it was last taken, whether it is over or not.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn lease(&self) -> Result<Option<Lease>, StoreError> {
        self.thread.ask(|db| ledger::lease(db)).await
    }

    /// Returns when all was last seen to be well with a webhook.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn confirmed(&self, webhook: WebhookId) -> Result<Seen, StoreError> {
        self.thread.ask(move |db| ledger::confirmed(db, webhook)).await
    }

    /// Returns who is subscribed to a webhook, or was and should still be.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn remembered(&self, webhook: WebhookId) -> Result<BTreeSet<UserId>, StoreError> {
        self.thread.ask(move |db| ledger::remembered(db, webhook)).await
    }

    /// Returns what is left of the coverage and the attempts that were trimmed.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn summary(&self) -> Result<Summary, StoreError> {
        self.thread.ask(|db| ledger::summary(db)).await
    }

    async fn found(&self, attempt: u64) -> Result<u64, StoreError> {
        self.thread.ask(move |db| ledger::found(db, attempt)).await
    }

    /// Returns all replay attempts in their order.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn attempts(&self) -> Result<Vec<Attempt>, StoreError> {
        self.thread.ask(|db| ledger::attempts(db)).await
    }
}

impl EventLog for SqliteReader {
    async fn events(&self, query: EventQuery) -> Result<Vec<StoredEvent>, InboxError> {
        Ok(self.thread.ask(move |db| reader::events(db, &query)).await?)
    }
}

/// What waits in the queue of a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queued {
    /// Deliveries, and now and then a heartbeat.
    pub deliveries: u64,
    /// The bytes of their bodies, also of those in the transaction that is under way.
    pub bytes: u64,
}

/// What a store holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Events.
    pub events: u64,
    /// Deliveries that brought at least one of them.
    pub deliveries: u64,
    /// Copies of events that were refused because the event was there already.
    pub duplicates: u64,
    /// Transactions that took deliveries, copies included. They are counted some hundred at once:
    /// the last of them later, and not at all if the process dies before.
    pub commits: u64,
    /// Events that retention removed.
    pub pruned_events: u64,
    /// Deliveries that retention removed.
    pub pruned_deliveries: u64,
    /// Keys that retention removed.
    pub pruned_keys: u64,
    /// Events that were removed with their user.
    pub forgotten_events: u64,
    /// Events whose payload was replaced.
    pub redacted_events: u64,
    /// The lowest sequence number.
    pub first_seq: Option<u64>,
    /// The highest sequence number.
    pub last_seq: Option<u64>,
    /// When the last delivery that brought something new arrived.
    pub last_received_at: Option<Timestamp>,
}
