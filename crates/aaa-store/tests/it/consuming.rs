//! Consumers at work over real stores.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use aaa_store::{MemoryStore, SqliteBeside, SqliteStore};
use aaa_webhook::{
    consumer::{
        Consumer, ConsumerError, Cursor, Cursors, DeadLetterQuery, DeadLetters, Failed, Limits,
        RetryPolicy, Settings, Sink, StoredDelivery, Totals, WhichLetters,
    },
    inbox::{Inbox, StoredEvent},
};
use tokio::{sync::oneshot, time::timeout};

use crate::helper::{Directory, delivery, delivery_at, favorites, letters_of, name, now};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a handler was given.
type Calls = Arc<Mutex<Vec<StoredEvent>>>;

/// A consumer that is running.
struct Run {
    end: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Result<(), ConsumerError>>,
}

impl Run {
    async fn end(self) -> Result<(), ConsumerError> {
        self.end.send(()).unwrap();
        timeout(PATIENCE, self.task).await.expect("it does not end").unwrap()
    }
}

fn settings() -> Settings {
    let short = Duration::from_millis(10);
    Settings {
        retry: RetryPolicy { attempts: 3, first: short, longest: short },
        poll: Duration::from_millis(50),
        timeout: Duration::from_millis(300),
        ..Settings::default()
    }
}

/// Starts a consumer whose handler notes each call, then does what `fate` says.
fn start<F>(store: &SqliteStore, settings: Settings, calls: &Calls, fate: F) -> Run
where
    F: AsyncFate,
{
    let (calls, fate) = (Arc::clone(calls), Arc::new(fate));
    let handler = move |event: StoredEvent| {
        let (calls, fate) = (Arc::clone(&calls), Arc::clone(&fate));
        async move {
            calls.lock().unwrap().push(event.clone());
            fate.of(event).await
        }
    };
    let consumer = Consumer::new(name("test"), store.clone(), handler).with_settings(settings);
    let (end, ended) = oneshot::channel();
    let committed = store.subscribe();
    let ended = async { ended.await.unwrap_or(()) };
    Run { end, task: tokio::spawn(consumer.run(committed, ended)) }
}

/// What becomes of an event.
trait AsyncFate: Send + Sync + 'static {
    fn of(&self, event: StoredEvent) -> impl Future<Output = Result<(), Failed>> + Send;
}

impl<F, W> AsyncFate for F
where
    F: Fn(StoredEvent) -> W + Send + Sync + 'static,
    W: Future<Output = Result<(), Failed>> + Send,
{
    fn of(&self, event: StoredEvent) -> impl Future<Output = Result<(), Failed>> + Send {
        self(event)
    }
}

/// Waits until the only cursor is somewhere.
async fn cursor_at(store: &SqliteStore, seq: u64) -> Cursor {
    let reached = async {
        loop {
            if let Some((_, cursor)) = store.reader().cursors().await.unwrap().pop()
                && cursor.progress.cursor() == seq
            {
                return cursor;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, reached).await.expect("the cursor does not get there")
}

fn seqs(calls: &Calls) -> Vec<u64> {
    calls.lock().unwrap().iter().map(|event| event.seq).collect()
}

#[tokio::test]
async fn events_are_handled_once_over_restarts_and_stale_ones_never() {
    let directory = Directory::new();
    let store = directory.open();
    store.commit(delivery(&favorites("7", &["a", "b"]))).await.unwrap();
    let calls = Calls::default();
    let run = start(&store, settings(), &calls, |_| async { Ok(()) });
    cursor_at(&store, 2).await;
    // What comes while it is running wakes it.
    let old =
        r#"{"favorite_events":[{"id":"old","timestamp_ms":"1400000000000"}],"for_user_id":"7"}"#;
    store.commit(delivery_at(old, now())).await.unwrap();
    store.commit(delivery(&favorites("8", &["c"]))).await.unwrap();
    let cursor = cursor_at(&store, 4).await;
    assert_eq!(cursor.totals, Totals { handled: 3, stale: 1, dead: 0 });
    run.end().await.unwrap();

    store.commit(delivery(&favorites("8", &["d"]))).await.unwrap();
    let run = start(&store, settings(), &calls, |_| async { Ok(()) });
    cursor_at(&store, 5).await;
    run.end().await.unwrap();
    let mut handled = seqs(&calls);
    handled.sort_unstable();
    assert_eq!(handled, [1, 2, 4, 5]);
    store.close().await.unwrap();
}

/// One event is poison, one makes its handler hang, one makes it panic: the others go on, also
/// those of the same users.
#[tokio::test]
async fn poison_hangs_and_panics_become_dead_letters() {
    let directory = Directory::new();
    let store = directory.open();
    for (user, ids) in [
        ("1", ["poison", "a", "b"]),
        ("2", ["hang", "c", "d"]),
        ("3", ["panic", "e", "f"]),
        ("4", ["error", "g", "h"]),
    ] {
        store.commit(delivery(&favorites(user, &ids))).await.unwrap();
    }
    let calls = Calls::default();
    let fate = |event: StoredEvent| async move {
        match event.key.rsplit(':').next().unwrap() {
            "poison" => Err(Failed::poison("never")),
            "hang" => std::future::pending().await,
            "panic" => panic!("a bug in a handler"),
            "error" => Err(std::io::Error::other("broken").into()),
            _ => Ok(()),
        }
    };
    let run = start(&store, settings(), &calls, fate);
    let cursor = cursor_at(&store, 12).await;
    assert_eq!(cursor.totals, Totals { handled: 8, stale: 0, dead: 4 });
    let letters = store.dead_letters(letters_of("test", WhichLetters::All)).await.unwrap();
    let told: Vec<_> = letters
        .iter()
        .map(|l| format!("{} {} {}: {}", l.seq, l.key.as_deref().unwrap(), l.attempts, l.reason))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    1 1/favorite_events:poison 1: never
    4 2/favorite_events:hang 3: it took longer than 300ms
    7 3/favorite_events:panic 3: the handler panicked
    10 4/favorite_events:error 3: broken
    ");
    run.end().await.unwrap();

    // Somebody beside asks for two of them, and now they are handled.
    let mut beside = SqliteBeside::open(&directory.path).unwrap();
    assert_eq!(beside.redrive(&name("test"), 1..=4).unwrap(), 2);
    calls.lock().unwrap().clear();
    let run = start(&store, settings(), &calls, |_| async { Ok(()) });
    let settled = async {
        while store.dead_letters(letters_of("test", WhichLetters::All)).await.unwrap().len() > 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, settled).await.expect("they stay dead");
    // And one more, while the consumer is running.
    assert_eq!(beside.redrive(&name("test"), 7..=7).unwrap(), 1);
    let settled = async {
        while store.dead_letters(letters_of("test", WhichLetters::All)).await.unwrap().len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, settled).await.expect("it stays dead");
    run.end().await.unwrap();
    let mut handled = seqs(&calls);
    handled.sort_unstable();
    assert_eq!(handled, [1, 4, 7]);
    store.close().await.unwrap();
}

#[tokio::test]
async fn users_are_handled_side_by_side_and_each_in_order() {
    const EVENTS: u64 = 300;
    const FAILS: u64 = 22;
    let directory = Directory::new();
    let store = directory.open();
    let calls = Calls::default();
    // (now, most) of all, and of each user.
    let busy = Arc::new(Mutex::new((0_usize, 0_usize, HashMap::<String, usize>::new())));
    let limits = Limits { in_flight: 8, window: 50 };
    let fate = {
        let busy = Arc::clone(&busy);
        move |event: StoredEvent| {
            let busy = Arc::clone(&busy);
            async move {
                let user = event.for_user_id.clone().unwrap();
                {
                    let mut busy = busy.lock().unwrap();
                    busy.0 += 1;
                    busy.1 = busy.1.max(busy.0);
                    let of_user = busy.2.entry(user.clone()).or_default();
                    *of_user += 1;
                    assert_eq!(*of_user, 1, "two at once for user {user}");
                }
                for _ in 0..event.seq % 7 {
                    tokio::task::yield_now().await;
                }
                let mut busy = busy.lock().unwrap();
                busy.0 -= 1;
                *busy.2.get_mut(&user).unwrap() -= 1;
                // Now and then something fails, also if a check above did.
                if event.seq.is_multiple_of(FAILS) { Err(Failed::again("no")) } else { Ok(()) }
            }
        }
    };
    let run = start(&store, Settings { limits, ..settings() }, &calls, fate);
    for n in 0..EVENTS {
        let user = (n * n % 13).to_string();
        store.commit(delivery(&favorites(&user, &[&n.to_string()]))).await.unwrap();
    }
    let cursor = cursor_at(&store, EVENTS).await;
    run.end().await.unwrap();
    let dead = EVENTS / FAILS;
    assert_eq!(cursor.totals, Totals { handled: EVENTS - dead, stale: 0, dead });
    let most = busy.lock().unwrap().1;
    assert!((2..=8).contains(&most), "{most} at once");
    let mut last: HashMap<Option<String>, u64> = HashMap::new();
    for event in calls.lock().unwrap().iter() {
        let last = last.entry(event.for_user_id.clone()).or_default();
        assert!(*last <= event.seq, "{} after {last}", event.seq);
        *last = event.seq;
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_second_consumer_of_the_name_takes_over() {
    let directory = Directory::new();
    let store = directory.open();
    let calls = Calls::default();
    let first = start(&store, settings(), &calls, |_| async { Ok(()) });
    store.commit(delivery(&favorites("7", &["a"]))).await.unwrap();
    cursor_at(&store, 1).await;
    let second = start(&store, settings(), &calls, |_| async { Ok(()) });
    store.commit(delivery(&favorites("7", &["b"]))).await.unwrap();
    cursor_at(&store, 2).await;
    // The first one cannot save, whether it has handled the event or not.
    let error = timeout(PATIENCE, first.task).await.unwrap().unwrap().unwrap_err();
    insta::assert_snapshot!(error, @"another consumer `test` was started and has taken over: run one of each name only");
    second.end().await.unwrap();
    store.close().await.unwrap();
}

/// As long as nothing can be noted, no more is handled than may come again after a crash.
#[tokio::test]
async fn a_store_that_cannot_note_anything_is_waited_for() {
    let directory = Directory::new();
    let store = directory.open();
    for user in 0..20 {
        store.commit(delivery(&favorites(&user.to_string(), &["a"]))).await.unwrap();
    }
    let broken = "CREATE TRIGGER broken BEFORE UPDATE OF cursor ON cursors \
                  BEGIN SELECT raise(ABORT, 'broken'); END";
    directory.sqlite().execute_batch(broken).unwrap();
    let calls = Calls::default();
    let limits = Limits { in_flight: 4, window: 50 };
    let run = start(&store, Settings { limits, ..settings() }, &calls, |_| async { Ok(()) });
    let stuck = async {
        while calls.lock().unwrap().len() < 4 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, stuck).await.expect("nothing is handled");
    // Deliveries are stored nevertheless, and wake the consumer in vain.
    store.commit(delivery(&favorites("20", &["a"]))).await.unwrap();
    assert_eq!(seqs(&calls).len(), 4);
    directory.sqlite().execute_batch("DROP TRIGGER broken").unwrap();
    let cursor = cursor_at(&store, 21).await;
    assert_eq!(cursor.totals, Totals { handled: 21, stale: 0, dead: 0 });
    run.end().await.unwrap();
    let mut handled = seqs(&calls);
    handled.sort_unstable();
    assert_eq!(handled, (1..=21).collect::<Vec<_>>());
    store.close().await.unwrap();
}

/// A page of events may end in the middle of a delivery, which stays whole all the same.
#[tokio::test]
async fn a_sink_gets_whole_deliveries() {
    struct Noted(Arc<Mutex<Vec<(u64, u64)>>>);
    impl Sink for Noted {
        async fn send(&self, delivery: StoredDelivery) -> Result<(), Failed> {
            let span = (delivery.first().seq, delivery.last().seq);
            self.0.lock().unwrap().push(span);
            Ok(())
        }
    }
    let directory = Directory::new();
    let store = directory.open();
    let mut expected = Vec::new();
    for n in 0..20_u64 {
        let ids: Vec<_> = (0..100).map(|item| format!("{n}-{item}")).collect();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        store.commit(delivery(&favorites("7", &ids))).await.unwrap();
        expected.push((n * 100 + 1, n * 100 + 100));
    }
    let noted = Arc::default();
    let sink = Noted(Arc::clone(&noted));
    let consumer = Consumer::of_deliveries(name("test"), store.clone(), sink);
    let (end, ended) = oneshot::channel::<()>();
    let task = tokio::spawn(consumer.run(store.subscribe(), async { ended.await.unwrap_or(()) }));
    cursor_at(&store, 2000).await;
    drop(end);
    timeout(PATIENCE, task).await.unwrap().unwrap().unwrap();
    assert_eq!(*noted.lock().unwrap(), expected);
    store.close().await.unwrap();
}

/// The downstream is away for an hour, of the runtime's time; then everything arrives, in order.
#[tokio::test(start_paused = true)]
async fn an_hour_without_a_downstream() {
    let store = Arc::new(MemoryStore::default());
    let calls = Calls::default();
    let attempts = Arc::new(AtomicU64::new(0));
    let away = Arc::new(AtomicBool::new(true));
    let handler = {
        let (calls, attempts, away) =
            (Arc::clone(&calls), Arc::clone(&attempts), Arc::clone(&away));
        move |event: StoredEvent| {
            let (calls, attempts, away) =
                (Arc::clone(&calls), Arc::clone(&attempts), Arc::clone(&away));
            async move {
                attempts.fetch_add(1, Ordering::Relaxed);
                if away.load(Ordering::Relaxed) {
                    return Err(Failed::unavailable("connection refused"));
                }
                calls.lock().unwrap().push(event);
                Ok(())
            }
        }
    };
    let limits = Limits { in_flight: 4, window: 64 };
    let settings = Settings { limits, ..Settings::default() };
    let consumer = Consumer::new(name("test"), Arc::clone(&store), handler).with_settings(settings);
    let (end, ended) = oneshot::channel::<()>();
    let task = tokio::spawn(consumer.run(store.subscribe(), async { ended.await.unwrap_or(()) }));
    for n in 0..3600_u64 {
        store.commit(delivery(&favorites(&(n % 3).to_string(), &[&n.to_string()]))).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(calls.lock().unwrap().len(), 0);
    away.store(false, Ordering::Relaxed);
    let all_there = async {
        while store.cursors().await.unwrap()[0].1.progress.cursor() < 3600 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    timeout(Duration::from_secs(120), all_there).await.expect("it takes too long to come back");
    drop(end);
    task.await.unwrap().unwrap();
    for user in ["0", "1", "2"] {
        let calls = calls.lock().unwrap();
        let of_user = calls.iter().filter(|event| event.for_user_id.as_deref() == Some(user));
        let of_user: Vec<_> = of_user.map(|event| event.seq).collect();
        assert_eq!(of_user.len(), 1200);
        assert!(of_user.is_sorted_by(|a, b| a < b));
    }
    // Three users, tried about every half minute at worst.
    let attempts = attempts.load(Ordering::Relaxed);
    assert!((3600 + 3 * 120..3600 + 3 * 260).contains(&attempts), "{attempts}");
    assert_eq!(store.dead_letters(letters_of("test", WhichLetters::All)).await.unwrap(), []);
}

/// Hundreds of one user's dead letters wait for somebody who is away; another user's does not.
#[tokio::test]
async fn redriven_letters_of_one_user_do_not_hide_those_of_another() {
    let directory = Directory::new();
    let store = directory.open();
    let ids: Vec<_> = (0..300).map(|n| n.to_string()).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    store.commit(delivery(&favorites("7", &ids))).await.unwrap();
    store.commit(delivery(&favorites("8", &["last"]))).await.unwrap();
    let calls = Calls::default();
    let run = start(&store, settings(), &calls, |_| async { Err(Failed::poison("no")) });
    cursor_at(&store, 301).await;
    run.end().await.unwrap();
    calls.lock().unwrap().clear();

    assert_eq!(store.redrive(&name("test"), 1..=301).await.unwrap(), 301);
    let fate = |event: StoredEvent| async move {
        if event.seq == 301 { Ok(()) } else { Err(Failed::unavailable("away")) }
    };
    let run = start(&store, settings(), &calls, fate);
    let settled = async {
        let letters = DeadLetterQuery { after: 300, ..letters_of("test", WhichLetters::All) };
        while !store.dead_letters(letters.clone()).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, settled).await.expect("the other user waits");
    run.end().await.unwrap();
    store.close().await.unwrap();
}
