use jiff::Timestamp;

use super::model::model;
use crate::time::parse_created_at;

model! {
    /// A user took back the app's access (`user_event`). X has ended the subscription.
    ///
    /// The delivery has no `for_user_id`.
    pub struct UserEvent {
        /// Who took it back from whom.
        pub revoke: Revoke = required("revoke"),
    }
}

model! {
    /// The end of an app's access to a user.
    pub struct Revoke {
        /// When, as X writes it: `2018-05-24T09:48:12+00:00`.
        pub date_time: Option<String> = optional("date_time"),
        /// The app.
        pub target: RevokeTarget = required("target"),
        /// The user.
        pub source: RevokeSource = required("source"),
    }
}

impl Revoke {
    /// Returns when it happened.
    pub fn revoked_at(&self) -> Option<Timestamp> {
        parse_created_at(self.date_time.as_deref()?)
    }
}

model! {
    /// The app that lost access.
    pub struct RevokeTarget {
        /// The app.
        pub app_id: String = required("app_id"),
    }
}

model! {
    /// The user who took access back.
    pub struct RevokeSource {
        /// The user.
        pub user_id: String = required("user_id"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trap: here the time is written as nowhere else.
    #[test]
    fn json() {
        let event: UserEvent = serde_json::from_str(
            r#"{"revoke":{"date_time":"2018-05-24T09:48:12+00:00","target":{"app_id":"13090192"},
                "source":{"user_id":"63046977","new":true}}}"#,
        )
        .unwrap();
        assert_eq!(event.revoke.revoked_at().unwrap().to_string(), "2018-05-24T09:48:12Z");
        insta::assert_json_snapshot!(event, @r#"
        {
          "revoke": {
            "date_time": "2018-05-24T09:48:12+00:00",
            "target": {
              "app_id": "13090192"
            },
            "source": {
              "user_id": "63046977",
              "new": true
            }
          }
        }
        "#);
    }
}
