//! How long an emulator takes to start, and how much memory a long event log takes.
//!
//! ```sh
//! cargo run --release -p aaa-emulator --example footprint -- 1000000
//! ```

#![allow(clippy::print_stdout, reason = "printing is what this example is for")]

use std::{env, error::Error, fs};

use aaa_emulator::{
    Emulator,
    control::Trigger,
    settings::{Generation, Settings, TimeMode},
    world::{Answer, Effect, World},
};
use aaa_webhook::crc::CrcToken;

const KINDS: [&str; 4] =
    ["tweet_create_events", "favorite_events", "follow_events", "direct_message_events"];

/// How many emulators are started, one after another, all of them running at the end.
const STARTS: usize = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let events = env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    starts().await?;
    remembers(events)
}

/// Starts many, and tells the times from the call to the first answer.
#[expect(clippy::disallowed_methods, reason = "it measures")]
async fn starts() -> Result<(), Box<dyn Error>> {
    let (mut running, mut took) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let begin = std::time::Instant::now();
        let emulator = Emulator::start().await?;
        let mut stream = tokio::net::TcpStream::connect(emulator.addr()).await?;
        let request = "GET /2/webhooks HTTP/1.1\r\nhost: localhost\r\n\
                       authorization: Bearer emulator-bearer\r\nconnection: close\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await?;
        let mut answer = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await?;
        took.push(begin.elapsed());
        if !answer.starts_with("HTTP/1.1 200") {
            return Err(answer.into());
        }
        running.push(emulator);
    }
    took.sort_unstable();
    let at = |share: usize| took.get(took.len() * share / 100).copied().unwrap_or_default();
    let worst = took.last().copied().unwrap_or_default();
    println!("{STARTS} emulators, from the start to the first answer:");
    println!("  median {:.2?}, 90th percentile {:.2?}, worst {worst:.2?}", at(50), at(90));
    Ok(())
}

/// Delivers events of the commonest kinds, and tells how much memory the log takes.
fn remembers(events: usize) -> Result<(), Box<dyn Error>> {
    let now = "2025-11-22T04:00:00Z".parse()?;
    let settings = Settings { time: TimeMode::Virtual, ..Settings::default() };
    let mut world = World::new(settings, now);
    world.register("http://127.0.0.1:1/hook", Generation::V2, now)?;
    let secret = aaa_emulator::credentials::CONSUMER_SECRET.parse()?;
    let mut bytes = 0;
    let mut carry_out = |world: &mut World| {
        loop {
            let effects = world.take_effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                match effect {
                    Effect::Check(check) => {
                        let query = check.uri.split_once('?').map_or("", |(_, query)| query);
                        let Ok(token) = CrcToken::from_query(query) else { continue };
                        let answer = Answer::new(200, token.answer(&secret));
                        world.check_ended(check.id, Ok(answer), now);
                    }
                    Effect::Post(post) => {
                        bytes += post.body.len();
                        world.delivery_ended(post.id, Ok(Answer::new(200, "")), now);
                    }
                    _ => {}
                }
            }
        }
    };
    carry_out(&mut world);
    let webhook = world.webhooks().first().ok_or("the webhook is not there")?.id;
    for user in 1..=1000_u64 {
        world.subscribe(webhook, user.try_into()?, now)?;
    }
    let before = resident()?;
    for number in 0..events {
        let kind = KINDS.get(number % KINDS.len()).ok_or("no kind")?;
        let user = u64::try_from(number % 1000)? + 1;
        world.trigger(&Trigger::new(kind, user.try_into()?), now)?;
        carry_out(&mut world);
    }
    let kept = resident()?.saturating_sub(before);
    let counts = world.state(now).counts;
    println!(
        "{} events, {} acknowledged, {bytes} bytes delivered:",
        counts.events, counts.acknowledged
    );
    println!("  {} MiB resident, {} bytes an event", kept >> 20, kept / events.max(1));
    Ok(())
}

/// The resident memory of this process, in bytes.
fn resident() -> Result<usize, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes = line.split_whitespace().nth(1).ok_or("no number")?;
    Ok(kilobytes.parse::<usize>()? * 1024)
}
