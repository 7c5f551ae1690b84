//! `aaa auth`. The test is the user and the browser.

use std::process::Stdio;

use aaa_auth::tokens::TokenFile;
use aaa_emulator::credentials;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};
use url::Url;

use crate::{
    browser,
    lab::{Lab, assert_no_secret, failed},
    support::{Done, PATIENCE, aaa, run},
};

/// A sign-in that has said which page to open.
struct Login {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    page: String,
}

impl Login {
    async fn begin(lab: &Lab, args: &[&str]) -> Self {
        Self::of(lab.command(&[&["auth", "login", "--json"], args].concat())).await
    }

    async fn of(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = timeout(PATIENCE, lines.next_line()).await.expect("no first line").unwrap();
        let first: Value = serde_json::from_str(&first.expect("it ended")).unwrap();
        let page = first["authorize_url"].as_str().unwrap().to_owned();
        assert_eq!(first.as_object().unwrap().len(), 1);
        Self { child, lines, page }
    }

    /// Types something, and says that nothing more will come if it is the end.
    async fn type_in(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).await.unwrap();
        stdin.flush().await.unwrap();
    }

    /// Waits for the end; the input ends as well.
    async fn end(mut self) -> Done {
        drop(self.child.stdin.take());
        let mut stdout = String::new();
        while let Some(line) =
            timeout(PATIENCE, self.lines.next_line()).await.expect("it hangs").unwrap()
        {
            stdout += &line;
            stdout.push('\n');
        }
        let ended = timeout(PATIENCE, self.child.wait_with_output()).await.expect("it hangs");
        let ended = ended.unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_no_secret(&stdout);
        assert_no_secret(&stderr);
        Done { code: ended.status.code().unwrap(), stdout, stderr }
    }
}

fn signed_in(done: &Done) -> Value {
    assert_eq!(done.code, 0, "{}", done.stderr);
    serde_json::from_str(done.stdout.lines().last().unwrap()).unwrap()
}

#[tokio::test]
async fn with_a_pin() {
    let lab = Lab::new().await;
    let mut login = Login::begin(&lab, &[]).await;
    assert!(login.page.contains("/oauth/authorize?oauth_token="), "{}", login.page);
    let page = browser::decide(&lab.emulator, &login.page, 7, "approve").await;
    let pin = browser::pin(&page);
    // A slip is no end.
    login.type_in("\nhello\n").await;
    login.type_in(&format!(" {pin} \n")).await;
    let done = login.end().await;
    let expected =
        json!({ "user_id": "7", "screen_name": "user7", "tokens": "aaa-data/tokens.json" });
    assert_eq!(signed_in(&done), expected);
    assert!(done.stderr.contains("the PIN is not 4 to 12 digits"), "{}", done.stderr);
    assert!(!done.stderr.contains(&pin), "{}", done.stderr);

    let tokens = TokenFile::new(lab.tokens()).read().unwrap();
    let stored = tokens.get("7".parse().unwrap()).unwrap();
    assert_eq!(stored.token.token.expose(), credentials::user_token(7).token);
    assert_eq!(stored.token.secret.expose(), credentials::user_token(7).secret);
    #[cfg(unix)]
    assert_eq!(crate::lab::mode(&lab.tokens()), 0o600);
    // It is read wherever a user's token is needed.
    let id = lab.webhook("a").await;
    lab.json(&["subscriptions", "add", &id, "--user", "7"]).await;
}

#[tokio::test]
async fn what_people_see() {
    let lab = Lab::new().await;
    let mut command = lab.command(&["auth", "login", "--tokens", "mine.json"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    for _ in 0..3 {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        said.push(line.expect("it ended"));
    }
    let (page, token) = said[1].split_once("oauth_token=").unwrap();
    insta::assert_snapshot!(lab.plain(&[&said[0], page, &said[2]].join("\n")), @"
    open this page as the user, and give permission:
    http://EMULATOR/oauth/authorize?
    then type the PIN that X shows:
    ");
    assert!(!token.is_empty());
    let answer = browser::decide(&lab.emulator, &said[1], 9_999_999, "approve").await;
    let typed = browser::pin(&answer) + "\n";
    child.stdin.as_mut().unwrap().write_all(typed.as_bytes()).await.unwrap();
    let ended = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    insta::assert_snapshot!(String::from_utf8(ended.stdout).unwrap(), @"user 9999999 (@user9999999) is signed in; the token is in mine.json");
    assert!(lab.directory.path().join("mine.json").exists());
}

#[tokio::test]
async fn a_pin_that_does_not_come_or_does_not_fit() {
    let lab = Lab::new().await;
    for (typed, code, words) in [
        ("", 2, "the input ended before one came"),
        ("seven\n", 2, "the PIN is not 4 to 12 digits"),
        ("0000000\n", 3, "Invalid oauth_verifier parameter"),
    ] {
        let mut login = Login::begin(&lab, &[]).await;
        browser::decide(&lab.emulator, &login.page, 7, "approve").await;
        login.type_in(typed).await;
        let done = login.end().await;
        assert_eq!((done.code, done.stdout.as_str()), (code, ""), "{}", done.stderr);
        assert!(done.stderr.contains(words), "{}", done.stderr);
    }
    // Who denies is shown no PIN, so there is nothing to type.
    let login = Login::begin(&lab, &["--timeout", "100ms"]).await;
    let page = browser::decide(&lab.emulator, &login.page, 7, "deny").await;
    assert!(!page.body.contains("<code>"), "{page:?}");
    let mut login = login;
    // The input stays open.
    let stdin = login.child.stdin.take();
    let done = login.end().await;
    drop(stdin);
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stderr.contains("no PIN came within"), "{}", done.stderr);
    assert!(TokenFile::new(lab.tokens()).read().unwrap().is_empty());
}

#[tokio::test]
async fn with_a_callback() {
    let lab = Lab::new().await;
    let callback = ["--callback", "http://127.0.0.1:0/callback"];
    let login = Login::begin(&lab, &callback).await;
    assert!(login.page.contains("/oauth/authenticate?oauth_token="), "{}", login.page);
    let back = browser::decide(&lab.emulator, &login.page, 8, "approve").await;
    let url = back.location();
    assert_eq!(url.path(), "/callback");
    let token = url.query_pairs().find(|(name, _)| name == "oauth_token").unwrap().1.into_owned();

    // Strangers come first, and are sent away.
    let at = |text: &str| -> Url { url.join(text).unwrap() };
    let without_token = at("/callback?oauth_token=other&oauth_verifier=theirs");
    for (stranger, status) in [
        (browser::get(&at("/")).await, 404),
        (browser::get(&at("/callback")).await, 400),
        (browser::get(&without_token).await, 400),
        (browser::get(&at("/callback?denied=other")).await, 400),
        (browser::get(&at(&format!("/callback?oauth_token={token}"))).await, 400),
        (browser::ask("POST", &url, "", "").await, 405),
        (browser::ask("GET", &url, "host: evil.example\r\n", "").await, 421),
    ] {
        assert_eq!(stranger.status, status, "{stranger:?}");
        assert!(!stranger.body.contains("theirs"), "{stranger:?}");
    }
    let page = browser::get(&url).await;
    assert_eq!(page.status, 200);
    insta::assert_snapshot!(page.body, @r#"
    <!doctype html>
    <html lang="en">
    <head><meta charset="utf-8"><title>aaa</title></head>
    <body><p>Permission has arrived. You can close this page.</p></body>
    </html>
    "#);
    let policy = "content-security-policy: default-src 'none'; frame-ancestors 'none'";
    assert!(page.head.contains(policy) && page.head.contains("no-store"), "{}", page.head);
    let done = login.end().await;
    let expected =
        json!({ "user_id": "8", "screen_name": "user8", "tokens": "aaa-data/tokens.json" });
    assert_eq!(signed_in(&done), expected);
    assert!(!done.stderr.contains("theirs"), "{}", done.stderr);
    assert!(done.stderr.contains("another request token"), "{}", done.stderr);
}

#[tokio::test]
async fn permission_that_is_not_given() {
    let lab = Lab::new().await;
    let login = Login::begin(&lab, &["--callback", "http://localhost:0/"]).await;
    let back = browser::decide(&lab.emulator, &login.page, 8, "deny").await;
    let mut url = back.location();
    assert_eq!(url.host_str(), Some("localhost"));
    // The test's browser connects where `localhost` leads first, which need not be where it is
    // listened; the name in the request is what counts.
    let host = format!("host: {}\r\n", url.authority());
    url.set_host(Some("127.0.0.1")).unwrap();
    assert_eq!(browser::ask("GET", &url, &host, "").await.status, 200);
    let done = login.end().await;
    assert_eq!((done.code, done.stdout.as_str()), (5, ""));
    assert!(done.stderr.contains("error: the user did not give permission"), "{}", done.stderr);

    let login =
        Login::begin(&lab, &["--callback", "http://127.0.0.1:0/", "--timeout", "50ms"]).await;
    let done = login.end().await;
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stderr.contains("the user did not come back within"), "{}", done.stderr);
}

#[tokio::test]
async fn where_nobody_can_come_back_to() {
    let lab = Lab::new().await;
    for url in ["https://127.0.0.1/x", "http://example.com/", "here", "http://me:hush@127.0.0.1/"] {
        let (code, stderr) = lab.fails(&["auth", "login", "--callback", url]).await;
        assert_eq!(code, 2, "{url}: {stderr}");
        assert!(!stderr.contains("hush"), "{stderr}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", taken.local_addr().unwrap());
    let (code, stderr) = lab.fails(&["auth", "login", "--callback", &url]).await;
    assert_eq!(code, 1, "{stderr}");
    // Without the app's key nothing can be asked; a file that is not fit is found before.
    let mut command = aaa(lab.directory.path(), &["auth", "login"]);
    command.env("X_API_URL", lab.emulator.url());
    let (code, stderr) = failed(run(command).await);
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("X_CONSUMER_KEY"), "{stderr}");
    assert!(!lab.directory.path().join("aaa-data").exists());
    lab.store(7, "7-emulator");
    std::fs::write(lab.tokens(), "{").unwrap();
    let (code, stderr) = lab.fails(&["auth", "login"]).await;
    assert_eq!(code, 1, "{stderr}");
    assert!(!stderr.contains("open this page"), "{stderr}");
}

#[tokio::test]
async fn the_bearer_token() {
    let lab = Lab::new().await;
    let bearer = credentials::BEARER_TOKEN;
    for (args, expected) in [
        (&["auth", "bearer"][..], format!("{bearer}\n")),
        (&["auth", "bearer", "--env"], format!("X_BEARER_TOKEN={bearer}\n")),
        (&["auth", "bearer", "--json"], format!("{{\"bearer_token\":\"{bearer}\"}}\n")),
    ] {
        let mut command = lab.command(args);
        command.env_remove("X_BEARER_TOKEN");
        let done = run(command).await;
        // The only place where a secret is printed.
        assert_eq!((done.code, done.stdout, done.stderr.as_str()), (0, expected, ""));
    }
    let (code, stderr) = lab.fails(&["auth", "bearer", "--consumer-secret", "wrong-hush"]).await;
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("Unable to verify your credentials"), "{stderr}");
    assert!(!stderr.contains("hush"), "{stderr}");
    let (code, _) = lab.fails(&["auth", "bearer", "--env", "--json"]).await;
    assert_eq!(code, 2);

    let mut command = lab.command(&["auth", "bearer", "--invalidate"]);
    command.env_remove("X_BEARER_TOKEN");
    let (code, stderr) = failed(lab.finish(command).await);
    assert_eq!(code, 3, "{stderr}");
    assert_eq!(lab.json(&["auth", "bearer", "--invalidate"]).await, json!({ "invalidated": true }));
    let (code, stderr) = lab.fails(&["webhooks", "list"]).await;
    assert_eq!(code, 3, "{stderr}");
    let (code, stderr) = lab.fails(&["auth", "bearer", "--invalidate"]).await;
    assert!(matches!(code, 3 | 5), "{stderr}");
}

#[tokio::test]
async fn who_am_i() {
    let lab = Lab::new().await;
    lab.store(7, "7-emulator");
    let first = lab.run(&["auth", "whoami"]).await;
    assert_eq!(first.code, 0, "{}", first.stderr);
    insta::assert_snapshot!(lab.plain(&(first.stderr + &first.stdout)), @"
    the API is http://EMULATOR
    CREDENTIAL                 FROM                  USER      STATE
    consumer key and secret    environment           -         works
    bearer token               environment           -         works; the app has 0 webhooks
    access token of the owner  environment           1         not checked: that takes a webhook, and the consumer key and secret
    token of a user            aaa-data/tokens.json  7 @user7  not checked
    ");
    // From everywhere at once.
    lab.webhook("a").await;
    std::fs::write(lab.directory.path().join(".env"), "X_CONSUMER_KEY=emulator-key\n").unwrap();
    let mut command = lab.command(&["auth", "whoami", "--api", "v1.1", "--bearer-token"]);
    command.arg(credentials::BEARER_TOKEN).env_remove("X_CONSUMER_KEY");
    command.env("X_CONSUMER_SECRET_PREVIOUS", "old-emulator-secret");
    let all = lab.finish(command).await;
    assert_eq!(all.code, 0, "{}", all.stderr);
    insta::assert_snapshot!(lab.plain(&all.stdout), @"
    CREDENTIAL                 FROM                  USER      STATE
    consumer key and secret    .env, environment     -         works
    previous consumer secret   environment           -         not checked
    bearer token               flag                  -         works; the app has 1 webhook
    access token of the owner  environment           1         works; not subscribed to webhook 9999999999999999999
    token of a user            aaa-data/tokens.json  7 @user7  not checked
    ");
    let json = lab.json(&["auth", "whoami"]).await.to_string();
    insta::assert_snapshot!(lab.plain(&json), @r#"{"api":"v2","api_url":"http://EMULATOR","credentials":[{"credential":"consumer","detail":"works","from":"environment","works":true},{"credential":"bearer_token","detail":"works; the app has 1 webhook","from":"environment","works":true},{"credential":"owner","detail":"works; not subscribed to webhook 9999999999999999999","from":"environment","user_id":"1","works":true},{"credential":"user","detail":"not checked","from":"aaa-data/tokens.json","screen_name":"user7","user_id":"7"}]}"#);
}

#[tokio::test]
async fn what_does_not_work_is_told() {
    let lab = Lab::new().await;
    let done = lab.run(&["auth", "whoami", "--bearer-token", "wrong-hush", "--json"]).await;
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(!(done.stdout.clone() + &done.stderr).contains("hush"));
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["credentials"][0]["works"], true, "{answer}");
    assert_eq!(answer["credentials"][1]["works"], false, "{answer}");
    assert_eq!(answer["credentials"][1]["from"], "flag", "{answer}");
    // An API that is not there says nothing about credentials.
    let nobody = ["auth", "whoami", "--no-wait", "--api-url", "http://127.0.0.1:1", "--json"];
    let done = lab.run(&nobody).await;
    assert_eq!(done.code, 4, "{}", done.stderr);
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["credentials"][0]["works"], Value::Null, "{answer}");
    let mut command = aaa(lab.directory.path(), &["auth", "whoami"]);
    command.env("X_API_URL", lab.emulator.url());
    let (code, stderr) = failed(run(command).await);
    assert_eq!(code, 3, "{stderr}");
    insta::assert_snapshot!(lab.plain(&stderr), @"
    the API is http://EMULATOR
    error: there are no credentials
    what to do: set X_CONSUMER_KEY and the others in the environment or in .env, see `aaa --help`; `aaa emulate --print-env` prints the emulator's
    ");
}

/// Everything that calls the API, at the most talkative log.
#[tokio::test]
async fn no_log_shows_a_secret() {
    let lab = Lab::new().await;
    let id = lab.webhook("a").await;
    lab.store(7, "7-emulator");
    let url = lab.hook("b");
    let mut said = 0;
    for args in [
        &["webhooks", "create", &url][..],
        &["webhooks", "list"],
        &["webhooks", "validate", &id],
        &["webhooks", "ensure", &url],
        &["subscriptions", "add", &id, "--api", "v1.1"],
        &["subscriptions", "add", &id, "--all-stored"],
        &["subscriptions", "check", &id, "--user", "7"],
        &["subscriptions", "list", &id],
        &["subscriptions", "count"],
        &["subscriptions", "remove", &id, "7"],
        &["auth", "whoami"],
        &["webhooks", "list", "--bearer-token", "7-emulator-oauth2"],
        &["subscriptions", "add", &id, "--access-token", "8-emulator"],
        &["auth", "bearer", "--invalidate"],
        &["webhooks", "delete", &id],
    ] {
        let mut command = lab.command(args);
        command.env("AAA_LOG", "trace");
        said += lab.finish(command).await.stderr.len();
    }
    assert!(said > 1000, "the log was not on");
    let mut command = lab.command(&["auth", "login", "--json"]);
    command.env("AAA_LOG", "trace");
    let mut login = Login::of(command).await;
    let page = browser::decide(&lab.emulator, &login.page, 7, "approve").await;
    let pin = browser::pin(&page);
    login.type_in(&format!("{pin}\n")).await;
    let done = login.end().await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(!done.stderr.contains(&pin), "{}", done.stderr);
}
