//! Reading a delivery: keys, as a receiver needs them, and typed events, as a handler does.

use aaa_types::event::{Body, BodyError, Event, EventKey};
use serde_json::Value;

/// Takes the keys of a delivery, from its bytes.
///
/// # Errors
///
/// Fails when the bytes are no delivery.
pub fn keys(bytes: &[u8]) -> Result<Vec<EventKey>, BodyError> {
    let events = Body::parse(bytes)?.events();
    Ok(events.iter().map(|event| event.identity().key("app", event.occurred_at())).collect())
}

/// Builds the typed events of a delivery, from its bytes.
///
/// # Errors
///
/// Fails when the bytes are no delivery.
pub fn decode(bytes: &[u8]) -> Result<Vec<Event>, BodyError> {
    Ok(Body::parse(bytes)?.events().iter().map(|event| event.decode()).collect())
}

/// Builds an untyped tree from the same bytes.
///
/// # Errors
///
/// Fails when the bytes are not JSON.
pub fn value(bytes: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(bytes)
}
