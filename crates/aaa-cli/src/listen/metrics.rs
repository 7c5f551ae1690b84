//! `--metrics`: what an operator watches, on a listener of its own.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use aaa_replay::{
    driver::XClock,
    engine::Figures,
    ledger::{Ledger as _, LedgerError, Outcome},
};
use aaa_webhook::{
    consumer::Cursors as _,
    metrics::{self, Behind, Probe, Replay, Transactions},
    receiver::Status,
    server::{Limits, Server},
};
use jiff::SignedDuration;
use tokio::{sync::watch, task::JoinHandle};

use super::{Phase, Run, store::Store};
use crate::{
    exit::{self, Exit, Failure},
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
        let server = server.map_err(|error| exit::not_bound(address, "--metrics", error))?;
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
    store: Store,
    directory: PathBuf,
    /// The number of the last event that was printed, if events are.
    printed: Option<Arc<AtomicU64>>,
    /// What is replayed, if this receiver recovers.
    figures: Option<watch::Receiver<Figures>>,
    clock: XClock,
}

impl Look {
    pub(super) fn new(
        store: Store,
        directory: PathBuf,
        printed: Option<Arc<AtomicU64>>,
        figures: Option<watch::Receiver<Figures>>,
        clock: XClock,
    ) -> Self {
        Self { store, directory, printed, figures, clock }
    }

    /// Looks at the replays.
    async fn replay(&self) -> Result<Option<Replay>, LedgerError> {
        let Some(figures) = &self.figures else { return Ok(None) };
        let figures = *figures.borrow();
        let mut covered = self.store.summary().await?.covered;
        for span in self.store.spans_from(0).await?.iter().map(|(_, span)| span) {
            let length = span.last.x_time().duration_since(span.first.x_time());
            covered = covered.saturating_add(length.max(SignedDuration::ZERO));
        }
        let attempts = self.store.attempts().await?;
        let recovered = attempts.iter().filter(|a| matches!(a.outcome, Outcome::Recovered { .. }));
        let mut replay = Replay::default();
        replay.windows = [
            ("now", figures.now),
            ("later", figures.later),
            ("running", figures.running),
            ("lost", figures.lost),
            ("maybe_lost", figures.maybe_lost),
            ("sweep", figures.to_sweep),
        ]
        .map(|(state, count)| (state, count.try_into().unwrap_or(u64::MAX)))
        .into();
        replay.attempts = vec![
            ("recovered", figures.recovered),
            ("incomplete", figures.incomplete),
            ("failed", figures.failed),
        ];
        replay.found = vec![("gap", figures.found), ("sweep", figures.swept)];
        replay.covered_seconds = covered.as_secs().try_into().unwrap_or(0);
        replay.last_recovered = recovered.map(|attempt| attempt.settled_at).max();
        Ok(Some(replay))
    }
}

impl Probe for Look {
    async fn look(&self) -> Behind {
        let queued = self.store.queued();
        let mut behind = Behind {
            queued: Some(queued.deliveries),
            queued_bytes: Some(queued.bytes),
            transactions: self.store.transactions().map(|transactions| Transactions {
                deliveries: transactions.deliveries,
                bytes: transactions.bytes,
                durations: transactions.durations,
                waits: transactions.waits,
            }),
            stale: Some(self.store.stale()),
            free_bytes: free_bytes(&self.directory),
            clock_offset: self.clock.age().map(|_| self.clock.offset()),
            ..Behind::default()
        };
        match self.replay().await {
            Ok(replay) => behind.replay = replay,
            Err(error) => tracing::warn!(%error, "figures of the replays could not be read"),
        }
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
            Err(error) => behind.trouble = Some(error),
        }
        behind
    }
}

/// Returns what a process without privileges may still write.
#[cfg(unix)]
pub(crate) fn free_bytes(directory: &std::path::Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
pub(crate) fn free_bytes(_: &std::path::Path) -> Option<u64> {
    None
}
