//! Who sends, as fast as possible or at a pace.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use aaa_types::ConsumerSecret;
use hdrhistogram::Histogram;
use load::{PATH, clock, delivery::Deliveries, http::Connection};
use tokio::{task::JoinSet, time::sleep_until};

use crate::{CONNECTIONS, Failure};

/// How often a challenge-response check is sent.
const CHECKS: Duration = Duration::from_millis(5);

/// How long checks are sent without a load before they count, and how long they count. Together
/// that is less than the two seconds that a store waits for another process that writes.
const SETTLED: Duration = Duration::from_millis(200);
const UNLOADED: Duration = Duration::from_millis(1200);

/// How long a load may take beyond its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Signed requests, each of its own. Clones share what was sent.
#[derive(Debug, Clone)]
pub(crate) struct Requests {
    all: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicUsize>,
    repeated: bool,
}

impl Requests {
    pub(crate) fn signed(count: usize, deliveries: &Deliveries, secret: &ConsumerSecret) -> Self {
        let all = (0..count).map(|_| deliveries.next().request(secret)).collect();
        Self { all: Arc::new(all), next: Arc::default(), repeated: false }
    }

    /// The same, each to be sent once.
    pub(crate) fn once(&self) -> Self {
        Self { next: Arc::default(), ..self.clone() }
    }

    /// The same, again and again, for a server that does not care.
    pub(crate) fn repeated(&self) -> Self {
        Self { repeated: true, ..self.once() }
    }

    fn next(&self) -> io::Result<&[u8]> {
        let number = self.next.fetch_add(1, Relaxed);
        let number = if self.repeated { number % self.all.len().max(1) } else { number };
        let request = self.all.get(number).map(Vec::as_slice);
        request.ok_or_else(|| io::Error::other("there are not enough requests for this receiver"))
    }
}

/// What became of a load.
#[derive(Debug)]
pub(crate) struct Load {
    /// Acknowledgements a second, the warm-up left out.
    pub(crate) rate: f64,
    /// All acknowledgements.
    pub(crate) acknowledged: u64,
    /// From the moment a delivery was due to its acknowledgement.
    pub(crate) latency: Latency,
    /// The same of challenge-response checks.
    pub(crate) checks: Latency,
}

/// What was seen of checks without a load.
pub(crate) struct Checks {
    pub(crate) latency: Latency,
    /// How many deliveries were acknowledged.
    pub(crate) acknowledged: u64,
}

/// Times in microseconds.
#[derive(Debug, Clone)]
pub(crate) struct Latency(Histogram<u64>);

impl Latency {
    fn new() -> Result<Self, Failure> {
        Ok(Self(Histogram::new_with_bounds(1, 600_000_000, 3)?))
    }

    fn add(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Returns a quantile, in milliseconds.
    pub(crate) fn at(&self, quantile: f64) -> f64 {
        Duration::from_micros(self.0.value_at_quantile(quantile)).as_secs_f64() * 1000.0
    }
}

/// Sends to one server, or to several that share the work.
#[derive(Debug)]
pub(crate) struct Senders {
    /// The first of them.
    address: SocketAddr,
    others: Vec<SocketAddr>,
    requests: Requests,
}

/// When a load begins, is measured and ends.
#[derive(Debug, Clone, Copy)]
struct Times {
    begin: Instant,
    measured: Instant,
    end: Instant,
}

impl Times {
    fn new(warm_up: Duration, time: Duration) -> Self {
        let begin = clock::steady();
        Self { begin, measured: begin + warm_up, end: begin + warm_up + time }
    }

    fn include(&self, time: Instant) -> bool {
        (self.measured..self.end).contains(&time)
    }
}

/// What one connection has seen.
struct Sheet {
    acknowledged: u64,
    /// How many of them count.
    counted: u64,
    latency: Latency,
}

impl Sheet {
    fn new() -> Result<Self, Failure> {
        Ok(Self { acknowledged: 0, counted: 0, latency: Latency::new()? })
    }

    fn add(&mut self, times: &Times, due: Instant) {
        let now = clock::steady();
        self.acknowledged += 1;
        self.counted += u64::from(times.include(now));
        // What was due counts, also when it came too late to count as a rate.
        if times.include(due) {
            self.latency.add(now.duration_since(due));
        }
    }
}

impl Senders {
    pub(crate) fn new(address: SocketAddr, requests: Requests) -> Self {
        Self { address, others: Vec::new(), requests }
    }

    /// The same, whose connections are shared with these. Checks go to the first.
    pub(crate) fn and_to(self, others: Vec<SocketAddr>) -> Self {
        Self { others, ..self }
    }

    /// Sends on each connection as soon as it is answered, and a check every few milliseconds on
    /// one more.
    pub(crate) async fn full(&self, warm_up: Duration, time: Duration) -> Result<Load, Failure> {
        let mut senders = JoinSet::new();
        let connections = self.connections().await?;
        let times = Times::new(warm_up, time);
        for mut connection in connections {
            let requests = self.requests.clone();
            senders.spawn(async move {
                let mut sheet = Sheet::new()?;
                loop {
                    let due = clock::steady();
                    if due >= times.end {
                        return Ok::<_, Failure>(sheet);
                    }
                    expect(connection.exchange(requests.next()?).await?)?;
                    sheet.add(&times, due);
                }
            });
        }
        let checks = tokio::spawn(check(self.address, times));
        let (rate, sheet) = gather(senders, time).await?;
        // Those that were due and came late are waited for, and counted as what they are.
        let checks = tokio::time::timeout(PATIENCE, checks).await???.latency;
        Ok(Load { rate, acknowledged: sheet.acknowledged, latency: sheet.latency, checks })
    }

    /// Sends the first so many requests, each on a connection as soon as it is free, and returns how
    /// long it took until all were acknowledged.
    pub(crate) async fn all(&self, count: usize) -> Result<Duration, Failure> {
        let mut senders = JoinSet::new();
        let connections = self.connections().await?;
        let (begin, sent) = (clock::steady(), Arc::new(AtomicUsize::new(0)));
        for mut connection in connections {
            let (requests, sent) = (self.requests.clone(), Arc::clone(&sent));
            senders.spawn(async move {
                while sent.fetch_add(1, Relaxed) < count {
                    expect(connection.exchange(requests.next()?).await?)?;
                }
                Ok::<_, Failure>(())
            });
        }
        while let Some(sender) = senders.join_next().await {
            sender??;
        }
        Ok(begin.elapsed())
    }

    /// Offers so many deliveries a second, whatever becomes of them: one that has to wait for a
    /// free connection is late from the moment it was due.
    pub(crate) async fn paced(
        &self,
        pace: u32,
        warm_up: Duration,
        time: Duration,
    ) -> Result<Load, Failure> {
        let mut senders = JoinSet::new();
        let connections = self.connections().await?;
        let times = Times::new(warm_up, time);
        let number = Arc::new(AtomicUsize::new(0));
        for mut connection in connections {
            let (requests, number) = (self.requests.clone(), Arc::clone(&number));
            senders.spawn(async move {
                let mut sheet = Sheet::new()?;
                loop {
                    let number = u32::try_from(number.fetch_add(1, Relaxed))?;
                    let due = times.begin + Duration::from_secs(1) * number / pace;
                    if due >= times.end {
                        return Ok::<_, Failure>(sheet);
                    }
                    sleep_until(due.into()).await;
                    expect(connection.exchange(requests.next()?).await?)?;
                    sheet.add(&times, due);
                }
            });
        }
        let (rate, sheet) = gather(senders, time).await?;
        let checks = Latency::new()?;
        Ok(Load { rate, acknowledged: sheet.acknowledged, latency: sheet.latency, checks })
    }

    /// Sends checks and nothing else, but for one delivery that nobody can commit: `stuck` keeps
    /// the store from being written until it is dropped. Where there is none, nothing is stuck.
    pub(crate) async fn checks(&self, stuck: Option<impl Sized>) -> Result<Checks, Failure> {
        let times = Times::new(SETTLED, UNLOADED);
        let is_stuck = stuck.is_some();
        let mut connection = Connection::open(self.address).await?;
        let requests = self.requests.clone();
        let delivery = is_stuck.then(|| {
            tokio::spawn(async move {
                let status = connection.exchange(requests.next()?).await?;
                Ok::<_, Failure>(status)
            })
        });
        let latency = check(self.address, times).await?.latency;
        let Some(delivery) = delivery else { return Ok(Checks { latency, acknowledged: 0 }) };
        if delivery.is_finished() {
            return Err("a delivery was answered although nobody could commit it".into());
        }
        drop(stuck);
        expect(tokio::time::timeout(PATIENCE, delivery).await???)?;
        Ok(Checks { latency, acknowledged: 1 })
    }

    async fn connections(&self) -> io::Result<Vec<Connection>> {
        let servers = std::iter::once(self.address).chain(self.others.iter().copied()).cycle();
        let mut connections = Vec::new();
        for server in servers.take(CONNECTIONS) {
            connections.push(Connection::open(server).await?);
        }
        Ok(connections)
    }
}

async fn gather(
    mut senders: JoinSet<Result<Sheet, Failure>>,
    time: Duration,
) -> Result<(f64, Sheet), Failure> {
    let mut all = Sheet::new()?;
    while let Some(sheet) = tokio::time::timeout(time + PATIENCE, senders.join_next()).await? {
        let sheet = sheet??;
        all.acknowledged += sheet.acknowledged;
        all.counted += sheet.counted;
        all.latency.0.add(sheet.latency.0)?;
    }
    let counted = u32::try_from(all.counted)?;
    Ok((f64::from(counted) / time.as_secs_f64(), all))
}

/// Sends checks at a pace of their own. A connection that the server wants back, since all are in
/// use and this one brings no deliveries, is replaced; the check is late by the time that takes.
async fn check(address: SocketAddr, times: Times) -> Result<Sheet, Failure> {
    let request = format!(
        "GET {PATH}?crc_token=OWY4ODQ2ZjgtNDljMC00NDY2 HTTP/1.1\r\nhost: localhost\r\n\r\n"
    );
    let mut sheet = Sheet::new()?;
    let mut connection = Connection::open(address).await?;
    let mut due = times.begin;
    while due < times.end {
        sleep_until(due.into()).await;
        match connection.exchange(request.as_bytes()).await {
            Ok(status) => expect(status)?,
            Err(_) => {
                connection = Connection::open(address).await?;
                continue;
            }
        }
        sheet.add(&times, due);
        due += CHECKS;
    }
    Ok(sheet)
}

/// Makes sure that a request was answered well.
pub(crate) fn expect(status: u16) -> io::Result<()> {
    if status == 200 { Ok(()) } else { Err(io::Error::other(format!("answered {status}"))) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use axum::{Router, routing::get};
    use tokio::net::TcpListener;

    use super::*;

    const TIME: Duration = Duration::from_millis(200);

    /// A server that counts what it answers.
    async fn server() -> (SocketAddr, Arc<AtomicU64>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let count = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&count);
        let post = async move || {
            counted.fetch_add(1, Relaxed);
        };
        let router = Router::new().route(PATH, get(async || {}).post(post));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (address, count)
    }

    fn requests(count: usize) -> Requests {
        let deliveries = Deliveries::new(clock::now());
        Requests::signed(count, &deliveries, &load::SECRET.parse().unwrap())
    }

    #[tokio::test]
    async fn what_is_offered_is_sent_whatever_the_server_does() {
        let (address, count) = server().await;
        let senders = Senders::new(address, requests(100));
        let load = senders.paced(250, TIME, TIME).await.unwrap();
        assert_eq!(load.acknowledged, 100);
        assert_eq!(count.load(Relaxed), 100);
        // What was due in the second half.
        assert_eq!(load.latency.0.len(), 50);
        assert!(load.latency.at(0.5) > 0.0);
    }

    #[tokio::test]
    async fn servers_share_what_is_sent() {
        let ((one, first), (other, second)) = (server().await, server().await);
        let senders = Senders::new(one, requests(640)).and_to(vec![other]);
        senders.all(640).await.unwrap();
        let counts = (first.load(Relaxed), second.load(Relaxed));
        assert_eq!(counts.0 + counts.1, 640);
        assert!(counts.0 > 0 && counts.1 > 0, "{counts:?}");
    }

    #[tokio::test]
    async fn so_many_are_sent_and_no_more() {
        let (address, count) = server().await;
        let senders = Senders::new(address, requests(1000));
        assert!(senders.all(700).await.unwrap() > Duration::ZERO);
        assert_eq!(count.load(Relaxed), 700);
        assert!(senders.all(700).await.is_err());
    }

    #[tokio::test]
    async fn each_request_is_sent_once_or_there_are_too_few() {
        let (address, _) = server().await;
        let requests = requests(100);
        assert!(Senders::new(address, requests.once()).full(TIME, TIME).await.is_err());
        let load = Senders::new(address, requests.repeated()).full(TIME, TIME).await.unwrap();
        assert!(load.acknowledged > 100);
        assert!(load.checks.at(0.99) > 0.0);
    }
}
