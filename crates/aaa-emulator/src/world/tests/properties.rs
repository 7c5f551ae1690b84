use std::collections::HashSet;

use aaa_types::{ReplayWindow, UtcMinute};
use proptest::{option::weighted, prelude::*};

use super::*;
use crate::control::{
    Action, Cause, CheckCause, Fault, JobState, Ledger, Match, Operation, Probability,
};

/// What may happen, in any order.
#[derive(Debug, Clone)]
enum Step {
    Register(u8),
    Validate(u8),
    Remove(u8),
    Subscribe(u8, u64),
    Unsubscribe(u8, u64),
    Trigger(u8, u64, u32),
    Replay(u8, i64, i64),
    Fault(u8),
    Pass(i64),
    /// Some of the challenges under way are answered: right, wrong, 500, or not at all.
    Checks(u8),
    /// Some of the deliveries under way are answered with a status, or fail.
    Posts(u8, u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..4_u8).prop_map(Step::Register),
        1 => (0..4_u8).prop_map(Step::Validate),
        1 => (0..8_u8).prop_map(Step::Remove),
        3 => (0..4_u8, 1..4_u64).prop_map(|(w, u)| Step::Subscribe(w, u)),
        1 => (0..4_u8, 1..4_u64).prop_map(|(w, u)| Step::Unsubscribe(w, u)),
        6 => (0..7_u8, 1..4_u64, 1..5_u32).prop_map(|(k, u, n)| Step::Trigger(k, u, n)),
        4 => (0..4_u8, 0..300_i64, 1..200_i64).prop_map(|(w, f, n)| Step::Replay(w, f, n)),
        1 => (0..17_u8).prop_map(Step::Fault),
        4 => (0..100_000_i64).prop_map(Step::Pass),
        6 => (0..6_u8).prop_map(Step::Checks),
        6 => (0..10_u8, prop_oneof![3 => Just(200_u16), 1 => Just(500), 1 => Just(0)])
            .prop_map(|(n, s)| Step::Posts(n, s)),
    ]
}

const KINDS: [&str; 7] = [
    "tweet_create_events",
    "favorite_events",
    "follow_events",
    "direct_message_events",
    "user_event",
    "brand_new_events",
    "post.create",
];

const ACTIONS: [Action; 17] = [
    Action::Drop,
    Action::LoseAnswer,
    Action::Delay { seconds: 700 },
    Action::Duplicate,
    Action::BadSignature,
    Action::Corrupt,
    Action::IncompleteJob,
    Action::CompleteJob,
    Action::MissingCompletion,
    Action::Truncate,
    Action::Reorder,
    Action::SlowBody { millis: 10 },
    Action::Reset,
    Action::GiveUp,
    Action::WrongCheck,
    Action::SilentCheck,
    Action::DoubleCompletion,
];

/// Any fault, also those that are refused.
fn fault() -> impl Strategy<Value = Fault> {
    let kind = prop::sample::select(&KINDS[..]).prop_map(str::to_owned);
    let cause = prop::sample::select(vec![Cause::Live, Cause::Retry, Cause::Replay]);
    let operation = prop::sample::select(vec![Operation::Subscribe, Operation::CreateReplay]);
    let check = prop::sample::select(vec![
        CheckCause::Registration,
        CheckCause::Request,
        CheckCause::Replay,
        CheckCause::Schedule,
    ]);
    let when = (
        weighted(0.3, kind),
        weighted(0.3, (1..4_u64).prop_map(user)),
        weighted(0.3, cause),
        weighted(0.2, operation),
        weighted(0.2, check),
        weighted(0.3, 0..4_u32),
        weighted(0.3, (0.1..1.0).prop_map(|p| Probability::new(p).unwrap())),
    );
    let when = when.prop_map(|(kind, user_id, cause, operation, check, nth, probability)| Match {
        kind,
        user_id,
        webhook_id: None,
        cause,
        operation,
        check,
        nth,
        probability,
    });
    let other = [Action::Respond { status: 503, form: None }, Action::JumpClock { seconds: 60 }];
    let actions: Vec<_> = ACTIONS.into_iter().chain(other).collect();
    (when, prop::sample::select(actions), 0..4_u32).prop_map(|(when, action, times)| Fault {
        when,
        action,
        times,
    })
}

/// Both, as it comes.
fn generation(number: i64) -> Generation {
    if number % 2 == 0 { Generation::V2 } else { Generation::V1_1 }
}

impl Sim {
    fn any_webhook(&self, index: u8) -> WebhookId {
        let unknown = WebhookId::try_from(5).unwrap();
        self.world.webhooks().get(usize::from(index)).map_or(unknown, |webhook| webhook.id)
    }

    fn perform(&mut self, step: &Step) {
        let now = self.now;
        match *step {
            Step::Register(port) => {
                let _ = self.world.register(
                    &format!("http://127.0.0.1:{}/", port + 1),
                    generation(port.into()),
                    now,
                );
            }
            Step::Validate(index) => {
                let _ = self.world.validate(self.any_webhook(index), generation(index.into()), now);
            }
            Step::Remove(index) => {
                let _ = self.world.remove(self.any_webhook(index), now);
            }
            Step::Subscribe(index, id) => {
                let _ = self.world.subscribe(self.any_webhook(index), user(id), now);
            }
            Step::Unsubscribe(index, id) => {
                let _ = self.world.unsubscribe(self.any_webhook(index), user(id), now);
            }
            Step::Trigger(kind, id, count) => {
                let kind = KINDS[usize::from(kind)];
                let ask = Trigger::new(kind, user(id)).with_count(count);
                self.world.trigger_and_wait(&ask, now).unwrap();
            }
            Step::Replay(index, ago, length) => {
                let from = UtcMinute::floor(now).plus(-ago - 31);
                let to = from.plus(length);
                let webhook = self.any_webhook(index);
                let (from, to) = (from.to_string(), to.to_string());
                let generation = generation(ago);
                let _ = if length % 2 == 0 {
                    self.world.replay(webhook, &from, &to, generation, now)
                } else {
                    self.world.replay_subscriptions(webhook, &from, &to, generation, now)
                };
            }
            Step::Fault(action) => {
                self.world.plan_fault(Fault::new(ACTIONS[usize::from(action)])).unwrap();
            }
            Step::Pass(seconds) => self.pass(SignedDuration::from_secs(seconds / 10)),
            Step::Checks(how) => self.answer_checks(match how {
                0..3 => None,
                3 => Some(Ok(Answer::new(200, "{}"))),
                4 => Some(Ok(Answer::new(500, ""))),
                _ => Some(Err(Silence::TimedOut)),
            }),
            Step::Posts(count, status) => {
                self.collect();
                let count = usize::from(count).min(self.posts.len());
                for post in self.posts.drain(..count).collect::<Vec<_>>() {
                    let heard = match status {
                        0 => Err(Silence::TimedOut),
                        status => Ok(Answer::new(status, "")),
                    };
                    self.world.delivery_ended(post.id, heard, now);
                }
            }
        }
        self.collect();
    }

    /// Answers everything until nothing is under way and nothing is owed.
    fn finish(&mut self) {
        for _ in 0..20 {
            self.answer_checks(None);
            self.answer_posts(200);
            self.pass(SignedDuration::from_secs(701));
        }
        self.answer_checks(None);
        self.answer_posts(200);
    }
}

fn check(ledger: &Ledger) {
    let running: Vec<_> = ledger
        .jobs
        .iter()
        .filter(|job| job.state == JobState::Running)
        .map(|job| job.webhook_id)
        .collect();
    let webhooks: HashSet<_> = running.iter().collect();
    assert_eq!(running.len(), webhooks.len(), "two live jobs for one webhook");
    let jobs: HashSet<_> = ledger.jobs.iter().map(|job| job.id).collect();
    let ids: HashSet<_> = ledger.events.iter().map(|event| &event.id).collect();
    assert_eq!(ids.len(), ledger.events.len());
    for event in &ledger.events {
        let at: Vec<_> = event.attempts.iter().map(|attempt| attempt.at).collect();
        assert!(at.is_sorted() && at.first().is_none_or(|at| event.created_at <= *at));
        let delivered = event.attempts.iter().any(|a| a.status == Some(200));
        assert_eq!(event.acknowledged_at.is_some(), delivered);
        for attempt in &event.attempts {
            assert!(attempt.status.is_none() || attempt.error.is_none());
            assert_eq!(attempt.cause == Cause::Replay, attempt.job_id.is_some());
            assert!(attempt.job_id.is_none_or(|id| jobs.contains(&id)));
        }
    }
}

/// A job re-sends nothing but what was attempted in its window, and all of it if it says so; of what
/// is of another product all or nothing.
fn check_jobs(ledger: &Ledger, told_to_lie: bool) {
    for job in &ledger.jobs {
        let window = ReplayWindow::new(job.from_date, job.to_date).unwrap();
        let mut others = HashSet::new();
        for event in &ledger.events {
            let first = event.attempts.first().map(|attempt| UtcMinute::floor(attempt.at));
            let belongs = event.webhook_id == job.webhook_id
                && first.is_some_and(|minute| window.contains(minute));
            let sent = event.attempts.iter().any(|a| a.job_id == Some(job.id));
            assert!(belongs || !sent, "{job:?} sent {event:?}");
            let is_other = event.kind.contains('.');
            if job.state == JobState::Complete && !told_to_lie && belongs && is_other {
                others.insert(sent);
            } else if job.state == JobState::Complete && !told_to_lie {
                assert_eq!(belongs, sent, "{job:?} and {event:?}");
            }
        }
        assert!(others.len() < 2, "{job:?} sent some of another product");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_panics_and_the_ledger_holds(steps in prop::collection::vec(step(), 0..120)) {
        let mut sim = Sim::subscribed(Settings { concurrency: 3, ..still() }).0;
        let mut told_to_lie = false;
        for step in &steps {
            sim.perform(step);
            told_to_lie |= matches!(step, Step::Fault(7));
            check(&sim.world.ledger(sim.now));
            // Live and replayed, three each, and a duplicated one of each; five webhooks at most.
            prop_assert!(sim.posts.len() <= 5 * 8);
        }
        sim.finish();
        let ledger = sim.world.ledger(sim.now);
        check(&ledger);
        check_jobs(&ledger, told_to_lie);
        prop_assert!(ledger.jobs.iter().all(|job| job.state != JobState::Running));
        prop_assert!(sim.world.waits.is_empty(), "somebody still waits");
        let counts = sim.world.state(sim.now).counts;
        prop_assert_eq!((counts.in_flight, counts.queued), (0, 0));
        let attempts: usize = ledger.events.iter().map(|event| event.attempts.len()).sum();
        let acknowledged = ledger.events.iter().filter(|e| e.acknowledged_at.is_some()).count();
        prop_assert_eq!((counts.attempts, counts.acknowledged), (attempts, acknowledged));
    }

    /// Whatever was attempted and failed comes back with one job over its time.
    #[test]
    fn a_replay_brings_everything_back(counts in prop::collection::vec((1..5_u32, 0..300_i64), 1..12)) {
        let (mut sim, webhook) = Sim::subscribed(still());
        let mut made = HashSet::new();
        for (count, seconds) in counts {
            made.extend(sim.trigger("tweet_create_events", count));
            sim.answer_posts(503);
            sim.pass(SignedDuration::from_secs(seconds));
        }
        let to = UtcMinute::ceil(sim.now).plus(1);
        sim.pass(SignedDuration::from_mins(40));
        let from = UtcMinute::floor(start()).to_string();
        sim.replay(webhook, &from, &to.to_string()).unwrap();
        sim.answer_posts(200);
        let ledger = sim.world.ledger(sim.now);
        let back: HashSet<_> = ledger.events.iter().filter(|e| e.acknowledged_at.is_some())
            .map(|e| e.key.clone()).collect();
        prop_assert_eq!(back, made);
    }

    #[test]
    fn arbitrary_text_never_panics(kind in ".*", url in ".*", from in ".*", to in ".*") {
        let (mut sim, webhook) = Sim::subscribed(still());
        let _ = sim.world.trigger(&Trigger::new(&kind, user(7)), sim.now);
        let _ = sim.world.trigger(&Trigger::new(&format!("{kind}_events"), user(7)), sim.now);
        let _ = sim.world.register(&url, Generation::V2, sim.now);
        let _ = sim.world.replay(webhook, &from, &to, Generation::V2, sim.now);
        sim.answer_checks(None);
        sim.answer_posts(200);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is planned, and whatever then happens: what fired is in the journal, as often as it
    /// is counted, never more often than planned, and only on what fits.
    #[test]
    fn faults_are_counted(
        faults in prop::collection::vec(fault(), 0..12),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let retries = Some([3, 27].map(SignedDuration::from_secs).to_vec());
        let mut sim = Sim::subscribed(Settings { concurrency: 3, retries, ..still() }).0;
        for fault in faults {
            let text = serde_json::to_string(&fault).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Fault>(&text).unwrap(), &fault);
            // What could never fire is refused.
            let _ = sim.world.plan_fault(fault);
        }
        for step in &steps {
            sim.perform(step);
            check(&sim.world.ledger(sim.now));
            for (operation, id) in [(Operation::Subscribe, 7), (Operation::CreateReplay, 8)] {
                let _ = sim.world.call_fault(operation, Some(user(id)), sim.now);
            }
        }
        let planned = sim.world.faults();
        for fault in &planned.faults {
            let firings: Vec<_> =
                planned.journal.iter().filter(|firing| firing.fault_id == fault.id).collect();
            prop_assert_eq!(firings.len(), usize::try_from(fault.fired).unwrap());
            prop_assert!(fault.fired <= fault.planned);
            for firing in firings {
                let fits = fault.when.kind.as_ref().is_none_or(|k| firing.kind.as_ref() == Some(k))
                    && fault.when.user_id.is_none_or(|u| firing.user_id == Some(u))
                    && fault.when.webhook_id.is_none_or(|w| firing.webhook_id == Some(w))
                    && fault.when.cause.is_none_or(|c| firing.cause == Some(c))
                    && fault.when.operation == firing.operation
                    && fault.when.check.is_none_or(|c| firing.check == Some(c));
                prop_assert!(fits, "{fault} on {firing:?}");
            }
        }
        prop_assert!(planned.journal.is_sorted_by_key(|firing| firing.at));
    }

    #[test]
    fn a_text_that_is_no_fault_never_panics(text in r#"\{("match":\{.{0,20}\},)?"action":.{0,30}\}"#) {
        let _ = serde_json::from_str::<Fault>(&text).map(|fault| {
            let _ = Sim::new(still()).world.plan_fault(fault);
        });
    }

    /// Wherever a history stops, the world that is saved is the one that is taken up, and what was
    /// taken up ends.
    #[test]
    fn a_snapshot_is_the_world(steps in prop::collection::vec(step(), 0..60)) {
        let retries = Some([3, 27].map(SignedDuration::from_secs).to_vec());
        let settings = Settings { concurrency: 2, retries, ..still() };
        let mut sim = Sim::subscribed(settings.clone()).0;
        for step in &steps {
            sim.perform(step);
        }
        let saved = sim.world.snapshot(sim.now);
        let text = serde_json::to_string(&saved).unwrap();
        let world = World::restore(settings, serde_json::from_str(&text).unwrap()).unwrap();
        prop_assert_eq!(&world.snapshot(sim.now), &saved);
        let mut new = Sim::new(still());
        (new.world, new.now) = (world, sim.now);
        new.world.resume(new.now);
        new.finish();
        let ledger = new.world.ledger(new.now);
        check(&ledger);
        prop_assert!(ledger.jobs.iter().all(|job| job.state != JobState::Running));
        let counts = new.world.state(new.now).counts;
        prop_assert_eq!((counts.in_flight, counts.queued), (0, 0));
    }

    /// The same seed and the same commands give the same ids, tokens and answers.
    #[test]
    fn a_history_can_be_repeated(seed in any::<u64>(), steps in prop::collection::vec(step(), 0..60)) {
        let run = || {
            let mut sim = Sim::subscribed(Settings { seed, ..still() }).0;
            steps.iter().for_each(|step| sim.perform(step));
            let seen: Vec<_> = sim.checks.iter().map(|check| check.uri.clone()).collect();
            let posted: Vec<_> = sim.posts.iter().map(|p| (p.body.clone(), p.signature.clone())).collect();
            (sim.world.snapshot(sim.now), seen, posted, sim.world.faults())
        };
        prop_assert_eq!(run(), run());
    }
}
