use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use aaa_client::{ApiUrl, Client, ClientBuilder, Transport};
use aaa_replay::{
    coverage::{Heartbeat, RunId, Tally},
    driver::{Driver, Pace, Target, TargetError, XClock, heartbeats},
    engine::{Health, Settings},
    ledger::{Holder, Ledger, Role, Seen},
    plan::Limits,
};
use aaa_types::payload::ReplayJobStatus;
use bytes::Bytes;
use http::Response;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};

use crate::support::{Counted, FakeX, Journal, MemoryLedger, Silent};

/// What X's clock says in these tests; the local one says something else.
const DATE: &str = "Sat, 22 Nov 2025 12:00:00 GMT";
const HEALTH: Health = health(0);

const fn health(refusals: u64) -> Health {
    let tally = Tally { refusals, verified: 0, rejected: 0, arrived: 0 };
    Health::new(RunId(2), tally)
}

/// Two runs with ten minutes between them, two hours before [`DATE`].
fn heartbeats_of_two_runs() -> Vec<Heartbeat> {
    let at = |run, time: &str| Heartbeat {
        run: RunId(run),
        wall: time.parse().unwrap(),
        uptime: SignedDuration::ZERO,
        offset: SignedDuration::ZERO,
        offset_read: true,
        tally: Tally::default(),
    };
    vec![at(1, "2025-11-22T10:00:00Z"), at(2, "2025-11-22T10:10:00Z")]
}

fn client<T: Transport>(x: T) -> Client<T> {
    let api: ApiUrl = "http://127.0.0.1:1".parse().unwrap();
    ClientBuilder::new(api).bearer("bearer".parse().unwrap()).build_with(x)
}

fn driver(ledger: MemoryLedger, x: FakeX, pause: SignedDuration) -> Driver<MemoryLedger, FakeX> {
    let settings = Settings { pause, ..Settings::new(Limits::v2()) };
    let pace = Pace { tick: Duration::from_millis(1), ..Pace::for_loopback(true) };
    Driver::new(ledger, client(x), XClock::new(), Target::Only, settings, pace)
}

/// Runs a driver beside a test, and stops it at the end.
async fn beside<T: Transport + 'static>(
    driver: Driver<MemoryLedger, T>,
    test: impl AsyncFnOnce(mpsc::Sender<ReplayJobStatus>),
) {
    let (completed, completions) = mpsc::channel(4);
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let running = tokio::spawn(driver.run(completions, || HEALTH, shutdown));
    test(completed).await;
    stop.send(()).unwrap();
    running.await.unwrap();
}

fn complete() -> ReplayJobStatus {
    let status = r#"{"webhook_id":"12","job_state":"Complete","job_id":"5"}"#;
    serde_json::from_str(status).unwrap()
}

#[tokio::test]
async fn a_gap_is_found_asked_for_and_followed_to_its_end() {
    let journal = Journal::new();
    let ledger = MemoryLedger::new(journal.clone(), heartbeats_of_two_runs());
    let x = FakeX { journal: journal.clone(), date: DATE, refuse_first: Default::default() };
    beside(driver(ledger.clone(), x, SignedDuration::ZERO), async |completed| {
        let lines = journal.wait_for("settle 1 Running").await;
        assert_eq!(lines[..3], ["lease Some(1)", "intend 1", "replay asked"]);
        completed.send(complete()).await.unwrap();
        journal.wait_for("settle 1 Recovered").await;
    })
    .await;
    let attempts = ledger.attempts().await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].intent.core.to_string(), "202511220959..202511221011");
    // X's clock decided, through its date: two hours and the time the test took.
    let since = attempts[0].intent.at.duration_since("2025-11-22T12:00:00Z".parse().unwrap());
    assert!((0..60).contains(&since.as_secs()), "{since}");
}

#[tokio::test]
async fn a_refusal_is_recorded_and_tried_again() {
    let conflict = r#"{"errors":[{"message":"ReplayConflictError: "}]}"#;
    let conflict = Response::builder().status(400).body(Bytes::from(conflict)).unwrap();
    let journal = Journal::new();
    let ledger = MemoryLedger::new(journal.clone(), heartbeats_of_two_runs());
    let refuse_first = Arc::new(std::sync::Mutex::new(Some(conflict)));
    let x = FakeX { journal: journal.clone(), date: DATE, refuse_first };
    beside(driver(ledger, x, SignedDuration::ZERO), async |_| {
        let lines = journal.wait_for("settle 2 Running").await;
        let refused = lines.iter().find(|line| line.starts_with("settle 1 Failed")).unwrap();
        assert!(refused.contains("ReplayConflictError"), "{refused}");
    })
    .await;
}

/// Once X has checked the webhook nothing shows that it was invalid.
#[tokio::test]
async fn an_invalid_webhook_is_recorded_before_it_is_checked() {
    let invalid = r#"{"errors":[{"code":214,"message":"Webhook is marked invalid and requires a CRC check."}]}"#;
    let invalid = Response::builder().status(400).body(Bytes::from(invalid)).unwrap();
    let journal = Journal::new();
    journal.write("marked invalid");
    let ledger = MemoryLedger::new(journal.clone(), heartbeats_of_two_runs());
    let valid = "2025-11-22T11:00:00Z".parse().unwrap();
    let seen = Seen { valid: Some(valid), complete: None };
    ledger.confirm("12".parse().unwrap(), seen).await.unwrap();
    let refuse_first = Arc::new(std::sync::Mutex::new(Some(invalid)));
    let x = FakeX { journal: journal.clone(), date: DATE, refuse_first };
    beside(driver(ledger.clone(), x, SignedDuration::ZERO), async |_| {
        let lines = journal.wait_for("settle 1 Failed").await;
        let expected = ["replay asked", "declare 1 invalid", "check asked", "prolong 1"];
        assert_eq!(lines[3..7], expected);
    })
    .await;
    let declared = ledger.declared().await.unwrap();
    assert_eq!(declared[0].declaration.gap.from, valid);
    assert_eq!(declared[0].declaration.webhook, Some("12".parse().unwrap()));
}

fn check_failed() -> Arc<std::sync::Mutex<Option<Response<Bytes>>>> {
    let failed = r#"{"errors":[{"message":"CrcValidationFailed: "}]}"#;
    let failed = Response::builder().status(400).body(Bytes::from(failed)).unwrap();
    Arc::new(std::sync::Mutex::new(Some(failed)))
}

#[tokio::test]
async fn x_is_asked_to_check_only_what_passes_our_own_check() {
    let journal = Journal::new();
    journal.write("marked invalid");
    let ledger = MemoryLedger::new(journal.clone(), heartbeats_of_two_runs());
    let x = FakeX { journal: journal.clone(), date: DATE, refuse_first: check_failed() };
    let driver = driver(ledger, x, SignedDuration::ZERO);
    let checked = journal.clone();
    let driver = driver.checking(move |webhook| {
        checked.write(format!("checked {webhook}"));
        async { Err("502 from the proxy".to_owned()) }
    });
    beside(driver, async |_| {
        let lines = journal.wait_for("settle 2 Running").await;
        let about = |line: &&String| ["declare", "check"].iter().any(|it| line.starts_with(it));
        let about: Vec<_> = lines.iter().filter(about).collect();
        assert_eq!(about, ["declare 1 invalid", "checked 12"]);
    })
    .await;
}

/// X checks before each job; that this fails once does not make the webhook invalid.
#[tokio::test]
async fn a_failed_check_before_a_replay_is_no_invalid_webhook() {
    let journal = Journal::new();
    let ledger = MemoryLedger::new(journal.clone(), heartbeats_of_two_runs());
    let x = FakeX { journal: journal.clone(), date: DATE, refuse_first: check_failed() };
    beside(driver(ledger.clone(), x, SignedDuration::ZERO), async |_| {
        let lines = journal.wait_for("settle 2 Running").await;
        assert!(!lines.iter().any(|line| line == "check asked"), "{lines:?}");
    })
    .await;
    assert_eq!(ledger.declared().await.unwrap(), []);
}

/// Whoever had the lease meanwhile may have removed a gap, and with it what had closed it.
#[tokio::test]
async fn a_lease_that_was_lost_and_taken_again_begins_with_what_is_left() {
    let beat = |run, time: &str| Heartbeat {
        run: RunId(run),
        wall: time.parse().unwrap(),
        ..heartbeats_of_two_runs()[0]
    };
    let times = ["2025-11-22T06:00:00Z", "2025-11-22T06:10:00Z", "2025-11-22T10:00:00Z"];
    let beats = times.into_iter().zip(1..).map(|(time, run)| beat(run, time)).collect();
    let journal = Journal::new();
    let ledger = MemoryLedger::new(journal.clone(), beats);
    let x = FakeX { journal: journal.clone(), date: DATE, refuse_first: Default::default() };
    beside(driver(ledger.clone(), x, SignedDuration::ZERO), async |completed| {
        for number in 1..=3 {
            journal.wait_for(&format!("settle {number} Running")).await;
            completed.send(complete()).await.unwrap();
            journal.wait_for(&format!("settle {number} Recovered")).await;
        }
        {
            let mut book = ledger.book();
            let now = XClock::new().wall();
            let other = Holder { name: "other".into(), run: RunId(9), role: Role::Listener };
            book.take_lease(other, now, now + SignedDuration::from_secs(30)).unwrap();
            book.heartbeat(beat(4, "2025-11-22T11:30:00Z"));
            book.trim("2025-11-22T11:00:00Z".parse().unwrap());
            assert!(book.attempts().iter().all(|attempt| attempt.number > 1));
        }
        journal.wait_for("settle 4 Running").await;
    })
    .await;
    let attempts = ledger.attempts().await.unwrap();
    let newest = attempts.last().unwrap();
    assert_eq!(
        (newest.number, newest.intent.core.from_date().to_string().as_str()),
        (4, "202511221001")
    );
}

#[tokio::test]
async fn a_refusal_just_before_the_completion_is_seen() {
    let journal = Journal::new();
    let ledger = MemoryLedger::new(journal.clone(), heartbeats_of_two_runs());
    let x = FakeX { journal: journal.clone(), date: DATE, refuse_first: Default::default() };
    // The driver looks once and then only when a completion comes.
    let settings = Settings::new(Limits::v2());
    let pace = Pace { tick: Duration::from_secs(3600), ..Pace::for_loopback(true) };
    let driver = Driver::new(ledger, client(x), XClock::new(), Target::Only, settings, pace);
    let refusals = Arc::new(AtomicU64::new(0));
    let (completed, completions) = mpsc::channel(4);
    let health = {
        let refusals = Arc::clone(&refusals);
        move || health(refusals.load(SeqCst))
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let running = tokio::spawn(driver.run(completions, health, shutdown));
    journal.wait_for("settle 1 Running").await;
    refusals.store(5, SeqCst);
    completed.send(complete()).await.unwrap();
    journal.wait_for("settle 1 Failed").await;
    stop.send(()).unwrap();
    running.await.unwrap();
}

#[tokio::test]
async fn it_ends_at_once_although_x_is_silent() {
    let journal = Journal::new();
    let ledger = MemoryLedger::new(journal.clone(), heartbeats_of_two_runs());
    let settings = Settings::new(Limits::v2());
    let pace = Pace::for_loopback(true);
    let api: ApiUrl = "http://127.0.0.1:1".parse().unwrap();
    let client = ClientBuilder::new(api)
        .bearer("bearer".parse().unwrap())
        .build_with(Silent { journal: journal.clone() });
    let driver = Driver::new(ledger, client, XClock::new(), Target::Only, settings, pace);
    let called = journal.clone();
    let shutdown = async move {
        called.wait_for("called").await;
    };
    let run = driver.run(mpsc::channel(1).1, || HEALTH, shutdown);
    tokio::time::timeout(Duration::from_secs(20), run).await.expect("it waits for X");
}

#[tokio::test]
async fn heartbeats_begin_at_once_and_end_with_a_last_one() {
    let journal = Journal::new();
    let ledger = MemoryLedger::new(journal.clone(), Vec::new());
    let clock = XClock::new();
    clock.assume(SignedDuration::from_hours(1));
    let first = journal.clone();
    let stop = async move {
        first.wait_for("heartbeat").await;
    };
    let hour = Duration::from_secs(3600);
    assert!(heartbeats(&ledger, &clock, || HEALTH, hour, stop).await);
    let spans = ledger.spans().await.unwrap();
    assert_eq!(spans.len(), 1);
    assert!(spans[0].first.uptime < spans[0].last.uptime);
    assert_eq!(spans[0].first.offset, SignedDuration::from_hours(1));
}

/// A disk may hang, in the middle of the work or with the last heartbeat.
#[tokio::test]
async fn heartbeats_end_although_the_ledger_is_silent() {
    for answered in 0..2 {
        let journal = Journal::new();
        let ledger = MemoryLedger::new(journal.clone(), Vec::new());
        ledger.fall_silent_after(answered);
        let clock = XClock::new();
        let begun = journal.clone();
        let stop = async move {
            begun.wait_for("heartbeat").await;
        };
        let beats = heartbeats(&ledger, &clock, || HEALTH, Duration::from_millis(50), stop);
        let beats = tokio::time::timeout(Duration::from_secs(20), beats).await;
        assert!(!beats.expect("it waits for ever"), "the last one was not written");
        journal.wait_for("silent").await;
    }
}

/// What was refused since the heartbeat before is known to nobody then.
#[tokio::test]
async fn a_last_heartbeat_that_is_refused_is_none() {
    let journal = Journal::new();
    let ledger = MemoryLedger::new(journal.clone(), Vec::new());
    ledger.refuse(usize::MAX);
    let hour = Duration::from_secs(3600);
    assert!(!heartbeats(&ledger, &XClock::new(), || HEALTH, hour, async {}).await);
}

/// The end comes while the lease is taken again, and nobody hears of that: it is given back all the
/// same, so that others need not wait for its end.
#[tokio::test]
async fn a_lease_that_is_being_renewed_is_given_back() {
    let journal = Journal::new();
    let ledger = MemoryLedger::new(journal.clone(), heartbeats_of_two_runs());
    ledger.fall_silent_after(1);
    let x = FakeX { journal: journal.clone(), date: DATE, refuse_first: Default::default() };
    // Renewing is due after ten seconds.
    beside(driver(ledger.clone(), x, SignedDuration::ZERO), async |_| {
        journal.wait_for("silent").await;
    })
    .await;
    let lease = ledger.lease().await.unwrap().unwrap();
    assert_eq!(lease.expires_at, Timestamp::UNIX_EPOCH, "it is not given back");
}

#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn heartbeats_that_cannot_be_written_are_told_once() {
    // With a single subscriber, tracing asks the thread that comes by first whether anybody listens,
    // which may be another test's.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let log = Log::default();
    let told = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || told.clone())
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let journal = Journal::new();
    let ledger = MemoryLedger::new(journal.clone(), Vec::new());
    ledger.refuse(3);
    let stop = async move {
        journal.wait_for("heartbeat").await;
    };
    assert!(heartbeats(&ledger, &XClock::new(), || HEALTH, Duration::from_millis(1), stop).await);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    insta::assert_snapshot!(text, @"
     WARN heartbeats are not written: what arrives is a gap error=the replay ledger cannot be used: the disk is full
     INFO heartbeats are written again
    ");
}

/// Recovers two targets, and counts what is read of X until the driver has looked often.
async fn reads_for([first, second]: [Target; 2]) -> usize {
    let journal = Journal::new();
    let ledger = MemoryLedger::new(journal.clone(), heartbeats_of_two_runs());
    let x = FakeX { journal: journal.clone(), date: DATE, refuse_first: Default::default() };
    let reads = Arc::new(AtomicUsize::new(0));
    let x = Counted { x, reads: Arc::clone(&reads) };
    let hour = SignedDuration::from_hours(1);
    let settings = Settings { pause: hour, ..Settings::new(Limits::v2()) };
    let pace = Pace { tick: Duration::from_millis(1), clock: hour };
    let driver = Driver::new(ledger, client(x), XClock::new(), first, settings, pace).and(second);
    let mut looks = driver.figures();
    beside(driver, async |_| {
        journal.wait_for("settle 1 Running").await;
        for _ in 0..20 {
            looks.changed().await.unwrap();
        }
    })
    .await;
    reads.load(SeqCst)
}

/// A gap that is there does not make the driver look for webhooks each time it looks at the gaps.
#[tokio::test]
async fn webhooks_are_looked_for_once() {
    let id = |id: &str| Target::Id(id.parse().unwrap());
    let url = Target::Url("https://example.com/hook".parse().unwrap());
    for targets in [
        // The same one, meant twice.
        [url.clone(), id("12")],
        [Target::Only, id("12")],
        [id("12"), url],
        // And one that may come to be there later.
        [id("12"), id("13")],
    ] {
        let words = format!("{targets:?}");
        // The clock is read, too.
        assert_eq!(reads_for(targets).await, 2, "{words}");
    }
}

#[test]
fn the_target_must_be_clear() {
    let webhook = |id: &str| {
        let text = format!(r#"{{"id":"{id}","url":"https://example.com/{id}","valid":true}}"#);
        serde_json::from_str::<aaa_types::api::Webhook>(&text).unwrap()
    };
    let two = [webhook("1"), webhook("2")];
    assert_eq!(Target::Only.find(&two), Err(TargetError::Several(2)));
    assert_eq!(Target::Only.find(&[]), Err(TargetError::None));
    assert_eq!(Target::Only.find(&two[..1]).unwrap().id.to_string(), "1");
    let url = Target::Url("https://example.com/2".parse().unwrap());
    assert_eq!(url.find(&two).unwrap().id.to_string(), "2");
    assert_eq!(url.find(&two[..1]), Err(TargetError::None));
}

/// The driver can be spawned on any runtime.
#[expect(dead_code, reason = "only its compilation matters")]
fn run_is_send(driver: Driver<MemoryLedger, FakeX>) -> impl Future<Output = ()> + Send {
    driver.run(mpsc::channel(1).1, || HEALTH, std::future::pending())
}

#[test]
fn x_time_is_the_local_time_and_the_offset() {
    let clock = XClock::new();
    assert_eq!(clock.age(), None);
    let date: Timestamp = "2025-11-22T12:00:00Z".parse().unwrap();
    clock.observe(date);
    assert!(clock.now() >= date);
    assert!(clock.age().is_some());
}
