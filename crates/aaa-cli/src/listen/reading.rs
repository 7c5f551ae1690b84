//! Reads X's clock for the heartbeats of a receiver that does not recover: whoever recovers later
//! goes by them.

use std::time::Duration;

use aaa_client::{Client, RetryPolicy};
use aaa_replay::driver::{Pace, XClock};
use tokio::time::{sleep, timeout};

use crate::{credentials::Credentials, exit::Failure};

/// How long X may hold up the start of the receiver.
const FIRST: Duration = Duration::from_secs(3);

/// A clock that is kept.
pub(super) struct Reading {
    client: Client,
    clock: XClock,
    every: Duration,
}

impl Reading {
    /// Reads the clock once, so that the first heartbeat knows it, if X answers in time.
    ///
    /// # Errors
    ///
    /// Fails when the client cannot be built.
    pub(super) async fn begin(credentials: &Credentials, clock: &XClock) -> Result<Self, Failure> {
        let client = credentials.client()?.with_retry(RetryPolicy::none());
        let every = Pace::for_loopback(credentials.api().is_loopback()).clock;
        let every = Duration::try_from(every).unwrap_or(FIRST);
        let reading = Self { client, clock: clock.clone(), every };
        if timeout(FIRST, reading.read()).await.is_err() {
            tracing::warn!("X's clock could not be read in time");
        }
        Ok(reading)
    }

    /// Goes on until the end of the run.
    pub(super) async fn run(self, ended: impl Future<Output = ()>) {
        let mut ended = std::pin::pin!(ended);
        let go_on = async {
            loop {
                sleep(self.every).await;
                self.read().await;
            }
        };
        tokio::select! {
            () = &mut ended => {}
            () = go_on => {}
        }
    }

    async fn read(&self) {
        match self.client.server_time().await {
            Ok(date) => self.clock.observe(date),
            Err(error) => tracing::warn!(%error, "X's clock could not be read"),
        }
    }
}
