//! The body around an item: whom it is for, and what stands beside.

use aaa_types::UserId;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::{Item, Shape, direct_message, escape_slashes, merge};
use crate::settings::BlockedFlag;

/// What a body says besides its item.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    /// How it is told whether the user has blocked the author of a post.
    pub(crate) flag: BlockedFlag,
    /// Whether they have.
    pub(crate) has_blocked: bool,
    /// What the caller wants to differ.
    pub(crate) context: Option<&'a Map<String, Value>>,
}

impl From<BlockedFlag> for Around<'_> {
    fn from(flag: BlockedFlag) -> Self {
        Self { flag, has_blocked: false, context: None }
    }
}

impl Item {
    /// Writes the body that carries the item for a user.
    pub(crate) fn body(&self, for_user: UserId, around: Around<'_>) -> Bytes {
        let kind = Value::from(self.kind.as_str());
        let item = &self.value;
        let mut text = match self.shape {
            Shape::Alone => format!("{{{kind}:{item}"),
            Shape::Activity => format!(r#"{{"data":{item}"#),
            Shape::Listed => format!(r#"{{"for_user_id":"{for_user}",{kind}:[{item}]"#),
            Shape::Whole => return Bytes::from(escape_slashes(&item.to_string())),
        };
        for (name, value) in self.members(for_user, around) {
            text.push_str(&format!(",{}:{value}", Value::from(name)));
        }
        text.push('}');
        Bytes::from(escape_slashes(&text))
    }

    /// The body's other top-level members, with those that the caller wants to differ.
    fn members(&self, for_user: UserId, around: Around<'_>) -> Vec<(String, Value)> {
        let own = self.context(for_user, around);
        let mut members: Vec<_> =
            own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        for (name, given) in around.context.into_iter().flatten() {
            match members.iter_mut().find(|(known, _)| known == name) {
                Some((_, value)) => merge(value, given),
                None => members.push((name.clone(), given.clone())),
            }
        }
        members.retain(|(_, value)| !value.is_null());
        members
    }

    /// The body's other top-level members, as X writes them.
    fn context(&self, for_user: UserId, around: Around<'_>) -> Vec<(&'static str, Value)> {
        match self.kind.as_str() {
            "tweet_create_events" if self.is_addressed_to(for_user) => {
                let flag = match around.flag {
                    BlockedFlag::Bool => Value::Bool(around.has_blocked),
                    BlockedFlag::Text => Value::from(around.has_blocked.to_string()),
                };
                vec![("user_has_blocked", flag)]
            }
            "direct_message_events"
            | "direct_message_indicate_typing_events"
            | "direct_message_mark_read_events" => direct_message::context(&self.value),
            _ => Vec::new(),
        }
    }
}
