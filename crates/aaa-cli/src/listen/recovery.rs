//! Prepares and starts the driver that finds and closes gaps.

use std::time::Duration;

use aaa_client::{ReqwestTransport, RetryPolicy};
use aaa_replay::{
    driver::{Driver, Pace, Target, TargetError, XClock},
    engine::{Figures, Settings},
    ledger::{Holder, Ledger, LedgerError, Role},
    notice::Notice,
};
use aaa_types::{event::Event, payload::ReplayJobStatus};
use aaa_webhook::inbox::StoredEvent;
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

#[cfg(feature = "jetstream")]
use super::cluster::Others;
use super::{
    Phase, Run,
    following::follow,
    store::Store,
    watching::{Subscribing, Watching},
};
use crate::{
    cli::ListenArgs,
    credentials::Credentials,
    exit::{Exit, Failure},
    output,
    replay::{
        self,
        unfollowed::{self, Evidence},
    },
    self_check::self_check,
};

/// The kind under which X reports the end of a job.
const JOB_STATUS: &str = "replay_job_status";

/// How long X may hold up the start of the receiver.
const FIRST_CALLS: Duration = Duration::from_secs(3);

/// How long the lease lasts under which earlier attempts are settled, unless it is taken again.
const LEASE: SignedDuration = SignedDuration::from_secs(30);

/// A driver that is ready to start.
pub(super) struct Recovery {
    driver: Driver<Store, ReqwestTransport>,
    store: Store,
    clock: XClock,
    settings: Settings,
    watching: Watching,
}

impl Recovery {
    /// Reads X's clock, so that the first heartbeat knows it, and makes sure that it is clear
    /// which webhook to recover. When X cannot be reached, the receiver starts all the same.
    ///
    /// # Errors
    ///
    /// Fails when the app has several webhooks and none is named.
    pub(super) async fn prepare(
        args: &ListenArgs,
        credentials: &Credentials,
        store: &Store,
        clock: &XClock,
        known: Option<Timestamp>,
        notices: Option<mpsc::Sender<Notice>>,
    ) -> Result<Self, Failure> {
        let target = match (args.webhook, &args.public_url) {
            (Some(id), _) => Target::Id(id),
            (None, Some(url)) => Target::Url(url.clone()),
            (None, None) => Target::Only,
        };
        // What does not work at once is left to the driver, which tries again.
        let client = credentials.builder().version(args.api.into());
        let client = client.replay_route(args.route.into()).build();
        let client = client
            .map_err(|error| Exit::Failed.of("the client could not be built", error))?
            .with_retry(RetryPolicy::none());
        let settings = Settings { sweep: args.sweep, ..replay::settings(args.api, credentials) };
        let driver = Driver::new(
            store.clone(),
            client.clone(),
            clock.clone(),
            target.clone(),
            settings,
            Pace::for_loopback(credentials.api().is_loopback()),
        );
        let (secret, own) = (credentials.consumer_secret()?, client.clone());
        let driver = driver.checking(move |webhook| {
            let (client, secret) = (own.clone(), secret.clone());
            async move { self_check(&client, &secret, webhook).await }
        });
        let driver = match &notices {
            Some(notices) => driver.telling(notices.clone()),
            None => driver,
        };
        let parts = (store, clock, &client);
        let watching = Watching::prepare(args, credentials, parts, target.clone(), known, notices)?;
        let first_calls = async {
            driver.read_clock().await?;
            client.app().list_webhooks().await
        };
        match timeout(FIRST_CALLS, first_calls).await {
            Ok(Ok(webhooks)) => {
                if let Err(error @ TargetError::Several(_)) = target.find(&webhooks) {
                    let words = format!("{error}: --webhook ID or --public-url URL");
                    return Err(Exit::Usage.with(words));
                }
            }
            Ok(Err(error)) => output::note(format_args!("warning: recovery has to wait: {error}")),
            Err(_) => output::note("warning: recovery has to wait: the API does not answer"),
        }
        Ok(Self { driver, store: store.clone(), clock: clock.clone(), settings, watching })
    }

    /// Returns figures about what is done, as of the last look.
    pub(super) fn figures(&self) -> watch::Receiver<Figures> {
        self.driver.figures()
    }

    /// Starts the driver and the watch.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    pub(super) async fn start(
        self,
        run: &Run,
        subscribing: Subscribing,
    ) -> Result<JoinHandle<()>, Failure> {
        let settled = settle_open(&self.store, &self.clock, &self.settings, run).await;
        if let Err(error) = settled {
            // The driver meets them too.
            tracing::warn!(%error, "what became of earlier replay jobs was not noted");
        }
        let (sender, completions) = mpsc::channel(64);
        let stats = self.store.stats().await;
        let stats = stats.map_err(|error| Exit::Failed.of("could not read the store", error))?;
        let last = stats.last_seq.unwrap_or(0);
        let (own, ended) = (run.clone(), run.reached(Phase::Ended));
        #[cfg(feature = "jetstream")]
        let (others, completions) = match &self.store {
            Store::JetStream(inbox) => {
                let (others, complete) = Others::watch(inbox, run.id, completions);
                (Some(others), complete)
            }
            Store::Sqlite(_) => (None, completions),
        };
        let follow = follow(self.store, JOB_STATUS, last, completion, sender);
        let health = move || {
            let own = own.health();
            #[cfg(feature = "jetstream")]
            let own = others.as_ref().map_or(own, |others| others.with(own));
            own
        };
        let watching = self.watching.start(run, subscribing);
        Ok(tokio::spawn(async move {
            tokio::select! {
                () = self.driver.run(completions, health, ended) => {}
                () = follow => {}
            }
            let _ = watching.await;
        }))
    }
}

/// Notes what became of jobs that nobody followed to their end: those of a command that did not
/// wait, and those of the run before. Whoever holds the lease does it otherwise.
///
/// Of several receivers nobody can say that: that time is covered says that one of them was there,
/// and what a job sends goes to all. The driver, which begins anew, asks for those minutes again.
async fn settle_open(
    store: &Store,
    clock: &XClock,
    settings: &Settings,
    run: &Run,
) -> Result<(), String> {
    if store.is_shared() {
        return Ok(());
    }
    let unusable = |error: LedgerError| error.to_string();
    let attempts = store.attempts().await.map_err(unusable)?;
    if !attempts.iter().any(|attempt| attempt.outcome.is_open()) {
        return Ok(());
    }
    // It is the driver's own, which keeps it.
    let holder = Holder { name: "aaa listen".to_owned(), run: run.id, role: Role::Listener };
    let wall = clock.wall();
    let until = wall.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
    let lease = match store.take_lease(holder, wall, until).await {
        Err(LedgerError::Held(_)) => return Ok(()),
        lease => lease.map_err(unusable)?.id,
    };
    let spans = store.spans().await.map_err(unusable)?;
    let now = clock.now();
    let evidence = Evidence { settings, spans: &spans, is_received: true, now };
    let left = evidence.judge(store, &attempts).await.map_err(|error| error.to_string())?;
    unfollowed::settle(store, lease, &left, now).await.map(drop).map_err(unusable)
}

fn completion(event: &StoredEvent) -> Option<ReplayJobStatus> {
    match Event::decode(JOB_STATUS, event.payload.get()) {
        Event::ReplayJobStatus(status) => Some(status),
        _ => None,
    }
}
