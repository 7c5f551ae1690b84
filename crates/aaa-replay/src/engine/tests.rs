use aaa_types::UtcMinute;
use proptest::prelude::*;

use super::*;
use crate::{coverage::RunId, plan::Limits};

const RUN: Health = Health { run: RunId(1), refusals: 0 };

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
    let gap = Gap { from: start().x - minutes(70), to: start().x - minutes(60) };
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
    engine.on(Input::Settled, now);
}

fn settled(engine: &mut Engine, now: Moment) -> Outcome {
    let Some(Action::Settle { outcome, .. }) = engine.next_action(now) else {
        panic!("nothing to settle in {engine:?}");
    };
    engine.on(Input::Settled, now);
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
    assert_eq!(engine.plan(start()), Plan::default());
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
    for health in [Health { refusals: 1, ..RUN }, Health { run: RunId(2), ..RUN }] {
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
fn incomplete_is_retried_after_growing_pauses_and_given_up_in_the_end() {
    let mut engine = engine(Vec::new());
    let mut now = start();
    let mut waits = Vec::new();
    for n in 1..=5 {
        accept(&mut engine, n, n, now);
        engine.on(status(n, JobState::Incomplete), now);
        assert!(matches!(settled(&mut engine, now), Outcome::Incomplete { .. }));
        assert_eq!(engine.next_action(now), None);
        if let Some(wait) = engine.next_wakeup(now) {
            waits.push(wait.as_secs());
            now = after(now, wait);
        }
    }
    assert_eq!(waits, [30, 60, 120, 240]);
    assert_eq!(engine.next_action(now), None);
    assert!(!engine.is_pending(now));
    insta::assert_json_snapshot!(engine.plan(now).lost, @r#"
    [
      {
        "from": "2025-11-22T10:50:00Z",
        "to": "2025-11-22T11:00:00Z",
        "reason": "5 replay jobs ended incomplete"
      }
    ]
    "#);
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
        attempts.push(Attempt { number: n, intent, outcome, settled_at: now.x });
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
    let gap = Gap { from: start().x - minutes(21 * 60), to: start().x - minutes(60) };
    engine.on(Input::Gaps(vec![gap]), start());
    let first = refuse(&mut engine, RefusalKind::Window, start());
    let Some(Action::Intend(second)) = engine.next_action(start()) else { panic!() };
    assert!(second.core.from_date() >= first.to_date().plus(-1));
}

#[test]
fn a_shorter_look_back_than_documented_is_found_out() {
    // X's look-back is 40 minutes shorter than ours; the gap begins at the edge.
    let mut engine = engine(Vec::new());
    let gap = Gap { from: start().x - minutes(30 * 60), to: start().x - minutes(22 * 60) };
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
    let gap = Gap { from: start().x - minutes(70), to: start().x - minutes(60) };
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
        let attempt = Attempt { number: 1, intent, outcome, settled_at: start().x };
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
fn a_recovered_window_stays_recovered_after_a_restart() {
    let mut before = engine(Vec::new());
    let Some(Action::Intend(intent)) = before.next_action(start()) else { panic!() };
    let outcome = Outcome::Recovered { job: job(5) };
    let attempt = Attempt { number: 1, intent, outcome, settled_at: start().x };
    let mut engine = engine(vec![attempt]);
    assert_eq!(engine.next_action(start()), None);
    assert!(!engine.is_pending(start()));
}

/// A simulated X and driver: what they do is drawn, what must hold is checked at every step.
#[derive(Debug, Clone)]
enum Luck {
    Accept,
    Conflict,
    LoseAnswer,
    Complete,
    Incomplete,
    Silence,
    Refuse,
    Restart,
}

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        4 => Just(Luck::Accept),
        1 => Just(Luck::Conflict),
        1 => Just(Luck::LoseAnswer),
        3 => Just(Luck::Complete),
        1 => Just(Luck::Incomplete),
        1 => Just(Luck::Silence),
        1 => Just(Luck::Refuse),
        1 => Just(Luck::Restart),
    ]
}

proptest! {
    /// Whatever happens: one live job at most, always an action or a wake-up while something is
    /// missing, and in the end every gap is recovered or named as lost.
    #[test]
    fn it_ends_and_never_has_two_live_jobs(
        gaps in prop::collection::vec((60..900_i64, 1..300_i64), 1..4),
        luck in prop::collection::vec(luck(), 0..60),
    ) {
        let gaps: Vec<_> = gaps.iter().map(|(ago, length)| {
            let from = start().x - minutes(ago + length);
            Gap { from, to: start().x - minutes(*ago) }
        }).collect();
        let settings = Settings::new(Limits::v2());
        let mut health = RUN;
        let mut luck = luck.into_iter();
        // The ledger as the driver would keep it.
        let mut ledger: Vec<Attempt> = Vec::new();
        let mut engine = Engine::new(webhook(), settings, health, Vec::new());
        engine.on(Input::Gaps(gaps.clone()), start());
        let (mut now, mut next_job, mut live): (_, u64, Option<u64>) = (start(), 1, None);
        let mut steps = 0;
        loop {
            steps += 1;
            prop_assert!(steps < 5000, "it does not end");
            prop_assert!(ledger.iter().filter(|a| a.outcome.is_open()).count() <= 1);
            match engine.next_action(now) {
                Some(Action::Intend(intent)) => {
                    prop_assert!(ledger.iter().all(|a| !a.outcome.is_open()));
                    let number = ledger.len() as u64 + 1;
                    let outcome = Outcome::Intended;
                    ledger.push(Attempt { number, intent, outcome, settled_at: now.x });
                    engine.on(Input::Intended(number), now);
                }
                Some(Action::Create { .. }) => {
                    let refusal = |kind| {
                        Input::Refused(Refusal { kind, words: "no".to_owned() })
                    };
                    let input = if live.is_some() {
                        // X refuses while a job runs; that job ends meanwhile.
                        live = None;
                        refusal(RefusalKind::Conflict)
                    } else {
                        match luck.next() {
                            Some(Luck::Conflict) => refusal(RefusalKind::Conflict),
                            Some(Luck::LoseAnswer) => {
                                live = Some(next_job);
                                next_job += 1;
                                refusal(RefusalKind::Passing)
                            }
                            _ => {
                                live = Some(next_job);
                                next_job += 1;
                                Input::Accepted(job(next_job - 1))
                            }
                        }
                    };
                    engine.on(input, now);
                }
                Some(Action::Settle { attempt, outcome }) => {
                    let entry = &mut ledger[attempt as usize - 1];
                    prop_assert!(entry.outcome.is_open());
                    entry.outcome = outcome;
                    engine.on(Input::Settled, now);
                }
                None => match engine.next_wakeup(now) {
                    None => break,
                    Some(wake) => {
                        let event = live.map(|n| (n, luck.next().unwrap_or(Luck::Complete)));
                        match event {
                            Some((n, Luck::Complete)) => engine.on(status(n, JobState::Complete), now),
                            Some((n, Luck::Incomplete)) => engine.on(status(n, JobState::Incomplete), now),
                            Some((_, Luck::Refuse)) => {
                                health.refusals += 1;
                                engine.on(Input::Health(health), now);
                            }
                            Some((_, Luck::Restart)) => {
                                health = Health { run: RunId(health.run.0 + 1), refusals: 0 };
                                engine = Engine::new(webhook(), settings, health, ledger.clone());
                                engine.on(Input::Gaps(gaps.clone()), now);
                            }
                            _ => {
                                now = after(now, wake.max(SignedDuration::from_secs(1)));
                            }
                        }
                        if matches!(event, Some((_, Luck::Complete | Luck::Incomplete))) {
                            live = None;
                        }
                    }
                },
            }
        }
        // Everything that was missing is recovered or named.
        let lost = engine.plan(now).lost;
        for gap in outstanding(&gaps, &[]) {
            let mut minute = gap.from_date();
            while minute < gap.to_date() {
                let recovered = ledger.iter().any(|a| {
                    matches!(a.outcome, Outcome::Recovered { .. }) && a.intent.core.contains(minute)
                });
                let named = lost.iter().any(|l| l.from <= minute.start() && minute.start() < l.to);
                prop_assert!(recovered || named, "{} is forgotten", minute);
                minute = minute.plus(1);
            }
        }
    }
}
