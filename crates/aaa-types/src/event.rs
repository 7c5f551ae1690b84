//! A delivery taken apart: its events, what identifies each of them, and their typed content.
//!
//! Parsing is tolerant and lazy. [`Body::parse`] looks at every byte once, finds the top-level
//! members, and reads of every item just what identifies it; [`RawEvent::decode`] builds the full
//! model when somebody wants it. Unknown kinds and shapes are kept whole.

mod body;
mod decode;
mod identity;
mod involvement;
mod item;
mod key;
mod kind;

pub use self::{
    body::{Body, BodyError, Context, RawEvent},
    decode::Event,
    identity::{EventIdentity, ItemIdentity},
    involvement::Involvement,
    key::{EventKey, EventKeyError},
    kind::EventKind,
};
