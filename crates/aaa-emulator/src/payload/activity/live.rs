//! Spaces and broadcasts.

use serde_json::{Value, json};

use super::{enclosed, numbers};
use crate::payload::{Fresh, merge};

/// A space that a user begins or ends.
pub(super) fn space(action: &str, user: &str, fresh: &Fresh) -> Value {
    json!({
        "user": enclosed(user),
        "broadcast_id": broadcast_id(fresh.id),
        "event_type": format!("spaces_{action}"),
    })
}

/// A broadcast that a user begins or ends.
pub(super) fn broadcast(action: &str, user: &str, fresh: &Fresh) -> Value {
    let id = broadcast_id(fresh.id);
    let now = u64::try_from(fresh.now.as_millisecond()).unwrap_or_default();
    let is_over = action == "end";
    let began = now.saturating_sub(if is_over { 60_000 } else { 3_500 });
    let image = if is_over { "replay" } else { "live" };
    let mut broadcast = numbers([
        ("event_timestamp_ms", now),
        ("created_timestamp_ms", began),
        ("updated_timestamp_ms", now.saturating_sub(300)),
    ]);
    if is_over {
        merge(&mut broadcast, &numbers([("duration_ms", 56_500)]));
    }
    let more = json!({
        "user": enclosed(user),
        "broadcast_id": id,
        "title": "Neues aus dem Emulator",
        "broadcast_state": if is_over { "Ended" } else { "Running" },
        "language": "de",
        "thumbnail_url": format!("https://example.com/broadcasts/{id}/{image}-thumbnail.jpg"),
        "available_for_replay": is_over,
    });
    merge(&mut broadcast, &more);
    broadcast
}

/// What somebody says about a broadcast.
pub(super) fn said(user: &str, fresh: &Fresh) -> Value {
    json!({
        "broadcast_id": broadcast_id(fresh.older_id),
        "message_id": fresh.id.to_string(),
        "message": "Grüße 👋",
        "author": enclosed(user),
    })
}

/// 13 letters and digits.
fn broadcast_id(id: u64) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let powers = (0..12).rev().map(|power| 62_u128.pow(power));
    let digits = powers.map(|power| u128::from(id) / power % 62);
    let letters = digits.filter_map(|digit| DIGITS.get(usize::try_from(digit).ok()?));
    std::iter::once('1').chain(letters.copied().map(char::from)).collect()
}
