//! Real NATS servers for tests, one or a cluster of three, on loopback: started, killed, stopped and
//! continued by their process ids, and gone when they are dropped.
//!
//! They need the program `nats-server`. A test begins with [`missing`], and counts as skipped where
//! it is.

mod ports;

use std::{
    fs, io,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const PROGRAM: &str = "nats-server";

/// What a delivery needs: its body may have a mebibyte, and there are headers.
pub const PAYLOAD: &str = "max_payload: 2MB";

/// How often a server is tried that was started, and with what pauses.
const TRIES: u32 = 4000;
const PAUSE: Duration = Duration::from_millis(5);

/// Says which program is missing.
pub fn missing() -> Option<&'static str> {
    let mut asked = Command::new(PROGRAM);
    let asked = asked.arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_err().then_some("nats-server is not installed")
}

/// Servers that are gone when this is dropped.
#[derive(Debug)]
pub struct Servers {
    servers: Vec<Server>,
    directory: TempDir,
}

#[derive(Debug)]
struct Server {
    child: Option<Child>,
    port: u16,
    config: PathBuf,
}

impl Servers {
    /// Starts so many, as a cluster if they are several, with a line of their own in the
    /// configuration, such as [`PAYLOAD`]. They store in files, unless the line speaks of
    /// `jetstream`.
    ///
    /// # Errors
    ///
    /// Fails when one of them does not take connections.
    pub fn start(count: usize, line: &str) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let clients = ports::free(count)?;
        let routes = ports::free(count)?;
        let peers: Vec<_> =
            routes.iter().map(|port| format!("nats-route://127.0.0.1:{port}")).collect();
        let mut servers = Vec::new();
        for (n, (port, route)) in clients.iter().zip(&routes).enumerate() {
            let mut text = format!("server_name: n{n}\nlisten: \"127.0.0.1:{port}\"\n{line}\n");
            if !line.contains("jetstream") {
                let store = store(directory.path(), n);
                text += &format!(
                    "jetstream {{ store_dir: \"{}\", max_mem: 256MB, max_file: 4GB }}\n",
                    store.display()
                );
            }
            if count > 1 {
                text += &format!(
                    "cluster {{ name: test, listen: \"127.0.0.1:{route}\", routes: [{}] }}\n",
                    peers.join(", ")
                );
            }
            let config = directory.path().join(format!("n{n}.conf"));
            fs::write(&config, text)?;
            servers.push(Server { child: None, port: *port, config });
        }
        let mut all = Self { servers, directory };
        for n in 0..count {
            all.run(n)?;
        }
        Ok(all)
    }

    /// Starts a server that is not running, and waits until it takes connections.
    ///
    /// # Errors
    ///
    /// Fails, with what the server has said, when it does not.
    pub fn run(&mut self, n: usize) -> io::Result<()> {
        let Some(server) = self.servers.get_mut(n) else { return Err(unknown(n)) };
        let log = server.config.with_extension("log");
        let child = Command::new(PROGRAM)
            .arg("-c")
            .arg(&server.config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()?;
        let child = server.child.insert(child);
        for _ in 0..TRIES {
            if TcpStream::connect(("127.0.0.1", server.port)).is_ok() {
                return Ok(());
            }
            if child.try_wait()?.is_some() {
                break;
            }
            thread::sleep(PAUSE);
        }
        Err(io::Error::other(format!("server {n} takes no connections:\n{}", end_of(&log))))
    }

    /// Kills a server as a crash would. One that does not run stays as it is.
    ///
    /// # Errors
    ///
    /// Fails when the system does not allow it.
    pub fn kill(&mut self, n: usize) -> io::Result<()> {
        let Some(server) = self.servers.get_mut(n) else { return Err(unknown(n)) };
        let Some(mut child) = server.child.take() else { return Ok(()) };
        child.kill()?;
        child.wait().map(drop)
    }

    /// Stops a server, so that it neither answers nor closes anything.
    ///
    /// # Errors
    ///
    /// Fails when it does not run.
    pub fn freeze(&self, n: usize) -> io::Result<()> {
        self.signal(n, Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    ///
    /// Fails when it does not run.
    pub fn thaw(&self, n: usize) -> io::Result<()> {
        self.signal(n, Signal::CONT)
    }

    fn signal(&self, n: usize, signal: Signal) -> io::Result<()> {
        let child = self.servers.get(n).and_then(|server| server.child.as_ref());
        let pid = child.and_then(|child| Pid::from_raw(i32::try_from(child.id()).ok()?));
        Ok(kill_process(pid.ok_or_else(|| unknown(n))?, signal)?)
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.servers.len()
    }

    /// Returns the process id of a server that runs.
    pub fn id(&self, n: usize) -> Option<u32> {
        self.servers.get(n)?.child.as_ref().map(Child::id)
    }

    /// Returns where a server stores.
    pub fn store(&self, n: usize) -> PathBuf {
        store(self.directory.path(), n)
    }

    /// Returns the URLs of all with commas between them, beginning with that of one of them.
    pub fn urls(&self, first: usize) -> String {
        let (before, after) = self.servers.split_at(first.min(self.servers.len()));
        let url = |server: &Server| format!("nats://127.0.0.1:{}", server.port);
        after.iter().chain(before).map(url).collect::<Vec<_>>().join(",")
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for server in &mut self.servers {
            if let Some(child) = &mut server.child {
                // Whoever is gone already needs neither.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        if thread::panicking() {
            // What the servers saw may be the reason.
            for server in &self.servers {
                let log = end_of(&server.config.with_extension("log"));
                let _ = io::Write::write_all(&mut io::stderr(), log.as_bytes());
            }
        }
    }
}

fn store(directory: &Path, n: usize) -> PathBuf {
    directory.join(format!("store-{n}"))
}

fn unknown(n: usize) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("server {n} does not run"))
}

/// Returns the last lines of a log.
fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let skipped = text.lines().count().saturating_sub(40);
    text.lines().skip(skipped).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("n0.conf");
        let server = Server { child: None, port: 1, config };
        let mut servers = Servers { servers: vec![server], directory };
        assert_eq!(servers.count(), 1);
        assert_eq!(servers.id(0), None);
        assert_eq!(servers.urls(0), "nats://127.0.0.1:1");
        assert_eq!(servers.urls(9), "nats://127.0.0.1:1");
        assert_eq!(servers.freeze(0).unwrap_err().to_string(), "server 0 does not run");
        assert!(servers.kill(0).is_ok());
        assert!(servers.kill(1).is_err());
        assert!(servers.run(1).is_err());
    }

    #[test]
    fn the_end_of_a_log() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        assert_eq!(end_of(&log), "");
        let lines: String = (0..50).map(|n| format!("{n}\n")).collect();
        fs::write(&log, lines).unwrap();
        assert!(end_of(&log).starts_with("10\n"));
        assert!(end_of(&log).ends_with("49\n"));
    }
}
