//! Whatever a stranger sends, nothing panics.

use aaa_auth::{
    ApiUrl, Consumer, UserToken, app_only,
    environment::{Environment, Prefix},
    flow::{self, Callback, RequestToken, Verifier},
    oauth1::{Authorization, NonceCache, TimestampWindow},
    tokens::Tokens,
};
use http::{HeaderValue, Method, Response};
use jiff::Timestamp;
use proptest::prelude::*;
use url::Url;

const HEADER: &str = "OAuth oauth_nonce=\"n\",oauth_signature=\"s\",oauth_timestamp=\"1\",\
                      oauth_signature_method=\"HMAC-SHA1\",oauth_consumer_key=\"k\"";

/// Bytes of any kind, and those that look like what is parsed.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&[u8]] = &[
        b"oauth_token",
        b"_secret",
        b"oauth_verifier",
        b"oauth_callback_confirmed=true",
        b"access_token",
        b"\"token_type\":\"bearer\"",
        b"{\"errors\":[{\"code\":",
        b"<errors><error code=\"",
        b"users",
        b"=",
        b"%3D",
        b"%F",
        b"&",
        b"\"",
        b"\":{\"",
        b"}}",
        b"\\",
        b",",
        b"\xff\xc3",
        b"7",
    ];
    let pieces = prop::sample::select(PIECES);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        prop::collection::vec(pieces, 0..16).prop_map(|pieces| pieces.concat()),
    ]
}

proptest! {
    #[test]
    fn headers_and_the_requests_that_bring_them(
        bytes in bytes(),
        query in "[ -~]{0,30}",
        form in prop::collection::vec(("\\PC{0,9}", "\\PC{0,9}"), 0..4),
        second in any::<i64>(),
    ) {
        let _ = HeaderValue::from_bytes(&bytes).map(|header| Authorization::parse(&header));
        let text = String::from_utf8_lossy(&bytes);
        let _ = text.parse::<Authorization>();
        let Ok(authorization) = format!("{HEADER},{text}").parse::<Authorization>() else {
            return Ok(());
        };
        let _ = (authorization.token(), authorization.callback(), authorization.verifier());
        let mut url = Url::parse("https://api.x.com/").unwrap();
        url.set_query(Some(&query));
        let form: Vec<_> = form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let secret = "hush".parse().unwrap();
        let verified = authorization.verify(&Method::POST, &url, &form, &secret, None);
        prop_assert!(verified.is_err());
        let now = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
        let _ = NonceCache::new(TimestampWindow::FIVE_MINUTES).check(&authorization, &[now]);
    }

    #[test]
    fn answers(bytes in bytes(), status in 100..600_u16) {
        let (api, now): (ApiUrl, _) = (ApiUrl::X.parse().unwrap(), Timestamp::UNIX_EPOCH);
        let consumer = Consumer::new("app".parse().unwrap(), "hush".parse().unwrap());
        let user = UserToken::new("7-a".parse().unwrap(), "hush".parse().unwrap());
        let (token, pin) = ("AAAA".parse().unwrap(), Verifier::from_pin("1234567").unwrap());
        let kept = RequestToken::new(user.clone(), &Callback::OUT_OF_BAND);
        let response = Response::builder().status(status).body(bytes).unwrap();
        let begin = flow::request_token(&api, &consumer, &Callback::OUT_OF_BAND, "n", now);
        let _ = begin.answer(&response);
        let _ = flow::access_token(&api, &consumer, &kept, &pin, "n", now).answer(&response);
        let _ = app_only::bearer_token(&api, &consumer).answer(&response);
        let _ = app_only::invalidate(&api, &consumer, &token).answer(&response);
        let signed = app_only::invalidate_signed(&api, &consumer, &user, &token, "n", now);
        let _ = signed.answer(&response);
    }

    #[test]
    fn what_is_typed_in_configured_or_stored(bytes in bytes()) {
        let _ = Tokens::from_json(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = (text.parse::<ApiUrl>(), text.parse::<Callback>(), text.parse::<Prefix>());
        let _ = (text.parse::<Verifier>(), Verifier::from_pin(&text));
        let _ = Environment::from_lookup(|_| Some(text.clone().into_owned()));
        let user = UserToken::new("7-a".parse().unwrap(), "hush".parse().unwrap());
        let _ = RequestToken::new(user, &Callback::OUT_OF_BAND).verifier(&text);
        #[cfg(feature = "files")]
        {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(".env");
            std::fs::write(&path, &bytes).unwrap();
            let _ = aaa_auth::environment::Variables::with_file(&path);
        }
    }
}
