//! Many histories, on all processors.

use std::{
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use aaa_replay::engine::Flaw;
use fastrand::Rng;

use crate::{
    clock::{HOUR, Millis, SECOND},
    disk::{Disk, Failure},
    fault::{Kind, Tally},
    invariant::{Invariant, Violation},
    oracle::{self, Sums},
    report::{Broken, Report},
    scenario::Scenario,
    sim::Sim,
};

/// How often the receiver of a store in memory writes heartbeats, and one on a disk, where each
/// costs a transaction.
const PERIODS: (Millis, Millis) = (5 * SECOND, 60 * SECOND);

/// One of so many seeds runs on SQLite as well.
const ON_DISK: u64 = 40;

/// How many seeds a broken engine is given.
const CONTROLS: u64 = 2000;

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub seeds: u64,
}

/// How one history went.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) tally: Tally,
    pub(crate) sums: Sums,
    pub(crate) outages: u64,
    pub(crate) violations: Vec<Violation>,
    pub(crate) length: Millis,
    log: Vec<String>,
}

/// One history, told.
#[derive(Debug)]
pub struct Told {
    /// What happened, a line for each thing.
    pub lines: Vec<String>,
    /// What did not hold.
    pub violations: Vec<Violation>,
}

/// A broken engine, and how it was found out.
#[derive(Debug)]
pub struct Caught {
    /// What is wrong with it.
    pub flaw: Flaw,
    /// After how many seeds, with which one, and by what; none if it never was.
    pub by: Option<(u64, u64, Violation)>,
}

/// Runs many histories. `progress` is called now and then, with how many are done.
///
/// # Errors
///
/// Fails when something does not work that the histories need; what they show is in the report.
pub fn run(options: Options, progress: impl Fn(u64) + Sync) -> Result<Report, Failure> {
    let began = now();
    let report = Mutex::new(Report::default());
    let done = AtomicU64::new(0);
    each(options, |seed| {
        let ran = history(seed, None, false, false)?;
        let on_disk = if seed.is_multiple_of(ON_DISK) {
            Some(history(seed, None, true, false)?)
        } else {
            None
        };
        let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
        report.add(seed, false, ran);
        if let Some(ran) = on_disk {
            report.add(seed, true, ran);
        }
        let done = done.fetch_add(1, Relaxed) + 1;
        if done.is_multiple_of(1000) {
            progress(done);
        }
        Ok(true)
    })?;
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.broken.sort_by_key(Broken::seed);
    report.took = began.elapsed();
    Ok(report)
}

/// Runs broken engines until they are caught.
///
/// # Errors
///
/// Fails when something does not work that the histories need.
pub fn control(flaws: &[Flaw], first: u64) -> Result<Vec<Caught>, Failure> {
    let mut all = Vec::new();
    for flaw in flaws {
        let found: Mutex<Option<(u64, Violation)>> = Mutex::new(None);
        each(Options { first, seeds: CONTROLS }, |seed| {
            let mut ran = history(seed, Some(*flaw), false, false)?;
            ran.violations.retain(|violation| violation.invariant != Invariant::Eventful);
            if ran.violations.is_empty() {
                return Ok(true);
            }
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            if found.as_ref().is_none_or(|(other, _)| seed < *other) {
                *found = Some((seed, ran.violations.swap_remove(0)));
            }
            Ok(false)
        })?;
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let by = found.map(|(seed, violation)| (seed - first + 1, seed, violation));
        all.push(Caught { flaw: *flaw, by });
    }
    Ok(all)
}

/// Runs one history, and tells it.
///
/// # Errors
///
/// Fails when something does not work that the history needs.
pub fn tell(seed: u64, on_disk: bool, flaw: Option<Flaw>) -> Result<Told, Failure> {
    let ran = history(seed, flaw, on_disk, true)?;
    Ok(Told { lines: ran.log, violations: ran.violations })
}

fn history(seed: u64, flaw: Option<Flaw>, on_disk: bool, verbose: bool) -> Result<Ran, Failure> {
    let mut rng = Rng::with_seed(seed);
    let (in_memory, on_a_disk) = PERIODS;
    let period = if on_disk { on_a_disk } else { in_memory };
    let scenario = Scenario::draw(&mut rng, period);
    let disk = if on_disk { Disk::sqlite(period)? } else { Disk::memory(period) };
    let mut sim = Sim::new(scenario, disk, flaw, rng, verbose)?;
    sim.run()?;
    sim.count_planned();
    let sums = oracle::judge(&mut sim);
    let length = sim.clocks.now();
    // Outages are counted apart.
    let outages = [Kind::Crash, Kind::Stop, Kind::Stall, Kind::StoreFails];
    let apart: u64 = outages.iter().map(|kind| sim.tally.of(*kind).fired).sum();
    let fired = sim.tally.fired() - apart;
    if length < 72 * HOUR || sums.events < 500 || sim.outages < 3 || fired < 5 {
        let events = sums.events;
        let outages = sim.outages;
        let words = format!("{events} events, {outages} outages, {fired} faults");
        sim.violate(Invariant::Eventful, words);
    }
    Ok(Ran {
        tally: sim.tally,
        sums,
        outages: sim.outages,
        violations: sim.violations,
        length,
        log: sim.log.unwrap_or_default(),
    })
}

/// Runs something for each seed, in the order of the seeds, until it says no.
fn each(
    options: Options,
    work: impl Fn(u64) -> Result<bool, Failure> + Sync,
) -> Result<(), Failure> {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let failure: Mutex<Option<Failure>> = Mutex::new(None);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    let index = next.fetch_add(1, Relaxed);
                    if index >= options.seeds {
                        return;
                    }
                    match work(options.first + index) {
                        Ok(true) => {}
                        Ok(false) => stop.store(true, Relaxed),
                        Err(error) => {
                            stop.store(true, Relaxed);
                            let mut failure =
                                failure.lock().unwrap_or_else(PoisonError::into_inner);
                            *failure = Some(error);
                        }
                    }
                }
            });
        }
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// The one real clock: it says how fast histories are.
#[expect(clippy::disallowed_methods, reason = "how long a run takes is measured here")]
fn now() -> Instant {
    Instant::now()
}

/// Returns how many in a minute.
pub(crate) fn per_minute(count: u64, took: Duration) -> f64 {
    count as f64 * 60.0 / took.as_secs_f64().max(1e-9)
}
