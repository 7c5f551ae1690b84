//! Where a receiver stores: a file of its own, or a stream that several share.

use std::{collections::BTreeSet, ops::RangeInclusive};

use aaa_replay::{
    coverage::{Heartbeat, Proof, Span},
    ledger::{
        Attempt, Declaration, Declared, Holder, Intent, Lease, LeaseId, Ledger, LedgerError,
        Outcome, Seen, Summary,
    },
};
#[cfg(feature = "jetstream")]
use aaa_store::jetstream::JetStreamInbox;
use aaa_store::{Queued, SqliteStore, Stats, Transactions, sqlite::Pruned};
use aaa_types::{UserId, WebhookId};
use aaa_webhook::{
    consumer::{
        Changes, ConsumerName, Cursor, CursorError, Cursors, DeadLetter, DeadLetterQuery,
        DeadLetters,
    },
    delivery::VerifiedDelivery,
    inbox::{EventLog, EventQuery, Inbox, InboxError, Receipt, StoredEvent},
};
use jiff::Timestamp;
#[cfg(feature = "jetstream")]
use secrecy::ExposeSecret;
use tokio::sync::watch;

use crate::{
    cli::{InboxKind, ListenArgs},
    exit::{Exit, Failure},
};

/// One of them.
#[derive(Debug, Clone)]
pub(super) enum Store {
    Sqlite(SqliteStore),
    #[cfg(feature = "jetstream")]
    JetStream(JetStreamInbox),
}

/// Does the same with whichever it is.
macro_rules! either {
    ($self:expr, $store:ident => $work:expr) => {
        match $self {
            Store::Sqlite($store) => $work,
            #[cfg(feature = "jetstream")]
            Store::JetStream($store) => $work,
        }
    };
}

impl Store {
    /// Opens the one that was asked for.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be opened, or is not safe.
    pub(super) async fn open(args: &ListenArgs) -> Result<Self, Failure> {
        let unusable = "could not open the store";
        match args.shared.inbox {
            InboxKind::Sqlite => {
                let settings = aaa_store::Settings::from(&args.keep);
                let store = SqliteStore::open(&args.store.data_dir, settings);
                store.map(Self::Sqlite).map_err(|error| Exit::Failed.of(unusable, error))
            }
            #[cfg(feature = "jetstream")]
            InboxKind::Jetstream => {
                use aaa_store::jetstream::JetStreamError;
                let settings = args.shared.settings(args)?;
                let servers = args.shared.nats.as_ref().map(ExposeSecret::expose_secret);
                let servers = servers.unwrap_or_default();
                let opened = JetStreamInbox::open(servers, settings).await;
                opened.map(Self::JetStream).map_err(|error| {
                    let exit = match &error {
                        JetStreamError::Settings { .. } => Exit::Usage,
                        JetStreamError::Unreachable { .. } => Exit::Network,
                        _ => Exit::Failed,
                    };
                    exit.of(unusable, error)
                })
            }
            #[cfg(not(feature = "jetstream"))]
            InboxKind::Jetstream => {
                Err(Exit::Usage.with("this program was built without the feature `jetstream`"))
            }
        }
    }

    /// Says whether other receivers store here too.
    pub(super) fn is_shared(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            #[cfg(feature = "jetstream")]
            Self::JetStream(_) => true,
        }
    }

    /// Watches the number of the last event.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        either!(self, store => store.subscribe())
    }

    pub(super) async fn stats(&self) -> Result<Stats, String> {
        either!(self, store => store.stats().await.map_err(|error| error.to_string()))
    }

    pub(super) fn queued(&self) -> Queued {
        either!(self, store => store.queued())
    }

    /// Returns what transactions were like, where there are any.
    pub(super) fn transactions(&self) -> Option<Transactions> {
        match self {
            Self::Sqlite(store) => Some(store.transactions()),
            #[cfg(feature = "jetstream")]
            Self::JetStream(_) => None,
        }
    }

    /// Returns how many events this run has stored as stale.
    pub(super) fn stale(&self) -> u64 {
        either!(self, store => store.stale())
    }

    /// Removes what is over. JetStream does that by itself.
    pub(super) async fn prune(
        &self,
        now: Timestamp,
        keep_from: u64,
    ) -> Result<Pruned, CursorError> {
        match self {
            Self::Sqlite(store) => Ok(store.prune(now, keep_from).await?),
            #[cfg(feature = "jetstream")]
            Self::JetStream(_) => Ok(Pruned::default()),
        }
    }

    /// Closes it. `drained` says that everything was answered, nothing more is taken, and the ledger
    /// knows what was refused: then other receivers do not miss this one.
    pub(super) async fn close(&self, drained: bool) -> Result<(), String> {
        match self {
            Self::Sqlite(store) => {
                // Nobody else receives, so nobody has to know whether it was.
                let _ = drained;
                store.close().await.map_err(|error| error.to_string())
            }
            #[cfg(feature = "jetstream")]
            Self::JetStream(store) => {
                let left = if drained { store.leave().await } else { Ok(()) };
                store.close();
                left.map_err(|error| error.to_string())
            }
        }
    }
}

impl Inbox for Store {
    async fn commit(&self, delivery: VerifiedDelivery) -> Result<Receipt, InboxError> {
        either!(self, store => store.commit(delivery).await)
    }
}

impl EventLog for Store {
    async fn events(&self, query: EventQuery) -> Result<Vec<StoredEvent>, InboxError> {
        either!(self, store => store.events(query).await)
    }
}

impl Cursors for Store {
    async fn open(&self, consumer: &ConsumerName, start: u64) -> Result<Cursor, CursorError> {
        either!(self, store => Cursors::open(store, consumer, start).await)
    }

    async fn save(&self, consumer: &ConsumerName, changes: &Changes) -> Result<(), CursorError> {
        either!(self, store => store.save(consumer, changes).await)
    }

    async fn cursors(&self) -> Result<Vec<(ConsumerName, Cursor)>, CursorError> {
        either!(self, store => store.cursors().await)
    }
}

impl DeadLetters for Store {
    async fn dead_letters(&self, query: DeadLetterQuery) -> Result<Vec<DeadLetter>, CursorError> {
        either!(self, store => store.dead_letters(query).await)
    }

    async fn redrive(
        &self,
        consumer: &ConsumerName,
        seqs: RangeInclusive<u64>,
    ) -> Result<u64, CursorError> {
        either!(self, store => store.redrive(consumer, seqs).await)
    }
}

impl Ledger for Store {
    async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<(), LedgerError> {
        either!(self, store => store.heartbeat(heartbeat).await)
    }

    async fn spans_from(&self, number: u64) -> Result<Vec<(u64, Span)>, LedgerError> {
        either!(self, store => store.spans_from(number).await)
    }

    async fn proofs(&self) -> Result<Vec<Proof>, LedgerError> {
        either!(self, store => Ledger::proofs(store).await)
    }

    async fn take_lease(
        &self,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, LedgerError> {
        either!(self, store => store.take_lease(holder, now, until).await)
    }

    async fn release_lease(&self, lease: LeaseId) -> Result<(), LedgerError> {
        either!(self, store => store.release_lease(lease).await)
    }

    async fn lease(&self) -> Result<Option<Lease>, LedgerError> {
        either!(self, store => Ledger::lease(store).await)
    }

    async fn intend(&self, lease: LeaseId, intent: Intent) -> Result<u64, LedgerError> {
        either!(self, store => store.intend(lease, intent).await)
    }

    async fn settle(
        &self,
        lease: LeaseId,
        attempt: u64,
        outcome: Outcome,
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        either!(self, store => store.settle(lease, attempt, outcome, at).await)
    }

    async fn attempts(&self) -> Result<Vec<Attempt>, LedgerError> {
        either!(self, store => Ledger::attempts(store).await)
    }

    async fn declare(&self, declaration: Declaration) -> Result<u64, LedgerError> {
        either!(self, store => store.declare(declaration).await)
    }

    async fn prolong(&self, number: u64, to: Timestamp) -> Result<bool, LedgerError> {
        either!(self, store => store.prolong(number, to).await)
    }

    async fn withdraw(&self, number: u64) -> Result<bool, LedgerError> {
        either!(self, store => store.withdraw(number).await)
    }

    async fn declared(&self) -> Result<Vec<Declared>, LedgerError> {
        either!(self, store => Ledger::declared(store).await)
    }

    async fn confirm(&self, webhook: WebhookId, seen: Seen) -> Result<(), LedgerError> {
        either!(self, store => store.confirm(webhook, seen).await)
    }

    async fn confirmed(&self, webhook: WebhookId) -> Result<Seen, LedgerError> {
        either!(self, store => Ledger::confirmed(store, webhook).await)
    }

    async fn remember(
        &self,
        webhook: WebhookId,
        subscribers: BTreeSet<UserId>,
    ) -> Result<(), LedgerError> {
        either!(self, store => store.remember(webhook, subscribers).await)
    }

    async fn remembered(&self, webhook: WebhookId) -> Result<BTreeSet<UserId>, LedgerError> {
        either!(self, store => Ledger::remembered(store, webhook).await)
    }

    async fn trim(&self, before: Timestamp) -> Result<(), LedgerError> {
        either!(self, store => store.trim(before).await)
    }

    async fn summary(&self) -> Result<Summary, LedgerError> {
        either!(self, store => Ledger::summary(store).await)
    }
}
