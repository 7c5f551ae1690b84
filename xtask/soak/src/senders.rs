//! Who sends: many connections, one pace, and each delivery until it is acknowledged.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use aaa_types::ConsumerSecret;
use load::{
    PATH, SECRET, clock,
    delivery::{Deliveries, Delivery},
    http::Connection,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, sleep_until, timeout},
};

use crate::{
    Failure, Options, Running, due,
    trouble::{Tally, Trouble},
};

/// How many connections bring deliveries.
const CONNECTIONS: usize = 64;

/// How long an answer is waited for.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long after a failure the same is sent again.
const AGAIN: Duration = Duration::from_millis(50);

/// More bytes than any delivery may have.
const TOO_MANY: u64 = 1 << 30;

/// A signature of something else.
const FORGED: &str = "sha256=YWHphPn/JFq43jkF0y4/w8R/SelmLjvpunhVFY8JhlI=";

/// All connections.
pub(crate) struct Senders {
    tasks: JoinSet<Result<Vec<Delivery>, Failure>>,
    acknowledged: Vec<Delivery>,
    failure: Option<Failure>,
}

impl Senders {
    pub(crate) fn start(
        options: &Options,
        begin: Instant,
        running: &watch::Receiver<Option<Running>>,
        tally: &Arc<Tally>,
    ) -> Result<Self, Failure> {
        let secret: ConsumerSecret = SECRET.parse()?;
        let deliveries = Deliveries::new(clock::now());
        let next = Arc::<AtomicU64>::default();
        let mut tasks = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let sender = Sender {
                begin,
                end: begin + options.time,
                rate: options.rate,
                next: Arc::clone(&next),
                deliveries: deliveries.clone(),
                secret: secret.clone(),
                line: Line { running: running.clone(), open: None },
                other: Line { running: running.clone(), open: None },
                tally: Arc::clone(tally),
            };
            tasks.spawn(sender.run());
        }
        Ok(Self { tasks, acknowledged: Vec::new(), failure: None })
    }

    /// Takes what is done; says whether everything is.
    pub(crate) fn are_done(&mut self) -> bool {
        while let Some(done) = self.tasks.try_join_next() {
            match done.map_err(Failure::from).flatten() {
                Ok(acknowledged) => self.acknowledged.extend(acknowledged),
                Err(failure) => self.failure = Some(failure),
            }
        }
        self.tasks.is_empty()
    }

    /// Fails when one of them has.
    pub(crate) fn check(&mut self) -> Result<(), Failure> {
        self.are_done();
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Waits for the end of all and returns what was acknowledged.
    pub(crate) async fn finish(mut self) -> Result<Vec<Delivery>, Failure> {
        while let Some(done) = self.tasks.join_next().await {
            self.acknowledged.extend(done??);
        }
        self.check()?;
        Ok(self.acknowledged)
    }
}

/// One of them.
struct Sender {
    begin: Instant,
    end: Instant,
    rate: u32,
    /// Shared: which delivery is due next.
    next: Arc<AtomicU64>,
    deliveries: Deliveries,
    secret: ConsumerSecret,
    line: Line,
    /// For what comes twice at once, and for what is not X's.
    other: Line,
    tally: Arc<Tally>,
}

impl Sender {
    /// Sends what is due until the time is over. All that it returns was acknowledged.
    async fn run(mut self) -> Result<Vec<Delivery>, Failure> {
        let mut acknowledged = Vec::new();
        loop {
            let number = self.next.fetch_add(1, Relaxed);
            let due = due(self.begin, number, self.rate);
            if due >= self.end {
                return Ok(acknowledged);
            }
            sleep_until(due.into()).await;
            let delivery = self.deliveries.next();
            let request = delivery.request(&self.secret);
            match Trouble::of(number) {
                Some(Trouble::Copy) => {
                    let Self { line, other, tally, .. } = &mut self;
                    tokio::join!(line.deliver(&request, tally), other.deliver(&request, tally));
                    tally.fired(Trouble::Copy);
                }
                trouble => {
                    if let Some(trouble) = trouble {
                        self.nuisance(trouble, delivery, &request).await;
                    }
                    self.line.deliver(&request, &self.tally).await;
                }
            }
            acknowledged.push(delivery);
        }
    }

    /// Something else comes before the delivery does, or half of it.
    async fn nuisance(&mut self, trouble: Trouble, delivery: Delivery, request: &[u8]) {
        if trouble == Trouble::Cut {
            let half = request.get(..request.len() / 2).unwrap_or_default();
            if let Ok(connection) = self.other.open().await
                && connection.send(half).await.is_ok()
            {
                self.tally.fired(Trouble::Cut);
            }
            self.other.open = None;
            return;
        }
        let body = delivery.body();
        let (length, body) = match trouble {
            Trouble::Oversized => (TOO_MANY, Vec::new()),
            _ => (body.len() as u64, body),
        };
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             x-twitter-webhooks-signature: {FORGED}\r\ncontent-length: {length}\r\n\r\n"
        );
        let request = [head.as_bytes(), &body].concat();
        // Without an answer nothing was seen, and nothing is counted.
        match self.other.exchange(&request).await {
            Ok(200..=299) => self.tally.admitted(),
            Ok(401 | 403 | 413) => self.tally.fired(trouble),
            Ok(_) | Err(_) => {}
        }
        // After a refusal the receiver may close, or wait for the rest of the body.
        self.other.open = None;
    }
}

/// A connection to the receiver that runs, if one does.
struct Line {
    running: watch::Receiver<Option<Running>>,
    open: Option<Connection>,
}

impl Line {
    /// Sends the same until it is acknowledged.
    async fn deliver(&mut self, request: &[u8], tally: &Tally) {
        loop {
            let sent = clock::steady();
            match self.exchange(request).await {
                Ok(200) => return tally.took(sent.elapsed()),
                Ok(_) => tally.refused(),
                Err(_) => tally.unanswered(),
            }
            sleep(AGAIN).await;
        }
    }

    /// Sends once.
    async fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        let answer = match self.open().await {
            Ok(connection) => timeout(DEADLINE, connection.exchange(request)).await,
            Err(error) => return Err(error),
        };
        let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if answer.is_err() {
            self.open = None;
        }
        answer
    }

    /// Returns the connection, a new one if need be, as soon as there is somebody to connect to.
    async fn open(&mut self) -> io::Result<&mut Connection> {
        let connection = match self.open.take() {
            Some(connection) => connection,
            None => {
                let running = self.running.wait_for(Option::is_some).await;
                let running = running.ok().and_then(|running| *running);
                let running = running.ok_or(io::ErrorKind::NotConnected)?;
                timeout(DEADLINE, Connection::open(running.address)).await??
            }
        };
        Ok(self.open.insert(connection))
    }
}
