use jiff::Timestamp;

use super::{Entities, Integer, Media, User, model::model};
use crate::time::{parse_created_at, parse_epoch_millis};

model! {
    /// A post: an own one, a reply, a repost, a quote or a mention.
    ///
    /// One post may be several of these at once: a reply that quotes, a quote that mentions.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_types::payload::Post;
    ///
    /// let post: Post = serde_json::from_str(r#"{"id_str":"21","text":"@seven yes",
    ///     "in_reply_to_status_id_str":"20","in_reply_to_user_id_str":"7",
    ///     "user":{"id":8,"id_str":"8"},
    ///     "entities":{"user_mentions":[{"id_str":"7","screen_name":"seven"}]}}"#)?;
    /// assert!(post.is_reply() && post.mentions("7"));
    /// assert!(!post.is_repost() && !post.is_quote());
    /// assert_eq!(post.author_id().as_deref(), Some("8"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct Post {
        /// The identifier. The numeric `id` beside it may have lost precision and is not read.
        pub id_str: String = required("id_str"),
        /// When it was made, as X writes it: `Mon Mar 26 16:33:26 +0000 2018`.
        pub created_at: Option<String> = optional("created_at"),
        /// Its time in milliseconds since 1970: here a string, in favorites a number.
        pub timestamp_ms: Option<Integer> = optional("timestamp_ms"),
        /// The text; cut off when `truncated` is set, see [`Post::full_text`].
        pub text: Option<String> = optional("text"),
        /// Which part of the text is shown: names before it are whom it answers, links behind it
        /// media and the quoted post.
        pub display_text_range: Option<[u64; 2]> = optional("display_text_range"),
        /// Whether `text` is cut off.
        pub truncated: Option<bool> = optional("truncated"),
        /// The whole of a long post.
        pub extended_tweet: Option<Box<ExtendedPost>> = optional("extended_tweet"),
        /// The author.
        pub user: Option<Box<User>> = optional("user"),
        /// The post that this one answers.
        pub in_reply_to_status_id_str: Option<String> = optional("in_reply_to_status_id_str"),
        /// The user whom this post answers, or with whose name it begins.
        pub in_reply_to_user_id_str: Option<String> = optional("in_reply_to_user_id_str"),
        /// The handle of that user.
        pub in_reply_to_screen_name: Option<String> = optional("in_reply_to_screen_name"),
        /// The post that this one reposts.
        pub retweeted_status: Option<Box<Self>> = optional("retweeted_status"),
        /// Whether this post, or the one that it reposts, quotes one.
        pub is_quote_status: Option<bool> = optional("is_quote_status"),
        /// The identifier of the quoted post, which may be gone.
        pub quoted_status_id_str: Option<String> = optional("quoted_status_id_str"),
        /// The post that this one quotes.
        pub quoted_status: Option<Box<Self>> = optional("quoted_status"),
        /// Tags, links and names in `text`; of a long post see [`Post::full_entities`].
        pub entities: Option<Box<Entities>> = optional("entities"),
        /// All media; see [`Post::media`].
        pub extended_entities: Option<Box<Entities>> = optional("extended_entities"),
        /// The versions of an edited post.
        pub edit_history: Option<Box<EditHistory>> = optional("edit_history"),
        /// Whether it may still be edited.
        pub edit_controls: Option<Box<EditControls>> = optional("edit_controls"),
        /// The language, as X guessed it.
        pub lang: Option<String> = optional("lang"),
    }
}

impl Post {
    /// Returns the whole text, also of a long post.
    pub fn full_text(&self) -> Option<&str> {
        let extended = self.extended_tweet.as_ref().and_then(|long| long.full_text.as_deref());
        extended.or(self.text.as_deref())
    }

    /// Returns the tags, links and names of the whole text.
    pub fn full_entities(&self) -> Option<&Entities> {
        let extended = self.extended_tweet.as_ref().and_then(|long| long.entities.as_deref());
        extended.or(self.entities.as_deref())
    }

    /// Returns the photos, videos and animations, also of a long post.
    pub fn media(&self) -> &[Media] {
        let long = self.extended_tweet.as_deref();
        let places = [
            long.and_then(|long| long.extended_entities.as_deref()),
            self.extended_entities.as_deref(),
            long.and_then(|long| long.entities.as_deref()),
            self.entities.as_deref(),
        ];
        let media = places.into_iter().flatten().map(|entities| entities.media.as_slice());
        media.into_iter().find(|media| !media.is_empty()).unwrap_or_default()
    }

    /// Returns when the post was made.
    pub fn created_at(&self) -> Option<Timestamp> {
        parse_created_at(self.created_at.as_deref()?)
    }

    /// Returns the author's identifier, in decimal.
    pub fn author_id(&self) -> Option<String> {
        self.user.as_ref()?.id()
    }

    /// Returns whether it only passes on another post.
    pub fn is_repost(&self) -> bool {
        self.retweeted_status.is_some()
    }

    /// Returns whether it quotes another post. The repost of a quote is none.
    pub fn is_quote(&self) -> bool {
        let quotes = self.quoted_status.is_some() || self.quoted_status_id_str.is_some();
        !self.is_repost() && (quotes || self.is_quote_status == Some(true))
    }

    /// Returns whether it answers another post. A post that merely begins with a name is none.
    pub fn is_reply(&self) -> bool {
        self.in_reply_to_status_id_str.is_some()
    }

    /// Returns whether the author changed it at least once. Each version has an identifier of its
    /// own, and is delivered as a post.
    pub fn is_edit(&self) -> bool {
        self.edit_history.as_ref().is_some_and(|history| history.edit_tweet_ids.len() > 1)
    }

    /// Returns whether the text names a user, given the identifier in decimal.
    pub fn mentions(&self, user_id: &str) -> bool {
        let named = |entities: &Entities| {
            entities.user_mentions.iter().any(|user| user.id_str.as_deref() == Some(user_id))
        };
        self.full_entities().is_some_and(named) || self.entities.as_deref().is_some_and(named)
    }
}

model! {
    /// The part of a long post that does not fit the older format.
    pub struct ExtendedPost {
        /// The whole text.
        pub full_text: Option<String> = optional("full_text"),
        /// Which part of the text is shown.
        pub display_text_range: Option<[u64; 2]> = optional("display_text_range"),
        /// Tags, links and names in the whole text.
        pub entities: Option<Box<Entities>> = optional("entities"),
        /// All media.
        pub extended_entities: Option<Box<Entities>> = optional("extended_entities"),
    }
}

model! {
    /// The versions of an edited post.
    pub struct EditHistory {
        /// The first version.
        pub initial_tweet_id: Option<String> = optional("initial_tweet_id"),
        /// All versions, oldest first.
        pub edit_tweet_ids: Vec<String> = list("edit_tweet_ids"),
    }
}

model! {
    /// Whether a post may still be edited.
    pub struct EditControls {
        /// Until when, in milliseconds since 1970.
        pub editable_until_ms: Option<Integer> = optional("editable_until_ms"),
        /// How many times.
        pub edits_remaining: Option<Integer> = optional("edits_remaining"),
        /// Whether X lets it be edited at all.
        pub is_edit_eligible: Option<bool> = optional("is_edit_eligible"),
    }
}

model! {
    /// The end of a post (`tweet_delete_events`).
    pub struct PostDelete {
        /// The post.
        pub status: DeletedPost = required("status"),
        /// When it was deleted, in milliseconds since 1970, as a string.
        pub timestamp_ms: Option<Integer> = optional("timestamp_ms"),
    }
}

impl PostDelete {
    /// Returns when the post was deleted.
    pub fn deleted_at(&self) -> Option<Timestamp> {
        parse_epoch_millis(&self.timestamp_ms.as_ref()?.to_string())
    }
}

model! {
    /// What X says of a post that is gone.
    pub struct DeletedPost {
        /// The post's identifier.
        pub id: String = required("id"),
        /// Its author.
        pub user_id: Option<String> = optional("user_id"),
    }
}

#[cfg(test)]
mod tests;
