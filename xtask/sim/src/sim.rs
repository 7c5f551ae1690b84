//! One history, from its beginning to its end.

mod beside;
mod calls;
mod deliveries;
mod desk;
mod driving;
mod hooks;
mod judging;
mod process;
mod spells;
mod troubles;
mod watching;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use aaa_emulator::{
    control::Trigger,
    credentials,
    rest::{Pending, Rest},
    settings::Generation,
    world::{Check, DeliveryId, Effect, Outcome, Post, Ticket, World},
};
use aaa_replay::{
    engine::{Flaw, Settings},
    plan::{Limits, Lost, LostReason},
    watch::Report,
};
use aaa_types::{UserId, UtcMinute, WebhookId};
use aaa_webhook::{app::App, delivery::VerifiedDelivery};
use bytes::Bytes;
use fastrand::Rng;
use http::Request;
use jiff::Timestamp;

use self::{
    beside::Command, calls::CallId, driving::Who, hooks::Hook, process::Process, troubles::Asked,
};
pub(crate) use self::{hooks::MOST, watching::RHYTHM};
use crate::{
    clock::{Clocks, HOUR, Millis, SECOND, length, shown, timestamp},
    disk::{Disk, Failure},
    fault::{Kind, Tally},
    invariant::{Invariant, Violation},
    scenario::{Happening, Scenario},
    truth::Truth,
    wire::Answered,
};

/// How long after its end a history may take to come to rest.
const REST: Millis = 8 * 24 * HOUR;

/// How long nothing may happen before a history has come to rest: everything that X still does
/// comes sooner.
const QUIET: Millis = 2 * HOUR;

/// A history that is happening.
pub(crate) struct Sim {
    pub(crate) scenario: Scenario,
    pub(crate) settings: Settings,
    pub(crate) clocks: Clocks,
    pub(crate) truth: Truth,
    pub(crate) tally: Tally,
    pub(crate) disk: Disk,
    pub(crate) world: World,
    pub(crate) violations: Vec<Violation>,
    /// Spells in which deliveries could not be taken.
    pub(crate) outages: u64,
    pub(crate) log: Option<Vec<String>>,
    rest: Rest,
    rng: Rng,
    queue: BTreeMap<(Millis, u64), Event>,
    serial: u64,
    app: App,
    /// What somebody configures by mistake.
    wrong_app: App,
    wrong_secret: bool,
    /// Which run has it, and since when, on X's clock, true and believed.
    wrong_since: Option<(u64, Millis, Millis)>,
    /// A wrong secret may have cost something, and the right one has not proved itself yet.
    suspected: bool,
    hooks: Vec<Hook>,
    process: Option<Process>,
    runs: u64,
    command: Option<Command>,
    commands: u64,
    /// When the driver looks again: a real one looks every second, and finds nothing new.
    looks: BTreeSet<(Millis, Who)>,
    /// When the watchers look again.
    watch_at: Option<Millis>,
    /// When the store began to work again.
    works_since: Millis,
    /// Since when nobody could ask X or write, on X's clock.
    blind_since: Option<Millis>,
    /// X's clock, true and believed, when the process went away.
    down_since: Option<(Millis, Millis)>,
    failing_since: Option<(Millis, Millis)>,
    api_down: bool,
    /// Where the process will be killed, and how long it will be away.
    kills: Vec<(Kind, Millis)>,
    /// What brings the process to a standstill within its next calls.
    pauses: Vec<Happening>,
    /// What will go wrong with the next calls.
    call_faults: VecDeque<Kind>,
    slow: Vec<Kind>,
    wrong_checks: u32,
    /// A job is to be called complete although something of it will be refused.
    traps: u32,
    /// Which kind each of the emulator's faults is; none when it was counted otherwise.
    planned: Vec<Option<Kind>>,
    waiting: HashMap<Ticket, (CallId, Pending)>,
    lossy: Vec<CallId>,
    /// How much had gone wrong when the last attempt was settled.
    troubles: u64,
    seen_troubles: u64,
    /// How many failures were put down to what had gone wrong.
    excused: u64,
    /// How things stood when the last attempt of each webhook began.
    asked: BTreeMap<WebhookId, Asked>,
    idle_looks: u32,
    planned_calls: Vec<CallId>,
    /// Which minutes of which webhook were ever named as lost, and why, last.
    pub(crate) named: BTreeMap<(WebhookId, UtcMinute), LostReason>,
    /// What an engine has named last, so that only news are noted.
    lost: BTreeMap<WebhookId, Vec<Lost>>,
    gaps_seen: BTreeSet<(Timestamp, Timestamp)>,
    /// Gaps that wrong signatures have opened, on X's clock, without their margins.
    pub(crate) signature_gaps: Vec<(Millis, Millis)>,
}

/// Something that happens at a time.
enum Event {
    Happening(Happening),
    /// A challenge arrives.
    Checked(Check),
    /// A delivery arrives that was sent to a run at some time.
    Arrives {
        post: Post,
        sent: Millis,
        run: Option<u64>,
    },
    /// A commit that took long is done.
    Commits {
        delivery: Box<VerifiedDelivery>,
        run: u64,
    },
    /// The receiver gives up waiting for a commit.
    Late {
        delivery: DeliveryId,
        run: u64,
    },
    /// X gives up waiting for an answer.
    TimesOut(DeliveryId),
    /// A call arrives at X.
    Called {
        call: CallId,
        request: Request<Bytes>,
    },
    /// The answer to a call arrives.
    Answered {
        call: CallId,
        answer: Answered,
    },
    /// The process is killed.
    Killed {
        kind: Kind,
        down: Millis,
    },
}

impl Sim {
    /// Prepares a history. Its log is kept when it is to be told.
    ///
    /// # Errors
    ///
    /// Fails when something that it needs does not work.
    pub(crate) fn new(
        scenario: Scenario,
        disk: Disk,
        flaw: Option<Flaw>,
        rng: Rng,
        verbose: bool,
    ) -> Result<Self, Failure> {
        let clocks = Clocks::new(scenario.start);
        let world = World::new(scenario.settings.clone(), clocks.x());
        let mut sim = Self {
            truth: Truth::default(),
            tally: Tally::default(),
            disk,
            world,
            violations: Vec::new(),
            outages: 0,
            log: verbose.then(Vec::new),
            rest: Rest::new(),
            rng,
            queue: BTreeMap::new(),
            serial: 0,
            app: App::new("main", credentials::CONSUMER_SECRET.parse()?),
            wrong_app: App::new("main", "a-secret-of-another-app".parse()?),
            wrong_secret: false,
            wrong_since: None,
            suspected: false,
            hooks: Hook::all(scenario.webhooks),
            process: None,
            runs: 0,
            command: None,
            commands: 0,
            looks: BTreeSet::new(),
            watch_at: None,
            works_since: 0,
            blind_since: None,
            down_since: None,
            failing_since: None,
            api_down: false,
            kills: Vec::new(),
            pauses: Vec::new(),
            call_faults: VecDeque::new(),
            slow: Vec::new(),
            wrong_checks: 0,
            traps: 0,
            planned: Vec::new(),
            waiting: HashMap::new(),
            lossy: Vec::new(),
            troubles: 0,
            seen_troubles: 0,
            excused: 0,
            asked: BTreeMap::new(),
            idle_looks: 0,
            planned_calls: Vec::new(),
            named: BTreeMap::new(),
            lost: BTreeMap::new(),
            gaps_seen: BTreeSet::new(),
            signature_gaps: Vec::new(),
            settings: engine_settings(&scenario, flaw),
            clocks,
            scenario,
        };
        sim.later(0, Event::Happening(Happening::Start));
        for (at, happening) in std::mem::take(&mut sim.scenario.happenings) {
            sim.tell_plan(&happening);
            sim.at(at, Event::Happening(happening));
        }
        Ok(sim)
    }

    /// Lets everything happen.
    ///
    /// # Errors
    ///
    /// Fails when something that it needs does not work.
    pub(crate) fn run(&mut self) -> Result<(), Failure> {
        loop {
            let now = self.clocks.now();
            let next = self.queue.first_key_value().map(|((at, _), _)| *at);
            let wake = self.world.next_wakeup().map(|x| self.clocks.true_of(x.as_millisecond()));
            if now > self.scenario.end + QUIET && next.is_none() && self.looks.is_empty() {
                return Ok(());
            }
            if now > self.scenario.end + REST {
                self.violate(Invariant::Ends, "there is still something to do a week later");
                return Ok(());
            }
            let look = self.looks.first().map(|(at, _)| *at);
            let soonest = [next, wake, look, self.watch_at].into_iter().flatten().min();
            let Some(soonest) = soonest else { return Ok(()) };
            self.go_to(soonest.max(now));
            if wake.is_some_and(|wake| wake <= soonest) {
                self.world.wake(self.clocks.x());
                self.carry_out();
            } else if next.is_some_and(|next| next <= soonest) {
                if let Some((_, event)) = self.queue.pop_first() {
                    self.handle(event)?;
                }
            } else if self.watch_at.is_some_and(|watch| watch <= soonest) {
                self.watch_at = None;
                self.watch();
            } else {
                match self.looks.pop_first() {
                    Some((_, Who::Command)) => self.drive_command()?,
                    _ => self.drive(Who::Listener)?,
                }
            }
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Happening(happening) => return self.happen(happening),
            Event::Checked(check) => self.check(&check),
            Event::Arrives { post, sent, run } => return self.arrive(post, sent, run),
            Event::Commits { delivery, run } => self.commit_late(*delivery, run),
            Event::Late { delivery, run } => self.give_up(delivery, run),
            Event::TimesOut(delivery) => self.times_out(delivery),
            Event::Called { call, request } => self.called(call, request),
            Event::Answered { call, answer } => return self.answered(call, answer),
            Event::Killed { kind, down } => {
                if self.process.is_some() {
                    self.tally.fire(kind);
                    return self.crash(down);
                }
            }
        }
        Ok(())
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Failure> {
        match happening {
            Happening::Event { kind, user } => {
                let ask = Trigger::new(kind, user_id(user)?);
                let made = self.world.trigger(&ask, self.clocks.x())?;
                for event in made.events {
                    self.say(|| format!("X: {} happens", event.key));
                }
                self.carry_out();
            }
            Happening::Subscribe { user } => return self.subscribe(user),
            Happening::Revoke { user, away } => {
                let id = user_id(user)?;
                self.unwanted(user, id);
                for webhook in self.webhooks() {
                    self.tell_watcher(webhook, Report::Revoked(id));
                }
                let ask = Trigger::new("user_event", user_id(user)?);
                self.world.trigger(&ask, self.clocks.x())?;
                self.say(|| format!("user {user} takes the permission back"));
                self.tally.fire(Kind::Revoked);
                self.later(away, Event::Happening(Happening::Subscribe { user }));
                self.carry_out();
            }
            Happening::Forget { user } => return self.lose_subscription(user),
            Happening::PauseInCall(pause) => self.pauses.push(*pause),
            command @ Happening::Command { .. } => return self.command(command),
            Happening::Plan { kind, times } => self.plan(kind, times),
            Happening::KillAt { point, down } => self.kills.push((point, down)),
            Happening::Call(kind) => self.call_faults.push_back(kind),
            Happening::Slow(kind) => self.slow.push(kind),
            Happening::WrongCheck => self.wrong_checks += 1,
            Happening::Validate => self.validate_by_hand(),
            Happening::Forge => self.forge(),
            Happening::ForeignJob => self.foreign_job(),
            spell => return self.spell(spell),
        }
        Ok(())
    }

    /// Carries out what X wants.
    fn carry_out(&mut self) {
        for effect in self.world.take_effects() {
            match effect {
                Effect::Check(check) => {
                    let way = self.rng.i64(10..120);
                    self.later(way, Event::Checked(check));
                }
                Effect::Post(post) => self.send(post),
                Effect::Answer(ticket, outcome) => self.settle_ticket(ticket, outcome),
                _ => {}
            }
        }
    }

    fn settle_ticket(&mut self, ticket: Ticket, outcome: Outcome) {
        if let Outcome::Registered(Ok(webhook)) = &outcome {
            self.registered(webhook);
        }
        if let Some((call, pending)) = self.waiting.remove(&ticket) {
            let answer = pending.answered(outcome, self.world.settings(), self.clocks.x());
            self.answer_call(call, answer);
        }
    }

    fn at(&mut self, at: Millis, event: Event) {
        self.serial += 1;
        self.queue.insert((at, self.serial), event);
    }

    fn later(&mut self, by: Millis, event: Event) {
        self.at(self.clocks.now() + by.max(0), event);
    }

    /// Has the driver look in a while.
    fn look_in(&mut self, by: Millis) {
        self.looks.insert((self.clocks.now() + by.max(1), Who::Listener));
    }

    /// Returns how far from a disturbance a gap may begin or end: its margin, the heartbeat before,
    /// and what clocks are known to and answers take. Whole minutes need nothing more, since a
    /// minute counts as near when any of it is.
    pub(crate) fn tolerance(&self) -> Millis {
        let margin = i64::try_from(self.settings.margin.as_millis()).unwrap_or(0);
        margin + self.scenario.period + 5 * SECOND
    }

    /// Says whether a wrong secret may have cost something that nobody knows of yet.
    pub(crate) fn is_suspected(&self) -> bool {
        self.suspected
    }

    pub(crate) fn violate(&mut self, invariant: Invariant, words: impl Into<String>) {
        let words = words.into();
        self.say(|| format!("BROKEN: {invariant}: {words}"));
        self.violations.push(Violation { invariant, words });
    }

    /// Adds a line to the log.
    pub(crate) fn say(&mut self, words: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            let now = self.clocks.now();
            let x = timestamp(self.clocks.x_at(now));
            log.push(format!("{} {x:.3} {}", shown(now), words()));
        }
    }
}

/// Returns how the engine of a history behaves.
fn engine_settings(scenario: &Scenario, flaw: Option<Flaw>) -> Settings {
    let mut settings = match scenario.generation {
        Generation::V2 => Settings::v2(),
        Generation::V1_1 => Settings::v1_1(),
    };
    settings.limits = Limits { look_back: length(scenario.look_back()), ..settings.limits };
    // A longer heartbeat period needs a wider margin.
    settings.margin = length(55 * SECOND + scenario.period);
    settings.sweep = scenario.sweep.map(length);
    settings.flaw = flaw;
    settings
}

fn user_id(user: u64) -> Result<UserId, Failure> {
    Ok(user.to_string().parse()?)
}
