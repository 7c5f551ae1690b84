//! What somebody reads whose command does not fit: what was typed is not right, or somebody else is
//! in the way.

use std::fs;

use aaa_emulator::credentials;
use tokio::net::TcpListener;

use crate::{
    errors::Newcomer,
    support::{Server, aaa},
};

#[tokio::test]
async fn what_does_not_fit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut newcomer = Newcomer::default();
    let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = held.local_addr().unwrap().to_string();
    let variables =
        [("X_CONSUMER_SECRET", credentials::CONSUMER_SECRET), ("X_API_URL", "http://127.0.0.1:9")];
    let mut listen = aaa(path, &["listen", "--bind", "127.0.0.1:0", "--recover", "off"]);
    listen.envs(variables);
    assert_eq!(Server::start(listen).await.end().await, 0);
    fs::write(path.join("file"), "").unwrap();
    for line in [
        "trigger follow_events --user 7 --to http://127.0.0.1:9/",
        &format!("listen --recover off --bind {taken}"),
        &format!("listen --recover off --bind 127.0.0.1:0 --metrics {taken}"),
        &format!("listen --recover off --bind 127.0.0.1:0 --dashboard {taken}"),
        &format!("dashboard --bind {taken}"),
        &format!("emulate --bind {taken}"),
        "listen --recover auto --bind 127.0.0.1:0",
        "listen --recover off --data-dir file",
        "events list --data-dir file",
        "dashboard --data-dir file",
        "--api-url ftp://x webhooks list",
        "listen --forward-to http://ann:hush@host/",
        "listen --hook-url http://ann:hu/sh@host/",
        "listen --register https://ann:hush@example.com/hook",
        "listen --public-url https://ann:hush@example.com/hook",
        "events resend 1 --to ftp://ann:hush@host/?token=hush",
        "dashboard --resend-to ann:hush@host",
        "trigger follow_events --user 7 --to http://ann:hush@host/",
        "trigger follow_events --user 7 --emulator http://ann:hush@host/",
        "replay plan --public-url https://ann:hush@example.com/hook",
        "webhooks create https://ann:hush@example.com/hook",
    ] {
        newcomer.tries(path, &variables, line).await;
    }
    // What differs each time: when the store was used last, and what was made up.
    let told = newcomer.told.replace(&taken, "TAKEN");
    let lines = told.lines().filter(|line| !line.starts_with("warning: what was sent since"));
    let told: String = lines.map(|line| format!("{line}\n")).collect();
    let (before, rest) = told.split_once("could not send ").unwrap();
    let told = format!("{before}could not send EVENT to {}", rest.split_once(" to ").unwrap().1);
    for line in told.lines().filter(|line| !line.starts_with("$ ")) {
        assert!(!line.contains("hush") && !line.contains("hu/sh"), "{line}");
    }
    insta::assert_snapshot!(told, @"
    $ aaa trigger follow_events --user 7 --to http://127.0.0.1:9/
    0 events in 0.0 s: 0 answered 200, 0 refused, 0 without an answer
    error: could not send EVENT to http://127.0.0.1:9/: no connection, nothing was sent: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    what to do: start the receiver there, such as `aaa listen`, or name another with --to
    -> 4

    $ aaa listen --recover off --bind TAKEN
    error: could not listen on TAKEN: Address already in use (os error 98)
    what to do: end whoever listens there, or choose another address with --bind
    -> 1

    $ aaa listen --recover off --bind 127.0.0.1:0 --metrics TAKEN
    error: could not listen on TAKEN: Address already in use (os error 98)
    what to do: end whoever listens there, or choose another address with --metrics
    -> 1

    $ aaa listen --recover off --bind 127.0.0.1:0 --dashboard TAKEN
    error: could not listen on TAKEN: Address already in use (os error 98)
    what to do: end whoever listens there, or choose another address with --dashboard
    -> 1

    $ aaa dashboard --bind TAKEN
    error: could not listen on TAKEN: Address already in use (os error 98)
    what to do: end whoever listens there, or choose another address with --bind
    -> 1

    $ aaa emulate --bind TAKEN
    error: the emulator did not start: cannot listen on TAKEN: Address already in use (os error 98); choose another address, port 0 takes a free one
    -> 1

    $ aaa listen --recover auto --bind 127.0.0.1:0
    error: --recover auto: no bearer token: set X_BEARER_TOKEN
    what to do: `aaa auth bearer --env >> .env` gets one with the app's consumer key and secret; to try without an account, `aaa emulate --print-env` prints the emulator's; or receive without it: --recover off
    -> 3

    $ aaa listen --recover off --data-dir file
    error: could not open the store: `file` is a file, and a store is a directory: name another path, or move it away
    -> 1

    $ aaa events list --data-dir file
    error: could not open the inbox: `file` is a file, and a store is a directory: name another path, or move it away
    -> 1

    $ aaa dashboard --data-dir file
    error: could not open the store: `file` is a file, and a store is a directory: name another path, or move it away
    what to do: name that of the receiver with --data-dir; `aaa listen` makes one
    -> 1

    $ aaa --api-url ftp://x webhooks list
    error: --api-url: the API's URL must begin with `https` (or with `http` on loopback)
    -> 2

    $ aaa listen --forward-to http://ann:hush@host/
    error: invalid value 'http://…@host/' for '--forward-to <URL>': a URL with a user or password would be shown to everybody
    -> 2

    $ aaa listen --hook-url http://ann:hu/sh@host/
    error: invalid value 'http://…@host/' for '--hook-url <URL>': expected an absolute URL
    -> 2

    $ aaa listen --register https://ann:hush@example.com/hook
    error: invalid value 'https://…@example.com/hook' for '--register <PUBLIC_URL>': `[redacted]` cannot be a webhook: it must not contain a user or a password
    -> 2

    $ aaa listen --public-url https://ann:hush@example.com/hook
    error: invalid value 'https://…@example.com/hook' for '--public-url <URL>': `[redacted]` cannot be a webhook: it must not contain a user or a password
    -> 2

    $ aaa events resend 1 --to ftp://ann:hush@host/?token=hush
    error: invalid value 'ftp://…@host/?…' for '--to <URL>': expected an http or https URL
    -> 2

    $ aaa dashboard --resend-to ann:hush@host
    error: invalid value '…@host' for '--resend-to <URL>': expected an http or https URL
    -> 2

    $ aaa trigger follow_events --user 7 --to http://ann:hush@host/
    error: invalid value 'http://…@host/' for '--to <URL>': a URL with a user or password would be shown to everybody
    -> 2

    $ aaa trigger follow_events --user 7 --emulator http://ann:hush@host/
    error: invalid value 'http://…@host/' for '--emulator <URL>': the API's URL must not contain a user or a password
    -> 2

    $ aaa replay plan --public-url https://ann:hush@example.com/hook
    error: invalid value 'https://…@example.com/hook' for '--public-url <URL>': `[redacted]` cannot be a webhook: it must not contain a user or a password
    -> 2

    $ aaa webhooks create https://ann:hush@example.com/hook
    error: `[redacted]` cannot be a webhook: it must not contain a user or a password
    -> 2
    ");
}
