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
    at: Option<Instant>,
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
        self.reading().at.and_then(|at| SignedDuration::try_from(at.elapsed()).ok())
    }

    /// Takes the `Date` of an answer that has just arrived.
    #[expect(clippy::disallowed_methods, reason = "this is the edge to the clocks")]
    pub fn observe(&self, date: Timestamp) {
        let offset = offset_of(date, self.wall());
        self.set(Reading { offset, at: Some(Instant::now()) });
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
