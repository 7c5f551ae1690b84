use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{WebhookId, url::WebhookAddress};

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
    /// When it was registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// The answer to a request for a challenge-response check (`PUT /2/webhooks/{id}`).
///
/// X's documents name the member `valid` in one version and `attempted` in another, and do not
/// agree on whether it tells the outcome: confirm it by listing the webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validation {
    /// The check was started, and in some versions: passed.
    #[serde(alias = "attempted")]
    pub valid: bool,
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
}
