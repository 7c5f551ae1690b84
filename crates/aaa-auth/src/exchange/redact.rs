//! X's words without secrets. Nothing says that an error never repeats what was sent.

use std::{cmp::Reverse, ops::Range};

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::form_urlencoded;

use self::decoded::Decoded;
use crate::oauth1::encode;

mod decoded;

const REDACTED: &str = "[redacted]";

/// Names whose values are secrets, in lower case.
const NAMES: [&str; 8] = [
    "oauth_token",
    "oauth_token_secret",
    "oauth_verifier",
    "oauth_signature",
    "access_token",
    "access_token_secret",
    "refresh_token",
    "client_secret",
];

/// How often a text is decoded. Whoever repeats a secret has it already, and a proxy or a log of
/// X's adds one layer or two.
const LAYERS: usize = 8;

/// Returns the body of a refusal: without the secrets that were sent, without the value of
/// anything that is named like a secret, and in the JSON form if it was XML.
pub(super) fn words(body: &str, secrets: &[SecretString]) -> String {
    let secrets: Vec<_> = secrets.iter().map(SecretString::expose_secret).collect();
    redacted(body, &secrets)
}

/// Returns X's words without secrets: without those given, however they are encoded, and without
/// the value of anything that is named like one. XML becomes the JSON that it stands for.
///
/// A secret is found in plain text, in base64, and behind any mixture of JSON's escapes, percent
/// signs and the entities of XML, several layers deep. All other bytes stay as they are.
///
/// # Examples
///
/// ```
/// let body = r#"{"errors":[{"message":"no bearer \u0041AAA%2fbb"}],"oauth_token":"7-token"}"#;
/// assert_eq!(
///     aaa_auth::redacted(body, &["AAAA%2Fbb"]),
///     r#"{"errors":[{"message":"no bearer [redacted]"}],"oauth_token":"[redacted]"}"#,
/// );
/// ```
pub fn redacted(body: &str, secrets: &[&str]) -> String {
    let forms = forms(secrets);
    let mut found = secrets_in(body, &forms);
    let mut layers: Vec<Decoded> = Vec::new();
    while layers.len() < LAYERS {
        let text = layers.last().map_or(body, Decoded::text);
        let Some(decoded) = Decoded::of(text) else { break };
        layers.push(decoded);
        let inner = layers.last().map_or(body, Decoded::text);
        found.extend(
            secrets_in(inner, &forms)
                .into_iter()
                .map(|place| layers.iter().rev().fold(place, |place, layer| layer.origin(&place))),
        );
    }
    let words = without(body, found);
    from_xml(&words).unwrap_or(words)
}

/// Returns what the secrets look like where they are not plain.
fn forms(secrets: &[&str]) -> Vec<String> {
    let mut forms = Vec::new();
    for secret in secrets.iter().copied() {
        // Inside of a longer text, an escape may begin before the secret: these do not need to be
        // decoded to be found.
        let in_json = json!(secret).to_string();
        let in_json = in_json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
        forms.extend(in_json.map(str::to_owned));
        // Some write a slash so.
        forms.extend(in_json.map(|json| json.replace('/', "\\/")));
        // OAuth and forms do not agree about `~` and `*`.
        forms.push(form_urlencoded::byte_serialize(secret.as_bytes()).collect());
        let encoded = encode(secret).to_string();
        forms.extend(in_base64(secret.as_bytes()));
        forms.extend(in_base64(encoded.as_bytes()));
        forms.extend([encoded, secret.to_owned()]);
        // One with percent signs of its own is decoded together with the text around it.
        let mut decoded = Decoded::of(secret);
        for _ in 0..LAYERS {
            let Some(layer) = decoded else { break };
            forms.push(layer.text().to_owned());
            decoded = Decoded::of(layer.text());
        }
    }
    forms.retain(|form| !form.is_empty());
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// Returns what a secret is in base64 when something stands before and behind it: the characters
/// that depend on nothing else, for each place at which it may begin.
fn in_base64(secret: &[u8]) -> Vec<String> {
    // Of less, what is left could be any word.
    if secret.len() < 8 {
        return Vec::new();
    }
    let mut forms = Vec::new();
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend(secret);
        // Six bits are a character; those that begin before the secret or end behind it are left.
        let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
        for text in [BASE64_STANDARD.encode(&bytes), BASE64_URL_SAFE.encode(&bytes)] {
            forms.extend(text.get(own.clone()).map(str::to_owned));
        }
    }
    forms
}

/// Returns the places of secrets in a text.
fn secrets_in(text: &str, forms: &[String]) -> Vec<Range<usize>> {
    let mut found = named(text);
    for form in forms {
        found.extend(text.match_indices(form.as_str()).map(|(at, form)| at..at + form.len()));
    }
    found
}

/// Returns the places of what follows a name and a `=` or `:`, up to the end of the value.
fn named(text: &str) -> Vec<Range<usize>> {
    let lower = text.to_ascii_lowercase();
    let mut names: Vec<_> = NAMES
        .iter()
        .flat_map(|name| lower.match_indices(name).map(|(at, name)| at..at + name.len()))
        .collect();
    // One may begin like another.
    names.sort_by_key(|name| (name.start, Reverse(name.end)));
    let mut found = Vec::new();
    let mut done = 0;
    for name in names {
        if name.start < done {
            continue;
        }
        done = name.end;
        let after = text.get(name.end..).unwrap_or_default();
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
        let value_length = value.split_at(end).0.trim_end_matches('\\').len();
        if value_length > 0 {
            let start = text.len() - value.len();
            done = start + value_length;
            found.push(start..done);
        }
    }
    found
}

/// Returns the text without what stands in the places.
fn without(text: &str, mut places: Vec<Range<usize>>) -> String {
    places.sort_by_key(|place| (place.start, Reverse(place.end)));
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for place in places {
        if place.start >= done {
            out.push_str(text.get(done..place.start).unwrap_or_default());
            out.push_str(REDACTED);
        }
        // Where two overlap, neither end may be seen.
        done = done.max(place.end);
    }
    out.push_str(text.get(done..).unwrap_or_default());
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

    /// Writes a character in one of many ways.
    fn escaped(c: char, way: u8) -> String {
        let code = u32::from(c);
        match way {
            0 => format!("\\u{code:04x}"),
            1 => format!("\\u{code:04X}"),
            2 => format!("%{code:02x}"),
            3 => format!("%{code:02X}"),
            4 => format!("&#{code};"),
            5 => format!("&#x{code:x};"),
            6 => format!("%25{code:02x}"),
            _ => c.to_string(),
        }
    }

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
    fn names_in_other_dress() {
        for (body, expected) in [
            (r#"{"oauth\u005ftoken":"ab"}"#, r#"{"oauth\u005ftoken":"[redacted]"}"#),
            ("OAuth%5fToken%3dab%26c", "OAuth%5fToken%3d[redacted]%26c"),
            ("access_token_secret=ab&x=1", "access_token_secret=[redacted]&x=1"),
            ("oauth_token&#61;ab&#38;x", "oauth_token&#61;[redacted]&#38;x"),
            (
                r#"{"refresh_token":"ab","client_secret":"c"}"#,
                r#"{"refresh_token":"[redacted]","client_secret":"[redacted]"}"#,
            ),
        ] {
            assert_eq!(words(body, &[]), expected);
        }
    }

    #[test]
    fn what_overlaps_is_taken_out_whole() {
        let secrets = ["abcdef", "defghi"].map(SecretString::from);
        assert_eq!(words("<abcdefghi>", &secrets), "<[redacted]>");
        assert_eq!(words("red", &["red", "edac"].map(SecretString::from)), "[redacted]");
    }

    /// An escape may begin before it, in a text that is escaped in another way besides.
    #[test]
    fn what_begins_within_an_escape() {
        let secrets = [SecretString::from("0AAaaAAAA!/")];
        let body = r#"{"message":"%00AAaaAAAA!\/"}"#;
        assert_eq!(words(body, &secrets), r#"{"message":"%0[redacted]"}"#);
    }

    /// A megabyte of names or of escapes is read a few times, and not once for each of them.
    #[test]
    fn no_body_takes_long() {
        let secrets = ["7-hushhushhush", "hush%2Fhush%3D", "Zq/hush"].map(SecretString::from);
        for (part, out) in [
            ("oauth_token", "oauth_token"),
            ("oauth_token=", "oauth_token=[redacted]"),
            ("oauth_token:\"", ""),
            ("%25", "%25"),
            ("\\u005c", "\\u005c"),
            ("&", "&"),
            ("hush%2Fhush%3D", "[redacted]"),
        ] {
            let count = (1 << 20) / part.len();
            let words = words(&part.repeat(count), &secrets);
            assert!(words.starts_with(out) && words.len() <= 1 << 20, "{part}");
        }
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

        /// Any mixture of escapes, each character in its own.
        #[test]
        fn escapes_do_not_hide_what_was_sent(
            before in "([a-z]{1,8} )?",
            secret in "[A-Za-z0-9%/+=_.~-]{11,40}",
            ways in prop::collection::vec(0..9_u8, 40),
            again in prop::collection::vec(prop::bool::weighted(0.2), 400),
            after in "( [a-z]{1,8})?",
        ) {
            let once: String = secret.chars().zip(&ways).map(|(c, way)| escaped(c, *way)).collect();
            // A second layer, here and there.
            let twice: String = once
                .chars()
                .zip(again.iter().cycle())
                .map(|(c, again)| if *again { format!("%{:02x}", u32::from(c)) } else { c.into() })
                .collect();
            let secrets = [SecretString::from(secret)];
            for text in [once, twice] {
                let body = json!({ "errors": [{ "message": format!("{before}{text}{after}") }] });
                let words = words(&body.to_string(), &secrets);
                let expected = format!("{before}[redacted]{after}");
                let words: Value = serde_json::from_str(&words).unwrap();
                prop_assert_eq!(words["errors"][0]["message"].as_str(), Some(expected.as_str()));
            }
        }

        #[test]
        fn base64_does_not_hide_what_was_sent(
            before in prop::collection::vec(any::<u8>(), 0..9),
            secret in "[!-~]{11,40}",
            after in prop::collection::vec(any::<u8>(), 0..9),
            slashes: bool,
        ) {
            let all = [before.as_slice(), secret.as_bytes(), &after].concat();
            let secrets = [SecretString::from(secret)];
            for text in [BASE64_STANDARD.encode(&all), BASE64_URL_SAFE.encode(&all)] {
                let text = if slashes { text.replace('/', "\\/") } else { text };
                let words = words(&format!("Basic {text}."), &secrets);
                let (left, right) = words.split_once(REDACTED).unwrap();
                // A character at each end may hold a few of the secret's bits.
                let left = left.replace('\\', "").len() - "Basic ".len();
                let right = right.replace('\\', "").trim_end_matches(['=', '.']).len();
                prop_assert!(left <= (before.len() * 8).div_ceil(6), "{words}");
                prop_assert!(right <= (after.len() * 8).div_ceil(6) + 1, "{words}");
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
