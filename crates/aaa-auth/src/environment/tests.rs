use proptest::prelude::*;

use super::*;

fn found(pairs: &[(&str, &str)]) -> Result<Environment, EnvironmentError> {
    let value = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    Environment::from_lookup(value)
}

/// Sets every variable to something fit.
fn all(name: &str) -> Option<String> {
    let url = name.ends_with("_API_URL").then(|| "http://127.0.0.1:7878".to_owned());
    Some(url.unwrap_or_else(|| format!("value-of-{name}")))
}

#[test]
fn each_variable_goes_to_its_place() {
    let check = |environment: Environment, prefix: &str| {
        let value = |name: &str| format!("value-of-{prefix}_{name}");
        let Credentials { consumer, owner, bearer } = &environment.credentials;
        let (consumer, owner) = (consumer.as_ref().unwrap(), owner.as_ref().unwrap());
        assert_eq!(consumer.key.as_str(), value("CONSUMER_KEY"));
        assert_eq!(consumer.secret.expose(), value("CONSUMER_SECRET"));
        assert_eq!(owner.token.expose(), value("ACCESS_TOKEN"));
        assert_eq!(owner.secret.expose(), value("ACCESS_TOKEN_SECRET"));
        assert_eq!(bearer.as_ref().unwrap().expose(), value("BEARER_TOKEN"));
        let secret = environment.consumer_secret.as_ref().unwrap();
        assert_eq!(secret.expose(), value("CONSUMER_SECRET"));
        let previous = environment.previous_secret.as_ref().unwrap();
        assert_eq!(previous.expose(), value("CONSUMER_SECRET_PREVIOUS"));
        assert_eq!(environment.api.to_string(), "http://127.0.0.1:7878");
        assert_eq!(environment.halves().count(), 0);
        assert!(environment.require_consumer().is_ok() && environment.require_owner().is_ok());
        assert!(environment.require_bearer().is_ok());
    };
    check(Environment::from_lookup(all).unwrap(), "X");
    check(Environment::of_app(&"MY_SHOP".parse().unwrap(), all).unwrap(), "MY_SHOP");
}

#[test]
fn nothing_is_needed_until_it_is_used() {
    for empty in [found(&[]), Environment::from_lookup(|_| Some(String::new()))] {
        let empty = empty.unwrap();
        assert_eq!(empty.api.to_string(), "https://api.x.com");
        assert_eq!(empty.halves().count(), 0);
        assert_eq!(
            empty.require_consumer().unwrap_err().to_string(),
            "no consumer key and secret: set X_CONSUMER_KEY and X_CONSUMER_SECRET",
        );
        let error = empty.require_owner().unwrap_err();
        let names: Vec<_> = error.names().collect();
        assert_eq!(names, ["X_ACCESS_TOKEN", "X_ACCESS_TOKEN_SECRET"]);
        assert_eq!(
            empty.require_consumer_secret().unwrap_err().to_string(),
            "no consumer secret: set X_CONSUMER_SECRET",
        );
    }
}

#[test]
fn the_missing_half_is_named() {
    let halves = |names: &[&str]| {
        let pairs: Vec<_> = names.iter().map(|name| (*name, "a")).collect();
        let found = found(&pairs).unwrap();
        assert!(found.credentials.owner.is_none() || names.len() == 4);
        found.halves().flat_map(|half| half.missing).collect::<Vec<_>>()
    };
    assert_eq!(halves(&["X_CONSUMER_KEY"]), ["X_CONSUMER_SECRET"]);
    // Enough for a receiver.
    assert!(halves(&["X_CONSUMER_SECRET", "X_CONSUMER_SECRET_PREVIOUS"]).is_empty());
    assert_eq!(halves(&["X_ACCESS_TOKEN"]), ["X_ACCESS_TOKEN_SECRET"]);
    assert_eq!(halves(&["X_ACCESS_TOKEN_SECRET"]), ["X_ACCESS_TOKEN"]);
    assert_eq!(
        halves(&["X_CONSUMER_KEY", "X_ACCESS_TOKEN"]),
        ["X_CONSUMER_SECRET", "X_ACCESS_TOKEN_SECRET"]
    );
    let secret_alone = found(&[("X_CONSUMER_SECRET", "a")]).unwrap();
    assert_eq!(
        secret_alone.require_consumer().unwrap_err().to_string(),
        "no consumer key and secret: set X_CONSUMER_KEY too (X_CONSUMER_SECRET is set)",
    );
}

#[test]
fn a_bearer_token_is_used_verbatim() {
    let found = found(&[("X_BEARER_TOKEN", "AAAA%2Fb%3D%25")]).unwrap();
    assert_eq!(found.require_bearer().unwrap().expose(), "AAAA%2Fb%3D%25");
}

#[test]
fn what_copying_leaves_behind() {
    for (name, value, reason) in [
        ("X_CONSUMER_KEY", "hush\n", ValueError::Space),
        ("X_CONSUMER_SECRET", " hush", ValueError::Space),
        ("X_CONSUMER_SECRET_PREVIOUS", "\u{feff}hush", ValueError::Space),
        ("X_ACCESS_TOKEN", "hush\u{200b}", ValueError::Space),
        ("X_ACCESS_TOKEN_SECRET", " ", ValueError::Space),
        ("X_BEARER_TOKEN", "\"hush\"", ValueError::Quoted),
        ("X_BEARER_TOKEN", "'hush", ValueError::Quoted),
        ("X_BEARER_TOKEN", "“hush”", ValueError::Quoted),
        ("X_BEARER_TOKEN", "bearer hush", ValueError::Scheme),
        ("X_API_URL", "\"https://hush\"", ValueError::Quoted),
        ("X_API_URL", "https://hush.com:x", ValueError::Url(ApiUrlError::NotAbsolute)),
        ("X_API_URL", "http://hush.com", ValueError::Url(ApiUrlError::Plain)),
    ] {
        let error = found(&[(name, value)]).unwrap_err();
        assert_eq!(error.variable(), name);
        let EnvironmentError::Value { reason: found, .. } = &error;
        assert_eq!(*found, reason, "{name}={value}");
        assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
    }
    let inside = found(&[("X_CONSUMER_SECRET", "hush hush")]).unwrap_err();
    insta::assert_snapshot!(inside, @"X_CONSUMER_SECRET: the consumer secret contains white space or a character outside printable ASCII: copy it again");
    let messages: Vec<_> = ["a ", "'a'", "Bearer a", "ä"]
        .map(|value| found(&[("X_BEARER_TOKEN", value)]).unwrap_err().to_string())
        .into();
    insta::assert_snapshot!(messages.join("\n"), @"
    X_BEARER_TOKEN: white space or an invisible character was copied along with the value: remove it
    X_BEARER_TOKEN: the quotes belong to the value here: write it without them
    X_BEARER_TOKEN: the value begins with `Bearer `: write the token alone
    X_BEARER_TOKEN: the bearer token contains white space or a character outside printable ASCII: copy it again
    ");
}

#[test]
fn another_app_asks_where_the_first_one_does() {
    let shop = "SHOP".parse().unwrap();
    let api = |pairs: &[(&str, &str)]| {
        let value = |name: &str| {
            let pair = pairs.iter().find(|(n, _)| *n == name);
            pair.map(|(_, v)| (*v).to_owned())
        };
        Environment::of_app(&shop, value).unwrap().api.to_string()
    };
    let first = ("X_API_URL", "http://localhost:1");
    assert_eq!(api(&[]), "https://api.x.com");
    assert_eq!(api(&[first]), "http://localhost:1");
    assert_eq!(api(&[first, ("SHOP_API_URL", "http://localhost:2")]), "http://localhost:2");
}

proptest! {
    #[test]
    fn arbitrary_values_never_panic_and_are_never_shown(
        variable in prop::sample::select(Variable::ALL.as_slice()),
        value in prop_oneof![
            "\\PC{12,40}",
            "[ \"'\t\u{200b}]?(Bearer )?(https?://)?[!-~]{12,40}[ \"'\n]?",
        ],
    ) {
        let name = variable.name(&Prefix::X);
        let found = Environment::from_lookup(|n| (n == name).then(|| value.clone()));
        let shown = match &found {
            // An address is shown, a key too.
            Ok(found) if variable == Variable::ApiUrl => format!("{:?}", found.credentials),
            Ok(_) if variable == Variable::ConsumerKey => String::new(),
            Ok(found) => format!("{found:?} {:?}", found.halves().collect::<Vec<_>>()),
            Err(error) => format!("{error} {error:?}"),
        };
        let secret = value.trim_matches(|c: char| !c.is_ascii_graphic() || "\"'".contains(c));
        prop_assert!(secret.len() < 6 || !shown.contains(secret), "{shown}");
    }
}
