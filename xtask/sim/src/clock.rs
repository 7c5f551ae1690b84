//! The clocks of a history. One true time drives them; nobody in the history can read it.

use jiff::{SignedDuration, Timestamp};

/// A time or a length in milliseconds.
pub(crate) type Millis = i64;

pub(crate) const SECOND: Millis = 1000;
pub(crate) const MINUTE: Millis = 60 * SECOND;
pub(crate) const HOUR: Millis = 60 * MINUTE;

/// The true time since the beginning, X's clock and the local wall clock.
#[derive(Debug)]
pub(crate) struct Clocks {
    /// What the clocks showed at the beginning, since 1970.
    start: Millis,
    now: Millis,
    /// How far X's clock is ahead, and since when. It only ever jumps forward.
    ahead: Vec<(Millis, Millis)>,
    /// How far the wall clock is ahead.
    wall: Millis,
}

impl Clocks {
    /// Begins with clocks that agree.
    pub(crate) fn new(start: Millis) -> Self {
        Self { start, now: 0, ahead: vec![(0, 0)], wall: 0 }
    }

    /// Returns the true time.
    pub(crate) fn now(&self) -> Millis {
        self.now
    }

    pub(crate) fn go_to(&mut self, time: Millis) {
        self.now = self.now.max(time);
    }

    /// Sets X's clock forward.
    pub(crate) fn jump(&mut self, by: Millis) {
        let ahead = self.ahead.last().map_or(0, |(_, ahead)| *ahead);
        self.ahead.push((self.now, ahead + by));
    }

    /// Sets the wall clock.
    pub(crate) fn step_wall(&mut self, by: Millis) {
        self.wall += by;
    }

    /// Returns X's time, in milliseconds since 1970.
    pub(crate) fn x_at(&self, time: Millis) -> Millis {
        let passed = self.ahead.iter().take_while(|(since, _)| *since <= time);
        self.start + time + passed.last().map_or(0, |(_, ahead)| *ahead)
    }

    /// Returns X's time now.
    pub(crate) fn x(&self) -> Timestamp {
        timestamp(self.x_at(self.now))
    }

    /// Returns the wall clock at a true time since its last step.
    pub(crate) fn wall_at(&self, time: Millis) -> Timestamp {
        timestamp(self.start + time + self.wall)
    }

    /// Returns the true time at which X's clock first showed `x` or more.
    pub(crate) fn true_of(&self, x: Millis) -> Millis {
        let ends = self.ahead.iter().skip(1).map(|(since, _)| *since).chain([Millis::MAX]);
        let mut found = Millis::MAX;
        for ((since, ahead), end) in self.ahead.iter().zip(ends) {
            let time = (x - self.start - ahead).max(*since);
            if time < end {
                found = time;
                break;
            }
        }
        found
    }

    /// Returns what an answer of X tells of its clock that arrives at a true time: the offset from
    /// the wall clock.
    pub(crate) fn offset_at(&self, time: Millis) -> SignedDuration {
        let answered = self.x_at((time - WAY).max(0)).div_euclid(SECOND) * SECOND;
        aaa_replay::driver::offset_of(timestamp(answered), self.wall_at(time))
    }
}

/// How long an answer of X is on its way.
const WAY: Millis = 40;

/// Returns a time in milliseconds since 1970.
pub(crate) fn timestamp(millis: Millis) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Returns a length.
pub(crate) fn length(millis: Millis) -> SignedDuration {
    SignedDuration::from_millis(millis)
}

/// Writes a length for people.
pub(crate) fn shown(millis: Millis) -> String {
    let (seconds, rest) = (millis / SECOND, millis % SECOND);
    format!(
        "{}d{:02}:{:02}:{:02}.{rest:03}",
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_jumps_and_what_was_jumped_over_is_found() {
        let mut clocks = Clocks::new(1_000_000);
        clocks.go_to(10);
        clocks.jump(500);
        assert_eq!(
            (clocks.x_at(9), clocks.x_at(10), clocks.x_at(11)),
            (1_000_009, 1_000_510, 1_000_511)
        );
        assert_eq!(clocks.true_of(1_000_009), 9);
        // Never shown: the jump is when it was past.
        assert_eq!(clocks.true_of(1_000_300), 10);
        assert_eq!(clocks.true_of(1_000_511), 11);
    }

    #[test]
    fn an_answer_tells_whole_seconds() {
        let clocks = Clocks::new(0);
        assert_eq!(clocks.offset_at(5030), length(-1030));
        assert_eq!(clocks.offset_at(5040), length(-40));
    }
}
