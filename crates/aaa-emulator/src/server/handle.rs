use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::oneshot,
    task::{AbortHandle, JoinHandle},
};

use super::{Builder, ControlError, StartError, shared::Shared};
use crate::{
    Expectation,
    control::{
        Deliver, Delivered, Fault, Faults, Ledger, PlannedFault, Snapshot, State, Traffic,
        TrafficState, Trigger, Triggered,
    },
    world::{Outcome, World},
};

/// How long somebody waits for deliveries before he is told to look himself.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest step of the clock.
const LONGEST_STEP: Duration = Duration::from_secs(366 * 24 * 3600);

/// A running emulator. It stops when it is dropped.
///
/// Its methods are those of the control API ([`control`](crate::control)), without HTTP.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let emulator = aaa_emulator::Emulator::start().await?;
/// assert!(emulator.url().starts_with("http://127.0.0.1:"));
/// assert!(emulator.ledger().events.is_empty());
/// emulator.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Emulator {
    addr: SocketAddr,
    shared: Arc<Shared>,
    expectations: Vec<Expectation>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
    timer: AbortHandle,
}

impl Emulator {
    /// Starts an emulator with default settings on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Fails when it cannot listen.
    pub async fn start() -> Result<Self, StartError> {
        Self::builder().start().await
    }

    /// Begins to describe an emulator.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(super) fn new(
        addr: SocketAddr,
        shared: Arc<Shared>,
        expectations: Vec<Expectation>,
        stop: oneshot::Sender<()>,
        server: JoinHandle<()>,
        timer: JoinHandle<()>,
    ) -> Self {
        let (stop, server) = (Some(stop), Some(server));
        Self { addr, shared, expectations, stop, server, timer: timer.abort_handle() }
    }

    /// Returns where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns its URL, without a slash at the end: what `X_API_URL` should be.
    pub fn url(&self) -> String {
        let mut addr = self.addr;
        if addr.ip().is_unspecified() {
            // It answers to loopback names only, wherever it listens.
            addr.set_ip(match addr.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("http://{addr}")
    }

    /// Returns its time.
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// Makes events; they are on their way when this returns.
    ///
    /// # Errors
    ///
    /// Refuses what is not a kind, a payload that does not fit it, and counts out of range.
    pub async fn trigger(&self, ask: &Trigger) -> Result<Triggered, ControlError> {
        trigger(&self.shared, ask).await
    }

    /// Makes events, and returns when each of them was delivered or has failed.
    ///
    /// # Errors
    ///
    /// As [`Emulator::trigger`]; also when that takes longer than a minute.
    pub async fn trigger_and_wait(&self, ask: &Trigger) -> Result<Triggered, ControlError> {
        trigger_and_wait(&self.shared, ask).await
    }

    /// Delivers any text, and returns the answer.
    ///
    /// # Errors
    ///
    /// Refuses unknown webhooks.
    pub async fn deliver(&self, ask: Deliver) -> Result<Delivered, ControlError> {
        deliver(&self.shared, ask).await
    }

    /// Moves the clock on. What became due on the way has been started when this returns, each at
    /// its own time and after what was due before has ended; webhooks that let it wait for more
    /// than two seconds in all are not waited for any more.
    ///
    /// # Errors
    ///
    /// Refuses more than a year at once and thirty in all.
    pub async fn advance(&self, by: Duration) -> Result<Timestamp, ControlError> {
        advance(&self.shared, by).await
    }

    /// Returns the ground truth.
    pub fn ledger(&self) -> Ledger {
        self.shared.look(|world, now| world.ledger(now))
    }

    /// Returns what there is.
    pub fn state(&self) -> State {
        self.shared.look(|world, now| world.state(now))
    }

    /// Begins, changes or ends a world of users who do things by themselves.
    ///
    /// # Errors
    ///
    /// Says what is wrong with a rate or a number of users.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_emulator::control::Traffic;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let emulator = aaa_emulator::Emulator::start().await?;
    /// assert_eq!(emulator.set_traffic(Traffic::new(2.5))?.rate, 2.5);
    /// assert_eq!(emulator.set_traffic(Traffic::new(0.0))?.rate, 0.0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_traffic(&self, ask: Traffic) -> Result<TrafficState, ControlError> {
        set_traffic(&self.shared, ask)
    }

    /// Returns what happens by itself.
    pub fn traffic(&self) -> TrafficState {
        self.shared.look(|world, _| world.traffic())
    }

    /// Returns everything that another emulator needs to go on from here ([`Builder::state`]).
    ///
    /// # Examples
    ///
    /// ```
    /// # use aaa_emulator::Emulator;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let first = Emulator::start().await?;
    /// let second = Emulator::builder().state(first.export()).start().await?;
    /// assert_eq!(first.ledger().events, second.ledger().events);
    /// # Ok(())
    /// # }
    /// ```
    pub fn export(&self) -> Snapshot {
        self.shared.export()
    }

    /// Returns a number that grows whenever something may have changed: what was exported since
    /// then need not be exported again.
    pub fn changes(&self) -> u64 {
        self.shared.changes()
    }

    /// Returns what was expected and is not true now, in words.
    pub fn unmet(&self) -> Vec<String> {
        let unmet = |world: &World| {
            self.expectations.iter().filter_map(|expected| expected.unmet(world)).collect()
        };
        self.shared.look(|world, _| unmet(world))
    }

    /// Plans a fault.
    ///
    /// # Errors
    ///
    /// Refuses faults that could never fire.
    pub fn plan_fault(&self, fault: Fault) -> Result<PlannedFault, ControlError> {
        plan_fault(&self.shared, fault)
    }

    /// Returns the planned faults, and how often each fired.
    pub fn faults(&self) -> Faults {
        self.shared.look(|world, _| world.faults())
    }

    /// Forgets everything but the settings, and returns the time.
    pub fn reset(&self) -> Timestamp {
        self.shared.reset()
    }

    /// Stops, and returns when nobody is served any more.
    ///
    /// # Panics
    ///
    /// Panics if something is not as [expected](Builder::expect).
    pub async fn shutdown(mut self) {
        self.halt();
        if let Some(server) = self.server.take() {
            // A client that keeps its request half sent does not keep us.
            let abort = server.abort_handle();
            if tokio::time::timeout(Duration::from_secs(2), server).await.is_err() {
                abort.abort();
            }
        }
        self.judge();
    }

    /// Panics if something is not as expected, once.
    fn judge(&mut self) {
        let unmet = self.unmet();
        self.expectations.clear();
        if !unmet.is_empty() {
            #[expect(clippy::panic, reason = "whoever asked for this wants the test to fail")]
            {
                panic!(
                    "the emulator at {} saw what was not expected: {}",
                    self.addr,
                    unmet.join("\n")
                );
            }
        }
    }

    fn halt(&mut self) {
        if self.stop.is_some() {
            for fault in self.faults().never_fired() {
                tracing::warn!("a planned fault never happened: {fault}");
            }
        }
        self.timer.abort();
        self.shared.stop();
        // The receiver may have ended by itself.
        let _ = self.stop.take().map(|stop| stop.send(()));
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.halt();
        // A test that fails already is told why.
        if !std::thread::panicking() {
            self.judge();
        }
    }
}

pub(super) async fn trigger(
    shared: &Arc<Shared>,
    ask: &Trigger,
) -> Result<Triggered, ControlError> {
    let mut events = Vec::new();
    for part in parts(ask) {
        events.extend(shared.visit(|v| v.world.trigger(&part, v.now))?.events);
        tokio::task::yield_now().await;
    }
    Ok(Triggered { events })
}

pub(super) async fn trigger_and_wait(
    shared: &Arc<Shared>,
    ask: &Trigger,
) -> Result<Triggered, ControlError> {
    let mut events = Vec::new();
    let mut endings = Vec::new();
    for part in parts(ask) {
        let (made, ending) =
            shared.visit_and_wait(|v| match v.world.trigger_and_wait(&part, v.now) {
                Ok((made, ticket)) => (Ok(made), Some(ticket)),
                Err(error) => (Err(error), None),
            });
        events.extend(made?.events);
        endings.extend(ending);
        tokio::task::yield_now().await;
    }
    let all = async {
        for ending in endings {
            ending.await.map_err(|_| ControlError::Gone)?;
        }
        Ok(Triggered { events })
    };
    in_time(all).await
}

/// Cuts a large order into parts, so that deliveries and calls go on while it is worked off.
fn parts(ask: &Trigger) -> Vec<Trigger> {
    const PART: u32 = 100;
    let count = ask.count.unwrap_or(1);
    if count <= PART || count > Trigger::MAX_COUNT {
        return vec![ask.clone()];
    }
    let part = |begin: u32| ask.clone().with_count(PART.min(count - begin));
    (0..count).step_by(PART as usize).map(part).collect()
}

pub(super) async fn deliver(shared: &Arc<Shared>, ask: Deliver) -> Result<Delivered, ControlError> {
    let (asked, answer) = shared.visit_and_wait(|v| match v.world.deliver(ask, v.now) {
        Ok(ticket) => (Ok(()), Some(ticket)),
        Err(refusal) => (Err(refusal), None),
    });
    asked?;
    let answer = answer.ok_or(ControlError::Gone)?;
    in_time(async {
        match answer.await {
            Ok(Outcome::Delivered(delivered)) => Ok(delivered),
            _ => Err(ControlError::Gone),
        }
    })
    .await
}

pub(super) async fn advance(shared: &Arc<Shared>, by: Duration) -> Result<Timestamp, ControlError> {
    if by > LONGEST_STEP {
        return Err(ControlError::TooFar);
    }
    shared.advance(by).await
}

pub(super) fn set_traffic(
    shared: &Arc<Shared>,
    ask: Traffic,
) -> Result<TrafficState, ControlError> {
    shared.visit(|v| v.world.set_traffic(ask, v.now)).map_err(ControlError::Traffic)
}

pub(super) fn plan_fault(shared: &Arc<Shared>, fault: Fault) -> Result<PlannedFault, ControlError> {
    shared.visit(|v| v.world.plan_fault(fault)).map_err(ControlError::Fault)
}

async fn in_time<T>(
    work: impl Future<Output = Result<T, ControlError>>,
) -> Result<T, ControlError> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or(Err(ControlError::TimedOut))
}
