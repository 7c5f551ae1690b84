use serde::{Deserialize, Serialize};

use super::Extra;

/// A user inside a post, a favorite or a relation.
///
/// X writes users in three ways: a numeric `id` with `id_str` in posts and favorites, a string
/// `id` alone in relations and direct messages. [`User::id`] reads all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "id")]
    raw_id: Option<serde_json::Value>,
    /// The identifier as a string, where X gives it twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_str: Option<String>,
    /// The display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The handle, without `@`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen_name: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
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
            Some(serde_json::Value::String(id)) => Some(id.clone()),
            Some(serde_json::Value::Number(id)) => Some(id.to_string()),
            _ => None,
        })
    }
}
