//! What consumers keep, and where.

use std::{fmt, future::Future, ops::RangeInclusive, str::FromStr};

use jiff::Timestamp;
use serde::Serialize;

use super::Progress;

/// The name of a consumer: 1 to 64 of `a-z`, `0-9`, `-`, `_`, `.`. What it has finished is kept
/// under it, so a consumer keeps its name for as long as it does the same work.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ConsumerName(String);

impl ConsumerName {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConsumerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ConsumerName {
    type Err = ConsumerNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ConsumerNameError(()))
        }
    }
}

/// A text that cannot be the name of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a consumer's name is 1 to 64 of `a-z`, `0-9`, `-`, `_`, `.`")]
pub struct ConsumerNameError(());

/// Keeps the cursors of consumers.
pub trait Cursors: Send + Sync + 'static {
    /// Takes a cursor over, and makes it at `start` where there is none. Whoever held it before
    /// can save nothing any more. From then on [`Cursor::deaths`] is one more, until a save says
    /// otherwise; what is returned is as it was before.
    fn open(
        &self,
        consumer: &ConsumerName,
        start: u64,
    ) -> impl Future<Output = Result<Cursor, CursorError>> + Send;

    /// Makes durable what changed, all of it or nothing. Saving the same again does no harm.
    fn save(
        &self,
        consumer: &ConsumerName,
        changes: &Changes,
    ) -> impl Future<Output = Result<(), CursorError>> + Send;

    /// Returns the cursors of all consumers by their names.
    fn cursors(
        &self,
    ) -> impl Future<Output = Result<Vec<(ConsumerName, Cursor)>, CursorError>> + Send;
}

/// Keeps what could not be handled.
pub trait DeadLetters: Send + Sync + 'static {
    /// Returns the next dead letters of a consumer, in the order of the events.
    fn dead_letters(
        &self,
        query: DeadLetterQuery,
    ) -> impl Future<Output = Result<Vec<DeadLetter>, CursorError>> + Send;

    /// Asks for dead letters to be handled once more; returns how many there are in the range.
    /// The consumer finds them when it looks the next time.
    fn redrive(
        &self,
        consumer: &ConsumerName,
        seqs: RangeInclusive<u64>,
    ) -> impl Future<Output = Result<u64, CursorError>> + Send;
}

impl<T: Cursors> Cursors for std::sync::Arc<T> {
    fn open(
        &self,
        consumer: &ConsumerName,
        start: u64,
    ) -> impl Future<Output = Result<Cursor, CursorError>> + Send {
        T::open(self, consumer, start)
    }

    fn save(
        &self,
        consumer: &ConsumerName,
        changes: &Changes,
    ) -> impl Future<Output = Result<(), CursorError>> + Send {
        T::save(self, consumer, changes)
    }

    fn cursors(
        &self,
    ) -> impl Future<Output = Result<Vec<(ConsumerName, Cursor)>, CursorError>> + Send {
        T::cursors(self)
    }
}

impl<T: DeadLetters> DeadLetters for std::sync::Arc<T> {
    fn dead_letters(
        &self,
        query: DeadLetterQuery,
    ) -> impl Future<Output = Result<Vec<DeadLetter>, CursorError>> + Send {
        T::dead_letters(self, query)
    }

    fn redrive(
        &self,
        consumer: &ConsumerName,
        seqs: RangeInclusive<u64>,
    ) -> impl Future<Output = Result<u64, CursorError>> + Send {
        T::redrive(self, consumer, seqs)
    }
}

/// What is kept of a consumer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// A number that rises whenever it is opened. Only whoever opened it last can save.
    pub generation: u64,
    /// What is finished.
    pub progress: Progress,
    /// What was counted over all runs.
    pub totals: Totals,
    /// How many runs ended without saying so since the cursor last moved.
    pub deaths: u32,
    /// What the last of them was trying alone.
    pub trial: Option<Trial>,
}

/// Something that is handled while nothing else is, since the process keeps dying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// Its first event.
    pub seq: u64,
    /// How often the process died of it, if it does so now.
    pub deaths: u32,
}

/// What a consumer did with events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Handled.
    pub handled: u64,
    /// Not handled because they were stale.
    pub stale: u64,
    /// Become dead letters.
    pub dead: u64,
}

/// What changed since a cursor was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The generation that the saver opened.
    pub generation: u64,
    /// What is finished.
    pub progress: Progress,
    /// What was counted over all runs.
    pub totals: Totals,
    /// What [`Cursor::deaths`] is if this is the last that is heard of the run.
    pub deaths: u32,
    /// What begins to be tried alone when this is durable; nothing any more, if none.
    pub trial: Option<Trial>,
    /// Dead letters to be added or replaced.
    pub dead: Vec<DeadLetter>,
    /// Dead letters to be removed, since they were handled after all.
    pub settled: Vec<u64>,
}

/// An event that could not be handled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// The event.
    pub seq: u64,
    /// Its key, as long as the event is stored. It is not saved with the letter.
    pub key: Option<String>,
    /// What the last attempt said.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When the first attempt failed.
    pub first_failed_at: Timestamp,
    /// When the last attempt failed.
    pub last_failed_at: Timestamp,
    /// Whether somebody has asked for it to be handled once more.
    pub redrive: bool,
}

/// Which dead letters to return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterQuery {
    /// Whose.
    pub consumer: ConsumerName,
    /// Only those with a greater sequence number.
    pub after: u64,
    /// At most so many.
    pub limit: usize,
    /// Which of them.
    pub which: WhichLetters,
}

/// Which dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhichLetters {
    /// All.
    All,
    /// Those to be handled once more.
    Redriven,
}

/// The cursor of a consumer cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// Somebody else has opened the cursor of the same name.
    #[error(
        "another consumer of the same name has taken the cursor over: run one of each name only"
    )]
    Taken,
    /// The store cannot read or write; the text says why and what to do.
    #[error("the cursor cannot be kept: {0}")]
    Unavailable(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "forward", "crm-2.sync_x", &"x".repeat(64)] {
            let name: ConsumerName = good.parse().unwrap();
            assert_eq!((name.as_str(), name.to_string().as_str()), (good, good));
        }
        for bad in ["", "A", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert!(bad.parse::<ConsumerName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn json_of_a_dead_letter() {
        let at: Timestamp = "2025-11-22T04:13:00.25Z".parse().unwrap();
        let letter = DeadLetter {
            seq: 12,
            key: Some("7/favorite_events:a".to_owned()),
            reason: "no".to_owned(),
            attempts: 5,
            first_failed_at: at,
            last_failed_at: at,
            redrive: false,
        };
        insta::assert_snapshot!(serde_json::to_string(&letter).unwrap(), @r#"{"seq":12,"key":"7/favorite_events:a","reason":"no","attempts":5,"first_failed_at":"2025-11-22T04:13:00.25Z","last_failed_at":"2025-11-22T04:13:00.25Z","redrive":false}"#);
    }
}
