//! Workers that share what there is to do.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use aaa_store::jetstream::{JetStreamInbox, Worker, WorkerSettings};
use aaa_webhook::{
    consumer::{DeadLetter, DeadLetters, Failed, RetryPolicy, WhichLetters},
    inbox::{Inbox, StoredEvent},
};
use async_nats::jetstream::consumer::{self, pull};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{
    nats::{Nats, PATIENCE},
    way::Way,
};
use crate::helper::{delivery, favorites, letters_of, name};

const EVENTS: usize = 200;

/// How often each event was handled, by which worker.
pub(super) type Calls = Arc<Mutex<HashMap<String, Vec<usize>>>>;

pub(super) fn settings() -> WorkerSettings {
    let retry = RetryPolicy {
        attempts: 3,
        first: Duration::from_millis(10),
        longest: Duration::from_millis(50),
    };
    WorkerSettings { in_flight: 8, retry, timeout: Duration::from_secs(1) }
}

/// Waits until the dead letters are as they should be, and returns them.
pub(super) async fn letters_until(
    inbox: &JetStreamInbox,
    is_so: impl Fn(&[DeadLetter]) -> bool,
) -> Vec<DeadLetter> {
    let reached = async {
        loop {
            let letters = inbox.dead_letters(letters_of("test", WhichLetters::All)).await.unwrap();
            if is_so(&letters) {
                return letters;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, reached).await.expect("the dead letters are others")
}

/// What is kept of a worker, as it stands in the bucket.
async fn kept(nats: &Nats, worker: &str) -> String {
    let stream = nats.client().await.get_stream("KV_aaa-ledger").await.unwrap();
    let subject = format!("$KV.aaa-ledger.consumer.{worker}");
    let found = stream.get_last_raw_message_by_subject(&subject).await.unwrap();
    String::from_utf8(found.payload.to_vec()).unwrap()
}

/// Until there are as many events as that.
pub(super) async fn until(calls: &Calls, wanted: usize) {
    let reached = async {
        while calls.lock().unwrap().len() < wanted {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, reached).await.expect("not everything is handled");
}

/// Has workers give an event back as often as that, since what they need is away.
pub(super) async fn given_back(inbox: &JetStreamInbox, times: usize) {
    for _ in 0..times {
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
    given_back(&inbox, 5).await;
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
    let refused = async |config: pull::Config| {
        let config = pull::Config { durable_name: Some("test".to_owned()), ..config };
        stream.create_consumer(config).await.unwrap();
        let handler = async |_: StoredEvent| Ok::<(), Failed>(());
        let worker = Worker::new(name("test"), inbox.clone(), handler);
        let ran = timeout(PATIENCE, worker.run(std::future::pending())).await.unwrap();
        stream.delete_consumer("test").await.unwrap();
        ran.unwrap_err()
    };
    let bare = pull::Config {
        filter_subject: "aaa.event.>".to_owned(),
        headers_only: true,
        ..pull::Config::default()
    };
    insta::assert_snapshot!(refused(bare).await, @"the NATS server is not fit: its stream `aaa` has a consumer `test` with `headers_only`: events would be handled twice or never; choose another name for the worker, or remove that consumer");
    let other =
        pull::Config { filter_subject: "aaa.event.other.>".to_owned(), ..pull::Config::default() };
    insta::assert_snapshot!(refused(other).await, @"the NATS server is not fit: its stream `aaa` has a consumer `test` with another `filter_subject`: events would be handled twice or never; choose another name for the worker, or remove that consumer");
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

/// The server does not hear that an event was handled: it is handled again, and that some had given
/// it back before still counts for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_that_is_lost_is_no_failure() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    inbox.commit(delivery(&favorites("7", &["1"]))).await.unwrap();
    given_back(&inbox, 5).await;
    assert!(kept(&nats, "test").await.contains(r#""excused":{"1":5}"#));

    let way = Way::to(&nats, "+ACK");
    let inbox = JetStreamInbox::open(&way.url(), nats.settings()).await.unwrap();
    let calls = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&calls);
    let handler = move |_: StoredEvent| {
        count.fetch_add(1, SeqCst);
        async { Ok::<(), Failed>(()) }
    };
    let worker = Worker::new(name("test"), inbox.clone(), handler).with_settings(settings());
    let worker = tokio::spawn(worker.run(std::future::pending()));
    let forgotten = async {
        while kept(&nats, "test").await.contains("excused") {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, forgotten).await.expect("it does not come to an end");
    worker.abort();
    assert!(way.was_cut());
    assert_eq!(calls.load(SeqCst), 2);
    letters_until(&inbox, <[_]>::is_empty).await;
    let stream = nats.client().await.get_stream("aaa").await.unwrap();
    assert_eq!(stream.consumer_info("test").await.unwrap().num_ack_pending, 0);
}

/// What the server hands over when a worker has to end is given back with one write, also when it
/// fails with what it was asked for. On one thread, so that nothing comes between the end and what
/// is sent then.
#[tokio::test]
async fn what_comes_at_last_is_given_back_at_once() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    let client = nats.client().await;
    let stream = client.get_stream("aaa").await.unwrap();
    let writes = async || {
        let bucket = client.get_stream("KV_aaa-ledger").await.unwrap();
        bucket.cached_info().state.last_sequence
    };
    let ids = ["1", "2", "3", "4", "5", "6", "7", "8"];
    // A server that has just said that there is nothing hands over nothing.
    for n in 0..20 {
        let (own, user) = (format!("test-{n}"), n.to_string());
        let (end, ended) = oneshot::channel::<()>();
        let (heard, hears) = oneshot::channel();
        let settings = WorkerSettings { in_flight: 16, ..settings() };
        let handler = async |_: StoredEvent| Ok::<(), Failed>(());
        let worker = Worker::new(name(&own), inbox.clone(), handler).with_settings(settings);
        let worker = tokio::spawn(worker.run(async move {
            let _ = ended.await;
            let _ = heard.send(());
        }));
        let info = async || stream.consumer_info(&own).await;
        let waits = async {
            let is_idle = |info: &consumer::Info| {
                info.num_waiting > 0 && info.num_pending == 0 && info.num_ack_pending == 0
            };
            while !info().await.as_ref().is_ok_and(is_idle) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, waits).await.expect("it does not wait for events");
        drop(end);
        hears.await.unwrap();
        let before = writes().await;
        inbox.commit(delivery(&favorites(&user, &ids))).await.unwrap();
        let handed = async {
            while info().await.unwrap().num_ack_pending < ids.len() {
                if worker.is_finished() {
                    return false;
                }
                sleep(Duration::from_millis(5)).await;
            }
            true
        };
        let handed = timeout(PATIENCE, handed).await.unwrap();
        stream.delete_consumer(&own).await.unwrap();
        timeout(PATIENCE, worker).await.expect("no end").unwrap().unwrap();
        if handed {
            assert_eq!(writes().await - before, 1);
            let kept = kept(&nats, &own).await;
            let first = n * ids.len() + 1;
            for seq in first..first + ids.len() {
                assert!(kept.contains(&format!(r#""{seq}":1"#)), "{seq}: {kept}");
            }
            return;
        }
    }
    unreachable!("nothing came at last");
}

/// While a server of a cluster is replaced, nobody hears that an event is done. That is no
/// acknowledgement: whoever gets the event next has to know how often it was tried in earnest.
#[tokio::test]
async fn what_nobody_heard_is_not_acknowledged() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    inbox.commit(delivery(&favorites("7", &["1"]))).await.unwrap();
    given_back(&inbox, 1).await;
    assert!(kept(&nats, "test").await.contains("excused"));
    let (had, has) = oneshot::channel();
    let (release, released) = oneshot::channel::<()>();
    let once = Arc::new(Mutex::new(Some((had, released))));
    let handler = move |_: StoredEvent| {
        let once = once.lock().unwrap().take();
        async move {
            if let Some((had, released)) = once {
                had.send(()).unwrap();
                let _ = released.await;
            }
            Ok::<(), Failed>(())
        }
    };
    let (end, ended) = oneshot::channel::<()>();
    let settings = WorkerSettings { timeout: Duration::from_secs(60), ..settings() };
    let worker = Worker::new(name("test"), inbox.clone(), handler).with_settings(settings);
    let worker = tokio::spawn(worker.run(async move { ended.await.unwrap_or(()) }));
    timeout(PATIENCE, has).await.expect("it is not handled").unwrap();
    let stream = nats.client().await.get_stream("aaa").await.unwrap();
    stream.delete_consumer("test").await.unwrap();
    drop(end);
    release.send(()).unwrap();
    timeout(PATIENCE, worker).await.expect("no end").unwrap().unwrap();
    assert!(kept(&nats, "test").await.contains("excused"));
}
