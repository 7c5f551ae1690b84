//! The `Authorization` header, taken apart.

use std::{fmt, str::FromStr};

use http::HeaderValue;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::hmac_sha1;

/// The longest nonce. Whoever remembers nonces must know what one can cost.
const MAX_NONCE: usize = 256;

/// An OAuth 1.0a `Authorization` header, understood but not yet verified.
///
/// Parameters may stand in any order, with or without a space after each comma. Anything else is
/// read strictly: what is malformed, there twice, missing or of another method is refused.
/// Parameters that are unknown here (clients add `oauth_body_hash`) are signed like the others.
///
/// # Examples
///
/// ```
/// use aaa_auth::oauth1::Authorization;
///
/// let header = r#"OAuth oauth_nonce="c0ffee", oauth_timestamp="1763784000", oauth_version="1.0",
///     oauth_signature_method="HMAC-SHA1", oauth_consumer_key="app", oauth_token="7-token",
///     oauth_signature="Ls93hJiZbQ3akF3HF3x1Bz8%2FzU4%3D""#.replace("\n", "");
/// let authorization: Authorization = header.parse()?;
/// assert_eq!(authorization.consumer_key(), "app");
/// assert_eq!(authorization.timestamp().to_string(), "2025-11-22T04:00:00Z");
/// assert_eq!(authorization.verifier(), None);
/// # Ok::<(), aaa_auth::oauth1::ParseError>(())
/// ```
#[derive(Clone)]
pub struct Authorization {
    /// Decoded, without `realm` and `oauth_signature`.
    parameters: Vec<(String, String)>,
    consumer_key: String,
    nonce: String,
    timestamp: Timestamp,
    signature: String,
}

impl Authorization {
    /// Parses the value of an `Authorization` header.
    ///
    /// # Errors
    ///
    /// Fails when the header is not a complete, well-formed OAuth 1.0a header with HMAC-SHA1.
    pub fn parse(header: &HeaderValue) -> Result<Self, ParseError> {
        header.to_str().map_err(|_| ParseError::Malformed)?.parse()
    }

    /// Returns the key that names the app.
    pub fn consumer_key(&self) -> &str {
        &self.consumer_key
    }

    /// Returns the user's access token, or the request token of the three-legged flow. Clients
    /// may send an empty one when they have none.
    pub fn token(&self) -> Option<&str> {
        self.parameter("oauth_token").filter(|token| !token.is_empty())
    }

    /// Returns the nonce: 1 to 256 ASCII characters.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Returns the time of signing by the client's clock, in whole seconds.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Returns the callback of the three-legged flow's first step.
    pub fn callback(&self) -> Option<&str> {
        self.parameter("oauth_callback")
    }

    /// Returns the verifier of the three-legged flow's last step. Clients may send it in the form
    /// or the query instead.
    pub fn verifier(&self) -> Option<&str> {
        self.parameter("oauth_verifier")
    }

    pub(super) fn signature(&self) -> &str {
        &self.signature
    }

    pub(super) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.parameters.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters().find(|(n, _)| *n == name).map(|(_, v)| v)
    }
}

impl FromStr for Authorization {
    type Err = ParseError;

    fn from_str(header: &str) -> Result<Self, ParseError> {
        let mut parameters = pairs(header)?;
        let take = |parameters: &mut Vec<(String, String)>, name: &'static str| {
            let index = parameters.iter().position(|(n, _)| n == name)?;
            Some(parameters.swap_remove(index).1)
        };
        // The realm is no parameter of the signature, the signature signs everything but itself.
        take(&mut parameters, "realm");
        let signature = take(&mut parameters, "oauth_signature")
            .ok_or(ParseError::Missing("oauth_signature"))?;
        let value = |name: &'static str| {
            let found = parameters.iter().find(|(n, _)| n == name);
            found.map(|(_, v)| v.as_str())
        };
        let required = |name| value(name).ok_or(ParseError::Missing(name));

        let method = required("oauth_signature_method")?;
        if method != hmac_sha1::NAME {
            return Err(ParseError::SignatureMethod(shortened(method)));
        }
        if let Some(version) = value("oauth_version").filter(|v| *v != "1.0") {
            return Err(ParseError::Version(shortened(version)));
        }
        let consumer_key = required("oauth_consumer_key")?.to_owned();
        let timestamp = timestamp(required("oauth_timestamp")?).ok_or(ParseError::Timestamp)?;
        let nonce = required("oauth_nonce")?.to_owned();
        if nonce.is_empty() || nonce.len() > MAX_NONCE || !nonce.is_ascii() {
            return Err(ParseError::Nonce);
        }
        Ok(Self { parameters, consumer_key, nonce, timestamp, signature })
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("consumer_key", &self.consumer_key)
            .field("nonce", &self.nonce)
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

/// A header is not an OAuth 1.0a header that could be verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Another scheme, such as `Bearer`.
    #[error("the authorization is not of the scheme OAuth")]
    Scheme,
    /// Not a list of names and quoted, percent-encoded values.
    #[error("the OAuth header is malformed: expected name=\"percent-encoded value\", ...")]
    Malformed,
    /// A parameter is there twice.
    #[error("the OAuth header has the parameter `{0}` twice")]
    Duplicate(String),
    /// A parameter that every signature needs is not there.
    #[error("the OAuth header lacks the parameter `{0}`")]
    Missing(&'static str),
    /// Another signature method.
    #[error("the signature method `{0}` is not supported: sign with HMAC-SHA1")]
    SignatureMethod(String),
    /// Another version of OAuth.
    #[error("the version `{0}` of OAuth is not supported: expected 1.0 or nothing")]
    Version(String),
    /// The time is not a number, or not one of a time after 1970.
    #[error("`oauth_timestamp` is not a positive number of seconds since 1970")]
    Timestamp,
    /// The nonce is empty, too long, or not ASCII.
    #[error("`oauth_nonce` is not of 1 to 256 ASCII characters")]
    Nonce,
}

/// Reads the list; every name and value is decoded, no name is there twice.
fn pairs(header: &str) -> Result<Vec<(String, String)>, ParseError> {
    let white = [' ', '\t'];
    let (scheme, mut rest) =
        header.trim_matches(white).split_once(white).ok_or(ParseError::Scheme)?;
    if !scheme.eq_ignore_ascii_case("OAuth") {
        return Err(ParseError::Scheme);
    }
    let mut pairs = Vec::<(String, String)>::new();
    loop {
        let (name, after) = rest.split_once("=\"").ok_or(ParseError::Malformed)?;
        let (value, after) = after.split_once('"').ok_or(ParseError::Malformed)?;
        let name = decoded(name.trim_start_matches(white))?;
        // A realm is free text, and nobody here needs it.
        let value = if name == "realm" { String::new() } else { decoded(value)? };
        if name.is_empty() {
            return Err(ParseError::Malformed);
        }
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(ParseError::Duplicate(shortened(&name)));
        }
        pairs.push((name, value));
        match after.trim_start_matches(white) {
            "" => return Ok(pairs),
            after => rest = after.strip_prefix(',').ok_or(ParseError::Malformed)?,
        }
    }
}

/// Decodes a name or a value; what should have been encoded and is not is refused.
fn decoded(text: &str) -> Result<String, ParseError> {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut digit = || bytes.next().is_some_and(|b| b.is_ascii_hexdigit());
        if !(unreserved(byte) || byte == b'%' && digit() && digit()) {
            return Err(ParseError::Malformed);
        }
    }
    let text = percent_decode_str(text).decode_utf8();
    Ok(text.map_err(|_| ParseError::Malformed)?.into_owned())
}

fn timestamp(text: &str) -> Option<Timestamp> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let seconds = text.parse().ok().filter(|&seconds| digits && seconds > 0)?;
    Timestamp::from_second(seconds).ok()
}

/// Shortens a stranger's text for an error.
fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REST: &str = r#"oauth_nonce="n",oauth_signature="s",oauth_signature_method="HMAC-SHA1""#;

    fn parse(parameters: &str) -> Result<Authorization, ParseError> {
        format!("OAuth {parameters}").parse()
    }

    #[test]
    fn accepted() {
        let key = r#"oauth_consumer_key="k%20%C3%A4",oauth_timestamp="1""#;
        for header in [
            format!("OAuth {key},{REST}"),
            format!("oauth  {REST},\t{key} "),
            format!("OAuth realm=\"a, b + c\", {REST},   {key}"),
            format!("OAuth {REST}, {key}, oauth_version=\"1.0\", oauth_token=\"\""),
            format!("OAuth {REST} , {key}, oauth_body_hash=\"a%2Fb%3D\", x=\"\""),
        ] {
            let authorization: Authorization = header.parse().unwrap();
            assert_eq!(authorization.consumer_key(), "k ä", "{header}");
            assert_eq!(authorization.token(), None);
            assert_eq!(authorization.timestamp().as_second(), 1);
            assert_eq!(Authorization::parse(&header.parse().unwrap()).unwrap().nonce(), "n");
        }
    }

    #[test]
    fn another_scheme() {
        for header in ["", "OAuth", "Bearer AAAA", "OAuth2 a=\"b\"", "OAuthrealm=\"x\""] {
            assert_eq!(header.parse::<Authorization>().err(), Some(ParseError::Scheme), "{header}");
        }
    }

    #[test]
    fn malformed() {
        for parameters in [
            "nothing",
            "a=b",
            "a=\"b",
            "a=\"b\"c=\"d\"",
            "a=\"b\",",
            "a=\"b\",,c=\"d\"",
            "a=\"b\" c=\"d\"",
            "=\"b\"",
            "a =\"b\"",
            "a=\"b c\"",
            "a=\"b/c\"",
            "a=\"b+c\"",
            "a=\"%\"",
            "a=\"%4\"",
            "a=\"%4g\"",
            "a=\"%FF\"",
            "a=\"ä\"",
        ] {
            assert_eq!(parse(parameters).err(), Some(ParseError::Malformed), "{parameters}");
        }
    }

    #[test]
    fn there_twice_or_missing() {
        let whole = format!(r#"{REST},oauth_consumer_key="k",oauth_timestamp="1""#);
        assert!(parse(&whole).is_ok());
        let twice = |p: &str| parse(&format!("{whole},{p}")).unwrap_err();
        // An encoded name is the same name.
        for again in ["oauth_nonce=\"n\"", "oauth%5Fnonce=\"x\""] {
            assert_eq!(twice(again), ParseError::Duplicate("oauth_nonce".to_owned()));
        }
        for parameter in whole.split(',') {
            let name = parameter.split('=').next().unwrap();
            let others: Vec<_> = whole.split(',').filter(|p| *p != parameter).collect();
            match parse(&others.join(",")) {
                Err(ParseError::Missing(missing)) => assert_eq!(missing, name),
                other => panic!("without {name}: {other:?}"),
            }
        }
    }

    #[test]
    fn methods_versions_times_and_nonces() {
        let with = |method: &str, time: &str, nonce: &str, more: &str| {
            parse(&format!(
                r#"oauth_consumer_key="k",oauth_signature="s",oauth_signature_method="{method}",oauth_timestamp="{time}",oauth_nonce="{nonce}"{more}"#
            ))
            .err()
        };
        assert_eq!(with("HMAC-SHA1", "1", "n", ""), None);
        for method in ["PLAINTEXT", "HMAC-SHA256", "hmac-sha1", ""] {
            let error = ParseError::SignatureMethod(method.to_owned());
            assert_eq!(with(method, "1", "n", ""), Some(error));
        }
        for version in ["2.0", "1.0a", ""] {
            let more = format!(",oauth_version=\"{version}\"");
            let error = ParseError::Version(version.to_owned());
            assert_eq!(with("HMAC-SHA1", "1", "n", &more), Some(error));
        }
        for time in ["", "0", "-1", "%2B1", "1.5", "99999999999999999999", "9999999999999"] {
            assert_eq!(with("HMAC-SHA1", time, "n", ""), Some(ParseError::Timestamp), "{time}");
        }
        for nonce in ["", "%C3%A4", &"n".repeat(257)] {
            assert_eq!(with("HMAC-SHA1", "1", nonce, ""), Some(ParseError::Nonce));
        }
        assert_eq!(with("HMAC-SHA1", "1", &"n".repeat(256), ""), None);
    }

    #[test]
    fn debug_and_errors_show_no_token_and_no_signature() {
        let header =
            format!(r#"{REST},oauth_consumer_key="k",oauth_timestamp="1",oauth_token="hush""#)
                .replace("\"s\"", "\"hush\"");
        let shown = format!("{:?}", parse(&header).unwrap());
        insta::assert_snapshot!(
            shown,
            @r#"Authorization { consumer_key: "k", nonce: "n", timestamp: 1970-01-01T00:00:01Z, .. }"#
        );
    }

    proptest! {
        #[test]
        fn arbitrary_headers_never_panic(header in "\\PC*", tail in "[a-z=\",% ]*") {
            let _ = header.parse::<Authorization>();
            let _ = parse(&tail);
            let _ = parse(&format!("{REST},{tail}"));
        }

        #[test]
        fn decoding_undoes_encoding(text in "\\PC*") {
            let encoded = super::super::parameters::encode(&text).to_string();
            prop_assert_eq!(decoded(&encoded).unwrap(), text);
        }
    }
}
