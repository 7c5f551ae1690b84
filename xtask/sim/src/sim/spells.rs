//! Spells in which something does not work, and what begins and ends them.

use aaa_emulator::control::{Action, Cause, Fault, Match};
use aaa_replay::{
    coverage::{RunId, Tally},
    ledger::{Holder, Role},
};

use super::{
    Event, Sim,
    driving::{Driver, Who},
    process::{Process, Still},
};
use crate::{
    clock::{MINUTE, Millis, SECOND, shown},
    disk::Failure,
    fault::Kind,
    scenario::Happening,
    truth::WrongSecret,
};

impl Sim {
    pub(super) fn spell(&mut self, happening: Happening) -> Result<(), Failure> {
        let is_up = self.process.as_ref().is_some_and(|p| p.still.is_none());
        let can_begin = is_up && !self.disk.failing;
        match happening {
            Happening::Crash { .. }
            | Happening::Stop { .. }
            | Happening::Stall { .. }
            | Happening::TakeOver { .. }
            | Happening::WrongSecret { .. }
            | Happening::StoreFails { .. }
                if !can_begin =>
            {
                // One after the other.
                self.later(10 * MINUTE, Event::Happening(happening));
            }
            Happening::Crash { down } => {
                self.tally.fire(Kind::Crash);
                return self.crash(down);
            }
            Happening::Stop { down } => {
                self.tally.fire(Kind::Stop);
                self.say(|| format!("the process ends for {}", shown(down)));
                self.beat();
                if let Some(process) = &mut self.process {
                    process.driver.desk.leave(&self.disk);
                }
                self.disk.reopen()?;
                self.go_away(down);
            }
            Happening::Start => return self.start(),
            Happening::Stall { length, sleeps } => {
                self.tally.fire(Kind::Stall);
                self.stall(length, sleeps);
            }
            Happening::TakeOver { length, sleeps, hold, dies } => {
                self.stall(length, sleeps);
                // Once the lease is over.
                let comes = self.rng.i64(35 * SECOND..length.max(36 * SECOND));
                self.later(comes, Event::Happening(Happening::Command { hold, dies }));
            }
            // Later a history may come to rest before the secret is right again.
            Happening::WrongSecret { down, length }
                if self.clocks.now() + down + length > self.scenario.end => {}
            Happening::WrongSecret { down, length } => {
                self.tally.fire(Kind::WrongSecret);
                self.wrong_secret = true;
                self.later(down + length, Event::Happening(Happening::RightSecret));
                return self.crash(down);
            }
            Happening::RightSecret => {
                self.say(|| "the right secret is configured".to_owned());
                self.wrong_secret = false;
                if is_up {
                    let down = self.rng.i64(SECOND..5 * MINUTE);
                    return self.crash(down);
                }
                if let Some(process) = &self.process
                    && process.still.is_some()
                {
                    self.wrong_secret = true;
                    self.later(10 * MINUTE, Event::Happening(Happening::RightSecret));
                }
            }
            Happening::Resume => self.resume(),
            Happening::StoreFails { length } => {
                self.tally.fire(Kind::StoreFails);
                self.outages += 1;
                self.say(|| format!("the store fails for {}", shown(length)));
                self.disk.failing = true;
                self.failing_since = Some(self.both_times());
                self.later(length, Event::Happening(Happening::StoreWorks));
            }
            Happening::StoreWorks => {
                self.say(|| "the store works again".to_owned());
                self.disk.failing = false;
                self.works_since = self.clocks.now();
                let since = self.failing_since;
                self.disturbed_since(since);
                self.look_soon();
            }
            Happening::ApiOutage { length } => {
                self.tally.fire(Kind::ApiOutage);
                self.say(|| format!("X cannot be reached for {}", shown(length)));
                self.api_down = true;
                self.later(length, Event::Happening(Happening::ApiWorks));
            }
            Happening::ApiWorks => {
                self.say(|| "X can be reached again".to_owned());
                self.api_down = false;
            }
            Happening::XJump { by } => {
                self.tally.fire(Kind::XJump);
                self.say(|| format!("X's clock jumps by {}", shown(by)));
                let x = self.clocks.x_at(self.clocks.now());
                self.clocks.jump(by);
                // Nobody was there between.
                self.truth.blind(x, x + by);
                self.truth.set_back(10 * MINUTE, self.clocks.now());
                self.look_in(self.scenario.pace + 6 * SECOND);
            }
            Happening::WallStep { by } => self.step_wall(by),
            _ => {}
        }
        self.note_able();
        Ok(())
    }

    /// Notes what is planned, for the count.
    pub(super) fn tell_plan(&mut self, happening: &Happening) {
        let (kind, times) = match happening {
            Happening::Crash { .. } => (Kind::Crash, 1),
            Happening::Stop { .. } => (Kind::Stop, 1),
            Happening::Stall { .. } => (Kind::Stall, 1),
            Happening::StoreFails { .. } => (Kind::StoreFails, 1),
            Happening::KillAt { point, .. } => (*point, 1),
            Happening::Plan { kind, times } => (*kind, u64::from(*times)),
            Happening::Call(kind) | Happening::Slow(kind) => (*kind, 1),
            Happening::ApiOutage { .. } => (Kind::ApiOutage, 1),
            Happening::Forge => (Kind::Forged, 1),
            Happening::ForeignJob => (Kind::ForeignJob, 1),
            Happening::XJump { .. } => (Kind::XJump, 1),
            Happening::WallStep { .. } => (Kind::WallStep, 1),
            Happening::WrongCheck => (Kind::Invalid, 1),
            Happening::TakeOver { dies: true, .. } => (Kind::CommandDied, 1),
            Happening::TakeOver { .. } => (Kind::CommandTook, 1),
            Happening::PauseInCall(_) => (Kind::LeaseLost, 1),
            Happening::Command { .. } => (Kind::CommandBeside, 1),
            Happening::WrongSecret { .. } => (Kind::WrongSecret, 1),
            Happening::Subscribe { .. } => (Kind::LateSubscription, 1),
            Happening::Revoke { .. } => (Kind::Revoked, 1),
            Happening::Forget { .. } => (Kind::Unsubscribed, 1),
            Happening::Event { .. }
            | Happening::Start
            | Happening::Resume
            | Happening::RightSecret
            | Happening::StoreWorks
            | Happening::ApiWorks
            | Happening::Validate => return,
        };
        self.tally.plan(kind, times);
    }

    /// Kills the process, if it was to be killed at this point; says whether it was.
    pub(super) fn killed_at(&mut self, who: Who, point: Kind) -> Result<bool, Failure> {
        if who == Who::Command {
            return Ok(false);
        }
        let Some(index) = self.kills.iter().position(|(kind, _)| *kind == point) else {
            return Ok(false);
        };
        let (_, down) = self.kills.swap_remove(index);
        self.tally.fire(point);
        self.crash(down)?;
        Ok(true)
    }

    pub(super) fn crash(&mut self, down: Millis) -> Result<(), Failure> {
        self.say(|| format!("the process is killed, and away for {}", shown(down)));
        self.troubles += 1;
        self.keep_lease(Who::Listener);
        if let Some((x, _)) = self.failing_since
            && (self.disk.failing || self.clocks.now() - self.works_since < 10 * SECOND)
        {
            // What the process saw meanwhile it could not write.
            self.truth.forget(x);
        }
        self.disk.crash()?;
        self.go_away(down);
        self.note_able();
        Ok(())
    }

    fn go_away(&mut self, down: Millis) {
        self.outages += 1;
        self.down_since = Some(self.both_times());
        self.process = None;
        self.looks.retain(|(_, who)| *who == Who::Command);
        self.watch_at = None;
        self.later(down, Event::Happening(Happening::Start));
    }

    fn start(&mut self) -> Result<(), Failure> {
        if self.process.is_some() {
            return Ok(());
        }
        if self.disk.failing {
            // A receiver that cannot write does not start.
            self.later(10 * SECOND, Event::Happening(Happening::Start));
            return Ok(());
        }
        let now = self.clocks.now();
        self.runs += 1;
        let spans = self.disk.spans_from(0)?;
        let offset = spans.last().map(|(_, span)| span.last.offset).unwrap_or_default();
        let run = RunId(self.runs);
        let holder = Holder { name: "aaa listen".to_owned(), run, role: Role::Listener };
        self.process = Some(Process {
            run: self.runs,
            started: now,
            tally: Tally::default(),
            driver: Driver::new(holder, None, &self.scenario)?,
            before: spans.last().map(|(_, span)| span.last.x_time()),
            wrong: self.wrong_secret,
            offset,
            offset_read: false,
            clock_tried: None,
            clock_read: None,
            next_beat: now,
            last_beat: None,
            still: None,
            began: (0, 0),
            watchers: Default::default(),
        });
        let times = self.both_times();
        if let Some(process) = &mut self.process {
            process.began = times;
        }
        self.keep_clock();
        self.beat();
        let run = self.runs;
        self.say(|| format!("the process begins: run {run}"));
        let since = self.down_since.take();
        self.disturbed_since(since);
        self.register();
        self.watch_from();
        self.look_in(1);
        self.note_able();
        Ok(())
    }

    /// The process stands still.
    fn stall(&mut self, length: Millis, sleeps: bool) {
        self.outages += 1;
        self.say(|| format!("the process stands still for {}", shown(length)));
        self.keep_lease(Who::Listener);
        // A machine that sleeps for less does so unnoticed, and would lose deliveries.
        let sleeps = sleeps && length > 4 * self.scenario.period;
        let (since, until) = (self.both_times(), self.clocks.now() + length);
        if let Some(process) = &mut self.process {
            process.still = Some(Still { since, until, sleeps });
            // In a machine that sleeps the steady clock stands still, too.
            process.started += if sleeps { length } else { 0 };
        }
        self.later(length, Event::Happening(Happening::Resume));
    }

    fn resume(&mut self) {
        let Some(process) = &mut self.process else { return };
        let since = process.still.take().map(|still| still.since);
        process.next_beat = self.clocks.now();
        self.say(|| "the process goes on".to_owned());
        self.watch_at = Some(self.clocks.now() + 1);
        self.disturbed_since(since);
        self.look_soon();
    }

    fn step_wall(&mut self, by: Millis) {
        self.tally.fire(Kind::WallStep);
        self.say(|| format!("the wall clock is set by {by} ms"));
        let (x, before) = self.both_times();
        self.clocks.step_wall(by);
        let (_, after) = self.both_times();
        if by.abs() > 2 * self.scenario.period {
            self.truth.disturb(x.min(before).min(after), x.max(before).max(after));
        }
        self.truth.set_back(10 * MINUTE, self.clocks.now());
        self.look_in(self.scenario.pace + 6 * SECOND);
    }

    /// Notes a disturbance that is over.
    fn disturbed_since(&mut self, since: Option<(Millis, Millis)>) {
        if let Some((x, believed)) = since {
            let (x_now, believed_now) = self.both_times();
            self.truth.disturb(x.min(believed), x_now.max(believed_now));
        }
    }

    /// Has the driver look when the next heartbeat is there.
    pub(super) fn look_soon(&mut self) {
        let now = self.clocks.now();
        let beat = self.process.as_ref().map_or(now, |process| process.next_beat);
        self.look_in(beat - now + 1);
    }

    pub(super) fn note_able(&mut self) {
        let now = self.clocks.now();
        let x = self.clocks.x_at(now);
        let is_up = self.process.as_ref().is_some_and(|p| p.still.is_none());
        let sees = is_up && !self.disk.failing && !self.api_down;
        match (sees, self.blind_since) {
            (false, None) => self.blind_since = Some(x),
            (true, Some(since)) => {
                self.blind_since = None;
                self.truth.blind(since, x);
            }
            _ => {}
        }
        // What was missed with a wrong secret is known once the right one has proved itself.
        let knows = self.process.as_ref().is_some_and(|p| !p.wrong) && !self.suspected;
        self.truth.able(sees && knows, now);
        let wrong = self.process.as_ref().is_some_and(|process| process.wrong);
        match (wrong, self.wrong_since) {
            (true, None) => {
                let (x, believed) = self.both_times();
                self.wrong_since = Some((self.runs, x, believed));
            }
            (false, Some((run, from, since))) => {
                self.wrong_since = None;
                self.truth.disturb(from, x);
                // A run keeps its secret, so it is gone by now.
                let until = self.down_since.map_or(x, |(_, believed)| believed);
                let believed = (since.min(until), since.max(until));
                self.truth.wrong_secret(WrongSecret { run, from, to: x, believed });
            }
            _ => {}
        }
    }

    /// Plans one of the emulator's faults.
    pub(super) fn plan(&mut self, kind: Kind, times: u32) {
        let live = Match { cause: Some(Cause::Live), ..Match::default() };
        let replay = Match { cause: Some(Cause::Replay), ..Match::default() };
        let seconds = self.rng.u64(5..600);
        let status = Match { kind: Some("replay_job_status".to_owned()), ..Match::default() };
        let (action, when) = match kind {
            Kind::Drop => (Action::Drop, live),
            Kind::LostAnswer => (Action::LoseAnswer, live),
            Kind::Delay => (Action::Delay { seconds }, live),
            Kind::Duplicate => (Action::Duplicate, live),
            Kind::BadSignature => (Action::BadSignature, live),
            Kind::Corrupt => (Action::Corrupt, live),
            Kind::Truncate => (Action::Truncate, live),
            Kind::ReplayDrop => (Action::Drop, replay),
            Kind::ReplayLostAnswer => (Action::LoseAnswer, replay),
            Kind::ReplayDelay => (Action::Delay { seconds }, replay),
            Kind::Incomplete => (Action::IncompleteJob, Match::default()),
            Kind::MissingCompletion => (Action::MissingCompletion, Match::default()),
            Kind::DoubledCompletion => (Action::Duplicate, status),
            Kind::FalseComplete => {
                self.traps += times;
                return;
            }
            _ => return,
        };
        let fault = Fault { when, action, times };
        if self.world.plan_fault(fault).is_ok() {
            self.planned.push(Some(kind));
        }
    }

    /// Counts the emulator's faults.
    pub(crate) fn count_planned(&mut self) {
        let faults = self.world.faults().faults;
        for (fault, kind) in faults.iter().zip(self.planned.clone()) {
            if let Some(kind) = kind {
                let fired = u64::from(fault.fired);
                self.tally.count(kind, crate::fault::Count { planned: 0, fired });
            }
        }
    }
}
