//! An engine, a ledger and an X that are led through drawn histories, with a restart anywhere.

use proptest::prelude::*;

use super::*;
use crate::ledger::{Book, Holder, LeaseId, Role};

/// What happens next, if it can happen now.
#[derive(Debug, Clone, Copy)]
enum Luck {
    /// All goes well.
    Well,
    /// X's answer to a call is lost.
    LostAnswer,
    /// X refuses a call.
    Refused(RefusalKind),
    /// The job ends incomplete.
    Incomplete,
    /// The job ends, and nobody says so.
    Silence,
    /// The receiver refuses a delivery.
    Refusal,
    /// The end of a job is told twice.
    Twice,
    /// The process dies before it does what it is about to do.
    CrashBefore,
    /// The process dies after that, and has not heard what came of it.
    CrashAfter,
    /// Time goes by.
    Wait,
}

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        8 => Just(Luck::Well),
        1 => Just(Luck::LostAnswer),
        1 => Just(Luck::Refused(RefusalKind::Conflict)),
        1 => Just(Luck::Refused(RefusalKind::Passing)),
        1 => Just(Luck::Refused(RefusalKind::RateLimited(None))),
        1 => Just(Luck::Refused(RefusalKind::Window)),
        1 => Just(Luck::Refused(RefusalKind::Invalid)),
        3 => Just(Luck::Incomplete),
        1 => Just(Luck::Silence),
        1 => Just(Luck::Refusal),
        1 => Just(Luck::Twice),
        2 => Just(Luck::CrashBefore),
        2 => Just(Luck::CrashAfter),
        1 => Just(Luck::Wait),
    ]
}

/// X's side: at most one live job, and what each one delivered.
#[derive(Debug, Default)]
struct X {
    jobs: u64,
    live: Option<u64>,
    /// When each call was made, and whether its intent was in the ledger.
    calls: Vec<jiff::Timestamp>,
}

struct History {
    engine: Engine,
    settings: Settings,
    book: Book,
    lease: LeaseId,
    health: Health,
    gaps: Vec<Gap>,
    /// A minute that cannot be delivered.
    bad: UtcMinute,
    x: X,
    now: Moment,
}

impl History {
    fn new(gaps: Vec<Gap>, bad: i64, settings: Settings) -> Self {
        let engine = Engine::new(webhook(), settings, RUN, Vec::new());
        let mut history = Self {
            engine,
            settings,
            book: Book::new(SignedDuration::from_secs(5)),
            lease: LeaseId(0),
            health: RUN,
            gaps,
            bad: UtcMinute::floor(start().x - minutes(bad)),
            x: X::default(),
            now: start(),
        };
        history.begin(1);
        history
    }

    /// A run begins, from what the ledger has.
    fn begin(&mut self, run: u64) {
        self.health = Health::new(RunId(run), tally(0));
        let holder = Holder { name: "a run".to_owned(), run: RunId(run), role: Role::Listener };
        let until = self.now.x + minutes(1);
        self.lease = self.book.take_lease(holder, self.now.x, until).unwrap().id;
        self.engine = Engine::new(webhook(), self.settings, self.health, self.book.attempts());
        self.engine.on(Input::Gaps(self.gaps.clone()), self.now);
    }

    fn crash(&mut self) {
        self.begin(self.health.run.0 + 1);
    }

    /// Does one thing; returns what the engine is to hear of it.
    fn perform(&mut self, action: Action, luck: Luck) -> Result<Input, TestCaseError> {
        let open = self.book.attempts().iter().filter(|a| a.outcome.is_open()).count();
        Ok(match action {
            Action::Intend(intent) => {
                prop_assert_eq!(open, 0, "an intent beside an open attempt");
                Input::Intended(self.book.intend(self.lease, intent, 0).unwrap())
            }
            Action::Create { request, .. } => {
                let attempts = self.book.attempts();
                let intent = attempts.iter().find(|a| a.outcome == Outcome::Intended);
                prop_assert!(intent.is_some_and(|a| a.intent.request == request), "no intent");
                self.x.calls.push(self.now.x);
                let refused = |kind| Input::Refused(Refusal { kind, words: "no".to_owned() });
                match luck {
                    Luck::Refused(kind) => refused(kind),
                    _ if self.x.live.is_some() => refused(RefusalKind::Conflict),
                    _ => {
                        self.x.jobs += 1;
                        self.x.live = Some(self.x.jobs);
                        match luck {
                            Luck::LostAnswer => refused(RefusalKind::Passing),
                            _ => Input::Accepted(job(self.x.jobs)),
                        }
                    }
                }
            }
            Action::Settle { attempt, outcome } => {
                let now = self.now.x;
                let found = self.book.settle(self.lease, attempt, outcome, now, |_, _| 0);
                Input::Settled { found: found.unwrap() }
            }
        })
    }

    /// Nothing is to be done: X's job ends, or time goes by.
    fn idle(&mut self, wake: SignedDuration, luck: Luck) {
        if matches!(luck, Luck::Refusal) {
            self.health.tally.refusals += 1;
            self.engine.on(Input::Health(self.health), self.now);
            return;
        }
        let running = self.book.attempts().into_iter().find(|a| a.outcome.is_open());
        let bad = running.is_some_and(|a| a.intent.request.contains(self.bad));
        let state = match luck {
            Luck::Incomplete => JobState::Incomplete,
            _ if bad => JobState::Incomplete,
            _ => JobState::Complete,
        };
        match (self.x.live, luck) {
            (Some(_), Luck::Silence) => self.x.live = None,
            (Some(job), Luck::Well | Luck::Incomplete | Luck::Twice) => {
                self.x.live = None;
                self.engine.on(status(job, state.clone()), self.now);
                if matches!(luck, Luck::Twice) {
                    self.engine.on(status(job, state), self.now);
                }
            }
            _ => self.now = after(self.now, wake.max(SignedDuration::from_secs(1))),
        }
    }
}

fn gaps() -> impl Strategy<Value = Vec<Gap>> {
    let one = (12..900_i64, 1..300_i64).prop_map(|(ago, length)| {
        let from = start().x - minutes(ago + length);
        Gap::new(from, start().x - minutes(ago), Cause::Down)
    });
    prop::collection::vec(one, 1..4)
}

proptest! {
    /// Whatever happens, and whenever the process dies: an intent stands in the ledger before each
    /// call, there is one open attempt at most, there is always an action or a wake-up, X's rate
    /// is kept, and in the end every minute is recovered or named as lost.
    #[test]
    fn it_ends_and_forgets_nothing(
        gaps in gaps(), bad in 0..1200_i64, luck in prop::collection::vec(luck(), 0..120)
    ) {
        let rate = Rate { calls: 20, per: minutes(15) };
        let mut history = History::new(gaps.clone(), bad, Settings { rate, ..Settings::v2() });
        // Besides the bad minute, nothing fails often enough to be given up.
        let bad_luck = luck.iter().filter(|luck| matches!(luck, Luck::Incomplete)).count();
        let is_gentle = luck.len() < 20 && bad_luck < 3;
        let mut luck = luck.into_iter();
        let mut steps = 0;
        loop {
            steps += 1;
            prop_assert!(steps < 20_000, "it does not end");
            let fate = luck.next().unwrap_or(Luck::Well);
            if matches!(fate, Luck::CrashBefore) {
                history.crash();
                continue;
            }
            let now = history.now;
            match history.engine.next_action(now) {
                Some(action) => {
                    prop_assert_eq!(history.engine.next_action(now), Some(action.clone()));
                    prop_assert_eq!(history.engine.next_wakeup(now), Some(SignedDuration::ZERO));
                    let input = history.perform(action, fate)?;
                    if matches!(fate, Luck::CrashAfter) {
                        history.crash();
                    } else {
                        history.engine.on(input, now);
                    }
                }
                None => match history.engine.next_wakeup(now) {
                    None => break,
                    Some(wake) => history.idle(wake, fate),
                },
            }
        }
        for calls in history.x.calls.windows(21) {
            prop_assert!(calls[20].duration_since(calls[0]) >= minutes(15), "too many calls");
        }
        if is_gentle {
            let calls = history.x.calls.len();
            prop_assert!(calls < 100, "{} calls: a bad minute is asked for without end", calls);
        }
        let now = history.now;
        let lost = history.engine.plan(now).lost.clone();
        let attempts = history.book.attempts();
        for gap in outstanding(&gaps, &[]) {
            let mut minute = gap.from_date();
            while minute < gap.to_date() {
                let recovered = attempts.iter().any(|a| {
                    matches!(a.outcome, Outcome::Recovered { .. }) && a.intent.core.contains(minute)
                });
                let named = lost.iter().any(|l| l.from <= minute.start() && minute.start() < l.to);
                prop_assert!(recovered || named, "{} is forgotten", minute);
                if is_gentle {
                    prop_assert_eq!(named, minute == history.bad, "{}", minute);
                }
                minute = minute.plus(1);
            }
        }
    }

    /// A restart at any time comes to the same plan as going on would have.
    #[test]
    fn a_restart_plans_what_would_have_been_planned(
        gaps in gaps(), bad in 0..1200_i64, luck in prop::collection::vec(luck(), 0..80)
    ) {
        let mut history = History::new(gaps, bad, Settings::v2());
        for fate in luck {
            let now = history.now;
            match history.engine.next_action(now) {
                Some(action) => {
                    let input = history.perform(action, fate)?;
                    history.engine.on(input, now);
                }
                None => match history.engine.next_wakeup(now) {
                    None => break,
                    Some(wake) => history.idle(wake, fate),
                },
            }
            if history.engine.step.live().is_none() && history.settings == history.engine.settings {
                let planned = history.engine.plan(history.now).clone();
                let attempts = history.book.attempts();
                let mut anew = Engine::new(webhook(), history.settings, history.health, attempts);
                anew.on(Input::Gaps(history.gaps.clone()), history.now);
                prop_assert_eq!(anew.plan(history.now), &planned);
            }
        }
    }
}

/// Each engine that does something wrong on purpose is seen to do it.
#[cfg(feature = "broken")]
mod broken {
    use super::*;

    fn flawed(flaw: Flaw) -> Engine {
        let settings = Settings { flaw: Some(flaw), ..Settings::v2() };
        let mut engine = Engine::new(webhook(), settings, RUN, Vec::new());
        let gap = Gap::new(start().x - minutes(70), start().x - minutes(60), Cause::Down);
        engine.on(Input::Gaps(vec![gap]), start());
        engine
    }

    fn outcome(flaw: Flaw, health: Health, state: JobState) -> Outcome {
        let mut engine = flawed(flaw);
        accept(&mut engine, 1, 5, start());
        engine.on(Input::Health(health), start());
        engine.on(status(5, state), start());
        settled(&mut engine, start())
    }

    #[test]
    fn it_believes_what_it_should_not() {
        let recovered = Outcome::Recovered { job: job(5) };
        let refused = Health { tally: tally(1), ..RUN };
        assert_eq!(outcome(Flaw::IgnoredIncomplete, RUN, JobState::Incomplete), recovered);
        assert_ne!(outcome(Flaw::IgnoredIncomplete, refused, JobState::Complete), recovered);
        assert_eq!(outcome(Flaw::TrustedComplete, refused, JobState::Complete), recovered);
        assert_ne!(outcome(Flaw::TrustedComplete, RUN, JobState::Incomplete), recovered);
    }

    #[test]
    fn it_asks_before_it_writes_that_down() {
        let mut engine = flawed(Flaw::NoIntent);
        assert!(matches!(engine.next_action(start()), Some(Action::Create { .. })));
        engine.on(Input::Accepted(job(5)), start());
        engine.on(status(5, JobState::Complete), start());
        assert!(matches!(engine.next_action(start()), Some(Action::Intend(_))));
        engine.on(Input::Intended(1), start());
        for outcome in [Outcome::Running { job: job(5) }, Outcome::Recovered { job: job(5) }] {
            let settle = Action::Settle { attempt: 1, outcome };
            assert_eq!(engine.next_action(start()), Some(settle));
            engine.on(Input::Settled { found: 0 }, start());
        }
        let mut refused = flawed(Flaw::NoIntent);
        refused.next_action(start());
        let refusal = Refusal { kind: RefusalKind::Passing, words: "no".to_owned() };
        refused.on(Input::Refused(refusal), start());
        assert_eq!(refused.next_action(start()), None);
    }

    #[test]
    fn it_asks_for_too_little() {
        let asked = |engine: &mut Engine| {
            let mut action = engine.next_action(start());
            if matches!(action, Some(Action::Intend(_))) {
                engine.on(Input::Intended(1), start());
                action = engine.next_action(start());
            }
            let Some(Action::Create { request, .. }) = action else { panic!("{action:?}") };
            request.to_string()
        };
        assert_eq!(asked(&mut engine(Vec::new())), "202511221050..202511221101");
        assert_eq!(asked(&mut flawed(Flaw::OffByOne)), "202511221051..202511221059");
        assert_eq!(asked(&mut flawed(Flaw::NoOverlap)), "202511221050..202511221100");
    }

    #[test]
    fn it_asks_for_too_much() {
        let longest = |mut engine: Engine| {
            let gap = Gap::new(start().x - minutes(1200), start().x - minutes(60), Cause::Down);
            engine.on(Input::Gaps(vec![gap]), start());
            let now = engine.plan(start()).now.iter();
            now.map(|window| window.request.minutes()).max()
        };
        assert_eq!(longest(engine(Vec::new())), Some(120));
        assert_eq!(longest(flawed(Flaw::LongWindows)), Some(600));
    }

    #[test]
    fn it_sees_gaps_where_there_are_none_and_none_where_there_are() {
        use crate::coverage::{Heartbeat, Span};
        let at = |run, second: i64, hours| Heartbeat {
            run: RunId(run),
            wall: start().x + SignedDuration::from_secs(second),
            uptime: SignedDuration::from_secs(second),
            offset: SignedDuration::from_hours(hours),
            offset_read: true,
            tally: Tally::default(),
        };
        let jumped = Span { last: at(1, 5, 1), ..Span::new(at(1, 0, 0)) };
        let spans = [jumped, Span::new(at(2, 10, 1))];
        let gaps = |flaw| Settings { flaw, ..Settings::v2() }.gaps(&spans);
        assert_eq!(gaps(None).len(), 1);
        assert_eq!(gaps(Some(Flaw::JumpIsGap)).len(), 2);
        let narrow = gaps(Some(Flaw::NoMargin))[0];
        assert_eq!(narrow.to.duration_since(narrow.from).as_secs(), 5);
    }

    #[test]
    fn all_are_known() {
        let names: std::collections::BTreeSet<_> =
            Flaw::ALL.iter().map(|flaw| format!("{flaw:?}")).collect();
        assert_eq!(names.len(), Flaw::ALL.len());
    }
}
