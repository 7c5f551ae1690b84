//! The receiver as a process of its own.

use std::{fs::File, io::Read, net::SocketAddr, path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::{
    cli::Recover,
    exit::{Exit, Failure},
};

/// How long a receiver may take to be ready, and to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `aaa listen`. It is killed when this is dropped.
pub(super) struct ReceiverProcess {
    child: Child,
    address: SocketAddr,
    /// Kept open: a receiver whose reader is gone would notice.
    _stdout: Lines<BufReader<ChildStdout>>,
}

/// How to start it.
pub(super) struct Setup<'a> {
    /// The working directory; it holds the data directory `data` and the log.
    pub(super) directory: &'a Path,
    /// Where to listen.
    pub(super) bind: SocketAddr,
    /// The emulator's address.
    pub(super) api_url: &'a str,
    /// Whether to recover.
    pub(super) recover: Recover,
}

impl ReceiverProcess {
    /// Starts the receiver and waits until it says that it listens.
    ///
    /// # Errors
    ///
    /// Fails, with the end of its log, when it does not.
    pub(super) async fn start(setup: &Setup<'_>) -> Result<Self, Failure> {
        let failed = |error| Exit::Failed.of("could not start the receiver", error);
        let program = std::env::current_exe().map_err(failed)?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(setup.directory.join("receiver.log"))
            .map_err(failed)?;
        let mut command = Command::new(program);
        command
            .args(["listen", "--format", "none", "--data-dir", "data"])
            .args(["--bind", &setup.bind.to_string()])
            .args(["--recover", if setup.recover == Recover::Auto { "auto" } else { "off" }])
            .current_dir(setup.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        // The user's own credentials are none of the demo's business.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("X_") {
                command.env_remove(name);
            }
        }
        command
            .env("X_CONSUMER_SECRET", aaa_emulator::credentials::CONSUMER_SECRET)
            .env("X_BEARER_TOKEN", aaa_emulator::credentials::BEARER_TOKEN)
            .env("X_API_URL", setup.api_url);
        let mut child = command.spawn().map_err(failed)?;
        let stdout = child.stdout.take().ok_or_else(|| Exit::Failed.with("no stdout"))?;
        let mut stdout = BufReader::new(stdout).lines();
        let line = timeout(PATIENCE, stdout.next_line()).await;
        let line = line.ok().and_then(Result::ok).flatten().unwrap_or_default();
        let address = line.strip_prefix("listening on http://").and_then(|text| text.parse().ok());
        let Some(address) = address else {
            let log = log_of(setup.directory);
            return Err(Exit::Failed.with(format!("the receiver did not start:\n{log}")));
        };
        Ok(Self { child, address, _stdout: stdout })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the process where it stands (SIGSTOP), so that it can be looked at.
    pub(super) fn freeze(&self) -> Result<(), Failure> {
        self.signal(Signal::Freeze)
    }

    /// Lets a stopped process go on (SIGCONT).
    pub(super) fn thaw(&self) -> Result<(), Failure> {
        self.signal(Signal::Thaw)
    }

    /// Kills the process (SIGKILL), stopped or not, and waits until it is gone.
    pub(super) async fn kill(mut self) -> Result<(), Failure> {
        let killed = self.child.kill().await;
        killed.map_err(|error| Exit::Failed.of("could not kill the receiver", error))
    }

    /// Asks the process to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    ///
    /// Fails when it does not end, or not well.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        self.signal(Signal::End)?;
        match timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(Exit::Failed.with(format!("the receiver ended with {status}"))),
            Ok(Err(error)) => Err(Exit::Failed.of("could not wait for the receiver", error)),
            Err(_) => Err(Exit::Failed.with("the receiver did not end when it was asked to")),
        }
    }

    #[cfg(unix)]
    fn signal(&self, signal: Signal) -> Result<(), Failure> {
        use rustix::process::{Pid, Signal as Unix, kill_process};
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let pid = pid.ok_or_else(|| Exit::Failed.with("the receiver has died by itself"))?;
        let signal = match signal {
            Signal::Freeze => Unix::STOP,
            Signal::Thaw => Unix::CONT,
            Signal::End => Unix::TERM,
        };
        kill_process(pid, signal)
            .map_err(|error| Exit::Failed.of("could not signal the receiver", error))
    }

    #[cfg(not(unix))]
    fn signal(&self, signal: Signal) -> Result<(), Failure> {
        Err(Exit::Failed.with(format!(
            "the demo stops its receiver with Unix signals ({signal:?}), and this is not Unix"
        )))
    }
}

#[derive(Debug, Clone, Copy)]
enum Signal {
    Freeze,
    Thaw,
    End,
}

/// Returns the end of the receiver's log.
pub(super) fn log_of(directory: &Path) -> String {
    let mut log = String::new();
    // Without a log there is nothing more to tell.
    let _ = File::open(directory.join("receiver.log")).and_then(|mut f| f.read_to_string(&mut log));
    let skipped = log.lines().count().saturating_sub(20);
    log.lines().skip(skipped).collect::<Vec<_>>().join("\n")
}
