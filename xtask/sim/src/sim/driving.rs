//! What a driver does with its engines, without a runtime: intent, call, outcome, each at its time.

use std::collections::{BTreeMap, VecDeque};

use aaa_client::Client;
use aaa_replay::{
    engine::{Action, Engine, Fleet, Input},
    ledger::{Holder, LedgerError, Outcome},
    plan::Lost,
};
use aaa_types::{JobId, UtcMinute, WebhookId, payload::ReplayJobStatus};
use jiff::SignedDuration;

use super::{
    Sim,
    calls::{self, Call},
    desk::Desk,
};
use crate::{
    clock::{HOUR, MINUTE, Millis, SECOND, shown},
    disk::Failure,
    fault::Kind,
    invariant::Invariant,
    scenario::Scenario,
    wire::Wire,
};

/// How long a driver waits before it looks for webhooks again.
const PAUSE: Millis = 30 * SECOND;

/// How many things engines may want done at one moment.
const MANY: u32 = 500;

/// Whose driver it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// The process that receives.
    Listener,
    /// A command beside it.
    Command,
}

/// A driver: what is gone when its process is.
pub(super) struct Driver {
    pub(super) desk: Desk,
    pub(super) fleet: Fleet,
    pub(super) client: Client<Wire>,
    pub(super) wire: Wire,
    pub(super) call: Option<Call>,
    /// The last job of each webhook that its engine was told of, and how long the process had run
    /// when it began to ask.
    pub(super) jobs: BTreeMap<WebhookId, (JobId, SignedDuration)>,
    pub(super) completions: VecDeque<ReplayJobStatus>,
    /// The only webhook that it recovers; all of them if none is named.
    only: Option<WebhookId>,
    /// Not before this does it look for webhooks again.
    look_again: Option<Millis>,
}

/// How engines are left.
enum Left {
    /// They have nothing to do now.
    Waiting,
    /// A call is under way.
    Calling,
    /// The ledger cannot be written.
    Held(LedgerError),
    /// The process is gone, and the engines with it.
    Killed,
}

impl Driver {
    /// # Errors
    ///
    /// Fails when the emulator's credentials are none.
    pub(super) fn new(
        holder: Holder,
        only: Option<WebhookId>,
        scenario: &Scenario,
    ) -> Result<Self, Failure> {
        let wire = Wire::default();
        Ok(Self {
            desk: Desk::new(holder),
            fleet: Fleet::default(),
            client: calls::client(wire.clone(), scenario)?,
            wire,
            call: None,
            jobs: BTreeMap::new(),
            completions: VecDeque::new(),
            only,
            look_again: None,
        })
    }

    /// Forgets the engines, and the jobs that they were told of: new ones are made from the ledger.
    pub(super) fn start_over(&mut self) {
        self.fleet = Fleet::default();
        self.jobs.clear();
    }
}

impl Sim {
    /// Looks at the gaps, and does everything that can be done now.
    pub(super) fn drive(&mut self, who: Who) -> Result<(), Failure> {
        if !self.is_awake(who) || self.driver(who).is_none_or(|driver| driver.call.is_some()) {
            return Ok(());
        }
        self.read_clock(who);
        let fresh = match self.look(who) {
            Ok(fresh) => fresh,
            Err(error) => {
                // What ended meanwhile is told all the same.
                self.tell_completions(who);
                self.held(who, &error);
                return Ok(());
            }
        };
        let Some(driver) = self.driver(who) else { return Ok(()) };
        let mut fleet = std::mem::take(&mut driver.fleet);
        let mut fresh = fresh.then(|| (driver.desk.gaps.clone(), driver.desk.declared.clone()));
        let left = loop {
            let (health, moment) = (self.health(who), self.moment(who));
            let Some(driver) = self.driver(who) else { return Ok(()) };
            if let Some(status) = driver.completions.pop_front() {
                fleet.on_all(&Input::Health(health), moment);
                fleet.on_all(&Input::Completed(status), moment);
            }
            if let Some((gaps, declared)) = fresh.take() {
                fleet.on_all(&Input::Gaps(gaps), moment);
                fleet.on_all(&Input::Declared(declared), moment);
            }
            let left = self.act(who, &mut fleet)?;
            let more = self.driver(who).is_some_and(|driver| !driver.completions.is_empty());
            if !(more && matches!(left, Left::Waiting)) {
                break left;
            }
        };
        match left {
            Left::Killed => return Ok(()),
            Left::Waiting => self.plan_look(who, &mut fleet),
            Left::Held(error) => {
                self.note_named(who, &mut fleet);
                if matches!(error, LedgerError::NotHeld | LedgerError::Held(_)) {
                    // Whoever has it now knows more than these engines.
                    fleet = Fleet::default();
                    if let Some(driver) = self.driver(who) {
                        driver.jobs.clear();
                    }
                }
                self.held(who, &error);
            }
            Left::Calling => {}
        }
        self.note_named(who, &mut fleet);
        let again = self.clocks.now() + PAUSE;
        if let Some(driver) = self.driver(who) {
            if !fleet.drain_gone().is_empty() {
                driver.look_again = Some(again);
            }
            driver.fleet = fleet;
        }
        Ok(())
    }

    /// Reads what is new in the ledger, and makes engines where there are none; says whether the
    /// engines have to hear of it.
    fn look(&mut self, who: Who) -> Result<bool, LedgerError> {
        let began = self.hold(who)?;
        let Some(times) = self.times(who) else { return Ok(false) };
        let settings = self.settings;
        let (Some(driver), disk) = self.driver_and_disk(who) else { return Ok(false) };
        if began {
            // What the engines knew may be old by now.
            driver.start_over();
        }
        let mut fresh = driver.desk.look(disk, &settings, times)?;
        let (idle, gaps) = (driver.desk.is_idle(), fresh.then(|| driver.desk.gaps.clone()));
        if let Some(gaps) = gaps {
            self.judge_gaps(&gaps);
        }
        if !idle {
            fresh |= self.resume_engines(who)?;
        }
        self.look_regularly(who);
        Ok(fresh)
    }

    /// Takes or keeps the lease; says whether it is a new one.
    fn hold(&mut self, who: Who) -> Result<bool, LedgerError> {
        let other = if who == Who::Listener { Who::Command } else { Who::Listener };
        self.keep_lease(other);
        let Some(times) = self.times(who) else { return Ok(false) };
        let (driver, disk) = self.driver_and_disk(who);
        driver.map_or(Ok(false), |driver| driver.desk.hold(disk, times))
    }

    /// The ledger did not do what it was asked for.
    fn held(&mut self, who: Who, error: &LedgerError) {
        if !self.disk.failing {
            self.say(|| format!("recovery by {who:?} has to wait: {error}"));
        }
        if let LedgerError::NotHeld | LedgerError::Held(_) = error {
            self.lost_lease(who);
        }
        self.look_of(who, 5 * SECOND);
    }

    /// Does what the engines want, until they want nothing more.
    fn act(&mut self, who: Who, fleet: &mut Fleet) -> Result<Left, Failure> {
        for _ in 0..MANY {
            let (health, moment) = (self.health(who), self.moment(who));
            let settings = self.settings;
            let (Some(driver), disk) = self.driver_and_disk(who) else { return Ok(Left::Killed) };
            let lease = match driver.desk.lease(disk, &settings) {
                Ok(lease) => lease,
                Err(error) => return Ok(Left::Held(error)),
            };
            fleet.on_all(&Input::Health(health), moment);
            let Some((webhook, action)) = fleet.next_action(moment) else {
                return Ok(Left::Waiting);
            };
            self.idle_looks = 0;
            let input = match action {
                Action::Intend(intent) => {
                    if self.killed_at(who, Kind::CrashBeforeIntent)? {
                        return Ok(Left::Killed);
                    }
                    let number = match self.disk.intend(lease, intent) {
                        Ok(number) => number,
                        Err(error) => return Ok(Left::Held(error)),
                    };
                    self.say(|| format!("intent {number}: {} for {}", intent.request, intent.core));
                    self.judge_write(who, "an intent");
                    self.note_asked(webhook);
                    if self.killed_at(who, Kind::CrashAfterIntent)? {
                        return Ok(Left::Killed);
                    }
                    Input::Intended(number)
                }
                Action::Create { webhook, request } => {
                    self.create(who, webhook, request)?;
                    return Ok(Left::Calling);
                }
                Action::Settle { attempt, outcome } => {
                    if self.killed_at(who, Kind::CrashBeforeOutcome)? {
                        return Ok(Left::Killed);
                    }
                    let found = match self.disk.settle(lease, attempt, outcome.clone(), moment.x) {
                        Ok(found) => found,
                        Err(error) => return Ok(Left::Held(error)),
                    };
                    self.say(|| format!("outcome of attempt {attempt}: {outcome:?}"));
                    self.judge_write(who, "an outcome");
                    if !matches!(outcome, Outcome::Recovered { .. } | Outcome::Running { .. }) {
                        self.note_failure(webhook);
                    }
                    if self.killed_at(who, Kind::CrashAfterOutcome)? {
                        return Ok(Left::Killed);
                    }
                    Input::Settled { found }
                }
            };
            fleet.on(webhook, input, self.moment(who));
        }
        self.violate(Invariant::WakesUp, format!("{MANY} actions at one moment"));
        Ok(Left::Waiting)
    }

    /// Tells an engine what came of a call.
    pub(super) fn tell_engine(&mut self, who: Who, webhook: WebhookId, input: Input) {
        let (health, moment) = (self.health(who), self.moment(who));
        if let Some(driver) = self.driver(who) {
            driver.fleet.on_all(&Input::Health(health), moment);
            driver.fleet.on(webhook, input, moment);
        }
    }

    /// Tells all engines something.
    pub(super) fn tell_engines(&mut self, who: Who, input: &Input) {
        let (health, moment) = (self.health(who), self.moment(who));
        if let Some(driver) = self.driver(who) {
            driver.fleet.on_all(&Input::Health(health), moment);
            driver.fleet.on_all(input, moment);
        }
    }

    fn tell_completions(&mut self, who: Who) {
        while let Some(status) = self.driver(who).and_then(|driver| driver.completions.pop_front())
        {
            self.tell_engines(who, &Input::Completed(status));
        }
    }

    /// Plans when to look again, as the engines say.
    fn plan_look(&mut self, who: Who, fleet: &mut Fleet) {
        let moment = self.moment(who);
        if let Some(wait) = fleet.next_wakeup(moment) {
            let wait = i64::try_from(wait.as_millis()).unwrap_or(Millis::MAX / 4);
            self.idle_looks = if wait <= 0 { self.idle_looks + 1 } else { 0 };
            if self.idle_looks > MANY {
                self.idle_looks = 0;
                let words = "it wants to be asked at once, and then has nothing to do";
                self.violate(Invariant::WakesUp, words);
            }
            // The driver's tick is a second.
            let tick = self.rng.i64(1..SECOND);
            self.look_of(who, wait.max(0) + tick);
            self.say(|| format!("{who:?} waits for {}", shown(wait)));
            return;
        }
        for engine in fleet.engines() {
            let plan = engine.plan(moment);
            if !plan.now.is_empty() || !plan.later.is_empty() {
                let words = format!("it names no time, and plans {plan:?}");
                self.violate(Invariant::WakesUp, words);
            }
        }
    }

    /// Looks again although nothing happened: the lease has to be kept, what is old to be removed,
    /// what is due to be swept.
    fn look_regularly(&mut self, who: Who) {
        if who == Who::Command {
            return;
        }
        let now = self.clocks.now();
        let (often, last) = match self.scenario.sweep {
            Some(_) => (10 * MINUTE, 8 * HOUR),
            None => (30 * MINUTE, HOUR),
        };
        let mut soon = self.looks.range((now + 1, who)..(now + often, who));
        if now < self.scenario.end + last && soon.all(|(_, other)| *other != who) {
            self.look_in(often - 1);
        }
    }

    fn resume_engines(&mut self, who: Who) -> Result<bool, LedgerError> {
        let now = self.clocks.now();
        let count = self.hooks.len();
        let Some(driver) = self.driver(who) else { return Ok(false) };
        let targets = if driver.only.is_some() { 1 } else { count };
        if driver.fleet.engines().count() >= targets {
            return Ok(false);
        }
        if let Some(at) = driver.look_again.filter(|at| now < *at) {
            self.look_of(who, at - now);
            return Ok(false);
        }
        let found = self.find_webhooks(who).unwrap_or_default();
        let attempts = self.disk.attempts()?;
        let (health, moment, settings) = (self.health(who), self.moment(who), self.settings);
        let Some(driver) = self.driver(who) else { return Ok(false) };
        let mut fresh = false;
        for webhook in found {
            let is_wanted = driver.only.is_none_or(|only| only == webhook.id);
            if is_wanted && driver.fleet.engine(webhook.id).is_none() {
                let mut engine = Engine::new(webhook, settings, health, attempts.clone());
                engine.on(Input::Gaps(driver.desk.gaps.clone()), moment);
                engine.on(Input::Declared(driver.desk.declared.clone()), moment);
                driver.fleet.add(engine);
                fresh = true;
            }
        }
        if driver.fleet.engines().count() < targets {
            driver.look_again = Some(now + PAUSE);
            self.look_of(who, PAUSE);
        }
        Ok(fresh)
    }

    /// Notes what is named as lost, as the driver says it.
    fn note_named(&mut self, who: Who, fleet: &mut Fleet) {
        let moment = self.moment(who);
        for engine in fleet.engines() {
            let webhook = engine.webhook().id;
            let lost = &engine.plan(moment).lost;
            let before = self.lost.entry(webhook).or_default();
            if before == lost {
                continue;
            }
            // What is lost for certain comes first, so that what only may be has the last word.
            let is_news = |lost: &&Lost| !lost.reason.is_certain() || !before.contains(lost);
            let news: Vec<_> = lost.iter().filter(is_news).cloned().collect();
            before.clone_from(lost);
            for Lost { from, to, reason } in &news {
                let (from, to, reason) = (UtcMinute::floor(*from), UtcMinute::ceil(*to), *reason);
                let before = self.named.len();
                let minutes = (0..to.since(from)).map(|minutes| from.plus(minutes));
                self.named.extend(minutes.map(|minute| ((webhook, minute), reason)));
                if self.named.len() > before {
                    self.say(|| format!("named at {webhook}: {from} to {to}: {reason}"));
                }
            }
        }
    }

    /// Says whether an engine has anything left to do.
    pub(crate) fn is_pending(&mut self) -> bool {
        let moment = self.moment(Who::Listener);
        self.driver(Who::Listener).is_some_and(|driver| driver.fleet.next_wakeup(moment).is_some())
    }

    pub(crate) fn is_up(&self) -> bool {
        self.is_awake(Who::Listener)
    }
}
