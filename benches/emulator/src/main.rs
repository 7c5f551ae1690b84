//! `emulator-bench --sink PATH --out FILE [--rounds N] [--only emulator]`, as `cargo xtask bench
//! emulator` calls it: how many deliveries a second reach a sink from an emulator on one thread, and
//! how many requests from one thread of wrk, and writes both down. Nothing is judged here.

#![allow(clippy::print_stderr, reason = "people want to know how far it is")]

mod wrk;

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use aaa_auth::{Consumer, UserToken};
use aaa_client::Client;
use aaa_emulator::{Emulator, bodies::Bodies, control::Traffic, credentials};
use load::{PATH, clock, process::Server, usage};
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

type Failure = Box<dyn Error + Send + Sync>;

/// What is not counted at the beginning.
const WARM_UP: Duration = Duration::from_millis(500);

/// How long is measured.
const TIME: Duration = Duration::from_secs(3);

/// How many connections wrk opens; the emulator has as many deliveries under way.
pub(crate) const CONNECTIONS: usize = 64;

/// A round.
#[derive(Debug, Serialize)]
struct Round {
    emulator: Rates,
    /// Where it is installed.
    wrk: Option<Rates>,
    /// The average body of the emulator, in bytes; those of wrk are as long.
    body: f64,
}

/// How much one of them did.
#[derive(Debug, Serialize)]
struct Rates {
    /// Deliveries per second.
    per_second: f64,
    /// Deliveries per second of a core's time, which others on the machine do not take away; only
    /// where the system tells.
    per_core: Option<f64>,
}

impl Rates {
    fn new(count: f64, elapsed: f64, cpu: Option<f64>) -> Self {
        let per_core = cpu.filter(|cpu| *cpu > 0.0).map(|cpu| count / cpu);
        Self { per_second: count / elapsed, per_core }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = std::env::args().collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let usage = "usage: emulator-bench --sink PATH --out FILE [--rounds N] [--only emulator]";
    let sink = PathBuf::from(option("--sink").ok_or(usage)?);
    let out = option("--out").ok_or(usage)?;
    let rounds: u32 = option("--rounds").map_or(Ok(5), |rounds| rounds.parse())?;
    let beside = option("--only").is_none();
    let mut all = Vec::new();
    for number in 1..=rounds {
        let round = round(&sink, beside).await?;
        eprintln!("round {number}: {}", serde_json::to_string(&round)?);
        all.push(round);
    }
    fs::write(out, serde_json::to_string_pretty(&serde_json::json!({ "rounds": all }))?)?;
    Ok(())
}

async fn round(sink: &Path, beside: bool) -> Result<Round, Failure> {
    let directory = tempfile::tempdir()?;
    let mut server = Server::start(sink, [""; 0], directory.path())?;
    let url = format!("http://{}{PATH}", server.ready().await?);
    let (emulator, body) = emulator(&url).await?;
    let wrk = if beside { wrk::rates(&url, &post(body)?, directory.path()).await? } else { None };
    server.kill().await?;
    Ok(Round { emulator, wrk, body })
}

/// Has a society act faster than it can be told of, and counts what is answered 200.
async fn emulator(url: &str) -> Result<(Rates, f64), Failure> {
    let emulator = Emulator::start().await?;
    let consumer =
        Consumer::new(credentials::CONSUMER_KEY.parse()?, credentials::CONSUMER_SECRET.parse()?);
    let client = Client::builder(emulator.url().parse()?)
        .consumer(consumer)
        .bearer(credentials::BEARER_TOKEN.parse()?)
        .build()?;
    let webhook = client.app().create_webhook(&url.parse()?).await?;
    for user in 1..=10 {
        let tokens = credentials::user_token(user);
        let user = UserToken::new(tokens.token.parse()?, tokens.secret.parse()?);
        client.user(user).subscribe(webhook.id).await?;
    }
    emulator.set_traffic(Traffic::new(Traffic::MAX_RATE).with_users(1000))?;
    tokio::time::sleep(WARM_UP).await;
    let (begun, before, cpu) = (clock::steady(), taken(url).await?, usage::cpu(std::process::id()));
    tokio::time::sleep(TIME).await;
    let (elapsed, after) = (begun.elapsed(), taken(url).await?);
    let cpu = cpu.zip(usage::cpu(std::process::id())).map(|(before, after)| after - before);
    emulator.shutdown().await;
    let count = after.0 - before.0;
    Ok((Rates::new(count, elapsed.as_secs_f64(), cpu), (after.1 - before.1) / count))
}

/// Asks the sink how many deliveries it took, and of how many bytes.
async fn taken(url: &str) -> Result<(f64, f64), Failure> {
    let address = url.trim_start_matches("http://").trim_end_matches(PATH);
    let mut stream = TcpStream::connect(address).await?;
    let head = format!("GET {PATH} HTTP/1.1\r\nhost: sink\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let figures = answer.split_once("\r\n\r\n").and_then(|(_, body)| body.split_once(' '));
    let (count, bytes) = figures.ok_or("the sink does not say what it took")?;
    Ok((count.parse()?, bytes.parse()?))
}

/// A post of that length.
fn post(length: f64) -> Result<String, Failure> {
    let made = Bodies::new(0).make("tweet_create_events", "7".parse()?, None, clock::now())?;
    let mut body = String::from_utf8(made.body.to_vec())?;
    while f64::from(u32::try_from(body.len())?) < length {
        body = body.replacen("\"text\":\"", "\"text\":\"....................", 1);
    }
    Ok(body)
}
