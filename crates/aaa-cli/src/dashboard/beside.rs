//! A store that another process may be receiving into.

use std::{
    collections::BTreeSet,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
};

use aaa_replay::{
    coverage::{Heartbeat, Proof, Span},
    ledger::{
        Attempt, Declaration, Declared, Holder, Intent, Lease, LeaseId, Ledger, LedgerError,
        Outcome, Seen, Summary,
    },
};
use aaa_store::{SqliteBeside, SqliteLedger, SqliteReader, SqliteStore};
use aaa_types::{UserId, WebhookId};
use aaa_webhook::{
    consumer::{
        Changes, ConsumerName, Cursor, CursorError, Cursors, DeadLetter, DeadLetterQuery,
        DeadLetters,
    },
    inbox::{EventLog, EventQuery, InboxError, StoredEvent},
};
use jiff::Timestamp;
use tokio::{runtime::Handle, task::spawn_blocking};

use crate::exit::{Exit, Failure};

/// Reads on a thread of its own; what is written waits for the other process on one too.
pub(super) struct Beside {
    reader: SqliteReader,
    ledger: Arc<SqliteLedger>,
    directory: PathBuf,
}

impl Beside {
    /// Opens the store.
    ///
    /// # Errors
    ///
    /// Fails when there is none, and when it cannot be read.
    pub(super) fn open(directory: &Path) -> Result<Self, Failure> {
        let failed = |error| {
            Exit::Failed
                .of("could not open the store", error)
                .advise("name that of the receiver with --data-dir; `aaa listen` makes one")
        };
        let reader = SqliteStore::open_reader(directory).map_err(failed)?;
        let ledger = SqliteBeside::open(directory).map_err(failed)?.into_ledger();
        Ok(Self { reader, ledger: Arc::new(ledger), directory: directory.to_owned() })
    }
}

impl EventLog for Beside {
    async fn events(&self, query: EventQuery) -> Result<Vec<StoredEvent>, InboxError> {
        self.reader.events(query).await
    }
}

impl Cursors for Beside {
    async fn open(&self, _: &ConsumerName, _: u64) -> Result<Cursor, CursorError> {
        Err(elsewhere())
    }

    async fn save(&self, _: &ConsumerName, _: &Changes) -> Result<(), CursorError> {
        Err(elsewhere())
    }

    async fn cursors(&self) -> Result<Vec<(ConsumerName, Cursor)>, CursorError> {
        self.reader.cursors().await.map_err(|error| CursorError::Unavailable(error.to_string()))
    }
}

/// Consumers are woken by the writer, which is in the other process.
fn elsewhere() -> CursorError {
    CursorError::Unavailable("consumers run in the process that receives".to_owned())
}

impl DeadLetters for Beside {
    async fn dead_letters(&self, query: DeadLetterQuery) -> Result<Vec<DeadLetter>, CursorError> {
        let letters = self.reader.dead_letters(query).await;
        letters.map_err(|error| CursorError::Unavailable(error.to_string()))
    }

    async fn redrive(
        &self,
        consumer: &ConsumerName,
        seqs: RangeInclusive<u64>,
    ) -> Result<u64, CursorError> {
        let (directory, consumer) = (self.directory.clone(), consumer.clone());
        let asked = spawn_blocking(move || SqliteBeside::open(directory)?.redrive(&consumer, seqs));
        match asked.await {
            Ok(asked) => asked.map_err(|error| CursorError::Unavailable(error.to_string())),
            Err(_) => Err(CursorError::Closed),
        }
    }
}

impl Ledger for Beside {
    async fn declare(&self, declaration: Declaration) -> Result<u64, LedgerError> {
        let (ledger, here) = (Arc::clone(&self.ledger), Handle::current());
        let declared = spawn_blocking(move || here.block_on(ledger.declare(declaration)));
        declared.await.unwrap_or_else(|error| Err(LedgerError::Unavailable(error.to_string())))
    }

    async fn spans_from(&self, number: u64) -> Result<Vec<(u64, Span)>, LedgerError> {
        Ok(self.reader.spans_from(number).await?)
    }

    async fn proofs(&self) -> Result<Vec<Proof>, LedgerError> {
        Ok(self.reader.proofs().await?)
    }

    async fn lease(&self) -> Result<Option<Lease>, LedgerError> {
        Ok(self.reader.lease().await?)
    }

    async fn attempts(&self) -> Result<Vec<Attempt>, LedgerError> {
        Ok(self.reader.attempts().await?)
    }

    async fn declared(&self) -> Result<Vec<Declared>, LedgerError> {
        Ok(self.reader.declared().await?)
    }

    async fn summary(&self) -> Result<Summary, LedgerError> {
        Ok(self.reader.summary().await?)
    }

    async fn confirm(&self, webhook: WebhookId, seen: Seen) -> Result<(), LedgerError> {
        self.ledger.confirm(webhook, seen).await
    }

    async fn confirmed(&self, webhook: WebhookId) -> Result<Seen, LedgerError> {
        Ok(self.reader.confirmed(webhook).await?)
    }

    async fn remember(
        &self,
        webhook: WebhookId,
        subscribers: BTreeSet<UserId>,
    ) -> Result<(), LedgerError> {
        let (ledger, here) = (Arc::clone(&self.ledger), Handle::current());
        let remembered =
            spawn_blocking(move || here.block_on(ledger.remember(webhook, subscribers)));
        remembered.await.unwrap_or_else(|error| Err(LedgerError::Unavailable(error.to_string())))
    }

    async fn remembered(&self, webhook: WebhookId) -> Result<BTreeSet<UserId>, LedgerError> {
        Ok(self.reader.remembered(webhook).await?)
    }

    async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<(), LedgerError> {
        self.ledger.heartbeat(heartbeat).await
    }

    async fn take_lease(
        &self,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, LedgerError> {
        self.ledger.take_lease(holder, now, until).await
    }

    async fn release_lease(&self, lease: LeaseId) -> Result<(), LedgerError> {
        self.ledger.release_lease(lease).await
    }

    async fn intend(&self, lease: LeaseId, intent: Intent) -> Result<u64, LedgerError> {
        self.ledger.intend(lease, intent).await
    }

    async fn settle(
        &self,
        lease: LeaseId,
        attempt: u64,
        outcome: Outcome,
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        self.ledger.settle(lease, attempt, outcome, at).await
    }

    async fn prolong(&self, number: u64, to: Timestamp) -> Result<bool, LedgerError> {
        self.ledger.prolong(number, to).await
    }

    async fn withdraw(&self, number: u64) -> Result<bool, LedgerError> {
        self.ledger.withdraw(number).await
    }

    async fn trim(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.ledger.trim(before).await
    }
}
