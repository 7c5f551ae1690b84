//! Consumers at work over a store in memory, on the runtime's clock, which stands still while
//! anything is left to be done.

mod store;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aaa_webhook::{
    consumer::{
        Consumer, ConsumerError, Cursor, CursorError, Cursors, DeadLetters, Failed, Limits,
        RetryPolicy, Settings, Sink, StoredDelivery, Totals, Trial,
    },
    inbox::{InboxError, StoredEvent},
};
use bytes::Bytes;
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tracing::Level;

use self::store::{Store, event};
use crate::support::Log;

/// A time in which everything is done that can be.
const WHILE: Duration = Duration::from_secs(10);

/// When a handler was given what.
type Calls = Arc<Mutex<Vec<(Duration, u64)>>>;

fn settings() -> Settings {
    let second = Duration::from_secs(1);
    Settings {
        retry: RetryPolicy { attempts: 2, first: second, longest: second },
        ..Settings::default()
    }
}

/// A consumer that is running.
struct Run {
    calls: Calls,
    end: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ConsumerError>>,
}

#[expect(clippy::disallowed_methods, reason = "the runtime's clock, which the test turns")]
fn instant() -> Instant {
    Instant::now()
}

impl Run {
    /// Starts one whose handler notes each call, then does what `fate` says.
    fn start<F, W>(store: &Store, settings: Settings, fate: F) -> Self
    where
        F: Fn(StoredEvent) -> W + Send + Sync + 'static,
        W: Future<Output = Result<(), Failed>> + Send,
    {
        let calls = Calls::default();
        let (noted, begun) = (Arc::clone(&calls), instant());
        let handler = move |event: StoredEvent| {
            noted.lock().unwrap().push((begun.elapsed(), event.seq));
            fate(event)
        };
        let name = "test".parse().unwrap();
        let consumer = Consumer::new(name, store.clone(), handler).with_settings(settings);
        let (end, ended) = oneshot::channel();
        let ended = async { ended.await.unwrap_or(()) };
        Self { calls, end, task: tokio::spawn(consumer.run(store.subscribe(), ended)) }
    }

    /// Says that it is to end, and returns how long that took.
    async fn end(self) -> Duration {
        let begun = instant();
        self.end.send(()).unwrap();
        self.task.await.unwrap().unwrap();
        begun.elapsed()
    }

    fn seqs(&self) -> Vec<u64> {
        self.calls.lock().unwrap().iter().map(|(_, seq)| *seq).collect()
    }
}

async fn fine(_: StoredEvent) -> Result<(), Failed> {
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_event_is_handled_once_and_stale_ones_are_counted() {
    let store = Store::default();
    let stale = |seq| StoredEvent { stale: true, ..event(seq, "7", 1) };
    store.put([event(1, "7", 1), stale(2), stale(3), event(4, "8", 2)]);
    let run = Run::start(&store, settings(), fine);
    sleep(WHILE).await;
    assert_eq!(run.seqs(), [1, 4]);
    // What comes while it runs is handled at once.
    store.commit([event(5, "7", 3)]);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(run.seqs(), [1, 4, 5]);
    assert_eq!(run.end().await, Duration::ZERO);
    let cursor = store.state().cursor.clone();
    assert_eq!(cursor.totals, Totals { handled: 3, stale: 2, dead: 0 });
    assert_eq!((cursor.progress.cursor(), cursor.deaths), (5, 0));

    // The next one goes on behind them; a new one begins where it is told to.
    store.put([event(6, "7", 4)]);
    let run = Run::start(&store, settings(), fine);
    sleep(WHILE).await;
    assert_eq!(run.seqs(), [6]);
    run.end().await;
    store.state().cursor = Cursor::default();
    let run = Run::start(&store, Settings { start: 4, ..settings() }, fine);
    sleep(WHILE).await;
    assert_eq!(run.seqs(), [5, 6]);
    run.end().await;
}

/// Without an end nothing says that the run did not die, and with one that is noted.
#[tokio::test(start_paused = true)]
async fn a_run_counts_as_a_death_until_it_ends() {
    let store = Store::default();
    store.put([event(1, "7", 1)]);
    let run = Run::start(&store, settings(), fine);
    sleep(WHILE).await;
    let cursor = store.state().cursor.clone();
    assert_eq!((cursor.progress.cursor(), cursor.deaths), (1, 1));
    run.end().await;
    assert_eq!(store.state().cursor.deaths, 0);
}

/// Nobody tells of the events of other processes, so they are looked for, and not more often than
/// is wanted.
#[tokio::test(start_paused = true)]
async fn what_nobody_tells_is_looked_for_now_and_then() {
    let store = Store::default();
    let poll = Duration::from_secs(3);
    let run = Run::start(&store, Settings { poll, ..settings() }, fine);
    sleep(Duration::from_millis(500)).await;
    store.put([event(1, "7", 1)]);
    store.state().queries.clear();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(run.calls.lock().unwrap().as_slice(), [(poll, 1)]);
    let looks = store.state().queries.len();
    assert!((20..=22).contains(&looks), "{looks}");
    run.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_and_then_a_dead_letter() {
    let store = Store::default();
    store.put([event(1, "1", 1), event(2, "2", 2), event(3, "3", 3), event(4, "4", 4)]);
    let fate = |event: StoredEvent| async move {
        match event.seq {
            1 => Err(std::io::Error::other("broken").into()),
            2 => panic!("a bug in a handler"),
            3 => std::future::pending().await,
            _ => Err(Failed::poison("never")),
        }
    };
    let run = Run::start(&store, settings(), fate);
    sleep(Duration::from_secs(100)).await;
    let letters: Vec<_> = store
        .state()
        .dead
        .values()
        .map(|letter| format!("{} {}: {}", letter.seq, letter.attempts, letter.reason))
        .collect();
    insta::assert_snapshot!(letters.join("\n"), @r"
    1 2: broken
    2 2: the handler panicked
    3 2: it took longer than 30s
    4 1: never
    ");
    // The pause of a second may be shorter by a half.
    let again: Vec<_> = {
        let calls = run.calls.lock().unwrap();
        calls.iter().filter(|(_, seq)| *seq == 1).map(|(at, _)| *at).collect()
    };
    let pause = again[1] - again[0];
    assert!((500..=1001).contains(&pause.as_millis()), "{pause:?}");
    run.end().await;
}

/// A dead letter is handled once more when somebody wants it, in its user's turn; without its event
/// it stays one, and says why.
#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_handled_once_more() {
    let store = Store::default();
    store.put((1..=3).map(|seq| event(seq, "7", seq)));
    let run = Run::start(&store, settings(), |_| async { Err(Failed::poison("no")) });
    sleep(WHILE).await;
    run.end().await;
    assert_eq!(store.state().dead.len(), 3);

    // The first event is not stored any more; the one behind it is.
    store.state().events.remove(&1);
    store.put([event(4, "7", 4)]);
    let hour = Duration::from_secs(3600);
    let fate = move |event: StoredEvent| async move {
        if event.seq == 4 {
            sleep(hour).await;
        }
        Ok(())
    };
    let run = Run::start(&store, Settings { timeout: 2 * hour, ..settings() }, fate);
    sleep(WHILE).await;
    store.state().queries.clear();
    let name = "test".parse().unwrap();
    assert_eq!(store.redrive(&name, 1..=2).await.unwrap(), 2);
    sleep(WHILE).await;
    // It waits for the one that is handled.
    assert_eq!(run.seqs(), [4]);
    assert!(store.state().queries.contains(&(1, 1)), "one event is looked for");
    sleep(hour).await;
    assert_eq!(run.seqs(), [4, 2]);
    let left: Vec<_> = {
        let state = store.state();
        state.dead.values().map(|letter| (letter.seq, letter.reason.clone())).collect()
    };
    let gone = "its event is not stored any more".to_owned();
    assert_eq!(left, [(1, gone), (3, "no".to_owned())]);
    run.end().await;
}

/// What was removed between reading and handling is no failure.
#[tokio::test(start_paused = true)]
async fn what_was_removed_meanwhile_is_passed_over() {
    let store = Store::default();
    let large = |seq| StoredEvent { body: large_body(), ..event(seq, "7", seq) };
    store.put((1..=3).map(large));
    let (first, gate) = oneshot::channel::<()>();
    let gate = Arc::new(Mutex::new(Some(gate)));
    let fate = move |_| {
        let gate = gate.lock().unwrap().take();
        async move {
            if let Some(gate) = gate {
                gate.await.unwrap();
            }
            Ok(())
        }
    };
    let run = Run::start(&store, settings(), fate);
    sleep(WHILE).await;
    store.state().events.remove(&3);
    first.send(()).unwrap();
    sleep(WHILE).await;
    assert_eq!(run.seqs(), [1, 2]);
    assert_eq!(store.state().cursor.totals, Totals { handled: 3, stale: 0, dead: 0 });
    run.end().await;
}

fn large_body() -> Bytes {
    Bytes::from(vec![b' '; 5 * 1024 * 1024])
}

/// Notes which events came together.
#[derive(Clone, Default)]
struct Together {
    seen: Arc<Mutex<Vec<Vec<u64>>>>,
    /// The event with which it fails, once.
    fails: Arc<Mutex<Option<u64>>>,
}

impl Sink for Together {
    async fn send(&self, delivery: StoredDelivery) -> Result<(), Failed> {
        let seqs: Vec<_> = delivery.events().map(|event| event.seq).collect();
        let fails = self.fails.lock().unwrap().take_if(|seq| seqs.contains(seq)).is_some();
        self.seen.lock().unwrap().push(seqs);
        if fails { Err(Failed::again("not now")) } else { Ok(()) }
    }
}

async fn deliveries(store: &Store, fails: Option<u64>) -> Vec<Vec<u64>> {
    let sink = Together { fails: Arc::new(Mutex::new(fails)), ..Together::default() };
    let name = "test".parse().unwrap();
    let consumer = Consumer::of_deliveries(name, store.clone(), Arc::new(sink.clone()))
        .with_settings(settings());
    let (end, ended) = oneshot::channel::<()>();
    let ended = async { ended.await.unwrap_or(()) };
    let task = tokio::spawn(consumer.run(store.subscribe(), ended));
    sleep(WHILE).await;
    end.send(()).unwrap();
    task.await.unwrap().unwrap();
    let together = sink.seen.lock().unwrap();
    together.clone()
}

/// A page of 256 events ends in the middle of the third delivery; what is larger than a page comes
/// in parts.
#[tokio::test(start_paused = true)]
async fn a_sink_gets_whole_deliveries() {
    let store = Store::default();
    store.put((1..=300).map(|seq| event(seq, "7", seq.div_ceil(100))));
    store.put((301..=1000).map(|seq| event(seq, "7", 9)));
    let mut expected: Vec<Vec<u64>> =
        vec![(1..=100).collect(), (101..=200).collect(), (201..=300).collect()];
    expected.extend([(301..=556).collect(), (557..=812).collect(), (813..=1000).collect()]);
    assert_eq!(deliveries(&store, None).await, expected);
    assert_eq!(store.state().cursor.progress.cursor(), 1000);
}

/// What fails does not bring back what came before it, whether events or deliveries are handled.
#[tokio::test(start_paused = true)]
async fn each_fails_alone() {
    let store = Store::default();
    store.put((1..=6).map(|seq| event(seq, "7", seq.div_ceil(2))));
    let expected = [vec![1, 2], vec![3, 4], vec![3, 4], vec![5, 6]];
    assert_eq!(deliveries(&store, Some(3)).await, expected);

    let store = Store::default();
    store.put([event(1, "7", 1), event(2, "7", 1), event(3, "7", 1)]);
    let fails = Arc::new(Mutex::new(Some(2)));
    let run = Run::start(&store, settings(), move |event| {
        let fails = fails.lock().unwrap().take_if(|seq| *seq == event.seq).is_some();
        async move { if fails { Err(Failed::again("not now")) } else { Ok(()) } }
    });
    sleep(WHILE).await;
    assert_eq!(run.seqs(), [1, 2, 2, 3]);
    run.end().await;
}

/// What finds no room in memory is read again, and stays together; what another user's event has
/// put between is not taken along.
#[tokio::test(start_paused = true)]
async fn a_large_delivery_is_read_again() {
    let store = Store::default();
    let large = |seq, delivery| StoredEvent { body: large_body(), ..event(seq, "7", delivery) };
    store.put([event(1, "7", 1), event(2, "7", 1)]);
    store.put([large(3, 2), large(4, 2), large(5, 3), large(6, 3), large(7, 3)]);
    let stale = StoredEvent { stale: true, ..large(8, 3) };
    store.put([stale, large(9, 3)]);
    let together = deliveries(&store, None).await;
    assert_eq!(together, [vec![1, 2], vec![3, 4], vec![5, 6, 7, 9]]);
    assert_eq!(store.state().cursor.totals, Totals { handled: 8, stale: 1, dead: 0 });
}

#[tokio::test(start_paused = true)]
async fn what_runs_may_end_in_its_time() {
    for (takes, is_done, lasts) in [(3, true, 2), (60, false, 5)] {
        let store = Store::default();
        store.put([event(1, "7", 1), event(2, "7", 2)]);
        let fate = move |_| async move {
            sleep(Duration::from_secs(takes)).await;
            Ok(())
        };
        let retry = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
        let settings = Settings { retry, timeout: Duration::from_secs(100), ..settings() };
        let run = Run::start(&store, settings, fate);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(run.seqs(), [1]);
        let calls = Arc::clone(&run.calls);
        let lasted = run.end().await.as_secs();
        assert_eq!(lasted, lasts, "{takes}");
        // The second does not begin any more.
        assert_eq!(calls.lock().unwrap().len(), 1);
        let state = store.state();
        assert_eq!(state.cursor.progress.cursor(), u64::from(is_done));
        // Nobody let it end, which is no fault of it.
        assert_eq!((state.dead.len(), state.cursor.deaths), (0, 0));
    }
}

/// A store that does not come back in time does not hold up the end.
#[tokio::test(start_paused = true)]
async fn a_store_that_stays_away_does_not_hold_up_the_end() {
    let store = Store::default();
    store.put([event(1, "7", 1)]);
    let away = CursorError::Unavailable("away".to_owned());
    store.state().saving = vec![away; 1000].into();
    let run = Run::start(&store, settings(), fine);
    sleep(WHILE).await;
    assert_eq!(run.end().await.as_secs(), 6);
    assert_eq!(store.state().cursor.progress.cursor(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_asked_again() {
    let log = Log::default();
    let _listening = log.listen(Level::INFO);
    let store = Store::default();
    store.put([event(1, "7", 1)]);
    let away = CursorError::Unavailable("away".to_owned());
    store.state().opening = vec![away.clone(); 2].into();
    store.state().saving = vec![away; 2].into();
    store.state().reading = vec![InboxError::Unavailable("a bad page".to_owned())].into();
    let run = Run::start(&store, settings(), fine);
    sleep(WHILE).await;
    assert_eq!(run.seqs(), [1]);
    assert_eq!(store.state().cursor.progress.cursor(), 1);
    run.end().await;
    let text = log.text();
    assert_eq!(text.matches("the store fails; trying again").count(), 4, "{text}");
    assert_eq!(text.matches("events cannot be read; trying again").count(), 1, "{text}");
    assert!(!text.contains("the process died"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_waited_out_ends_the_run() {
    for (error, told) in [
        (
            CursorError::Taken,
            "another consumer `test` was started and has taken over: run one of each name only",
        ),
        (CursorError::Closed, "the store was closed before the consumer `test` had ended"),
    ] {
        for opening in [true, false] {
            let store = Store::default();
            store.put([event(1, "7", 1)]);
            {
                let mut state = store.state();
                let failing = if opening { &mut state.opening } else { &mut state.saving };
                failing.push_back(error.clone());
            }
            let run = Run::start(&store, settings(), fine);
            assert_eq!(run.task.await.unwrap().unwrap_err().to_string(), told);
        }
    }
}

/// While a store cannot be opened, the end is not waited for either.
#[tokio::test(start_paused = true)]
async fn it_ends_although_it_never_began() {
    let store = Store::default();
    store.state().opening = vec![CursorError::Unavailable("away".to_owned()); 1000].into();
    let run = Run::start(&store, settings(), fine);
    sleep(WHILE).await;
    assert_eq!(run.end().await, Duration::ZERO);
}

/// When the process died twice, what may have been the reason is handled alone, after it was noted;
/// what it died of twice is given up. It is told once.
#[tokio::test(start_paused = true)]
async fn what_the_process_died_of_becomes_a_dead_letter() {
    let log = Log::default();
    let _listening = log.listen(Level::INFO);
    let store = Store::default();
    store.put([event(1, "7", 1), event(2, "8", 2), event(3, "9", 3)]);
    store.state().cursor =
        Cursor { deaths: 3, trial: Some(Trial { seq: 1, deaths: 2 }), ..Cursor::default() };
    let run = Run::start(&store, settings(), |_| async {
        sleep(Duration::from_secs(1)).await;
        Ok(())
    });
    sleep(WHILE).await;
    let calls: Vec<_> = {
        let calls = run.calls.lock().unwrap();
        calls.iter().map(|(at, seq)| (at.as_secs(), *seq)).collect()
    };
    assert_eq!(calls, [(0, 2), (1, 3)], "one after another");
    let letter = store.state().dead[&1].clone();
    assert_eq!(letter.reason, "the process died while handling it (2 times)");
    // What comes now was never handled, and is handled as usual.
    store.commit([event(4, "7", 4), event(5, "8", 5)]);
    sleep(WHILE).await;
    run.end().await;
    let text = log.text();
    assert_eq!(text.matches("the process died again and again").count(), 1, "{text}");
    assert_eq!(text.matches("the process died of an event").count(), 1, "{text}");
}

/// As long as nothing can be noted, no more is begun than may come again.
#[tokio::test(start_paused = true)]
async fn what_is_not_noted_is_in_flight() {
    let store = Store::default();
    store.put((1..=20).map(|seq| event(seq, &seq.to_string(), seq)));
    store.state().saving = vec![CursorError::Unavailable("away".to_owned()); 20].into();
    let limits = Limits { in_flight: 4, window: 50 };
    let run = Run::start(&store, Settings { limits, ..settings() }, fine);
    sleep(WHILE).await;
    assert_eq!(run.seqs(), [1, 2, 3, 4]);
    sleep(2 * WHILE).await;
    assert_eq!(run.seqs(), (1..=20).collect::<Vec<_>>());
    assert_eq!(store.cursors().await.unwrap()[0].1.totals.handled, 20);
    run.end().await;
}
