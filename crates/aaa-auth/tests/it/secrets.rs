//! No public type and no error shows a secret, whoever puts it where.

use std::fmt::{Debug, Display};

use aaa_auth::{
    ApiUrl, AuthError, Consumer, Exchange, UserCredential, UserToken, app_only,
    flow::{self, Callback, RequestToken, Verifier},
    oauth1::{Authorization, NonceCache, Signer, TimestampWindow},
};
use http::{Method, Response};
use jiff::Timestamp;
use proptest::prelude::*;
use url::Url;

fn debug(value: &impl Debug) -> String {
    format!("{value:?} {value:#?}")
}

fn both(value: &(impl Debug + Display)) -> String {
    format!("{value} {}", debug(value))
}

/// What an exchange shows, and its errors when the answer repeats each secret that was sent.
fn exchange<T: Debug>(exchange: &Exchange<T>, sent: &[&str]) -> Vec<String> {
    sent.iter().flat_map(|secret| repeated(exchange, secret)).collect()
}

/// What an exchange shows when the answer repeats a secret in every way.
fn repeated<T: Debug>(exchange: &Exchange<T>, secret: &str) -> Vec<String> {
    let form = |name: &str| {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair(name, secret).append_pair("x", "y").finish()
    };
    let json = |name: &str| serde_json::json!({ name: secret }).to_string();
    let in_words = format!("it was {secret} that I got");
    let bodies = [
        in_words.clone(),
        serde_json::json!({ "errors": [{ "code": 89, "message": in_words }] }).to_string(),
        format!("<errors><error code=\"32\">{in_words}</error></errors>"),
        form("oauth_token"),
        form("oauth_token_secret"),
        form("oauth_verifier"),
        json("access_token"),
        json("token_type"),
        format!("{}&{}", form("oauth_token"), form("oauth_token")),
        format!("oauth_token_secret=s&{}", form("oauth_token")),
    ];
    let mut shown = vec![debug(exchange), debug(exchange.authorization())];
    for body in bodies {
        for status in [200, 401, 500] {
            let response = Response::builder().status(status).body(&body).unwrap();
            match exchange.answer(&response) {
                Ok(token) => shown.push(debug(&token)),
                Err(error) => {
                    shown.push(both(&error));
                    if let AuthError::Refused { answer, .. } = &error {
                        shown.push(format!("{} {}", answer.message(), answer.body_text()));
                        shown.extend(answer.errors().iter().map(debug));
                    }
                }
            }
        }
    }
    shown
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    // With what needs encoding in JSON, in forms and in URLs; never a part of our own words.
    #[test]
    fn nothing_shows_a_secret(tail in "[!-~]{11,30}") {
        // Each of its own, so that none is hidden only because another is.
        let secrets = ["A", "B", "C", "D", "E"].map(|role| format!("Zq{role}{tail}"));
        let [app, key, secret, proof, bearer] = secrets.each_ref().map(String::as_str);
        let (api, now): (ApiUrl, _) = (ApiUrl::X.parse().unwrap(), Timestamp::UNIX_EPOCH);
        let consumer = Consumer::new("app".parse().unwrap(), app.parse().unwrap());
        let user = UserToken::new(key.parse().unwrap(), secret.parse().unwrap());
        let token = bearer.parse().unwrap();
        let verifier: Verifier = proof.parse().unwrap();
        let callback: Callback = "https://example.com/".parse().unwrap();
        let request_token = RequestToken::new(user.clone(), &callback);

        // Credentials, and what is made with them.
        let url: Url = "https://api.x.com/2/webhooks".parse().unwrap();
        let signer = Signer::new(&consumer).with_token(&user).with_verifier(proof);
        let header = signer.sign(&Method::GET, &url, &[], "n", now);
        let authorization = Authorization::parse(&header).unwrap();
        let mut nonces = NonceCache::new(TimestampWindow::FIVE_MINUTES);
        nonces.check(&authorization, &[now]).unwrap();
        let mut shown = vec![
            debug(&consumer),
            debug(&user),
            debug(&UserCredential::from(user.clone())),
            debug(&UserCredential::OAuth2(bearer.parse().unwrap())),
            debug(&signer),
            debug(&header),
            debug(&authorization),
            debug(&nonces),
            debug(&aaa_auth::bearer::authorization(&token)),
            debug(&app_only::basic_authorization(&consumer)),
            debug(&verifier),
            debug(&request_token),
        ];

        // The errors of the side that answers.
        shown.push(both(&nonces.check(&authorization, &[now]).unwrap_err()));
        shown.push(both(&nonces.check(&authorization, &[Timestamp::MAX]).unwrap_err()));
        let other = "other".parse().unwrap();
        let wrong = authorization.verify(&Method::GET, &url, &[], &other, Some(&user.secret));
        shown.push(both(&wrong.unwrap_err()));
        let form = [("oauth_token", key)];
        let twice =
            authorization.verify(&Method::GET, &url, &form, &consumer.secret, Some(&user.secret));
        shown.push(both(&twice.unwrap_err()));
        let text = header.to_str().unwrap();
        for text in [
            text.replace("OAuth ", "Bearer "),
            text.replace("oauth_nonce", "x"),
            text.replace("oauth_timestamp=\"", "oauth_timestamp=\"x"),
            format!("{text},oauth_token=\"{key}\""),
            format!("{text},x=\"{secret}"),
        ] {
            shown.extend(text.parse::<Authorization>().err().map(|error| both(&error)));
        }

        // What could not be made.
        let spaced = format!("{secret} x");
        shown.push(both(&spaced.parse::<Verifier>().unwrap_err()));
        shown.push(both(&Verifier::from_pin(&spaced).unwrap_err()));
        shown.push(both(&spaced.parse::<Callback>().unwrap_err()));
        let mut with_password = url;
        with_password.set_password(Some(secret)).unwrap();
        shown.push(both(&with_password.as_str().parse::<ApiUrl>().unwrap_err()));
        for query in [
            format!("denied={key}"),
            format!("oauth_token={key}&oauth_token={key}"),
            format!("oauth_token={key}x&oauth_verifier={proof}"),
            format!("oauth_token=x&oauth_verifier={proof}"),
            format!("oauth_verifier={proof}"),
        ] {
            shown.extend(request_token.verifier(&query).err().map(|error| both(&error)));
        }

        // Requests for tokens, and their answers.
        let basic = app_only::basic_authorization(&consumer);
        let basic = basic.to_str().unwrap().replace("Basic ", "");
        let begin = flow::request_token(&api, &consumer, &callback, "n", now);
        shown.extend(exchange(&begin, &[app]));
        let end = flow::access_token(&api, &consumer, &request_token, &verifier, "n", now);
        shown.extend(exchange(&end, &[app, key, secret, proof]));
        shown.extend(exchange(&app_only::bearer_token(&api, &consumer), &[app, &basic]));
        let invalidate = app_only::invalidate(&api, &consumer, &token);
        shown.extend(exchange(&invalidate, &[app, &basic, bearer]));
        let signed = app_only::invalidate_signed(&api, &consumer, &user, &token, "n", now);
        shown.extend(exchange(&signed, &[app, key, secret, bearer]));
        let good = format!(
            "oauth_token={0}&oauth_token_secret={0}",
            url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>(),
        );
        shown.push(debug(&end.answer(&Response::new(good)).unwrap()));

        // `Debug` escapes quotes and backslashes.
        let escaped = secrets.each_ref().map(|secret| secret.escape_debug().to_string());
        for shown in shown {
            for secret in secrets.iter().chain(&escaped).chain([&basic]) {
                prop_assert!(!shown.contains(secret.as_str()), "{shown}");
            }
            prop_assert!(!shown.contains("oauth_signature=\""), "{shown}");
        }
    }
}
