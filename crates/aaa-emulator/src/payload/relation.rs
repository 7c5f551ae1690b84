//! Follows, blocks and mutes, and their ends.

use aaa_types::UserId;
use serde_json::{Value, json};

use super::{Fresh, user};

/// `user` follows (blocks, mutes) somebody. The item has no id, so [`Item::set_apart`](super::Item)
/// sees to its time.
pub(super) fn item(action: &str, user: UserId, fresh: &Fresh) -> Value {
    json!({
        "type": action,
        "created_timestamp": fresh.now.as_millisecond().to_string(),
        "target": user::in_relation(&fresh.stranger.to_string()),
        "source": user::in_relation(&user.to_string()),
    })
}
