use std::fmt;

use serde::{Deserialize, Serialize};

use super::UtcMinute;

/// The minutes a replay job asks for: `from_date` inclusive, `to_date` exclusive.
///
/// It is never empty. In JSON it is `{"from_date":"yyyymmddhhmm","to_date":"yyyymmddhhmm"}`.
///
/// # Examples
///
/// ```
/// use aaa_types::ReplayWindow;
///
/// let window = ReplayWindow::new("202511220400".parse()?, "202511220430".parse()?).unwrap();
/// assert_eq!(window.minutes(), 30);
/// assert_eq!(window.to_string(), "202511220400..202511220430");
/// assert!(ReplayWindow::new(window.to_date(), window.from_date()).is_err());
/// # Ok::<(), aaa_types::time::MinuteError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct ReplayWindow {
    from_date: UtcMinute,
    to_date: UtcMinute,
}

impl ReplayWindow {
    /// Creates a window.
    ///
    /// # Errors
    ///
    /// Fails when `from_date` is not before `to_date`, as X would.
    pub fn new(from_date: UtcMinute, to_date: UtcMinute) -> Result<Self, WindowError> {
        if from_date < to_date {
            Ok(Self { from_date, to_date })
        } else {
            Err(WindowError { from_date, to_date })
        }
    }

    /// Returns the first minute.
    pub const fn from_date(self) -> UtcMinute {
        self.from_date
    }

    /// Returns the minute after the last.
    pub const fn to_date(self) -> UtcMinute {
        self.to_date
    }

    /// Returns the length in minutes, at least 1.
    pub fn minutes(self) -> i64 {
        self.to_date.since(self.from_date)
    }

    /// Says whether `minute` lies inside.
    pub fn contains(self, minute: UtcMinute) -> bool {
        self.from_date <= minute && minute < self.to_date
    }

    /// Cuts the window into two halves; `None` when it is one minute long.
    pub fn halve(self) -> Option<(Self, Self)> {
        let middle = self.from_date.plus(self.minutes() / 2);
        let first = Self::new(self.from_date, middle).ok()?;
        let second = Self::new(middle, self.to_date).ok()?;
        Some((first, second))
    }
}

impl fmt::Display for ReplayWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.from_date, self.to_date)
    }
}

/// The shape before the check.
#[derive(Deserialize)]
struct Fields {
    from_date: UtcMinute,
    to_date: UtcMinute,
}

impl TryFrom<Fields> for ReplayWindow {
    type Error = WindowError;

    fn try_from(fields: Fields) -> Result<Self, WindowError> {
        Self::new(fields.from_date, fields.to_date)
    }
}

/// Two minutes do not make a window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("from_date {from_date} is not before to_date {to_date}")]
pub struct WindowError {
    from_date: UtcMinute,
    to_date: UtcMinute,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(from: i64, minutes: i64) -> ReplayWindow {
        let from = UtcMinute::floor(jiff::Timestamp::UNIX_EPOCH).plus(from);
        ReplayWindow::new(from, from.plus(minutes)).unwrap()
    }

    #[test]
    fn json() {
        insta::assert_snapshot!(
            serde_json::to_string(&window(29_390_000, 30)).unwrap(),
            @r#"{"from_date":"202511171720","to_date":"202511171750"}"#
        );
        let empty = r#"{"from_date":"202511171720","to_date":"202511171720"}"#;
        let error = serde_json::from_str::<ReplayWindow>(empty).unwrap_err();
        assert!(error.to_string().contains("is not before"));
    }

    proptest! {
        #[test]
        fn halves_cover_exactly(from in 0..30_000_000_i64, minutes in 1..10_000_i64) {
            let whole = window(from, minutes);
            match whole.halve() {
                None => prop_assert_eq!(minutes, 1),
                Some((first, second)) => {
                    prop_assert_eq!(first.from_date(), whole.from_date());
                    prop_assert_eq!(first.to_date(), second.from_date());
                    prop_assert_eq!(second.to_date(), whole.to_date());
                    prop_assert!((first.minutes() - second.minutes()).abs() <= 1);
                }
            }
        }
    }
}
