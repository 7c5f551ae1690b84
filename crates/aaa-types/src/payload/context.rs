use std::collections::BTreeMap;

use super::{DirectMessage, Flag, User, model::model};

model! {
    /// What a delivery says beside its events: who is meant, which apps wrote, who blocked whom.
    ///
    /// It is read from the context of a delivery:
    /// [`Context::decode`](crate::event::Context::decode), or from its JSON.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_types::payload::DeliveryContext;
    ///
    /// let context: DeliveryContext = serde_json::from_str(r#"{"user_has_blocked":"true",
    ///     "users":{"7":{"id":"7","screen_name":"seven"}}}"#)?;
    /// assert!(context.user_has_blocked());
    /// assert_eq!(context.users["7"].screen_name.as_deref(), Some("seven"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[derive(Default)]
    pub struct DeliveryContext {
        /// Whether the subscribed user has blocked the author, on mentions and replies.
        pub user_has_blocked: Option<Flag> = optional("user_has_blocked"),
        /// Whether the author has blocked the subscribed user. X shows it only when it is so, and
        /// does not say where.
        pub is_blocked_by: Option<Flag> = optional("is_blocked_by"),
        /// The users of direct messages, by their identifiers.
        pub users: BTreeMap<String, User> = map("users"),
        /// The apps that sent direct messages, by their identifiers. Often absent.
        pub apps: BTreeMap<String, App> = map("apps"),
    }
}

impl DeliveryContext {
    /// Returns whether X says that the subscribed user has blocked the author.
    pub fn user_has_blocked(&self) -> bool {
        self.user_has_blocked.is_some_and(Flag::is_set)
    }

    /// Returns who sent a direct message.
    pub fn sender(&self, message: &DirectMessage) -> Option<&User> {
        self.users.get(&message.message_create.sender_id)
    }

    /// Returns to whom a direct message was sent.
    pub fn recipient(&self, message: &DirectMessage) -> Option<&User> {
        self.users.get(&message.message_create.target.recipient_id)
    }

    /// Returns the app that sent a direct message.
    pub fn source_app(&self, message: &DirectMessage) -> Option<&App> {
        self.apps.get(message.message_create.source_app_id.as_ref()?)
    }
}

model! {
    /// An app that sent a direct message.
    pub struct App {
        /// The identifier.
        pub id: Option<String> = optional("id"),
        /// Its name.
        pub name: Option<String> = optional("name"),
        /// Its address.
        pub url: Option<String> = optional("url"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json() {
        let context: DeliveryContext = serde_json::from_str(
            r#"{"user_has_blocked":false,"is_blocked_by":"true","apps":{"100":{"id":"100",
                "name":"App","url":"https:\/\/example.com"}},"users":{"8":{"id":"8"}},"new":[]}"#,
        )
        .unwrap();
        assert!(context.is_blocked_by.unwrap().is_set());
        insta::assert_json_snapshot!(context, @r#"
        {
          "user_has_blocked": false,
          "is_blocked_by": "true",
          "users": {
            "8": {
              "id": "8"
            }
          },
          "apps": {
            "100": {
              "id": "100",
              "name": "App",
              "url": "https://example.com"
            }
          },
          "new": []
        }
        "#);
    }

    /// Trap: a JSON boolean in captures, a text on X's pages, absent mostly.
    #[test]
    fn forms_of_user_has_blocked() {
        for (json, blocked, given) in [
            (r#"{"user_has_blocked":true}"#, true, true),
            (r#"{"user_has_blocked":false}"#, false, true),
            (r#"{"user_has_blocked":"true"}"#, true, true),
            (r#"{"user_has_blocked":"false"}"#, false, true),
            (r#"{"user_has_blocked":null}"#, false, false),
            ("{}", false, false),
        ] {
            let context: DeliveryContext = serde_json::from_str(json).unwrap();
            assert_eq!(context.user_has_blocked(), blocked, "{json}");
            assert_eq!(context.user_has_blocked.is_some(), given, "{json}");
            assert_eq!(serde_json::to_string(&context).unwrap(), json);
        }
    }

    /// Trap: `apps` may be absent, and a message may name an app that is not in it.
    #[test]
    fn parties_of_a_message() {
        let message: DirectMessage = serde_json::from_str(
            r#"{"id":"1","message_create":{"sender_id":"8","target":{"recipient_id":"7"},
                "source_app_id":"100","message_data":{}}}"#,
        )
        .unwrap();
        let read = |json| serde_json::from_str::<DeliveryContext>(json).unwrap();
        let full = read(
            r#"{"users":{"7":{"id":"7","name":"Seven"},"8":{"id":"8","name":"Eight"}},
                "apps":{"100":{"name":"App"}}}"#,
        );
        assert_eq!(full.sender(&message).unwrap().name.as_deref(), Some("Eight"));
        assert_eq!(full.recipient(&message).unwrap().name.as_deref(), Some("Seven"));
        assert_eq!(full.source_app(&message).unwrap().name.as_deref(), Some("App"));
        for empty in ["{}", r#"{"users":{},"apps":{}}"#, r#"{"users":null,"apps":[]}"#] {
            let empty = read(empty);
            assert!(empty.sender(&message).is_none() && empty.source_app(&message).is_none());
        }
    }
}
