//! Servers with an inbox on them.

use std::{fs::OpenOptions, io::Write, time::Duration};

use aaa_store::jetstream::{JetStreamError, JetStreamInbox, Replicas, Settings};
use nats_servers::{PAYLOAD, Servers};
use tokio::time::{sleep, timeout};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Servers that are gone at the end of the test.
pub(crate) struct Nats(pub(crate) Servers);

impl Nats {
    /// Starts one server, unless the program is missing: then the test counts as skipped.
    pub(crate) fn one() -> Option<Self> {
        Self::start(1, PAYLOAD)
    }

    /// Starts three that are a cluster.
    pub(crate) fn three() -> Option<Self> {
        Self::start(3, PAYLOAD)
    }

    /// Starts servers with a line of their own in the configuration.
    pub(crate) fn start(count: usize, line: &str) -> Option<Self> {
        if let Some(missing) = nats_servers::missing() {
            if let Some(path) = std::env::var_os("AAA_SKIPPED_FILE") {
                let mut file = OpenOptions::new().append(true).open(path).unwrap();
                let thread = std::thread::current();
                let test = thread.name().unwrap_or("jetstream");
                writeln!(file, "aaa-store {test}: {missing}").unwrap();
            }
            return None;
        }
        Some(Self(Servers::start(count, line).unwrap()))
    }

    pub(crate) fn settings(&self) -> Settings {
        let replicas = if self.0.count() == 1 { Replicas::One } else { Replicas::Three };
        Settings { replicas, node: "one".to_owned(), ..Settings::default() }
    }

    /// Opens an inbox; a cluster that was started just now may need a moment.
    pub(crate) async fn open(&self) -> JetStreamInbox {
        self.open_with(self.settings()).await
    }

    pub(crate) async fn open_with(&self, settings: Settings) -> JetStreamInbox {
        self.open_at(0, settings).await
    }

    pub(crate) async fn open_at(&self, first: usize, settings: Settings) -> JetStreamInbox {
        let opened = async {
            loop {
                match self.try_open_at(first, settings.clone()).await {
                    Ok(inbox) => return inbox,
                    // The cluster has no leader yet.
                    Err(JetStreamError::Failed { .. } | JetStreamError::Unfit { .. }) => {
                        sleep(Duration::from_millis(50)).await;
                    }
                    Err(error) => unreachable!("{error}"),
                }
            }
        };
        timeout(PATIENCE, opened).await.expect("the servers are not ready")
    }

    pub(crate) async fn try_open(
        &self,
        settings: Settings,
    ) -> Result<JetStreamInbox, JetStreamError> {
        self.try_open_at(0, settings).await
    }

    async fn try_open_at(
        &self,
        first: usize,
        settings: Settings,
    ) -> Result<JetStreamInbox, JetStreamError> {
        JetStreamInbox::open(&self.0.urls(first), settings).await
    }

    /// Waits until every server has everything, so that any one of them may go.
    pub(crate) async fn in_step(&self) {
        let all = async {
            for name in ["aaa", "KV_aaa-ledger"] {
                loop {
                    let info = async {
                        let stream = self.client().await.get_stream(name).await.ok()?;
                        stream.cached_info().cluster.clone()
                    };
                    let cluster = info.await;
                    let current = cluster.is_some_and(|cluster| {
                        cluster.leader.is_some()
                            && cluster.replicas.len() == 2
                            && cluster.replicas.iter().all(|peer| peer.current && !peer.offline)
                    });
                    if current {
                        break;
                    }
                    sleep(Duration::from_millis(50)).await;
                }
            }
        };
        timeout(PATIENCE, all).await.expect("the servers do not come to agree");
    }

    /// Returns who leads the stream of events.
    pub(crate) async fn leader(&self) -> usize {
        let stream = self.client().await.get_stream("aaa").await.unwrap();
        let cluster = stream.cached_info().cluster.clone().unwrap();
        cluster.leader.unwrap().trim_start_matches('n').parse().unwrap()
    }

    /// A bare client.
    pub(crate) async fn client(&self) -> async_nats::jetstream::Context {
        let client = async_nats::connect(self.0.urls(0).split(',').next().unwrap()).await;
        async_nats::jetstream::new(client.unwrap())
    }
}
