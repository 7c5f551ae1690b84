//! Kills a receiver with SIGKILL, again and again, and looks for what it acknowledged and no
//! longer has.
//!
//! A round:
//!
//! 1. Sixty-four connections bring deliveries, no two alike, as fast as the receiver takes them.
//!    Once 500 of them are acknowledged, the process is killed at a moment drawn uniformly from the
//!    quarter of a second that follows: several commits, and often a checkpoint.
//! 2. The process is started again, and killed at a moment drawn uniformly from the time that a
//!    start takes.
//! 3. It is started once more. Now everything that was ever answered 200 has to be in the store,
//!    once, byte by byte.
//! 4. What was not answered is sent again, and so is some of what was. All of it has to be answered
//!    200, and to be in the store once.
//!
//! The list of the 200s that arrived is the oracle. The store is read by SQL, without the code
//! that wrote it. Where a kill fell is told by the files that it left ([`witness`]) and by the
//! store: what is there without having been answered was killed between its commit and its 200.
//!
//! What a power loss would leave is told by [`order`].

mod client;
pub mod control;
pub mod oracle;
pub mod order;
mod report;
pub mod witness;

use std::{
    error::Error,
    path::{Path, PathBuf},
    time::Duration,
};

use load::{clock, delivery::Deliveries, process::Server};
use tempfile::TempDir;

pub use self::report::Report;
use self::{client::Senders, oracle::Oracle, witness::Log};

/// Whatever went wrong with the run itself.
pub type Failure = Box<dyn Error + Send + Sync>;

/// How many acknowledgements a round waits for.
pub const ACKNOWLEDGED: u64 = 500;

/// How long after them the kill comes at the latest.
const WINDOW: Duration = Duration::from_millis(250);

/// How many rounds one store goes through. A receiver looks through all of a store when it starts,
/// so large ones would make the rounds long.
const ROUNDS_PER_STORE: u32 = 20;

/// How many deliveries that were acknowledged are sent again in a round.
const SENT_AGAIN: usize = 64;

/// What to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// `aaa`, or what takes the options of `aaa listen`.
    pub program: PathBuf,
    /// How many rounds.
    pub rounds: u32,
    /// Where the random moments come from.
    pub seed: u64,
}

/// Runs the rounds; `progress` hears of each.
///
/// # Errors
///
/// Fails when the receiver does not start, dies by itself, or refuses what it has to take.
pub async fn run(options: &Options, mut progress: impl FnMut(&Report)) -> Result<Report, Failure> {
    let mut random = fastrand::Rng::with_seed(options.seed);
    let deliveries = Deliveries::new(clock::now());
    let mut report = Report::default();
    let mut start = Duration::from_millis(50);
    while report.rounds < options.rounds {
        let mut store = Store::create(&options.program)?;
        let (mut server, _) = store.start().await?;
        for _ in 0..ROUNDS_PER_STORE.min(options.rounds - report.rounds) {
            (server, start) =
                store.round(server, &deliveries, start, &mut random, &mut report).await?;
            report.rounds += 1;
            progress(&report);
        }
        server.server.kill().await?;
    }
    Ok(report)
}

/// A receiver that listens.
struct Running {
    server: Server,
    senders: Senders,
}

/// A store, and what has to be in it.
struct Store {
    program: PathBuf,
    directory: TempDir,
    oracle: Oracle,
}

impl Store {
    fn create(program: &Path) -> Result<Self, Failure> {
        let directory = tempfile::Builder::new().prefix("aaa-crash-").tempdir()?;
        let oracle = Oracle::new(database(&directory));
        Ok(Self { program: program.to_owned(), directory, oracle })
    }

    /// Starts the receiver and tells how long that took.
    async fn start(&self) -> Result<(Running, Duration), Failure> {
        let begun = clock::steady();
        let mut server = Server::receiver(&self.program, self.directory.path())?;
        let senders = Senders::new(server.ready().await?)?;
        Ok((Running { server, senders }, begun.elapsed()))
    }

    async fn round(
        &mut self,
        running: Running,
        deliveries: &Deliveries,
        start: Duration,
        random: &mut fastrand::Rng,
        report: &mut Report,
    ) -> Result<(Running, Duration), Failure> {
        let database = database(&self.directory);

        let Running { server, senders } = running;
        // A log that already looks unfinished would be taken for a checkpoint that was cut.
        let clean = !Log::read(&database)?.is_in_checkpoint();
        let moment = drawn(WINDOW, random);
        let mut killed = None;
        let sheet = senders
            .load(deliveries, async || {
                wait(moment).await?;
                killed = Some(server.kill().await?);
                Ok(())
            })
            .await?;
        if killed.is_none_or(|killed| !killed.by_signal) {
            return Err("the receiver ended by itself".into());
        }
        let left = Log::read(&database)?;
        report.in_checkpoint += u64::from(clean && left.is_in_checkpoint());
        report.kills += 1;
        report.acknowledged += sheet.acknowledged.len() as u64;
        report.refused += sheet.refused;

        let server = Server::receiver(&self.program, self.directory.path())?;
        wait(drawn(start, random)).await?;
        let killed = server.kill().await?;
        if !killed.by_signal {
            return Err("the receiver ended by itself while it started".into());
        }
        report.kills += 1;
        let in_recovery = Log::read(&database)?.is_recovery_of(&left) && !killed.was_ready;
        report.in_recovery += u64::from(in_recovery);

        let (running, start) = self.start().await?;
        self.oracle.expect(&sheet.acknowledged);
        let found = self.oracle.look()?;
        let silent = sheet.unanswered.iter().filter(|delivery| found.contains(delivery)).count();
        report.committed_silently += silent as u64;
        report.between_commit_and_answer += u64::from(silent > 0);

        let mut again = sheet.unanswered;
        let mut some = sheet.acknowledged;
        random.shuffle(&mut some);
        again.extend(some.iter().take(SENT_AGAIN));
        running.senders.send(&again).await?;
        report.sent_again += again.len() as u64;
        self.oracle.expect(&again);
        self.oracle.look()?;
        self.oracle.judge(report);
        Ok((running, start))
    }
}

fn database(directory: &TempDir) -> PathBuf {
    directory.path().join("data").join("aaa.db")
}

/// Draws a moment within this time.
fn drawn(time: Duration, random: &mut fastrand::Rng) -> Duration {
    Duration::from_micros(random.u64(..u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)))
}

/// Waits on a thread of its own: the timer of the runtime knows only milliseconds.
async fn wait(time: Duration) -> Result<(), Failure> {
    Ok(tokio::task::spawn_blocking(move || std::thread::sleep(time)).await?)
}
