//! X's words without secrets. Nothing says that an error never repeats what was sent.

use std::cmp::Reverse;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::form_urlencoded;

use crate::oauth1::encode;

const REDACTED: &str = "[redacted]";

/// Names whose values are secrets. One that begins like another comes before it.
const NAMES: [&str; 5] =
    ["oauth_token_secret", "oauth_token", "oauth_verifier", "oauth_signature", "access_token"];

/// Returns the body of a refusal: without the secrets that were sent, without the value of
/// anything that is named like a secret, and in the JSON form if it was XML.
pub(super) fn words(body: &str, secrets: &[SecretString]) -> String {
    let secrets: Vec<_> = secrets.iter().map(SecretString::expose_secret).collect();
    redacted(body, &secrets)
}

/// Returns X's words without secrets: without those given, however they are encoded, and without
/// the value of anything that is named like one. XML becomes the JSON that it stands for.
///
/// # Examples
///
/// ```
/// let body = r#"{"errors":[{"message":"no bearer AAAA%2Fbb"}],"oauth_token":"7-token"}"#;
/// assert_eq!(
///     aaa_auth::redacted(body, &["AAAA%2Fbb"]),
///     r#"{"errors":[{"message":"no bearer [redacted]"}],"oauth_token":"[redacted]"}"#,
/// );
/// ```
pub fn redacted(body: &str, secrets: &[&str]) -> String {
    let mut sent = Vec::new();
    for secret in secrets.iter().copied() {
        let in_json = json!(secret).to_string();
        let in_json = in_json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
        let in_json = in_json.unwrap_or_default().to_owned();
        // Some of X's answers escape the slash.
        sent.push(in_json.replace('/', "\\/"));
        // OAuth and forms do not agree about `~` and `*`.
        sent.push(form_urlencoded::byte_serialize(secret.as_bytes()).collect());
        sent.extend([in_json, encode(secret).to_string(), secret.to_owned()]);
    }
    // A secret may be part of another.
    sent.sort_by_key(|secret| Reverse(secret.len()));
    let mut words = body.to_owned();
    for secret in sent.into_iter().filter(|secret| !secret.is_empty()) {
        words = words.replace(&secret, REDACTED);
    }
    let words = without_named(&words);
    from_xml(&words).unwrap_or(words)
}

/// Takes out what follows a name and a `=` or `:`, up to the end of the value.
fn without_named(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, name)) =
        NAMES.iter().filter_map(|name| Some((rest.find(name)?, name))).min_by_key(|(at, _)| *at)
    {
        let (before, after) = rest.split_at(at + name.len());
        out.push_str(before);
        rest = after;
        let quotes = ['"', '\'', '\\', ' ', '\t', '\r', '\n'];
        let value = after.trim_start_matches(quotes);
        let signs = ["=", ":", "%3D", "%3d", "%3A", "%3a"];
        let Some(value) = signs.iter().find_map(|sign| value.strip_prefix(*sign)) else {
            continue;
        };
        let value = value.trim_start_matches(quotes);
        let ends = |c: char| c.is_whitespace() || "&\"'<>,;{}[]()".contains(c);
        let end = value.find(ends).unwrap_or(value.len());
        // In JSON a slash may be escaped; in JSON inside of JSON the quote is.
        let end = value.split_at(end).0.trim_end_matches('\\').len();
        if end > 0 {
            let (kept, _) = after.split_at(after.len() - value.len());
            out.push_str(kept);
            out.push_str(REDACTED);
            rest = value.split_at(end).1;
        }
    }
    out.push_str(rest);
    out
}

/// Reads `<errors><error code="415">words</error></errors>`, which X answers to clients that do
/// not ask for JSON, and to some that do.
fn from_xml(body: &str) -> Option<String> {
    if !body.trim_start().starts_with('<') {
        return None;
    }
    let (_, error) = body.split_once("<error code=\"")?;
    let (code, error) = error.split_once("\">")?;
    let (message, _) = error.split_once("</error>")?;
    let code: i64 = code.parse().ok()?;
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(json!({ "errors": [{ "code": code, "message": message }] }).to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn named_values() {
        for (body, expected) in [
            (
                "oauth_token=ab&oauth_token_secret=c",
                "oauth_token=[redacted]&oauth_token_secret=[redacted]",
            ),
            (r#"{"access_token":"ab","x":1}"#, r#"{"access_token":"[redacted]","x":1}"#),
            (r#"{"access_token" : "ab"}"#, r#"{"access_token" : "[redacted]"}"#),
            ("oauth_verifier%3D12%26", "oauth_verifier%3D[redacted]"),
            (r#"{"access_token":"a\/b"}"#, r#"{"access_token":"[redacted]"}"#),
            (r#""{\"access_token\":\"ab\"}""#, r#""{\"access_token\":\"[redacted]\"}""#),
            ("Invalid oauth_verifier parameter", "Invalid oauth_verifier parameter"),
            ("oauth_token=&a=b", "oauth_token=&a=b"),
            ("oauth_token", "oauth_token"),
        ] {
            assert_eq!(words(body, &[]), expected);
        }
    }

    #[test]
    fn one_secret_may_begin_like_another() {
        let secrets = ["1234", "1234567"].map(SecretString::from);
        assert_eq!(words("no 1234567, no 1234", &secrets), "no [redacted], no [redacted]");
    }

    #[test]
    fn xml_becomes_json() {
        let body = "<?xml version='1.0' encoding='UTF-8'?><errors>\n <error code=\"415\">\n \
                    Callback URL not approved.\n </error></errors>";
        insta::assert_snapshot!(
            words(body, &[]),
            @r#"{"errors":[{"code":415,"message":"Callback URL not approved."}]}"#
        );
        assert_eq!(words("<html>busy</html>", &[]), "<html>busy</html>");
    }

    proptest! {
        #[test]
        fn what_was_sent_does_not_come_back(
            before in "\\PC{0,12}",
            secret in "[!-~]{11,30}",
            after in "\\PC{0,12}",
        ) {
            let secrets = [SecretString::from(secret.as_str())];
            let encoded = encode(&secret).to_string();
            let json = json!({ "message": format!("{before}{secret}{after}") }).to_string();
            let in_form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            for body in [
                format!("{before}{secret}{after}"),
                format!("{before}{in_form}{after}"),
                format!("{before}{encoded}{after}"),
                json.replace('/', "\\/"),
                json,
            ] {
                let words = words(&body, &secrets);
                let message = serde_json::from_str::<Value>(&words).unwrap_or_default();
                let message = message["message"].as_str().unwrap_or_default();
                for secret in [&secret, &encoded, &in_form] {
                    prop_assert!(!words.contains(secret) && !message.contains(secret), "{words}");
                }
            }
        }

        #[test]
        fn a_token_that_was_never_sent_is_not_shown_either(
            before in "[a-z&={\"]{0,5}",
            name in prop::sample::select(NAMES.as_slice()),
            sign in "['\"]? ?(=|:|%3D) ?['\"]?",
            token in "[A-Za-z0-9%+/_-]{11,30}",
            after in "([&\"',<} ].{0,9})?",
        ) {
            let words = words(&format!("{before}{name}{sign}{token}{after}"), &[]);
            prop_assert!(!words.contains(&token), "{words}");
        }

        #[test]
        fn arbitrary_bodies_never_panic(
            body in prop_oneof![
                "\\PC*",
                "((oauth|access)_(token|verifier)|_secret|[=:%3D\"'&ä ]|<error code=\"|\">){0,12}"
            ],
        ) {
            words(&body, &[]);
        }
    }
}
