//! What is inside the events: posts, favorites, relations, direct messages, revocations, the
//! status of replay jobs, and events of the X Activity API.
//!
//! Each model names what most handlers need and keeps every other member in `extra`, so that
//! nothing is lost on the way through: what is decoded and encoded again has the same members
//! with the same values. A member that is `null`, or has another shape than the model says, stays
//! in `extra` too; an item without what makes it one of its kind does not fit at all, and is
//! [`Event::Unknown`](crate::event::Event::Unknown).

mod activity;
mod context;
mod direct_message;
mod entities;
mod favorite;
mod model;
mod post;
mod read;
mod relation;
mod replay;
mod revoke;
mod user;
mod written;

pub use self::{
    activity::Activity,
    context::{App, DeliveryContext},
    direct_message::{
        Attachment, DirectMessage, DirectMessageContent, DirectMessageData, Direction,
        InitiatedVia, MarkRead, QuickReplyResponse, Recipient, Typing,
    },
    entities::{Entities, Link, Media, MediaKind, Tag, UserMention, VideoInfo, VideoVariant},
    favorite::Favorite,
    post::{DeletedPost, EditControls, EditHistory, ExtendedPost, Post, PostDelete},
    relation::Relation,
    replay::{JobState, ReplayJobStatus},
    revoke::{Revoke, RevokeSource, RevokeTarget, UserEvent},
    user::User,
    written::{Flag, Integer},
};

/// The members that a model does not name.
///
/// Their numbers are those of `serde_json`: an integer beyond 64 bits, or a fraction with more
/// digits than a double holds, is rounded here. A store keeps the raw bytes of every delivery, so
/// the digits are not gone.
pub type Extra = serde_json::Map<String, serde_json::Value>;

#[cfg(test)]
mod tests;
