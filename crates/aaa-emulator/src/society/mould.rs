//! Bodies of acts from moulds: what all bodies of a sort have in common is written once, and the
//! rest is filled in. That is the same, byte for byte, as making an item and writing it.

use std::{borrow::Cow, collections::HashMap};

use aaa_types::UserId;
use bytes::Bytes;
use jiff::Timestamp;

use super::act::{Act, Seen, What};
use crate::{
    payload::{self, Around, Fresh, Item},
    settings::{BlockedFlag, Relations},
};

/// What is filled in. The places of these are those of [`Values`].
#[derive(Debug, Clone, Copy)]
enum Slot {
    Actor,
    Other,
    Id,
    LossyId,
    SeenId,
    LossySeenId,
    Text,
    SeenText,
    Time,
    Millis,
    SeenTime,
    SeenMillis,
    OwnMillis,
    Hex,
}

const SLOTS: [Slot; 14] = [
    Slot::Actor,
    Slot::Other,
    Slot::Id,
    Slot::LossyId,
    Slot::SeenId,
    Slot::LossySeenId,
    Slot::Text,
    Slot::SeenText,
    Slot::Time,
    Slot::Millis,
    Slot::SeenTime,
    Slot::SeenMillis,
    Slot::OwnMillis,
    Slot::Hex,
];

/// What stands in the slots of an act's bodies, escaped.
#[derive(Debug)]
pub(crate) struct Values([Cow<'static, str>; SLOTS.len()]);

impl Values {
    /// `millis` is the time of what has no id, and `hex` that of [`Fresh`]; kinds that have none
    /// leave them out.
    pub(crate) fn new(act: &Act, now: Timestamp, millis: i64, hex: String) -> Self {
        let seen = act.seen.as_ref();
        let of = |seen: &dyn Fn(&Seen) -> String, found: Option<&Seen>| {
            found.map(seen).map_or(Cow::Borrowed(""), Cow::Owned)
        };
        Self([
            act.actor.to_string().into(),
            act.other.to_string().into(),
            act.id.to_string().into(),
            payload::lossy(act.id).to_string().into(),
            of(&|seen| seen.id.to_string(), seen),
            of(&|seen| payload::lossy(seen.id).to_string(), seen),
            escaped(&act.text).into(),
            of(&|seen| escaped(&seen.text), seen),
            payload::created_at(now).into(),
            now.as_millisecond().to_string().into(),
            of(&|seen| payload::created_at(seen.at), seen),
            of(&|seen| seen.at.as_millisecond().to_string(), seen),
            millis.to_string().into(),
            hex.into(),
        ])
    }

    fn at(&self, slot: Slot) -> &str {
        let [
            actor,
            other,
            id,
            lossy_id,
            seen_id,
            lossy_seen_id,
            text,
            seen_text,
            time,
            millis,
            seen_time,
            seen_millis,
            own_millis,
            hex,
        ] = &self.0;
        match slot {
            Slot::Actor => actor,
            Slot::Other => other,
            Slot::Id => id,
            Slot::LossyId => lossy_id,
            Slot::SeenId => seen_id,
            Slot::LossySeenId => lossy_seen_id,
            Slot::Text => text,
            Slot::SeenText => seen_text,
            Slot::Time => time,
            Slot::Millis => millis,
            Slot::SeenTime => seen_time,
            Slot::SeenMillis => seen_millis,
            Slot::OwnMillis => own_millis,
            Slot::Hex => hex,
        }
    }
}

/// The key that a receiver derives from the body of an act for `user`.
pub(crate) fn key(act: &Act, values: &Values, user: UserId) -> String {
    let at = |slot| values.at(slot);
    let (actor, other, millis) = (at(Slot::Actor), at(Slot::Other), at(Slot::OwnMillis));
    let kind = act.kind();
    match act.what {
        What::Like => format!("{user}/{kind}:{}", at(Slot::Hex)),
        What::Type => format!("{user}/{kind}:{millis}:{actor}:{other}"),
        What::Read => format!("{user}/{kind}:{millis}:{actor}:{other}:{}", at(Slot::SeenId)),
        What::Follow | What::Unfollow | What::Block | What::Unblock | What::Mute | What::Unmute => {
            format!("{user}/{kind}:{}:{actor}:{other}:{millis}", act.word())
        }
        _ => format!("{user}/{kind}:{}", at(Slot::Id)),
    }
}

/// As it stands in the text of a body.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    payload::escape_slashes(inside.unwrap_or_default())
}

/// The moulds that were needed so far.
#[derive(Debug)]
pub(crate) struct Moulds {
    blocked: BlockedFlag,
    made: HashMap<Sort, Mould>,
}

/// Bodies that differ in nothing but what is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Sort {
    what: What,
    /// It is for the one who acts.
    for_actor: bool,
    /// Who it is for has blocked the one who acts.
    has_blocked: bool,
    /// His id stands before the other's in a map of users.
    actor_first: bool,
}

#[derive(Debug)]
struct Mould {
    parts: Vec<(String, Slot)>,
    rest: String,
}

impl Moulds {
    pub(crate) fn new(blocked: BlockedFlag) -> Self {
        Self { blocked, made: HashMap::new() }
    }

    /// Writes the body of an act for who acts, or for the other.
    pub(crate) fn body(
        &mut self,
        act: &Act,
        values: &Values,
        for_actor: bool,
        has_blocked: bool,
    ) -> Bytes {
        let [actor, other, ..] = &values.0;
        // Nothing else says so.
        let has_blocked = has_blocked && matches!(act.what, What::Mention | What::Reply);
        let sort = Sort { what: act.what, for_actor, has_blocked, actor_first: actor < other };
        let blocked = self.blocked;
        self.made.entry(sort).or_insert_with(|| Mould::new(sort, blocked)).fill(values)
    }
}

/// Says whether an act concerns the other too.
pub(crate) fn concerns_other(what: What, relations: Relations) -> bool {
    match what {
        What::Post | What::Delete => false,
        What::Unfollow | What::Block | What::Unblock | What::Mute | What::Unmute => {
            relations == Relations::ByUserOrOfUser
        }
        _ => true,
    }
}

impl Mould {
    fn new(sort: Sort, blocked: BlockedFlag) -> Self {
        let (act, fresh) = example(sort);
        let for_user = if sort.for_actor { act.actor } else { act.other };
        let values = Values::new(&act, fresh.now, OWN_MILLIS, fresh.hex.clone());
        let (Ok(actor), Ok(for_user)) = (UserId::try_from(act.actor), UserId::try_from(for_user))
        else {
            return Self { parts: Vec::new(), rest: String::new() };
        };
        let mut item = Item::new(act.kind(), actor, Some(&act.payload()), &fresh);
        item.set_apart(None, |_| OWN_MILLIS);
        let around = Around { flag: blocked, has_blocked: sort.has_blocked, context: None };
        let body = item.body(for_user, around);
        let mut rest = String::from_utf8_lossy(&body).into_owned();
        let mut parts = Vec::new();
        let first = |text: &str| {
            let places =
                SLOTS.iter().filter_map(|slot| Some((text.find(values.at(*slot))?, *slot)));
            places.min_by_key(|(place, _)| *place)
        };
        while let Some((place, slot)) = first(&rest) {
            let end = place + values.at(slot).len();
            let after = rest.split_off(end);
            rest.truncate(place);
            parts.push((std::mem::replace(&mut rest, after), slot));
        }
        Self { parts, rest }
    }

    fn fill(&self, values: &Values) -> Bytes {
        let length = |(text, slot): &(String, Slot)| text.len() + values.at(*slot).len();
        let length = self.parts.iter().map(length).sum::<usize>() + self.rest.len();
        let mut body = Vec::with_capacity(length);
        for (text, slot) in &self.parts {
            body.extend_from_slice(text.as_bytes());
            body.extend_from_slice(values.at(*slot).as_bytes());
        }
        body.extend_from_slice(self.rest.as_bytes());
        body.into()
    }
}

/// The time of an example that has no id.
const OWN_MILLIS: i64 = 9_555_555_555_555;

/// An act in which whatever is filled in is like nothing else in its body.
fn example(sort: Sort) -> (Act, Fresh) {
    let (low, high) = (8_111_111_111_111_111, 8_222_222_222_222_222);
    let (actor, other) = if sort.actor_first { (low, high) } else { (high, low) };
    let (seen, now) = (Timestamp::from_second(981_173_106), Timestamp::from_second(1_015_218_367));
    let (seen, now) = (seen.unwrap_or_default(), now.unwrap_or_default());
    let act = Act {
        what: sort.what,
        actor,
        other,
        // Neither of them survives being a double.
        id: 7_333_333_333_333_333_333,
        text: "(what it says)".to_owned(),
        seen: Some(Seen {
            id: 7_444_444_444_444_444_443,
            text: "(what was seen)".to_owned(),
            at: seen,
        }),
    };
    let fresh = Fresh {
        now,
        id: 0,
        older_id: 0,
        hex: "(thirty-two digits)".to_owned(),
        variety: 0,
        stranger: payload::STRANGER,
        revoked_at: now,
    };
    (act, fresh)
}

#[cfg(test)]
mod tests;
