//! A check: its query and its signature. What is answered must be of no use to whoever asks.

use aaa_types::ConsumerSecret;
use aaa_webhook::{
    app::App,
    crc::CrcToken,
    delivery::{Received, Rejection},
    signature::{HEADER, Signature},
};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;

/// Checks a query in the first line, and a signature in the second.
pub fn check(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let query = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let secret: ConsumerSecret = "consumer-secret".parse().expect("a secret");
    if let Ok(token) = CrcToken::from_query(&query) {
        signs_nothing(&token, &secret);
    }
    let text = String::from_utf8_lossy(lines.next().unwrap_or_default());
    if let Ok(signature) = Signature::parse(&text) {
        assert_eq!(signature.to_string(), text, "two texts for one signature");
        let is_guessed = signature.verifies(&secret, query.as_bytes());
        assert_eq!(is_guessed, text == Signature::of(&secret, query.as_bytes()).to_string());
    }
}

/// The answer to a token is a signature of its text, so that must be no delivery, and no check.
fn signs_nothing(token: &CrcToken, secret: &ConsumerSecret) {
    let text = token.as_str();
    assert!(CrcToken::from_query(text).is_err(), "{text} is a check");
    let answer: serde_json::Value =
        serde_json::from_str(&token.answer(secret)).expect("an answer in JSON");
    let signature = answer.get("response_token").and_then(|text| text.as_str());
    let signature = signature.expect("a signature");
    let value = HeaderValue::from_str(signature).expect("a header");
    let headers = HeaderMap::from_iter([(HEADER, value)]);
    let received = Received::new(text.to_owned().into(), Timestamp::UNIX_EPOCH);
    let app = App::new("main", secret.clone());
    let delivered = received.verify(&headers, &[app]);
    assert!(matches!(delivered, Err(Rejection::Body(_))), "{text} is a delivery");
}
