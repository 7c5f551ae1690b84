//! How far several receivers go that share a stream: one, two and four of them on three servers of
//! JetStream, beside one with a file of its own.
//!
//! All of it, and who sends, is on one machine. So a rate says little about machines of one's own,
//! and what each delivery costs says more: the time of a core that receivers and servers take for
//! it, and what it needs of the disk. `docs/SCALING.md` reckons with those.

mod keys;

use std::{fs, path::Path, time::Duration};

use aaa_store::jetstream::{JetStreamInbox, Settings};
use load::{PATH, SECRET, clock, delivery::Deliveries, process::Server, usage};
use nats_servers::{PAYLOAD, Servers};
use serde::Serialize;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::{
    Failure, TIME, WARM_UP, figures,
    senders::{Load, Requests, Senders},
};

/// How many receivers there are, one after the other.
const RECEIVERS: [usize; 3] = [1, 2, 4];

/// As many as keep what is acknowledged when one is lost.
const SERVERS: usize = 3;

/// How long they may take until they agree on a leader, and how often to look.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);

/// More than are taken in the time.
const REQUESTS: usize = 60_000;

/// Everything once.
#[derive(Debug, Serialize)]
pub(crate) struct Round {
    load_average: Option<f64>,
    /// One receiver with a file.
    file: Point,
    /// Receivers that share a stream, each number of [`RECEIVERS`].
    cluster: Vec<Point>,
    /// Bytes of memory that a server needs to know a copy of one event.
    key_bytes: Option<f64>,
}

/// A number of receivers under full load.
#[derive(Debug, Serialize)]
struct Point {
    receivers: usize,
    /// Acknowledged deliveries a second.
    rate: f64,
    /// Milliseconds.
    p50: f64,
    p99: f64,
    /// Microseconds of a core's time that all receivers together took for a delivery.
    receiver_cpu: Option<f64>,
    /// The same of all servers together.
    server_cpu: Option<f64>,
    /// Bytes of disk that a delivery needs on one server.
    bytes: Option<f64>,
}

/// Measures everything once.
pub(crate) async fn measure(program: &Path) -> Result<Round, Failure> {
    let deliveries = Deliveries::new(clock::now());
    let requests = Requests::signed(REQUESTS, &deliveries, &SECRET.parse()?);
    let file = file(program, &requests).await?;
    let mut cluster = Vec::new();
    for receivers in RECEIVERS {
        cluster.push(shared(program, &requests, receivers).await?);
    }
    let key_bytes = keys::measure().await?;
    Ok(Round { load_average: figures::load_average(), file, cluster, key_bytes })
}

async fn file(program: &Path, requests: &Requests) -> Result<Point, Failure> {
    let directory = tempfile::tempdir()?;
    let mut server = Server::receiver(program, directory.path())?;
    let senders = Senders::new(server.ready().await?, requests.once());
    let before = server.id().and_then(usage::cpu);
    let load = senders.full(WARM_UP, TIME).await?;
    let after = server.id().and_then(usage::cpu);
    server.kill().await?;
    Ok(Point::new(1, &load, [before, after], [Some(0.0), Some(0.0)], None))
}

async fn shared(program: &Path, requests: &Requests, count: usize) -> Result<Point, Failure> {
    let servers = Servers::start(SERVERS, PAYLOAD)?;
    let inbox = opened(&servers).await?;
    let directories =
        (0..count).map(|_| tempfile::tempdir()).collect::<Result<Vec<TempDir>, _>>()?;
    let mut receivers = Vec::new();
    let mut addresses = Vec::new();
    for (number, directory) in directories.iter().enumerate() {
        // One after the other: the first makes the stream.
        let mut receiver = start(program, directory.path(), &servers.urls(number), number)?;
        addresses.push(receiver.ready().await?);
        receivers.push(receiver);
    }
    let first = addresses.remove(0);
    let senders = Senders::new(first, requests.once()).and_to(addresses);
    let cpu = |ids: &[Option<u32>]| ids.iter().map(|id| usage::cpu((*id)?)).sum::<Option<f64>>();
    let ours: Vec<_> = receivers.iter().map(Server::id).collect();
    let theirs: Vec<_> = (0..SERVERS).map(|n| servers.id(n)).collect();
    let before = (cpu(&ours), cpu(&theirs));
    let load = senders.full(WARM_UP, TIME).await?;
    let after = (cpu(&ours), cpu(&theirs));

    let stored = inbox.stats().await?.events;
    if stored < load.acknowledged {
        let acknowledged = load.acknowledged;
        return Err(format!("{acknowledged} were acknowledged, and {stored} are there").into());
    }
    let bytes = size(&servers.store(0)) / f64::from(u32::try_from(stored)?);
    for receiver in receivers {
        receiver.kill().await?;
    }
    Ok(Point::new(count, &load, [before.0, after.0], [before.1, after.1], Some(bytes)))
}

/// Looks into the stream from outside, as soon as the servers have a leader.
async fn opened(servers: &Servers) -> Result<JetStreamInbox, Failure> {
    let opened = async {
        loop {
            let looks = Settings { node: "looks".to_owned(), ..Settings::default() };
            match JetStreamInbox::open(&servers.urls(0), looks).await {
                Ok(inbox) => return inbox,
                Err(_) => sleep(LOOK).await,
            }
        }
    };
    Ok(timeout(PATIENCE, opened).await?)
}

fn start(program: &Path, directory: &Path, urls: &str, number: usize) -> Result<Server, Failure> {
    let arguments = ["listen", "--bind", "127.0.0.1:0", "--path", PATH, "--data-dir", "data"];
    let node = format!("receiver-{number}");
    let shared = ["--inbox", "jetstream", "--nats", urls, "--node", &node];
    let arguments = arguments.into_iter().chain(shared);
    let arguments = arguments.chain(["--format", "none", "--recover", "off"]);
    Ok(Server::start(program, arguments, directory)?)
}

impl Point {
    fn new(
        receivers: usize,
        load: &Load,
        ours: [Option<f64>; 2],
        theirs: [Option<f64>; 2],
        bytes: Option<f64>,
    ) -> Self {
        // The warm-up took time of a core too, and its deliveries count.
        let each = |[before, after]: [Option<f64>; 2]| {
            let deliveries = f64::from(u32::try_from(load.acknowledged).ok()?);
            Some((after? - before?) * 1e6 / deliveries)
        };
        Self {
            receivers,
            rate: load.rate,
            p50: load.latency.at(0.50),
            p99: load.latency.at(0.99),
            receiver_cpu: each(ours),
            server_cpu: each(theirs),
            bytes,
        }
    }
}

/// Adds up what is in a directory, in bytes.
fn size(directory: &Path) -> f64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0.0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        // A file of a store is far below what an f64 holds.
        Ok(meta) => u32::try_from(meta.len() / 512).map_or(0.0, |blocks| f64::from(blocks) * 512.0),
        Err(_) => 0.0,
    });
    sizes.sum()
}
