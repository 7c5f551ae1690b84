use super::Event;
use crate::payload::{Post, Relation, User};

/// What a user has to do with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Involvement {
    /// The user did it, possibly to themself.
    By,
    /// Somebody else did it, and it is about the user: it answers, names, quotes, reposts or
    /// likes them, follows, blocks or mutes them, writes to them.
    About,
}

impl Event {
    /// Returns the identifier of the user who did it, in decimal; `None` when the event names
    /// nobody, is one of the X Activity API, or is unknown.
    pub fn actor_id(&self) -> Option<String> {
        match self {
            Self::Post(post) => post.author_id(),
            Self::PostDelete(delete) => delete.status.user_id.clone(),
            Self::Favorite(favorite) => favorite.user.id(),
            Self::Follow(relation) | Self::Block(relation) | Self::Mute(relation) => {
                relation.source.id()
            }
            Self::DirectMessage(message) => Some(message.message_create.sender_id.clone()),
            Self::Typing(typing) => Some(typing.sender_id.clone()),
            Self::MarkRead(read) => Some(read.sender_id.clone()),
            Self::Revoke(event) => Some(event.revoke.source.user_id.clone()),
            Self::ReplayJobStatus(_) | Self::Activity(_) | Self::Unknown { .. } => None,
        }
    }

    /// Returns whether a user, usually the delivery's `for_user_id`, did it, or whether it is
    /// about them; `None` when the event does not say that it is either.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_types::event::{Event, Involvement};
    ///
    /// let follow = Event::decode("follow_events",
    ///     r#"{"type":"follow","source":{"id":"8"},"target":{"id":"7"}}"#);
    /// assert_eq!(follow.involvement("7"), Some(Involvement::About));
    /// assert_eq!(follow.involvement("8"), Some(Involvement::By));
    /// assert_eq!(follow.involvement("9"), None);
    /// ```
    pub fn involvement(&self, user_id: &str) -> Option<Involvement> {
        if self.actor_id().as_deref() == Some(user_id) {
            return Some(Involvement::By);
        }
        let about = match self {
            Self::Post(post) => is_about(post, user_id),
            Self::Favorite(favorite) => is_author(&favorite.favorited_status, user_id),
            Self::Follow(relation) | Self::Block(relation) | Self::Mute(relation) => {
                is_target(relation, user_id)
            }
            Self::DirectMessage(message) => message.message_create.target.recipient_id == user_id,
            Self::Typing(typing) => typing.target.recipient_id == user_id,
            Self::MarkRead(read) => read.target.recipient_id == user_id,
            Self::PostDelete(_)
            | Self::Revoke(_)
            | Self::ReplayJobStatus(_)
            | Self::Activity(_)
            | Self::Unknown { .. } => false,
        };
        about.then_some(Involvement::About)
    }
}

fn is_about(post: &Post, user_id: &str) -> bool {
    let inner = [&post.retweeted_status, &post.quoted_status];
    post.in_reply_to_user_id_str.as_deref() == Some(user_id)
        || inner.into_iter().flatten().any(|inner| is_author(inner, user_id))
        || post.mentions(user_id)
}

fn is_author(post: &Post, user_id: &str) -> bool {
    post.user.as_deref().is_some_and(|user| is(user, user_id))
}

fn is_target(relation: &Relation, user_id: &str) -> bool {
    is(&relation.target, user_id)
}

fn is(user: &User, user_id: &str) -> bool {
    user.id().as_deref() == Some(user_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says of users 7, 8 and 9 what they have to do with it.
    fn check(kind: &str, payload: &str, expected: [Option<Involvement>; 3]) {
        let event = Event::decode(kind, payload);
        assert!(!matches!(event, Event::Unknown { .. }), "{payload}");
        assert_eq!(["7", "8", "9"].map(|user| event.involvement(user)), expected, "{payload}");
    }

    #[test]
    fn posts() {
        let (by, about) = (Some(Involvement::By), Some(Involvement::About));
        let check = |members: &str, expected| {
            let payload = format!(r#"{{"id_str":"21","user":{{"id":7,"id_str":"7"}},{members}}}"#);
            check("tweet_create_events", &payload, expected);
        };
        check(r#""text":"alone""#, [by, None, None]);
        check(r#""in_reply_to_user_id_str":"8""#, [by, about, None]);
        check(r#""in_reply_to_user_id_str":"7""#, [by, None, None]);
        check(
            r#""retweeted_status":{"id_str":"20","user":{"id":8,"id_str":"8"}}"#,
            [by, about, None],
        );
        check(r#""quoted_status":{"id_str":"20","user":{"id":9,"id_str":"9"}}"#, [by, None, about]);
        check(
            r#""entities":{"user_mentions":[{"id_str":"8"},{"id_str":"9"}]}"#,
            [by, about, about],
        );
        check(
            r#""extended_tweet":{"entities":{"user_mentions":[{"id_str":"9"}]}}"#,
            [by, None, about],
        );
        // The text of the inner post is not this one's.
        check(
            r#""retweeted_status":{"id_str":"20","entities":{"user_mentions":[{"id_str":"9"}]}}"#,
            [by, None, None],
        );
    }

    #[test]
    fn everything_else() {
        let (by, about) = (Some(Involvement::By), Some(Involvement::About));
        let pair = r#"{"source":{"id":"8"},"target":{"id":"7"}}"#;
        for kind in ["follow_events", "unblock_events", "mute_events"] {
            check(kind, pair, [about, by, None]);
        }
        check("tweet_delete_events", r#"{"status":{"id":"20","user_id":"9"}}"#, [None, None, by]);
        check(
            "favorite_events",
            r#"{"user":{"id":9,"id_str":"9"},"favorited_status":{"id_str":"20","user":{"id":7}}}"#,
            [about, None, by],
        );
        let talk = r#"{"sender_id":"8","target":{"recipient_id":"9"}}"#;
        check("direct_message_indicate_typing_events", talk, [None, by, about]);
        check("direct_message_mark_read_events", talk, [None, by, about]);
        check(
            "direct_message_events",
            r#"{"id":"1","message_create":{"sender_id":"7","target":{"recipient_id":"8"},"message_data":{}}}"#,
            [by, about, None],
        );
        check(
            "user_event",
            r#"{"revoke":{"target":{"app_id":"7"},"source":{"user_id":"8"}}}"#,
            [None, by, None],
        );
        check("post.create", r#"{"event_type":"post.create"}"#, [None, None, None]);
    }
}
