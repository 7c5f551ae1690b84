use jiff::Timestamp;

use super::{User, model::model};
use crate::time::parse_epoch_millis;

model! {
    /// A follow, block or mute, or the end of one: `source` did it to `target`.
    pub struct Relation {
        /// `follow`, `unfollow`, `block`, `unblock`, `mute`, `unmute`, or something new.
        pub kind: Option<String> = optional("type"),
        /// When it happened, in milliseconds since 1970, as a string.
        pub created_timestamp: Option<String> = optional("created_timestamp"),
        /// To whom it was done.
        pub target: Box<User> = required("target"),
        /// Who did it.
        pub source: Box<User> = required("source"),
    }
}

impl Relation {
    /// Returns when it happened.
    pub fn created_at(&self) -> Option<Timestamp> {
        parse_epoch_millis(self.created_timestamp.as_deref()?)
    }

    /// Returns whether it is the end of a follow, block or mute.
    pub fn is_undo(&self) -> bool {
        matches!(self.kind.as_deref(), Some("unfollow" | "unblock" | "unmute"))
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
        assert!(relation.is_undo());
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
