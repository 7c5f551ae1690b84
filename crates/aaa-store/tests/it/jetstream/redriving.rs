//! Dead letters of workers, and handling them once more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use aaa_store::jetstream::{Worker, WorkerSettings};
use aaa_webhook::{
    consumer::{Cursors, DeadLetter, DeadLetters, Failed, WhichLetters},
    inbox::{Inbox, StoredEvent},
};
use tokio::time::{sleep, timeout};

use super::{
    nats::{Nats, PATIENCE},
    working::{Calls, letters_until, settings, until},
};
use crate::helper::{delivery, favorites, letters_of, name};

/// Dead letters have their turn while other events come without a pause.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_redriven_under_load() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    let calls = Calls::default();
    let seen = Arc::clone(&calls);
    let handler = move |event: StoredEvent| {
        let mut calls = seen.lock().unwrap();
        let times = calls.entry(event.key.clone()).or_default();
        times.push(0);
        let fails = event.key.ends_with(":poison") && times.len() < 2;
        async move { if fails { Err(Failed::poison("poison")) } else { Ok(()) } }
    };
    let worker = Worker::new(name("test"), inbox.clone(), handler).with_settings(settings());
    let worker = tokio::spawn(worker.run(std::future::pending()));
    inbox.commit(delivery(&favorites("7", &["poison"]))).await.unwrap();
    let sender = inbox.clone();
    let load = tokio::spawn(async move {
        for n in 0_u64.. {
            sender.commit(delivery(&favorites("7", &[&n.to_string()]))).await.unwrap();
            sleep(Duration::from_millis(20)).await;
        }
    });
    let letters = async || inbox.dead_letters(letters_of("test", WhichLetters::All)).await.unwrap();
    let redriven = async {
        while letters().await.is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
        inbox.redrive(&name("test"), 1..=u64::MAX).await.unwrap();
        while !letters().await.is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let redriven = timeout(Duration::from_secs(20), redriven).await;
    load.abort();
    worker.abort();
    redriven.expect("nobody handles it once more");
}

/// What somebody else wrote into the stream is told, and a worker that may do nothing at once does
/// one thing. It is no consumer with a place of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_event_becomes_a_dead_letter() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    let client = nats.client().await;
    client.publish("aaa.event.x.7", "{}".into()).await.unwrap().await.unwrap();
    inbox.commit(delivery(&favorites("7", &["1"]))).await.unwrap();
    let calls = Calls::default();
    let seen = Arc::clone(&calls);
    let handler = move |event: StoredEvent| {
        seen.lock().unwrap().entry(event.key).or_default().push(0);
        async { Ok::<(), Failed>(()) }
    };
    let settings = WorkerSettings { in_flight: 0, ..settings() };
    let worker = Worker::new(name("test"), inbox.clone(), handler).with_settings(settings);
    let worker = tokio::spawn(worker.run(std::future::pending()));
    until(&calls, 1).await;
    let dead = |letters: &[DeadLetter]| {
        let dead: Vec<_> = letters.iter().map(|l| (l.seq, &*l.reason, l.attempts)).collect();
        format!("{dead:?}")
    };
    let letters = letters_until(&inbox, |letters| !letters.is_empty()).await;
    insta::assert_snapshot!(dead(&letters), @r#"[(1, "it is no event: it has no `Aaa-Index`", 1)]"#);
    inbox.redrive(&name("test"), 1..=1).await.unwrap();
    let letters = letters_until(&inbox, |letters| letters[0].attempts > 1).await;
    insta::assert_snapshot!(dead(&letters), @r#"[(1, "it is no event: it has no `Aaa-Index`", 2)]"#);
    worker.abort();

    assert_eq!(inbox.cursors().await.unwrap().len(), 0);
    inbox.open(&name("test"), 0).await.unwrap();
    assert_eq!(inbox.cursors().await.unwrap().len(), 1);
}

/// While somebody is away a dead letter stays asked for, its attempts stay as they were, and others
/// have their turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_waits_for_who_is_away() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    let (is_well, is_away) = (Arc::<AtomicBool>::default(), Arc::new(AtomicBool::new(true)));
    let tries = Arc::<AtomicUsize>::default();
    let handler = {
        let (is_well, is_away) = (Arc::clone(&is_well), Arc::clone(&is_away));
        let tries = Arc::clone(&tries);
        move |event: StoredEvent| {
            let answer = if !is_well.load(SeqCst) {
                Err(Failed::poison("poison"))
            } else if event.key.ends_with(":1") && is_away.load(SeqCst) {
                tries.fetch_add(1, SeqCst);
                Err(Failed::unavailable("away"))
            } else {
                Ok(())
            };
            async { answer }
        }
    };
    let worker = Worker::new(name("test"), inbox.clone(), handler).with_settings(settings());
    let worker = tokio::spawn(worker.run(std::future::pending()));
    inbox.commit(delivery(&favorites("7", &["1", "2"]))).await.unwrap();
    letters_until(&inbox, |letters| letters.len() == 2).await;
    is_well.store(true, SeqCst);
    assert_eq!(inbox.redrive(&name("test"), 1..=u64::MAX).await.unwrap(), 2);
    let letters = letters_until(&inbox, |letters| letters.len() < 2).await;
    let left: Vec<_> = letters.iter().map(|l| (l.key.as_deref(), l.attempts, l.redrive)).collect();
    assert_eq!(left, [(Some("7/favorite_events:1"), 1, true)]);

    // Again and again, and not all the time.
    let before = tries.load(SeqCst);
    let often = async |times| {
        while tries.load(SeqCst) < before + times {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, often(2)).await.expect("it is not tried again");
    assert!(timeout(Duration::from_secs(2), often(30)).await.is_err(), "it is tried all the time");
    is_away.store(false, SeqCst);
    letters_until(&inbox, <[_]>::is_empty).await;
    worker.abort();
}

/// A worker dies with a dead letter that somebody asked for: another one handles it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_outlives_the_worker_that_had_it() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    inbox.commit(delivery(&favorites("7", &["1"]))).await.unwrap();
    let calls = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&calls);
    let hangs = move |_: StoredEvent| {
        let is_first = count.fetch_add(1, SeqCst) == 0;
        async move {
            if !is_first {
                std::future::pending::<()>().await;
            }
            Err::<(), Failed>(Failed::poison("poison"))
        }
    };
    let worker = Worker::new(name("test"), inbox.clone(), hangs).with_settings(settings());
    let worker = tokio::spawn(worker.run(std::future::pending()));
    letters_until(&inbox, |letters| letters.len() == 1).await;
    inbox.redrive(&name("test"), 1..=1).await.unwrap();
    let had = async {
        while calls.load(SeqCst) < 2 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, had).await.expect("nobody handles it once more");
    worker.abort();
    let _ = worker.await;
    let redriven = inbox.dead_letters(letters_of("test", WhichLetters::Redriven)).await.unwrap();
    assert_eq!(redriven.len(), 1);

    let handler = async |_: StoredEvent| Ok::<(), Failed>(());
    let worker = Worker::new(name("test"), inbox.clone(), handler).with_settings(settings());
    let worker = tokio::spawn(worker.run(std::future::pending()));
    letters_until(&inbox, <[_]>::is_empty).await;
    worker.abort();
}

/// A handler that panics over a dead letter has failed, and its worker goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_outlives_a_panic_over_a_dead_letter() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    let calls = Calls::default();
    let seen = Arc::clone(&calls);
    let handler = move |event: StoredEvent| {
        let times = {
            let mut calls = seen.lock().unwrap();
            let times = calls.entry(event.key.clone()).or_default();
            times.push(0);
            times.len()
        };
        async move {
            match (event.key.ends_with(":poison"), times) {
                (true, 1) => Err(Failed::poison("poison")),
                (true, _) => panic!("over a dead letter"),
                _ => Ok(()),
            }
        }
    };
    let worker = Worker::new(name("test"), inbox.clone(), handler).with_settings(settings());
    let worker = tokio::spawn(worker.run(std::future::pending()));
    inbox.commit(delivery(&favorites("7", &["poison"]))).await.unwrap();
    letters_until(&inbox, |letters| letters.len() == 1).await;
    inbox.redrive(&name("test"), 1..=1).await.unwrap();
    let letters = letters_until(&inbox, |letters| letters[0].attempts > 1).await;
    let letter = &letters[0];
    assert_eq!((&*letter.reason, letter.attempts), ("the handler panicked", 2));
    assert!(!letter.redrive);
    inbox.commit(delivery(&favorites("7", &["1"]))).await.unwrap();
    until(&calls, 2).await;
    worker.abort();
}
