//! The members of a body, and how to find them in any JSON, one step after the other.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::BodyError;
use crate::event::{
    ItemIdentity,
    item::{self, Activity, Fields, Item},
};

/// A member of a body.
#[derive(Debug, Clone)]
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) content: Content<'a>,
}

/// What the value of a member is.
#[derive(Debug, Clone)]
pub(super) enum Content<'a> {
    /// The events of an array.
    Items(Vec<RawItem<'a>>),
    /// An object that is an event of its own, outside an array.
    Single(RawItem<'a>),
    /// An event of the X Activity API, and its identity if it has one of its own.
    Activity { event_type: String, identity: Option<ItemIdentity>, text: &'a str },
    /// Anything else.
    Context(&'a RawValue),
}

impl<'a> Content<'a> {
    /// Takes the value of `data`, if it is an event of the X Activity API.
    pub(super) fn activity(activity: &Activity<'_>, text: &'a str) -> Option<Self> {
        let event_type = activity.event_type()?;
        Some(Self::Activity { event_type, identity: activity.identity(), text })
    }
}

/// One item: its text, and what of it was read.
#[derive(Debug, Clone)]
pub(super) struct RawItem<'a> {
    pub(super) text: &'a str,
    pub(super) item: Item,
}

impl<'a> RawItem<'a> {
    pub(super) fn new(kind: &str, text: &'a str, fields: Option<&Fields<'_>>) -> Self {
        Self { text, item: item::read(kind, text, fields) }
    }
}

/// What a member of some name may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Items,
    Single,
    Activity,
    Context,
}

impl Role {
    /// Every array under a name that ends in `_events` holds events, known or not.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "user_event" | "replay_job_status" => Self::Single,
            "data" => Self::Activity,
            _ if name.ends_with("_events") => Self::Items,
            _ => Self::Context,
        }
    }
}

/// A member name, borrowed unless it has escapes.
#[derive(Deserialize)]
pub(super) struct Name<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Reads the bytes of a body: its text, and its members unless a name is no valid text.
pub(super) fn read(bytes: &[u8]) -> Result<(&str, Vec<Member<'_>>), BodyError> {
    let raw = serde_json::from_slice::<&RawValue>(bytes)
        .map_err(|error| BodyError::NotJson { line: error.line(), column: error.column() })?
        .get();
    if !raw.starts_with('{') {
        return Err(BodyError::NotAnObject);
    }
    let members = serde_json::from_str::<Members<'_>>(raw).map(|m| m.0).unwrap_or_default();
    Ok((raw, members))
}

fn classify<'a>(name: &str, value: &'a RawValue) -> Content<'a> {
    let text = value.get();
    let item = |value: &'a RawValue| {
        RawItem::new(name, value.get(), item::object::<Fields<'_>>(value).as_ref())
    };
    let content = match Role::of(name) {
        Role::Items => serde_json::from_str::<Vec<&'a RawValue>>(text)
            .ok()
            .map(|items| Content::Items(items.into_iter().map(item).collect())),
        Role::Single => text.starts_with('{').then(|| Content::Single(item(value))),
        Role::Activity => item::object::<Activity<'_>>(value)
            .and_then(|activity| Content::activity(&activity, text)),
        Role::Context => None,
    };
    content.unwrap_or(Content::Context(value))
}

/// All members of an object in their order, repeated names included.
struct Members<'a>(Vec<Member<'a>>);

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
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &RawValue>()? {
                    let content = classify(&name, value);
                    members.push(Member { name, content });
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}
