//! A driver of this command's own, for when no listener recovers.
//!
//! The receiver is another process, so what it knows of itself is read from its heartbeats, and
//! the ends of jobs from its inbox. A job's end only counts with a heartbeat that was written after
//! it: what the receiver refused until then is in that one.

use std::sync::{Arc, Mutex, PoisonError};

use aaa_client::{Client, RetryPolicy};
use aaa_replay::{
    coverage::{RunId, Tally},
    driver::{Driver, Pace, Target, XClock},
    engine::{Health, Settings},
    ledger::{Holder, LeaseId, Ledger, LedgerError, Role},
};
use aaa_store::{SqliteBeside, SqliteLedger};
use aaa_types::{WebhookId, event::Event, payload::ReplayJobStatus};
use aaa_webhook::inbox::{EventLog, EventQuery};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};

use super::picture::{self, Now, Picture, Store};
use crate::{
    cli::StoreArgs,
    credentials::Credentials,
    exit::{Exit, Failure},
    listen::DEFAULT_APP,
    self_check::self_check,
};

/// What the command is called by whoever asks for the lease.
pub(super) const NAME: &str = "aaa replay recover";

/// The kind under which X reports the end of a job.
pub(super) const JOB_STATUS: &str = "replay_job_status";

/// How long a lease lasts unless it is taken again.
const LEASE: SignedDuration = SignedDuration::from_secs(30);

/// A heartbeat takes its figures a moment before its time.
pub(super) const MOMENT: SignedDuration = SignedDuration::from_secs(1);

/// A driver at work.
pub(super) struct Own {
    ends: Ends,
    health: Arc<Mutex<Health>>,
    completions: mpsc::Sender<ReplayJobStatus>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Own {
    /// Starts a driver, which takes the lease by the name of a command.
    pub(super) async fn start(
        name: &str,
        args: &StoreArgs,
        client: &Client,
        credentials: &Credentials,
        store: &Store,
        (picture, webhook, settings): (&Picture, WebhookId, Settings),
    ) -> Result<Self, Failure> {
        let ledger = ledger(args)?;
        let clock = XClock::new();
        if let Some(last) = picture.last() {
            clock.assume(last.offset);
        }
        let pace = Pace::for_loopback(credentials.api().is_loopback());
        let client = client.with_retry(RetryPolicy::none());
        let holder = holder(name)?;
        let target = Target::Id(webhook);
        let own = client.clone();
        let mut driver = Driver::new(ledger, client, clock, target, settings, pace).held_by(holder);
        // Without the secret nobody can tell a right answer from a wrong one; X can.
        if let Ok(secret) = credentials.consumer_secret() {
            driver = driver.checking(move |webhook| {
                let (client, secret) = (own.clone(), secret.clone());
                async move { self_check(&client, &secret, webhook).await }
            });
        }
        let health = Arc::new(Mutex::new(health(picture, true)));
        let said = Arc::clone(&health);
        let read = move || *said.lock().unwrap_or_else(PoisonError::into_inner);
        let (completions, ended) = mpsc::channel(64);
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            let _ = stopped.await;
        };
        let ends = Ends::from_now(store).await?;
        // What it does is told from the ledger, whoever does it.
        let run = driver.run(ended, read, shutdown).with_subscriber(NoSubscriber::default());
        let task = tokio::spawn(run);
        Ok(Self { ends, health, completions, stop, task })
    }

    /// Passes on what the receiver wrote.
    pub(super) async fn feed(
        &mut self,
        store: &Store,
        picture: &Picture,
        now: Now,
    ) -> Result<(), Failure> {
        let health = health(picture, picture.is_received(now));
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
        let beat = picture.last().map(|last| last.wall);
        for status in self.ends.told_by(store, beat).await? {
            // A driver that has ended needs no news.
            let _ = self.completions.send(status).await;
        }
        Ok(())
    }

    /// Stops it. A job that runs goes on at X; whoever comes next asks again.
    pub(super) async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// The ends of jobs, as they arrive in an inbox.
pub(super) struct Ends {
    after: u64,
    waiting: Vec<(Timestamp, ReplayJobStatus)>,
}

impl Ends {
    /// Begins with what arrives from now on.
    pub(super) async fn from_now(store: &Store) -> Result<Self, Failure> {
        let stats = store.stats().await.map_err(|error| picture::unreadable(&error))?;
        Ok(Self { after: stats.last_seq.unwrap_or(0), waiting: Vec::new() })
    }

    /// Returns the ends that came before the last heartbeat.
    pub(super) async fn told_by(
        &mut self,
        store: &Store,
        beat: Option<Timestamp>,
    ) -> Result<Vec<ReplayJobStatus>, Failure> {
        let query =
            EventQuery { kind: Some(JOB_STATUS.to_owned()), ..EventQuery::after(self.after, 100) };
        let page = store.events(query).await;
        let page = page.map_err(|error| Exit::Failed.of("could not read the inbox", error))?;
        for event in page {
            self.after = event.seq;
            if event.app == DEFAULT_APP
                && let Event::ReplayJobStatus(status) =
                    Event::decode(JOB_STATUS, event.payload.get())
            {
                self.waiting.push((event.received_at, status));
            }
        }
        let is_told = |at: &Timestamp| beat.is_some_and(|beat| *at + MOMENT <= beat);
        let told = self.waiting.iter().take_while(|(at, _)| is_told(at)).count();
        Ok(self.waiting.drain(..told).map(|(_, status)| status).collect())
    }
}

/// Returns what the receiver says of itself; one that is gone has another run.
pub(super) fn health(picture: &Picture, is_received: bool) -> Health {
    match picture.last().filter(|_| is_received) {
        Some(last) => Health::from(last),
        None => Health::new(RunId(0), Tally::default()),
    }
}

/// Opens the ledger, to write into it beside the receiver.
pub(super) fn ledger(args: &StoreArgs) -> Result<SqliteLedger, Failure> {
    let beside = SqliteBeside::open(&args.data_dir);
    let beside = beside.map_err(|error| Exit::Failed.of("could not open the store", error))?;
    Ok(beside.into_ledger())
}

/// Takes the lease, or keeps it.
pub(super) async fn take(
    ledger: &SqliteLedger,
    clock: &XClock,
    holder: &Holder,
) -> Result<LeaseId, LedgerError> {
    let now = clock.wall();
    let until = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
    Ok(ledger.take_lease(holder.clone(), now, until).await?.id)
}

/// Draws a number for the holder of a lease.
pub(super) fn holder(name: &str) -> Result<Holder, Failure> {
    let run = getrandom::u64().map_err(|error| Exit::Failed.of("no random numbers", error))?;
    Ok(Holder { name: name.to_owned(), run: RunId(run), role: Role::Command })
}
