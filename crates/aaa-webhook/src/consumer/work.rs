//! What is done with events, by whom.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::inbox::StoredEvent;

/// Handles events, one at a time for each user, in the order of their arrival.
///
/// An event comes again, with the same [`key`](StoredEvent::key), when the process died between
/// the work and its note, or when an attempt failed. Whoever must not do it twice keeps the key
/// with the work. Whatever blocks the thread belongs into a blocking task, or it cannot be ended
/// when its time is over.
///
/// A closure is a handler:
///
/// ```
/// use aaa_webhook::{consumer::{Failed, Handler}, inbox::StoredEvent};
///
/// fn handler() -> impl Handler {
///     async |event: StoredEvent| -> Result<(), Failed> {
///         let payload: serde_json::Value = serde_json::from_str(event.payload.get())?;
///         println!("{}: {payload}", event.key);
///         Ok(())
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// Handles an event. `Ok` means that it need not come again.
    fn handle(&self, event: StoredEvent) -> impl Future<Output = Result<(), Failed>> + Send;
}

impl<F, Work, E> Handler for F
where
    F: Fn(StoredEvent) -> Work + Send + Sync + 'static,
    Work: Future<Output = Result<(), E>> + Send,
    E: Into<Failed>,
{
    async fn handle(&self, event: StoredEvent) -> Result<(), Failed> {
        self(event).await.map_err(Into::into)
    }
}

/// Takes whole deliveries somewhere else, one at a time for each user, in the order of their
/// arrival, and at least once.
pub trait Sink: Send + Sync + 'static {
    /// Sends a delivery. `Ok` means that it need not be sent again.
    fn send(&self, delivery: StoredDelivery) -> impl Future<Output = Result<(), Failed>> + Send;
}

impl<T: Sink> Sink for Arc<T> {
    fn send(&self, delivery: StoredDelivery) -> impl Future<Output = Result<(), Failed>> + Send {
        T::send(self, delivery)
    }
}

/// A delivery as it was stored, with those of its events that it brought first and that are not
/// stale.
///
/// Its body may hold more: events that another delivery had brought before, and stale ones. A
/// delivery of thousands of events may come in parts, each with the whole body and some of them.
#[derive(Debug, Clone)]
pub struct StoredDelivery {
    first: StoredEvent,
    others: Vec<StoredEvent>,
}

impl StoredDelivery {
    /// Splits events, which are in the order of their arrival, into deliveries.
    pub fn split(events: impl IntoIterator<Item = StoredEvent>) -> Vec<Self> {
        let mut deliveries: Vec<Self> = Vec::new();
        for event in events {
            match deliveries.last_mut() {
                Some(last) if last.first.origin.delivery == event.origin.delivery => {
                    last.others.push(event);
                }
                _ => deliveries.push(Self { first: event, others: Vec::new() }),
            }
        }
        deliveries
    }

    /// Returns the raw body, byte for byte as it came.
    pub fn body(&self) -> &Bytes {
        &self.first.body
    }

    /// Returns the signature header as it came; empty where the body was changed since.
    pub fn signature(&self) -> &str {
        &self.first.origin.signature
    }

    /// Returns the app whose secret verified it.
    pub fn app(&self) -> &str {
        &self.first.app
    }

    /// Returns its first event.
    pub fn first(&self) -> &StoredEvent {
        &self.first
    }

    /// Returns its last event.
    pub fn last(&self) -> &StoredEvent {
        self.others.last().unwrap_or(&self.first)
    }

    /// Returns its events as they are.
    pub fn into_events(self) -> Vec<StoredEvent> {
        let mut events = self.others;
        events.insert(0, self.first);
        events
    }

    /// Returns its events, at least one.
    pub fn events(&self) -> impl ExactSizeIterator<Item = &StoredEvent> {
        let all = self.others.len() + 1;
        (0..all).map(|n| n.checked_sub(1).and_then(|n| self.others.get(n)).unwrap_or(&self.first))
    }
}

/// An attempt failed.
///
/// Any error becomes one that is tried again a bounded number of times, so `?` works in handlers.
/// To that end this is no [`std::error::Error`] itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    reason: String,
    retry: Retry,
    after: Option<Duration>,
}

/// Whether something that failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    Bounded,
    ForEver,
    Never,
}

/// How many characters of a reason are kept.
const REASON: usize = 500;

impl Failed {
    /// Says that it may succeed at another time; after some attempts it becomes a dead letter.
    pub fn again(reason: impl fmt::Display) -> Self {
        Self::new(reason, Retry::Bounded)
    }

    /// Says that somebody else who is needed is not there, whatever the event is; it is tried for
    /// ever, and later events of the same user wait.
    pub fn unavailable(reason: impl fmt::Display) -> Self {
        Self::new(reason, Retry::ForEver)
    }

    /// Says that it will never succeed; it becomes a dead letter at once.
    pub fn poison(reason: impl fmt::Display) -> Self {
        Self::new(reason, Retry::Never)
    }

    /// Asks for the next attempt not to come earlier than this, at most an hour.
    #[must_use]
    pub fn not_before(mut self, after: Duration) -> Self {
        self.after = Some(after.min(Duration::from_secs(60 * 60)));
        self
    }

    /// Returns what happened, in at most 500 characters.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Says whether it is tried for ever.
    pub fn is_unavailable(&self) -> bool {
        self.retry == Retry::ForEver
    }

    /// Says whether it is tried no more.
    pub fn is_poison(&self) -> bool {
        self.retry == Retry::Never
    }

    pub(super) fn retry(&self) -> Retry {
        self.retry
    }

    pub(super) fn after(&self) -> Option<Duration> {
        self.after
    }

    fn new(reason: impl fmt::Display, retry: Retry) -> Self {
        let reason = reason.to_string().chars().take(REASON).collect();
        Self { reason, retry, after: None }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::again(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::tests::event;

    #[test]
    fn events_are_split_into_deliveries() {
        let events = [event(1, 1), event(2, 2), event(3, 2), event(5, 2), event(6, 3)];
        let deliveries = StoredDelivery::split(events);
        let told: Vec<_> = deliveries
            .iter()
            .map(|d| {
                let seqs: Vec<_> = d.events().map(|event| event.seq).collect();
                let ends = (d.first().seq, d.last().seq);
                (seqs, ends, d.body().clone(), d.signature(), d.app())
            })
            .collect();
        let body = |n| Bytes::from(format!("body {n}"));
        assert_eq!(
            told,
            [
                (vec![1], (1, 1), body(1), "sha256=1", "app1"),
                (vec![2, 3, 5], (2, 5), body(2), "sha256=2", "app2"),
                (vec![6], (6, 6), body(3), "sha256=3", "app3"),
            ]
        );
        let events = deliveries.into_iter().flat_map(StoredDelivery::into_events);
        assert_eq!(events.map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 5, 6]);
    }

    #[test]
    fn what_a_failure_asks_for() {
        let ways = [Failed::again("no"), Failed::unavailable("no"), Failed::poison("no")];
        let told = ways.map(|failed| (failed.is_unavailable(), failed.is_poison()));
        assert_eq!(told, [(false, false), (true, false), (false, true)]);
        let hour = Duration::from_secs(3600);
        for (asked, granted) in [(hour / 2, hour / 2), (hour, hour), (2 * hour, hour)] {
            assert_eq!(Failed::again("no").not_before(asked).after(), Some(granted));
        }
        assert_eq!(Failed::again("no").after(), None);
    }

    #[test]
    fn a_reason_is_bounded() {
        let failed = Failed::from(std::io::Error::other("ä".repeat(600)));
        assert_eq!(failed.reason(), "ä".repeat(500));
        assert_eq!(failed.to_string(), failed.reason());
    }
}
