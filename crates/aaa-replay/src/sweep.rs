//! Looking at covered time once more.
//!
//! What is dropped between X and a healthy receiver leaves no trace: heartbeats go on, and nothing
//! is refused. Only a replay shows it. [`due`] says when the next stretch of covered time is old
//! enough to be replayed as a whole.

use aaa_types::UtcMinute;
use jiff::{SignedDuration, Timestamp};

use crate::{
    coverage::{Cause, Gap},
    ledger::{Declaration, Declared},
    plan::Limits,
};

/// Returns the next stretch to sweep, once it is `every` long and as old as X wants it.
///
/// It goes on where the last one ended, as far as X still has it. The first one begins where
/// coverage `began`.
///
/// # Examples
///
/// ```
/// use aaa_replay::{plan::Limits, sweep};
/// use jiff::SignedDuration;
///
/// let hour = SignedDuration::from_hours(1);
/// let began = "2025-11-22T04:00:00Z".parse::<jiff::Timestamp>()?;
/// let limits = Limits::v2();
/// assert_eq!(sweep::due(hour, &[], began, &limits, began + hour), None);
/// let now = began + hour + SignedDuration::from_mins(11);
/// let sweep = sweep::due(hour, &[], began, &limits, now).unwrap();
/// assert_eq!((sweep.gap.from, sweep.gap.to), (began, began + hour));
/// # Ok::<(), jiff::Error>(())
/// ```
pub fn due(
    every: SignedDuration,
    declared: &[Declared],
    began: Timestamp,
    limits: &Limits,
    now: Timestamp,
) -> Option<Declaration> {
    let sweeps = declared.iter().map(|declared| declared.declaration).filter(Declaration::is_sweep);
    let end = UtcMinute::floor(now).plus(-(limits.to_age + limits.overlap)).start();
    let from = sweeps.map(|sweep| sweep.gap.to).max().unwrap_or(began);
    // After a long pause the beginning may be gone.
    let from = from.max(now.saturating_sub(limits.look_back).unwrap_or(Timestamp::MIN));
    let long_enough = end.duration_since(from) >= every.max(SignedDuration::from_mins(1));
    let gap = || Gap::new(from, end, Cause::Sweep);
    long_enough.then(|| Declaration { gap: gap(), webhook: None, at: now })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_763_784_000 + minute * 60).unwrap()
    }

    fn hour() -> SignedDuration {
        SignedDuration::from_hours(1)
    }

    fn minutes(declaration: Option<Declaration>) -> Option<(i64, i64)> {
        let gap = declaration?.gap;
        let minute = |time: Timestamp| time.duration_since(at(0)).as_mins();
        Some((minute(gap.from), minute(gap.to)))
    }

    #[test]
    fn each_goes_on_where_the_last_one_ended() {
        let limits = Limits::v2();
        let mut declared = Vec::new();
        let mut swept = Vec::new();
        for minute in 0..300 {
            if let Some(declaration) = due(hour(), &declared, at(0), &limits, at(minute)) {
                declared.push(Declared { number: minute.unsigned_abs(), after: 0, declaration });
                swept.extend(minutes(Some(declaration)));
            }
        }
        assert_eq!(swept, [(0, 60), (60, 120), (120, 180), (180, 240)]);
        // Somebody else's gap is none.
        let gap = Gap::new(at(0), at(1000), Cause::Requested);
        let other =
            Declared { declaration: Declaration { gap, ..declared[0].declaration }, ..declared[0] };
        let next = due(hour(), &[other], at(0), &limits, at(71));
        assert_eq!(minutes(next), Some((0, 60)));
    }

    #[test]
    fn after_a_pause_what_is_left_is_swept() {
        let limits = Limits::v2();
        let gap = Gap::new(at(0), at(60), Cause::Sweep);
        let declaration = Declaration { gap, webhook: None, at: at(60) };
        let last = [Declared { number: 1, after: 0, declaration }];
        let now = 40 * 60;
        let next = due(hour(), &last, at(0), &limits, at(now));
        assert_eq!(minutes(next), Some((now - 24 * 60, now - 11)));
    }
}
