//! `aaa verify`.

use std::path::Path;

use aaa_webhook::signature::Signature;
use serde_json::Value;

use crate::support::{Done, aaa, run};

const BODY: &str = r#"{"for_user_id":"7","favorite_events":[{"id":"a","x":"https:\/\/t.co"}]}"#;

fn signature(secret: &str) -> String {
    Signature::of(&secret.parse().unwrap(), BODY.as_bytes()).to_string()
}

async fn verify(directory: &Path, saved: &[u8], signature: &str, args: &[&str]) -> Done {
    std::fs::write(directory.join("saved"), saved).unwrap();
    let mut command = aaa(directory, &["verify", "--body", "saved", "--signature", signature]);
    command
        .args(args)
        .env("X_CONSUMER_SECRET", "main-hush")
        .env("X_ACCESS_TOKEN", "7-token-hush")
        .env("X_ACCESS_TOKEN_SECRET", "token-hush")
        .env("SHOP_CONSUMER_SECRET", "shop-hush");
    let done = run(command).await;
    let printed = format!("{}{}", done.stdout, done.stderr);
    assert!(!printed.contains("hush"), "{printed}");
    // Neither the right signature nor any other.
    for secret in ["main-hush", "token-hush", "shop-hush"] {
        let expected = self::signature(secret);
        assert!(!printed.contains(expected.trim_start_matches("sha256=")), "{printed}");
    }
    done
}

#[tokio::test]
async fn right_and_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let mut said = String::new();
    for (saved, signature, args, code) in [
        (BODY.to_owned(), signature("main-hush"), &[][..], 0),
        (BODY.to_owned(), signature("shop-hush"), &["--app", "SHOP"], 0),
        (BODY.to_owned(), signature("shop-hush"), &[], 1),
        (BODY.to_owned(), signature("token-hush"), &[], 1),
        (format!("{BODY}\n"), signature("main-hush"), &[], 1),
        (BODY.replace("\\/", "/"), signature("main-hush"), &[], 1),
        (BODY.to_owned(), signature("main-hush").replace("sha256=", ""), &[], 1),
        (BODY[..40].to_owned(), signature("main-hush"), &["--content-length", "77"], 1),
    ] {
        let done = verify(directory, saved.as_bytes(), &signature, args).await;
        assert_eq!(done.code, code, "{}{}", done.stdout, done.stderr);
        assert_eq!(done.stderr, if code == 0 { "" } else { "error: the signature is not right\n" });
        said += &done.stdout;
    }
    insta::assert_snapshot!(said);
}

/// A downstream of `--forward-to` verifies with a secret of its own.
#[tokio::test]
async fn what_was_forwarded_and_signed_anew() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("saved"), BODY).unwrap();
    let signature = signature("forward-hush");
    let mut command =
        aaa(directory.path(), &["verify", "--body", "saved", "--signature", &signature]);
    command.env("X_CONSUMER_SECRET", "main-hush").env("X_FORWARD_SECRET", "forward-hush");
    let done = run(command).await;
    assert_eq!((done.code, done.stdout.as_str()), (0, "right: made with X_FORWARD_SECRET\n"));
}

#[tokio::test]
async fn in_json() {
    let directory = tempfile::tempdir().unwrap();
    let ask = async |saved: &str| {
        let signature = signature("main-hush");
        let done = verify(directory.path(), saved.as_bytes(), &signature, &["--json"]).await;
        (done.code, serde_json::from_str::<Value>(&done.stdout).unwrap())
    };
    let (code, right) = ask(BODY).await;
    assert_eq!(code, 0);
    insta::assert_snapshot!(right, @r#"{"causes":[],"not_a_delivery":null,"right":true,"secret":"X_CONSUMER_SECRET"}"#);
    let (code, wrong) = ask(&BODY.replace("\\/", "/")).await;
    assert_eq!(code, 1);
    insta::assert_snapshot!(wrong, @r#"{"causes":[{"code":"body","proved":true,"what":"the body was changed: `\\/` became `/` or the other way round","what_to_do":"verify the raw bytes of the request, before anything parses them: JSON that is written again is never the same, the order of its members included"}],"not_a_delivery":null,"right":false,"secret":null}"#);
}

/// Whatever reads it tells of it, where the data is not.
#[cfg(unix)]
#[tokio::test]
async fn what_is_wrong_with_a_dot_env_is_told_on_stderr() {
    use std::{fs, os::unix::fs::PermissionsExt};

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(".env");
    fs::write(directory.path().join("saved"), BODY).unwrap();
    let twice =
        "`.env` has X_CONSUMER_SECRET more than once, with different values: the first counts";
    let exposed =
        "`.env` holds secrets and has mode 0644, so that others can read it: `chmod 600 .env`";
    for (mode, more, told) in [
        (0o644, "", &[twice, exposed][..]),
        (0o600, "", &[twice]),
        // These are an emulator's, and known to everybody.
        (0o644, "X_API_URL=http://127.0.0.1:1\n", &[twice]),
    ] {
        let secrets = "X_CONSUMER_SECRET=main-hush\nX_CONSUMER_SECRET=before-hush\n";
        fs::write(&path, format!("{secrets}{more}")).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let signature = signature("main-hush");
        let args = ["verify", "--body", "saved", "--signature", &signature, "--json"];
        let done = run(aaa(directory.path(), &args)).await;
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert_eq!(serde_json::from_str::<Value>(&done.stdout).unwrap()["right"], true);
        let words = done.stderr.lines().map(|line| line.split_once("WARN ").unwrap().1);
        assert_eq!(words.collect::<Vec<_>>(), told, "{mode:o} {more}");
    }
}

#[tokio::test]
async fn what_is_needed() {
    let directory = tempfile::tempdir().unwrap();
    let args = ["verify", "--body", "nowhere", "--signature", "sha256="];
    let without = run(aaa(directory.path(), &args)).await;
    assert_eq!(without.code, 3);
    assert!(without.stderr.contains("X_CONSUMER_SECRET"), "{}", without.stderr);
    let mut command = aaa(directory.path(), &args);
    command.env("X_CONSUMER_SECRET", "hush");
    let missing = run(command).await;
    assert_eq!((missing.code, missing.stdout.as_str()), (1, ""));
    assert!(
        missing.stderr.contains("could not read the body from `nowhere`"),
        "{}",
        missing.stderr
    );
    let usage = run(aaa(directory.path(), &["verify"])).await;
    assert_eq!(usage.code, 2);
}

#[tokio::test]
async fn from_stdin() {
    use tokio::io::AsyncWriteExt;
    let directory = tempfile::tempdir().unwrap();
    let signature = signature("main-hush");
    let args = ["verify", "--body", "-", "--signature", &signature];
    let mut command = aaa(directory.path(), &args);
    command.env("X_CONSUMER_SECRET", "main-hush").stdin(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(BODY.as_bytes()).await.unwrap();
    drop(stdin);
    let output = tokio::time::timeout(crate::support::PATIENCE, child.wait_with_output()).await;
    let output = output.expect("the command hangs").unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "right: made with X_CONSUMER_SECRET\n");
}
