//! The header of OAuth 1.0a: taken apart, verified, and made for any URL.

use aaa_auth::{
    Consumer, UserToken,
    oauth1::{Authorization, Signer},
};
use http::Method;
use jiff::Timestamp;
use url::Url;

/// Checks a header, the URL it is for, and a form: three lines.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (header, url, value) = (line(), line(), line());
    let consumer = Consumer::new("key".parse().unwrap(), "consumer-secret".parse().unwrap());
    let user = UserToken::new("7-token".parse().unwrap(), "token-secret".parse().unwrap());
    let form = [("status", value), ("a b", "ä&=")];
    let parsed = header.parse::<Authorization>();

    let Ok(url) = Url::parse(url) else {
        return;
    };
    if let Ok(parsed) = parsed {
        let shown = format!("{parsed:?}");
        assert!(shown.len() < 4 * header.len() + 200, "{shown}");
        // Nobody signs without the secrets.
        for secret in [None, Some(&user.secret)] {
            let verified = parsed.verify(&Method::GET, &url, &form, &consumer.secret, secret);
            assert!(verified.is_err(), "a signature was guessed");
        }
    }

    let signed = Signer::new(&consumer).with_token(&user).sign(
        &Method::POST,
        &url,
        &form,
        "nonce",
        Timestamp::UNIX_EPOCH,
    );
    let shown = signed.to_str().expect("ASCII");
    assert!(!shown.contains("secret"), "{shown}");
    let parsed = Authorization::parse(&signed).expect("our own header");
    assert_eq!((parsed.consumer_key(), parsed.token()), ("key", Some("7-token")));
    let verify = |method: &Method, form: &[(&str, &str)]| {
        parsed.verify(method, &url, form, &consumer.secret, Some(&user.secret))
    };
    // A protocol parameter in the query is refused, whatever was signed.
    let own = |name: &str| name.starts_with("oauth_");
    if !url.query_pairs().any(|(name, _)| own(&name)) {
        assert_eq!(verify(&Method::POST, &form), Ok(()), "{url}");
        assert!(verify(&Method::PUT, &form).is_err());
        assert!(verify(&Method::POST, &form[..1]).is_err());
    }
}
