//! What follows an outage of the whole cluster, minute by minute: X replays what was missed, oldest
//! first and only so many events a second, while new ones go on to arrive; what becomes older than
//! its look-back before that is lost. Consumers work off both.

/// X replays at most so many events a second.
pub(super) const REPLAYED: f64 = 2500.0;

/// X knows the last minutes only later.
const NOT_YET: u32 = 10;

/// An outage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    /// Events a second, before, meanwhile and afterwards.
    pub(super) rate: f64,
    /// How many minutes it takes.
    pub(super) minutes: u32,
    /// X's look-back, in minutes.
    pub(super) look_back: u32,
    /// How many events a second all consumers together work off.
    pub(super) consumed: f64,
}

/// What comes of it. Minutes count from its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Aftermath {
    /// When the last event was replayed, or lost.
    pub(super) replayed_after: u32,
    /// Which share of what was missed was too old.
    pub(super) lost: f64,
    /// The most events that wait for a consumer.
    pub(super) waiting: f64,
    /// When consumers have caught up; `None` when they do not within the look-back.
    pub(super) caught_up_after: Option<u32>,
}

/// Lets it happen.
pub(super) fn simulate(outage: &Outage) -> Aftermath {
    let a_minute = outage.rate * 60.0;
    // What of each missed minute is still to be replayed.
    let mut missed = vec![a_minute; outage.minutes as usize];
    let (mut lost, mut queue, mut most) = (0.0, 0.0_f64, 0.0_f64);
    let (mut replayed_after, mut caught_up_after) = (None, None);
    for minute in 0..=outage.look_back + outage.minutes {
        let mut budget = REPLAYED * 60.0;
        for (number, left) in (0_u32..).zip(&mut missed) {
            let age = minute + outage.minutes - number;
            if age > outage.look_back {
                lost += std::mem::take(left);
            } else if age > NOT_YET {
                let brought = left.min(budget);
                *left -= brought;
                budget -= brought;
                queue += brought;
            }
        }
        let over = missed.iter().all(|left| *left <= 0.0);
        if over && replayed_after.is_none() {
            replayed_after = Some(minute);
        }
        queue += a_minute;
        most = most.max(queue);
        queue = (queue - outage.consumed * 60.0).max(0.0);
        if over && queue <= 0.0 && caught_up_after.is_none() {
            caught_up_after = Some(minute);
        }
    }
    Aftermath {
        replayed_after: replayed_after.unwrap_or(outage.look_back),
        lost: lost / (a_minute * f64::from(outage.minutes)).max(1.0),
        waiting: most,
        caught_up_after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u32 = 24 * 60;

    fn of(rate: f64, minutes: u32, consumed: f64) -> Aftermath {
        simulate(&Outage { rate, minutes, look_back: DAY, consumed })
    }

    #[test]
    fn what_x_replays_as_fast_as_it_came_takes_as_long_as_the_outage() {
        let aftermath = of(REPLAYED, 60, 3.0 * REPLAYED);
        assert_eq!((aftermath.replayed_after, aftermath.lost), (59, 0.0));
        // Consumers have both at once, and are fast enough.
        assert!((aftermath.waiting - 2.0 * 60.0 * REPLAYED).abs() < 1.0);
        assert_eq!(aftermath.caught_up_after, Some(59));
    }

    #[test]
    fn what_is_known_only_later_is_waited_for() {
        // A minute of few events: X knows it ten minutes afterwards.
        assert_eq!(of(1.0, 1, 10.0).replayed_after, NOT_YET);
    }

    #[test]
    fn what_x_cannot_replay_within_its_look_back_is_lost() {
        // 100 times as much an hour would take 100 hours of a day.
        let aftermath = of(100.0 * REPLAYED, 60, 200.0 * REPLAYED);
        assert!((0.75..0.77).contains(&aftermath.lost), "{aftermath:?}");
        assert!((0.0..0.01).contains(&of(20.0 * REPLAYED, 60, 1e9).lost));
    }

    #[test]
    fn consumers_that_are_too_slow_never_catch_up() {
        let aftermath = of(100.0, 60, 90.0);
        assert_eq!(aftermath.caught_up_after, None);
        assert!(aftermath.waiting > 10.0 * 60.0 * f64::from(DAY));
        // Those that can do twice as much do, some time after the last was replayed.
        let aftermath = of(100.0, 60, 200.0);
        assert!(aftermath.caught_up_after.unwrap() > aftermath.replayed_after);
    }
}
