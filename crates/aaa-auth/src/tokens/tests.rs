use proptest::prelude::*;

use super::*;

fn user(id: u64) -> UserId {
    id.try_into().unwrap()
}

fn stored(token: &str) -> StoredToken {
    let token = UserToken::new(token.parse().unwrap(), "hush".parse().unwrap());
    StoredToken::new(token, "2025-11-22T04:00:00Z".parse().unwrap())
}

fn read(json: &str) -> Result<Tokens, TokensError> {
    Tokens::from_json(json.as_bytes())
}

#[test]
fn the_json_form() {
    let mut tokens = Tokens::default();
    let access = Access {
        token: stored("1234567890123456789-a").token,
        user_id: None,
        screen_name: Some("long".to_owned()),
    };
    let at = "2025-11-22T04:00:00.25Z".parse().unwrap();
    tokens.insert(user(1_234_567_890_123_456_789), StoredToken::from_access(access, at));
    tokens.insert(user(7), stored("7-b"));
    insta::assert_snapshot!(*tokens.to_json(), @r#"
    {
      "7": {
        "access_token": "7-b",
        "access_token_secret": "hush",
        "added_at": "2025-11-22T04:00:00Z"
      },
      "1234567890123456789": {
        "access_token": "1234567890123456789-a",
        "access_token_secret": "hush",
        "screen_name": "long",
        "added_at": "2025-11-22T04:00:00.25Z"
      }
    }
    "#);
    insta::assert_snapshot!(*Tokens::default().to_json(), @"{}");
    insta::assert_snapshot!(format!("{tokens:?}"), @r#"Tokens { users: {UserId(7): StoredToken { token: UserToken { token: AccessToken([redacted]), secret: AccessTokenSecret([redacted]) }, screen_name: None, added_at: Some(2025-11-22T04:00:00Z), revoked_at: None, .. }, UserId(1234567890123456789): StoredToken { token: UserToken { token: AccessToken([redacted]), secret: AccessTokenSecret([redacted]) }, screen_name: Some("long"), added_at: Some(2025-11-22T04:00:00.25Z), revoked_at: None, .. }}, .. }"#);
}

#[test]
fn kept_replaced_and_removed() {
    let mut tokens = Tokens::default();
    assert!(tokens.is_empty() && tokens.remove(user(7)).is_none());
    assert!(tokens.insert(user(7), stored("a")).is_none());
    assert!(tokens.insert(user(10), stored("b")).is_none());
    assert_eq!(tokens.insert(user(7), stored("c")).unwrap().token.token.expose(), "a");
    assert_eq!(tokens.get(user(7)).unwrap().token.token.expose(), "c");
    let users: Vec<_> = tokens.iter().map(|(user, _)| user.as_u64()).collect();
    assert_eq!(users, [7, 10], "not sorted as text");
    assert_eq!(tokens.remove(user(7)).unwrap().token.token.expose(), "c");
    assert!(tokens.get(user(7)).is_none());
    assert_eq!(tokens.len(), 1);
}

#[test]
fn a_revocation_is_kept_until_the_user_permits_it_again() {
    let at = |hour: i64| Timestamp::from_second(1_763_784_000 + hour * 3600).unwrap();
    let added = |token: &str, hour: Option<i64>| {
        let mut stored = stored(token);
        stored.added_at = hour.map(at);
        stored
    };
    let mut tokens = Tokens::default();
    for (id, hour) in [(7, Some(1)), (8, None), (9, Some(3))] {
        tokens.insert(user(id), added("a", hour));
    }
    let news: Vec<_> = [7, 8, 9, 10].map(|id| tokens.revoke(user(id), at(2))).into();
    assert_eq!(news, [true, true, false, false]);
    assert!(!tokens.revoke(user(7), at(2)), "a copy");
    let mut tokens = read(&tokens.to_json()).unwrap();
    let is_revoked = |tokens: &Tokens, id| tokens.get(user(id)).unwrap().is_revoked();
    assert_eq!([7, 8, 9].map(|id| is_revoked(&tokens, id)), [true, true, false]);
    insta::assert_snapshot!(*tokens.to_json(), @r#"
    {
      "7": {
        "access_token": "a",
        "access_token_secret": "hush",
        "added_at": "2025-11-22T05:00:00Z",
        "revoked_at": "2025-11-22T06:00:00Z"
      },
      "8": {
        "access_token": "a",
        "access_token_secret": "hush",
        "revoked_at": "2025-11-22T06:00:00Z"
      },
      "9": {
        "access_token": "a",
        "access_token_secret": "hush",
        "added_at": "2025-11-22T07:00:00Z"
      }
    }
    "#);
    tokens.insert(user(7), added("b", Some(3)));
    assert!(!is_revoked(&tokens, 7) && !tokens.revoke(user(7), at(2)));
    assert!(tokens.revoke(user(7), at(4)) && is_revoked(&tokens, 7));
}

#[test]
fn what_a_newer_version_wrote_survives() {
    let json = r#"{"version":2,"users":{"7":{"access_token":"a","access_token_secret":"b",
        "oauth2":{"token":"hush","scopes":["dm.read"]}}},"x":[1,null]}"#;
    let mut tokens = read(json).unwrap();
    assert!(!format!("{tokens:#?}").contains("hush"));
    tokens.insert(user(7), stored("new"));
    tokens.insert(user(8), stored("8"));
    tokens.remove(user(8));
    let written: Value = serde_json::from_str(&tokens.to_json()).unwrap();
    assert_eq!(written["version"], 2);
    assert_eq!(written["x"], serde_json::json!([1, null]));
    // Users that stood below `users` are written where they belong.
    assert!(written.get("users").is_none());
    let seven = &written["7"];
    assert_eq!(seven["oauth2"]["token"], "hush");
    assert_eq!(seven["oauth2"]["scopes"][0], "dm.read");
    assert_eq!(seven["access_token"], "new");
}

#[test]
fn users_stand_at_the_top_or_where_an_earlier_version_put_them() {
    let user = r#"{"access_token":"a","access_token_secret":"b"}"#;
    let both = read(&format!(r#"{{"7":{user},"x":1,"users":{{"8":{user}}}}}"#)).unwrap();
    let ids: Vec<_> = both.iter().map(|(user, _)| user.as_u64()).collect();
    assert_eq!(ids, [7, 8]);
    for twice in [
        format!(r#"{{"7":{user},"7":{user}}}"#),
        format!(r#"{{"7":{user},"users":{{"7":{user}}}}}"#),
        format!(r#"{{"users":{{}},"users":{{"7":{user}}}}}"#),
    ] {
        assert!(read(&twice).is_err(), "{twice}");
    }
}

#[test]
fn what_is_not_required() {
    for more in ["", r#","screen_name":null,"added_at":null"#] {
        let json = format!(
            r#"{{"users":{{"7":{{"access_token":"a","access_token_secret":"b"{more}}}}}}}"#
        );
        let tokens = read(&json).unwrap();
        let stored = tokens.get(user(7)).unwrap();
        assert_eq!((stored.screen_name.as_deref(), stored.added_at), (None, None));
        assert!(!tokens.to_json().contains("null"));
    }
}

#[test]
fn faults_are_named_by_their_place() {
    let place = |json: &str| {
        let error = read(json).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
        (error.line(), error.column(), error.is_cut_off())
    };
    assert_eq!(place(""), (1, 0, true));
    assert_eq!(place("{\n  \"users\": {"), (2, 12, true));
    assert_eq!(place("{\"users\":{\"7\":{\"access_token\":\"hush"), (1, 35, true));
    assert_eq!(place("hush"), (1, 1, false));
    assert_eq!(place("[]"), (1, 0, false));
    assert_eq!(place("{\n\"users\": \"hush\"}"), (2, 15, false));
    assert_eq!(place("{\n\"users\": {\"hush\": {}}}"), (2, 16, false));
    let user = |members: &str| place(&format!("{{\"users\":{{\n\"7\":{{{members}}}}}}}"));
    assert_eq!(user(r#""access_token":"hush""#).0, 2);
    assert_eq!(user(r#""access_token":"hush hush""#), (2, 31, false));
    assert_eq!(user(r#""access_token":""#), (2, 24, true));
    assert_eq!(user(r#""access_token":7"#).0, 2);
    let whole = r#""access_token":"hush","access_token_secret":"hush""#;
    assert_eq!(user(&format!("{whole},\"added_at\":\"hush\"")).0, 2);
    assert_eq!(user(&format!("{whole},\"access_token\":\"hush\"")).0, 2);
    // Neither of two is dropped in silence.
    let twice = format!("{{\"users\":{{\"7\":{{{whole}}},\n\"7\":{{{whole}}}}}}}");
    assert_eq!(place(&twice).0, 2);
    insta::assert_snapshot!(read("{").unwrap_err(), @"line 1, column 1: the text ends too early");
    insta::assert_snapshot!(read("{]").unwrap_err(), @"line 1, column 2: this is not JSON");
    insta::assert_snapshot!(read(&twice).unwrap_err(), @"line 2, column 57: this is not what it should be: users are keyed by their id, each there once, with `access_token` and `access_token_secret`, and `added_at` and `revoked_at` are times such as 2025-11-22T04:00:00Z");
}

prop_compose! {
    fn one()(
        id in 1..10_000_000_000_000_000_000_u64,
        token in "[!-~]{12,40}",
        secret in "[!-~]{12,40}",
        name in proptest::option::of("\\PC{1,15}"),
        at in proptest::option::of(0..4_000_000_000_i64),
        revoked_at in proptest::option::of(0..4_000_000_000_i64),
        unknown in proptest::option::of("[a-z]{3,9}"),
    ) -> (UserId, StoredToken) {
        let token = UserToken::new(token.parse().unwrap(), secret.parse().unwrap());
        let mut stored = StoredToken::new(token, Timestamp::UNIX_EPOCH);
        stored.screen_name = name;
        stored.added_at = at.map(|second| Timestamp::from_second(second).unwrap());
        stored.revoked_at = revoked_at.map(|second| Timestamp::from_second(second).unwrap());
        stored.unknown.extend(unknown.map(|name| (format!("x_{name}"), Value::from(name))));
        (user(id), stored)
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_whatever_is_cut_off_is_refused(
        users in prop::collection::vec(one(), 0..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut tokens = Tokens::default();
        for (user, stored) in users {
            let shown = format!("{stored:?}");
            prop_assert!(!shown.contains(stored.token.token.expose()));
            prop_assert!(!shown.contains(stored.token.secret.expose()));
            tokens.insert(user, stored);
        }
        let json = tokens.to_json();
        let read = Tokens::from_json(json.as_bytes()).unwrap();
        prop_assert_eq!(&*read.to_json(), &*json);
        prop_assert_eq!(read.len(), tokens.len());
        // But for the line end after it, the whole is needed.
        let whole = json.trim_end();
        let part = whole.as_bytes().split_at(cut.index(whole.len())).0;
        prop_assert!(Tokens::from_json(part).is_err_and(|error| error.is_cut_off()));
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_are_never_shown(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..80),
            "(\\{|\\}|\"users\":|\"7\":|\"access_token(_secret)?\":|\"hushhush\"|[,:\\[\\]0 ]){0,14}"
                .prop_map(String::into_bytes),
        ],
    ) {
        if let Err(error) = Tokens::from_json(&bytes) {
            let shown = format!("{error} {error:?}");
            prop_assert!(!shown.contains("hush"));
        }
    }
}
