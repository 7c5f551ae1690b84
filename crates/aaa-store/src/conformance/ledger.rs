//! What every ledger has to do.

use std::collections::BTreeSet;

use aaa_replay::{
    coverage::{Cause, Gap, Heartbeat, Proof, RunId, Span, Tally},
    ledger::{
        Attempt, Declaration, Declared, Holder, Intent, LeaseId, Ledger, LedgerError, Outcome,
        Purpose, Role, Seen,
    },
};
use aaa_types::{ReplayWindow, UserId, UtcMinute};
use aaa_webhook::inbox::Inbox;
use jiff::{SignedDuration, Timestamp};

use super::{delivery_at, now};

/// Makes a `#[tokio::test]` of each check of a ledger.
///
/// Its argument is an asynchronous function that returns what has to live as long as the ledger,
/// and an empty ledger that expects a heartbeat every five seconds.
#[macro_export]
macro_rules! ledger_conformance {
    (if $make:path) => {
        $crate::ledger_conformance!(@all $make);
    };
    ($make:path) => {
        $crate::ledger_conformance!(@all async || Some($make().await));
    };
    (@all $make:expr) => {
        $crate::ledger_conformance!(@ $make;
            heartbeats_become_spans,
            spans_are_read_from_a_number_on,
            what_arrived_is_proved,
            spans_know_what_was_verified,
            the_lease_is_one_s_alone,
            only_the_holder_writes_about_jobs,
            attempts_come_back_as_they_were_recorded,
            a_job_finds_the_events_it_brought,
            gaps_are_declared_by_anybody,
            what_was_well_is_remembered,
            subscribers_are_remembered,
            old_things_are_trimmed_and_counted,
            an_open_gap_keeps_what_closed_it,
            a_gap_within_coverage_keeps_what_closed_it,
        );
    };
    (@ $make:expr; $($check:ident,)+) => {
        $(#[tokio::test]
        async fn $check() {
            let Some((_alive, ledger)) = ($make)().await else { return };
            $crate::conformance::ledger::$check(&ledger).await;
        })+
    };
}

/// Heartbeats of one run lengthen a span until one is missing, refuses or is of another run.
pub async fn heartbeats_become_spans(ledger: &impl Ledger) {
    assert_eq!(ledger.spans().await.unwrap(), []);
    let other_run = Heartbeat { run: RunId(0), ..beat(42) };
    let refused = Tally { refusals: 3, ..Tally::default() };
    let refused = Heartbeat { tally: refused, ..other_run };
    for heartbeat in [beat(0), beat(5), beat(10), beat(40), other_run, refused] {
        ledger.heartbeat(heartbeat).await.unwrap();
    }
    let expected = [
        Span { last: beat(10), ..Span::new(beat(0)) },
        Span::new(beat(40)),
        Span::new(other_run),
        Span::new(refused),
    ];
    assert_eq!(ledger.spans().await.unwrap(), expected);
}

/// Only the last span changes, and each keeps its number.
pub async fn spans_are_read_from_a_number_on(ledger: &impl Ledger) {
    for second in [0, 100, 200] {
        ledger.heartbeat(beat(second)).await.unwrap();
    }
    let all = ledger.spans_from(0).await.unwrap();
    assert_eq!(all.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3]);
    ledger.heartbeat(beat(205)).await.unwrap();
    ledger.heartbeat(beat(300)).await.unwrap();
    let new = ledger.spans_from(3).await.unwrap();
    let longer = Span { last: beat(205), ..Span::new(beat(200)) };
    assert_eq!(new, [(3, longer), (4, Span::new(beat(300)))]);
    assert_eq!(ledger.spans_from(5).await.unwrap(), []);
}

/// A heartbeat behind an arrival proves the time since the one before.
pub async fn what_arrived_is_proved(ledger: &impl Ledger) {
    for (second, arrived) in [(0, 0), (5, 1), (10, 1), (15, 1), (20, 4), (30, 4), (40, 4)] {
        ledger.heartbeat(arrived_by(second, arrived)).await.unwrap();
    }
    for second in (45..=120).step_by(5) {
        let arrived = if second == 120 { 5 } else { 4 };
        ledger.heartbeat(arrived_by(second, arrived)).await.unwrap();
    }
    // Nothing is proved across a gap.
    ledger.heartbeat(arrived_by(900, 9)).await.unwrap();
    let proof = |from, to| Proof { from: beat(from).x_time(), to: beat(to).x_time() };
    assert_eq!(ledger.proofs().await.unwrap(), [proof(0, 20), proof(115, 120)]);
}

/// What was verified and rejected survives, with where it was.
pub async fn spans_know_what_was_verified(ledger: &impl Ledger) {
    let mut expected: Option<Span> = None;
    for (second, verified, rejected) in [(0, 0, 0), (5, 0, 2), (10, 1, 3), (15, 4, 3), (20, 4, 9)] {
        let tally = Tally { verified, rejected, refusals: 0, arrived: 0 };
        let heartbeat = Heartbeat { tally, ..beat(second) };
        ledger.heartbeat(heartbeat).await.unwrap();
        let period = SignedDuration::from_secs(5);
        match &mut expected {
            Some(span) => assert!(span.extend(heartbeat, period)),
            None => expected = Some(Span::new(heartbeat)),
        }
        assert_eq!(ledger.spans().await.unwrap().last(), expected.as_ref());
    }
    let verified = expected.unwrap().verified.unwrap();
    assert_eq!((verified.first.rejected, verified.last.rejected), (3, 3));
}

/// Whoever holds the lease keeps others away until it ends or is given back.
pub async fn the_lease_is_one_s_alone(ledger: &impl Ledger) {
    assert_eq!(ledger.lease().await.unwrap(), None);
    let minute = SignedDuration::from_mins(1);
    let first = ledger.take_lease(listener(u64::MAX), now(), now() + minute).await.unwrap();
    assert_eq!((first.id, first.expires_at), (LeaseId(1), now() + minute));
    assert_eq!(ledger.lease().await.unwrap().as_ref(), Some(&first));

    let held = ledger.take_lease(command(2), now(), now() + minute).await.unwrap_err();
    assert_eq!(held, LedgerError::Held(Box::new(first.clone())));
    // The holder keeps it for longer, under the same number.
    let longer = ledger.take_lease(listener(u64::MAX), now(), now() + minute * 2).await.unwrap();
    assert_eq!((longer.id, longer.expires_at), (first.id, now() + minute * 2));
    // Another listener is only there when the first is gone.
    let next = ledger.take_lease(listener(3), now(), now() + minute).await.unwrap();
    assert_eq!(next.id, LeaseId(2));
    ledger.release_lease(first.id).await.unwrap();
    assert_eq!(ledger.lease().await.unwrap().as_ref(), Some(&next));
    ledger.release_lease(next.id).await.unwrap();
    let free = ledger.take_lease(command(2), now(), now() + minute).await.unwrap();
    assert_eq!(free.id, LeaseId(3));
    // And over is over.
    let late = now() + minute;
    let taken = ledger.take_lease(command(4), late, late + minute).await.unwrap();
    assert_eq!(taken.id, LeaseId(4));
}

/// A lease that was taken over writes nothing.
pub async fn only_the_holder_writes_about_jobs(ledger: &impl Ledger) {
    let none = ledger.intend(LeaseId(1), intent()).await;
    assert_eq!(none, Err(LedgerError::NotHeld));
    let first = hold(ledger, 1).await;
    let number = ledger.intend(first, intent()).await.unwrap();
    let second = hold(ledger, 2).await;
    assert_eq!(ledger.intend(first, intent()).await, Err(LedgerError::NotHeld));
    let outcome = Outcome::Failed { job: None, reason: "late".to_owned() };
    let settled = ledger.settle(first, number, outcome.clone(), now()).await;
    assert_eq!(settled, Err(LedgerError::NotHeld));
    assert_eq!(ledger.attempts().await.unwrap()[0].outcome, Outcome::Intended);
    ledger.settle(second, number, outcome.clone(), now()).await.unwrap();
    assert_eq!(ledger.attempts().await.unwrap()[0].outcome, outcome);
}

/// Intents and outcomes come back, in their order.
pub async fn attempts_come_back_as_they_were_recorded(ledger: &impl Ledger) {
    assert_eq!(ledger.attempts().await.unwrap(), []);
    let lease = hold(ledger, 1).await;
    let later = now() + SignedDuration::from_secs(90);
    let job = "1095098195724558337".parse().unwrap();
    let outcomes = [
        Outcome::Intended,
        Outcome::Running { job },
        Outcome::Recovered { job },
        Outcome::Incomplete { job, reason: "retry".to_owned() },
        Outcome::Failed { job: None, reason: "said 'no'\n".to_owned() },
    ];
    let mut expected = Vec::new();
    for (outcome, number) in outcomes.into_iter().zip(1..) {
        let purpose = if number % 2 == 0 { Purpose::Sweep } else { Purpose::Gap };
        let intent = Intent { purpose, ..intent() };
        assert_eq!(ledger.intend(lease, intent).await.unwrap(), number);
        let mut settled_at = now();
        if outcome != Outcome::Intended {
            settled_at = later;
            assert_eq!(ledger.settle(lease, number, outcome.clone(), later).await, Ok(0));
        }
        expected.push(Attempt { number, intent, outcome, settled_at, found: 0 });
    }
    assert_eq!(ledger.attempts().await.unwrap(), expected);
    let unknown = ledger.settle(lease, 77, Outcome::Running { job }, later).await;
    assert_eq!(unknown, Err(LedgerError::NoAttempt(77)));
}

/// What was stored from intent to outcome and happened in the minutes asked for was found.
pub async fn a_job_finds_the_events_it_brought(ledger: &(impl Ledger + Inbox)) {
    let lease = hold(ledger, 1).await;
    let inside = intent().request.from_date().start();
    ledger.commit(follow(1, inside)).await.unwrap();
    let number = ledger.intend(lease, intent()).await.unwrap();
    let minute = SignedDuration::from_mins(1);
    let end = intent().request.to_date().start();
    for (source, at) in [(2, inside), (3, end - minute), (4, end), (5, inside - minute)] {
        ledger.commit(follow(source, at)).await.unwrap();
    }
    // A copy is none.
    ledger.commit(follow(1, inside)).await.unwrap();
    let job = "5".parse().unwrap();
    let running = ledger.settle(lease, number, Outcome::Running { job }, now()).await;
    assert_eq!(running, Ok(0));
    let found = ledger.settle(lease, number, Outcome::Recovered { job }, now()).await;
    assert_eq!(found, Ok(2));
    assert_eq!(ledger.attempts().await.unwrap()[0].found, 2);
}

/// Declared gaps come back, grow, and are taken back.
pub async fn gaps_are_declared_by_anybody(ledger: &impl Ledger) {
    assert_eq!(ledger.declared().await.unwrap(), []);
    let hour = SignedDuration::from_hours(1);
    let first = declaration(Cause::Declared, now());
    let second = Declaration { webhook: Some("12".parse().unwrap()), ..first };
    assert_eq!(ledger.declare(first).await.unwrap(), 1);
    assert_eq!(ledger.declare(second).await.unwrap(), 2);
    assert!(ledger.prolong(2, second.gap.to + hour).await.unwrap());
    // An end never moves back.
    assert!(ledger.prolong(2, second.gap.from).await.unwrap());
    assert!(!ledger.prolong(3, second.gap.to).await.unwrap());
    let longer = Gap { to: second.gap.to + hour, ..second.gap };
    let declared = [
        Declared { number: 1, after: 0, declaration: first },
        Declared { number: 2, after: 0, declaration: Declaration { gap: longer, ..second } },
    ];
    assert_eq!(ledger.declared().await.unwrap(), declared);
    assert!(ledger.withdraw(1).await.unwrap());
    assert!(!ledger.withdraw(1).await.unwrap());
    assert_eq!(ledger.declared().await.unwrap(), declared[1..]);
    // What is declared later is closed by later attempts only, also when the last one is gone.
    let lease = hold(ledger, 1).await;
    let number = ledger.intend(lease, intent()).await.unwrap();
    let job = "5".parse().unwrap();
    ledger.settle(lease, number, Outcome::Recovered { job }, now()).await.unwrap();
    ledger.withdraw(2).await.unwrap();
    ledger.trim(now() + SignedDuration::from_hours(10_000)).await.unwrap();
    assert_eq!(ledger.attempts().await.unwrap(), []);
    assert_eq!(ledger.declare(first).await.unwrap(), 3);
    assert_eq!(ledger.declared().await.unwrap()[0].after, number);
}

/// What is seen to be well is kept for each webhook, and what is not said stays.
pub async fn what_was_well_is_remembered(ledger: &impl Ledger) {
    let (webhook, other) = ("12".parse().unwrap(), "13".parse().unwrap());
    assert_eq!(ledger.confirmed(webhook).await.unwrap(), Seen::default());
    let later = now() + SignedDuration::from_mins(1);
    let valid = |at| Seen { valid: Some(at), complete: None };
    let complete = |at| Seen { valid: None, complete: Some(at) };
    for seen in [valid(now()), complete(now()), valid(later)] {
        ledger.confirm(webhook, seen).await.unwrap();
    }
    ledger.confirm(other, complete(later)).await.unwrap();
    let expected = Seen { valid: Some(later), complete: Some(now()) };
    assert_eq!(ledger.confirmed(webhook).await.unwrap(), expected);
    assert_eq!(ledger.confirmed(other).await.unwrap(), complete(later));
    // A clock that was ahead is corrected.
    ledger.confirm(webhook, valid(now())).await.unwrap();
    assert_eq!(ledger.confirmed(webhook).await.unwrap().valid, Some(now()));
}

/// Subscribers are kept for each webhook, and the newest list counts.
pub async fn subscribers_are_remembered(ledger: &impl Ledger) {
    let (webhook, other) = ("12".parse().unwrap(), "13".parse().unwrap());
    let users = |ids: &[u64]| ids.iter().map(|id| UserId::try_from(*id).unwrap()).collect();
    let nobody: BTreeSet<UserId> = BTreeSet::new();
    assert_eq!(ledger.remembered(webhook).await.unwrap(), nobody);
    for list in [&[7, 8][..], &[8, 1_234_567_890_123_456_789]] {
        ledger.remember(webhook, users(list)).await.unwrap();
        assert_eq!(ledger.remembered(webhook).await.unwrap(), users(list));
    }
    assert_eq!(ledger.remembered(other).await.unwrap(), nobody);
    ledger.remember(other, users(&[8])).await.unwrap();
    for _ in 0..2 {
        ledger.dismiss(webhook, UserId::try_from(8).unwrap()).await.unwrap();
        let rest = users(&[1_234_567_890_123_456_789]);
        assert_eq!(ledger.remembered(webhook).await.unwrap(), rest);
    }
    ledger.remember(webhook, nobody.clone()).await.unwrap();
    assert_eq!(ledger.remembered(webhook).await.unwrap(), nobody);
    assert_eq!(ledger.remembered(other).await.unwrap(), users(&[8]));
}

/// What is over goes; the last span, the last sweep and what is open stay.
pub async fn old_things_are_trimmed_and_counted(ledger: &(impl Ledger + Inbox)) {
    let lease = hold(ledger, 1).await;
    // An hour of coverage, a short gap, and so on, twice.
    for second in (0..=7_200).step_by(5).filter(|second| !(3_600..3_700).contains(second)) {
        ledger.heartbeat(arrived_by(second, 1 + u64::from(second > 3_600))).await.unwrap();
    }
    let began = beat(0).x_time();
    let job = "5".parse().unwrap();
    for (minute, outcome) in [(0, Outcome::Recovered { job }), (1, Outcome::Intended)] {
        let from = UtcMinute::floor(began).plus(minute);
        let core = ReplayWindow::new(from, from.plus(1)).unwrap();
        let intent = Intent { core, request: core, ..intent() };
        let number = ledger.intend(lease, intent).await.unwrap();
        ledger.commit(follow(number, core.from_date().start())).await.unwrap();
        ledger.settle(lease, number, outcome, now()).await.unwrap();
    }
    for (cause, at) in [(Cause::Sweep, began), (Cause::Sweep, began), (Cause::Declared, began)] {
        ledger.declare(declaration(cause, at)).await.unwrap();
    }
    let nothing = ledger.summary().await.unwrap();
    assert_eq!((nothing.since, nothing.spans), (Some(began), 0));

    let day = SignedDuration::from_hours(24);
    ledger.trim(began + day).await.unwrap();
    let spans = ledger.spans_from(0).await.unwrap();
    assert_eq!(spans.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2]);
    let attempts = ledger.attempts().await.unwrap();
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [2]);
    let declared = ledger.declared().await.unwrap();
    assert_eq!(declared.iter().map(|declared| declared.number).collect::<Vec<_>>(), [2]);
    let summary = ledger.summary().await.unwrap();
    assert_eq!((summary.since, summary.spans), (Some(began), 1));
    assert_eq!((summary.attempts, summary.found, summary.swept), (1, 1, 0));
    assert_eq!(summary.covered.as_secs(), 3_595);
    // The next one counts on.
    let later = beat(200_000);
    ledger.heartbeat(later).await.unwrap();
    ledger.trim(later.x_time() + day).await.unwrap();
    let summary = ledger.summary().await.unwrap();
    assert_eq!((summary.since, summary.spans), (Some(began), 2));
    assert_eq!(ledger.spans().await.unwrap(), [Span::new(later)]);
    assert_eq!(ledger.spans_from(0).await.unwrap()[0].0, 3);
}

/// While a gap reaches into the time that matters, so does what was done about its beginning.
pub async fn an_open_gap_keeps_what_closed_it(ledger: &impl Ledger) {
    let lease = hold(ledger, 1).await;
    ledger.heartbeat(beat(0)).await.unwrap();
    ledger.heartbeat(beat(100_000)).await.unwrap();
    let from = UtcMinute::floor(beat(1000).x_time());
    let core = ReplayWindow::new(from, from.plus(1)).unwrap();
    let number = ledger.intend(lease, Intent { core, ..intent() }).await.unwrap();
    let outcome = Outcome::Recovered { job: "5".parse().unwrap() };
    ledger.settle(lease, number, outcome, now()).await.unwrap();
    ledger.trim(beat(50_000).x_time()).await.unwrap();
    assert_eq!(ledger.spans().await.unwrap().len(), 2);
    assert_eq!(ledger.attempts().await.unwrap().len(), 1);
    ledger.trim(beat(100_001).x_time()).await.unwrap();
    assert_eq!(ledger.spans().await.unwrap().len(), 1);
    ledger.trim(beat(100_002).x_time()).await.unwrap();
    assert_eq!(ledger.attempts().await.unwrap().len(), 0);
}

/// A spell of wrong signatures lies within a span, and a declared gap anywhere: they may be over
/// long before the span or the gap is.
pub async fn a_gap_within_coverage_keeps_what_closed_it(ledger: &impl Ledger) {
    let lease = hold(ledger, 1).await;
    for second in (0..=30_000).step_by(15) {
        let verified = u64::from(second > 0);
        let tally = Tally { verified, rejected: 3, ..Tally::default() };
        ledger.heartbeat(Heartbeat { tally, ..beat(second) }).await.unwrap();
    }
    let declared = declaration(Cause::Declared, beat(15_000).x_time());
    let number = ledger.declare(declared).await.unwrap();
    ledger.prolong(number, beat(25_000).x_time()).await.unwrap();
    // Within the spell, within neither, at the beginning of what is declared.
    for second in [0, 10_000, 15_000] {
        let from = UtcMinute::floor(beat(second).x_time());
        let core = ReplayWindow::new(from, from.plus(1)).unwrap();
        let number = ledger.intend(lease, Intent { core, ..intent() }).await.unwrap();
        let outcome = Outcome::Recovered { job: "5".parse().unwrap() };
        ledger.settle(lease, number, outcome, now()).await.unwrap();
    }
    ledger.trim(beat(20_000).x_time()).await.unwrap();
    assert_eq!(ledger.spans().await.unwrap().len(), 1);
    let attempts = ledger.attempts().await.unwrap();
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 3]);
    ledger.withdraw(number).await.unwrap();
    ledger.trim(beat(20_000).x_time()).await.unwrap();
    assert_eq!(ledger.attempts().await.unwrap().len(), 1);
}

/// A heartbeat of one run.
pub fn beat(second: i64) -> Heartbeat {
    Heartbeat {
        // Its upper bit is set: an integer may have a sign.
        run: RunId(u64::MAX - 1),
        wall: now() + SignedDuration::from_secs(second),
        uptime: SignedDuration::from_secs(second),
        offset: SignedDuration::from_millis(-1_500),
        offset_read: second % 2 == 0,
        tally: Tally::default(),
    }
}

/// A window of seven minutes that ends before [`now`].
pub fn intent() -> Intent {
    let window = |from: &str, to: &str| {
        ReplayWindow::new(from.parse().unwrap(), to.parse().unwrap()).unwrap()
    };
    Intent {
        webhook: "9999999999999999999".parse().unwrap(),
        core: window("202511220343", "202511220350"),
        request: window("202511220342", "202511220351"),
        at: now(),
        purpose: Purpose::Gap,
    }
}

/// Takes the lease for a listener.
pub async fn hold(ledger: &impl Ledger, run: u64) -> LeaseId {
    let until = now() + SignedDuration::from_mins(1);
    ledger.take_lease(listener(run), now(), until).await.unwrap().id
}

fn arrived_by(second: i64, arrived: u64) -> Heartbeat {
    Heartbeat { tally: Tally { arrived, ..Tally::default() }, ..beat(second) }
}

fn declaration(cause: Cause, at: Timestamp) -> Declaration {
    let gap = Gap::new(at, at + SignedDuration::from_mins(5), cause);
    Declaration { gap, webhook: None, at }
}

fn listener(run: u64) -> Holder {
    Holder { name: "aaa listen".to_owned(), run: RunId(run), role: Role::Listener }
}

fn command(run: u64) -> Holder {
    Holder { name: "aaa replay".to_owned(), run: RunId(run), role: Role::Command }
}

/// Somebody follows user 7 at a time.
fn follow(source: u64, at: Timestamp) -> aaa_webhook::delivery::VerifiedDelivery {
    let millis = at.as_millisecond();
    let body = format!(
        r#"{{"for_user_id":"7","follow_events":[{{"type":"follow","created_timestamp":"{millis}",
        "source":{{"id":"{source}"}},"target":{{"id":"7"}}}}]}}"#
    );
    delivery_at(&body, now())
}
