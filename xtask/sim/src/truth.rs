//! What was really so: when the receiver took nothing, when an engine could have asked, and what
//! held it up. All of it is noted as it happens, apart from what coverage and ledger say.

use aaa_types::WebhookId;

use crate::clock::{Clocks, MINUTE, Millis};

/// The notes of one history.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// When deliveries could not be taken, on X's clock; the clock being uncertain, too. For all
    /// webhooks, or one.
    disturbed: Vec<(Option<WebhookId>, Millis, Millis)>,
    /// When signatures were wrong.
    rejected: Vec<Rejected>,
    /// From when on an engine could ask, or could not, in true time.
    able: Vec<(Millis, bool)>,
    /// When X attempted nothing for somebody.
    silent: Vec<Spell>,
    /// When nobody could ask X or write down what it said, on X's clock.
    blind: Vec<(Millis, Millis)>,
    /// When the secret was wrong.
    wrong: Vec<WrongSecret>,
    /// When an engine was held up, and by how much at most.
    setbacks: Vec<(Millis, Millis)>,
}

/// A signature that was wrong.
#[derive(Debug, Clone, Copy)]
struct Rejected {
    /// The run that saw it.
    run: u64,
    /// When, on X's clock, true and believed.
    from: Millis,
    to: Millis,
    /// A heartbeat after it was written: without one nobody hears of it, and the time up to the
    /// next run is a gap in any case.
    is_told: bool,
}

/// A run with a wrong secret.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WrongSecret {
    pub(crate) run: u64,
    /// On X's clock.
    pub(crate) from: Millis,
    pub(crate) to: Millis,
    /// The same as the run believed it, which is what its heartbeats say.
    pub(crate) believed: (Millis, Millis),
}

/// A time in which X attempted nothing for somebody.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spell {
    pub(crate) webhook: WebhookId,
    /// On X's clock.
    pub(crate) from: Millis,
    pub(crate) to: Millis,
    /// How long it was, in true time.
    pub(crate) length: Millis,
    pub(crate) what: &'static str,
    /// Whoever saw it could not write, and is gone.
    pub(crate) is_forgotten: bool,
}

impl Spell {
    /// Says whether a stretch of X's time is within `tolerance` of it.
    fn touches(&self, from: Millis, to: Millis, tolerance: Millis) -> bool {
        self.from - tolerance <= to && from <= self.to + tolerance
    }
}

impl Truth {
    /// Notes that something may be missing between two times of X, at any webhook.
    pub(crate) fn disturb(&mut self, from: Millis, to: Millis) {
        self.disturbed.push((None, from.min(to), from.max(to)));
    }

    /// Notes that somebody asked for what was between two times of X.
    pub(crate) fn ask(&mut self, webhook: WebhookId, from: Millis, to: Millis) {
        self.disturbed.push((Some(webhook), from.min(to), from.max(to)));
    }

    /// Notes that nobody could ask X or write between two times of X.
    pub(crate) fn blind(&mut self, from: Millis, to: Millis) {
        self.blind.push((from.min(to), from.max(to)));
    }

    /// Notes that the secret was wrong.
    pub(crate) fn wrong_secret(&mut self, wrong: WrongSecret) {
        self.wrong.push(wrong);
    }

    /// Returns when the secret was wrong.
    pub(crate) fn wrong_secrets(&self) -> &[WrongSecret] {
        &self.wrong
    }

    /// Notes that a signature was wrong.
    pub(crate) fn reject(&mut self, run: u64, one: Millis, other: Millis) {
        let (from, to) = (one.min(other), one.max(other));
        self.rejected.push(Rejected { run, from, to, is_told: false });
    }

    /// A run has written a heartbeat, which tells what it has rejected.
    pub(crate) fn tell_rejected(&mut self, run: u64) {
        let rejected = self.rejected.iter_mut().rev();
        for rejected in rejected.take_while(|it| it.run == run && !it.is_told) {
            rejected.is_told = true;
        }
    }

    /// Says whether a run has rejected something, and a heartbeat tells of it.
    pub(crate) fn was_rejection_told(&self, run: u64) -> bool {
        self.rejected.iter().any(|rejected| rejected.run == run && rejected.is_told)
    }

    /// Says whether a signature was wrong in a stretch of X's time.
    pub(crate) fn rejected(&self, from: Millis, to: Millis, tolerance: Millis) -> bool {
        let mut rejected = self.rejected.iter();
        rejected.any(|it| it.from - tolerance <= to && from <= it.to + tolerance)
    }

    /// Says whether a stretch of X's time is within `tolerance` of a disturbance of a webhook, or,
    /// if none is named, of one that concerns all.
    pub(crate) fn touches(
        &self,
        webhook: Option<WebhookId>,
        from: Millis,
        to: Millis,
        tolerance: Millis,
    ) -> bool {
        self.disturbances(webhook).any(|(since, until, more)| {
            let tolerance = tolerance + more;
            since - tolerance <= to && from <= until + tolerance
        })
    }

    /// Returns when the disturbances of a webhook around a time of X were over, at the earliest.
    pub(crate) fn over(&self, webhook: WebhookId, x: Millis, tolerance: Millis) -> Option<Millis> {
        let around = self.disturbances(Some(webhook)).filter(|(since, until, more)| {
            let tolerance = tolerance + more;
            since - tolerance <= x && x <= until + tolerance
        });
        around.map(|(_, until, _)| until).min()
    }

    /// Returns disturbances, and by how much more than others they may be missed: what only a look
    /// shows began after the look before.
    fn disturbances(
        &self,
        webhook: Option<WebhookId>,
    ) -> impl Iterator<Item = (Millis, Millis, Millis)> {
        let concerned = move |of: Option<WebhookId>| of.is_none() || of == webhook;
        let disturbed = self.disturbed.iter().filter(move |(of, ..)| concerned(*of));
        let silent = self.silent.iter().filter(move |spell| Some(spell.webhook) == webhook);
        disturbed
            .map(|(_, since, until)| (*since, *until, 0))
            .chain(silent.map(|spell| (spell.from, spell.to, NOTICED)))
    }

    /// Says whether X may have attempted nothing at a stretch of its time, as far as anybody could
    /// know then.
    ///
    /// This is wider than it has to be: all time counts in which nobody was there, could ask, or
    /// could write, although a look at the beginning of the next run is mostly enough. Where it is
    /// not (a look that failed, a spell that began meanwhile, a sleep, a jump of X's clock) follows
    /// from the watcher's own rules, which are not told a second time here. So a watcher that names
    /// every outage as perhaps lost passes; its own tests have that.
    pub(crate) fn may_be_silent(&self, webhook: WebhookId, from: Millis, to: Millis) -> bool {
        let mut silent = self.silent.iter().filter(|spell| spell.webhook == webhook);
        let mut blind = self.blind.iter();
        silent.any(|spell| spell.touches(from, to, NOTICED))
            || blind.any(|(since, until)| since - NOTICED <= to && from <= until + NOTICED)
    }

    /// Notes whether an engine could ask from now on.
    pub(crate) fn able(&mut self, able: bool, now: Millis) {
        match self.able.last() {
            Some((_, last)) if *last == able => return,
            Some((since, false)) => self.setbacks.push((*since, now - since + 5 * MINUTE)),
            _ => {}
        }
        self.able.push((now, able));
    }

    /// Notes that X attempted nothing for somebody.
    pub(crate) fn silent(&mut self, spell: Spell) {
        self.silent.push(spell);
    }

    /// Nobody remembers what was over since a time of X.
    pub(crate) fn forget(&mut self, x: Millis) {
        for spell in &mut self.silent {
            spell.is_forgotten |= x <= spell.to;
        }
    }

    /// Returns the times in which X attempted nothing for somebody.
    pub(crate) fn spells(&self) -> &[Spell] {
        &self.silent
    }

    /// Notes that an engine was held up.
    pub(crate) fn set_back(&mut self, by: Millis, now: Millis) {
        self.setbacks.push((now, by));
    }

    /// Returns when an engine could first ask at or after a true time.
    pub(crate) fn first_able(&self, time: Millis) -> Option<Millis> {
        let ends = self.able.iter().skip(1).map(|(since, _)| *since).chain([Millis::MAX]);
        let mut spells = self.able.iter().zip(ends).filter(|((_, able), _)| *able);
        spells.find(|(_, end)| *end > time).map(|((since, _), _)| (*since).max(time))
    }

    /// Says whether a minute of X that was missed at a true time could still be had when a correct
    /// engine could first have asked for it, faults that held it up included.
    pub(crate) fn was_within_reach(
        &self,
        minute: Millis,
        missed: Millis,
        look_back: Millis,
        clocks: &Clocks,
    ) -> bool {
        let ripe = clocks.true_of(minute + RIPE);
        let Some(first) = self.first_able(missed.max(ripe)) else { return false };
        let expires = clocks.true_of(minute + look_back);
        let held_up: Millis = self
            .setbacks
            .iter()
            .filter(|(at, _)| (first - 5 * MINUTE..=expires).contains(at))
            .map(|(_, by)| by)
            .sum();
        first + SLACK + held_up < expires
    }
}

/// How long before a spell all may have been seen to be well for the last time, and how long after
/// it for the first: a look, and what a record may take.
const NOTICED: Millis = 7 * MINUTE;

/// The minute itself, one of overlap, and the ten that X wants.
const RIPE: Millis = 12 * MINUTE;

/// How long an engine may take without being held up: windows are asked for one after the other,
/// edges are whole minutes, and X's clock is known to a second.
const SLACK: Millis = 20 * MINUTE;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::HOUR;

    #[test]
    fn reach_ends_with_the_look_back() {
        let clocks = Clocks::new(0);
        let mut truth = Truth::default();
        truth.able(true, 0);
        truth.able(false, HOUR);
        truth.able(true, 25 * HOUR);
        let reach = |minute| truth.was_within_reach(minute, minute, 24 * HOUR, &clocks);
        // Missed in the outage, whose end came too late for it.
        assert!(!reach(HOUR) && !reach(HOUR + 10 * MINUTE));
        assert!(reach(HOUR + 30 * MINUTE));
        // It could have been asked for before, and then was held up for too long.
        assert!(!reach(HOUR - 30 * MINUTE));
    }

    #[test]
    fn disturbances_have_edges() {
        let mut truth = Truth::default();
        truth.disturb(100, 200);
        let webhook: WebhookId = "12".parse().unwrap();
        let touches = |from| truth.touches(Some(webhook), from, 300, 5);
        assert!(touches(205) && !touches(206));
        assert_eq!(truth.over(webhook, 203, 5), Some(200));
        truth.ask(webhook, 1000, 1100);
        assert!(truth.touches(Some(webhook), 1100, 1200, 0) && !truth.touches(None, 1100, 1200, 0));
    }

    #[test]
    fn what_was_rejected_is_known_when_a_heartbeat_of_its_run_tells() {
        let mut truth = Truth::default();
        truth.reject(1, 100, 90);
        // The store failed until the run was killed.
        truth.tell_rejected(2);
        assert!(!truth.was_rejection_told(1));
        truth.reject(2, 200, 200);
        truth.reject(2, 210, 210);
        assert!(!truth.was_rejection_told(2));
        truth.tell_rejected(2);
        assert!(truth.was_rejection_told(2) && !truth.was_rejection_told(1));
        assert!(truth.rejected(95, 95, 0) && !truth.rejected(101, 199, 0));
    }
}
