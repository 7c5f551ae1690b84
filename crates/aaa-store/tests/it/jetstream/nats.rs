//! One `nats-server`, or a cluster of three, on loopback.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use aaa_store::jetstream::{JetStreamError, JetStreamInbox, Replicas, Settings};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{sleep, timeout};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const PROGRAM: &str = "nats-server";

/// Servers that are gone at the end of the test.
pub(crate) struct Nats {
    servers: Vec<Server>,
    _directory: tempfile::TempDir,
}

struct Server {
    child: Option<Child>,
    port: u16,
    config: std::path::PathBuf,
}

impl Nats {
    /// Starts one server, unless the program is missing: then the test counts as skipped.
    pub(crate) fn one() -> Option<Self> {
        Self::start(1, "max_payload: 2MB")
    }

    /// Starts three that are a cluster.
    pub(crate) fn three() -> Option<Self> {
        Self::start(3, "max_payload: 2MB")
    }

    /// Starts servers with a line of their own in the configuration.
    pub(crate) fn start(count: usize, line: &str) -> Option<Self> {
        if Command::new(PROGRAM).arg("-v").stdout(Stdio::null()).status().is_err() {
            if let Some(path) = std::env::var_os("AAA_SKIPPED_FILE") {
                let mut file = OpenOptions::new().append(true).open(path).unwrap();
                let thread = std::thread::current();
                let test = thread.name().unwrap_or("jetstream");
                writeln!(file, "aaa-store {test}: {PROGRAM}").unwrap();
            }
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        // Held until all are chosen, so that none comes twice.
        let sockets: Vec<_> =
            (0..count * 2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<_> =
            sockets.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
        drop(sockets);
        let (clients, routes) = ports.split_at(count);
        let mut servers = Vec::new();
        for (n, (port, route)) in clients.iter().zip(routes).enumerate() {
            let store = directory.path().join(format!("store-{n}"));
            let routes: Vec<_> =
                routes.iter().map(|port| format!("nats-route://127.0.0.1:{port}")).collect();
            let cluster = format!(
                "cluster {{ name: test, listen: \"127.0.0.1:{route}\", routes: [{}] }}",
                routes.join(", ")
            );
            let streams = format!(
                "jetstream {{ store_dir: \"{}\", max_mem: 256MB, max_file: 4GB }}",
                store.display()
            );
            let text = format!(
                "server_name: n{n}\nlisten: \"127.0.0.1:{port}\"\n{line}\n{}\n{}\n",
                if line.contains("jetstream") { "" } else { &streams },
                if count > 1 { &cluster } else { "" },
            );
            let config = directory.path().join(format!("n{n}.conf"));
            fs::write(&config, text).unwrap();
            servers.push(Server { child: None, port: *port, config });
        }
        let mut nats = Self { servers, _directory: directory };
        (0..count).for_each(|n| nats.run(n));
        Some(nats)
    }

    /// Starts a server that is not running, and waits until it takes connections.
    pub(crate) fn run(&mut self, n: usize) {
        let server = &mut self.servers[n];
        let log = fs::File::create(server.config.with_extension("log")).unwrap();
        let child = Command::new(PROGRAM)
            .arg("-c")
            .arg(&server.config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        server.child = Some(child);
        for _ in 0..2000 {
            if TcpStream::connect(("127.0.0.1", server.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        unreachable!("{}", read(&server.config.with_extension("log")));
    }

    /// Kills a server as a crash would.
    pub(crate) fn kill(&mut self, n: usize) {
        if let Some(mut child) = self.servers[n].child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops a server, so that it neither answers nor closes anything.
    pub(crate) fn freeze(&self, n: usize) {
        self.signal(n, Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self, n: usize) {
        self.signal(n, Signal::CONT);
    }

    fn signal(&self, n: usize, signal: Signal) {
        let pid = self.servers[n].child.as_ref().unwrap().id();
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// The URLs of all, beginning with one of them.
    pub(crate) fn urls(&self, first: usize) -> String {
        let count = self.servers.len();
        let ports = (0..count).map(|n| self.servers[(first + n) % count].port);
        ports.map(|port| format!("nats://127.0.0.1:{port}")).collect::<Vec<_>>().join(",")
    }

    pub(crate) fn settings(&self) -> Settings {
        let replicas = if self.servers.len() == 1 { Replicas::One } else { Replicas::Three };
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
        JetStreamInbox::open(&self.urls(first), settings).await
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
        let client = async_nats::connect(format!("127.0.0.1:{}", self.servers[0].port)).await;
        async_nats::jetstream::new(client.unwrap())
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        (0..self.servers.len()).for_each(|n| self.kill(n));
        if std::thread::panicking() {
            // What the servers saw may be the reason.
            for server in &self.servers {
                let log = read(&server.config.with_extension("log"));
                let lines: Vec<_> = log.lines().collect();
                let last = lines[lines.len().saturating_sub(40)..].join("\n");
                let _ = writeln!(std::io::stderr(), "{last}");
            }
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
