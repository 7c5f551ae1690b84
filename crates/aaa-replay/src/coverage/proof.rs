use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Heartbeat, Span};

/// Stretches that are so near to each other are one.
const NEAR: SignedDuration = SignedDuration::from_secs(60);

/// A stretch of X's time in which deliveries or checks arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The heartbeat before the first of them.
    pub from: Timestamp,
    /// The heartbeat after the last of them.
    pub to: Timestamp,
}

impl Proof {
    /// Returns what two heartbeats of one span prove: that something arrived between them.
    pub fn between(before: &Heartbeat, after: &Heartbeat) -> Option<Self> {
        let arrived = before.run == after.run && before.tally.arrived < after.tally.arrived;
        let (from, to) = (before.x_time(), after.x_time());
        arrived.then(|| Self { from: from.min(to), to: from.max(to) })
    }

    /// Takes the next stretch: true when it lengthens this one, false when it stands alone. Quiet
    /// stretches of up to a minute do not count, so that a store keeps few.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_replay::coverage::Proof;
    /// use jiff::SignedDuration;
    ///
    /// let second = SignedDuration::from_secs(1);
    /// let from: jiff::Timestamp = "2025-11-22T04:13:00Z".parse()?;
    /// let mut proof = Proof { from, to: from + second * 5 };
    /// assert!(proof.join(Proof { from: from + second * 60, to: from + second * 65 }));
    /// assert!(!proof.join(Proof { from: from + second * 130, to: from + second * 135 }));
    /// assert_eq!(proof.to, from + second * 65);
    /// # Ok::<(), jiff::Error>(())
    /// ```
    pub fn join(&mut self, next: Self) -> bool {
        let near = self.from <= next.from && next.from.duration_since(self.to) <= NEAR;
        if near {
            self.to = self.to.max(next.to);
        }
        near
    }
}

/// A covered stretch of X's time, and how well it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Covered {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// How well it is known.
    pub grade: Grade,
}

/// How well it is known that nothing was missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Deliveries or checks arrived.
    Proved,
    /// The receiver could have stored a delivery, but none came. What is lost on the way to it
    /// leaves no other trace.
    Assumed,
}

/// Tells proved coverage from assumed coverage.
///
/// Both lists are in order, as a ledger returns them; so is the result. Where X's clock was set
/// back the same time may be covered twice.
pub fn graded(spans: &[Span], proofs: &[Proof]) -> Vec<Covered> {
    let mut covered = Vec::new();
    let mut next = 0;
    for span in spans {
        let end = span.last.x_time();
        let mut from = span.first.x_time().min(end);
        let mut push = |from: Timestamp, to: Timestamp, grade| {
            if from < to {
                covered.push(Covered { from, to, grade });
            }
        };
        while let Some(proof) = proofs.get(next).filter(|proof| proof.from < end) {
            let start = proof.from.max(from);
            push(from, start, Grade::Assumed);
            push(start, proof.to.min(end), Grade::Proved);
            from = from.max(proof.to.min(end));
            if proof.to > end {
                break;
            }
            next += 1;
        }
        push(from, end, Grade::Assumed);
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::{RunId, Tally};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_763_784_000 + second).unwrap()
    }

    fn beat(second: i64, arrived: u64) -> Heartbeat {
        Heartbeat {
            run: RunId(1),
            wall: at(second),
            uptime: SignedDuration::from_secs(second),
            offset: SignedDuration::ZERO,
            offset_read: true,
            tally: Tally { arrived, ..Tally::default() },
        }
    }

    fn span(from: i64, to: i64) -> Span {
        Span { last: beat(to, 0), ..Span::new(beat(from, 0)) }
    }

    fn proof(from: i64, to: i64) -> Proof {
        Proof { from: at(from), to: at(to) }
    }

    fn grades(spans: &[Span], proofs: &[Proof]) -> Vec<(i64, i64, Grade)> {
        let seconds = |time: Timestamp| time.duration_since(at(0)).as_secs();
        let covered = graded(spans, proofs).into_iter();
        covered.map(|it| (seconds(it.from), seconds(it.to), it.grade)).collect()
    }

    #[test]
    fn only_what_arrived_proves() {
        assert_eq!(Proof::between(&beat(0, 3), &beat(5, 3)), None);
        let proof = Proof { from: at(0), to: at(5) };
        assert_eq!(Proof::between(&beat(0, 3), &beat(5, 4)), Some(proof));
        let other = Heartbeat { run: RunId(2), ..beat(5, 4) };
        assert_eq!(Proof::between(&beat(0, 3), &other), None);
    }

    #[test]
    fn coverage_is_cut_at_what_is_proved() {
        let spans = [span(0, 100), span(200, 300), span(400, 410)];
        use Grade::{Assumed, Proved};
        assert_eq!(
            grades(&spans, &[proof(10, 20), proof(90, 250), proof(280, 300)]),
            [
                (0, 10, Assumed),
                (10, 20, Proved),
                (20, 90, Assumed),
                (90, 100, Proved),
                (200, 250, Proved),
                (250, 280, Assumed),
                (280, 300, Proved),
                (400, 410, Assumed),
            ]
        );
    }

    /// Else the same arrival would count twice.
    #[test]
    fn what_arrived_before_the_clock_was_set_back_proves_nothing_behind_that() {
        use Grade::{Assumed, Proved};
        assert_eq!(
            grades(&[span(0, 100), span(50, 150)], &[proof(80, 100)]),
            [(0, 80, Assumed), (80, 100, Proved), (50, 150, Assumed)]
        );
    }

    #[test]
    fn stretches_are_joined_across_a_quiet_minute_and_never_backwards() {
        let nanosecond = SignedDuration::from_nanos(1);
        let first = proof(100, 110);
        for (from, to, joined) in [
            (at(105), at(108), Some(at(110))),
            (at(100), at(120), Some(at(120))),
            (at(170), at(180), Some(at(180))),
            (at(170) + nanosecond, at(180), None),
            // X's clock was set back.
            (at(100) - nanosecond, at(180), None),
        ] {
            let mut proof = first;
            assert_eq!(proof.join(Proof { from, to }), joined.is_some(), "{from}");
            assert_eq!(proof, Proof { to: joined.unwrap_or(first.to), ..first }, "{from}");
        }
    }
}
