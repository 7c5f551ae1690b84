//! Coverage, declared gaps and replay attempts.

mod coverage;
mod jobs;
mod lease;
mod seen;
mod subscribers;
mod trim;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use aaa_replay::{
    coverage::{Heartbeat, Proof, Span},
    ledger::{
        Attempt, Declaration, Declared, Holder, Intent, Lease, LeaseId, Ledger, LedgerError,
        Outcome, Seen, Summary,
    },
};
use aaa_types::{UserId, WebhookId};
use jiff::Timestamp;
use rusqlite::Connection;
use tokio::task::spawn_blocking;

pub(super) use self::{
    coverage::{offset, proofs, spans_from},
    jobs::{attempts, declared, found},
    lease::lease,
    seen::confirmed,
    subscribers::{forget, remembered},
    trim::summary,
};
use super::{SqliteBeside, SqliteStore, batch::Batch, values::ReadError, writer::Wait};
use crate::error::StoreError;

/// What a change comes to: SQLite may fail, and the ledger may refuse.
type Change<T> = rusqlite::Result<Result<T, LedgerError>>;

impl Ledger for SqliteStore {
    async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<(), LedgerError> {
        // No waiting for room: a heartbeat says that a delivery could be stored now.
        let write = move |batch: &mut Batch<'_>| {
            coverage::beat(batch.db, batch.rules.heartbeat_period, heartbeat)
        };
        Ok(self.write(0, Wait::Never, write).await?)
    }

    async fn spans_from(&self, number: u64) -> Result<Vec<(u64, Span)>, LedgerError> {
        Ok(self.reader().spans_from(number).await?)
    }

    async fn proofs(&self) -> Result<Vec<Proof>, LedgerError> {
        Ok(self.reader().proofs().await?)
    }

    async fn take_lease(
        &self,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, LedgerError> {
        self.change(move |db| lease::take(db, &holder, now, until)).await
    }

    async fn release_lease(&self, lease: LeaseId) -> Result<(), LedgerError> {
        self.change(move |db| lease::release(db, lease).map(Ok)).await
    }

    async fn lease(&self) -> Result<Option<Lease>, LedgerError> {
        Ok(self.reader().lease().await?)
    }

    async fn intend(&self, lease: LeaseId, intent: Intent) -> Result<u64, LedgerError> {
        self.change(move |db| jobs::intend(db, lease, &intent)).await
    }

    async fn settle(
        &self,
        lease: LeaseId,
        attempt: u64,
        outcome: Outcome,
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        // Counting takes a while after a large job; deliveries do not wait for it.
        let found = match outcome.is_open() {
            true => 0,
            false => self.reader().found(attempt).await?,
        };
        self.change(move |db| jobs::settle(db, lease, attempt, &outcome, at, found)).await
    }

    async fn attempts(&self) -> Result<Vec<Attempt>, LedgerError> {
        Ok(self.reader().attempts().await?)
    }

    async fn declare(&self, declaration: Declaration) -> Result<u64, LedgerError> {
        self.change(move |db| jobs::declare(db, &declaration).map(Ok)).await
    }

    async fn prolong(&self, number: u64, to: Timestamp) -> Result<bool, LedgerError> {
        self.change(move |db| jobs::prolong(db, number, to).map(Ok)).await
    }

    async fn withdraw(&self, number: u64) -> Result<bool, LedgerError> {
        self.change(move |db| jobs::withdraw(db, number).map(Ok)).await
    }

    async fn declared(&self) -> Result<Vec<Declared>, LedgerError> {
        Ok(self.reader().declared().await?)
    }

    async fn confirm(&self, webhook: WebhookId, seen: Seen) -> Result<(), LedgerError> {
        self.change(move |db| seen::confirm(db, webhook, seen).map(Ok)).await
    }

    async fn confirmed(&self, webhook: WebhookId) -> Result<Seen, LedgerError> {
        Ok(self.reader().confirmed(webhook).await?)
    }

    async fn remember(
        &self,
        webhook: WebhookId,
        users: BTreeSet<UserId>,
    ) -> Result<(), LedgerError> {
        self.change(move |db| subscribers::remember(db, webhook, &users).map(Ok)).await
    }

    async fn remembered(&self, webhook: WebhookId) -> Result<BTreeSet<UserId>, LedgerError> {
        Ok(self.reader().remembered(webhook).await?)
    }

    async fn trim(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.change(move |db| trim::trim(db, before).map(Ok)).await
    }

    async fn summary(&self) -> Result<Summary, LedgerError> {
        Ok(self.reader().summary().await?)
    }
}

impl SqliteStore {
    async fn change<T: Send + 'static>(
        &self,
        mut change: impl FnMut(&Connection) -> Change<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.write(0, Wait::ForRoom, move |batch: &mut Batch<'_>| change(batch.db)).await?
    }
}

/// The ledger of a store beside the process that receives, for commands.
///
/// Each call is a short transaction of its own, on a thread of tokio for what blocks. It takes as long
/// as others write, and half a minute at most. Heartbeats are refused: only who receives may say that it does.
///
/// # Examples
///
/// ```
/// use aaa_replay::{coverage::{Cause, Gap}, ledger::{Declaration, Ledger}};
/// use aaa_store::{Settings, SqliteBeside, SqliteStore};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let directory = tempfile::tempdir()?;
/// # let directory = directory.path().join("aaa-data");
/// let receiver = SqliteStore::open(&directory, Settings::default())?;
/// let ledger = SqliteBeside::open(&directory)?.into_ledger();
/// let (from, to) = ("2025-11-22T04:13:00Z".parse()?, "2025-11-22T04:30:00Z".parse()?);
/// let gap = Gap::new(from, to, Cause::Requested);
/// // Whoever looks after the replays finds it.
/// ledger.declare(Declaration { gap, webhook: None, at: to }).await?;
/// assert_eq!(receiver.declared().await?.len(), 1);
/// # receiver.close().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SqliteLedger {
    beside: Arc<Mutex<SqliteBeside>>,
}

impl SqliteBeside {
    /// Turns into the ledger of the store.
    pub fn into_ledger(self) -> SqliteLedger {
        SqliteLedger { beside: Arc::new(Mutex::new(self)) }
    }
}

impl SqliteLedger {
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.on(move |beside| {
            let (db, path) = beside.parts();
            read(db).map_err(|error| match error {
                ReadError::Sqlite(error) => StoreError::sqlite(path, &error).into(),
                ReadError::Malformed(reason) => {
                    StoreError::Malformed { path: path.to_owned(), reason }.into()
                }
            })
        })
        .await
    }

    async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Change<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.on(|beside| beside.change(change)?).await
    }

    /// Does it on another thread, even if nobody waits for it any more.
    async fn on<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteBeside) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let beside = Arc::clone(&self.beside);
        let done = spawn_blocking(move || {
            work(&mut beside.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await.unwrap_or_else(|error| Err(LedgerError::Unavailable(error.to_string())))
    }
}

impl Ledger for SqliteLedger {
    async fn heartbeat(&self, _: Heartbeat) -> Result<(), LedgerError> {
        Err(LedgerError::Unavailable("only the receiver writes heartbeats".to_owned()))
    }

    async fn spans_from(&self, number: u64) -> Result<Vec<(u64, Span)>, LedgerError> {
        self.read(move |db| spans_from(db, number)).await
    }

    async fn proofs(&self) -> Result<Vec<Proof>, LedgerError> {
        self.read(proofs).await
    }

    async fn take_lease(
        &self,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, LedgerError> {
        self.write(move |db| lease::take(db, &holder, now, until)).await
    }

    async fn release_lease(&self, lease: LeaseId) -> Result<(), LedgerError> {
        self.write(move |db| lease::release(db, lease).map(Ok)).await
    }

    async fn lease(&self) -> Result<Option<Lease>, LedgerError> {
        self.read(lease).await
    }

    async fn intend(&self, lease: LeaseId, intent: Intent) -> Result<u64, LedgerError> {
        self.write(move |db| jobs::intend(db, lease, &intent)).await
    }

    async fn settle(
        &self,
        lease: LeaseId,
        attempt: u64,
        outcome: Outcome,
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        let found = match outcome.is_open() {
            true => 0,
            false => self.read(move |db| found(db, attempt)).await?,
        };
        self.write(move |db| jobs::settle(db, lease, attempt, &outcome, at, found)).await
    }

    async fn attempts(&self) -> Result<Vec<Attempt>, LedgerError> {
        self.read(attempts).await
    }

    async fn declare(&self, declaration: Declaration) -> Result<u64, LedgerError> {
        self.write(move |db| jobs::declare(db, &declaration).map(Ok)).await
    }

    async fn prolong(&self, number: u64, to: Timestamp) -> Result<bool, LedgerError> {
        self.write(move |db| jobs::prolong(db, number, to).map(Ok)).await
    }

    async fn withdraw(&self, number: u64) -> Result<bool, LedgerError> {
        self.write(move |db| jobs::withdraw(db, number).map(Ok)).await
    }

    async fn declared(&self) -> Result<Vec<Declared>, LedgerError> {
        self.read(declared).await
    }

    async fn confirm(&self, webhook: WebhookId, seen: Seen) -> Result<(), LedgerError> {
        self.write(move |db| seen::confirm(db, webhook, seen).map(Ok)).await
    }

    async fn confirmed(&self, webhook: WebhookId) -> Result<Seen, LedgerError> {
        self.read(move |db| confirmed(db, webhook)).await
    }

    async fn remember(
        &self,
        webhook: WebhookId,
        users: BTreeSet<UserId>,
    ) -> Result<(), LedgerError> {
        self.write(move |db| subscribers::remember(db, webhook, &users).map(Ok)).await
    }

    async fn remembered(&self, webhook: WebhookId) -> Result<BTreeSet<UserId>, LedgerError> {
        self.read(move |db| remembered(db, webhook)).await
    }

    async fn trim(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.write(move |db| trim::trim(db, before).map(Ok)).await
    }

    async fn summary(&self) -> Result<Summary, LedgerError> {
        self.read(summary).await
    }
}
