use jiff::{SignedDuration, Timestamp};

use super::{Gap, Heartbeat, Span, gaps};

/// The spans of a ledger, kept so that only what is new has to be read.
///
/// # Examples
///
/// ```
/// use aaa_replay::coverage::Coverage;
///
/// let mut coverage = Coverage::default();
/// // Ask the ledger for the spans from this number on, and add what it returns.
/// assert_eq!(coverage.next(), 0);
/// coverage.add(Vec::new());
/// assert_eq!(coverage.last(), None);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    spans: Vec<Span>,
    /// The number of the last span, which may still grow.
    last: Option<u64>,
}

impl Coverage {
    /// Returns the number of the first span that may have changed or is new.
    pub fn next(&self) -> u64 {
        self.last.unwrap_or(0)
    }

    /// Adds spans with their numbers, from [`next`](Self::next) on; says whether gaps may have
    /// changed.
    pub fn add(&mut self, read: Vec<(u64, Span)>) -> bool {
        let mut changed = false;
        for (number, span) in read {
            if self.last == Some(number) {
                let before = self.spans.pop();
                changed |= before.is_none_or(|before| {
                    before.verified.is_some() != span.verified.is_some()
                        || before.first != span.first
                });
            } else {
                changed = true;
            }
            self.spans.push(span);
            self.last = Some(number);
        }
        changed
    }

    /// Forgets what [`before`] says of a time; says whether that was anything, and so gaps have
    /// changed.
    pub fn forget_before(&mut self, time: Timestamp) -> bool {
        let gone = before(&self.spans, time);
        self.spans.drain(..gone);
        gone > 0
    }

    /// Returns the spans in the order of their writing.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Returns the last heartbeat.
    pub fn last(&self) -> Option<&Heartbeat> {
        self.spans.last().map(|span| &span.last)
    }

    /// Returns when coverage began, on X's clock, as far as it is remembered.
    pub fn began(&self) -> Option<Timestamp> {
        self.spans.first().map(|span| span.first.x_time())
    }

    /// Returns the [gaps].
    pub fn gaps(&self, margin: SignedDuration) -> Vec<Gap> {
        gaps(&self.spans, margin)
    }
}

/// Returns how many spans at the front matter no more at a time on X's clock: those which ended
/// before it, and with them the gaps behind them. The last span is never among them.
pub fn before(spans: &[Span], time: Timestamp) -> usize {
    let pairs = spans.iter().zip(spans.iter().skip(1));
    pairs.take_while(|(span, next)| span.last.x_time() < time && next.first.x_time() < time).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::{RunId, Tally};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_763_784_000 + second).unwrap()
    }

    fn beat(second: i64) -> Heartbeat {
        Heartbeat {
            run: RunId(1),
            wall: at(second),
            uptime: SignedDuration::from_secs(second),
            offset: SignedDuration::ZERO,
            offset_read: true,
            tally: Tally::default(),
        }
    }

    fn span(from: i64, to: i64) -> Span {
        Span { last: beat(to), ..Span::new(beat(from)) }
    }

    #[test]
    fn a_span_that_only_grows_changes_no_gap() {
        let verified =
            Span::new(Heartbeat { tally: Tally { verified: 1, ..Tally::default() }, ..beat(30) })
                .verified;
        let mut coverage = Coverage::default();
        assert_eq!((coverage.began(), coverage.last()), (None, None));
        for (number, span, changed) in [
            (1, span(0, 10), true),
            (1, span(0, 20), false),
            (1, span(0, 20), false),
            // What is verified may end a spell of wrong signatures.
            (1, Span { verified, ..span(0, 30) }, true),
            (2, span(100, 100), true),
            (2, span(100, 120), false),
            (2, span(110, 120), true),
        ] {
            assert_eq!(coverage.add(vec![(number, span)]), changed, "{number}: {span:?}");
        }
        assert!(!coverage.add(Vec::new()));
        assert_eq!((coverage.next(), coverage.spans().len()), (2, 2));
        assert_eq!((coverage.began(), coverage.last()), (Some(at(0)), Some(&beat(120))));
    }

    #[test]
    fn a_span_matters_until_it_and_the_gap_behind_it_are_over() {
        let around = |spans: &[Span], time| {
            (before(spans, time), before(spans, time + SignedDuration::from_nanos(1)))
        };
        assert_eq!(around(&[span(0, 10), span(20, 30)], at(20)), (0, 1));
        // Where X's clock was set back the span itself reaches further.
        assert_eq!(around(&[span(100, 110), span(50, 60)], at(110)), (0, 1));
        assert_eq!(before(&[span(0, 10), span(20, 30)], at(1000)), 1);
    }
}
