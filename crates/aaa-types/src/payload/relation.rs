use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Extra, User};
use crate::time::parse_epoch_millis;

/// A follow, block or mute, or the end of one: `source` did it to `target`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Relation {
    /// `follow`, `unfollow`, `block`, `unblock`, `mute`, `unmute`, or something new.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// When it happened, in milliseconds since 1970, as a string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_timestamp: Option<String>,
    /// To whom it was done.
    pub target: Box<User>,
    /// Who did it.
    pub source: Box<User>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Relation {
    /// Returns when it happened.
    pub fn created_at(&self) -> Option<Timestamp> {
        parse_epoch_millis(self.created_timestamp.as_deref()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json() {
        let relation: Relation = serde_json::from_str(
            r#"{"type":"unfollow","created_timestamp":"1517588749178",
                "target":{"id":"12","screen_name":"twelve","name":""},
                "source":{"id":"7","screen_name":"seven"}}"#,
        )
        .unwrap();
        assert_eq!(relation.created_at().unwrap().to_string(), "2018-02-02T16:25:49.178Z");
        insta::assert_json_snapshot!(relation, @r#"
        {
          "type": "unfollow",
          "created_timestamp": "1517588749178",
          "target": {
            "id": "12",
            "name": "",
            "screen_name": "twelve"
          },
          "source": {
            "id": "7",
            "screen_name": "seven"
          }
        }
        "#);
    }
}
