use std::fmt;

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::value::RawValue;

use super::{
    Event, EventIdentity,
    item::{self, Item, Text},
};
use crate::payload::DeliveryContext;

/// The kind of a body in which nothing is recognised.
const UNKNOWN: &str = "unknown";

/// Top-level objects that are an event of their own, outside an array.
const SINGLE_OBJECTS: [&str; 2] = ["user_event", "replay_job_status"];

/// The body of one delivery: a JSON object, borrowed as it came.
///
/// # Examples
///
/// ```
/// use aaa_types::event::Body;
///
/// let body = Body::parse(br#"{"for_user_id":"7","user_has_blocked":false,
///     "tweet_create_events":[{"id_str":"1050118621198921728"}]}"#)?;
/// assert_eq!(body.for_user_id(), Some("7"));
/// let events = body.events();
/// assert_eq!(events.len(), 1);
/// assert_eq!(serde_json::to_string(&body.context()).unwrap(), r#"{"user_has_blocked":false}"#);
/// # Ok::<(), aaa_types::event::BodyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Body<'a> {
    raw: &'a str,
    members: Vec<(String, &'a RawValue)>,
    for_user_id: Option<String>,
}

impl<'a> Body<'a> {
    /// Finds the members of a body.
    ///
    /// Any nesting depth is accepted, since nothing below the top level is visited. A member name
    /// that is valid JSON but no valid text (a lone surrogate) makes the whole body one unknown
    /// event. Of a member that is repeated, both are kept, and the last `for_user_id` counts.
    ///
    /// # Errors
    ///
    /// Fails when the bytes are not UTF-8, not JSON, or JSON but not an object. That rule is one
    /// of safety: the answer to a challenge-response check signs an arbitrary token, and no token
    /// is a JSON object.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BodyError> {
        let raw = serde_json::from_slice::<&RawValue>(bytes)
            .map_err(|error| BodyError::NotJson { line: error.line(), column: error.column() })?
            .get();
        if !raw.starts_with('{') {
            return Err(BodyError::NotAnObject);
        }
        let members = serde_json::from_str::<Members<'a>>(raw).map(|m| m.0).unwrap_or_default();
        let for_user_id = members
            .iter()
            .rev()
            .find(|(name, _)| name == "for_user_id")
            .and_then(|(_, value)| Text::read(value))
            .filter(|text| !text.is_empty());
        Ok(Self { raw, members, for_user_id })
    }

    /// Returns the user whose subscription the delivery belongs to; not every kind has one.
    pub fn for_user_id(&self) -> Option<&str> {
        self.for_user_id.as_deref()
    }

    /// Returns the events of the body, at least one, in the order of the text.
    ///
    /// Every item of an array under a name that ends in `_events` is an event, known or not. So
    /// are the objects `user_event` and `replay_job_status`, and an envelope of the X Activity
    /// API. A body with none of them is one event of kind `unknown`.
    pub fn events(&self) -> Vec<RawEvent<'a>> {
        let mut events = Vec::new();
        for (name, value) in &self.members {
            match classify(name, value) {
                Member::Items(items) => {
                    events.extend(items.into_iter().map(|raw| self.event(name, raw)));
                }
                Member::Single(raw) => events.push(self.event(name, raw)),
                Member::Activity { event_type } => {
                    let item = item::activity(value, self.raw);
                    events.push(self.with(&event_type, value.get(), item));
                }
                Member::Context => {}
            }
        }
        if events.is_empty() {
            events.push(self.with(UNKNOWN, self.raw, item::opaque(self.raw)));
        }
        events
    }

    /// Returns the members beside the events and `for_user_id`, such as `users` and `apps`; it
    /// serialises as an object. Empty when the body is one unknown event.
    pub fn context(&self) -> Context<'_> {
        let mut context = Vec::new();
        let mut has_events = false;
        for (name, value) in &self.members {
            match classify(name, value) {
                Member::Context if name == "for_user_id" && self.for_user_id.is_some() => {}
                Member::Context => context.push((name.as_str(), *value)),
                Member::Items(items) => has_events |= !items.is_empty(),
                Member::Single(_) | Member::Activity { .. } => has_events = true,
            }
        }
        if !has_events {
            context.clear();
        }
        Context { members: context }
    }

    fn event(&self, kind: &str, raw: &'a RawValue) -> RawEvent<'a> {
        self.with(kind, raw.get(), item::read(kind, raw))
    }

    fn with(&self, kind: &str, payload: &'a str, item: Item) -> RawEvent<'a> {
        RawEvent {
            identity: EventIdentity::new(self.for_user_id(), kind, item.identity),
            occurred_at: item.occurred_at,
            payload,
        }
    }
}

/// One event of a delivery, not yet parsed beyond its identity.
#[derive(Debug, Clone)]
pub struct RawEvent<'a> {
    identity: EventIdentity,
    occurred_at: Option<Timestamp>,
    payload: &'a str,
}

impl<'a> RawEvent<'a> {
    /// Returns what makes the event the same event wherever it turns up again.
    pub fn identity(&self) -> &EventIdentity {
        &self.identity
    }

    /// Returns X's own name of the kind: the top-level member, for the X Activity API the
    /// `event_type`, else `unknown`.
    pub fn kind(&self) -> &str {
        self.identity.kind()
    }

    /// Returns the event's own time, where its kind carries one.
    pub fn occurred_at(&self) -> Option<Timestamp> {
        self.occurred_at
    }

    /// Returns the item as it came: JSON, or for an unknown body all of it.
    pub fn payload(&self) -> &'a str {
        self.payload
    }

    /// Builds the typed event. It never fails: what does not fit its model is
    /// [`Event::Unknown`].
    pub fn decode(&self) -> Event {
        Event::decode(self.kind(), self.payload)
    }
}

/// The members of a body that are not events.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    members: Vec<(&'a str, &'a RawValue)>,
}

impl Context<'_> {
    /// Builds the typed view: users and apps of direct messages, and who blocked whom. `None`
    /// only when a member nests too deep, comes twice, or has a number beyond a double.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_types::event::{Body, Event};
    ///
    /// let body = Body::parse(br#"{"for_user_id":"7","direct_message_events":[{"id":"1",
    ///     "message_create":{"sender_id":"8","target":{"recipient_id":"7"},"message_data":{}}}],
    ///     "users":{"8":{"id":"8","screen_name":"eight"}}}"#)?;
    /// let Event::DirectMessage(message) = body.events()[0].decode() else { panic!("another kind") };
    /// let context = body.context().decode().unwrap();
    /// assert_eq!(context.sender(&message).unwrap().screen_name.as_deref(), Some("eight"));
    /// assert!(context.source_app(&message).is_none());
    /// # Ok::<(), aaa_types::event::BodyError>(())
    /// ```
    pub fn decode(&self) -> Option<DeliveryContext> {
        serde_json::from_str(&serde_json::to_string(self).ok()?).ok()
    }
}

impl Serialize for Context<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The bytes are not a delivery.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// They are not UTF-8 or not JSON.
    #[error("the body is not JSON in UTF-8 (line {line}, column {column})")]
    NotJson {
        /// The line of the first fault, from 1.
        line: usize,
        /// The column of the first fault.
        column: usize,
    },
    /// They are JSON, but a bare value or an array.
    #[error("the body is JSON but not an object")]
    NotAnObject,
}

enum Member<'a> {
    Items(Vec<&'a RawValue>),
    Single(&'a RawValue),
    Activity { event_type: String },
    Context,
}

fn classify<'a>(name: &str, value: &'a RawValue) -> Member<'a> {
    if name.ends_with("_events") {
        if let Ok(items) = serde_json::from_str::<Vec<&'a RawValue>>(value.get()) {
            return Member::Items(items);
        }
    } else if SINGLE_OBJECTS.contains(&name) && value.get().starts_with('{') {
        return Member::Single(value);
    } else if name == "data"
        && let Some(event_type) = item::activity_type(value)
    {
        return Member::Activity { event_type };
    }
    Member::Context
}

/// All members of an object in their order, repeated names included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    members.push(entry);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests;
