//! What is judged at the end of a history, against the emulator's ledger of what really happened.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use aaa_emulator::control::{Attempt, Cause, Ledger, LedgerEvent};
use aaa_replay::plan::LostReason;
use aaa_types::{UtcMinute, WebhookId};

use crate::refusals::Refusals;
use crate::{
    clock::{HOUR, MINUTE, Millis, SECOND, timestamp},
    fired::Fired,
    invariant::Invariant,
    sim::{RHYTHM, Sim},
    truth::{Spell, WrongSecret},
};

/// How long a time in which X attempts nothing has to be so that it must be seen: longer than three
/// looks, and what a record may take.
const SEEN: Millis = 3 * RHYTHM + 2 * MINUTE;

/// What a history amounts to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) events: u64,
    pub(crate) stored: u64,
    /// Missing: lost on their way to a healthy receiver.
    pub(crate) dropped: u64,
    /// Missing: out of reach when they could first have been asked for, and named.
    pub(crate) out_of_reach: u64,
    /// Missing: X failed to replay it again and again, and it is named.
    pub(crate) given_up: u64,
    /// Missing: never attempted by X, and named.
    pub(crate) not_attempted: u64,
    /// Missing: never attempted by X, in a time that was too short to be seen.
    pub(crate) unseen: u64,
    pub(crate) jobs: u64,
    pub(crate) lost_minutes: u64,
}

/// Judges a history that has come to rest.
pub(crate) fn judge(sim: &mut Sim) -> Sums {
    let ledger = sim.world.ledger(sim.clocks.x());
    if sim.is_pending() || !sim.is_up() {
        sim.violate(Invariant::Ends, "the history is over, and the engine is not");
    }
    let mut sums = Sums {
        events: ledger.events.len() as u64,
        jobs: ledger.jobs.len() as u64,
        lost_minutes: sim.named.len() as u64,
        ..Sums::default()
    };
    let stored = judge_store(sim, &ledger);
    let fired = Fired::new(sim.world.faults());
    for event in &ledger.events {
        if stored.contains(&event.key) {
            sums.stored += 1;
        } else {
            judge_missing(sim, event, &fired, &mut sums);
        }
    }
    judge_named(sim, &Refusals::new(sim, &ledger, &fired));
    judge_spells(sim);
    judge_secrets(sim);
    sums
}

/// Everything once, nothing else.
fn judge_store(sim: &mut Sim, ledger: &Ledger) -> HashSet<String> {
    let mut counts: HashMap<String, u32> = HashMap::new();
    for key in sim.disk.keys().unwrap_or_default() {
        *counts.entry(key).or_default() += 1;
    }
    let genuine: HashSet<&str> = ledger.events.iter().map(|event| event.key.as_str()).collect();
    let mut wrong: BTreeMap<&String, u32> = BTreeMap::new();
    for (key, count) in &counts {
        let is_known = genuine.contains(key.as_str()) || key.contains("replay_job_status:");
        if *count > 1 || !is_known {
            wrong.insert(key, *count);
        }
    }
    for (key, count) in wrong {
        let invariant = if count > 1 { Invariant::Once } else { Invariant::Genuine };
        sim.violate(invariant, format!("{key}, {count} times"));
    }
    counts.into_keys().collect()
}

fn judge_missing(sim: &mut Sim, event: &LedgerEvent, fired: &Fired, sums: &mut Sums) {
    let key = &event.key;
    if event.acknowledged_at.is_some() {
        sim.violate(Invariant::Acknowledged, format!("{key} is gone"));
        return;
    }
    let Some(first) = event.attempts.first() else {
        // Its webhook was invalid: X attempted nothing, and perhaps has it nevertheless. Spells
        // that are long enough are named as a whole, which is judged apart.
        let minute = UtcMinute::floor(event.created_at);
        if sim.named.contains_key(&(event.webhook_id, minute)) {
            sums.not_attempted += 1;
        } else {
            sums.unseen += 1;
        }
        return;
    };
    let x = first.at.as_millisecond();
    let missed = sim.clocks.true_of(x);
    let minute = x.div_euclid(MINUTE) * MINUTE;
    let look_back = sim.scenario.look_back();
    if is_lost_on_the_way(sim, event, first, fired) {
        sums.dropped += 1;
        // A sweep finds it, if it comes soon enough.
        if let Some(every) = sim.scenario.sweep
            && sim.truth.was_within_reach(minute, missed, look_back - every - HOUR, &sim.clocks)
        {
            let words = format!("{key}, dropped at {:.3}, is missing after a sweep", first.at);
            sim.violate(Invariant::Swept, words);
        }
        return;
    }
    let named = sim.named.get(&(event.webhook_id, UtcMinute::floor(first.at))).copied();
    let failed = event.attempts.iter().filter(|attempt| attempt.cause == Cause::Replay).count();
    if matches!(named, Some(LostReason::GivenUp { .. })) && failed > 1 {
        sums.given_up += 1;
        return;
    }
    if sim.truth.was_within_reach(minute, missed, look_back, &sim.clocks) {
        let words = format!("{key}, attempted at {:.3}, is missing", first.at);
        sim.violate(Invariant::Stored, words);
        return;
    }
    if named.is_some() {
        sums.out_of_reach += 1;
    } else {
        let words = format!("{key}, attempted at {:.3}, is missing, and nothing says so", first.at);
        sim.violate(Invariant::Named, words);
    }
}

/// Says whether an attempt failed between X and a receiver that would have taken it, by a fault
/// that really fired. What the receiver rejects without one it has to get back.
fn is_lost_on_the_way(sim: &Sim, event: &LedgerEvent, attempt: &Attempt, fired: &Fired) -> bool {
    if !fired.has_spoilt(&event.id, attempt.at) {
        return false;
    }
    let is_lost = attempt.status.is_none();
    let x = attempt.at.as_millisecond();
    let wrong = |it: &WrongSecret| it.from - MINUTE <= x && x <= it.to + MINUTE;
    let by_us = sim.truth.wrong_secrets().iter().any(wrong);
    is_lost || matches!(attempt.status, Some(400 | 401 | 403)) && !by_us
}

/// Each time in which X attempted nothing for somebody, and that was long enough to be seen, is
/// named from its first whole minute to its last.
fn judge_spells(sim: &mut Sim) {
    let spells = sim.truth.spells().to_vec();
    for Spell { webhook, from, to, length, what, is_forgotten } in spells {
        if length <= SEEN || is_forgotten {
            continue;
        }
        let (first, last) = (UtcMinute::ceil(timestamp(from)), UtcMinute::floor(timestamp(to)));
        let mut minutes = (0..last.since(first)).map(|minutes| first.plus(minutes));
        if let Some(minute) = minutes.find(|minute| !sim.named.contains_key(&(webhook, *minute))) {
            let (from, to) = (timestamp(from), timestamp(to));
            let words = format!("{what} at {webhook} from {from:.0} to {to:.0}, {minute} is not");
            sim.violate(Invariant::Named, words);
        }
    }
}

/// Each time in which the secret was wrong has opened one gap, if anything was rejected then and
/// is known. Gaps are told apart by the clock that they are written in.
fn judge_secrets(sim: &mut Sim) {
    for WrongSecret { run, from, to, believed } in sim.truth.wrong_secrets().to_vec() {
        let (since, until) = believed;
        let gaps = sim.signature_gaps.iter().filter(|gap| gap.0 <= until && since <= gap.1);
        let ends: BTreeSet<_> = gaps.map(|gap| gap.1).collect();
        let missed = sim.truth.was_rejection_told(run) && !sim.is_suspected();
        if ends.len() > 1 || (missed && ends.is_empty()) {
            let (from, to) = (timestamp(from), timestamp(to));
            let words = format!("{} gaps for {from:.0} to {to:.0}", ends.len());
            sim.violate(Invariant::SpellOnce, words);
        }
    }
}

/// What is named as lost was really out of reach.
fn judge_named(sim: &mut Sim, refusals: &Refusals) {
    let look_back = sim.scenario.look_back() - NAMED_EARLY;
    let tolerance = sim.tolerance();
    let mut before: Option<(WebhookId, UtcMinute)> = None;
    for ((webhook, minute), reason) in sim.named.clone() {
        let x = minute.start().as_millisecond();
        let words = match reason {
            LostReason::GivenUp { tries } => {
                let refused = refusals.of(webhook, minute, tries);
                (!refused).then_some("X did not refuse to replay it alone")
            }
            LostReason::MaybeNotAttempted { .. }
                if sim.truth.may_be_silent(webhook, x, x + MINUTE) =>
            {
                None
            }
            _ if !sim.truth.touches(Some(webhook), x, x + MINUTE, tolerance) => {
                Some("nothing happened then")
            }
            LostReason::TooOld { .. } => {
                let over = sim.truth.over(webhook, x, tolerance).unwrap_or(x);
                let over = sim.clocks.true_of(over);
                let reach = sim.truth.was_within_reach(x, over, look_back, &sim.clocks);
                reach.then_some("it could have been had")
            }
            _ => None,
        };
        // One for each stretch.
        if let Some(words) = words
            && before
                .replace((webhook, minute))
                .is_none_or(|(other, before)| other != webhook || minute.since(before) > 1)
        {
            let words = format!("{minute} is named at {webhook} ({reason}): {words}");
            sim.violate(Invariant::Truthful, words);
        }
    }
}

/// An engine names a minute as lost a little before it really is.
const NAMED_EARLY: Millis = 3 * MINUTE + 10 * SECOND;
