//! Does something with stored events: each at least once, in order for each user, many users at a
//! time.
//!
//! A consumer has a name, and under it a durable cursor. It hands events to a [`Handler`], or
//! whole deliveries to a [`Sink`], and saves how far it is. After a crash only what was in flight
//! comes again, with the same [key](crate::inbox::StoredEvent::key). What fails is tried again
//! with growing pauses, then it becomes a dead letter and the others go on; a dead letter can be
//! handled once more ([`DeadLetters::redrive`]). Stale events are never handled, only counted.
//!
//! An event whose handler ends the whole process, so that no failure is ever noted, becomes a dead
//! letter too: when the process died twice and the cursor did not move, whatever may have been in
//! flight is handled alone, one after another, and noted before; what it dies of twice then is
//! given up.
//!
//! [`Agenda`] decides, and does nothing else. With the feature `consumer`, `Consumer` drives it on
//! tokio.
//!
//! While an event waits for its next attempt, later events of the same user wait behind it, and
//! those of other users do not. An event that was handled once more comes after later ones.

mod agenda;
#[cfg(feature = "consumer")]
mod driver;
mod progress;
mod retry;
mod storage;
mod work;

#[cfg(feature = "consumer")]
pub use self::driver::{Consumer, ConsumerError, EachDelivery, EachEvent, Settings, Work};
pub use self::{
    agenda::{Agenda, Item, Lane, Limits, Now, Start, Verdict},
    progress::{Progress, ProgressError},
    retry::RetryPolicy,
    storage::{
        Changes, ConsumerName, ConsumerNameError, Cursor, CursorError, Cursors, DeadLetter,
        DeadLetterQuery, DeadLetters, Totals, Trial, WhichLetters,
    },
    work::{Failed, Handler, Sink, StoredDelivery},
};

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use crate::inbox::{Origin, StoredEvent};

    /// An event of a delivery, by their numbers.
    pub(super) fn event(seq: u64, delivery: u64) -> StoredEvent {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        StoredEvent {
            seq,
            kind: "favorite_events".to_owned(),
            for_user_id: None,
            key: format!("key {seq}"),
            app: format!("app{delivery}"),
            received_at: "2025-11-22T04:13:00Z".parse().unwrap(),
            stale: false,
            payload: raw(r#"{"id":"a"}"#),
            context: raw("{}"),
            body: format!("body {delivery}").into(),
            origin: Origin { delivery, signature: format!("sha256={delivery}") },
        }
    }
}
