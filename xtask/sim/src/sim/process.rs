//! The process that receives: what it holds in memory, and what it writes as time goes by.

use std::collections::BTreeMap;

use aaa_replay::{
    coverage::{Heartbeat, RunId, Tally},
    driver::is_shaken,
    engine::{Health, Moment},
    watch::Watcher,
};
use aaa_types::WebhookId;
use jiff::{SignedDuration, Timestamp};

use super::{Sim, desk::Times, driving::Driver};
use crate::clock::{Clocks, Millis, SECOND, length};

/// By how much an assumed offset may turn out to be wrong.
const TOLERANCE: Millis = 5 * SECOND;

/// How long between two tries to read X's clock once the wall clock was set.
const SHAKEN: Millis = 5 * SECOND;

/// What is gone when the process is.
pub(super) struct Process {
    pub(super) run: u64,
    /// When its steady clock began.
    pub(super) started: Millis,
    pub(super) tally: Tally,
    pub(super) driver: Driver,
    /// When the run before was there for the last time, on X's clock.
    pub(super) before: Option<Timestamp>,
    /// Its secret is not that of the app.
    pub(super) wrong: bool,
    /// X's clock minus the wall clock, as far as it knows.
    pub(super) offset: SignedDuration,
    pub(super) offset_read: bool,
    /// When it last tried to read X's clock.
    pub(super) clock_tried: Option<Millis>,
    /// When it did, on its steady and on the wall clock.
    pub(super) clock_read: Option<(SignedDuration, Timestamp)>,
    pub(super) next_beat: Millis,
    pub(super) last_beat: Option<Heartbeat>,
    pub(super) still: Option<Still>,
    /// X's clock, true and believed, when it began.
    pub(super) began: (Millis, Millis),
    pub(super) watchers: BTreeMap<WebhookId, Watcher>,
}

/// A process that stands still.
#[derive(Debug, Clone, Copy)]
pub(super) struct Still {
    /// X's clock, true and believed, when that began.
    pub(super) since: (Millis, Millis),
    pub(super) until: Millis,
    /// The machine sleeps with it.
    pub(super) sleeps: bool,
}

impl Process {
    pub(super) fn health(&self) -> Health {
        Health::new(RunId(self.run), self.tally)
    }

    pub(super) fn uptime_at(&self, time: Millis) -> SignedDuration {
        length(time - self.started)
    }

    pub(super) fn moment(&self, clocks: &Clocks) -> Moment {
        let now = clocks.now();
        Moment { x: super::timestamp(self.believed(clocks)), uptime: self.uptime_at(now) }
    }

    pub(super) fn times(&self, clocks: &Clocks) -> Times {
        let Moment { x, uptime } = self.moment(clocks);
        Times { wall: clocks.wall_at(clocks.now()), x, uptime, x_is_read: self.offset_read }
    }

    /// Returns what it takes for X's time.
    pub(super) fn believed(&self, clocks: &Clocks) -> Millis {
        let wall = clocks.wall_at(clocks.now()).as_millisecond();
        // As the millisecond that a time is in.
        wall + i64::try_from(self.offset.as_millis()).unwrap_or(0)
    }

    fn heartbeat(&self, clocks: &Clocks, time: Millis) -> Heartbeat {
        Heartbeat {
            run: RunId(self.run),
            wall: clocks.wall_at(time),
            uptime: self.uptime_at(time),
            offset: self.offset,
            offset_read: self.offset_read,
            tally: self.tally,
        }
    }
}

impl Sim {
    /// Lets the time pass, with everything that the process does at fixed times.
    pub(super) fn go_to(&mut self, time: Millis) {
        while let Some(process) = &self.process
            && process.still.is_none()
            && process.next_beat <= time
        {
            let at = process.next_beat;
            self.clocks.go_to(at);
            self.keep_clock();
            self.beat();
        }
        self.clocks.go_to(time);
    }

    /// Writes a heartbeat.
    pub(super) fn beat(&mut self) {
        let now = self.clocks.now();
        let Some(process) = &mut self.process else { return };
        process.next_beat = now + self.scenario.period;
        let heartbeat = process.heartbeat(&self.clocks, now);
        let period = length(self.scenario.period);
        let is_news = process.last_beat.is_none_or(|last| !last.covers_until(&heartbeat, period));
        process.last_beat = Some(heartbeat);
        // One that cannot be written is left out.
        if self.disk.heartbeat(heartbeat).is_ok() {
            self.truth.tell_rejected(heartbeat.run.0);
        }
        if is_news {
            self.look_in(1);
        }
    }

    /// Reads X's clock when the last try is old.
    pub(super) fn keep_clock(&mut self) {
        let now = self.clocks.now();
        let Some(process) = &mut self.process else { return };
        let (steady, wall) = (process.uptime_at(now), self.clocks.wall_at(now));
        let shaken = process.clock_read.is_some_and(|(steadily, at)| {
            is_shaken(steady.saturating_sub(steadily), wall.duration_since(at))
        });
        let pace = if shaken { SHAKEN } else { self.scenario.pace };
        if process.clock_tried.is_some_and(|tried| now - tried < pace) {
            return;
        }
        process.clock_tried = Some(now);
        if self.api_down {
            return;
        }
        process.clock_read = Some((steady, wall));
        let offset = self.clocks.offset_at(now);
        let change = offset.saturating_sub(process.offset).abs();
        let corrected = !process.offset_read && change > length(TOLERANCE);
        let before = process.believed(&self.clocks);
        (process.offset, process.offset_read) = (offset, true);
        if corrected {
            // What was covered by the assumption counts for nothing.
            let after = process.believed(&self.clocks);
            let (began, believed) = process.began;
            let x = self.clocks.x_at(now);
            self.truth.disturb(began.min(believed), x.max(before).max(after));
            self.say(|| "the assumed offset was wrong".to_owned());
        }
    }
}
