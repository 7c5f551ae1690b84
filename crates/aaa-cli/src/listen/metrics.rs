//! `--metrics`: what an operator watches, on a listener of its own.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use aaa_store::SqliteStore;
use aaa_webhook::{
    consumer::Cursors as _,
    metrics::{self, Behind, Probe, Transactions},
    receiver::Status,
    server::{Limits, Server},
};
use tokio::task::JoinHandle;

use super::{Phase, Run};
use crate::{
    exit::{Exit, Failure},
    output,
};

/// More connections than those who watch need.
const CONNECTIONS: usize = 64;

/// A bound listener.
pub(super) struct Watch {
    server: Server,
    probe: Look,
}

impl Watch {
    /// Binds the address.
    ///
    /// # Errors
    ///
    /// Fails when it is that of the receiver, and when it cannot be bound.
    pub(super) async fn bind(
        address: SocketAddr,
        public: SocketAddr,
        probe: Look,
    ) -> Result<Self, Failure> {
        if address == public && address.port() != 0 {
            let words = "--metrics needs an address of its own: what X can reach, anybody can";
            return Err(Exit::Usage.with(words));
        }
        let server = Server::bind(address).await;
        let server = server
            .map_err(|error| Exit::Failed.of(&format!("could not listen on {address}"), error))?;
        let mut limits = Limits::default();
        limits.connections = CONNECTIONS;
        Ok(Self { server: server.with_limits(limits), probe })
    }

    /// Answers until the run has ended.
    pub(super) fn start(self, run: &Run) -> JoinHandle<()> {
        output::note(format_args!("metrics on http://{}/metrics", self.server.local_addr()));
        let router = metrics::router(run.status.clone(), self.probe);
        // What happens to these connections says nothing about deliveries.
        let own = Status::default();
        tokio::spawn(self.server.serve(router, own, run.reached(Phase::Ended)))
    }
}

/// Looks at the store, the disk, and how far what is printed is behind.
pub(super) struct Look {
    store: SqliteStore,
    directory: PathBuf,
    /// The number of the last event that was printed, if events are.
    printed: Option<Arc<AtomicU64>>,
}

impl Look {
    pub(super) fn new(
        store: SqliteStore,
        directory: PathBuf,
        printed: Option<Arc<AtomicU64>>,
    ) -> Self {
        Self { store, directory, printed }
    }
}

impl Probe for Look {
    async fn look(&self) -> Behind {
        let (queued, transactions) = (self.store.queued(), self.store.transactions());
        let mut behind = Behind {
            queued: Some(queued.deliveries),
            queued_bytes: Some(queued.bytes),
            transactions: Some(Transactions {
                deliveries: transactions.deliveries,
                bytes: transactions.bytes,
                durations: transactions.durations,
                waits: transactions.waits,
            }),
            free_bytes: free_bytes(&self.directory),
            ..Behind::default()
        };
        match self.store.stats().await {
            Ok(stats) => {
                behind.events = Some(stats.events);
                behind.deliveries = Some(stats.deliveries);
                let last = stats.last_seq.unwrap_or(0);
                let printed = self.printed.iter().map(|printed| printed.load(SeqCst));
                let lag = |printed| ("terminal".to_owned(), last.saturating_sub(printed));
                behind.consumers = printed.map(lag).collect();
                match self.store.cursors().await {
                    Ok(cursors) => behind.consumers.extend(
                        cursors
                            .iter()
                            .map(|(name, c)| (name.to_string(), c.progress.unfinished(last))),
                    ),
                    Err(error) => behind.trouble = Some(error.to_string()),
                }
            }
            Err(error) => behind.trouble = Some(error.to_string()),
        }
        behind
    }
}

/// Returns what a process without privileges may still write.
#[cfg(unix)]
fn free_bytes(directory: &std::path::Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
fn free_bytes(_: &std::path::Path) -> Option<u64> {
    None
}
