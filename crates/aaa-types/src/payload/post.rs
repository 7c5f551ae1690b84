use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Extra, User};
use crate::time::parse_created_at;

/// A post: an own one, a reply, a repost, a quote or a mention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Post {
    /// The identifier. The numeric `id` beside it may have lost precision and is not read.
    pub id_str: String,
    /// When it was made, as X writes it: `Mon Mar 26 16:33:26 +0000 2018`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// The text; cut off when `truncated` is set, see [`Post::full_text`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether `text` is cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,
    /// The whole of a long post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_tweet: Option<Box<ExtendedPost>>,
    /// The author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Box<User>>,
    /// The post that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_reply_to_status_id_str: Option<String>,
    /// The post that this one reposts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retweeted_status: Option<Box<Self>>,
    /// The post that this one quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted_status: Option<Box<Self>>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Post {
    /// Returns the whole text, also of a long post.
    pub fn full_text(&self) -> Option<&str> {
        let extended = self.extended_tweet.as_ref().and_then(|long| long.full_text.as_deref());
        extended.or(self.text.as_deref())
    }

    /// Returns when the post was made.
    pub fn created_at(&self) -> Option<Timestamp> {
        parse_created_at(self.created_at.as_deref()?)
    }
}

/// The part of a long post that does not fit the older format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExtendedPost {
    /// The whole text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_text: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_post_keeps_what_is_not_modelled() {
        let post: Post = serde_json::from_str(
            r#"{"created_at":"Thu Oct 11 12:00:00 +0000 2018","id":1050118621198921700,
                "id_str":"1050118621198921728","text":"To make room for …","truncated":true,
                "extended_tweet":{"full_text":"To make room for more expression","display_text_range":[0,32]},
                "user":{"id":6253282,"id_str":"6253282","screen_name":"API","url":null},
                "retweeted_status":{"id_str":"20","text":"inner"},
                "edit_history":{"initial_tweet_id":"1050118621198921728","edit_tweet_ids":["1050118621198921728"]}}"#,
        )
        .unwrap();
        assert_eq!(post.full_text(), Some("To make room for more expression"));
        assert_eq!(post.created_at().unwrap().to_string(), "2018-10-11T12:00:00Z");
        insta::assert_json_snapshot!(post, @r#"
        {
          "id_str": "1050118621198921728",
          "created_at": "Thu Oct 11 12:00:00 +0000 2018",
          "text": "To make room for …",
          "truncated": true,
          "extended_tweet": {
            "full_text": "To make room for more expression",
            "display_text_range": [
              0,
              32
            ]
          },
          "user": {
            "id": 6253282,
            "id_str": "6253282",
            "screen_name": "API",
            "url": null
          },
          "retweeted_status": {
            "id_str": "20",
            "text": "inner"
          },
          "edit_history": {
            "edit_tweet_ids": [
              "1050118621198921728"
            ],
            "initial_tweet_id": "1050118621198921728"
          },
          "id": 1050118621198921700
        }
        "#);
    }
}
