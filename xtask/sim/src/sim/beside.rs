//! A command beside the process that receives. It hands over what it wants, or takes the lease
//! when that is free, and recovers by itself; it may die with the lease.

use std::collections::VecDeque;

use aaa_replay::{
    coverage::{Cause, Gap, RunId, Tally},
    engine::{Health, Moment},
    ledger::{Declaration, Holder, Role},
};
use aaa_types::payload::ReplayJobStatus;
use jiff::{SignedDuration, Timestamp};

use super::{
    Sim,
    desk::Times,
    driving::{Driver, Who},
};
use crate::{
    clock::{Clocks, MINUTE, Millis, SECOND, length, shown},
    disk::{Disk, Failure},
    fault::Kind,
    scenario::Happening,
};

/// Runs of commands have numbers of their own.
const RUNS: u64 = 1_000_000;

/// How often a command looks.
const LOOK: Millis = 10 * SECOND;

/// How long before the next heartbeat the end of a job must have come.
const MOMENT: Millis = SECOND;

/// A command at work.
pub(super) struct Command {
    pub(super) driver: Driver,
    /// When its steady clock began.
    began: Millis,
    offset: SignedDuration,
    until: Millis,
    dies: bool,
    /// Ends of jobs, and when they were stored by the wall clock.
    waiting: VecDeque<(Timestamp, ReplayJobStatus)>,
}

impl Command {
    fn times(&self, clocks: &Clocks) -> Times {
        let now = clocks.now();
        let wall = clocks.wall_at(now);
        let x = wall.saturating_add(self.offset).unwrap_or(wall);
        Times { wall, x, uptime: length(now - self.began), x_is_read: true }
    }
}

impl Sim {
    pub(super) fn driver(&mut self, who: Who) -> Option<&mut Driver> {
        self.driver_and_disk(who).0
    }

    pub(super) fn driver_and_disk(&mut self, who: Who) -> (Option<&mut Driver>, &Disk) {
        let driver = match who {
            Who::Listener => self.process.as_mut().map(|process| &mut process.driver),
            Who::Command => self.command.as_mut().map(|command| &mut command.driver),
        };
        (driver, &self.disk)
    }

    /// Says whether somebody is there, and does not stand still.
    pub(super) fn is_awake(&self, who: Who) -> bool {
        match who {
            Who::Listener => self.process.as_ref().is_some_and(|process| process.still.is_none()),
            Who::Command => self.command.is_some(),
        }
    }

    /// Returns the clocks of somebody.
    pub(super) fn times(&self, who: Who) -> Option<Times> {
        match who {
            Who::Listener => self.process.as_ref().map(|process| process.times(&self.clocks)),
            Who::Command => self.command.as_ref().map(|command| command.times(&self.clocks)),
        }
    }

    pub(super) fn moment(&self, who: Who) -> Moment {
        let nobody = Moment { x: self.clocks.x(), uptime: SignedDuration::ZERO };
        self.times(who).map_or(nobody, |times| Moment { x: times.x, uptime: times.uptime })
    }

    /// Returns what the receiver says of itself, or what somebody beside it reads.
    pub(super) fn health(&self, who: Who) -> Health {
        let nobody = Health::new(RunId(0), Tally::default());
        match who {
            Who::Listener => self.process.as_ref().map_or(nobody, super::Process::health),
            Who::Command => {
                let last = self.command.as_ref().and_then(|it| it.driver.desk.coverage.last());
                let now = self.clocks.wall_at(self.clocks.now());
                let limit = length(3 * self.scenario.period);
                let fresh = last.filter(|last| now.duration_since(last.wall) <= limit);
                fresh.map_or(nobody, Health::from)
            }
        }
    }

    /// Has somebody look in a while.
    pub(super) fn look_of(&mut self, who: Who, by: Millis) {
        let at = self.clocks.now() + by.max(1);
        if who == Who::Command {
            // It looks all the time, so one is enough.
            let next = self.looks.iter().filter(|(_, who)| *who == Who::Command).map(|it| it.0);
            if next.min().is_some_and(|next| next <= at) {
                return;
            }
            self.looks.retain(|(_, who)| *who != Who::Command);
        }
        self.looks.insert((at, who));
    }

    /// Reads X's clock.
    pub(super) fn read_clock(&mut self, who: Who) {
        if who == Who::Listener {
            return self.keep_clock();
        }
        let now = self.clocks.now();
        if let (Some(command), false) = (&mut self.command, self.api_down) {
            command.offset = self.clocks.offset_at(now);
        }
    }

    /// Whoever is awake takes or keeps the lease every few seconds, which costs no event as long as
    /// nobody else wants it.
    pub(super) fn keep_lease(&mut self, who: Who) {
        let now = self.clocks.now();
        if !self.is_awake(who) {
            return;
        }
        let Some(times) = self.times(who) else { return };
        let (Some(driver), disk) = self.driver_and_disk(who) else { return };
        if driver.call.as_ref().is_some_and(|call| now - call.since > 10 * SECOND) {
            // Waiting for an answer it does nothing else.
            return;
        }
        let held = driver.desk.thinks_it_holds();
        match driver.desk.take(disk, times) {
            Ok(false) => {}
            Ok(true) => {
                driver.start_over();
                self.look_of(who, 1);
            }
            Err(_) if held && !self.disk.failing => self.lost_lease(who),
            Err(_) => {}
        }
    }

    /// Somebody has taken the lease over.
    pub(super) fn lost_lease(&mut self, who: Who) {
        let Some(driver) = self.driver(who) else { return };
        let held = driver.desk.thinks_it_holds();
        driver.desk.lose();
        driver.start_over();
        if held && who == Who::Listener {
            self.tally.fire(Kind::LeaseLost);
            self.say(|| "the listener has lost its lease".to_owned());
        }
    }

    /// A command begins: it asks for minutes, and recovers them itself if nobody else does.
    pub(super) fn command(&mut self, happening: Happening) -> Result<(), Failure> {
        let Happening::Command { hold, dies } = happening else { return Ok(()) };
        if self.command.is_some() || self.disk.failing {
            self.later(10 * MINUTE, super::Event::Happening(happening));
            return Ok(());
        }
        let Some(webhook) = self.some_webhook() else { return Ok(()) };
        self.commands += 1;
        let run = RunId(RUNS + self.commands);
        let holder = Holder { name: "aaa replay".to_owned(), run, role: Role::Command };
        let now = self.clocks.now();
        let spans = self.disk.spans_from(0)?;
        let offset = spans.last().map(|(_, span)| span.last.offset).unwrap_or_default();
        self.command = Some(Command {
            driver: Driver::new(holder, Some(webhook), &self.scenario)?,
            began: now,
            offset,
            until: now + hold,
            dies,
            waiting: VecDeque::new(),
        });
        self.read_clock(Who::Command);
        let x = self.moment(Who::Command).x;
        let from = x.saturating_sub(length(self.rng.i64(60 * MINUTE..180 * MINUTE)))?;
        let to = from.saturating_add(length(self.rng.i64(MINUTE..30 * MINUTE)))?;
        let gap = Gap::new(from, to, Cause::Requested);
        self.disk.declare(Declaration { gap, webhook: Some(webhook), at: x })?;
        self.truth.ask(webhook, from.as_millisecond(), x.as_millisecond());
        self.keep_lease(Who::Listener);
        let Some(times) = self.times(Who::Command) else { return Ok(()) };
        let (Some(driver), disk) = self.driver_and_disk(Who::Command) else { return Ok(()) };
        if driver.desk.take(disk, times).is_ok() {
            self.tally.fire(Kind::CommandTook);
            self.say(|| format!("a command takes the lease for {}", shown(hold)));
            self.look_of(Who::Command, 1);
        } else {
            self.tally.fire(Kind::CommandBeside);
            self.say(|| "a command hands over what it wants".to_owned());
            self.command = None;
            self.look_in(1);
        }
        Ok(())
    }

    /// Lets the command look, until its time is over.
    pub(super) fn drive_command(&mut self) -> Result<(), Failure> {
        let now = self.clocks.now();
        if let Some(mut command) = self.command.take_if(|command| now >= command.until) {
            if command.dies {
                self.tally.fire(Kind::CommandDied);
                self.say(|| "the command dies with the lease".to_owned());
            } else {
                self.say(|| "the command ends".to_owned());
                command.driver.desk.leave(&self.disk);
            }
            self.look_in(SECOND);
            return Ok(());
        }
        let beat = self.last_beat();
        let Some(command) = &mut self.command else { return Ok(()) };
        while let Some((at, status)) = command.waiting.front()
            && beat.is_some_and(|beat| *at + length(MOMENT) <= beat)
        {
            command.driver.completions.push_back(status.clone());
            command.waiting.pop_front();
        }
        self.look_of(Who::Command, LOOK);
        self.drive(Who::Command)
    }

    /// The end of a job is stored.
    pub(super) fn completed(&mut self, statuses: Vec<ReplayJobStatus>) {
        let wall = self.clocks.wall_at(self.clocks.now());
        if let Some(command) = &mut self.command {
            command.waiting.extend(statuses.iter().cloned().map(|status| (wall, status)));
        }
        if let Some(process) = &mut self.process {
            process.driver.completions.extend(statuses);
        }
        self.look_in(5);
    }

    /// Returns when the last heartbeat was written, by the wall clock.
    fn last_beat(&self) -> Option<Timestamp> {
        let next = self.command.as_ref()?.driver.desk.coverage.next();
        let spans = self.disk.spans_from(next).ok()?;
        spans.last().map(|(_, span)| span.last.wall)
    }

    /// Returns X's time as a process believes it, and as it is.
    pub(super) fn both_times(&self) -> (Millis, Millis) {
        let x = self.clocks.x_at(self.clocks.now());
        let believed = self.process.as_ref().map(|process| process.believed(&self.clocks));
        (x, believed.unwrap_or(x))
    }
}
