//! What would survive a power loss, told by the order of system calls.
//!
//! A killed process proves nothing about a power loss: what it wrote stays in the memory of the
//! kernel. So the receiver runs under `strace`, and of each delivery three things have to follow
//! each other: its row is written to the write-ahead log, the log is synced to the disk, the 200 is
//! written to the socket. The deliveries come one after another, so that each 200 is the answer to
//! the last of them.

use std::{
    collections::HashMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use load::{SECRET, delivery::Deliveries, http::Connection, process::Server};

use crate::Failure;

/// The program that is needed.
pub const STRACE: &str = "strace";

/// How long the last lines of a trace may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The calls that matter.
const CALLS: &str = "trace=pwrite64,fdatasync,fsync,write,writev,sendto,sendmsg";

/// The name of the log ends so.
const LOG: &str = "-wal>";

/// Says whether `strace` is here and may trace.
pub fn can_trace() -> bool {
    let tried = Command::new(STRACE)
        .args(["-qq", "-o", "/dev/null", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

/// What a trace shows of deliveries that were answered 200.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Order {
    /// Answered after the log with the row was synced.
    pub durable: usize,
    /// Answered after the row was in the log, which was not synced.
    pub unsynced: usize,
    /// Answered before the row was in the log.
    pub unwritten: usize,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { durable, unsynced, unwritten } = self;
        write!(f, "{durable} durable, {unsynced} not synced, {unwritten} not written")
    }
}

/// Starts a receiver under `strace`, brings it so many deliveries, one after another, and tells
/// what each 200 came after.
///
/// # Errors
///
/// Fails when the receiver does not start, or does not answer 200.
pub async fn observe(program: &Path, deliveries: usize) -> Result<Order, Failure> {
    let directory = tempfile::Builder::new().prefix("aaa-order-").tempdir()?;
    let trace = directory.path().join("trace.txt");
    let program = std::path::absolute(program)?;
    // As a grandchild (-D), so that what is started here and killed is the receiver.
    let mut arguments: Vec<PathBuf> =
        ["-D", "-f", "-y", "-qq", "-s", "65536", "-e", CALLS, "-o"].map(PathBuf::from).into();
    arguments.extend([trace.clone(), program]);
    let listen = ["listen", "--bind", "127.0.0.1:0", "--path", load::PATH, "--data-dir", "data"];
    arguments.extend(listen.map(PathBuf::from));
    arguments.extend(["--format", "none", "--recover", "off"].map(PathBuf::from));
    let mut server = Server::start(&found(STRACE)?, arguments, directory.path())?;
    let mut connection = Connection::open(server.ready().await?).await?;

    let (source, secret) = (Deliveries::new(load::clock::now()), SECRET.parse()?);
    let mut ids = Vec::new();
    for _ in 0..deliveries {
        let delivery = source.next();
        let status = connection.exchange(&delivery.request(&secret)).await?;
        if status != 200 {
            return Err(format!("a delivery was answered {status}").into());
        }
        ids.push(delivery.id().to_string());
    }
    server.kill().await?;
    let begun = load::clock::steady();
    loop {
        let text = String::from_utf8_lossy(&fs::read(&trace)?).into_owned();
        if text.matches(OK).count() >= deliveries {
            return Ok(Order::of(&text, &ids));
        }
        if begun.elapsed() > PATIENCE {
            return Err("the trace does not show every 200".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Finds a program as a shell does.
fn found(name: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|place| place.join(name));
    places.find(|place| place.is_file()).ok_or_else(|| io::Error::other(format!("no {name}")))
}

/// The answer, as it is written.
const OK: &str = "\"HTTP/1.1 200 OK";

impl Order {
    /// Judges a trace; the identifiers are those of the deliveries, in their order.
    pub fn of(trace: &str, ids: &[String]) -> Self {
        let mut order = Self::default();
        let mut ids = ids.iter();
        let mut waiting = ids.next();
        let (mut written, mut synced) = (false, false);
        // Syncs that have begun, by thread, and whether the row was in the log when they did.
        let mut syncing = HashMap::new();
        for line in trace.lines() {
            let (thread, call) = line.split_once(' ').unwrap_or((line, ""));
            let call = call.trim_start();
            let is_sync = call.starts_with("fdatasync(") || call.starts_with("fsync(");
            if call.starts_with("pwrite64(") && call.contains(LOG) {
                written |= waiting.is_some_and(|id| call.contains(id.as_str()));
            } else if is_sync && call.contains(LOG) {
                if call.contains("<unfinished") {
                    syncing.insert(thread, written);
                } else {
                    synced |= written && call.ends_with("= 0");
                }
            } else if call.starts_with("<... fdatasync resumed")
                || call.starts_with("<... fsync resumed")
            {
                let began_written = syncing.remove(thread).unwrap_or(false);
                synced |= began_written && call.ends_with("= 0");
            } else if call.contains(OK) && waiting.is_some() {
                match (written, synced) {
                    (_, true) => order.durable += 1,
                    (true, false) => order.unsynced += 1,
                    (false, false) => order.unwritten += 1,
                }
                waiting = ids.next();
                (written, synced) = (false, false);
                // What was begun for the one before says nothing about the next.
                syncing.clear();
            }
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(trace: &[&str]) -> (usize, usize, usize) {
        let order = Order::of(&trace.join("\n"), &["77".to_owned()]);
        (order.durable, order.unsynced, order.unwritten)
    }

    const ROW: &str = r#"12 pwrite64(9</d/aaa.db-wal>, "..77..", 4096, 32) = 4096"#;
    const OTHER: &str = r#"12 pwrite64(9</d/aaa.db-wal>, "..78..", 4096, 32) = 4096"#;
    const SYNC: &str = "12 fdatasync(9</d/aaa.db-wal>) = 0";
    const BEGUN: &str = "12 fdatasync(9</d/aaa.db-wal> <unfinished ...>";
    const ENDED: &str = "12 <... fdatasync resumed>)             = 0";
    const SENT: &str = r#"3 sendto(11<socket:[5]>, "HTTP/1.1 200 OK\r\n", 99, 0, NULL, 0) = 99"#;

    #[test]
    fn each_order() {
        assert_eq!(order(&[ROW, SYNC, SENT]), (1, 0, 0));
        assert_eq!(order(&[ROW, BEGUN, ENDED, SENT]), (1, 0, 0));
        // The sync has to have ended, well, to have begun after the row, and to be of the log.
        assert_eq!(order(&[ROW, BEGUN, SENT, ENDED]), (0, 1, 0));
        assert_eq!(order(&[ROW, &SYNC.replace("= 0", "= -1 EIO"), SENT]), (0, 1, 0));
        assert_eq!(order(&[BEGUN, ROW, ENDED, SENT]), (0, 1, 0));
        assert_eq!(order(&[SYNC, ROW, SENT]), (0, 1, 0));
        assert_eq!(order(&[ROW, &SYNC.replace("-wal", ""), SENT]), (0, 1, 0));
        assert_eq!(order(&[ROW, SENT, SYNC]), (0, 1, 0));
        assert_eq!(order(&[OTHER, SYNC, SENT]), (0, 0, 1));
        assert_eq!(order(&[SENT, ROW, SYNC]), (0, 0, 1));
    }
}
