//! Messages of encrypted conversations, which nobody here can read.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use crate::payload::Fresh;

/// The beginning of a public key of P-256, in DER and base64.
const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";

/// The head of a token, `{"alg":"HS256"}`.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9";

/// A message that the user has sent, or that somebody has sent them.
pub(super) fn message(action: &str, user: &str, fresh: &Fresh) -> Value {
    let stranger = fresh.stranger.to_string();
    let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"requestingUserId":"{user}"}}"#));
    json!({
        "id": uuid(&fresh.hex),
        "created_at_msec": fresh.now.as_millisecond().to_string(),
        "sender_id": if action == "received" { stranger.as_str() } else { user },
        "conversation_id": format!("{stranger}:{user}"),
        "conversation_token": format!("{TOKEN}.{claims}.{}", URL_SAFE_NO_PAD.encode(&fresh.hex)),
        "conversation_key_version": VERSION,
        "conversation_key_change_event": record(fresh.older_id),
        "encoded_event": record(fresh.id),
        "message_event_signature": {
            "signature": STANDARD_NO_PAD.encode(fresh.hex.repeat(2)),
            "signature_version": "7",
            "signing_public_key": format!("{KEY}{}", STANDARD.encode(format!("{user:0>64}"))),
            "public_key_version": VERSION,
        },
    })
}

/// A version is the millisecond in which a key was made.
const VERSION: &str = "1736723828667";

/// A record whose first field is an id: Thrift, in base64.
fn record(id: u64) -> String {
    let id = id.to_string();
    let length = u8::try_from(id.len()).unwrap_or(u8::MAX);
    // A text, the first field; then how long it is; the record ends with a zero.
    let head = [0x0b, 0, 1, 0, 0, 0, length];
    STANDARD.encode([&head, id.as_bytes(), &[0]].concat())
}

/// A UUID of version 4 with the bits of 32 hex digits.
fn uuid(hex: &str) -> String {
    let bits = u128::from_str_radix(hex, 16).unwrap_or_default();
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        bits >> 96,
        bits >> 80 & 0xffff,
        bits >> 64 & 0xfff,
        bits >> 48 & 0x3fff | 0x8000,
        bits & 0xffff_ffff_ffff,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(
            uuid("a7ba59eab0bfcba386f7acedac279542"),
            "a7ba59ea-b0bf-4ba3-86f7-acedac279542"
        );
        // As in X's sample, up to where that is cut off.
        assert!(
            record(2_080_400_825_227_100_160).starts_with("CwABAAAAEzIwODA0MDA4MjUyMjcxMDAxNjA")
        );
    }
}
