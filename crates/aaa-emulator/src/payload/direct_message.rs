//! Direct messages, and what is shown while they are written and read.

use aaa_types::UserId;
use serde_json::{Map, Value, json};

use super::{Fresh, user};
use crate::credentials;

/// `user` sends a message. The varieties: plain, with a photo, an answer to a quick reply, from no
/// app (so without the map `apps`).
pub(super) fn message(user: UserId, fresh: &Fresh) -> Value {
    let mut message = plain(&user.to_string(), &fresh.stranger.to_string(), fresh);
    let from_app = json!({"message_create": {"source_app_id": credentials::APP_ID.to_string()}});
    let more = match fresh.variety % 4 {
        1 => json!({"message_create": {"message_data": {"attachment": photo(fresh.older_id)}}}),
        2 => json!({
            "initiated_via": {"welcome_message_id": fresh.older_id.to_string()},
            "message_create": {"message_data": {
                "quick_reply_response": {"type": "options", "metadata": "external_id_2"},
            }},
        }),
        _ => json!({}),
    };
    super::merge(&mut message, &more);
    if fresh.variety % 4 != 3 {
        super::merge(&mut message, &from_app);
    }
    message
}

/// A message from nobody's app.
pub(super) fn plain(sender: &str, recipient: &str, fresh: &Fresh) -> Value {
    json!({
        "type": "message_create",
        "id": fresh.id.to_string(),
        "created_timestamp": fresh.now.as_millisecond().to_string(),
        "message_create": {
            "target": {"recipient_id": recipient},
            "sender_id": sender,
            "message_data": {
                "text": "Schöne Grüße 👋 https://t.co/example",
                "entities": {"hashtags": [], "symbols": [], "user_mentions": [], "urls": []},
            },
        },
    })
}

/// What a caller says about a message. A picture stands in the text with its address.
pub(super) fn sent(id: u64, recipient: UserId, text: Option<&str>, media_id: Option<u64>) -> Value {
    let link = media_id.map(|_| PHOTO_LINK);
    let text: Vec<_> = text.into_iter().chain(link).collect();
    let mut data = json!({"text": text.join(" ")});
    if let Some(media_id) = media_id {
        super::merge(&mut data, &json!({"attachment": photo(media_id)}));
    }
    json!({
        "id": id.to_string(),
        "message_create": {
            "target": {"recipient_id": recipient.to_string()},
            "message_data": data,
        },
    })
}

/// `user` is writing.
pub(super) fn typing(user: UserId, fresh: &Fresh) -> Value {
    json!({
        "created_timestamp": fresh.now.as_millisecond().to_string(),
        "sender_id": user.to_string(),
        "target": {"recipient_id": fresh.stranger.to_string()},
    })
}

/// `user` has read.
pub(super) fn read(user: UserId, fresh: &Fresh) -> Value {
    let mut item = typing(user, fresh);
    super::merge(&mut item, &json!({"last_read_event_id": fresh.older_id.to_string()}));
    item
}

/// The map of the users that an item names.
pub(super) fn users(item: &Value, written: fn(&str) -> Value) -> Value {
    let named = [
        "/message_create/sender_id",
        "/message_create/target/recipient_id",
        "/sender_id",
        "/target/recipient_id",
    ];
    let ids = named.iter().filter_map(|path| item.pointer(path)?.as_str());
    Value::Object(ids.map(|id| (id.to_owned(), written(id))).collect())
}

/// The maps beside an item: the users it names, and the app it came from, if any.
pub(super) fn context(item: &Value) -> Vec<(&'static str, Value)> {
    let mut context = Vec::new();
    if let Some(app) = item.pointer("/message_create/source_app_id").and_then(Value::as_str) {
        let of_app = json!({"id": app, "name": "Emulator", "url": "https://example.com/emulator"});
        context.push(("apps", Value::Object(Map::from_iter([(app.to_owned(), of_app)]))));
    }
    context.push(("users", users(item, user::in_direct_message)));
    context
}

const PHOTO_LINK: &str = "https://t.co/example";

fn photo(id: u64) -> Value {
    let url = format!("https://ton.twitter.com/1.1/ton/data/dm/{id}/{id}/example.png");
    json!({
        "type": "media",
        "media": {
            "id": id,
            "id_str": id.to_string(),
            "indices": [17, 40],
            "media_url": url,
            "media_url_https": url,
            "url": PHOTO_LINK,
            "display_url": "pic.twitter.com/example",
            "expanded_url": "https://twitter.com/messages/media/1",
            "type": "photo",
            "sizes": {"thumb": {"w": 150, "h": 150, "resize": "crop"}},
        },
    })
}
