//! The one place of this crate where clocks are read.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use jiff::{SignedDuration, Timestamp};

use crate::engine::Moment;

/// X's clock as far as it is known: the local wall clock and the offset of the last answer.
///
/// Clones share the offset.
#[derive(Debug, Clone)]
pub struct XClock {
    started: Instant,
    offset: Arc<Mutex<Reading>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    offset: SignedDuration,
    /// When X's clock was read, on the steady clock and on the wall clock.
    at: Option<(Instant, Timestamp)>,
}

impl XClock {
    /// Starts the steady clock of a run; X's clock counts as equal to the local one until the
    /// first reading.
    #[expect(clippy::disallowed_methods, reason = "this is the edge to the clocks")]
    #[expect(clippy::new_without_default, reason = "a default should not read a clock")]
    pub fn new() -> Self {
        Self { started: Instant::now(), offset: Arc::default() }
    }

    /// Returns the local wall clock.
    #[expect(clippy::disallowed_methods, reason = "this is the edge to the clocks")]
    pub fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Returns the time since the clock was made, by a clock that never steps.
    pub fn uptime(&self) -> SignedDuration {
        SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::MAX)
    }

    /// Returns X's clock minus the local wall clock.
    pub fn offset(&self) -> SignedDuration {
        self.reading().offset
    }

    /// Returns X's time.
    pub fn now(&self) -> Timestamp {
        let wall = self.wall();
        wall.saturating_add(self.offset()).unwrap_or(wall)
    }

    /// Returns the moment on both clocks.
    pub fn moment(&self) -> Moment {
        Moment { x: self.now(), uptime: self.uptime() }
    }

    /// Returns how long ago X's clock was read; `None` when it never was.
    pub fn age(&self) -> Option<SignedDuration> {
        self.reading().at.and_then(|(at, _)| SignedDuration::try_from(at.elapsed()).ok())
    }

    /// Says whether the wall clock was set, or the machine slept, since X's clock was read: then
    /// the offset may be wrong by as much.
    pub fn is_shaken(&self) -> bool {
        let Some((at, wall)) = self.reading().at else { return false };
        let steady = SignedDuration::try_from(at.elapsed()).unwrap_or(SignedDuration::MAX);
        is_shaken(steady, self.wall().duration_since(wall))
    }

    /// Takes the `Date` of an answer that has just arrived.
    #[expect(clippy::disallowed_methods, reason = "this is the edge to the clocks")]
    pub fn observe(&self, date: Timestamp) {
        let wall = self.wall();
        let offset = offset_of(date, wall);
        self.set(Reading { offset, at: Some((Instant::now(), wall)) });
    }

    /// Assumes an offset, such as the one that an earlier run knew, until X's clock is read.
    pub fn assume(&self, offset: SignedDuration) {
        self.set(Reading { offset, at: None });
    }

    fn reading(&self) -> Reading {
        *self.offset.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, reading: Reading) {
        *self.offset.lock().unwrap_or_else(PoisonError::into_inner) = reading;
    }
}

/// By how much two clocks may disagree about how long ago something was.
const STEADY: SignedDuration = SignedDuration::from_secs(2);

/// Says whether a wall clock was set since something, from how long ago that was by a steady clock
/// and by the wall clock.
///
/// # Examples
///
/// ```
/// use aaa_replay::driver::is_shaken;
/// use jiff::SignedDuration;
///
/// let minute = SignedDuration::from_mins(1);
/// assert!(!is_shaken(minute, minute));
/// assert!(is_shaken(minute, minute * 4) && is_shaken(minute, -minute));
/// ```
pub fn is_shaken(steady: SignedDuration, wall: SignedDuration) -> bool {
    steady.saturating_sub(wall).abs() > STEADY
}

/// Returns X's clock minus the local one, from the `Date` of an answer and the local time of its
/// arrival.
///
/// A `Date` is cut to the second and is as old as the way back was long, so X's clock is never
/// behind what this gives: a time that has come by it has come at X too.
///
/// # Examples
///
/// ```
/// use aaa_replay::driver::offset_of;
///
/// let offset = offset_of("2025-11-22T05:00:00Z".parse()?, "2025-11-22T04:00:00.25Z".parse()?);
/// assert_eq!(offset.as_millis(), 3_599_750);
/// # Ok::<(), jiff::Error>(())
/// ```
pub fn offset_of(date: Timestamp, arrived: Timestamp) -> SignedDuration {
    date.duration_since(arrived)
}
