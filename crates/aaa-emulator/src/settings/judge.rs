//! What no emulator could keep to.

use jiff::{SignedDuration, Timestamp};

use super::Settings;

/// A setting says something that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the setting `{name}` cannot be so: {why}")]
pub struct SettingsError {
    name: &'static str,
    why: &'static str,
}

/// 2011-01-01T00:00:00Z and 2080-01-01T00:00:00Z.
const TIMES: (i64, i64) = (1_293_840_000, 3_471_292_800);

impl Settings {
    /// The earliest time of an emulator's clock. The ids of X carry their time from the end of 2010
    /// on.
    pub const EARLIEST: Timestamp = Timestamp::constant(TIMES.0, 0);

    /// The latest time that an emulator's clock can be set or moved to. Half a year later an id has
    /// one bit too many.
    pub const LATEST: Timestamp = Timestamp::constant(TIMES.1, 0);

    /// Says what cannot be kept to. A [`Builder`](crate::Builder) asks by itself.
    ///
    /// # Errors
    ///
    /// Names the first such setting.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_emulator::settings::Settings;
    ///
    /// let start = Some("9999-01-01T00:00:00Z".parse()?);
    /// let error = Settings { start, ..Settings::default() }.check().unwrap_err();
    /// assert!(error.to_string().starts_with("the setting `start` cannot be so"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check(&self) -> Result<(), SettingsError> {
        let is_time = |time: Timestamp| (Self::EARLIEST..=Self::LATEST).contains(&time);
        let is_length = |length: SignedDuration| !length.is_negative();
        for (name, is_good, why) in [
            (
                "start",
                self.start.is_none_or(is_time),
                "the clock begins between 2011 and 2080, which is what ids can hold",
            ),
            (
                "checks",
                self.checks.period >= SignedDuration::from_secs(1),
                "`period` is a second at least",
            ),
            ("checks", is_length(self.checks.after), "`after` is no time"),
            ("deadline", self.deadline.is_none_or(is_length), "that is no time"),
            ("look_back", self.look_back.is_none_or(is_length), "that is no time"),
            ("check_grace", is_length(self.check_grace), "that is no time"),
            (
                "retries",
                self.retries.iter().flatten().all(|delay| is_length(*delay)),
                "one of them is no time",
            ),
            ("concurrency", self.concurrency > 0, "nothing would ever be delivered"),
            ("replay_rate", self.replay_rate > 0, "nothing would ever be replayed"),
        ] {
            if !is_good {
                return Err(SettingsError { name, why });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::CheckSchedule;

    #[test]
    fn what_cannot_be_is_named() {
        let ago = SignedDuration::from_secs(-1);
        let at = |text: &str| Some(text.parse().unwrap());
        let good = Settings::default();
        assert_eq!(good.check(), Ok(()));
        let checks = CheckSchedule { period: SignedDuration::ZERO, ..good.checks };
        for (settings, name) in [
            (Settings { start: at("2010-12-31T23:59:59Z"), ..good.clone() }, "start"),
            (Settings { start: at("2080-01-01T00:00:01Z"), ..good.clone() }, "start"),
            (Settings { checks, ..good.clone() }, "checks"),
            (Settings { deadline: Some(ago), ..good.clone() }, "deadline"),
            (Settings { look_back: Some(ago), ..good.clone() }, "look_back"),
            (Settings { check_grace: ago, ..good.clone() }, "check_grace"),
            (Settings { retries: Some(vec![ago]), ..good.clone() }, "retries"),
            (Settings { concurrency: 0, ..good.clone() }, "concurrency"),
            (Settings { replay_rate: 0, ..good.clone() }, "replay_rate"),
        ] {
            assert_eq!(settings.check().unwrap_err().name, name);
        }
        for start in ["2011-01-01T00:00:00Z", "2080-01-01T00:00:00Z"] {
            assert_eq!(Settings { start: at(start), ..good.clone() }.check(), Ok(()));
        }
    }
}
