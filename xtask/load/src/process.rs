//! A server as a process of its own, which can be killed at any moment.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::{PATH, SECRET};

/// How long a server may take until it listens, and until it is gone.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server that was started. It is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Server {
    /// Starts `aaa listen`, or what takes its options, on a free port with a data directory named
    /// `data` in the given directory. What it says on stderr goes into `receiver.log` there.
    ///
    /// # Errors
    ///
    /// Fails when the program cannot be started.
    pub fn receiver(program: &Path, directory: &Path) -> io::Result<Self> {
        let arguments = [
            "listen",
            "--bind",
            "127.0.0.1:0",
            "--path",
            PATH,
            "--data-dir",
            "data",
            "--format",
            "none",
            "--recover",
            "off",
        ];
        Self::start(program, arguments, directory)
    }

    /// Starts any program that says `listening on http://ADDR` on its first line.
    ///
    /// # Errors
    ///
    /// Fails when the program cannot be started.
    pub fn start<A: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        directory: &Path,
    ) -> io::Result<Self> {
        // It runs elsewhere, and a relative path would be looked for there.
        let program = std::path::absolute(program)?;
        let log = directory.join("receiver.log");
        let file = File::options().create(true).append(true).open(&log)?;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("X_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .args(arguments)
            .env("X_CONSUMER_SECRET", SECRET)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, lines: BufReader::new(stdout).lines(), log })
    }

    /// Returns the number of the process.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the server says where it listens.
    ///
    /// # Errors
    ///
    /// Fails, with the end of its log, when it does not.
    pub async fn ready(&mut self) -> io::Result<SocketAddr> {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.ok().and_then(Result::ok).flatten().unwrap_or_default();
        address(&line).ok_or_else(|| {
            let log = end_of(&self.log);
            io::Error::other(format!("the server did not begin to listen:\n{log}"))
        })
    }

    /// Sends SIGKILL, and waits until the process is gone. Returns whether it was killed, rather
    /// than having ended before, and whether [`Server::ready`] would have had something to say.
    ///
    /// # Errors
    ///
    /// Fails when the process cannot be killed.
    pub async fn kill(mut self) -> io::Result<Killed> {
        self.child.start_kill()?;
        let status = timeout(PATIENCE, self.child.wait()).await??;
        let line = timeout(PATIENCE, self.lines.next_line()).await?.ok().flatten();
        Ok(Killed {
            by_signal: status.code().is_none(),
            was_ready: line.is_some_and(|line| address(&line).is_some()),
        })
    }
}

/// What is known of a process that was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Killed {
    /// It was the signal that ended it.
    pub by_signal: bool,
    /// It had said where it listens, and nobody had heard it.
    pub was_ready: bool,
}

fn address(line: &str) -> Option<SocketAddr> {
    line.strip_prefix("listening on http://")?.parse().ok()
}

fn end_of(log: &Path) -> String {
    let mut text = String::new();
    // Without a log there is nothing more to tell.
    let _ = File::open(log).and_then(|mut file| file.read_to_string(&mut text));
    let skipped = text.lines().count().saturating_sub(20);
    text.lines().skip(skipped).collect::<Vec<_>>().join("\n")
}
