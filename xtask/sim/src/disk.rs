//! What survives a process: the inbox and the ledger.

use std::{
    error::Error,
    fs,
    path::Path,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use aaa_replay::{
    coverage::{Heartbeat, Span},
    ledger::{
        Attempt, Declaration, Declared, Holder, Intent, Lease, LeaseId, Ledger, LedgerError,
        Outcome, Seen,
    },
};
use aaa_store::{MemoryStore, Settings, SqliteStore};
use aaa_types::WebhookId;
use aaa_webhook::{
    delivery::{Durable, VerifiedDelivery},
    inbox::{EventLog, EventQuery, InboxError},
};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::clock::Millis;

/// Something that a history needs does not work; nothing that it could show.
pub type Failure = Box<dyn Error + Send + Sync>;

/// The disk of the machine.
pub(crate) struct Disk {
    medium: Medium,
    /// Nothing can be written or read.
    pub(crate) failing: bool,
}

enum Medium {
    /// Everything is there at once, and for as long as the history lasts.
    Memory(Box<MemoryStore>),
    Sqlite(Box<Sqlite>),
}

/// A real store. A crash leaves the files as they are at that moment, and nothing else.
struct Sqlite {
    store: SqliteStore,
    runtime: Runtime,
    directory: TempDir,
    /// How many images there are.
    images: u32,
    settings: Settings,
}

/// Asks whichever store there is.
macro_rules! ask {
    ($disk:expr, $store:ident => $future:expr) => {
        match &$disk.medium {
            Medium::Memory(store) => {
                let $store: &MemoryStore = store;
                at_once($future)
            }
            Medium::Sqlite(sqlite) => {
                let $store = &sqlite.store;
                sqlite.runtime.block_on($future)
            }
        }
    };
}

impl Disk {
    /// Returns a disk that costs nothing.
    pub(crate) fn memory(period: Millis) -> Self {
        let store = MemoryStore::default().with_heartbeat_period(duration(period));
        Self { medium: Medium::Memory(Box::new(store)), failing: false }
    }

    /// Returns a disk with a real store on it.
    ///
    /// # Errors
    ///
    /// Fails when there is no room for one.
    pub(crate) fn sqlite(period: Millis) -> Result<Self, Failure> {
        // Synchronising a file in memory costs nothing, and no machine fails here.
        let shared = Path::new("/dev/shm");
        let directory =
            if shared.is_dir() { tempfile::tempdir_in(shared)? } else { tempfile::tempdir()? };
        let settings = Settings { heartbeat_period: duration(period), ..Settings::default() };
        let store = SqliteStore::open(directory.path().join("0"), settings.clone())?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let sqlite = Sqlite { store, runtime, directory, images: 0, settings };
        Ok(Self { medium: Medium::Sqlite(Box::new(sqlite)), failing: false })
    }

    /// The process is killed: what is not in the files now is gone.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be opened again.
    pub(crate) fn crash(&mut self) -> Result<(), Failure> {
        let Medium::Sqlite(sqlite) = &mut self.medium else { return Ok(()) };
        let image = |number: u32| sqlite.directory.path().join(number.to_string());
        let (old, new) = (image(sqlite.images), image(sqlite.images + 1));
        copy(&old, &new)?;
        sqlite.images += 1;
        sqlite.store = SqliteStore::open(&new, sqlite.settings.clone())?;
        // The writer of the old one may still be at work in it; nobody looks there any more.
        let _ = fs::remove_dir_all(old);
        Ok(())
    }

    /// The process ends cleanly and begins again.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be closed or opened again.
    pub(crate) fn reopen(&mut self) -> Result<(), Failure> {
        let Medium::Sqlite(sqlite) = &mut self.medium else { return Ok(()) };
        sqlite.runtime.block_on(sqlite.store.close())?;
        let path = sqlite.directory.path().join(sqlite.images.to_string());
        sqlite.store = SqliteStore::open(path, sqlite.settings.clone())?;
        Ok(())
    }

    /// Makes a delivery durable.
    pub(crate) fn commit(&self, delivery: VerifiedDelivery) -> Result<Durable, InboxError> {
        if self.failing {
            return Err(InboxError::Unavailable(FAILS.to_owned()));
        }
        ask!(self, store => delivery.commit(store))
    }

    pub(crate) fn heartbeat(&self, heartbeat: Heartbeat) -> Result<(), LedgerError> {
        self.works()?;
        ask!(self, store => store.heartbeat(heartbeat))
    }

    pub(crate) fn spans_from(&self, number: u64) -> Result<Vec<(u64, Span)>, LedgerError> {
        self.works()?;
        ask!(self, store => store.spans_from(number))
    }

    pub(crate) fn take_lease(
        &self,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, LedgerError> {
        self.works()?;
        ask!(self, store => store.take_lease(holder, now, until))
    }

    /// Returns the lease as it was last taken, whatever works.
    pub(crate) fn lease(&self) -> Result<Option<Lease>, LedgerError> {
        ask!(self, store => store.lease())
    }

    pub(crate) fn release_lease(&self, lease: LeaseId) -> Result<(), LedgerError> {
        self.works()?;
        ask!(self, store => store.release_lease(lease))
    }

    pub(crate) fn intend(&self, lease: LeaseId, intent: Intent) -> Result<u64, LedgerError> {
        self.works()?;
        ask!(self, store => store.intend(lease, intent))
    }

    pub(crate) fn settle(
        &self,
        lease: LeaseId,
        number: u64,
        outcome: Outcome,
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        self.works()?;
        ask!(self, store => store.settle(lease, number, outcome, at))
    }

    /// Returns all attempts, whatever works.
    pub(crate) fn attempts(&self) -> Result<Vec<Attempt>, LedgerError> {
        ask!(self, store => store.attempts())
    }

    pub(crate) fn declare(&self, declaration: Declaration) -> Result<u64, LedgerError> {
        self.works()?;
        ask!(self, store => store.declare(declaration))
    }

    pub(crate) fn prolong(&self, number: u64, to: Timestamp) -> Result<bool, LedgerError> {
        self.works()?;
        ask!(self, store => store.prolong(number, to))
    }

    pub(crate) fn declared(&self) -> Result<Vec<Declared>, LedgerError> {
        self.works()?;
        ask!(self, store => store.declared())
    }

    pub(crate) fn confirm(&self, webhook: WebhookId, seen: Seen) -> Result<(), LedgerError> {
        self.works()?;
        ask!(self, store => store.confirm(webhook, seen))
    }

    pub(crate) fn confirmed(&self, webhook: WebhookId) -> Result<Seen, LedgerError> {
        self.works()?;
        ask!(self, store => store.confirmed(webhook))
    }

    pub(crate) fn trim(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.works()?;
        ask!(self, store => store.trim(before))
    }

    /// Returns the keys of everything that is stored, in the order of its arrival.
    pub(crate) fn keys(&self) -> Result<Vec<String>, InboxError> {
        let mut keys = Vec::new();
        let mut after = 0;
        loop {
            let query = EventQuery::after(after, 10_000);
            let page = ask!(self, store => store.events(query))?;
            let Some(last) = page.last() else { return Ok(keys) };
            after = last.seq;
            keys.extend(page.into_iter().map(|event| event.key));
        }
    }

    fn works(&self) -> Result<(), LedgerError> {
        if self.failing { Err(LedgerError::Unavailable(FAILS.to_owned())) } else { Ok(()) }
    }
}

const FAILS: &str = "the disk fails";

fn duration(length: Millis) -> Duration {
    Duration::from_millis(length.unsigned_abs())
}

/// Copies the files of a store as a crash would leave them. The index of the log is not kept: it
/// is made anew after a crash.
fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    let names = fs::read_dir(from)?.map(|entry| entry.map(|entry| entry.file_name()));
    let mut names = names.collect::<Result<Vec<_>, _>>()?;
    names.retain(|name| !name.to_string_lossy().ends_with("-shm"));
    // The log before the file that it may just be written into.
    names.sort_by_key(|name| !name.to_string_lossy().ends_with("-wal"));
    for name in names {
        fs::copy(from.join(&name), to.join(&name))?;
    }
    Ok(())
}

/// Returns what the store in memory answers, which never waits.
fn at_once<T: NeverWaits>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => T::waited(),
    }
}

/// What is answered should it wait nevertheless.
trait NeverWaits {
    fn waited() -> Self;
}

impl<T> NeverWaits for Result<T, LedgerError> {
    fn waited() -> Self {
        Err(LedgerError::Unavailable("the store in memory waits".to_owned()))
    }
}

impl<T> NeverWaits for Result<T, InboxError> {
    fn waited() -> Self {
        Err(InboxError::Unavailable("the store in memory waits".to_owned()))
    }
}
