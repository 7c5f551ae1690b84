use jiff::Timestamp;
use serde_json::Value;

use super::{Integer, model::model};
use crate::time::{parse_created_at, parse_epoch_millis};

model! {
    /// A user inside a post, a favorite or a relation, or beside a direct message.
    ///
    /// X writes users in three ways: a numeric `id` with `id_str` and nulls in posts and
    /// favorites, a string `id` alone and empty texts in relations, a string `id` and few members,
    /// some of them the text `"null"`, beside direct messages. [`User::id`] reads all of them, and
    /// so do the other methods.
    pub struct User {
        raw_id: Option<Value> = optional("id"),
        /// The identifier as a string, where X gives it twice.
        pub id_str: Option<String> = optional("id_str"),
        /// The display name.
        pub name: Option<String> = optional("name"),
        /// The handle, without `@`.
        pub screen_name: Option<String> = optional("screen_name"),
        /// When the account was made, in posts: `Mon Mar 26 16:33:26 +0000 2018`.
        pub created_at: Option<String> = optional("created_at"),
        /// When the account was made, beside direct messages: milliseconds since 1970, as a
        /// string.
        pub created_timestamp: Option<Integer> = optional("created_timestamp"),
        /// Where the user says to be, as it came: see [`User::location`].
        pub location: Option<String> = optional("location"),
        /// What the user says about themself, as it came: see [`User::description`].
        pub description: Option<String> = optional("description"),
        /// The user's own link, as it came: see [`User::url`].
        pub url: Option<String> = optional("url"),
        /// Whether only followers see the posts.
        pub protected: Option<bool> = optional("protected"),
        /// Whether X has verified the account.
        pub verified: Option<bool> = optional("verified"),
        /// How many follow the user.
        pub followers_count: Option<Integer> = optional("followers_count"),
        /// How many the user follows.
        pub friends_count: Option<Integer> = optional("friends_count"),
        /// How many posts there are.
        pub statuses_count: Option<Integer> = optional("statuses_count"),
        /// The picture.
        pub profile_image_url_https: Option<String> = optional("profile_image_url_https"),
    }
}

impl User {
    /// Returns the identifier, in decimal.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_types::payload::User;
    ///
    /// for user in [r#"{"id":7,"id_str":"7"}"#, r#"{"id":"7"}"#, r#"{"id":7}"#] {
    ///     assert_eq!(serde_json::from_str::<User>(user)?.id().as_deref(), Some("7"));
    /// }
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn id(&self) -> Option<String> {
        self.id_str.clone().or_else(|| match &self.raw_id {
            Some(Value::String(id)) => Some(id.clone()),
            Some(Value::Number(id)) => Some(id.to_string()),
            _ => None,
        })
    }

    /// Returns when the account was made.
    pub fn created_at(&self) -> Option<Timestamp> {
        let millis = || parse_epoch_millis(&self.created_timestamp.as_ref()?.to_string());
        self.created_at.as_deref().and_then(parse_created_at).or_else(millis)
    }

    /// Returns where the user says to be; `None` for X's ways to write nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_types::payload::User;
    ///
    /// for user in ["{}", r#"{"location":null}"#, r#"{"location":""}"#, r#"{"location":"null"}"#] {
    ///     assert_eq!(serde_json::from_str::<User>(user)?.location(), None);
    /// }
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn location(&self) -> Option<&str> {
        present(self.location.as_deref())
    }

    /// Returns what the user says about themself; `None` for X's ways to write nothing.
    pub fn description(&self) -> Option<&str> {
        present(self.description.as_deref())
    }

    /// Returns the user's own link; `None` for X's ways to write nothing.
    pub fn url(&self) -> Option<&str> {
        present(self.url.as_deref())
    }
}

/// X writes nothing as an absent member, null, an empty text or the text `null`. Names are not
/// asked this way: somebody may be called so.
fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty() && *text != "null")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_a_direct_message() {
        let user: User = serde_json::from_str(
            r#"{"id":"7","created_timestamp":"1422556069340","name":"null","screen_name":"seven",
                "url":"null","description":"","protected":false,"followers_count":22}"#,
        )
        .unwrap();
        assert_eq!(user.id().as_deref(), Some("7"));
        assert_eq!(user.created_at().unwrap().to_string(), "2015-01-29T18:27:49.34Z");
        assert_eq!((user.url(), user.description(), user.location()), (None, None, None));
        assert_eq!(user.name.as_deref(), Some("null"));
        insta::assert_json_snapshot!(user, @r#"
        {
          "id": "7",
          "name": "null",
          "screen_name": "seven",
          "created_timestamp": "1422556069340",
          "description": "",
          "url": "null",
          "protected": false,
          "followers_count": 22
        }
        "#);
    }

    #[test]
    fn inside_a_post() {
        let user: User = serde_json::from_str(
            r#"{"id":1050118621198921700,"id_str":"1050118621198921728","name":"S","location":null,
                "url":"https:\/\/t.co\/x","created_at":"Thu Jul 15 23:26:04 +0000 2010","following":null}"#,
        )
        .unwrap();
        assert_eq!(user.id().as_deref(), Some("1050118621198921728"));
        assert_eq!(user.url(), Some("https://t.co/x"));
        assert_eq!(user.created_at().unwrap().to_string(), "2010-07-15T23:26:04Z");
        insta::assert_json_snapshot!(user, @r#"
        {
          "id": 1050118621198921700,
          "id_str": "1050118621198921728",
          "name": "S",
          "created_at": "Thu Jul 15 23:26:04 +0000 2010",
          "url": "https://t.co/x",
          "following": null,
          "location": null
        }
        "#);
    }
}
