//! What many histories have shown.

use std::{fmt, time::Duration};

use serde_json::{Value, json};

use crate::{
    campaign::{Ran, per_minute},
    clock::HOUR,
    fault::{Kind, Tally},
    invariant::Violation,
    oracle::Sums,
};

/// The figures of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// Histories on a store in memory.
    pub seeds: u64,
    /// Histories on SQLite.
    pub on_disk: u64,
    /// Spells in which deliveries could not be taken.
    pub outages: u64,
    /// What went wrong.
    pub tally: Tally,
    /// What did not hold, by seed.
    pub broken: Vec<Broken>,
    /// How long it took.
    pub took: Duration,
    hours: i64,
    sums: Sums,
}

/// A seed in which something did not hold.
#[derive(Debug)]
pub struct Broken {
    seed: u64,
    on_disk: bool,
    violations: Vec<Violation>,
}

impl Broken {
    /// Returns the seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Says whether it happened on SQLite.
    pub fn is_on_disk(&self) -> bool {
        self.on_disk
    }

    /// Returns what did not hold.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}

impl Report {
    /// Says whether everything held, always.
    pub fn is_sound(&self) -> bool {
        self.broken.is_empty()
    }

    /// Returns how many seeds are done in a minute.
    pub fn per_minute(&self) -> f64 {
        per_minute(self.seeds, self.took)
    }

    /// Returns the figures as JSON.
    pub fn json(&self) -> Value {
        let faults = Kind::ALL.iter().map(|kind| {
            let count = self.tally.of(*kind);
            json!({ "kind": kind.name(), "planned": count.planned, "fired": count.fired })
        });
        let broken = self.broken.iter().map(|broken| {
            let violations: Vec<_> = broken.violations.iter().map(ToString::to_string).collect();
            json!({ "seed": broken.seed, "on_disk": broken.on_disk, "violations": violations })
        });
        json!({
            "seeds": self.seeds,
            "on_disk": self.on_disk,
            "virtual_days": self.hours / 24,
            "events": self.sums.events,
            "stored": self.sums.stored,
            "dropped_on_the_way": self.sums.dropped,
            "out_of_reach": self.sums.out_of_reach,
            "given_up": self.sums.given_up,
            "not_attempted": self.sums.not_attempted,
            "unseen": self.sums.unseen,
            "minutes_named": self.sums.lost_minutes,
            "jobs": self.sums.jobs,
            "outages": self.outages,
            "faults": faults.collect::<Vec<_>>(),
            "broken": broken.collect::<Vec<_>>(),
            "seconds": self.took.as_secs_f64(),
            "seeds_per_minute": self.per_minute(),
        })
    }

    pub(crate) fn add(&mut self, seed: u64, on_disk: bool, ran: Ran) {
        if on_disk {
            self.on_disk += 1;
        } else {
            self.seeds += 1;
        }
        self.outages += ran.outages;
        self.tally.add(&ran.tally);
        self.hours += ran.length / HOUR;
        self.sums.events += ran.sums.events;
        self.sums.stored += ran.sums.stored;
        self.sums.dropped += ran.sums.dropped;
        self.sums.out_of_reach += ran.sums.out_of_reach;
        self.sums.given_up += ran.sums.given_up;
        self.sums.not_attempted += ran.sums.not_attempted;
        self.sums.unseen += ran.sums.unseen;
        self.sums.jobs += ran.sums.jobs;
        self.sums.lost_minutes += ran.sums.lost_minutes;
        if !ran.violations.is_empty() {
            self.broken.push(Broken { seed, on_disk, violations: ran.violations });
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = u64::try_from(self.hours / 24).unwrap_or_default();
        let lines = [
            ("seeds", self.seeds),
            ("  on SQLite as well", self.on_disk),
            ("virtual days", days),
            ("events", self.sums.events),
            ("  stored", self.sums.stored),
            ("  lost on the way, no sweep", self.sums.dropped),
            ("  out of reach, and named", self.sums.out_of_reach),
            ("  given up, and named", self.sums.given_up),
            ("  not attempted by X, and named", self.sums.not_attempted),
            ("  not attempted, too short to see", self.sums.unseen),
            ("minutes named as lost", self.sums.lost_minutes),
            ("replay jobs", self.sums.jobs),
            ("outages", self.outages),
            ("faults fired", self.tally.fired()),
        ];
        for (what, count) in lines {
            writeln!(f, "{what:<34}{count:>10}")?;
        }
        writeln!(f, "{:<34}{:>10}{:>10}", "  faults by kind", "planned", "fired")?;
        for kind in Kind::ALL {
            let count = self.tally.of(*kind);
            writeln!(f, "    {:<30}{:>10}{:>10}", kind.name(), count.planned, count.fired)?;
        }
        let broken: usize = self.broken.iter().map(|broken| broken.violations.len()).sum();
        writeln!(f, "{:<34}{broken:>10}", "broken invariants")?;
        writeln!(f, "{:<34}{:>10.0}", "seeds per minute", self.per_minute())
    }
}
