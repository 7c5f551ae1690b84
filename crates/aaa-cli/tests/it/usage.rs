//! What is printed, and how it ends.

use crate::support::{aaa, run};

#[tokio::test]
async fn help_names_every_command() {
    let directory = tempfile::tempdir().unwrap();
    let done = run(aaa(directory.path(), &["--help"])).await;
    assert_eq!(done.code, 0);
    insta::assert_snapshot!(done.stdout);
}

#[tokio::test]
async fn help_of_every_command_that_calls_the_api() {
    let directory = tempfile::tempdir().unwrap();
    let mut all = String::new();
    for command in [
        "webhooks",
        "webhooks create",
        "webhooks list",
        "webhooks validate",
        "webhooks delete",
        "webhooks ensure",
        "subscriptions",
        "subscriptions add",
        "subscriptions check",
        "subscriptions list",
        "subscriptions remove",
        "subscriptions count",
        "replay",
        "replay plan",
        "replay create",
        "replay recover",
        "replay status",
        "auth",
        "auth login",
        "auth bearer",
        "auth whoami",
        "dashboard",
    ] {
        let args: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let done = run(aaa(directory.path(), &args)).await;
        assert_eq!(done.code, 0, "{command}");
        // The credentials are the same everywhere.
        let (before, after) = done.stdout.split_once("Credentials (or").unwrap();
        let after = after.split_once("Example").unwrap().1;
        all += &format!("$ aaa {command} --help\n{before}Example{after}\n");
    }
    insta::assert_snapshot!(all);
}

#[tokio::test]
async fn the_emulators_credentials() {
    let directory = tempfile::tempdir().unwrap();
    let done = run(aaa(directory.path(), &["emulate", "--print-env"])).await;
    assert_eq!(done.code, 0);
    insta::assert_snapshot!(done.stdout, @"
    X_CONSUMER_KEY=emulator-key
    X_CONSUMER_SECRET=emulator-secret
    X_ACCESS_TOKEN=1-emulator
    X_ACCESS_TOKEN_SECRET=1-emulator-secret
    X_BEARER_TOKEN=emulator-bearer
    X_API_URL=http://127.0.0.1:7878
    ");
}

#[tokio::test]
async fn wrong_usage_is_exit_2() {
    let directory = tempfile::tempdir().unwrap();
    for args in [
        &["no-such-command"][..],
        &["listen", "--bind", "here"],
        &["listen", "--path", "relative"],
        &["listen", "--webhook", "abc"],
        &["demo", "--recover", "maybe"],
        &[],
    ] {
        let done = run(aaa(directory.path(), args)).await;
        assert_eq!(done.code, 2, "{args:?}");
        assert_eq!(done.stdout, "", "{args:?}");
    }
}

#[tokio::test]
async fn a_missing_or_bad_secret_is_exit_3_and_is_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let missing = run(aaa(directory.path(), &["listen"])).await;
    assert_eq!((missing.code, missing.stdout.as_str()), (3, ""));
    insta::assert_snapshot!(missing.stderr, @"error: no consumer secret: set X_CONSUMER_SECRET (the API secret key of your app) in the environment or in .env; to try without an account, `aaa emulate --print-env` prints the emulator's");
    let mut command = aaa(directory.path(), &["listen"]);
    let bad = run({
        command.env("X_CONSUMER_SECRET", "hush hush");
        command
    })
    .await;
    assert_eq!(bad.code, 3);
    insta::assert_snapshot!(bad.stderr, @"error: X_CONSUMER_SECRET: the consumer secret contains white space or a character outside printable ASCII: copy it again");
    std::fs::write(directory.path().join(".env"), "X_CONSUMER_SECRET=hush hush\n").unwrap();
    let unquoted = run(aaa(directory.path(), &["listen"])).await;
    assert_eq!(unquoted.code, 3);
    insta::assert_snapshot!(unquoted.stderr, @"error: could not read `.env`: line 1 is not `NAME=value`; put a value with white space or `#` into quotes, and close them");
}

#[tokio::test]
async fn an_inbox_that_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let done = run(aaa(directory.path(), &["events", "list", "--json"])).await;
    assert_eq!((done.code, done.stdout.as_str()), (1, ""));
    insta::assert_snapshot!(done.stderr, @"error: could not open the inbox: there is no store at `aaa-data`: check the data directory; the listener makes one when it starts");
    assert!(!directory.path().join("aaa-data").exists(), "reading made a store");
}
