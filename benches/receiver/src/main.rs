//! `receiver-bench --program PATH --out FILE [--rounds N] [--keys N]`, as `cargo xtask bench
//! receiver` calls it: loads `aaa listen` and a bare axum server in turn, and writes down what both
//! made of it. With `--events N` it is `cargo xtask bench recovery`: a replay of so many events,
//! beside the same load ([`recovery`]). With `--cluster` it is `cargo xtask bench cluster`: several
//! receivers that share a stream ([`cluster`]).
//!
//! Who sends is one thread of this process, on the same machine as who receives. Requests are
//! signed before the clock starts. Nothing is judged here.

#![allow(
    clippy::print_stderr,
    reason = "a run takes minutes, and people want to know how far it is"
)]

mod cluster;
mod figures;
mod filled;
mod memory;
mod recovery;
mod senders;
mod x;

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use aaa_store::sqlite::DATABASE;
use load::{SECRET, clock, delivery::Deliveries, process::Server};
use rusqlite::{OpenFlags, Transaction, TransactionBehavior};
use serde::Serialize;
use tempfile::TempDir;

use crate::{
    figures::{Figures, Measured, Round},
    senders::{Requests, Senders},
};

type Failure = Box<dyn Error + Send + Sync>;

/// How many requests are made for a round: more than any receiver takes in that time.
const REQUESTS: usize = 200_000;

/// How many connections bring deliveries.
pub(crate) const CONNECTIONS: usize = 64;

/// What is not counted at the beginning.
const WARM_UP: Duration = Duration::from_millis(500);

/// How long a load is measured.
const TIME: Duration = Duration::from_secs(3);

/// How many deliveries a second are offered where the load is paced.
const PACE: u32 = 2500;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = std::env::args().collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let usage = "usage: receiver-bench --program PATH --out FILE [--rounds N] [--keys N | --events N | --cluster]";
    let programs = Programs {
        ours: PathBuf::from(option("--program").ok_or(usage)?),
        bare: std::env::current_exe()?.with_file_name("bare"),
    };
    let rounds = option("--rounds").map_or(Ok(5), |rounds| rounds.parse())?;
    let out = option("--out").ok_or(usage)?;
    if let Some(events) = option("--events") {
        let events = events.parse()?;
        return repeat(rounds, out, async || recovery::measure(&programs.ours, events).await).await;
    }
    if arguments.iter().any(|argument| argument == "--cluster") {
        return repeat(rounds, out, async || cluster::measure(&programs.ours).await).await;
    }
    let keys = option("--keys").map_or(Ok(filled::KEYS), |keys| keys.parse())?;

    let deliveries = Deliveries::new(clock::now());
    let begun = clock::steady();
    let filled = tempfile::Builder::new().prefix("aaa-filled-").tempdir()?;
    filled::fill(&filled.path().join("data"), keys).await?;
    eprintln!("a store of {keys} keys after {:.0} s", begun.elapsed().as_secs_f64());

    let mut figures = Figures::default();
    for number in 1..=rounds {
        let round = round(&programs, &deliveries, filled.path()).await?;
        eprintln!("round {number}: {}", serde_json::to_string(&round)?);
        figures.rounds.push(round);
    }
    figures.memory = memory::measure(&programs.ours, &deliveries).await?;
    fs::write(out, serde_json::to_string_pretty(&figures)?)?;
    Ok(())
}

/// Measures something several times, and writes all of it down.
async fn repeat<T: Serialize>(
    rounds: u32,
    out: &str,
    mut measure: impl AsyncFnMut() -> Result<T, Failure>,
) -> Result<(), Failure> {
    let mut all = Vec::new();
    for number in 1..=rounds {
        let round = measure().await?;
        eprintln!("round {number}: {}", serde_json::to_string(&round)?);
        all.push(round);
    }
    Ok(fs::write(out, serde_json::to_string_pretty(&serde_json::json!({ "rounds": all }))?)?)
}

struct Programs {
    ours: PathBuf,
    bare: PathBuf,
}

/// Measures everything once.
async fn round(
    programs: &Programs,
    deliveries: &Deliveries,
    filled: &Path,
) -> Result<Round, Failure> {
    let requests = Requests::signed(REQUESTS, deliveries, &SECRET.parse()?);

    let directory = tempfile::tempdir()?;
    let mut server = Server::start(&programs.bare, [""; 0], directory.path())?;
    let senders = Senders::new(server.ready().await?, requests.repeated());
    let full = senders.full(WARM_UP, TIME).await?;
    let paced = senders.paced(PACE, WARM_UP, TIME).await?;
    let stuck = senders.checks(None::<()>).await?;
    server.kill().await?;
    let bare = Measured::new(&full, &paced, &stuck);

    let directory = tempfile::tempdir()?;
    let mut server = Server::receiver(&programs.ours, directory.path())?;
    let senders = Senders::new(server.ready().await?, requests.once());
    let full = senders.full(WARM_UP, TIME).await?;
    let paced = senders.paced(PACE, WARM_UP, TIME).await?;
    let mut store = rusqlite::Connection::open(database(&directory))?;
    let stuck = senders.checks(Some(held(&mut store)?)).await?;
    committed(&directory, full.acknowledged + paced.acknowledged + stuck.acknowledged)?;
    server.kill().await?;
    let ours = Measured::new(&full, &paced, &stuck);

    let begun = clock::steady();
    let mut server = Server::receiver(&programs.ours, filled)?;
    let senders = Senders::new(server.ready().await?, requests.once());
    let start = begun.elapsed();
    let full = senders.full(WARM_UP, TIME).await?;
    server.kill().await?;
    Ok(Round {
        load_average: figures::load_average(),
        bare,
        ours,
        filled_rate: full.rate,
        filled_start: start.as_secs_f64(),
    })
}

fn database(directory: &TempDir) -> PathBuf {
    directory.path().join("data").join(DATABASE)
}

/// Keeps everybody else from writing.
fn held(store: &mut rusqlite::Connection) -> rusqlite::Result<Transaction<'_>> {
    store.busy_timeout(Duration::from_secs(10))?;
    store.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Makes sure that what was acknowledged is what was committed.
fn committed(directory: &TempDir, acknowledged: u64) -> Result<(), Failure> {
    let path = database(directory);
    let db = rusqlite::Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let events: i64 = db.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?;
    if u64::try_from(events) == Ok(acknowledged) {
        Ok(())
    } else {
        Err(format!("{acknowledged} were acknowledged, and {events} are stored").into())
    }
}
