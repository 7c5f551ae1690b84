//! No type and no error of this crate shows a secret, and no error says what the answer did not.

use std::{
    fmt::{Debug, Display},
    marker::PhantomData,
};

use aaa_types::{
    AccessToken, AccessTokenSecret, BearerToken, ConsumerSecret, WebhookUrl, api::ApiError,
};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

/// Tells at compile time which traits a type has: an inherent constant hides the one of the trait,
/// but exists only where its bound holds.
struct Has<T>(PhantomData<T>);

trait HasNot {
    const DISPLAY: bool = false;
    const SERIALIZE: bool = false;
    const DESERIALIZE: bool = false;
    const EQ: bool = false;
    const STRING: bool = false;
}

impl<T> HasNot for Has<T> {}

impl<T: Display> Has<T> {
    const DISPLAY: bool = true;
}

impl<T: Serialize> Has<T> {
    const SERIALIZE: bool = true;
}

impl<T: DeserializeOwned> Has<T> {
    const DESERIALIZE: bool = true;
}

impl<T: PartialEq> Has<T> {
    const EQ: bool = true;
}

impl<T: Into<String>> Has<T> {
    const STRING: bool = true;
}

/// What would let a secret out, or let it be compared in a time that tells of it.
macro_rules! leaks {
    ($name:ty) => {
        [
            ("Display", Has::<$name>::DISPLAY),
            ("Serialize", Has::<$name>::SERIALIZE),
            ("Deserialize", Has::<$name>::DESERIALIZE),
            ("PartialEq", Has::<$name>::EQ),
            ("Into<String>", Has::<$name>::STRING),
        ]
        .into_iter()
        .filter_map(|(name, has)| has.then_some(name))
        .collect::<Vec<_>>()
    };
}

#[test]
fn secrets_have_no_way_out_but_one() {
    assert!(leaks!(ConsumerSecret).is_empty(), "{:?}", leaks!(ConsumerSecret));
    assert!(leaks!(AccessToken).is_empty(), "{:?}", leaks!(AccessToken));
    assert!(leaks!(AccessTokenSecret).is_empty(), "{:?}", leaks!(AccessTokenSecret));
    assert!(leaks!(BearerToken).is_empty(), "{:?}", leaks!(BearerToken));
    // The question itself can be answered with yes.
    assert_eq!(
        leaks!(String),
        ["Display", "Serialize", "Deserialize", "PartialEq", "Into<String>"]
    );
}

fn debug(value: &impl Debug) -> String {
    format!("{value:?} {value:#?}")
}

fn both(value: &(impl Debug + Display)) -> String {
    format!("{value} {value:#} {}", debug(value))
}

/// All that can be seen of an error of the API.
fn seen(error: &ApiError) -> String {
    format!(
        "{} {} {}",
        both(error),
        error.advice().unwrap_or_default(),
        error.errors().iter().map(debug).collect::<String>(),
    )
}

/// Secrets of some other type inside of a user's own types.
#[derive(Debug, Clone)]
struct Configuration {
    secret: ConsumerSecret,
    user: Option<(AccessToken, AccessTokenSecret)>,
    tokens: Vec<BearerToken>,
}

proptest! {
    #[test]
    fn nothing_shows_a_secret(
        tail in "[!-~]{8,40}",
        password in "Zp[A-Za-z0-9_~!$&*+,;=%-]{8,40}",
    ) {
        // Each of its own, so that none is hidden only because another is.
        let secrets = ["A", "B", "C", "D"].map(|role| format!("Zq{role}{tail}"));
        let [app, token, secret, bearer] = secrets.each_ref().map(String::as_str);
        let configuration = Configuration {
            secret: app.parse().unwrap(),
            user: Some((token.parse().unwrap(), secret.parse().unwrap())),
            tokens: vec![bearer.parse().unwrap()],
        };
        let mut shown = vec![
            debug(&configuration.clone()),
            debug(&configuration.secret),
            debug(&configuration.user),
            debug(&configuration.tokens),
        ];

        // What could not be made.
        for spoiled in [format!("{app}\n"), format!(" {app}"), format!("{app}ä")] {
            shown.push(both(&spoiled.parse::<ConsumerSecret>().unwrap_err()));
            shown.push(both(&spoiled.parse::<AccessToken>().unwrap_err()));
            shown.push(both(&spoiled.parse::<AccessTokenSecret>().unwrap_err()));
            shown.push(both(&spoiled.parse::<BearerToken>().unwrap_err()));
        }
        // A password in a URL, or in what was meant to be one.
        for url in [
            format!("https://me:{password}@a.example/"),
            format!("https://{password}@a.example:port/"),
            format!("me:{password}@a.example"),
        ] {
            shown.push(both(&url.parse::<WebhookUrl>().unwrap_err()));
        }

        // `Debug` escapes quotes and backslashes.
        let escaped = secrets.each_ref().map(|secret| secret.escape_debug().to_string());
        for shown in shown {
            for secret in secrets.iter().chain(&escaped).chain([&password]) {
                prop_assert!(!shown.contains(secret.as_str()), "{shown}");
            }
        }
    }

    /// Whatever an error of the API shows, it is X's, or said of all errors alike.
    #[test]
    fn an_api_error_adds_nothing_of_its_own(
        status in 300..600_u16,
        code in 0..500_i64,
        words in "Zq[a-z]{6,20}",
        id in "Zr[a-z0-9]{6,20}",
    ) {
        let answer = |words: &str| {
            let json = serde_json::json!({ "errors": [{ "code": code, "message": words }] });
            ApiError::parse(status, json.to_string().as_bytes())
        };
        let one = seen(&answer(&words).with_request_id(id.as_str()));
        prop_assert!(one.contains(&words) && one.contains(&id));
        let other = seen(&answer("Zq12345678").with_request_id("Zr12345678"));
        let length = |words: &str| answer(words).body().len().to_string();
        let one = one
            .replace(&format!("length: {}", length(&words)), "length")
            .replace(&words, "Zq12345678")
            .replace(&id, "Zr12345678");
        let other = other.replace(&format!("length: {}", length("Zq12345678")), "length");
        prop_assert_eq!(one, other);
    }
}
