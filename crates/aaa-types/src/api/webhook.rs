use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{WebhookId, time::parse_created_at, url::WebhookAddress};

/// A registered webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its identifier.
    pub id: WebhookId,
    /// Where X delivers, in its own words.
    pub url: WebhookAddress,
    /// Whether the last challenge-response check passed. An invalid webhook receives nothing, and
    /// this is the only sign of it.
    pub valid: bool,
    /// When it was registered, where X says it in a form that is known.
    #[serde(
        default,
        alias = "created_timestamp",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "readable_time"
    )]
    pub created_at: Option<Timestamp>,
}

/// The answer to a request for a challenge-response check (`PUT /2/webhooks/{id}`).
///
/// X's documents name the member `valid` in one version and `attempted` in another, and do not
/// agree on whether it tells the outcome: confirm it by listing the webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ValidationShapes")]
pub struct Validation {
    /// The check was started, and in some versions: passed.
    pub valid: bool,
}

/// Both names at once: `valid` says more.
#[derive(Deserialize)]
struct ValidationShapes {
    valid: Option<bool>,
    attempted: Option<bool>,
}

impl TryFrom<ValidationShapes> for Validation {
    type Error = &'static str;

    fn try_from(shapes: ValidationShapes) -> Result<Self, Self::Error> {
        let valid = shapes.valid.or(shapes.attempted);
        Ok(Self { valid: valid.ok_or("neither `valid` nor `attempted` is there")? })
    }
}

/// A time that cannot be read must not hide the webhook.
pub(super) fn readable_time<'de, D>(deserializer: D) -> Result<Option<Timestamp>, D::Error>
where
    D: Deserializer<'de>,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().and_then(parse_created_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{WebhookUrl, api::Answer};

    const WEBHOOK: &str = r#"{"id":"1234577122340233217","url":"https://example.com/hook",
        "valid":true,"created_at":"2025-04-24T20:57:15.242Z"}"#;

    #[test]
    fn webhook_in_both_shapes() {
        let flat = Answer::<Webhook>::parse(WEBHOOK.as_bytes()).unwrap();
        let nested = format!(r#"{{"data":{WEBHOOK}}}"#);
        assert_eq!(Answer::<Webhook>::parse(nested.as_bytes()).unwrap(), flat);
        insta::assert_json_snapshot!(flat, @r#"
        {
          "id": "1234577122340233217",
          "url": "https://example.com/hook",
          "valid": true,
          "created_at": "2025-04-24T20:57:15.242Z"
        }
        "#);
    }

    /// One that we would not register must not hide the others, nor itself.
    #[test]
    fn a_list_with_odd_addresses() {
        let long = format!("https://example.com/{}", "x".repeat(300));
        let urls = [
            long.as_str(),
            "https://example.com/hook#part",
            "example.com",
            "",
            "https://example.com/hook",
        ];
        let list = urls.map(|url| WEBHOOK.replace("https://example.com/hook", url)).join(",");
        let body = format!(r#"{{"data":[{list}]}}"#);
        let webhooks = Answer::<Vec<Webhook>>::parse(body.as_bytes()).unwrap();
        assert_eq!(webhooks.iter().map(|webhook| webhook.url.as_str()).collect::<Vec<_>>(), urls);
        let ours: WebhookUrl = "https://example.com/hook".parse().unwrap();
        assert_eq!(webhooks.iter().position(|webhook| webhook.url == ours), Some(4));
        insta::assert_snapshot!(
            serde_json::to_string(&webhooks[1].url).unwrap(), @r#""https://example.com/hook#part""#
        );
    }

    #[test]
    fn an_empty_list_is_a_list() {
        let body = br#"{"data":[],"meta":{"result_count":0}}"#;
        assert!(Answer::<Vec<Webhook>>::parse(body).unwrap().is_empty());
    }

    #[test]
    fn validation_in_both_shapes() {
        for body in [r#"{"data":{"valid":true}}"#, r#"{"data":{"attempted":true}}"#] {
            let validation = Answer::<Validation>::parse(body.as_bytes()).unwrap();
            insta::allow_duplicates! {
                insta::assert_snapshot!(
                    serde_json::to_string(&validation).unwrap(), @r#"{"valid":true}"#
                );
            }
        }
    }

    /// v1.1 answers a bare array and leaves the fraction of the second out.
    #[test]
    fn a_bare_array_with_times_of_every_form() {
        let list = [
            r#""created_at":"2016-06-02T23:54:02Z""#,
            r#""created_timestamp":"2016-06-02 23:54:02 +0000""#,
            r#""created_at":"2016-06-02T23:54:02+00:00""#,
            r#""created_at":null"#,
            r#""created_at":"once""#,
            r#""created_at":1464911642"#,
        ]
        .map(|time| format!(r#"{{"id":"12","url":"https://example.com/","valid":false,{time}}}"#));
        let body = format!("[{}]", list.join(","));
        let webhooks = Answer::<Vec<Webhook>>::parse(body.as_bytes()).unwrap();
        let times: Vec<_> =
            webhooks.iter().map(|hook| hook.created_at.map(|time| time.to_string())).collect();
        let known = Some("2016-06-02T23:54:02Z".to_owned());
        assert_eq!(times, [known.clone(), known.clone(), known, None, None, None]);
    }

    #[test]
    fn a_validation_with_both_names_or_none() {
        let parse = |body: &str| Answer::<Validation>::parse(body.as_bytes());
        let both = r#"{"data":{"attempted":true,"valid":false}}"#;
        assert!(!parse(both).unwrap().valid);
        assert!(parse(r#"{"valid":true}"#).unwrap().valid);
        let error = parse(r#"{"data":{}}"#).unwrap_err();
        insta::assert_snapshot!(error, @"neither `valid` nor `attempted` is there");
    }
}
