//! The world's own randomness: seeded, so that a run can be repeated.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;

/// The millisecond that X's snowflake ids count from.
const SNOWFLAKE_EPOCH_MS: i64 = 1_288_834_974_657;

/// The bits of a snowflake below its time.
const LOW_BITS: u32 = 22;

/// A small generator (`SplitMix64`). Nothing here protects anything.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Where a generator goes on that is made with it.
    pub(crate) fn state(&self) -> u64 {
        self.0
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 32 hex digits, the form of a favorite's id.
    pub(crate) fn hex(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }

    /// Letters and digits, the form of tokens and verifiers.
    pub(crate) fn text(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 62] =
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let index = |random: u64| usize::try_from(random % 62).unwrap_or_default();
        let char = |random| ALPHABET.get(index(random)).copied().map_or('0', char::from);
        (0..length).map(|_| char(self.next())).collect()
    }

    /// Seven digits, the form of a PIN.
    pub(crate) fn digits(&mut self) -> String {
        format!("{:07}", self.next() % 10_000_000)
    }

    /// The base64 of a UUID: 48 letters and digits, the form of a challenge's token.
    pub(crate) fn token(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        let uuid = format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xfff,
            b >> 48 & 0x3fff | 0x8000,
            b & 0xffff_ffff_ffff,
        );
        STANDARD.encode(uuid)
    }
}

/// How many times of what has no id are remembered before those that are past are forgotten.
const TIMES: usize = 4096;

/// Hands out snowflake ids: unique, rising, and each carries the time it was made.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    last: u64,
    /// The last millisecond of each sort of events that only their time tells apart.
    times: HashMap<String, i64>,
    /// When they are looked through next.
    full: usize,
    /// The last one that was ever given, where it is not known to which sort.
    floor: i64,
}

impl Ids {
    pub(crate) fn new() -> Self {
        Self::resumed(0, 0)
    }

    pub(crate) fn resumed(last: u64, last_millis: i64) -> Self {
        Self { last, times: HashMap::new(), full: TIMES, floor: last_millis }
    }

    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    pub(crate) fn last_millis(&self) -> i64 {
        self.times.values().copied().fold(self.floor, i64::max)
    }

    pub(crate) fn next(&mut self, random: &mut Random, now: Timestamp) -> u64 {
        let millis = (now.as_millisecond() - SNOWFLAKE_EPOCH_MS).max(1);
        let time = u64::try_from(millis).unwrap_or(1) << LOW_BITS;
        // Low bits everywhere, so that a number that went through a double is seen to be wrong.
        let low = random.next() & ((1 << LOW_BITS) - 1);
        self.last = (time | low).max(self.last.saturating_add(1 + (low & 0x3f)));
        self.last
    }

    /// A millisecond at or after `now` that no other event of its sort has: what has no id is told
    /// apart by who does what to whom, and by its time.
    pub(crate) fn next_millis(&mut self, sort: String, now: Timestamp) -> i64 {
        let now = now.as_millisecond();
        if self.times.len() >= self.full {
            let floor = &mut self.floor;
            self.times.retain(|_, last| {
                let is_past = *last < now;
                *floor = if is_past { (*floor).max(*last) } else { *floor };
                !is_past
            });
            self.full = TIMES.max(2 * self.times.len());
        }
        let last = self.times.entry(sort).or_insert(self.floor);
        *last = now.max(last.saturating_add(1));
        *last
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use aaa_types::time::snowflake_time;

    use super::*;

    #[test]
    fn ids_are_unique_and_carry_their_time() {
        let now: Timestamp = "2025-11-22T04:13:20.123Z".parse().unwrap();
        let (mut ids, mut random) = (Ids::new(), Random::new(7));
        let made: Vec<_> = (0..5000).map(|_| ids.next(&mut random, now)).collect();
        assert!(made.is_sorted());
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len());
        assert_eq!(snowflake_time(made[0]), Some(now));
        let drift = snowflake_time(made[4999]).unwrap().duration_since(now);
        assert!(drift.as_millis() <= 1, "{drift}");
    }

    #[test]
    fn milliseconds_are_unique_for_each_sort() {
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        let mut ids = Ids::new();
        assert_eq!([0; 3].map(|_| ids.next_millis("a".into(), at(5000))), [5000, 5001, 5002]);
        assert_eq!(ids.next_millis("b".into(), at(5000)), 5000);
        assert_eq!(ids.last_millis(), 5002);
        // What was saved is not known sort by sort.
        let mut resumed = Ids::resumed(ids.last(), ids.last_millis());
        assert_eq!(resumed.next_millis("b".into(), at(5000)), 5003);
        // What is past is forgotten, and what is not never.
        for n in 0..3 * TIMES {
            assert_eq!(ids.next_millis(n.to_string(), at(6000)), 6000);
            assert_eq!(ids.next_millis(n.to_string(), at(6000)), 6001);
        }
        assert!(ids.times.len() == 3 * TIMES, "{}", ids.times.len());
        for n in 0..3 * TIMES {
            assert_eq!(ids.next_millis(n.to_string(), at(6000)), 6002);
        }
        for n in 0..20 * TIMES {
            ids.next_millis(format!("later {n}"), at(7000 + i64::try_from(n).unwrap()));
        }
        assert!(ids.times.len() <= 6 * TIMES, "{}", ids.times.len());
        assert_eq!(ids.next_millis("a".into(), at(5000)), ids.floor + 1);
    }

    #[test]
    fn tokens_have_the_observed_form() {
        let token = Random::new(0).token();
        assert_eq!(token.len(), 48);
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_ne!(token, Random::new(1).token());
    }
}
