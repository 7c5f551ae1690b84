//! Handlers that end the whole process.

use std::{
    collections::HashMap,
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use aaa_store::{Settings as StoreSettings, SqliteStore};
use aaa_webhook::{
    consumer::{Consumer, Cursors, DeadLetters, Failed, Limits, Settings, Totals, WhichLetters},
    inbox::{Inbox, StoredEvent},
};
use tokio::{sync::oneshot, time::timeout};

use crate::helper::{Directory, delivery, favorites, letters_of, name};

/// How long a child may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tells the child where the store is.
const DIRECTORY: &str = "AAA_TEST_KILLING_DIRECTORY";

const IN_FLIGHT: usize = 8;
const EVENTS: u64 = 60;

/// The child: handles what is there, and aborts when it sees poison.
async fn child(directory: &Path) {
    let store = SqliteStore::open(directory, StoreSettings::default()).unwrap();
    let calls = directory.with_file_name("calls");
    let handler = move |event: StoredEvent| {
        let calls = calls.clone();
        async move {
            let mut calls = OpenOptions::new().append(true).create(true).open(calls).unwrap();
            writeln!(calls, "{}", event.seq).unwrap();
            tokio::task::yield_now().await;
            if event.key.ends_with("poison") {
                std::process::abort();
            }
            Ok::<_, Failed>(())
        }
    };
    let settings = Settings {
        limits: Limits { in_flight: IN_FLIGHT, window: 20 },
        poll: Duration::from_millis(20),
        ..Settings::default()
    };
    let consumer = Consumer::new(name("test"), store.clone(), handler).with_settings(settings);
    let (end, ended) = oneshot::channel::<()>();
    let run = tokio::spawn(consumer.run(store.subscribe(), async { ended.await.unwrap_or(()) }));
    let finished = async {
        while store
            .cursors()
            .await
            .unwrap()
            .first()
            .is_none_or(|(_, cursor)| cursor.progress.cursor() < EVENTS)
            || !store
                .dead_letters(letters_of("test", WhichLetters::Redriven))
                .await
                .unwrap()
                .is_empty()
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, finished).await.expect("the consumer does not get to the end");
    drop(end);
    run.await.unwrap().unwrap();
    store.close().await.unwrap();
}

/// Starts the child again and again until it ends as it should; returns how often it died, and for
/// each event how often it was in flight then.
async fn until_it_lives(directory: &Directory, test: &str) -> (u32, HashMap<u64, usize>) {
    let mut in_flight: HashMap<u64, usize> = HashMap::new();
    for deaths in 0..20 {
        let before = calls(directory).len();
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, &directory.path)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        if output.status.success() {
            return (deaths, in_flight);
        }
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(!words.contains("panicked"), "{words}");
        let cursor = directory.reader().cursors().await.unwrap().pop();
        let progress = cursor.map(|(_, cursor)| cursor.progress).unwrap_or_default();
        let mut seen: Vec<u64> = calls(directory).split_off(before);
        seen.retain(|seq| !progress.contains(*seq));
        assert!(seen.len() <= IN_FLIGHT, "{seen:?}");
        for seq in seen {
            *in_flight.entry(seq).or_default() += 1;
        }
    }
    unreachable!("it dies for ever");
}

/// The events that the handler was given, in order.
fn calls(directory: &Directory) -> Vec<u64> {
    let calls = fs::read_to_string(directory.path.with_file_name("calls")).unwrap_or_default();
    calls.lines().map(|line| line.parse().unwrap()).collect()
}

fn is_child() -> Option<std::path::PathBuf> {
    std::env::var_os(DIRECTORY).map(Into::into)
}

/// Two events end the process whenever they are handled: both become dead letters after a few
/// starts, and all others are handled, more than once only where they were in flight at a death.
#[tokio::test]
async fn what_kills_the_process_becomes_a_dead_letter() {
    if let Some(directory) = is_child() {
        return child(&directory).await;
    }
    let directory = Directory::new();
    let store = directory.open();
    for seq in 1..=EVENTS {
        let id = if [9, 14].contains(&seq) { format!("{seq}-poison") } else { seq.to_string() };
        store.commit(delivery(&favorites(&(seq % 7).to_string(), &[&id]))).await.unwrap();
    }
    store.close().await.unwrap();
    let test = "killing::what_kills_the_process_becomes_a_dead_letter";
    let (deaths, in_flight) = until_it_lives(&directory, test).await;
    // Two before anything is tried alone, and two for each; one more for each time that what was
    // done before the first poison was saved in between, which is when the count begins anew.
    assert!((6..=8).contains(&deaths), "{deaths}");

    let mut counts: HashMap<u64, usize> = HashMap::new();
    for seq in calls(&directory) {
        *counts.entry(seq).or_default() += 1;
    }
    for seq in 1..=EVENTS {
        let (count, in_flight) = (counts[&seq], in_flight.get(&seq).copied().unwrap_or(0));
        let expected = if [9, 14].contains(&seq) { in_flight } else { 1 + in_flight };
        assert_eq!(count, expected, "{seq}");
    }
    let reader = directory.reader();
    let (_, cursor) = reader.cursors().await.unwrap().pop().unwrap();
    assert_eq!(cursor.totals, Totals { handled: EVENTS - 2, stale: 0, dead: 2 });
    assert_eq!((cursor.deaths, cursor.trial), (0, None));
    let letters = reader.dead_letters(letters_of("test", WhichLetters::All)).await.unwrap();
    let told: Vec<_> =
        letters.iter().map(|l| format!("{} {}: {}", l.seq, l.attempts, l.reason)).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    9 2: the process died while handling it (2 times)
    14 2: the process died while handling it (2 times)
    ");

    // Asked for once more, one of them does it again, and is given up again.
    let store = directory.open();
    store.redrive(&name("test"), 14..=14).await.unwrap();
    store.close().await.unwrap();
    let (deaths, _) = until_it_lives(&directory, test).await;
    assert_eq!(deaths, 4);
    let letters =
        directory.reader().dead_letters(letters_of("test", WhichLetters::All)).await.unwrap();
    assert_eq!(letters.iter().map(|l| (l.seq, l.attempts)).collect::<Vec<_>>(), [(9, 2), (14, 4)]);
}
