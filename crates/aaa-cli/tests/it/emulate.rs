//! `aaa emulate` and its flags.

use serde_json::{Value, json};

use crate::{
    browser,
    support::{Server, aaa, run},
};

#[tokio::test]
async fn traffic_is_a_flag() {
    let directory = tempfile::tempdir().unwrap();
    let args = ["emulate", "--bind", "127.0.0.1:0", "--traffic", "2.5", "--traffic-users", "3"];
    let emulator = Server::start(aaa(directory.path(), &args)).await;
    let url = format!("{}/_emulator/traffic", emulator.url).parse().unwrap();
    let told = browser::get(&url).await;
    assert_eq!(told.body, r#"{"rate":2.5,"users":3,"acts":0,"left_out":0}"#);
    for bad in [["--traffic", "0"], ["--traffic", "fast"], ["--traffic-users", "3"]] {
        let done = run(aaa(directory.path(), &[&["emulate"], &bad[..]].concat())).await;
        assert_eq!(done.code, 2, "{bad:?}: {}", done.stderr);
    }
}

/// Every setting can be had: from a file, one by one, and by flags with a name of their own.
#[tokio::test]
async fn settings_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = r#"{"seed":3,"quota":{"webhooks":2,"subscriptions":9},"blocked_flag":"text",
                   "retries":["3s","PT27S"],"replay_answer":"flat"}"#;
    std::fs::write(directory.path().join("x.json"), file).unwrap();
    let args = [
        "emulate",
        "--bind",
        "127.0.0.1:0",
        "--settings",
        "x.json",
        "--set",
        "checks={\"period\":\"PT30M\",\"after\":\"PT24H\"}",
        "--set",
        r#"replay_answer="data""#,
        "--seed",
        "7",
    ];
    let emulator = Server::start(aaa(directory.path(), &args)).await;
    let url = format!("{}/_emulator/state", emulator.url).parse().unwrap();
    let state: Value = serde_json::from_str(&browser::get(&url).await.body).unwrap();
    let settings = &state["settings"];
    let told = json!({
        "seed": 7,
        "quota": {"webhooks": 2, "subscriptions": 9},
        "blocked_flag": "text",
        "retries": ["PT3S", "PT27S"],
        "replay_answer": "data",
        "checks": {"period": "PT30M", "after": "PT24H"},
        "urls": "loopback_too",
    });
    for (name, value) in told.as_object().unwrap() {
        assert_eq!(&settings[name], value, "{name}");
    }
    let document = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/EMULATOR.md");
    let document = std::fs::read_to_string(document).unwrap();
    for name in settings.as_object().unwrap().keys() {
        assert!(document.contains(&format!("\n| `{name}` | ")), "docs/EMULATOR.md lacks {name}");
    }
}

#[tokio::test]
async fn settings_that_cannot_be_are_named() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("list.json"), "[]").unwrap();
    let mut told = String::new();
    for (flags, code) in [
        (["--set", "blocked_falg=1"], 2),
        (["--set", r#"blocked_flag="yes""#], 2),
        (["--set", "blocked_flag=text"], 2),
        (["--set", "quota={\"webhooks\":1}"], 2),
        (["--set", r#"checks={"period":"PT0S","after":"PT0S"}"#], 2),
        (["--start-at", "9999-01-01T00:00:00Z"], 2),
        (["--settings", "absent.json"], 1),
        (["--settings", "list.json"], 1),
    ] {
        let mut command = aaa(directory.path(), &["emulate", "--bind", "127.0.0.1:0"]);
        command.args(flags);
        let done = run(command).await;
        assert_eq!((done.code, done.stdout.as_str()), (code, ""), "{flags:?}: {}", done.stderr);
        told.push_str(&done.stderr);
        told.push('\n');
    }
    insta::assert_snapshot!(told.trim_end(), @r#"
    error: the setting `blocked_falg` cannot be so: unknown field `blocked_falg`, expected one of `seed`, `urls`, `time`, `start`, `oauth_time`, `quota`, `access`, `deadline`, `look_back`, `retries`, `concurrency`, `replay_rate`, `checks`, `check_grace`, `challenge`, `challenge_type`, `revival`, `while_invalid`, `window_end`, `relations`, `blocked_flag`, `delivery_headers`, `registration_answer`, `validation_answer`, `replay_answer`, `replay_scope`, `refusal_form`, `url_refusal`, `invalidation`
    what to do: docs/EMULATOR.md has all settings; `GET /_emulator/state` shows them as they are

    error: the setting `blocked_flag` cannot be so: unknown variant `yes`, expected `bool` or `text`
    what to do: docs/EMULATOR.md has all settings; `GET /_emulator/state` shows them as they are

    error: invalid value 'blocked_flag=text' for '--set <NAME=JSON>': this is not JSON (expected ident at line 1 column 2); a text needs quotes, as in '"text"'

    For more information, try '--help'.

    error: the setting `quota` cannot be so: missing field `subscriptions`
    what to do: docs/EMULATOR.md has all settings; `GET /_emulator/state` shows them as they are

    error: the setting `checks` cannot be so: `period` is a second at least

    error: the setting `start` cannot be so: the clock begins between 2011 and 2080, which is what ids can hold

    error: the settings in absent.json cannot be read: No such file or directory (os error 2)

    error: the settings in list.json are no JSON object: invalid type: sequence, expected a map at line 1 column 0
    "#);
}

/// Whoever listens everywhere is called on loopback, and a port that nobody knows yet by nobody.
#[tokio::test]
async fn what_is_printed_for_clients_can_be_called() {
    let directory = tempfile::tempdir().unwrap();
    for (bind, url) in [
        ("127.0.0.1:7878", "http://127.0.0.1:7878"),
        ("0.0.0.0:81", "http://127.0.0.1:81"),
        ("[::]:81", "http://[::1]:81"),
    ] {
        let done = run(aaa(directory.path(), &["emulate", "--print-env", "--bind", bind])).await;
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert_eq!(done.stdout.lines().last(), Some(format!("X_API_URL={url}").as_str()));
    }
    let done = run(aaa(directory.path(), &["emulate", "--print-env", "--bind", "127.0.0.1:0"]));
    let done = done.await;
    assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{}", done.stderr);
    assert!(done.stderr.contains("which port will be free"), "{}", done.stderr);
}
