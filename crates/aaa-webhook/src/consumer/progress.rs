//! How far a consumer is.

use std::{fmt::Write, ops::RangeInclusive};

/// Which events a consumer has finished: all up to a cursor, and some beyond it.
///
/// The cursor never moves over an event that is not finished. Users do not wait for each other, so
/// events behind an unfinished one may be finished already; they are remembered, so that a crash
/// does not bring them again.
///
/// # Examples
///
/// ```
/// use aaa_webhook::consumer::Progress;
///
/// let progress = Progress::new(10, [12..=13, 14..=15]);
/// assert_eq!(progress.cursor(), 10);
/// assert!(progress.contains(9) && !progress.contains(11) && progress.contains(14));
/// assert_eq!(progress.ahead_text(), "12-15");
/// assert_eq!(Progress::with_ahead_text(10, "12-15")?, progress);
/// # Ok::<(), aaa_webhook::consumer::ProgressError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    cursor: u64,
    /// Sorted, apart from each other and from the cursor.
    ahead: Vec<RangeInclusive<u64>>,
}

impl Progress {
    /// Says that everything up to `cursor` is finished, and `ahead` of it these ranges, which are
    /// in order.
    pub fn new(cursor: u64, ahead: impl IntoIterator<Item = RangeInclusive<u64>>) -> Self {
        let mut progress = Self { cursor, ahead: Vec::new() };
        for range in ahead {
            progress.add(range);
        }
        progress
    }

    /// Returns the last sequence number before which nothing is unfinished.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Returns what is finished beyond the cursor.
    pub fn ahead(&self) -> &[RangeInclusive<u64>] {
        &self.ahead
    }

    /// Says whether an event is finished.
    pub fn contains(&self, seq: u64) -> bool {
        if seq <= self.cursor {
            return true;
        }
        let next = self.ahead.partition_point(|range| *range.end() < seq);
        self.ahead.get(next).is_some_and(|range| range.contains(&seq))
    }

    /// Returns how many events up to `last` are not finished, by their numbers.
    pub fn unfinished(&self, last: u64) -> u64 {
        let within = |range: &RangeInclusive<u64>| {
            let end = (*range.end()).min(last).saturating_add(1);
            end.saturating_sub(*range.start())
        };
        let ahead = self.ahead.iter().map(within).sum();
        last.saturating_sub(self.cursor).saturating_sub(ahead)
    }

    /// Returns what is finished beyond the cursor as text: `12-15,17`.
    pub fn ahead_text(&self) -> String {
        let mut text = String::new();
        for range in &self.ahead {
            let comma = if text.is_empty() { "" } else { "," };
            // Writing into a string does not fail.
            let _ = match (range.start(), range.end()) {
                (first, last) if first == last => write!(text, "{comma}{first}"),
                (first, last) => write!(text, "{comma}{first}-{last}"),
            };
        }
        text
    }

    /// Reads the text form of what is finished beyond the cursor.
    ///
    /// # Errors
    ///
    /// Fails when the text is not a list of rising ranges.
    pub fn with_ahead_text(cursor: u64, text: &str) -> Result<Self, ProgressError> {
        let mut progress = Self { cursor, ahead: Vec::new() };
        let malformed = || ProgressError(text.chars().take(40).collect());
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let first: u64 = first.parse().map_err(|_| malformed())?;
            let last: u64 = last.parse().map_err(|_| malformed())?;
            let before = progress.ahead.last().map_or(progress.cursor, |range| *range.end());
            if first > last || first <= before {
                return Err(malformed());
            }
            progress.add(first..=last);
        }
        Ok(progress)
    }

    /// Adds a range behind all others.
    pub(super) fn add(&mut self, range: RangeInclusive<u64>) {
        let (first, last) = range.into_inner();
        let before = self.ahead.last().map_or(self.cursor, |range| *range.end());
        let (first, adjacent) =
            (first.max(before.saturating_add(1)), first <= before.saturating_add(1));
        if first > last {
            return;
        }
        match self.ahead.last_mut() {
            Some(range) if adjacent => *range = *range.start()..=last,
            None if adjacent => self.cursor = last,
            _ => self.ahead.push(first..=last),
        }
    }
}

/// A text that does not say what is finished.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a list of rising ranges such as `12-15,17`")]
pub struct ProgressError(String);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_text_comes_back(cursor in 0_u64..20, seqs in prop::collection::btree_set(1_u64..60, 0..40)) {
            let progress = Progress::new(cursor, seqs.iter().map(|seq| *seq..=*seq));
            let all: BTreeSet<u64> = (0..=cursor).chain(seqs).collect();
            for seq in 0..70 {
                prop_assert_eq!(progress.contains(seq), all.contains(&seq), "{}", seq);
            }
            prop_assert!(!progress.contains(progress.cursor() + 1));
            for last in [0, 10, 30, 70] {
                let unfinished = (0..=last).filter(|seq| !all.contains(seq)).count() as u64;
                prop_assert_eq!(progress.unfinished(last), unfinished);
            }
            let read = Progress::with_ahead_text(progress.cursor(), &progress.ahead_text());
            prop_assert_eq!(read.unwrap(), progress);
        }

        #[test]
        fn no_text_panics(cursor: u64, text in "[0-9,-]{0,40}|\\PC{0,20}") {
            let _ = Progress::with_ahead_text(cursor, &text);
        }
    }

    #[test]
    fn neighbours_are_one_range() {
        let progress = Progress::new(10, [12..=13, 14..=15, 17..=17, 19..=20]);
        assert_eq!(progress.ahead(), [12..=15, 17..=17, 19..=20]);
        assert_eq!(progress.ahead_text(), "12-15,17,19-20");
        assert_eq!(Progress::new(10, [11..=13, 15..=15]), Progress::new(13, [15..=15]));
    }

    #[test]
    fn what_is_no_list_of_rising_ranges() {
        for text in ["x", "5-4", "7,6", "3-9,9", "2", "5-", "-5", "99999999999999999999"] {
            assert!(Progress::with_ahead_text(2, text).is_err(), "{text}");
        }
        assert_eq!(Progress::with_ahead_text(2, "").unwrap(), Progress::new(2, []));
    }
}
