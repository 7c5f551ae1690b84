//! Where verified deliveries become durable, and where they are read again.

use std::{borrow::Cow, future::Future};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::value::RawValue;

use crate::delivery::VerifiedDelivery;

/// Makes deliveries durable.
///
/// An implementation answers `Ok` only when every event of the delivery will still be there after
/// a crash, or was there already. A copy of an event that is being stored at this moment waits
/// for that commit. What `Ok` survives (a killed process, a power loss, a lost node) each
/// implementation says in its documentation.
pub trait Inbox: Send + Sync + 'static {
    /// Stores a delivery; each of its events once, by its key.
    ///
    /// # Errors
    ///
    /// See [`InboxError`]. Then nothing may be relied on, and the receiver answers 503: X sends the
    /// delivery again.
    fn commit(
        &self,
        delivery: VerifiedDelivery,
    ) -> impl Future<Output = Result<Receipt, InboxError>> + Send;
}

impl<T: Inbox> Inbox for std::sync::Arc<T> {
    fn commit(
        &self,
        delivery: VerifiedDelivery,
    ) -> impl Future<Output = Result<Receipt, InboxError>> + Send {
        T::commit(self, delivery)
    }
}

/// What an inbox did with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// How many events were new.
    pub stored: usize,
    /// How many were there already.
    pub duplicates: usize,
}

/// A delivery was not stored. X has to send it again, so it is answered 503.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InboxError {
    /// Too many deliveries wait for their commit.
    #[error("the inbox is full: deliveries arrive faster than they can be stored")]
    Full,
    /// The store cannot write or read; the text says why and what to do.
    #[error("the inbox cannot store: {0}")]
    Unavailable(String),
    /// The inbox was closed.
    #[error("the inbox is closed")]
    Closed,
}

/// Reads stored events in the order of their arrival.
///
/// Events become visible in that order, too: what is not in a page, although its number is lower
/// than that of another, will never be there.
pub trait EventLog: Send + Sync + 'static {
    /// Returns the next page of events, in rising order of their numbers; an empty page if there is
    /// none yet.
    ///
    /// # Errors
    ///
    /// [`InboxError::Unavailable`] when the store cannot be read, [`InboxError::Closed`] when it was
    /// closed.
    fn events(
        &self,
        query: EventQuery,
    ) -> impl Future<Output = Result<Vec<StoredEvent>, InboxError>> + Send;
}

impl<T: EventLog> EventLog for std::sync::Arc<T> {
    fn events(
        &self,
        query: EventQuery,
    ) -> impl Future<Output = Result<Vec<StoredEvent>, InboxError>> + Send {
        T::events(self, query)
    }
}

/// Which events to return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventQuery {
    /// Only events with a greater sequence number.
    pub after: u64,
    /// At most so many.
    pub limit: usize,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only this `for_user_id`.
    pub user: Option<String>,
}

impl EventQuery {
    /// Asks for the first `limit` events after a sequence number.
    pub fn after(after: u64, limit: usize) -> Self {
        Self { after, limit, kind: None, user: None }
    }
}

/// An event as it was stored.
///
/// In JSON it is one object on one line: `seq`, `kind`, `for_user_id` (or null), `key`,
/// `received_at`, `stale`, `payload`, `context`.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// Its place in the order of arrival, from 1.
    pub seq: u64,
    /// X's name of its kind.
    pub kind: String,
    /// The user whose subscription brought it.
    pub for_user_id: Option<String>,
    /// Its identity as text, see [`aaa_types::EventIdentity`].
    pub key: String,
    /// The app whose secret verified it.
    pub app: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Whether it was older than its key could be remembered, so that it may be an old capture
    /// sent again; it is kept but not handled.
    pub stale: bool,
    /// The item, or the whole body of an unknown event; JSON as it came.
    pub payload: Box<RawValue>,
    /// The members of the body beside its events, an object.
    pub context: Box<RawValue>,
    /// The body of the delivery that brought it.
    pub body: Bytes,
    /// What else is known of that delivery.
    pub origin: Origin,
}

/// The delivery that brought an event.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Its number in the store. Events of one delivery stand side by side, unless several
    /// receivers share the store.
    pub delivery: u64,
    /// Its signature header as it came; empty where the body was changed since.
    pub signature: String,
}

impl std::fmt::Debug for Origin {
    /// A signature opens doors, so it is not shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Origin").field("delivery", &self.delivery).finish_non_exhaustive()
    }
}

impl Serialize for StoredEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_struct("StoredEvent", 8)?;
        event.serialize_field("seq", &self.seq)?;
        event.serialize_field("kind", &self.kind)?;
        event.serialize_field("for_user_id", &self.for_user_id)?;
        event.serialize_field("key", &self.key)?;
        event.serialize_field("received_at", &self.received_at)?;
        event.serialize_field("stale", &self.stale)?;
        event.serialize_field("payload", &tight(&self.payload))?;
        event.serialize_field("context", &tight(&self.context))?;
        event.end()
    }
}

/// Drops the white space between the words of a JSON text; numbers and strings stay as they came.
fn tight(json: &RawValue) -> Cow<'_, RawValue> {
    let (mut string, mut escaped) = (false, false);
    let keep = |c: &char| {
        let keep = string || !matches!(c, ' ' | '\t' | '\r' | '\n');
        // The quote or backslash behind a backslash means nothing else.
        string ^= *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        keep
    };
    let text = json.get().chars().filter(keep).collect();
    RawValue::from_string(text).map_or(Cow::Borrowed(json), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(payload: &str, context: &str) -> StoredEvent {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        StoredEvent {
            seq: 12,
            kind: "favorite_events".to_owned(),
            for_user_id: Some("7".to_owned()),
            key: "7/favorite_events:a".to_owned(),
            app: "main".to_owned(),
            received_at: "2025-11-22T04:13:00.25Z".parse().unwrap(),
            stale: false,
            payload: raw(payload),
            context: raw(context),
            body: Bytes::new(),
            origin: Origin::default(),
        }
    }

    /// A JSON text with white space between its words, and the same without.
    fn spaced() -> impl Strategy<Value = (String, String)> {
        let word = prop_oneof![
            prop::sample::select(vec![
                "null",
                "true",
                "-0",
                "1.50",
                "1E+2",
                "1e400",
                "12345678901234567890123",
                r#""""#,
                r#""\\""#,
                r#""a \" b""#,
                r#""\n \u0020\\\"""#,
                r#"" { } ""#,
                "{}",
                "[]",
            ])
            .prop_map(str::to_owned),
            any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        ];
        let leaf = (word, "[ \t\r\n]{0,2}")
            .prop_map(|(word, space)| (format!("{space}{word}{space}"), word));
        leaf.prop_recursive(3, 20, 4, |inner| {
            let items = prop::collection::vec(inner, 1..4);
            (items, "[ \t\r\n]{0,3}", any::<bool>()).prop_map(|(items, space, object)| {
                let join = |texts: Vec<String>, s: &str| {
                    let (open, name, close) = if object {
                        ('{', format!("{s}\"a b\"{s}:{s}"), '}')
                    } else {
                        ('[', String::new(), ']')
                    };
                    let texts = texts.into_iter().map(|text| format!("{name}{text}"));
                    format!(
                        "{open}{s}{}{s}{close}",
                        texts.collect::<Vec<_>>().join(&format!("{s},{s}"))
                    )
                };
                let (spaced, tight) = items.into_iter().unzip();
                (join(spaced, &space), join(tight, ""))
            })
        })
    }

    proptest! {
        /// One object per line, and still every digit and escape as X sent it.
        #[test]
        fn json_is_one_line((spaced, tight) in spaced()) {
            let text = serde_json::to_string(&event(&spaced, &spaced)).unwrap();
            prop_assert!(!text.contains(['\n', '\r']));
            let end = format!(r#""payload":{tight},"context":{tight}}}"#);
            prop_assert!(text.ends_with(&end), "{text}");
        }
    }

    #[test]
    fn no_signature_in_debug() {
        let origin = Origin { delivery: 7, signature: "sha256=abc".to_owned() };
        assert_eq!(format!("{origin:?}"), "Origin { delivery: 7, .. }");
    }

    #[test]
    fn json_of_an_event() {
        let event = event(r#"{"id":"a"}"#, r#"{"users":{}}"#);
        insta::assert_snapshot!(serde_json::to_string(&event).unwrap(), @r#"{"seq":12,"kind":"favorite_events","for_user_id":"7","key":"7/favorite_events:a","received_at":"2025-11-22T04:13:00.25Z","stale":false,"payload":{"id":"a"},"context":{"users":{}}}"#);
        let unknown = StoredEvent { for_user_id: None, ..event };
        insta::assert_snapshot!(serde_json::to_string(&unknown).unwrap(), @r#"{"seq":12,"kind":"favorite_events","for_user_id":null,"key":"7/favorite_events:a","received_at":"2025-11-22T04:13:00.25Z","stale":false,"payload":{"id":"a"},"context":{"users":{}}}"#);
    }
}
