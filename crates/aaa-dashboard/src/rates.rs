//! How many events arrived when, from a log that tells only their order and times.
//!
//! The number of the last event before a time is found by halving, and kept: it does not change any
//! more. Differences of such numbers are counts, at most by what was removed since too large.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use aaa_webhook::inbox::InboxError;
use jiff::Timestamp;

use crate::{reading, store::Store};

/// How many times are remembered.
const KEPT: usize = 4_096;

/// What was found.
#[derive(Default)]
pub(crate) struct Rates(Mutex<BTreeMap<Timestamp, u64>>);

impl Rates {
    /// Counts the events between each two of the `edges`, which are in order; `last` is the last
    /// event's number, and what is later than `settled` may still change.
    pub(crate) async fn counts(
        &self,
        store: &dyn Store,
        edges: &[Timestamp],
        last: u64,
        settled: Timestamp,
    ) -> Result<Vec<u64>, InboxError> {
        let mut seqs: Vec<Option<u64>> = {
            let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            edges.iter().map(|edge| kept.get(edge).copied()).collect()
        };
        // The middle first: where nothing happened nothing has to be looked for.
        let mut open = vec![(0, edges.len())];
        while let Some((from, to)) = open.pop() {
            if from >= to {
                continue;
            }
            let middle = from + (to - from) / 2;
            if seqs.get(middle).is_some_and(Option::is_none) {
                let low = seqs.iter().take(middle).rev().find_map(|seq| *seq).unwrap_or(0);
                let high = seqs.iter().skip(middle).find_map(|seq| *seq).unwrap_or(last);
                let Some(edge) = edges.get(middle) else { continue };
                let found = last_before(store, *edge, low, high.max(low)).await?;
                if let Some(seq) = seqs.get_mut(middle) {
                    *seq = Some(found);
                }
            }
            open.push((from, middle));
            open.push((middle + 1, to));
        }
        let seqs: Vec<u64> = seqs.into_iter().map(|seq| seq.unwrap_or(last)).collect();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = edges.iter().zip(&seqs).filter(|(edge, _)| **edge <= settled);
        kept.extend(known.map(|(edge, seq)| (*edge, *seq)));
        while kept.len() > KEPT {
            kept.pop_first();
        }
        let pairs = seqs.iter().zip(seqs.iter().skip(1));
        Ok(pairs.map(|(before, after)| after.saturating_sub(*before)).collect())
    }
}

/// Returns the number of the last event that arrived before a time; it lies within the bounds.
async fn last_before(
    store: &dyn Store,
    time: Timestamp,
    mut low: u64,
    mut high: u64,
) -> Result<u64, InboxError> {
    while low < high {
        let middle = low + (high - low) / 2;
        match reading::first_after(store, middle).await? {
            Some(event) if event.seq <= high && event.received_at < time => low = event.seq,
            _ => high = middle,
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::tests::{Log, block_on};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn events_are_counted_where_they_arrived() {
        // One event each second from 10 on, ten of them, and two at 60.
        let times = (10..20).chain([60, 60]);
        let log = Log::new(times.enumerate().map(|(n, second)| (n as u64 + 1, second)));
        let edges: Vec<_> = [0, 10, 15, 20, 60, 61, 90].map(at).into();
        let rates = Rates::default();
        let counted = block_on(rates.counts(&log, &edges, 12, at(50))).unwrap();
        assert_eq!(counted, [0, 5, 5, 0, 2, 0]);
        // What was found is not looked for again.
        let asked = log.asked();
        assert_eq!(block_on(rates.counts(&log, &edges[..4], 12, at(50))).unwrap(), [0, 5, 5]);
        assert_eq!(log.asked(), asked);
    }

    #[test]
    fn a_quiet_day_costs_little() {
        let log = Log::new((1..=1000).map(|seq| (seq, 100)));
        let edges: Vec<_> = (0..145).map(|n| at(n * 600)).collect();
        let counted = block_on(Rates::default().counts(&log, &edges, 1000, at(0))).unwrap();
        assert_eq!(counted[0], 1000);
        assert!(counted[1..].iter().all(|count| *count == 0));
        assert!(log.asked() < 150, "{}", log.asked());
    }
}
