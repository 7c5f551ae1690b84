//! No public type and no error shows a secret, whoever puts it where.

use std::fmt::{Debug, Display};

use aaa_auth::{
    ApiUrl, AuthError, Consumer, Credentials, Exchange, UserCredential, UserToken, app_only,
    environment::{Environment, Prefix, Variable},
    flow::{self, Callback, RequestToken, Verifier},
    oauth1::{Authorization, NonceCache, Signer, TimestampWindow},
    tokens::{StoredToken, Tokens},
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
    let escapes: String = secret.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let bodies = [
        in_words.clone(),
        serde_json::json!({ "errors": [{ "code": 89, "message": in_words }] }).to_string(),
        format!("{{\"errors\":[{{\"message\":\"it was {escapes}\"}}]}}"),
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
            let response = Response::builder().status(status).header("x-transaction-id", secret);
            let response = response.body(&body).unwrap();
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

/// What variables show that hold secrets: whole, by half, and malformed in every way.
fn environment(secrets: &[String; 5]) -> Vec<String> {
    let [app, key, secret, proof, bearer] = secrets;
    let value = |name: &str| match name {
        "X_CONSUMER_KEY" => Some("app"),
        "X_CONSUMER_SECRET" => Some(app.as_str()),
        "X_CONSUMER_SECRET_PREVIOUS" => Some(proof.as_str()),
        "X_ACCESS_TOKEN" => Some(key.as_str()),
        "X_ACCESS_TOKEN_SECRET" => Some(secret.as_str()),
        "X_BEARER_TOKEN" => Some(bearer.as_str()),
        _ => None,
    };
    // A secret that begins or ends like a quotation is refused, and named.
    let mut shown = match Environment::from_lookup(|name| value(name).map(str::to_owned)) {
        Ok(whole) => vec![debug(&whole), debug(&whole.credentials)],
        Err(error) => vec![both(&error)],
    };
    for variable in Variable::ALL {
        let name = variable.name(&Prefix::X);
        for text in [
            secret.clone(),
            format!("{secret} "),
            format!("\"{secret}\""),
            format!("Bearer {secret}"),
            format!("https://{secret}@x.com"),
            format!("http://x.com/{secret}"),
        ] {
            match Environment::from_lookup(|n| (n == name).then(|| text.clone())) {
                Ok(half) => {
                    shown.push(debug(&half.credentials));
                    shown.push(debug(&half.consumer_secret));
                    shown.push(debug(&half.previous_secret));
                    shown.extend(half.halves().map(|half| both(&half)));
                    let missing = [half.require_consumer().err(), half.require_owner().err()];
                    shown.extend(missing.iter().flatten().map(both));
                }
                Err(error) => shown.push(both(&error)),
            }
        }
        shown.push(both(&format!("{secret} ").parse::<Prefix>().unwrap_err()));
    }
    shown.extend(files(secret));
    shown
}

/// What files show that hold a secret where it should not be.
#[cfg(feature = "files")]
fn files(secret: &str) -> Vec<String> {
    use aaa_auth::{environment::Variables, tokens::TokenFile};

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let mut shown = Vec::new();
    for text in [
        secret.to_owned(),
        format!("A='{secret}' {secret} x"),
        format!("A={secret} {secret}"),
        format!("{{\"users\":\"{secret}\"}}"),
    ] {
        std::fs::write(&path, text).unwrap();
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&path, mode).unwrap();
        }
        match Variables::with_file(&path) {
            Ok(variables) => shown.push(debug(&variables)),
            Err(error) => shown.push(both(&error)),
        }
        shown.push(both(&TokenFile::new(&path).read().unwrap_err()));
    }
    shown
}

#[cfg(not(feature = "files"))]
fn files(_: &str) -> Vec<String> {
    Vec::new()
}

/// What tokens of users show, and a text that should be such but has secrets anywhere.
fn stored(user: &UserToken, unknown: &str) -> Vec<String> {
    let mut tokens = Tokens::default();
    let id = "7".parse().unwrap();
    tokens.insert(id, StoredToken::new(user.clone(), Timestamp::UNIX_EPOCH));
    let unknown = serde_json::json!(unknown);
    let json = tokens.to_json().replacen('{', &format!("{{\"bearer\":{unknown},"), 1);
    let name = "\"access_token\"";
    let json = json.replacen(name, &format!("\"oauth2\":{unknown},{name}"), 1);
    let read = Tokens::from_json(json.as_bytes()).unwrap();
    assert!(read.to_json().contains("oauth2"));
    let mut shown = vec![debug(&tokens), debug(&read), debug(&read.get(id))];
    let secret = serde_json::json!(user.secret.expose()).to_string();
    for text in [
        secret.clone(),
        format!("{{{secret}"),
        format!("{{\"7\":{secret}}}"),
        format!("{{\"users\":{secret}}}"),
        format!("{{\"users\":{{{secret}:{{}}}}}}"),
        format!("{{\"users\":{{\"7\":{secret}}}}}"),
        format!("{{\"users\":{{\"7\":{{{secret}:1}}}}}}"),
        format!("{{\"users\":{{\"7\":{{\"access_token\":{secret}"),
        format!("{{\"users\":{{\"7\":{{\"access_token\":[{secret}]}}}}}}"),
        format!("{{\"users\":{{\"7\":{{\"access_token\":{secret},\"added_at\":{secret}}}}}}}"),
    ] {
        shown.push(both(&Tokens::from_json(text.as_bytes()).unwrap_err()));
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
            debug(
                &Credentials::default()
                    .with_consumer(consumer.clone())
                    .with_owner(user.clone())
                    .with_bearer(bearer.parse().unwrap()),
            ),
        ];
        shown.extend(environment(&secrets));
        shown.extend(stored(&user, bearer));

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
