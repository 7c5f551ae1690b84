//! What a driver does with an engine, without a runtime: intent, call, outcome, each at its time.

use aaa_replay::{
    coverage::{Cause, Gap, RunId, Tally},
    engine::{Action, Engine, Health, Input},
    ledger::{LedgerError, Outcome},
    plan::Lost,
};
use aaa_types::UtcMinute;

use super::Sim;
use crate::{
    clock::{HOUR, MINUTE, Millis, SECOND, shown},
    disk::Failure,
    fault::Kind,
    invariant::Invariant,
    oracle::TOLERANCE,
};

/// How long a driver waits before it looks for the webhook again.
const PAUSE: Millis = 30 * SECOND;

/// How many things an engine may want done at one moment.
const MANY: u32 = 500;

/// How an engine is left.
enum Left {
    /// It has nothing to do now.
    Waiting,
    /// A call is under way.
    Calling,
    /// The ledger cannot be written.
    Held(LedgerError),
    /// The process is gone, and the engine with it.
    Killed,
}

impl Sim {
    /// Looks at the gaps, and does everything that can be done now.
    pub(super) fn drive(&mut self) -> Result<(), Failure> {
        let Some(process) = &self.process else { return Ok(()) };
        if process.still.is_some() || process.call.is_some() {
            return Ok(());
        }
        self.keep_clock();
        let fresh = match self.look() {
            Ok(fresh) => fresh,
            Err(error) => {
                // What ended meanwhile is told all the same.
                self.tell_completions();
                self.held(&error);
                return Ok(());
            }
        };
        let Some(mut engine) = self.process.as_mut().and_then(|process| process.engine.take())
        else {
            return Ok(());
        };
        let left = loop {
            let health = self.health();
            let Some(process) = &mut self.process else { return Ok(()) };
            let moment = process.moment(&self.clocks);
            if let Some(status) = process.completions.pop_front() {
                engine.on(Input::Health(health), moment);
                engine.on(Input::Completed(status), moment);
            }
            if fresh {
                engine.on(Input::Gaps(process.desk.gaps.clone()), moment);
                engine.on(Input::Declared(process.desk.declared.clone()), moment);
            }
            let left = self.act(&mut engine)?;
            let more = self.process.as_ref().is_some_and(|p| !p.completions.is_empty());
            if !(more && matches!(left, Left::Waiting)) {
                break left;
            }
        };
        let lost_it = matches!(left, Left::Held(LedgerError::NotHeld | LedgerError::Held(_)));
        match left {
            Left::Killed => return Ok(()),
            Left::Waiting => self.plan_look(&mut engine),
            Left::Held(error) => self.held(&error),
            Left::Calling => {}
        }
        let now = self.clocks.now();
        self.note_named(&mut engine);
        if let Some(process) = &mut self.process {
            if engine.is_gone() {
                process.look_again = Some(now + PAUSE);
            } else if !lost_it {
                process.engine = Some(engine);
            }
        }
        Ok(())
    }

    /// Reads what is new in the ledger, and makes the engine where there is none; says whether the
    /// engine has to hear of it.
    fn look(&mut self) -> Result<bool, LedgerError> {
        let clocks = &self.clocks;
        let Some(process) = &mut self.process else { return Ok(false) };
        let times = process.times(clocks);
        if process.desk.hold(&self.disk, RunId(process.run), times.wall)? {
            process.engine = None;
        }
        let mut fresh = process.desk.look(&self.disk, &self.settings, times)?;
        let idle = process.desk.is_idle();
        if fresh {
            let gaps = process.desk.gaps.clone();
            self.judge_gaps(&gaps);
        }
        if !idle {
            fresh |= self.resume_engine()?;
        }
        self.look_regularly();
        Ok(fresh)
    }

    /// The ledger did not do what it was asked for.
    fn held(&mut self, error: &LedgerError) {
        if !self.disk.failing {
            self.say(|| format!("recovery has to wait: {error}"));
        }
        self.look_in(5 * SECOND);
    }

    /// Does what the engine wants, until it wants nothing more.
    fn act(&mut self, engine: &mut Engine) -> Result<Left, Failure> {
        for _ in 0..MANY {
            let health = self.health();
            let Some(process) = &self.process else { return Ok(Left::Killed) };
            let moment = process.moment(&self.clocks);
            let lease = match process.desk.lease() {
                Ok(lease) => lease,
                Err(error) => return Ok(Left::Held(error)),
            };
            engine.on(Input::Health(health), moment);
            let Some(action) = engine.next_action(moment) else {
                return Ok(Left::Waiting);
            };
            self.idle_looks = 0;
            let input = match action {
                Action::Intend(intent) => {
                    if self.killed_at(Kind::CrashBeforeIntent)? {
                        return Ok(Left::Killed);
                    }
                    let number = match self.disk.intend(lease, intent) {
                        Ok(number) => number,
                        Err(error) => return Ok(Left::Held(error)),
                    };
                    self.say(|| format!("intent {number}: {} for {}", intent.request, intent.core));
                    if self.killed_at(Kind::CrashAfterIntent)? {
                        return Ok(Left::Killed);
                    }
                    Input::Intended(number)
                }
                Action::Create { webhook, request } => {
                    self.create(webhook, request)?;
                    return Ok(Left::Calling);
                }
                Action::Settle { attempt, outcome } => {
                    if self.killed_at(Kind::CrashBeforeOutcome)? {
                        return Ok(Left::Killed);
                    }
                    let found = match self.disk.settle(lease, attempt, outcome.clone(), moment.x) {
                        Ok(found) => found,
                        Err(error) => return Ok(Left::Held(error)),
                    };
                    self.say(|| format!("outcome of attempt {attempt}: {outcome:?}"));
                    if !matches!(outcome, Outcome::Recovered { .. } | Outcome::Running { .. }) {
                        self.note_failure();
                    }
                    if self.killed_at(Kind::CrashAfterOutcome)? {
                        return Ok(Left::Killed);
                    }
                    Input::Settled { found }
                }
            };
            let Some(process) = &self.process else { return Ok(Left::Killed) };
            engine.on(input, process.moment(&self.clocks));
        }
        self.violate(Invariant::WakesUp, format!("{MANY} actions at one moment"));
        Ok(Left::Waiting)
    }

    /// Tells the engine what came of a call.
    pub(super) fn tell_engine(&mut self, input: Input) {
        let health = self.health();
        let clocks = &self.clocks;
        if let Some(process) = &mut self.process {
            let moment = process.moment(clocks);
            if let Some(engine) = &mut process.engine {
                engine.on(Input::Health(health), moment);
                engine.on(input, moment);
            }
        }
    }

    fn tell_completions(&mut self) {
        while let Some(status) = self.process.as_mut().and_then(|p| p.completions.pop_front()) {
            self.tell_engine(Input::Completed(status));
        }
    }

    /// Plans when to look again, as the engine says.
    fn plan_look(&mut self, engine: &mut Engine) {
        let Some(process) = &self.process else { return };
        let moment = process.moment(&self.clocks);
        if let Some(wait) = engine.next_wakeup(moment) {
            let wait = i64::try_from(wait.as_millis()).unwrap_or(Millis::MAX / 4);
            self.idle_looks = if wait <= 0 { self.idle_looks + 1 } else { 0 };
            if self.idle_looks > MANY {
                self.idle_looks = 0;
                let words = "it wants to be asked at once, and then has nothing to do";
                self.violate(Invariant::WakesUp, words);
            }
            // The driver's tick is a second.
            let tick = self.rng.i64(1..SECOND);
            self.look_in(wait.max(0) + tick);
            self.say(|| format!("the engine waits for {}", shown(wait)));
            return;
        }
        let plan = engine.plan(moment);
        if !plan.now.is_empty() || !plan.later.is_empty() {
            let words = format!("it names no time, and plans {plan:?}");
            self.violate(Invariant::WakesUp, words);
        }
    }

    /// Looks again although nothing happened: the lease has to be kept, what is old to be removed,
    /// what is due to be swept.
    fn look_regularly(&mut self) {
        let now = self.clocks.now();
        let (often, last) = match self.scenario.sweep {
            Some(_) => (10 * MINUTE, 8 * HOUR),
            None => (30 * MINUTE, HOUR),
        };
        if now < self.scenario.end + last && self.looks.range(now + 1..now + often).next().is_none()
        {
            self.look_in(often - 1);
        }
    }

    fn resume_engine(&mut self) -> Result<bool, LedgerError> {
        let now = self.clocks.now();
        let Some(process) = &self.process else { return Ok(false) };
        if process.engine.is_some() {
            return Ok(false);
        }
        if let Some(at) = process.look_again.filter(|at| now < *at) {
            self.look_in(at - now);
            return Ok(false);
        }
        let Some(webhook) = self.find_webhook() else {
            if let Some(process) = &mut self.process {
                process.look_again = Some(now + PAUSE);
            }
            self.look_in(PAUSE);
            return Ok(false);
        };
        let attempts = self.disk.attempts()?;
        let mut engine = Engine::new(webhook, self.settings, self.health(), attempts);
        if let Some(process) = &mut self.process {
            let moment = process.moment(&self.clocks);
            engine.on(Input::Gaps(process.desk.gaps.clone()), moment);
            engine.on(Input::Declared(process.desk.declared.clone()), moment);
            process.engine = Some(engine);
        }
        Ok(true)
    }

    /// Returns what the receiver says of itself.
    fn health(&self) -> Health {
        let health = self.process.as_ref().map(super::Process::health);
        health.unwrap_or(Health::new(RunId(0), Tally::default()))
    }

    /// Notes what is named as lost, as the driver says it.
    fn note_named(&mut self, engine: &mut Engine) {
        let Some(process) = &self.process else { return };
        for Lost { from, to, reason } in engine.plan(process.moment(&self.clocks)).lost.clone() {
            let (from, to) = (UtcMinute::floor(from), UtcMinute::ceil(to));
            let before = self.named.len();
            self.named.extend((0..to.since(from)).map(|minutes| (from.plus(minutes), reason)));
            if self.named.len() > before {
                self.say(|| format!("named: {from} to {to}: {reason}"));
            }
        }
    }

    /// Every gap is near something that happened.
    fn judge_gaps(&mut self, gaps: &[Gap]) {
        for gap in gaps {
            if !self.gaps_seen.insert((gap.from, gap.to)) {
                continue;
            }
            let (from, to) = (gap.from.as_millisecond(), gap.to.as_millisecond());
            if gap.cause == Cause::Signatures && self.truth.rejected(from, to, TOLERANCE) {
                // Nobody can tell a forgery from a delivery that was signed with another secret.
                self.truth.disturb(from, to);
            }
            if !self.truth.touches(from, to, TOLERANCE) {
                let words = format!("{:.3} to {:.3}, {}", gap.from, gap.to, gap.cause);
                self.violate(Invariant::GapsAreReal, words);
            }
        }
    }

    /// Says whether the engine has anything left to do.
    pub(crate) fn is_pending(&mut self) -> bool {
        let clocks = &self.clocks;
        self.process.as_mut().is_some_and(|process| {
            let moment = process.moment(clocks);
            process.engine.as_mut().is_some_and(|engine| engine.is_pending(moment))
        })
    }

    pub(crate) fn is_up(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.still.is_none())
    }
}
