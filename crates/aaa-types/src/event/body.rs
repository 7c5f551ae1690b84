use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Serialize, ser::SerializeMap};
use serde_json::value::RawValue;

use self::members::{Content, Member, RawItem};
use super::{
    Event, EventIdentity,
    item::{self, Item},
};
use crate::payload::DeliveryContext;

mod members;
mod one_pass;

/// The member that names the subscribed user.
const FOR_USER_ID: &str = "for_user_id";

/// The kind of a body in which nothing is recognised.
const UNKNOWN: &str = "unknown";

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
    members: Vec<Member<'a>>,
    for_user_id: Option<Cow<'a, str>>,
}

impl<'a> Body<'a> {
    /// Finds the members of a body, and what identifies each of its events.
    ///
    /// Any nesting depth is accepted, since no more than that is visited. A member name that is
    /// valid JSON but no valid text (a lone surrogate) makes the whole body one unknown
    /// event. Of a member that is repeated, both are kept, and the last `for_user_id` counts.
    ///
    /// # Errors
    ///
    /// Fails when the bytes are not UTF-8, not JSON, or JSON but not an object. That rule is one
    /// of safety: the answer to a challenge-response check signs an arbitrary token, and no token
    /// is a JSON object.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BodyError> {
        let (raw, members) = match one_pass::read(bytes) {
            Some(read) => read,
            None => members::read(bytes)?,
        };
        let last = members.iter().rev().find(|member| member.name == FOR_USER_ID);
        let for_user_id = last.and_then(|member| match member.content {
            Content::Context(value) => item::text(Some(value)),
            _ => None,
        });
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
        for Member { name, content } in &self.members {
            match content {
                Content::Items(items) => {
                    events.extend(items.iter().map(|raw| self.event(name, raw)));
                }
                Content::Single(raw) => events.push(self.event(name, raw)),
                Content::Activity { event_type, identity, text } => {
                    // What has no identity of its own has that of the whole body.
                    let item = match identity.clone() {
                        Some(identity) => Item { identity, occurred_at: None },
                        None => item::opaque(self.raw),
                    };
                    events.push(self.with(event_type, text, item));
                }
                Content::Context(_) => {}
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
        for Member { name, content } in &self.members {
            match content {
                Content::Context(_) if name == FOR_USER_ID && self.for_user_id.is_some() => {}
                Content::Context(value) => context.push((name.as_ref(), *value)),
                Content::Items(items) => has_events |= !items.is_empty(),
                Content::Single(_) | Content::Activity { .. } => has_events = true,
            }
        }
        if !has_events {
            context.clear();
        }
        Context { members: context }
    }

    fn event(&self, kind: &str, raw: &RawItem<'a>) -> RawEvent<'a> {
        self.with(kind, raw.text, raw.item.clone())
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

#[cfg(test)]
mod tests;
