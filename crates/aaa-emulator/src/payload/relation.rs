//! Follows, blocks and mutes, and their ends.

use aaa_types::UserId;
use serde_json::{Value, json};

use super::{Fresh, user};

/// `user` follows (blocks, mutes) somebody. Without an id of its own the item is told from others
/// by its time, so no two have the same.
pub(super) fn item(action: &str, user: UserId, fresh: &Fresh) -> Value {
    json!({
        "type": action,
        "created_timestamp": fresh.millis.to_string(),
        "target": user::in_relation(&fresh.stranger.to_string()),
        "source": user::in_relation(&user.to_string()),
    })
}
