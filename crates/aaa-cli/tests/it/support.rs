//! Runs `aaa` in a directory of its own, without the credentials of whoever runs the tests.

use std::{io::Write, path::Path, process::Stdio, time::Duration};

use aaa_webhook::signature::{HEADER, Signature};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdout, Command},
    sync::watch,
    time::timeout,
};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a finished command left.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn aaa(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aaa"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("X_") {
            command.env_remove(name);
        }
    }
    command
        .args(args)
        .current_dir(directory)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs a command to its end.
pub(crate) async fn run(mut command: Command) -> Done {
    let output = timeout(PATIENCE, command.output()).await.expect("the command hangs").unwrap();
    Done {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Notes that a test cannot run here, and what it needs.
pub(crate) fn skipped(test: &str, missing: &str) {
    if let Some(path) = std::env::var_os("AAA_SKIPPED_FILE") {
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        writeln!(file, "aaa-cli {test}: {missing}").unwrap();
    }
}

/// A server that has said where it listens.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) lines: Lines<BufReader<ChildStdout>>,
    pub(crate) url: String,
}

impl Server {
    /// Starts a server whose first line is for people.
    pub(crate) async fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.expect("no first line");
        let line = line.unwrap().expect("the server ended");
        let first = line.strip_prefix("listening on ").map(str::to_owned).or_else(|| {
            let line: serde_json::Value = serde_json::from_str(&line).ok()?;
            line["listening"].as_str().map(str::to_owned)
        });
        Self { child, lines, url: first.expect("the first line says where it listens") }
    }

    /// Asks it to end, and returns its exit code.
    #[cfg(unix)]
    pub(crate) async fn end(self) -> i32 {
        self.end_by(rustix::process::Signal::TERM).await
    }

    /// Sends a signal, and returns the exit code.
    #[cfg(unix)]
    pub(crate) async fn end_by(mut self, signal: rustix::process::Signal) -> i32 {
        self.signal(signal);
        let ended = timeout(PATIENCE, self.child.wait()).await.expect("it does not end");
        ended.unwrap().code().unwrap()
    }

    /// Sends a signal.
    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

/// A public address that is known before the receiver listens, as a tunnel gives one: connections
/// wait until it leads somewhere.
pub(crate) struct Tunnel {
    pub(crate) url: String,
    leads: watch::Sender<Option<String>>,
}

impl Tunnel {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (leads, led) = watch::channel(None::<String>);
        tokio::spawn(async move {
            while let Ok((mut outside, _)) = listener.accept().await {
                let mut led = led.clone();
                tokio::spawn(async move {
                    let Ok(to) = led.wait_for(Option::is_some).await.map(|to| to.clone().unwrap())
                    else {
                        return;
                    };
                    let mut inside = TcpStream::connect(&to).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        });
        Self { url, leads }
    }

    /// Leads to a server from now on.
    pub(crate) fn lead_to(&self, server: &Server) {
        let to = server.url.strip_prefix("http://").unwrap().to_owned();
        self.leads.send(Some(to)).unwrap();
    }
}

/// Sends bytes over a connection of its own, and returns the status and the body of the answer.
pub(crate) async fn send(server: &str, request: &str) -> (u16, String) {
    let address = server.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("no answer").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Asks for something.
pub(crate) async fn get(server: &str, target: &str) -> (u16, String) {
    let head = format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    send(server, &head).await
}

/// Sends a body as X does, signed with a secret, and returns the status.
pub(crate) async fn deliver(server: &str, path: &str, secret: &str, body: &str) -> u16 {
    let signature = Signature::of(&secret.parse().unwrap(), body.as_bytes());
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\n{HEADER}: {signature}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    send(server, &request).await.0
}

/// Says whether a program is there; if not, the test counts as skipped.
#[cfg(unix)]
pub(crate) fn has(program: &str, test: &str) -> bool {
    let found = std::process::Command::new("sh")
        .args(["-c", "command -v \"$0\" >/dev/null", program])
        .status();
    if found.is_ok_and(|status| status.success()) {
        return true;
    }
    if let Some(path) = std::env::var_os("AAA_SKIPPED_FILE") {
        use std::io::Write as _;
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        writeln!(file, "aaa-cli {test}: {program}").unwrap();
    }
    false
}
