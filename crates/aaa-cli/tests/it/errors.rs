//! What somebody reads who does something wrong, or has not set everything up yet: what was tried,
//! what came back, and what to do.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use aaa_emulator::credentials;
use tokio::net::TcpListener;

use crate::{
    lab::{Lab, assert_no_secret},
    support::{Server, aaa, run},
};

/// Runs commands that fail, and tells how.
#[derive(Default)]
pub(crate) struct Newcomer {
    pub(crate) told: String,
}

impl Newcomer {
    pub(crate) async fn tries(&mut self, directory: &Path, variables: &[(&str, &str)], line: &str) {
        let args: Vec<_> = line.split(' ').collect();
        let mut command = aaa(directory, &args);
        command.envs(variables.iter().copied());
        let done = run(command).await;
        assert_eq!(done.stdout, "", "{line}");
        assert_no_secret(&done.stderr);
        // The help that the parser adds is the same everywhere.
        let words = done.stderr.replace("\n\nFor more information, try '--help'.\n", "\n");
        self.told += &format!("$ aaa {line}\n{words}-> {}\n\n", done.code);
    }
}

#[tokio::test]
async fn without_credentials() {
    let directory = tempfile::tempdir().unwrap();
    let mut newcomer = Newcomer::default();
    for line in [
        "listen",
        "webhooks list",
        "webhooks create https://example.com/hook",
        "subscriptions add 12",
        "subscriptions add 12 --user 7",
        "subscriptions list 12",
        "auth login",
        "auth bearer",
        "auth whoami",
        "replay create 12 --from 202511220413 --to 202511220513",
        "trigger follow_events --user 7 --to http://127.0.0.1:9/",
        "verify --body body.json --signature x",
    ] {
        newcomer.tries(directory.path(), &[], line).await;
    }
    insta::assert_snapshot!(newcomer.told, @"
    $ aaa listen
    error: no consumer secret: set X_CONSUMER_SECRET (the API secret key of your app) in the environment or in .env; to try without an account, `aaa emulate --print-env` prints the emulator's
    -> 3

    $ aaa webhooks list
    error: could not list the webhooks: it needs the app's bearer token: set X_BEARER_TOKEN
    what to do: `aaa auth bearer --env >> .env` gets one with the app's consumer key and secret; to try without an account, `aaa emulate --print-env` prints the emulator's
    -> 3

    $ aaa webhooks create https://example.com/hook
    error: could not create the webhook: it needs the app's bearer token or its owner's access token: set X_BEARER_TOKEN, or X_CONSUMER_KEY, X_CONSUMER_SECRET, X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET
    what to do: `aaa auth bearer --env >> .env` gets one with the app's consumer key and secret; to try without an account, `aaa emulate --print-env` prints the emulator's
    -> 3

    $ aaa subscriptions add 12
    error: no access token of the app's owner: set X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET; or name a user with --user, whose token `aaa auth login` has stored
    what to do: copy them from the app's settings at X into the environment or .env; to try without an account, `aaa emulate --print-env` prints the emulator's
    -> 3

    $ aaa subscriptions add 12 --user 7
    error: no token of user 7 in `aaa-data/tokens.json`: `aaa auth login` asks the user and stores it; or choose another file with --tokens
    -> 3

    $ aaa subscriptions list 12
    error: could not list the subscriptions: it needs the app's bearer token: set X_BEARER_TOKEN
    what to do: `aaa auth bearer --env >> .env` gets one with the app's consumer key and secret; to try without an account, `aaa emulate --print-env` prints the emulator's
    -> 3

    $ aaa auth login
    error: could not get a request token: it needs the app's consumer key and secret to sign with: set X_CONSUMER_KEY and X_CONSUMER_SECRET
    what to do: copy them from the app's settings at X into the environment or .env; to try without an account, `aaa emulate --print-env` prints the emulator's
    -> 3

    $ aaa auth bearer
    error: could not get the app's bearer token: it needs the app's consumer key and secret to sign with: set X_CONSUMER_KEY and X_CONSUMER_SECRET
    what to do: copy them from the app's settings at X into the environment or .env; to try without an account, `aaa emulate --print-env` prints the emulator's
    -> 3

    $ aaa auth whoami
    the API is https://api.x.com
    error: there are no credentials
    what to do: set X_CONSUMER_KEY and the others in the environment or in .env, see `aaa --help`; `aaa emulate --print-env` prints the emulator's
    -> 3

    $ aaa replay create 12 --from 202511220413 --to 202511220513
    error: no bearer token: set X_BEARER_TOKEN
    what to do: `aaa auth bearer --env >> .env` gets one with the app's consumer key and secret; to try without an account, `aaa emulate --print-env` prints the emulator's
    -> 3

    $ aaa trigger follow_events --user 7 --to http://127.0.0.1:9/
    error: no consumer secret: set X_CONSUMER_SECRET (the API secret key of your app) in the environment or in .env; to try without an account, `aaa emulate --print-env` prints the emulator's
    -> 3

    $ aaa verify --body body.json --signature x
    error: no consumer secret: set X_CONSUMER_SECRET (the API secret key of your app) in the environment or in .env; to try without an account, `aaa emulate --print-env` prints the emulator's
    -> 3
    ");
}

#[tokio::test]
async fn without_a_store_or_with_a_broken_one() {
    let directory = tempfile::tempdir().unwrap();
    let mut newcomer = Newcomer::default();
    let path = directory.path();
    for line in [
        "events list",
        "events tail",
        "events stats",
        "events resend 1 --to http://127.0.0.1:9/",
        "events drop-consumer forward",
        "replay plan",
        "store check",
        "store backup copy.db",
        "store forget --user 7",
    ] {
        newcomer.tries(path, &[], line).await;
    }
    let secret = [("X_CONSUMER_SECRET", credentials::CONSUMER_SECRET)];
    fs::create_dir(path.join("open")).unwrap();
    fs::set_permissions(path.join("open"), fs::Permissions::from_mode(0o755)).unwrap();
    newcomer.tries(path, &secret, "listen --data-dir open").await;
    fs::create_dir(path.join("broken")).unwrap();
    fs::set_permissions(path.join("broken"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(path.join("broken/aaa.db"), "garbage").unwrap();
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(path.join("broken/aaa.db"), private.clone()).unwrap();
    newcomer.tries(path, &[], "events list --data-dir broken").await;
    fs::write(path.join("broken/tokens.json"), "{").unwrap();
    fs::set_permissions(path.join("broken/tokens.json"), private).unwrap();
    let line = "subscriptions add 12 --user 7 --tokens broken/tokens.json";
    newcomer.tries(path, &[], line).await;

    // A sound one.
    let mut listen = aaa(path, &["listen", "--bind", "127.0.0.1:0", "--recover", "off"]);
    listen.envs(secret).env("X_API_URL", "http://127.0.0.1:9");
    let first = Server::start(listen).await;
    newcomer.tries(path, &secret, "listen --bind 127.0.0.1:0").await;
    assert_eq!(first.end().await, 0);
    for line in [
        "events show 7",
        "events resend 7 --to http://127.0.0.1:9/",
        "events drop-consumer forward",
        "store backup aaa-data/aaa.db",
        "store backup nowhere/copy.db",
        "events tail --after x",
        "store forget --user bob",
        "replay create 12 --from yesterday --to now",
    ] {
        newcomer.tries(path, &[], line).await;
    }
    insta::assert_snapshot!(newcomer.told, @"
    $ aaa events list
    error: could not open the inbox: there is no store at `aaa-data`: check the data directory; the listener makes one when it starts
    -> 1

    $ aaa events tail
    error: could not open the inbox: there is no store at `aaa-data`: check the data directory; the listener makes one when it starts
    -> 1

    $ aaa events stats
    error: could not open the inbox: there is no store at `aaa-data`: check the data directory; the listener makes one when it starts
    -> 1

    $ aaa events resend 1 --to http://127.0.0.1:9/
    error: could not open the inbox: there is no store at `aaa-data`: check the data directory; the listener makes one when it starts
    -> 1

    $ aaa events drop-consumer forward
    error: could not open the inbox: there is no store at `aaa-data`: check the data directory; the listener makes one when it starts
    -> 1

    $ aaa replay plan
    error: could not open the store: there is no store at `aaa-data`: check the data directory; the listener makes one when it starts
    -> 1

    $ aaa store check
    error: could not check the store: there is no store at `aaa-data`: check the data directory; the listener makes one when it starts
    -> 1

    $ aaa store backup copy.db
    error: could not copy the store: there is no store at `aaa-data`: check the data directory; the listener makes one when it starts
    -> 1

    $ aaa store forget --user 7
    error: could not remove the user's events: there is no store at `aaa-data`: check the data directory; the listener makes one when it starts
    -> 1

    $ aaa listen --data-dir open
    error: could not open the store: `open` is open to other users (mode 755), and it holds direct messages: close it with `chmod go-rwx 'open'`
    -> 1

    $ aaa events list --data-dir broken
    error: could not open the inbox: `broken/aaa.db` is damaged (file is not a database), and nothing was changed in it: move it away together with its -wal and -shm files and restore a backup, or save what is readable with `sqlite3 'broken/aaa.db' .recover`; then start again
    -> 1

    $ aaa subscriptions add 12 --user 7 --tokens broken/tokens.json
    error: could not read the token of user 7: `broken/tokens.json` is not understood: line 1, column 1: the text ends too early; mend it, or move it away and let the users sign in again
    -> 3

    $ aaa listen --bind 127.0.0.1:0
    error: could not open the store: the data directory `aaa-data` is in use by another process: stop that one, or choose another directory
    -> 1

    $ aaa events show 7
    error: there is no event 7
    what to do: `aaa events list` shows which there are; old ones may have been removed
    -> 1

    $ aaa events resend 7 --to http://127.0.0.1:9/
    error: there are no such events in the inbox
    what to do: `aaa events list` shows which there are
    -> 1

    $ aaa events drop-consumer forward
    error: there is no consumer `forward`
    what to do: `aaa events stats` shows which there are
    -> 1

    $ aaa store backup aaa-data/aaa.db
    error: could not copy the store: `aaa-data/aaa.db` is there already: choose another name, or move it away
    -> 1

    $ aaa store backup nowhere/copy.db
    error: could not copy the store: there is no directory `nowhere`
    what to do: make it first, or name another file
    -> 1

    $ aaa events tail --after x
    error: invalid value 'x' for '--after <SEQ>': invalid digit found in string
    -> 2

    $ aaa store forget --user bob
    error: invalid value 'bob' for '--user <ID>': `bob` is not a user id: expected 1 to 19 decimal digits without leading zeros
    -> 2

    $ aaa replay create 12 --from yesterday --to now
    error: invalid value 'yesterday' for '--from <TIME>': expected a time in UTC such as 2025-11-22T04:13:00Z or 202511220413
    -> 2
    ");
}

/// With everything that the emulator's `.env` holds, but nobody there.
#[tokio::test]
async fn without_an_emulator() {
    let directory = tempfile::tempdir().unwrap();
    let mut newcomer = Newcomer::default();
    // A port on which nobody listens, for as long as it is ours.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", port.local_addr().unwrap());
    drop(port);
    let dotenv = run(aaa(directory.path(), &["emulate", "--print-env"])).await.stdout;
    let dotenv = dotenv.replace("http://127.0.0.1:7878", &url);
    fs::write(directory.path().join(".env"), dotenv).unwrap();
    for line in [
        "webhooks list --no-wait",
        "subscriptions add 12 --no-wait",
        "auth bearer --no-wait",
        &format!("trigger follow_events --user 7 --emulator {url}"),
    ] {
        newcomer.tries(directory.path(), &[], line).await;
    }
    insta::assert_snapshot!(newcomer.told.replace(&url, "http://EMULATOR"), @"
    $ aaa webhooks list --no-wait
    error: could not list the webhooks: GET http://EMULATOR/2/webhooks: no connection, nothing was sent: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    what to do: nothing listens there: start an emulator with `aaa emulate`, or say with X_API_URL where the API is
    -> 4

    $ aaa subscriptions add 12 --no-wait
    error: could not subscribe the user: POST http://EMULATOR/2/account_activity/webhooks/12/subscriptions/all: no connection, nothing was sent: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    what to do: nothing listens there: start an emulator with `aaa emulate`, or say with X_API_URL where the API is
    -> 4

    $ aaa auth bearer --no-wait
    error: could not get the app's bearer token: POST http://EMULATOR/oauth2/token: no connection, nothing was sent: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    what to do: nothing listens there: start an emulator with `aaa emulate`, or say with X_API_URL where the API is
    -> 4

    $ aaa trigger follow_events --user 7 --emulator http://EMULATOR
    error: no emulator answers at http://EMULATOR: no connection, nothing was sent: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    what to do: start one with `aaa emulate`, or say with --emulator or X_API_URL where it is
    -> 4
    ");
}

/// The emulator refuses as X does.
#[tokio::test]
async fn what_x_refuses() {
    let lab = Lab::new().await;
    let mut told = String::new();
    for line in [
        "webhooks create http://127.0.0.1:1/hook",
        "webhooks delete 12",
        "webhooks validate 12",
        "subscriptions add 12",
        "subscriptions list 12",
        "subscriptions remove 12 7",
        "--bearer-token wrong webhooks list",
        "--access-token 1-x --access-token-secret y subscriptions add 12",
        "replay create 12 --from 202511220413 --to 202511220513",
    ] {
        let args: Vec<_> = line.split(' ').collect();
        let (code, stderr) = lab.fails(&args).await;
        assert!(stderr.contains("what to do: ") || line.starts_with("replay"), "{line}: {stderr}");
        told += &format!("$ aaa {line}\n{}-> {code}\n\n", lab.plain(&stderr));
    }
    // When the first minute is that X still has, depends on the time.
    let (told, _) = told.rsplit_once("can be had now is").unwrap();
    insta::assert_snapshot!(told, @"
    $ aaa webhooks create http://127.0.0.1:1/hook
    error: could not create the webhook: status 400: CrcValidationFailed: the connection failed: client error (Connect): tcp connect error: Connection refused (os error 111)
    what to do: the webhook failed X's check; `GET URL?crc_token=...` must be answered at once, with 200, without a redirect, and with the consumer secret of this very app; `aaa doctor URL` looks for the reason
    -> 5

    $ aaa webhooks delete 12
    error: could not delete the webhook: status 400: WebhookIdInvalid
    what to do: no webhook of this app has this id; list the webhooks with this app's own credentials, since those of another app are not found
    -> 5

    $ aaa webhooks validate 12
    error: could not validate the webhook: status 400: WebhookIdInvalid
    what to do: no webhook of this app has this id; list the webhooks with this app's own credentials, since those of another app are not found
    -> 5

    $ aaa subscriptions add 12
    error: could not subscribe the user: status 400: WebhookIdInvalid
    what to do: no webhook of this app has this id; list the webhooks with this app's own credentials, since those of another app are not found
    -> 5

    $ aaa subscriptions list 12
    error: could not list the subscriptions: status 400: WebhookIdInvalid
    what to do: no webhook of this app has this id; list the webhooks with this app's own credentials, since those of another app are not found
    -> 5

    $ aaa subscriptions remove 12 7
    error: could not remove the subscription: status 400: WebhookIdInvalid
    what to do: no webhook of this app has this id; list the webhooks with this app's own credentials, since those of another app are not found
    -> 5

    $ aaa --bearer-token wrong webhooks list
    error: could not list the webhooks: status 401: Unauthorized
    what to do: check the consumer key and secret, the token and its secret, and this machine's clock; webhooks, lists and replay take the app's bearer token, a subscription the tokens of the user who subscribes
    -> 3

    $ aaa --access-token 1-x --access-token-secret y subscriptions add 12
    error: could not subscribe the user: status 401, code 89: Invalid or expired token.
    what to do: the token is invalid or has expired; generate it again, or have the user sign in again
    -> 3

    $ aaa replay create 12 --from 202511220413 --to 202511220513
    error: X would not take 202511220413..202511220513: it begins at 202511220413, and X replays only what is younger than 24 hours: the first minute that
    ");
}
