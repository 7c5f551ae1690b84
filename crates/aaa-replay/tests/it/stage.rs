//! An emulator, a real receiver on loopback with a real store, and a driver beside them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use aaa_auth::{Consumer, UserToken};
use aaa_client::{Client, RetryPolicy};
use aaa_emulator::{
    Emulator,
    control::{Action, Cause, Fault, Match, Trigger},
    credentials,
    settings::{Settings as Rules, TimeMode},
};
use aaa_replay::{
    coverage::{Heartbeat, RunId, Tally},
    driver::{Driver, Pace, Target, XClock},
    engine::{Figures, Health, Settings},
    ledger::Ledger,
};
use aaa_store::SqliteStore;
use aaa_types::{UserId, WebhookId, event::Event, payload::ReplayJobStatus};
use aaa_webhook::{
    app::App,
    inbox::{EventLog, EventQuery},
    receiver::{Receiver, Status},
    server::Server,
};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

/// Nothing here takes longer on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Stage {
    pub(crate) emulator: Arc<Emulator>,
    pub(crate) store: SqliteStore,
    pub(crate) client: Client,
    address: SocketAddr,
    status: Status,
    run: u64,
    serving: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    directory: tempfile::TempDir,
}

impl Stage {
    /// An emulator whose clock stands still, and a receiver that listens.
    pub(crate) async fn new() -> Self {
        let rules = Rules { time: TimeMode::Virtual, ..Rules::default() };
        let emulator = Emulator::builder().settings(rules).start().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        // The clock goes in leaps here; a run that does not end is no gap.
        let heartbeat_period = Duration::from_secs(20 * 60);
        let files = aaa_store::Settings { heartbeat_period, ..Default::default() };
        let store = SqliteStore::open(directory.path().join("data"), files).unwrap();
        let key = credentials::CONSUMER_KEY.parse().unwrap();
        let client = Client::builder(emulator.url().parse().unwrap())
            .consumer(Consumer::new(key, credentials::CONSUMER_SECRET.parse().unwrap()))
            .bearer(credentials::BEARER_TOKEN.parse().unwrap())
            .retry(RetryPolicy::none())
            .build()
            .unwrap();
        let mut stage = Self {
            emulator: Arc::new(emulator),
            store,
            client,
            address: "127.0.0.1:0".parse().unwrap(),
            status: Status::default(),
            run: 1,
            serving: None,
            directory,
        };
        stage.serve().await;
        stage
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.directory.path().join("data")
    }

    /// Listens, at the same address as before.
    pub(crate) async fn serve(&mut self) {
        self.serve_with(credentials::CONSUMER_SECRET).await;
    }

    /// Listens with a secret that may be wrong.
    pub(crate) async fn serve_with(&mut self, secret: &str) {
        let secret = secret.parse().unwrap();
        let receiver = Receiver::new(self.store.clone(), App::new("main", secret));
        self.status = receiver.status();
        let server = Server::bind(self.address).await.unwrap();
        self.address = server.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = async move {
            let _ = stopped.await;
        };
        // Any path is its path.
        let mut paths = aaa_webhook::receiver::Paths::new();
        for path in ["/a", "/b"] {
            paths = paths.at(path, receiver.clone()).unwrap();
        }
        let serving = server.serve(paths.router(), self.status.clone(), ended);
        self.serving = Some((stop, tokio::spawn(serving)));
    }

    /// Stops listening.
    pub(crate) async fn stop(&mut self) {
        let (stop, serving) = self.serving.take().unwrap();
        stop.send(()).unwrap();
        serving.await.unwrap();
        self.run += 1;
    }

    /// Registers the webhook at a path, with some subscribers.
    pub(crate) async fn register(&self, path: &str, users: &[u64]) -> WebhookId {
        let url = format!("http://{}{path}", self.address).parse().unwrap();
        let webhook = self.client.app().create_webhook(&url).await.unwrap().id;
        for user in users {
            self.client.user(token(*user)).subscribe(webhook).await.unwrap();
        }
        webhook
    }

    /// The receiver is up at this moment.
    pub(crate) async fn beat(&self) {
        self.store.heartbeat(self.heartbeat()).await.unwrap();
    }

    fn heartbeat(&self) -> Heartbeat {
        let (counts, signatures) = (self.status.counts(), self.status.signatures("main"));
        let tally = Tally {
            refusals: counts.refusals,
            verified: signatures.verified,
            rejected: signatures.doubtful,
            arrived: counts.verified + counts.checks,
        };
        Heartbeat {
            run: RunId(self.run),
            wall: self.emulator.now(),
            uptime: SignedDuration::ZERO,
            offset: SignedDuration::ZERO,
            offset_read: true,
            tally,
        }
    }

    /// Some users follow one.
    pub(crate) async fn follow(&self, followed: u64, count: u32) {
        let ask = Trigger::new("follow_events", user(followed)).with_count(count);
        self.emulator.trigger_and_wait(&ask).await.unwrap();
    }

    pub(crate) async fn forward(&self, minutes: u64) -> Timestamp {
        self.emulator.advance(Duration::from_secs(minutes * 60)).await.unwrap()
    }

    pub(crate) fn fault(&self, cause: Option<Cause>, action: Action, times: u32) {
        let when = Match { cause, ..Match::default() };
        self.emulator.plan_fault(Fault { when, action, times }).unwrap();
    }

    /// How many faults were planned and did not fire.
    pub(crate) fn faults_left(&self) -> u32 {
        self.emulator.faults().faults.iter().map(|fault| fault.planned - fault.fired).sum()
    }

    /// How many follows are stored.
    pub(crate) async fn stored(&self) -> usize {
        let kind = Some("follow_events".to_owned());
        let query = EventQuery { kind, ..EventQuery::after(0, 1000) };
        self.store.events(query).await.unwrap().len()
    }

    pub(crate) fn driver(&self, target: Target, settings: Settings) -> TestDriver {
        let pace = Pace { tick: Duration::from_millis(5), clock: SignedDuration::ZERO };
        let clock = XClock::new();
        Driver::new(self.store.clone(), self.client.clone(), clock, target, settings, pace)
    }

    /// Runs a driver beside a test until that ends.
    pub(crate) async fn beside<R>(
        &self,
        driver: TestDriver,
        test: impl AsyncFnOnce(watch::Receiver<Figures>) -> R,
    ) -> R {
        let (completed, completions) = mpsc::channel(4);
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let (run, status) = (RunId(self.run), self.status.clone());
        let health = move || {
            let tally = Tally { refusals: status.counts().refusals, ..Tally::default() };
            Health::new(run, tally)
        };
        let figures = driver.figures();
        let follow = tokio::spawn(follow_jobs(self.store.clone(), completed));
        let running = tokio::spawn(driver.run(completions, health, shutdown));
        let result = timeout(PATIENCE, test(figures)).await.expect("it never came");
        stop.send(()).unwrap();
        running.await.unwrap();
        follow.abort();
        result
    }
}

pub(crate) type TestDriver = Driver<SqliteStore, aaa_client::ReqwestTransport>;

/// The defaults, without pauses between tries.
pub(crate) fn settings() -> Settings {
    let short = SignedDuration::from_millis(1);
    Settings { pause: short, long_pause: short, ..Settings::v2() }
}

pub(crate) fn user(id: u64) -> UserId {
    id.try_into().unwrap()
}

pub(crate) fn token(id: u64) -> UserToken {
    let tokens = credentials::user_token(id);
    UserToken::new(tokens.token.parse().unwrap(), tokens.secret.parse().unwrap())
}

/// Passes the ends of jobs from the inbox on.
async fn follow_jobs(store: SqliteStore, completions: mpsc::Sender<ReplayJobStatus>) {
    const KIND: &str = "replay_job_status";
    let mut committed = store.subscribe();
    let mut after = 0;
    loop {
        let query = EventQuery { kind: Some(KIND.to_owned()), ..EventQuery::after(after, 100) };
        committed.mark_unchanged();
        let page = store.events(query).await.unwrap();
        for event in &page {
            after = event.seq;
            if let Event::ReplayJobStatus(status) = Event::decode(KIND, event.payload.get())
                && completions.send(status).await.is_err()
            {
                return;
            }
        }
        if page.is_empty() && committed.changed().await.is_err() {
            return;
        }
    }
}
