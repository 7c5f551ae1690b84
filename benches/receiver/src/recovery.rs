//! What a replay costs from the call to the settled window, beside the same deliveries as a load.
//!
//! A receiver that recovers was away for an hour by X's clock. It finds its gap, plans, asks for a
//! job, takes what the job brings, and settles it when the job's end has arrived. Everything of that
//! is the receiver's own; X and the sender are played here. Deliveries are signed beforehand.

use std::{fs, io, path::Path, time::Duration};

use aaa_store::SqliteStore;
use jiff::SignedDuration;
use load::{
    PATH, SECRET, clock,
    delivery::{Deliveries, request},
    http::Connection,
    process::Server,
};
use serde::Serialize;
use tokio::time::{sleep, timeout};

use crate::{
    Failure, REQUESTS, TIME, WARM_UP, figures,
    senders::{Requests, Senders, expect},
    x::{X, completion},
};

/// How long the receiver may take until it asks, and until it has settled.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often to look whether it has.
const LOOK: Duration = Duration::from_millis(50);

/// What was measured. Rates are events a second.
#[derive(Debug, Serialize)]
pub(crate) struct Recovered {
    load_average: Option<f64>,
    events: usize,
    /// From the call to the settled window.
    recovered_rate: f64,
    /// How much of that was settling, in seconds: from the job's end on.
    settling: f64,
    /// The deliveries alone.
    replayed_rate: f64,
    /// The same deliveries as a load, for a receiver that recovers nothing.
    load_rate: f64,
}

/// Has so many events replayed.
pub(crate) async fn measure(program: &Path, events: usize) -> Result<Recovered, Failure> {
    let secret = SECRET.parse()?;
    let hour = SignedDuration::from_hours(1);
    // They happened while the receiver was away.
    let happened = clock::now() - hour * 2 + SignedDuration::from_mins(10);
    let deliveries = Deliveries::new(happened);
    let requests = Requests::signed(events.max(REQUESTS), &deliveries, &secret);

    let load_rate = load(program, &requests).await?;

    let directory = tempfile::tempdir()?;
    let mut x = X::start().await?;
    let variables = format!("X_API_URL={}\nX_BEARER_TOKEN=bearer\n", x.url);
    fs::write(directory.path().join(".env"), variables)?;
    x.set_back(hour * 2);
    let mut server = start(program, directory.path())?;
    server.ready().await?;
    server.kill().await?;
    x.set_back(hour);
    let mut server = start(program, directory.path())?;
    let address = server.ready().await?;
    // By now X has what was missed.
    x.set_back(SignedDuration::ZERO);
    timeout(PATIENCE, x.job()).await.map_err(|_| "nobody asks for a replay")?;

    let begun = clock::steady();
    let mut connection = Connection::open(address).await?;
    let check = format!(
        "GET {PATH}?crc_token=OWY4ODQ2ZjgtNDljMC00NDY2 HTTP/1.1\r\nhost: localhost\r\n\r\n"
    );
    expect(connection.exchange(check.as_bytes()).await?)?;
    let replayed = Senders::new(address, requests.once()).all(events).await?;
    // One that has been idle for as long as that may have been closed.
    let mut connection = Connection::open(address).await?;
    expect(connection.exchange(&request(&completion(), &secret)).await?)?;
    let ended = clock::steady();
    let found = timeout(PATIENCE, settled(&directory.path().join("data"))).await??;
    let (all, settling) = (begun.elapsed(), ended.elapsed());
    server.kill().await?;
    if usize::try_from(found)? != events {
        return Err(format!("{events} events were replayed, and {found} found").into());
    }
    let rate =
        |time: Duration| Ok::<_, Failure>(f64::from(u32::try_from(events)?) / time.as_secs_f64());
    Ok(Recovered {
        load_average: figures::load_average(),
        events,
        recovered_rate: rate(all)?,
        settling: settling.as_secs_f64(),
        replayed_rate: rate(replayed)?,
        load_rate,
    })
}

/// Loads a receiver that recovers nothing.
async fn load(program: &Path, requests: &Requests) -> Result<f64, Failure> {
    let directory = tempfile::tempdir()?;
    let mut server = Server::receiver(program, directory.path())?;
    let senders = Senders::new(server.ready().await?, requests.once());
    let load = senders.full(WARM_UP, TIME).await?;
    server.kill().await?;
    Ok(load.rate)
}

fn start(program: &Path, directory: &Path) -> io::Result<Server> {
    let arguments = ["listen", "--bind", "127.0.0.1:0", "--path", PATH, "--data-dir", "data"];
    let arguments = arguments.into_iter().chain(["--format", "none", "--recover", "auto"]);
    Server::start(program, arguments, directory)
}

/// Waits until the one attempt is settled; returns how many events it found.
async fn settled(directory: &Path) -> Result<u64, Failure> {
    let reader = SqliteStore::open_reader(directory)?;
    loop {
        let attempts = reader.attempts().await?;
        let [attempt] = attempts.as_slice() else {
            return Err(format!("not one attempt: {attempts:?}").into());
        };
        if !attempt.outcome.is_open() {
            let outcome = serde_json::to_value(&attempt.outcome)?;
            if outcome.get("state").is_none_or(|state| state != "recovered") {
                return Err(format!("the replay came to {outcome}").into());
            }
            return Ok(attempt.found);
        }
        sleep(LOOK).await;
    }
}
