//! Workers that share what there is to do.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use aaa_store::jetstream::{Worker, WorkerSettings};
use aaa_webhook::{
    consumer::{DeadLetters, Failed, RetryPolicy, WhichLetters},
    inbox::{Inbox, StoredEvent},
};
use async_nats::jetstream::consumer::pull;
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::nats::{Nats, PATIENCE};
use crate::helper::{delivery, favorites, letters_of, name};

const EVENTS: usize = 200;

/// How often each event was handled, by which worker.
type Calls = Arc<Mutex<HashMap<String, Vec<usize>>>>;

fn settings() -> WorkerSettings {
    let retry = RetryPolicy {
        attempts: 3,
        first: Duration::from_millis(10),
        longest: Duration::from_millis(50),
    };
    WorkerSettings { in_flight: 8, retry, timeout: Duration::from_secs(1) }
}

/// Until there are as many events as that.
async fn until(calls: &Calls, wanted: usize) {
    let reached = async {
        while calls.lock().unwrap().len() < wanted {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, reached).await.expect("not everything is handled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_is_one_worker_s() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    let calls = Calls::default();
    let mut ends = Vec::new();
    let mut workers = Vec::new();
    for worker in 0..2 {
        let calls = Arc::clone(&calls);
        let handler = move |event: StoredEvent| {
            let times = {
                let mut calls = calls.lock().unwrap();
                let times = calls.entry(event.key.clone()).or_default();
                times.push(worker);
                times.len()
            };
            async move {
                match event.key.rsplit(':').next() {
                    Some("poison") => Err(Failed::poison("it is poison")),
                    Some("never") => Err(Failed::again("it never works")),
                    Some("twice") if times < 3 => Err(Failed::again("not yet")),
                    Some("away") if times < 9 => Err(Failed::unavailable("away")),
                    _ => Ok(()),
                }
            }
        };
        let (end, ended) = oneshot::channel::<()>();
        ends.push(end);
        let worker = Worker::new(name("test"), inbox.clone(), handler).with_settings(settings());
        workers.push(tokio::spawn(worker.run(async move { ended.await.unwrap_or(()) })));
    }
    for n in 0..EVENTS {
        inbox.commit(delivery(&favorites("7", &[&n.to_string()]))).await.unwrap();
    }
    let odd = favorites("7", &["poison", "never", "twice", "away"]);
    inbox.commit(delivery(&odd)).await.unwrap();
    until(&calls, EVENTS + 4).await;
    let letters =
        || async { inbox.dead_letters(letters_of("test", WhichLetters::All)).await.unwrap() };
    let done = async {
        let times = |id: &str| {
            calls.lock().unwrap().get(&format!("7/favorite_events:{id}")).map_or(0, Vec::len)
        };
        while letters().await.len() < 2 || times("twice") < 3 || times("away") < 9 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, done).await.unwrap();
    let dead: Vec<_> = letters().await.into_iter().map(|l| (l.key, l.reason, l.attempts)).collect();
    let key = |id: &str| Some(format!("7/favorite_events:{id}"));
    assert!(dead.contains(&(key("poison"), "it is poison".to_owned(), 1)), "{dead:?}");
    assert!(dead.contains(&(key("never"), "it never works".to_owned(), 3)), "{dead:?}");

    // Asked for once more.
    assert_eq!(inbox.redrive(&name("test"), 1..=u64::MAX).await.unwrap(), 2);
    let again = async {
        while letters().await.iter().any(|letter| letter.redrive)
            || letters().await.iter().map(|letter| letter.attempts).sum::<u32>() < 6
        {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, again).await.unwrap();
    drop(ends);
    for worker in workers {
        timeout(PATIENCE, worker).await.unwrap().unwrap().unwrap();
    }
    let calls = calls.lock().unwrap();
    for n in 0..EVENTS {
        assert_eq!(calls[&format!("7/favorite_events:{n}")].len(), 1, "{n}");
    }
    for worker in 0..2 {
        assert!(calls.values().flatten().any(|who| *who == worker), "{worker} did nothing");
    }
}

/// What it needs is away when it has to end: it ends, and the next one handles the event once, as
/// if it had never been tried.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_ends_while_what_it_needs_is_away() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    inbox.commit(delivery(&favorites("7", &["1"]))).await.unwrap();
    for _ in 0..5 {
        let calls = Calls::default();
        let seen = Arc::clone(&calls);
        let away = move |event: StoredEvent| {
            seen.lock().unwrap().entry(event.key).or_default().push(0);
            async { Err::<(), Failed>(Failed::unavailable("away")) }
        };
        let (end, ended) = oneshot::channel::<()>();
        let worker = Worker::new(name("test"), inbox.clone(), away).with_settings(settings());
        let worker = tokio::spawn(worker.run(async move { ended.await.unwrap_or(()) }));
        until(&calls, 1).await;
        drop(end);
        timeout(Duration::from_secs(10), worker).await.expect("no end").unwrap().unwrap();
    }
    let calls = Calls::default();
    let seen = Arc::clone(&calls);
    let handler = move |event: StoredEvent| {
        seen.lock().unwrap().entry(event.key).or_default().push(1);
        async { Ok::<(), Failed>(()) }
    };
    let worker = Worker::new(name("test"), inbox.clone(), handler).with_settings(settings());
    let worker = tokio::spawn(worker.run(std::future::pending()));
    until(&calls, 1).await;
    worker.abort();
    let letters = inbox.dead_letters(letters_of("test", WhichLetters::All)).await.unwrap();
    assert_eq!(letters.len(), 0, "{letters:?}");
}

/// An event whose handler waits for somebody for longer than the server does stays with its worker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_long_is_not_handed_to_another() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    // Made by hand, or by an earlier version: it waits for too short a time, and gives up.
    let config = pull::Config {
        durable_name: Some("test".to_owned()),
        ack_wait: Duration::from_millis(200),
        max_deliver: 1,
        filter_subject: "aaa.event.>".to_owned(),
        ..pull::Config::default()
    };
    let stream = nats.client().await.get_stream("aaa").await.unwrap();
    stream.create_consumer(config).await.unwrap();
    inbox.commit(delivery(&favorites("7", &["1"]))).await.unwrap();
    let calls = Calls::default();
    let mut workers = Vec::new();
    let mut ends = Vec::new();
    for worker in 0..2 {
        let calls = Arc::clone(&calls);
        let handler = move |event: StoredEvent| {
            let mut calls = calls.lock().unwrap();
            let times = calls.entry(event.key).or_default();
            times.push(worker);
            let is_away = times.len() < 14;
            async move {
                sleep(Duration::from_millis(300)).await;
                if is_away { Err(Failed::unavailable("away")) } else { Ok(()) }
            }
        };
        let (end, ended) = oneshot::channel::<()>();
        ends.push(end);
        let worker = Worker::new(name("test"), inbox.clone(), handler).with_settings(settings());
        workers.push(tokio::spawn(worker.run(async move { ended.await.unwrap_or(()) })));
    }
    let handled = async {
        while calls.lock().unwrap().values().map(Vec::len).sum::<usize>() < 14 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, handled).await.expect("it is not handled");
    drop(ends);
    for worker in workers {
        timeout(PATIENCE, worker).await.unwrap().unwrap().unwrap();
    }
    let who = calls.lock().unwrap()["7/favorite_events:1"].clone();
    assert!(who.len() == 14 && who.iter().all(|worker| *worker == who[0]), "{who:?}");
    let info = stream.consumer_info("test").await.unwrap();
    assert_eq!((info.config.ack_wait, info.config.max_deliver), (Duration::from_secs(3), -1));
}

/// One of the same name that does something else is not used.
#[tokio::test]
async fn a_consumer_of_another_kind_is_refused() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    let stream = nats.client().await.get_stream("aaa").await.unwrap();
    let config = pull::Config {
        durable_name: Some("test".to_owned()),
        filter_subject: "aaa.event.other.>".to_owned(),
        ..pull::Config::default()
    };
    stream.create_consumer(config).await.unwrap();
    let handler = async |_: StoredEvent| Ok::<(), Failed>(());
    let worker = Worker::new(name("test"), inbox, handler);
    let ran = timeout(PATIENCE, worker.run(std::future::pending())).await.unwrap();
    insta::assert_snapshot!(ran.unwrap_err(), @"the NATS server is not fit: its stream `aaa` has a consumer `test` with another `filter_subject`: events would be handled twice or never; choose another name for the worker, or remove that consumer");
}

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

/// A worker dies with what it has; the other one gets that, and nothing else, a second time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_worker_had_comes_again() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    for n in 0..40 {
        inbox.commit(delivery(&favorites("7", &[&n.to_string()]))).await.unwrap();
    }
    let calls = Calls::default();
    let seen = Arc::clone(&calls);
    let hangs = move |event: StoredEvent| {
        seen.lock().unwrap().entry(event.key).or_default().push(0);
        std::future::pending::<Result<(), Failed>>()
    };
    let worker = Worker::new(name("test"), inbox.clone(), hangs).with_settings(settings());
    let worker = tokio::spawn(worker.run(std::future::pending()));
    until(&calls, 8).await;
    worker.abort();
    let _ = worker.await;
    let in_flight: Vec<String> = calls.lock().unwrap().keys().cloned().collect();

    let seen = Arc::clone(&calls);
    let handler = move |event: StoredEvent| {
        seen.lock().unwrap().entry(event.key).or_default().push(1);
        async { Ok::<(), Failed>(()) }
    };
    let worker = Worker::new(name("test"), inbox.clone(), handler).with_settings(settings());
    let worker = tokio::spawn(worker.run(std::future::pending()));
    let all = async {
        while calls.lock().unwrap().values().filter(|who| who.contains(&1)).count() < 40 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, all).await.unwrap();
    worker.abort();
    for (key, who) in &*calls.lock().unwrap() {
        let expected: &[usize] = if in_flight.contains(key) { &[0, 1] } else { &[1] };
        assert_eq!(who, expected, "{key}");
    }
}
