use jiff::Timestamp;

use super::{Post, User, model::model};
use crate::time::parse_created_at;

model! {
    /// A like: `user` liked `favorited_status`.
    pub struct Favorite {
        /// The identifier, 32 hex digits.
        pub id: Option<String> = optional("id"),
        /// When it happened, as X writes it: `Mon Mar 26 16:33:26 +0000 2018`.
        pub created_at: Option<String> = optional("created_at"),
        /// When it happened, in milliseconds since 1970.
        pub timestamp_ms: Option<u64> = optional("timestamp_ms"),
        /// The post that was liked.
        pub favorited_status: Box<Post> = required("favorited_status"),
        /// Who liked it.
        pub user: Box<User> = required("user"),
    }
}

impl Favorite {
    /// Returns when it happened: to the millisecond when X says so.
    pub fn created_at(&self) -> Option<Timestamp> {
        let millis = self.timestamp_ms.and_then(|millis| i64::try_from(millis).ok());
        let millis = millis.and_then(|millis| Timestamp::from_millisecond(millis).ok());
        millis.or_else(|| parse_created_at(self.created_at.as_deref()?))
    }
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
        assert_eq!(favorite.created_at().unwrap().to_string(), "2018-03-26T16:33:26.14Z");
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
