use super::*;
use crate::{
    coverage::{Cause, Gap, RunId, Tally},
    ledger::{Declaration, Declared},
    plan::{Limits, outstanding},
};
use aaa_types::{
    JobId, ReplayWindow, UtcMinute,
    payload::{JobState, ReplayJobStatus},
};

const RUN: Health = Health::new(RunId(1), tally(0));

const fn tally(refusals: u64) -> Tally {
    Tally { refusals, verified: 0, rejected: 0, arrived: 0 }
}

/// How much longer than X says is waited.
const GRACE: SignedDuration = SignedDuration::from_secs(5);

fn start() -> Moment {
    Moment { x: "2025-11-22T12:00:00Z".parse().unwrap(), uptime: SignedDuration::from_secs(100) }
}

/// The moment when both clocks have gone on.
fn after(moment: Moment, time: SignedDuration) -> Moment {
    Moment { x: moment.x + time, uptime: moment.uptime + time }
}

fn minutes(n: i64) -> SignedDuration {
    SignedDuration::from_mins(n)
}

fn job(n: u64) -> JobId {
    JobId::try_from(n).unwrap()
}

fn webhook() -> Webhook {
    Webhook { id: "12".parse().unwrap(), created_at: None }
}

fn status(n: u64, state: JobState) -> Input {
    Input::Completed(ReplayJobStatus {
        webhook_id: webhook().id,
        job_state: state,
        job_state_description: None,
        job_id: job(n),
        extra: Default::default(),
    })
}

/// An engine with one gap that ended an hour ago.
fn engine(attempts: Vec<Attempt>) -> Engine {
    let mut engine = Engine::new(webhook(), Settings::new(Limits::v2()), RUN, attempts);
    let gap = Gap::new(start().x - minutes(70), start().x - minutes(60), Cause::Down);
    engine.on(Input::Gaps(vec![gap]), start());
    engine
}

/// Leads an engine to the point where X has accepted job `n`.
fn accept(engine: &mut Engine, number: u64, n: u64, now: Moment) {
    assert!(matches!(engine.next_action(now), Some(Action::Intend(_))));
    engine.on(Input::Intended(number), now);
    assert!(matches!(engine.next_action(now), Some(Action::Create { .. })));
    engine.on(Input::Accepted(job(n)), now);
    let running = Action::Settle { attempt: number, outcome: Outcome::Running { job: job(n) } };
    assert_eq!(engine.next_action(now), Some(running));
    engine.on(Input::Settled { found: 0 }, now);
}

fn settled(engine: &mut Engine, now: Moment) -> Outcome {
    let Some(Action::Settle { outcome, .. }) = engine.next_action(now) else {
        panic!("nothing to settle in {engine:?}");
    };
    engine.on(Input::Settled { found: 0 }, now);
    outcome
}

#[test]
fn one_gap_one_job() {
    let mut engine = engine(Vec::new());
    accept(&mut engine, 1, 5, start());
    assert_eq!(engine.next_action(start()), None);
    assert_eq!(engine.next_wakeup(start()), Some(minutes(30)));
    engine.on(status(4, JobState::Complete), start());
    assert_eq!(engine.next_action(start()), None);
    engine.on(status(5, JobState::Complete), start());
    assert_eq!(settled(&mut engine, start()), Outcome::Recovered { job: job(5) });
    assert_eq!(engine.next_action(start()), None);
    assert!(!engine.is_pending(start()));
    assert_eq!(*engine.plan(start()), Plan::default());
}

#[test]
fn a_completion_before_the_answer_counts() {
    let mut engine = engine(Vec::new());
    engine.next_action(start());
    engine.on(Input::Intended(1), start());
    engine.next_action(start());
    engine.on(status(5, JobState::Complete), start());
    engine.on(Input::Accepted(job(5)), start());
    assert_eq!(settled(&mut engine, start()), Outcome::Running { job: job(5) });
    assert_eq!(settled(&mut engine, start()), Outcome::Recovered { job: job(5) });
}

#[test]
fn complete_is_not_trusted_after_a_refusal_or_in_another_run() {
    for health in [Health { tally: tally(1), ..RUN }, Health { run: RunId(2), ..RUN }] {
        let mut engine = engine(Vec::new());
        accept(&mut engine, 1, 5, start());
        engine.on(Input::Health(health), start());
        engine.on(status(5, JobState::Complete), start());
        let outcome = settled(&mut engine, start());
        assert_eq!(outcome, failed(Some(job(5)), "the receiver refused deliveries meanwhile"));
        assert!(engine.is_pending(start()));
    }
}

#[test]
fn incomplete_is_retried_after_growing_pauses_then_halved_and_given_up_by_the_minute() {
    let mut engine = engine(Vec::new());
    let mut now = start();
    let mut waits = Vec::new();
    let mut asked = Vec::new();
    while let Some(wait) = engine.next_wakeup(now) {
        if !wait.is_zero() {
            waits.push(wait.as_secs());
            now = after(now, wait);
            continue;
        }
        let Some(Action::Intend(intent)) = engine.next_action(now) else { panic!() };
        let number = asked.len() as u64 + 1;
        asked.push(intent.core.minutes());
        accept(&mut engine, number, number, now);
        // Minute 57 cannot be delivered, whatever window it is in.
        let bad = intent.core.contains(UtcMinute::floor(start().x - minutes(63)));
        let state = if bad { JobState::Incomplete } else { JobState::Complete };
        engine.on(status(number, state), now);
        let outcome = settled(&mut engine, now);
        assert_eq!(matches!(outcome, Outcome::Incomplete { .. }), bad);
    }
    // Three times each: ten minutes, the second half, and so on down to one.
    assert_eq!(asked, [10, 10, 10, 5, 5, 5, 5, 2, 3, 3, 3, 1, 2, 1, 1]);
    assert_eq!(waits, [30, 60, 120, 30, 60, 120, 30, 60, 120, 30, 60]);
    insta::assert_json_snapshot!(engine.plan(now).lost, @r#"
    [
      {
        "from": "2025-11-22T10:57:00Z",
        "to": "2025-11-22T10:58:00Z",
        "reason": "3 replay jobs ended incomplete"
      }
    ]
    "#);
    let figures = engine.figures(now);
    assert_eq!((figures.recovered, figures.incomplete, figures.lost), (3, 12, 1));
}

#[test]
fn a_minute_is_given_up_only_when_it_was_asked_for_alone() {
    // Too young to be asked for without minutes before it, one of which cannot be delivered.
    let mut engine = Engine::new(webhook(), Settings::v2(), RUN, Vec::new());
    let gap = Gap::new(start().x - minutes(13), start().x - minutes(12), Cause::Down);
    engine.on(Input::Gaps(vec![gap]), start());
    let bad = UtcMinute::floor(start().x - minutes(20));
    let (mut now, mut number, mut failures) = (start(), 0, 0);
    while let Some(wait) = engine.next_wakeup(now) {
        now = after(now, wait);
        let Some(Action::Intend(intent)) = engine.next_action(now) else { continue };
        number += 1;
        accept(&mut engine, number, number, now);
        let fails = intent.request.contains(bad);
        failures += u32::from(fails);
        let state = if fails { JobState::Incomplete } else { JobState::Complete };
        engine.on(status(number, state), now);
        settled(&mut engine, now);
    }
    assert!(failures >= 3, "{failures}");
    assert_eq!(engine.plan(now).lost, []);
}

#[test]
fn a_restart_in_the_middle_of_the_halving_comes_to_the_same() {
    let mut ledger: Vec<Attempt> = Vec::new();
    let mut now = start();
    loop {
        let mut engine = engine(ledger.clone());
        let Some(wait) = engine.next_wakeup(now) else { break };
        now = after(now, wait);
        let Some(Action::Intend(intent)) = engine.next_action(now) else { panic!() };
        let (number, reason) = (ledger.len() as u64 + 1, "retry".to_owned());
        let outcome = Outcome::Incomplete { job: job(number), reason };
        ledger.push(Attempt { number, intent, outcome, settled_at: now.x, found: 0 });
        assert!(ledger.len() < 100, "it does not end");
    }
    // Three times for each of ten minutes, and for the nine windows that were halved.
    assert_eq!(ledger.len(), 3 * 19);
}

#[test]
fn no_more_calls_are_made_than_x_takes() {
    let settings = Settings { pause: SignedDuration::ZERO, ..Settings::v1_1() };
    let gap = Gap::new(start().x - minutes(60 * 60), start().x - minutes(60), Cause::Down);
    let mut calls = Vec::new();
    let mut now = start();
    let mut ledger: Vec<Attempt> = Vec::new();
    // A restart before each call: the ledger counts them.
    while calls.len() < 12 {
        let mut engine = Engine::new(webhook(), settings, RUN, ledger.clone());
        engine.on(Input::Gaps(vec![gap]), now);
        let wait = engine.next_wakeup(now).unwrap();
        now = after(now, wait);
        let Some(Action::Intend(intent)) = engine.next_action(now) else { panic!() };
        calls.push(now.x.duration_since(start().x).as_mins());
        let (number, outcome) = (ledger.len() as u64 + 1, failed(None, "no"));
        ledger.push(Attempt { number, intent, outcome, settled_at: now.x, found: 0 });
    }
    assert_eq!(calls, [0, 0, 0, 0, 0, 15, 15, 15, 15, 15, 30, 30]);
    // X knows better.
    let mut engine = engine(Vec::new());
    let reset = start().x + minutes(3);
    engine.on(Input::Quota(Quota { remaining: 0, reset }), start());
    assert_eq!(engine.next_action(start()), None);
    assert_eq!(engine.next_wakeup(start()), Some(minutes(3) + GRACE));
}

#[test]
fn what_somebody_asks_for_is_replayed_again() {
    let mut engine = engine(Vec::new());
    accept(&mut engine, 1, 5, start());
    engine.on(status(5, JobState::Complete), start());
    settled(&mut engine, start());
    assert!(!engine.is_pending(start()));
    // The same minutes, asked for after they were recovered; and those of another webhook.
    let later = after(start(), minutes(5));
    let gap = Gap::new(start().x - minutes(70), start().x - minutes(60), Cause::Requested);
    let declaration = Declaration { gap, webhook: None, at: later.x };
    let other = Declaration { webhook: Some("13".parse().unwrap()), ..declaration };
    let all = |declaration| Input::Declared(vec![Declared { number: 1, after: 1, declaration }]);
    engine.on(all(other), later);
    assert!(!engine.is_pending(later));
    engine.on(all(declaration), later);
    accept(&mut engine, 2, 6, later);
    engine.on(status(6, JobState::Complete), later);
    settled(&mut engine, later);
    assert!(!engine.is_pending(later));
}

/// The clock may have been hours ahead when it was declared.
#[test]
fn what_was_declared_by_a_wrong_clock_is_asked_for_once() {
    let mut engine = engine(Vec::new());
    let gap = Gap::new(start().x - minutes(70), start().x - minutes(60), Cause::Requested);
    let declaration = Declaration { gap, webhook: None, at: start().x + minutes(180) };
    engine.on(Input::Declared(vec![Declared { number: 1, after: 0, declaration }]), start());
    accept(&mut engine, 1, 5, start());
    engine.on(status(5, JobState::Complete), start());
    settled(&mut engine, start());
    assert!(!engine.is_pending(start()));
}

#[test]
fn a_sweep_comes_after_the_gaps_and_loses_nothing() {
    let mut engine = engine(Vec::new());
    let gap = Gap::new(start().x - minutes(30 * 60), start().x - minutes(65), Cause::Sweep);
    let declaration = Declaration { gap, webhook: None, at: start().x };
    engine.on(Input::Declared(vec![Declared { number: 1, after: 0, declaration }]), start());
    let Some(Action::Intend(intent)) = engine.next_action(start()) else { panic!() };
    assert_eq!((intent.purpose, intent.core.minutes()), (Purpose::Gap, 10));
    accept(&mut engine, 1, 5, start());
    engine.on(status(5, JobState::Complete), start());
    settled(&mut engine, start());
    let Some(Action::Intend(intent)) = engine.next_action(start()) else { panic!() };
    assert_eq!(intent.purpose, Purpose::Sweep);
    assert_eq!(engine.plan(start()).lost, []);
    engine.on(Input::Intended(2), start());
    engine.next_action(start());
    engine.on(Input::Accepted(job(6)), start());
    settled(&mut engine, start());
    engine.on(status(6, JobState::Complete), start());
    assert!(matches!(engine.next_action(start()), Some(Action::Settle { .. })));
    engine.on(Input::Settled { found: 2 }, start());
    let figures = engine.figures(start());
    assert_eq!((figures.recovered, figures.found, figures.swept), (2, 0, 2));
}

#[test]
fn what_x_may_never_have_attempted_is_replayed_and_named() {
    let mut engine = engine(Vec::new());
    let gap = Gap::new(start().x - minutes(90), start().x - minutes(80), Cause::Invalid);
    let declaration = Declaration { gap, webhook: None, at: start().x };
    engine.on(Input::Declared(vec![Declared { number: 1, after: 0, declaration }]), start());
    let plan = engine.plan(start());
    assert_eq!(plan.now.len(), 2);
    assert!(!plan.lost[0].reason.is_certain());
    insta::assert_json_snapshot!(plan.lost, @r#"
    [
      {
        "from": "2025-11-22T10:30:00Z",
        "to": "2025-11-22T10:40:00Z",
        "reason": "possibly: the webhook was marked invalid"
      }
    ]
    "#);
}

#[test]
fn a_stop_ends_what_is_under_way_and_begins_nothing() {
    let mut idle = engine(Vec::new());
    idle.on(Input::Stop, start());
    assert_eq!((idle.next_action(start()), idle.next_wakeup(start())), (None, None));
    let mut running = engine(Vec::new());
    accept(&mut running, 1, 5, start());
    running.on(Input::Stop, start());
    assert!(matches!(settled(&mut running, start()), Outcome::Failed { .. }));
    assert_eq!((running.next_action(start()), running.next_wakeup(start())), (None, None));
    // X's answer is on its way: the job is known before it is left alone.
    let mut creating = engine(Vec::new());
    creating.next_action(start());
    creating.on(Input::Intended(1), start());
    creating.next_action(start());
    creating.on(Input::Stop, start());
    creating.on(Input::Accepted(job(5)), start());
    assert_eq!(settled(&mut creating, start()), Outcome::Running { job: job(5) });
    assert!(matches!(settled(&mut creating, start()), Outcome::Failed { job: Some(_), .. }));
    assert_eq!(creating.next_wakeup(start()), None);
}

#[test]
fn a_fleet_shares_the_rate_and_nothing_else() {
    let settings = Settings { rate: Rate { calls: 1, per: minutes(15) }, ..Settings::v2() };
    let mut fleet = Fleet::default();
    for id in ["12", "13"] {
        let webhook = Webhook { id: id.parse().unwrap(), created_at: None };
        fleet.add(Engine::new(webhook, settings, RUN, Vec::new()));
    }
    let gap = Gap::new(start().x - minutes(70), start().x - minutes(60), Cause::Down);
    fleet.on_all(&Input::Gaps(vec![gap]), start());
    let lead = |fleet: &mut Fleet, number, now| {
        let (id, Action::Intend(_)) = fleet.next_action(now)? else { panic!() };
        fleet.on(id, Input::Intended(number), now);
        assert!(matches!(fleet.next_action(now), Some((at, Action::Create { .. })) if at == id));
        fleet.on(id, Input::Accepted(job(number)), now);
        fleet.next_action(now);
        fleet.on(id, Input::Settled { found: 0 }, now);
        Some(id.to_string())
    };
    assert_eq!(lead(&mut fleet, 1, start()).as_deref(), Some("12"));
    assert_eq!(lead(&mut fleet, 2, start()), None);
    assert_eq!(fleet.next_wakeup(start()), Some(minutes(15) + GRACE));
    let later = after(start(), minutes(15) + GRACE);
    assert_eq!(lead(&mut fleet, 2, later).as_deref(), Some("13"));
    assert_eq!(fleet.figures(later).running, 2);
}

#[test]
fn a_tick_without_news_plans_nothing() {
    // Planning this anew for each of the ticks would take minutes.
    let gap = |n: i64| {
        let from = start().x - minutes(4 * n + 100);
        Gap::new(from, from + minutes(2), Cause::Down)
    };
    let gaps: Vec<_> = (0..100_000).map(gap).collect();
    let limits = Limits { look_back: SignedDuration::from_hours(24 * 365), ..Limits::v2() };
    let mut engine = Engine::new(webhook(), Settings::new(limits), RUN, Vec::new());
    engine.on(Input::Gaps(gaps), start());
    engine.on(Input::Quota(Quota { remaining: 0, reset: start().x + minutes(9) }), start());
    for _ in 0..2000 {
        assert_eq!(engine.next_action(start()), None);
        assert_eq!(engine.next_wakeup(start()), Some(minutes(9) + GRACE));
    }
}

#[test]
fn what_says_nothing_about_the_events_is_never_given_up() {
    // A receiver that dies in the middle of every job.
    let mut attempts: Vec<Attempt> = Vec::new();
    for n in 1..=20 {
        let mut engine = engine(attempts.clone());
        if let Some(last) = attempts.last_mut() {
            last.outcome = settled(&mut engine, start());
        }
        let now = after(start(), minutes(10));
        let Some(Action::Intend(intent)) = engine.next_action(now) else {
            panic!("given up before try {n}");
        };
        let outcome = Outcome::Running { job: job(n) };
        attempts.push(Attempt { number: n, intent, outcome, settled_at: now.x, found: 0 });
        assert_eq!(engine.plan(now).lost, []);
    }
}

#[test]
fn a_missing_completion_times_out() {
    let mut engine = engine(Vec::new());
    accept(&mut engine, 1, 5, start());
    // A jump of X's clock alone does not end a job.
    let jumped = Moment { x: start().x + minutes(600), ..start() };
    assert_eq!(engine.next_action(jumped), None);
    let late = after(start(), minutes(30));
    let outcome = settled(&mut engine, late);
    assert_eq!(outcome, failed(Some(job(5)), "no completion arrived in time"));
    // Another try begins; the late completion of the old job changes nothing.
    let later = after(late, minutes(1));
    accept(&mut engine, 2, 6, later);
    engine.on(status(5, JobState::Complete), later);
    assert_eq!(engine.next_action(later), None);
}

/// Leads an engine to a refusal and settles it.
fn refuse(engine: &mut Engine, kind: RefusalKind, now: Moment) -> ReplayWindow {
    let Some(Action::Intend(intent)) = engine.next_action(now) else {
        panic!("nothing to ask for in {engine:?}");
    };
    engine.on(Input::Intended(1), now);
    assert!(matches!(engine.next_action(now), Some(Action::Create { .. })));
    engine.on(Input::Refused(Refusal { kind, words: "no".to_owned() }), now);
    assert_eq!(settled(engine, now), failed(None, "no"));
    intent.request
}

#[test]
fn refusals_wait_as_long_as_they_should() {
    let until = start().x + minutes(7);
    for (kind, wait) in [
        (RefusalKind::Conflict, SignedDuration::from_secs(30)),
        (RefusalKind::Passing, SignedDuration::from_secs(30)),
        (RefusalKind::Invalid, SignedDuration::from_secs(30)),
        (RefusalKind::RateLimited(None), SignedDuration::from_secs(30)),
        (RefusalKind::RateLimited(Some(until)), minutes(7)),
        (RefusalKind::Lasting, minutes(10)),
        (RefusalKind::Window, SignedDuration::from_secs(30)),
    ] {
        let mut engine = engine(Vec::new());
        refuse(&mut engine, kind, start());
        assert_eq!(engine.next_wakeup(start()), Some(wait), "{kind:?}");
        // However X's clock is set, the pause is a pause.
        for x in [start().x - minutes(1), start().x + minutes(60)] {
            assert_eq!(engine.next_action(Moment { x, ..start() }), None);
        }
        let later = engine.next_action(after(start(), wait));
        assert!(matches!(later, Some(Action::Intend(_))));
    }
}

#[test]
fn a_window_that_x_refuses_does_not_hold_up_the_others() {
    // Twenty hours, in windows of two.
    let mut engine = engine(Vec::new());
    let gap = Gap::new(start().x - minutes(21 * 60), start().x - minutes(60), Cause::Down);
    engine.on(Input::Gaps(vec![gap]), start());
    let first = refuse(&mut engine, RefusalKind::Window, start());
    let Some(Action::Intend(second)) = engine.next_action(start()) else { panic!() };
    assert!(second.core.from_date() >= first.to_date().plus(-1));
}

#[test]
fn a_shorter_look_back_than_documented_is_found_out() {
    // X's look-back is 40 minutes shorter than ours; the gap begins at the edge.
    let mut engine = engine(Vec::new());
    let gap = Gap::new(start().x - minutes(30 * 60), start().x - minutes(22 * 60), Cause::Down);
    engine.on(Input::Gaps(vec![gap]), start());
    let mut now = start();
    let edge = UtcMinute::ceil(start().x - minutes(24 * 60 - 40));
    let mut refusals = 0;
    loop {
        let Some(Action::Intend(intent)) = engine.next_action(now) else {
            now = after(now, engine.next_wakeup(now).expect("it ends before the edge"));
            continue;
        };
        if intent.request.from_date() >= edge.plus(now.x.duration_since(start().x).as_mins()) {
            break;
        }
        refusals += 1;
        assert!(refusals < 20, "it does not learn");
        refuse(&mut engine, RefusalKind::Window, now);
    }
    assert!(refusals > 0);
}

#[test]
fn a_webhook_that_is_gone_needs_another_engine() {
    let mut engine = engine(Vec::new());
    refuse(&mut engine, RefusalKind::Gone, start());
    assert!(engine.is_gone());
}

#[test]
fn what_was_before_the_webhook_is_named_and_not_asked_for() {
    let created_at = Some(start().x - minutes(65));
    let webhook = Webhook { created_at, ..webhook() };
    let mut engine = Engine::new(webhook, Settings::new(Limits::v2()), RUN, Vec::new());
    let gap = Gap::new(start().x - minutes(70), start().x - minutes(60), Cause::Down);
    engine.on(Input::Gaps(vec![gap]), start());
    let plan = engine.plan(start());
    assert_eq!(plan.now[0].core.from_date().start(), start().x - minutes(65));
    assert_eq!((plan.lost[0].from, plan.lost[0].to), (gap.from, start().x - minutes(65)));
}

#[test]
fn what_an_earlier_run_left_open_is_settled_first() {
    let mut before = engine(Vec::new());
    let Some(Action::Intend(intent)) = before.next_action(start()) else { panic!() };
    for outcome in [Outcome::Intended, Outcome::Running { job: job(5) }] {
        let attempt = Attempt { number: 1, intent, outcome, settled_at: start().x, found: 0 };
        let mut engine = engine(vec![attempt]);
        let outcome = settled(&mut engine, start());
        assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
        let later = after(start(), minutes(1));
        accept(&mut engine, 2, 6, later);
        engine.on(status(6, JobState::Complete), later);
        assert_eq!(settled(&mut engine, later), Outcome::Recovered { job: job(6) });
    }
}

#[test]
fn whatever_is_open_is_settled_before_anything_else() {
    let mut before = engine(Vec::new());
    let Some(Action::Intend(intent)) = before.next_action(start()) else { panic!() };
    let open = |number| {
        let outcome = Outcome::Running { job: job(number) };
        Attempt { number, intent, outcome, settled_at: start().x, found: 0 }
    };
    let mut engine = engine(vec![open(1), open(2)]);
    let mut numbers = Vec::new();
    while let Some(Action::Settle { attempt, .. }) = engine.next_action(start()) {
        numbers.push(attempt);
        engine.on(Input::Settled { found: 0 }, start());
    }
    assert_eq!(numbers, [2, 1]);
}

#[test]
fn a_recovered_window_stays_recovered_after_a_restart() {
    let mut before = engine(Vec::new());
    let Some(Action::Intend(intent)) = before.next_action(start()) else { panic!() };
    let outcome = Outcome::Recovered { job: job(5) };
    let attempt = Attempt { number: 1, intent, outcome, settled_at: start().x, found: 0 };
    let mut engine = engine(vec![attempt]);
    assert_eq!(engine.next_action(start()), None);
    assert!(!engine.is_pending(start()));
}

mod ends;
mod histories;
mod losses;
