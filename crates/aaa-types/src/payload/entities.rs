use super::{
    Integer,
    model::{model, words},
};

model! {
    /// What X found in a text: tags, links, names and media, each with its place.
    pub struct Entities {
        /// Words behind `#`.
        pub hashtags: Vec<Tag> = list("hashtags"),
        /// Words behind `$`.
        pub symbols: Vec<Tag> = list("symbols"),
        /// Links.
        pub urls: Vec<Link> = list("urls"),
        /// Users that are named.
        pub user_mentions: Vec<UserMention> = list("user_mentions"),
        /// Photos, videos and animations. All of a post's are in `extended_entities` only.
        pub media: Vec<Media> = list("media"),
    }
}

model! {
    /// A hashtag or a cashtag.
    pub struct Tag {
        /// The word, without its sign.
        pub text: Option<String> = optional("text"),
        /// Where it begins and ends, in characters of the text.
        pub indices: Option<[u64; 2]> = optional("indices"),
    }
}

model! {
    /// A link.
    pub struct Link {
        /// The `t.co` address in the text.
        pub url: Option<String> = optional("url"),
        /// Where it leads.
        pub expanded_url: Option<String> = optional("expanded_url"),
        /// The same, shortened to be shown.
        pub display_url: Option<String> = optional("display_url"),
        /// Where it begins and ends, in characters of the text.
        pub indices: Option<[u64; 2]> = optional("indices"),
    }
}

model! {
    /// A user named in a text.
    pub struct UserMention {
        /// The user's identifier. The number `id` beside it is not read.
        pub id_str: Option<String> = optional("id_str"),
        /// The handle, without `@`.
        pub screen_name: Option<String> = optional("screen_name"),
        /// The display name.
        pub name: Option<String> = optional("name"),
        /// Where it begins and ends, in characters of the text.
        pub indices: Option<[u64; 2]> = optional("indices"),
    }
}

model! {
    /// A photo, video or animation, of a post or of a direct message.
    pub struct Media {
        /// The identifier. The number `id` beside it is not read.
        pub id_str: Option<String> = optional("id_str"),
        /// What it is.
        pub kind: Option<MediaKind> = optional("type"),
        /// The picture, of a video its first one. That of a direct message needs credentials.
        pub media_url_https: Option<String> = optional("media_url_https"),
        /// The `t.co` address in the text.
        pub url: Option<String> = optional("url"),
        /// Where it leads.
        pub expanded_url: Option<String> = optional("expanded_url"),
        /// The same, shortened to be shown.
        pub display_url: Option<String> = optional("display_url"),
        /// Where the address begins and ends, in characters of the text.
        pub indices: Option<[u64; 2]> = optional("indices"),
        /// The files of a video or animation.
        pub video_info: Option<VideoInfo> = optional("video_info"),
    }
}

words! {
    /// What a piece of media is.
    pub enum MediaKind {
        /// A picture.
        Photo = "photo",
        /// A video.
        Video = "video",
        /// A silent video that repeats.
        AnimatedGif = "animated_gif",
    }
}

model! {
    /// The files of a video or animation.
    pub struct VideoInfo {
        /// Width and height, in lowest terms.
        pub aspect_ratio: Option<[u64; 2]> = optional("aspect_ratio"),
        /// How long it runs, in milliseconds; animations have none.
        pub duration_millis: Option<Integer> = optional("duration_millis"),
        /// The same in several sizes and formats.
        pub variants: Vec<VideoVariant> = list("variants"),
    }
}

model! {
    /// One file of a video or animation.
    pub struct VideoVariant {
        /// Bits per second; a playlist has none.
        pub bitrate: Option<Integer> = optional("bitrate"),
        /// The media type, such as `video/mp4`.
        pub content_type: Option<String> = optional("content_type"),
        /// Where it is.
        pub url: Option<String> = optional("url"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json() {
        let entities: Entities = serde_json::from_str(
            r#"{"hashtags":[{"indices":[7,9],"text":"x"}],"symbols":[],
                "urls":[{"url":"https:\/\/t.co\/a","expanded_url":"https:\/\/example.com"}],
                "user_mentions":[{"id":8,"id_str":"8","name":"Eight","screen_name":"eight"}],
                "media":[{"type":"video","id_str":"20","video_info":{"aspect_ratio":[16,9],
                "duration_millis":30033,"variants":[{"bitrate":832000,"content_type":"video/mp4"}]}}]}"#,
        )
        .unwrap();
        let video = entities.media[0].video_info.as_ref().unwrap();
        assert_eq!(video.variants[0].bitrate.as_ref().unwrap().as_u64(), Some(832_000));
        insta::assert_json_snapshot!(entities, @r#"
        {
          "hashtags": [
            {
              "text": "x",
              "indices": [
                7,
                9
              ]
            }
          ],
          "urls": [
            {
              "url": "https://t.co/a",
              "expanded_url": "https://example.com"
            }
          ],
          "user_mentions": [
            {
              "id_str": "8",
              "screen_name": "eight",
              "name": "Eight",
              "id": 8
            }
          ],
          "media": [
            {
              "id_str": "20",
              "type": "video",
              "video_info": {
                "aspect_ratio": [
                  16,
                  9
                ],
                "duration_millis": 30033,
                "variants": [
                  {
                    "bitrate": 832000,
                    "content_type": "video/mp4"
                  }
                ]
              }
            }
          ],
          "symbols": []
        }
        "#);
    }

    #[test]
    fn kinds_of_media() {
        for (word, kind) in [
            ("photo", MediaKind::Photo),
            ("video", MediaKind::Video),
            ("animated_gif", MediaKind::AnimatedGif),
            ("hologram", MediaKind::Other("hologram".to_owned())),
        ] {
            let json = format!("\"{word}\"");
            assert_eq!(serde_json::from_str::<MediaKind>(&json).unwrap(), kind);
            assert_eq!(serde_json::to_string(&kind).unwrap(), json);
        }
        assert!(serde_json::from_str::<MediaKind>(r#"{"photo":null}"#).is_err());
    }
}
