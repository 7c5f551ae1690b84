//! The words of the X (Twitter) Account Activity API as Rust types: identifiers, secrets,
//! times, replay windows, payloads, event keys, and the answers of its REST calls.
//!
//! This is the lowest layer. It does no IO, reads no clock and knows no server; whoever only
//! wants to understand a delivery needs nothing else.
//!
//! ```
//! use aaa_types::event::{Body, Event};
//!
//! let body = br#"{"for_user_id":"7","favorite_events":[{
//!     "id":"a7ba59eab0bfcba386f7acedac279542",
//!     "created_at":"Mon Mar 26 16:33:26 +0000 2018","timestamp_ms":1522082006140,
//!     "favorited_status":{"id":20,"id_str":"20","text":"just setting up","user":{"id":12,"id_str":"12"}},
//!     "user":{"id":7,"id_str":"7","screen_name":"seven"}}]}"#;
//!
//! let body = Body::parse(body)?;
//! let events = body.events();
//! assert_eq!(
//!     events[0].identity().to_string(),
//!     "7/favorite_events:a7ba59eab0bfcba386f7acedac279542",
//! );
//! match events[0].decode() {
//!     Event::Favorite(favorite) => assert_eq!(favorite.favorited_status.id_str, "20"),
//!     other => panic!("not a favorite: {other:?}"),
//! }
//! # Ok::<(), aaa_types::event::BodyError>(())
//! ```
//!
//! # Reading order
//!
//! [`id`] and [`secret`] are the small words; [`time`] holds X's formats and
//! [`time::ReplayWindow`]; [`event`] takes a delivery apart and names each event;
//! [`payload`] models what is inside; [`api`] models what the REST calls answer.

pub mod api;
pub mod event;
pub mod id;
pub mod payload;
pub mod secret;
pub mod time;
pub mod url;

pub use crate::{
    event::{EventIdentity, EventKey, EventKind},
    id::{AppId, JobId, MediaId, UserId, WebhookId},
    secret::{AccessToken, AccessTokenSecret, BearerToken, ConsumerKey, ConsumerSecret},
    time::{ReplayWindow, UtcMinute},
    url::WebhookUrl,
};

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
