//! A receiver that is away for three hours, and gets back what it missed.
//!
//! An emulated X calls it, and goes on while it is away; then its clock is set forward, since X
//! replays nothing that is younger than ten minutes.
//!
//! ```sh
//! cargo run --example recover_from_outage -p examples
//! ```

#![allow(clippy::print_stdout, reason = "printing is what this example is for")]

use std::{error::Error, net::SocketAddr, path::Path, time::Duration};

use aaa_auth::{Consumer, UserToken};
use aaa_client::Client;
use aaa_emulator::{Emulator, control::Trigger, credentials};
use aaa_replay::{
    coverage::{RunId, Tally},
    driver::{Driver, Pace, Target, XClock, heartbeat},
    engine::{Health, Settings},
    ledger::Ledger,
};
use aaa_store::SqliteStore;
use aaa_types::{event::Event, payload::ReplayJobStatus};
use aaa_webhook::{
    app::App,
    inbox::{EventLog, EventQuery},
    receiver::{Receiver, Status},
    server::Server,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

type Failure = Box<dyn Error + Send + Sync>;

/// The name of the app inside event keys.
const APP: &str = "default";

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let directory = Path::new("aaa-example-data");
    let emulator = Emulator::start().await?;
    let consumer =
        Consumer::new(credentials::CONSUMER_KEY.parse()?, credentials::CONSUMER_SECRET.parse()?);
    let client = Client::builder(emulator.url().parse()?)
        .consumer(consumer)
        .bearer(credentials::BEARER_TOKEN.parse()?)
        .build()?;

    // The first run: a webhook, a subscriber, two events that arrive.
    let mut run = Run::start(directory, 1, "127.0.0.1:0".parse()?, &client).await?;
    let address = run.address;
    let url = format!("http://{address}/webhooks/twitter").parse()?;
    let webhook = client.app().create_webhook(&url).await?;
    let token = credentials::user_token(7);
    let user = UserToken::new(token.token.parse()?, token.secret.parse()?);
    client.user(user).subscribe(webhook.id).await?;
    let follows = Trigger::new("follow_events", "7".parse()?).with_count(2);
    emulator.trigger_and_wait(&follows).await?;
    println!("stored before: {}", run.stored().await?);
    run.end().await?;

    // Nobody is there for three hours.
    for _ in 0..3 {
        emulator.trigger_and_wait(&follows).await?;
        emulator.advance(HOUR).await?;
    }

    // It is back. What was just now can be had in a few minutes only.
    run = Run::start(directory, 2, address, &client).await?;
    println!("stored when back: {}", run.stored().await?);
    emulator.advance(Duration::from_secs(20 * 60)).await?;
    let (completions, ended) = mpsc::channel(16);
    let follow = follow_jobs(run.store.clone(), completions);
    let driver = Driver::new(
        run.store.clone(),
        client.clone(),
        run.clock.clone(),
        Target::Id(webhook.id),
        Settings::v2(),
        Pace::for_loopback(true),
    );
    driver.read_clock().await?;
    let mut figures = driver.figures();
    let (stop, stopped) = oneshot::channel::<()>();
    let (id, status) = (run.id, run.status.clone());
    let driving =
        tokio::spawn(driver.run(ended, move || health(id, &status), async { drop(stopped.await) }));
    tokio::select! {
        seen = figures.wait_for(|f| f.recovered > 0 && f.now + f.later + f.running == 0) => {
            let figures = *seen?;
            println!("recovered: {} events in {} windows", figures.found, figures.recovered);
        }
        failed = follow => return failed,
    }
    drop(stop);
    driving.await?;
    println!("stored after: {}", run.stored().await?);
    run.end().await
}

/// One run of a receiver.
struct Run {
    id: RunId,
    address: SocketAddr,
    store: SqliteStore,
    status: Status,
    clock: XClock,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Run {
    /// Starts to listen, and says so in the ledger with the first heartbeat.
    async fn start(
        directory: &Path,
        id: u64,
        address: SocketAddr,
        client: &Client,
    ) -> Result<Self, Failure> {
        let store = SqliteStore::open(directory, aaa_store::Settings::default())?;
        let secret = credentials::CONSUMER_SECRET.parse()?;
        let receiver = Receiver::new(store.clone(), App::new(APP, secret));
        let status = receiver.status();
        let server = Server::bind(address).await?;
        let address = server.local_addr();
        let clock = XClock::new();
        clock.observe(client.server_time().await?);
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = async { drop(stopped.await) };
        let router = receiver.router("/webhooks/twitter");
        let serving = tokio::spawn(server.serve(router, status.clone(), ended));
        let run = Self { id: RunId(id), address, store, status, clock, stop, serving };
        run.beat().await?;
        Ok(run)
    }

    /// Writes a heartbeat. A receiver does so every few seconds, see
    /// [`heartbeats`](aaa_replay::driver::heartbeats).
    async fn beat(&self) -> Result<(), Failure> {
        Ok(self.store.heartbeat(heartbeat(&self.clock, health(self.id, &self.status))).await?)
    }

    async fn stored(&self) -> Result<u64, Failure> {
        let kind = Some("follow_events".to_owned());
        let page = self.store.events(EventQuery { kind, ..EventQuery::after(0, 1000) }).await?;
        Ok(page.len().try_into()?)
    }

    async fn end(self) -> Result<(), Failure> {
        drop(self.stop);
        self.serving.await?;
        let last = heartbeat(&self.clock, health(self.id, &self.status));
        self.store.heartbeat(last).await?;
        Ok(self.store.close().await?)
    }
}

/// What a receiver says of itself: a job only counts if nothing was refused meanwhile.
fn health(id: RunId, status: &Status) -> Health {
    let (counts, signatures) = (status.counts(), status.signatures(APP));
    let tally = Tally {
        refusals: counts.refusals,
        verified: signatures.verified,
        rejected: signatures.doubtful,
        arrived: counts.verified + counts.checks,
    };
    Health::new(id, tally)
}

/// Passes on the ends of jobs, which arrive like any other event.
async fn follow_jobs(
    store: SqliteStore,
    completions: mpsc::Sender<ReplayJobStatus>,
) -> Result<(), Failure> {
    let mut committed = store.subscribe();
    let mut after = 0;
    loop {
        committed.mark_unchanged();
        let kind = Some("replay_job_status".to_owned());
        for event in store.events(EventQuery { kind, ..EventQuery::after(after, 100) }).await? {
            after = event.seq;
            if let Event::ReplayJobStatus(status) = Event::decode(&event.kind, event.payload.get())
            {
                completions.send(status).await?;
            }
        }
        committed.changed().await?;
    }
}
