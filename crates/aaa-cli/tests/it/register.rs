//! `aaa listen --register --subscribe --cleanup`.

use aaa_emulator::settings::{Quota, Settings};
use rustix::process::Signal;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    time::timeout,
};

use crate::{
    lab::{GENERATIONS, Lab, failed},
    support::{PATIENCE, Server, Tunnel, deliver},
};

const PATH: &str = "/webhooks/twitter";

/// A listener behind a tunnel, and what it has told so far.
struct Listener {
    server: Server,
    log: BufReader<tokio::process::ChildStderr>,
    told: String,
}

impl Listener {
    async fn start(lab: &Lab, tunnel: &Tunnel, args: &[&str]) -> Self {
        let args = [&["listen", "--bind", "127.0.0.1:0", "--format", "none"], args].concat();
        let mut server = Server::start(lab.command(&args)).await;
        tunnel.lead_to(&server);
        let log = BufReader::new(server.child.stderr.take().unwrap());
        Self { server, log, told: String::new() }
    }

    /// Reads on until something was told.
    async fn tells(&mut self, words: &str) {
        let read = async {
            while !self.told.contains(words) {
                let read = self.log.read_line(&mut self.told).await.unwrap();
                assert_ne!(read, 0, "it ended without `{words}`: {}", self.told);
            }
        };
        timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("not told: {words}"));
    }

    /// Ends it with a signal, and returns all that it told.
    async fn end(mut self, signal: Signal) -> String {
        assert_eq!(self.server.end_by(signal).await, 0);
        self.log.read_to_string(&mut self.told).await.unwrap();
        self.told
    }
}

async fn subscribed(lab: &Lab, webhook: &str) -> Vec<String> {
    let list = lab.json(&["subscriptions", "list", webhook]).await;
    let users = list["subscriptions"].as_array().unwrap().iter();
    let mut users: Vec<_> = users.map(|s| s["user_id"].as_str().unwrap().to_owned()).collect();
    users.sort();
    users
}

/// What was told, without times and the log.
fn told(lab: &Lab, text: &str) -> String {
    let lines = lab.plain(text);
    let lines = lines.lines().filter(|line| !line.starts_with("20"));
    lines.collect::<Vec<_>>().join("\n").replace(&port(text), "PORT")
}

/// The port of the tunnel in a text.
fn port(text: &str) -> String {
    let from = text.find("valid: http://127.0.0.1:").unwrap() + "valid: http://127.0.0.1:".len();
    text[from..].chars().take_while(char::is_ascii_digit).collect()
}

#[tokio::test]
async fn what_a_run_made_is_undone_when_it_is_interrupted() {
    for api in GENERATIONS {
        let lab = Lab::new().await;
        lab.store(7, "7-emulator");
        let tunnel = Tunnel::new().await;
        let url = format!("{}{PATH}", tunnel.url);
        let args = ["--register", &url, "--subscribe", "--cleanup", "--api", api];
        let mut listener = Listener::start(&lab, &tunnel, &args).await;
        listener.tells("subscribed: 1, 7").await;
        let listed = lab.json(&["webhooks", "list"]).await;
        assert_eq!((&listed[0]["url"], &listed[0]["valid"]), (&url.clone().into(), &true.into()));
        let id = listed[0]["id"].as_str().unwrap();
        assert_eq!(subscribed(&lab, id).await, ["1", "7"]);
        let text = listener.end(Signal::INT).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(told(&lab, &text), @"
            webhook 9999999999999999999 is registered and valid: http://127.0.0.1:PORT/webhooks/twitter
            subscribed: 1, 7
            interrupted: ending
            deleted webhook 9999999999999999999, which this run had registered, and with it its subscriptions
            ");
        }
        assert!(lab.ids().await.is_empty());
        let record = std::fs::read(lab.directory.path().join("aaa-data/webhooks.json")).unwrap();
        let record: Value = serde_json::from_slice(&record).unwrap();
        assert_eq!(record, serde_json::json!({ "webhooks": {} }));
    }
}

#[tokio::test]
async fn what_was_there_before_stays() {
    let lab = Lab::new().await;
    lab.store(7, "7-emulator");
    let tunnel = Tunnel::new().await;
    let url = format!("{}{PATH}", tunnel.url);
    let register = ["--register", &url, "--subscribe=7"];
    let mut first = Listener::start(&lab, &tunnel, &register).await;
    first.tells("subscribed: 7").await;
    let text = first.end(Signal::TERM).await;
    assert!(!text.contains("deleted") && !text.contains("undo"), "{text}");
    let ids = lab.ids().await;
    assert_eq!(ids.len(), 1, "without --cleanup all of it stays");

    let args = ["--register", &url, "--subscribe", "--cleanup"];
    let mut second = Listener::start(&lab, &tunnel, &args).await;
    second.tells("subscribed already: 7").await;
    assert_eq!(subscribed(&lab, &ids[0]).await, ["1", "7"]);
    let text = second.end(Signal::INT).await;
    insta::assert_snapshot!(told(&lab, &text), @"
    webhook 9999999999999999999 was there already, and is valid: http://127.0.0.1:PORT/webhooks/twitter
    subscribed: 1
    subscribed already: 7
    interrupted: ending
    no longer subscribed, as before this run: 1
    ");
    assert_eq!((lab.ids().await, subscribed(&lab, &ids[0]).await), (ids.clone(), vec!["7".into()]));

    // Without a URL, the app's only webhook; and nothing is made, so nothing is undone.
    let mut third = Listener::start(&lab, &tunnel, &["--subscribe=7", "--cleanup"]).await;
    third.tells("subscribed already: 7").await;
    let text = third.end(Signal::INT).await;
    assert!(text.contains("nothing to undo: this run made nothing"), "{text}");
    assert_eq!(subscribed(&lab, &ids[0]).await, ["7"]);
}

/// A receiver is there for what X delivers, also while X's API is not.
#[tokio::test]
async fn an_api_that_is_away_holds_up_nobody() {
    let lab = Lab::new().await;
    let tunnel = Tunnel::new().await;
    let url = format!("{}{PATH}", tunnel.url);
    let args = ["listen", "--bind", "127.0.0.1:0", "--recover", "off", "--register", &url];
    for args in [&args[..], &[&args[..], &["--cleanup"]].concat()] {
        let mut command = lab.command(args);
        command.env("X_API_URL", "http://127.0.0.1:9");
        let mut server = Server::start(command).await;
        let log = BufReader::new(server.child.stderr.take().unwrap());
        let mut listener = Listener { server, log, told: String::new() };
        listener.tells("trying again in a minute").await;
        let body = r#"{"for_user_id":"7","favorite_events":[{"id":"1"}]}"#;
        let secret = aaa_emulator::credentials::CONSUMER_SECRET;
        assert_eq!(deliver(&listener.server.url, PATH, secret, body).await, 200);
        let text = listener.end(Signal::TERM).await;
        let is_asked = args.contains(&"--cleanup");
        assert_eq!(text.contains("nothing to undo"), is_asked, "{text}");
        assert!(!text.contains("may have been made"), "{text}");
    }
}

#[tokio::test]
async fn what_x_refuses_ends_the_listener() {
    let settings = Settings { quota: Quota::PAY_PER_USE, ..Settings::default() };
    let lab = Lab::with(settings).await;
    lab.webhook("a").await;
    let tunnel = Tunnel::new().await;
    let url = format!("{}{PATH}", tunnel.url);
    let args = ["listen", "--bind", "127.0.0.1:0", "--recover", "off", "--register", &url];
    let done = lab.run(&args).await;
    assert_eq!(done.code, 5, "{}", done.stderr);
    assert!(done.stdout.starts_with("listening on"));
    insta::assert_snapshot!(lab.plain(&done.stderr), @"
    error: could not create the webhook: status 400: WebhookLimitExceeded
    what to do: the account has as many webhooks as its plan allows, over all of its apps; list them and delete one that is yours and not in use, or ask X for more
    ");
    // It was closed as it should be: the next one starts at once.
    assert_eq!(lab.run(&["store", "check"]).await.code, 0);
}

#[tokio::test]
async fn what_cannot_work_is_said_before_anything_listens() {
    let lab = Lab::new().await;
    let on_loopback = "http://127.0.0.1:9/hook";
    for (args, code, words) in [
        (&["--subscribe=9"][..], 3, "no token of user 9"),
        (&["--register", "http://example.com/hook"], 2, "X only takes `https`"),
        (&["--register", "hook"], 2, "not an absolute URL"),
        (&["--subscribe=x"], 2, "write ids such as 7,8"),
        (&["--register", on_loopback, "--webhook", "12"], 2, "cannot be used with"),
        (&["--cleanup"], 2, "--cleanup"),
    ] {
        let args = [&["listen", "--bind", "127.0.0.1:0"], args].concat();
        let (exit, stderr) = lab.fails(&args).await;
        assert_eq!(exit, code, "{args:?}: {stderr}");
        assert!(stderr.contains(words), "{args:?}: {stderr}");
    }
    let mut command = lab.command(&["listen", "--register", on_loopback]);
    command.env_remove("X_BEARER_TOKEN");
    let (code, stderr) = failed(lab.finish(command).await);
    assert_eq!((code, stderr.contains("X_BEARER_TOKEN")), (3, true), "{stderr}");
    let mut command = lab.command(&["listen", "--register", on_loopback, "--subscribe"]);
    command.env_remove("X_ACCESS_TOKEN").env_remove("X_ACCESS_TOKEN_SECRET");
    let (code, stderr) = failed(lab.finish(command).await);
    insta::assert_snapshot!(format!("{code}\n{stderr}"), @"
    3
    error: --subscribe finds nobody: no token of the app's owner, and none in `aaa-data/tokens.json`
    what to do: set X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET, or let `aaa auth login` ask a user
    ");
    assert!(!lab.directory.path().join("aaa-data/aaa.db").exists());
}
