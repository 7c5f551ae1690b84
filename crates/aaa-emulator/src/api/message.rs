//! The body of a direct message.

use aaa_types::UserId;
use serde::Deserialize;

use crate::world::NewMessage;

/// The longest text, in characters. X's description of the call has no maximum.
const MAX_TEXT: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    text: Option<String>,
    attachments: Option<Vec<Attachment>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attachment {
    media_id: String,
}

/// Reads the body strictly, as X does. The words of a refusal are those of a JSON schema.
pub(super) fn parse(sender: UserId, recipient: UserId, body: &[u8]) -> Result<NewMessage, String> {
    let Body { text, attachments } =
        serde_json::from_slice(body).map_err(|error| format!("$: {error}"))?;
    let length = text.as_ref().map(|text| text.chars().count());
    if length.is_some_and(|length| !(1..=MAX_TEXT).contains(&length)) {
        return Err(format!("$.text: must be 1 to {MAX_TEXT} characters long"));
    }
    let attachments = attachments.unwrap_or_default().into_iter().enumerate();
    let media_ids = attachments.map(|(n, Attachment { media_id })| {
        let pattern = "does not match the regex pattern ^[0-9]{1,19}$";
        let wrong = || format!("$.attachments[{n}].media_id: {pattern}");
        parse_media_id(&media_id).ok_or_else(wrong)
    });
    let media_ids = media_ids.collect::<Result<Vec<_>, _>>()?;
    if text.is_none() && media_ids.is_empty() {
        return Err("$: at least one of `text`, `attachments` is required".into());
    }
    Ok(NewMessage { sender, recipient, text, media_ids })
}

fn parse_media_id(text: &str) -> Option<u64> {
    let fits = (1..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(id: u64) -> UserId {
        UserId::try_from(id).unwrap()
    }

    fn read(body: &str) -> Result<(Option<String>, Vec<u64>), String> {
        parse(user(7), user(8), body.as_bytes()).map(|m| (m.text, m.media_ids))
    }

    #[test]
    fn strictly() {
        let hi = Some("hi".to_owned());
        assert_eq!(read(r#"{"text":"hi"}"#), Ok((hi.clone(), vec![])));
        assert_eq!(read(r#"{"attachments":[{"media_id":"12"}]}"#), Ok((None, vec![12])));
        assert_eq!(
            read(r#"{"text":"hi","attachments":[{"media_id":"9999999999999999999"}]}"#),
            Ok((hi.clone(), vec![9_999_999_999_999_999_999]))
        );
        assert_eq!(
            read(r#"{"attachments":[{"media_id":"1"},{"media_id":"2"}]}"#),
            Ok((None, vec![1, 2]))
        );
        assert_eq!(read(r#"{"text":"hi","attachments":[]}"#), Ok((hi, vec![])));
        for bad in [
            "",
            "{}",
            "[]",
            "null",
            r#""hi""#,
            r#"{"text":""}"#,
            r#"{"text":7}"#,
            r#"{"text":"hi","x":1}"#,
            r#"{"text":"hi","text":"ho"}"#,
            r#"{"text":"hi"} more"#,
            r#"{"attachments":[]}"#,
            r#"{"attachments":{"media_id":"12"}}"#,
            r#"{"attachments":[{"media_id":12}]}"#,
            r#"{"attachments":[{"media_id":""}]}"#,
            r#"{"attachments":[{"media_id":"+1"}]}"#,
            r#"{"attachments":[{"media_id":"12345678901234567890"}]}"#,
            r#"{"attachments":[{"media_id":"12","x":1}]}"#,
            r#"{"attachments":[{}]}"#,
            r#"{"attachments":[{"media_id":"1"},{"media_id":"x"}]}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let longest = "ä".repeat(MAX_TEXT);
        assert!(read(&format!(r#"{{"text":"{longest}"}}"#)).is_ok());
        assert!(read(&format!(r#"{{"text":"{longest}x"}}"#)).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse(user(7), user(8), &bytes);
        }
    }
}
