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

use super::{Builder, ControlError, StartError, orders, shared::Shared};
use crate::{
    Expectation,
    control::{
        Deliver, Delivered, Fault, Faults, Ledger, PlannedFault, Snapshot, State, Traffic,
        TrafficState, Trigger, Triggered,
    },
    world::World,
};

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
        orders::trigger(&self.shared, ask).await
    }

    /// Makes events, and returns when each of them was delivered or has failed; after a minute in
    /// any case, and then [`Triggered::under_way`] says which are still under way.
    ///
    /// # Errors
    ///
    /// As [`Emulator::trigger`].
    pub async fn trigger_and_wait(&self, ask: &Trigger) -> Result<Triggered, ControlError> {
        orders::trigger_and_wait(&self.shared, ask, orders::PATIENCE).await
    }

    /// Delivers any text, and returns the answer.
    ///
    /// # Errors
    ///
    /// Refuses unknown webhooks.
    pub async fn deliver(&self, ask: Deliver) -> Result<Delivered, ControlError> {
        orders::deliver(&self.shared, ask).await
    }

    /// Moves the clock on. What became due on the way has been started when this returns, each at
    /// its own time and after what was due before has ended; webhooks that let it wait for more
    /// than two seconds in all are not waited for any more.
    ///
    /// # Errors
    ///
    /// Refuses more than a year at once and thirty in all.
    pub async fn advance(&self, by: Duration) -> Result<Timestamp, ControlError> {
        orders::advance(&self.shared, by).await
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
        orders::set_traffic(&self.shared, ask)
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
    /// then need not be exported again. Calls that only ask do not count.
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
        orders::plan_fault(&self.shared, fault)
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
            self.shared.look(|world, _| report(&world.faults_without_journal()));
        }
        self.timer.abort();
        self.shared.stop();
        // The receiver may have ended by itself.
        let _ = self.stop.take().map(|stop| stop.send(()));
    }
}

/// Tells of faults that did not happen as planned: a run with them proves less than it seems to.
pub(super) fn report(faults: &Faults) {
    for fault in faults.unfinished() {
        if fault.fired == 0 {
            tracing::warn!("a planned fault never happened: {fault}");
        } else {
            tracing::warn!("a planned fault happened less often than planned: {fault}");
        }
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
