use serde::{Deserialize, Serialize};

use super::{Extra, Post, User};

/// A like: `user` liked `favorited_status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Favorite {
    /// The identifier, 32 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it happened, as X writes it: `Mon Mar 26 16:33:26 +0000 2018`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When it happened, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_ms: Option<u64>,
    /// The post that was liked.
    pub favorited_status: Box<Post>,
    /// Who liked it.
    pub user: Box<User>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json() {
        let favorite: Favorite = serde_json::from_str(
            r#"{"id":"a7ba59eab0bfcba386f7acedac279542","created_at":"Mon Mar 26 16:33:26 +0000 2018",
                "timestamp_ms":1522082006140,"favorited_status":{"id":20,"id_str":"20"},
                "user":{"id":7,"id_str":"7","screen_name":"seven"},"new":[1]}"#,
        )
        .unwrap();
        insta::assert_json_snapshot!(favorite, @r#"
        {
          "id": "a7ba59eab0bfcba386f7acedac279542",
          "created_at": "Mon Mar 26 16:33:26 +0000 2018",
          "timestamp_ms": 1522082006140,
          "favorited_status": {
            "id_str": "20",
            "id": 20
          },
          "user": {
            "id": 7,
            "id_str": "7",
            "screen_name": "seven"
          },
          "new": [
            1
          ]
        }
        "#);
    }
}
