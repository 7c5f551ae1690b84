//! Several apps on one receiver.

use std::{path::Path, time::Duration};

use aaa_replay::coverage::{Cause, gaps};
use aaa_store::SqliteStore;
use aaa_webhook::signature::{HEADER, Signature};
use jiff::SignedDuration;
use tokio::{
    process::Command,
    time::{sleep, timeout},
};

use crate::support::{PATIENCE, Server, aaa, deliver, get, run, send};

const TOKEN: &str = "OWY4ODQ2ZjgtNDljMC00NDY2LWJhMGQtYTE4NzQ0MTM2OGFi";

fn listen(directory: &Path, args: &[&str], secrets: &[(&str, &str)]) -> Command {
    let mut command = aaa(directory, &["listen", "--bind", "127.0.0.1:0", "--format", "none"]);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().ends_with("_CONSUMER_SECRET") {
            command.env_remove(name);
        }
    }
    command.args(args).envs(secrets.iter().copied()).env("X_API_URL", "http://127.0.0.1:9");
    command
}

fn body(n: usize) -> String {
    format!(r#"{{"for_user_id":"7","favorite_events":[{{"id":"{n}"}}]}}"#)
}

async fn answers_for(server: &Server, path: &str, secret: &str) -> bool {
    let (status, answer) = get(&server.url, &format!("{path}?crc_token={TOKEN}")).await;
    let expected = Signature::of(&secret.parse().unwrap(), TOKEN.as_bytes()).to_string();
    status == 200 && answer.contains(&expected)
}

#[tokio::test]
async fn each_has_its_path_and_its_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let secrets = [
        ("X_CONSUMER_SECRET", "main-secret"),
        ("SHOP_CONSUMER_SECRET", "shop-secret"),
        ("SHOP_CONSUMER_SECRET_PREVIOUS", "shop-before"),
    ];
    let server = Server::start(listen(directory.path(), &["--app", "/shop=SHOP"], &secrets)).await;
    for (n, (path, secret, status)) in [
        ("/webhooks/twitter", "main-secret", 200),
        ("/shop", "shop-secret", 200),
        ("/shop", "shop-before", 200),
        ("/shop", "main-secret", 403),
        ("/webhooks/twitter", "shop-secret", 403),
        ("/", "main-secret", 404),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(deliver(&server.url, path, secret, &body(n)).await, status, "{path} {secret}");
    }
    // The same event of two apps is two events, that of one app is one.
    for (path, secret) in [("/webhooks/twitter", "main-secret"), ("/shop", "shop-secret")] {
        assert_eq!(deliver(&server.url, path, secret, &body(0)).await, 200);
    }
    let listed = run(aaa(directory.path(), &["events", "list"])).await;
    assert_eq!(listed.stdout.lines().count(), 4, "{}", listed.stdout);
    assert!(answers_for(&server, "/webhooks/twitter", "main-secret").await);
    assert!(answers_for(&server, "/shop", "shop-secret").await);
    assert_eq!(server.end().await, 0);

    // Another path is still the same app.
    let server = Server::start(listen(directory.path(), &["--app", "/new=SHOP"], &secrets)).await;
    assert_eq!(deliver(&server.url, "/new", "shop-secret", &body(1)).await, 200);
    assert_eq!(server.end().await, 0);
    let listed = run(aaa(directory.path(), &["events", "list"])).await;
    assert_eq!(listed.stdout.lines().count(), 4, "{}", listed.stdout);
}

#[tokio::test]
async fn a_shared_path_answers_no_unsigned_check() {
    let directory = tempfile::tempdir().unwrap();
    let secrets = [("X_CONSUMER_SECRET", "main-secret"), ("SHOP_CONSUMER_SECRET", "shop-secret")];
    let args = ["--app", "/webhooks/twitter=SHOP"];
    let server = Server::start(listen(directory.path(), &args, &secrets)).await;
    for secret in ["main-secret", "shop-secret"] {
        let status = deliver(&server.url, "/webhooks/twitter", secret, &body(1)).await;
        assert_eq!(status, 200);
    }
    let (status, _) = get(&server.url, &format!("/webhooks/twitter?crc_token={TOKEN}")).await;
    assert_eq!(status, 503);
    let mut server = server;
    let errors = server.child.stderr.take().unwrap();
    assert_eq!(server.end().await, 0);
    let errors = read(errors).await;
    assert!(errors.contains("warning: 2 apps share /webhooks/twitter: a check"), "{errors}");
}

async fn read(mut from: impl tokio::io::AsyncRead + Unpin) -> String {
    use tokio::io::AsyncReadExt;
    let mut text = String::new();
    from.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn what_cannot_be_told_apart_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let main = ("X_CONSUMER_SECRET", "main-secret");
    let shop = ("SHOP_CONSUMER_SECRET", "shop-secret");
    let refused = async |args: &[&str], secrets: &[(&str, &str)]| {
        let done = run(listen(directory.path(), args, secrets)).await;
        assert_eq!(done.stdout, "");
        assert!(!done.stderr.contains("-secret"), "{}", done.stderr);
        (done.code, done.stderr)
    };
    let (code, words) = refused(&["--app", "/shop=SHOP"], &[main]).await;
    assert_eq!(code, 3);
    insta::assert_snapshot!(words, @"error: no consumer secret: set SHOP_CONSUMER_SECRET");
    let same = ("SHOP_CONSUMER_SECRET", "main-secret");
    let (code, words) = refused(&["--app", "/shop=SHOP"], &[main, same]).await;
    assert_eq!(code, 3);
    insta::assert_snapshot!(words, @"error: X and SHOP have a consumer secret in common: nothing could tell their deliveries apart, so each app needs its own");
    let previous = ("SHOP_CONSUMER_SECRET_PREVIOUS", "main-secret");
    let (code, _) = refused(&["--app", "/shop=SHOP"], &[main, shop, previous]).await;
    assert_eq!(code, 3);
    let (code, words) = refused(&["--app", "/a=SHOP", "--app", "/a=SHOP"], &[main, shop]).await;
    assert_eq!(code, 2);
    insta::assert_snapshot!(words, @"error: --app /a=SHOP: this app is at this path already");
    let (code, _) = refused(&["--app", "shop=SHOP"], &[main, shop]).await;
    assert_eq!(code, 2);
    assert!(!directory.path().join("aaa-data").exists());
}

/// With apps of its own names a receiver needs no first one, and says so.
#[tokio::test]
async fn only_named_apps() {
    let directory = tempfile::tempdir().unwrap();
    let secrets = [("SHOP_CONSUMER_SECRET", "shop-secret")];
    let server = Server::start(listen(directory.path(), &["--app", "/shop=SHOP"], &secrets)).await;
    assert!(answers_for(&server, "/shop", "shop-secret").await);
    assert_eq!(get(&server.url, "/webhooks/twitter").await.0, 404);
    let mut server = server;
    let errors = server.child.stderr.take().unwrap();
    assert_eq!(server.end().await, 0);
    let errors = read(errors).await;
    assert!(errors.contains("nothing is taken at /webhooks/twitter"), "{errors}");
}

#[tokio::test]
async fn strict_crc_answers_only_what_x_has_signed() {
    let directory = tempfile::tempdir().unwrap();
    let secrets = [("X_CONSUMER_SECRET", "main-secret")];
    let server = Server::start(listen(directory.path(), &["--strict-crc"], &secrets)).await;
    let query = format!("crc_token={TOKEN}&nonce=1");
    let target = format!("/webhooks/twitter?{query}");
    assert_eq!(get(&server.url, &target).await.0, 401);
    for (secret, expected) in [("main-secret", 200), ("other", 403)] {
        let signature = Signature::of(&secret.parse().unwrap(), query.as_bytes());
        let request = format!(
            "GET {target} HTTP/1.1\r\nhost: x\r\n{HEADER}: {signature}\r\nconnection: close\r\n\r\n"
        );
        assert_eq!(send(&server.url, &request).await.0, expected, "{secret}");
    }
    assert_eq!(server.end().await, 0);
}

/// X has a new secret for the main app, and something with a right signature arrives all the same.
/// What is rejected meanwhile is a gap, once the receiver has the new secret too.
async fn a_gap_in_spite_of(hides: impl AsyncFn(&Path, &Server)) {
    let directory = tempfile::tempdir().unwrap();
    let start = async |secret| {
        let secrets = [("X_CONSUMER_SECRET", secret), ("SHOP_CONSUMER_SECRET", "shop-secret")];
        Server::start(listen(directory.path(), &["--app", "/shop=SHOP"], &secrets)).await
    };
    let arrives = async |server: &Server, secret| {
        deliver(&server.url, "/webhooks/twitter", secret, &body(1)).await
    };
    let server = start("old").await;
    assert_eq!(arrives(&server, "old").await, 200);
    let reader = SqliteStore::open_reader(directory.path().join("aaa-data")).unwrap();
    let told = async {
        while reader.spans().await.unwrap().last().is_none_or(|span| span.verified.is_none()) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, told).await.expect("no heartbeat tells of it");
    assert_eq!(arrives(&server, "new").await, 403);
    hides(directory.path(), &server).await;
    assert_eq!(server.end().await, 0);

    let server = start("new").await;
    assert_eq!(arrives(&server, "new").await, 200);
    assert_eq!(server.end().await, 0);
    let spans = reader.spans().await.unwrap();
    let gaps = gaps(&spans, SignedDuration::ZERO);
    let spells: Vec<_> = gaps.iter().filter(|gap| gap.cause == Cause::Signatures).collect();
    assert_eq!(spells.len(), 1, "{gaps:?}");
    // From the last that was right to the first that is again.
    let right: Vec<_> = spans.iter().filter_map(|span| span.verified).collect();
    assert_eq!((spells[0].from, spells[0].to), (right[0].last.at, right[1].first.at));
}

#[tokio::test]
async fn another_app_does_not_hide_a_wrong_secret() {
    a_gap_in_spite_of(async |_, server| {
        assert_eq!(deliver(&server.url, "/shop", "shop-secret", &body(2)).await, 200);
    })
    .await;
}

/// They are signed with the secret that is wrong.
#[tokio::test]
async fn our_own_probes_do_not_hide_a_wrong_secret() {
    a_gap_in_spite_of(async |directory, server| {
        let url = format!("{}/webhooks/twitter", server.url);
        let mut command = aaa(directory, &["doctor", &url]);
        command.env("X_CONSUMER_SECRET", "old").env("X_API_URL", "http://127.0.0.1:9");
        let done = run(command).await;
        assert!(done.stdout.contains("answered with the right token"), "{}", done.stdout);
    })
    .await;
}
