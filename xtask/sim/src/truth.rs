//! What was really so: when the receiver took nothing, when an engine could have asked, and what
//! held it up. All of it is noted as it happens, apart from what coverage and ledger say.

use crate::clock::{Clocks, MINUTE, Millis};

/// The notes of one history.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// When deliveries could not be taken, on X's clock; the clock being uncertain, too.
    disturbed: Vec<(Millis, Millis)>,
    /// When signatures were wrong, on X's clock.
    rejected: Vec<(Millis, Millis)>,
    /// From when on an engine could ask, or could not, in true time.
    able: Vec<(Millis, bool)>,
    /// When X attempted nothing for somebody, in true time.
    silent: Vec<(Millis, Millis)>,
    /// When an engine was held up, and by how much at most.
    setbacks: Vec<(Millis, Millis)>,
}

impl Truth {
    /// Notes that something may be missing between two times of X.
    pub(crate) fn disturb(&mut self, from: Millis, to: Millis) {
        self.disturbed.push((from.min(to), from.max(to)));
    }

    /// Notes that a signature was wrong.
    pub(crate) fn reject(&mut self, one: Millis, other: Millis) {
        self.rejected.push((one.min(other), one.max(other)));
    }

    /// Says whether a signature was wrong in a stretch of X's time.
    pub(crate) fn rejected(&self, from: Millis, to: Millis, tolerance: Millis) -> bool {
        let mut rejected = self.rejected.iter();
        rejected.any(|(since, until)| since - tolerance <= to && from <= until + tolerance)
    }

    /// Says whether a stretch of X's time is within `tolerance` of a disturbance.
    pub(crate) fn touches(&self, from: Millis, to: Millis, tolerance: Millis) -> bool {
        self.disturbed
            .iter()
            .any(|(since, until)| *since - tolerance <= to && from <= *until + tolerance)
    }

    /// Returns when the disturbances around a time of X were over, at the earliest.
    pub(crate) fn over(&self, x: Millis, tolerance: Millis) -> Option<Millis> {
        let around = self
            .disturbed
            .iter()
            .filter(|(since, until)| *since - tolerance <= x && x <= *until + tolerance);
        around.map(|(_, until)| *until).min()
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

    /// Notes that X attempted nothing for somebody between two true times.
    pub(crate) fn silent(&mut self, from: Millis, to: Millis) {
        self.silent.push((from, to));
    }

    /// Says whether a spell in which X attempted nothing at a true time had to be noticed: whoever
    /// watches was there the whole time, could ask X, and could write.
    pub(crate) fn was_watched(&self, time: Millis) -> bool {
        let spell = self.silent.iter().find(|(from, to)| (*from..=*to).contains(&time));
        let Some((from, to)) = spell else { return false };
        let ends = self.able.iter().skip(1).map(|(since, _)| *since).chain([Millis::MAX]);
        let mut unable = self.able.iter().zip(ends).filter(|((_, able), _)| !able);
        !unable.any(|((since, _), end)| *since <= to + NOTICED && from - NOTICED <= end)
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

/// How long it may take until a spell is noticed.
const NOTICED: Millis = 12 * MINUTE;

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
        assert!(truth.touches(205, 300, 5) && !truth.touches(206, 300, 5));
        assert_eq!(truth.over(203, 5), Some(200));
    }
}
