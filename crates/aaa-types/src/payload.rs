//! What is inside the events: posts, favorites, relations, direct messages and the status of
//! replay jobs.
//!
//! Each model names what most handlers need and keeps every other member in `extra`, so that
//! nothing is lost on the way through.

mod direct_message;
mod favorite;
mod post;
mod relation;
mod replay;
mod user;

pub use self::{
    direct_message::{DirectMessage, DirectMessageContent, DirectMessageData, Recipient},
    favorite::Favorite,
    post::{ExtendedPost, Post},
    relation::Relation,
    replay::{JobState, ReplayJobStatus},
    user::User,
};

/// The members that a model does not name.
pub type Extra = serde_json::Map<String, serde_json::Value>;
