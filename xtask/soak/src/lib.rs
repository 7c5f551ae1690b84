//! Loads a receiver at a steady pace for minutes while things go wrong all the time, and looks
//! afterwards whether everything that it acknowledged is in its store, once and as it was sent.
//!
//! What goes wrong ([`trouble`]) is spread over the whole time: the process is killed and started
//! again, or stands still; clients are slow, cut off, forged, too large; deliveries come twice at
//! once. Each has to be seen to happen. A delivery that was not answered 200 is sent again, as X
//! does, until it is.
//!
//! Every second it is noted what the process takes of the machine ([`sample`]), and drawn in the end
//! ([`chart`]): memory has to stay where it is, and files have to grow as the load does.

pub mod chart;
pub mod report;
pub mod sample;
mod senders;
pub mod trouble;

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crash::oracle::Oracle;
use load::{clock, process::Server, slow};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{sync::watch, task::JoinSet, time::sleep_until};

pub use self::report::Report;
use self::{
    sample::Samples,
    senders::Senders,
    trouble::{Planned, Tally, Trouble},
};

/// Whatever went wrong with the run itself.
pub type Failure = Box<dyn Error + Send + Sync>;

/// How many clients are slow all the time.
const SLOW: usize = 100;

/// How long the process stands still: less than X waits for an answer.
const STANDSTILL: Duration = Duration::from_millis(1500);

/// How long before the end of a standstill nothing may have been acknowledged for some time.
const SILENCE: Duration = Duration::from_millis(1000);

/// What to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// `aaa`, or what takes the options of `aaa listen`.
    pub program: PathBuf,
    /// How long.
    pub time: Duration,
    /// How many deliveries are due a second.
    pub rate: u32,
    /// How often the process is killed or stands still, in turn.
    pub stops: u32,
    /// Where the random moments come from.
    pub seed: u64,
}

/// A receiver that can be sent to.
#[derive(Debug, Clone, Copy)]
struct Running {
    address: std::net::SocketAddr,
    process: u32,
}

/// Runs the soak; `progress` hears of each second.
///
/// # Errors
///
/// Fails when the receiver does not start, or ends by itself.
pub async fn run(
    options: &Options,
    mut progress: impl FnMut(&sample::Sample),
) -> Result<Report, Failure> {
    let directory = tempfile::Builder::new().prefix("aaa-soak-").tempdir()?;
    let database = directory.path().join("data").join("aaa.db");
    let tally = Arc::new(Tally::default());
    let (running, seen) = watch::channel(None);
    let mut server = start(&options.program, directory.path(), &running).await?;

    let begin = clock::steady();
    let end = begin + options.time;
    let mut senders = Senders::start(options, begin, &seen, &tally)?;
    let mut slow = slow_clients(&seen, &tally);
    let mut samples = Samples::new(database.clone());
    let mut stops = trouble::stops(options).into_iter().peekable();
    let mut second = 0;
    // Until everything that was due is acknowledged, which may take a little longer.
    while clock::steady() < end || !senders.are_done() {
        second += 1;
        let tick = begin + Duration::from_secs(second);
        while let Some(stop) = stops.next_if(|stop| begin + stop.after < tick) {
            sleep_until((begin + stop.after).into()).await;
            server = happen(stop, server, options, directory.path(), &running, &tally).await?;
        }
        sleep_until(tick.into()).await;
        let process = seen.borrow().map(|running: Running| running.process);
        progress(samples.take(second, process, &tally));
        senders.check()?;
    }
    slow.shutdown().await;
    let most_memory = samples.most_memory();
    let acknowledged = senders.finish().await?;

    let mut found = crash::Report::default();
    let mut oracle = Oracle::new(database);
    oracle.expect(&acknowledged);
    oracle.look()?;
    oracle.judge(&mut found);
    server.kill().await?;
    Ok(Report::new(options, samples.all(), most_memory, &found, &tally))
}

async fn start(
    program: &Path,
    directory: &Path,
    running: &watch::Sender<Option<Running>>,
) -> Result<Server, Failure> {
    let mut server = Server::receiver(program, directory)?;
    let address = server.ready().await?;
    let process = server.id().ok_or("the receiver ended by itself")?;
    running.send_replace(Some(Running { address, process }));
    Ok(server)
}

/// Kills the receiver and starts it again, or lets it stand still for a while.
async fn happen(
    stop: Planned,
    server: Server,
    options: &Options,
    directory: &Path,
    running: &watch::Sender<Option<Running>>,
    tally: &Tally,
) -> Result<Server, Failure> {
    if stop.trouble == Trouble::Kill {
        running.send_replace(None);
        if !server.kill().await?.by_signal {
            return Err("the receiver ended by itself".into());
        }
        let begun = clock::steady();
        let server = start(&options.program, directory, running).await?;
        tally.started(begun.elapsed());
        tally.fired(Trouble::Kill);
        return Ok(server);
    }
    signal(&server, Signal::STOP)?;
    let thawed = clock::steady() + STANDSTILL;
    sleep_until((thawed - SILENCE).into()).await;
    let before = tally.acknowledged();
    sleep_until(thawed.into()).await;
    if tally.acknowledged() == before {
        tally.fired(Trouble::Standstill);
    }
    signal(&server, Signal::CONT)?;
    Ok(server)
}

fn signal(server: &Server, signal: Signal) -> Result<(), Failure> {
    let process = server.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    Ok(kill_process(process.ok_or("the receiver ended by itself")?, signal)?)
}

fn slow_clients(running: &watch::Receiver<Option<Running>>, tally: &Arc<Tally>) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for _ in 0..SLOW {
        let (running, tally) = (running.clone(), Arc::clone(tally));
        clients.spawn(slow::client(
            move || running.borrow().map(|running: Running| running.address),
            move || tally.fired(Trouble::Slow),
        ));
    }
    clients
}

/// Says when the n-th of so many a second is due.
fn due(begin: Instant, number: u64, rate: u32) -> Instant {
    begin + Duration::from_nanos(number.saturating_mul(1_000_000_000) / u64::from(rate.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_due_a_second() {
        let begin = clock::steady();
        assert_eq!(due(begin, 0, 2500), begin);
        assert_eq!(due(begin, 1, 2500), begin + Duration::from_micros(400));
        assert_eq!(due(begin, 1_500_000, 2500), begin + Duration::from_secs(600));
    }
}
