//! Whether X takes a window as it is.

use aaa_types::{ReplayWindow, UtcMinute};
use jiff::{SignedDuration, Timestamp};

use super::Limits;

/// X would not take this window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotTaken {
    /// It reaches into the future.
    #[error("{0} is in the future; X's clock says {1:.0}")]
    Future(Timestamp, Timestamp),
    /// It begins before what X still has.
    #[error(
        "it begins at {from}, and X replays only what is younger than {hours} hours: the first \
         minute that can be had now is {first}"
    )]
    TooOld {
        /// Its beginning.
        from: UtcMinute,
        /// The look-back.
        hours: i64,
        /// The first minute that can be asked for.
        first: UtcMinute,
    },
    /// It begins too lately.
    #[error(
        "it begins at {from}, which has to be at least {age} minutes ago: begin at {last} or \
         earlier, or wait until {at}"
    )]
    BeginsLate {
        /// Its beginning.
        from: UtcMinute,
        /// How long ago it has to be, in minutes.
        age: i64,
        /// The last minute that would be taken now.
        last: UtcMinute,
        /// When it is taken.
        at: Timestamp,
    },
    /// It ends too lately.
    #[error(
        "it ends at {to}, which has to be at least {age} minutes ago: end at {last} or earlier, or \
         wait until {at}"
    )]
    EndsLate {
        /// Its end.
        to: UtcMinute,
        /// How long ago it has to be, in minutes.
        age: i64,
        /// The last minute that would be taken now.
        last: UtcMinute,
        /// When it is taken.
        at: Timestamp,
    },
}

impl Limits {
    /// Says whether X takes a window, asked for at `now` on its clock, and why not.
    ///
    /// # Errors
    ///
    /// Fails with the rule that the window breaks.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_replay::plan::Limits;
    /// use aaa_types::ReplayWindow;
    ///
    /// let window = ReplayWindow::new("202511220413".parse()?, "202511220420".parse()?)?;
    /// let limits = Limits::v2();
    /// assert!(limits.check(window, "2025-11-22T04:44:00Z".parse()?).is_ok());
    /// let early = limits.check(window, "2025-11-22T04:43:59Z".parse()?).unwrap_err();
    /// assert!(early.to_string().contains("begin at 202511220412 or earlier"), "{early}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check(&self, window: ReplayWindow, now: Timestamp) -> Result<(), NotTaken> {
        let (from, to) = (window.from_date(), window.to_date());
        let minute = UtcMinute::floor(now);
        if let Some(future) = [from, to].map(UtcMinute::start).into_iter().find(|time| *time > now)
        {
            return Err(NotTaken::Future(future, now));
        }
        let oldest = now.saturating_sub(self.look_back).unwrap_or(Timestamp::MIN);
        if from.start() < oldest {
            let hours = self.look_back.as_hours();
            return Err(NotTaken::TooOld { from, hours, first: UtcMinute::ceil(oldest) });
        }
        let (last, at) = (minute.plus(-self.from_age), from.plus(self.from_age).start());
        if from > last {
            return Err(NotTaken::BeginsLate { from, age: self.from_age, last, at });
        }
        let (last, at) = (minute.plus(-self.to_age), to.plus(self.to_age).start());
        if to > last {
            return Err(NotTaken::EndsLate { to, age: self.to_age, last, at });
        }
        Ok(())
    }

    /// Says whether a window is longer than what X advises for one job, about two hours.
    pub fn is_long(&self, window: ReplayWindow) -> bool {
        SignedDuration::from_mins(window.minutes()) > SignedDuration::from_mins(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_every_edge() {
        let now: Timestamp = "2025-11-22T05:00:30Z".parse().unwrap();
        let mut said = Vec::new();
        for (from, to) in [
            ("202511220429", "202511220450"),
            ("202511220430", "202511220450"),
            ("202511220429", "202511220451"),
            ("202511210501", "202511220450"),
            ("202511210500", "202511220450"),
            ("202511220429", "202511220501"),
            ("202511220501", "202511220502"),
        ] {
            let window = ReplayWindow::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
            let checked = Limits::v2().check(window, now);
            said.push(checked.map_or_else(|error| error.to_string(), |()| "taken".to_owned()));
        }
        insta::assert_snapshot!(said.join("\n"), @"
        taken
        it begins at 202511220430, which has to be at least 31 minutes ago: begin at 202511220429 or earlier, or wait until 2025-11-22T05:01:00Z
        it ends at 202511220451, which has to be at least 10 minutes ago: end at 202511220450 or earlier, or wait until 2025-11-22T05:01:00Z
        taken
        it begins at 202511210500, and X replays only what is younger than 24 hours: the first minute that can be had now is 202511210501
        2025-11-22T05:01:00Z is in the future; X's clock says 2025-11-22T05:00:30Z
        2025-11-22T05:01:00Z is in the future; X's clock says 2025-11-22T05:00:30Z
        ");
        let five_days =
            ReplayWindow::new("202511210500".parse().unwrap(), "202511220450".parse().unwrap());
        let five_days = five_days.unwrap();
        assert!(Limits::v1_1().check(five_days, now).is_ok());
        assert!(Limits::v2().is_long(five_days));
    }

    /// At the beginning of a minute each rule just lets pass what it names.
    #[test]
    fn the_edges_themselves() {
        let now: Timestamp = "2025-11-22T05:00:00Z".parse().unwrap();
        let check = |from: &str, to: &str| {
            let window = ReplayWindow::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
            Limits::v2().check(window, now)
        };
        assert_eq!(check("202511210500", "202511220450"), Ok(()));
        assert!(matches!(
            check("202511210459", "202511220450"),
            Err(NotTaken::TooOld { hours: 24, .. })
        ));
        assert_eq!(check("202511220429", "202511220450"), Ok(()));
        // What ends now is young, and not in the future.
        assert!(matches!(
            check("202511220429", "202511220500"),
            Err(NotTaken::EndsLate { age: 10, .. })
        ));
        let future = NotTaken::Future("2025-11-22T05:01:00Z".parse().unwrap(), now);
        assert_eq!(check("202511220429", "202511220501"), Err(future));
    }

    #[test]
    fn two_hours_are_not_long() {
        let from: UtcMinute = "202511220000".parse().unwrap();
        let is_long =
            |minutes| Limits::v2().is_long(ReplayWindow::new(from, from.plus(minutes)).unwrap());
        assert_eq!([120, 121].map(is_long), [false, true]);
    }
}
