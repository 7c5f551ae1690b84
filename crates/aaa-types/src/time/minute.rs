use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Minutes from 1970 to the end of the year 9998.
const MAX: i64 = 4_222_846_079;

/// A whole minute in UTC, the granularity of a replay; written `yyyymmddhhmm`.
///
/// It lies between 1970 and the end of 9998; arithmetic stops at those ends.
///
/// # Examples
///
/// ```
/// use aaa_types::UtcMinute;
///
/// let minute: UtcMinute = "202511220413".parse()?;
/// assert_eq!(minute.start().to_string(), "2025-11-22T04:13:00Z");
/// assert_eq!(minute.plus(60).to_string(), "202511220513");
/// assert_eq!(UtcMinute::floor("2025-11-22T04:13:59.9Z".parse().unwrap()), minute);
/// # Ok::<(), aaa_types::time::MinuteError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMinute(i64);

impl UtcMinute {
    /// Returns the minute that contains `time`.
    pub fn floor(time: Timestamp) -> Self {
        Self(time.as_second().div_euclid(60).clamp(0, MAX))
    }

    /// Returns the first minute that starts at or after `time`.
    pub fn ceil(time: Timestamp) -> Self {
        let floor = Self::floor(time);
        if floor.start() < time { floor.plus(1) } else { floor }
    }

    /// Returns the instant at which the minute starts.
    pub fn start(self) -> Timestamp {
        // The range was checked at construction, so this never falls back.
        Timestamp::from_second(self.0 * 60).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Returns the minute this many minutes later, or earlier when negative.
    #[must_use]
    pub fn plus(self, minutes: i64) -> Self {
        Self(self.0.saturating_add(minutes).clamp(0, MAX))
    }

    /// Returns the number of minutes from `earlier` to `self`; negative when it is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

impl FromStr for UtcMinute {
    type Err = MinuteError;

    fn from_str(text: &str) -> Result<Self, MinuteError> {
        parse(text).ok_or_else(|| MinuteError { text: text.chars().take(40).collect() })
    }
}

impl fmt::Display for UtcMinute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = TimeZone::UTC.to_datetime(self.start());
        write!(f, "{:04}{:02}{:02}{:02}{:02}", t.year(), t.month(), t.day(), t.hour(), t.minute())
    }
}

impl fmt::Debug for UtcMinute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UtcMinute({self})")
    }
}

impl Serialize for UtcMinute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtcMinute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A text is not a minute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a minute: expected `yyyymmddhhmm` in UTC, such as 202511220413")]
pub struct MinuteError {
    text: String,
}

fn parse(text: &str) -> Option<UtcMinute> {
    if text.len() != 12 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i8>().ok();
    let time = DateTime::new(
        text.get(0..4)?.parse().ok()?,
        number(4..6)?,
        number(6..8)?,
        number(8..10)?,
        number(10..12)?,
        0,
        0,
    )
    .ok()?;
    let minutes = TimeZone::UTC.to_timestamp(time).ok()?.as_second().div_euclid(60);
    (0..=MAX).contains(&minutes).then_some(UtcMinute(minutes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edges() {
        assert_eq!(UtcMinute(0).to_string(), "197001010000");
        assert_eq!(UtcMinute(MAX).to_string(), "999812312359");
        assert_eq!(UtcMinute(0).plus(-1), UtcMinute(0));
        assert_eq!(UtcMinute(MAX).plus(i64::MAX), UtcMinute(MAX));
        for bad in [
            "",
            "20251122041",
            "2025112204133",
            "202513010000",
            "202502300000",
            "202501012400",
            "196912312359",
            "999901010000",
            "2025-1220413",
            "２０２５１１２２０４１３",
        ] {
            assert!(bad.parse::<UtcMinute>().is_err(), "{bad:?} was accepted");
        }
    }

    proptest! {
        #[test]
        fn text_round_trip(minute in 0..=MAX) {
            let minute = UtcMinute(minute);
            prop_assert_eq!(minute.to_string().parse::<UtcMinute>().unwrap(), minute);
        }

        #[test]
        fn floor_and_ceil_enclose(millis in 0..MAX * 60_000) {
            let time = Timestamp::from_millisecond(millis).unwrap();
            let (floor, ceil) = (UtcMinute::floor(time), UtcMinute::ceil(time));
            prop_assert!(floor.start() <= time && time <= ceil.start());
            prop_assert!(ceil.since(floor) <= 1);
            prop_assert_eq!(ceil == floor, floor.start() == time);
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".*") {
            if let Ok(minute) = text.parse::<UtcMinute>() {
                prop_assert_eq!(minute.to_string(), text);
            }
        }
    }
}
