use serde_json::Value;

use super::{Extra, Integer, model::model};

model! {
    /// An event of the X Activity API, which comes to the same webhook: the value of `data`.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_types::event::{Body, Event};
    ///
    /// let body = Body::parse(br#"{"data":{"event_uuid":"-6850472171600526495","filter":{},
    ///     "event_type":"dm.received","payload":{"direct_message_events":[]}}}"#)?;
    /// let Event::Activity(activity) = body.events()[0].decode() else { panic!("another kind") };
    /// assert_eq!(activity.event_type, "dm.received");
    /// assert_eq!(activity.event_uuid.unwrap().as_i64(), Some(-6850472171600526495));
    /// # Ok::<(), aaa_types::event::BodyError>(())
    /// ```
    pub struct Activity {
        /// What happened, such as `post.create`.
        pub event_type: String = required("event_type"),
        /// The identifier. It may be negative, and one of X's samples has none.
        pub event_uuid: Option<Integer> = optional("event_uuid"),
        /// What the subscription asked for; may be empty.
        pub filter: Option<Extra> = optional("filter"),
        /// The name that the subscription was given.
        pub tag: Option<String> = optional("tag"),
        /// What it is about, in a shape of its own for each type.
        pub payload: Option<Value> = optional("payload"),
        /// Posts, users and media that the payload refers to.
        pub includes: Option<Value> = optional("includes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json() {
        let activity: Activity = serde_json::from_str(
            r#"{"event_uuid":"-2781149976877970683","filter":{"user_id":"7"},
                "event_type":"post.delete","tag":"deletes","payload":{"id":"20","author_id":"7"},
                "includes":{"users":[]},"new":1}"#,
        )
        .unwrap();
        insta::assert_json_snapshot!(activity, @r#"
        {
          "event_type": "post.delete",
          "event_uuid": "-2781149976877970683",
          "filter": {
            "user_id": "7"
          },
          "tag": "deletes",
          "payload": {
            "author_id": "7",
            "id": "20"
          },
          "includes": {
            "users": []
          },
          "new": 1
        }
        "#);
    }

    #[test]
    fn nothing_but_a_type_is_enough() {
        let activity: Activity =
            serde_json::from_str(r#"{"event_type":"chat.sent","filter":{}}"#).unwrap();
        assert!(activity.event_uuid.is_none() && activity.payload.is_none());
        assert!(activity.filter.unwrap().is_empty());
    }
}
