//! `aaa dashboard` beside a receiver, and `aaa listen --dashboard` within one.

use std::time::Duration;

use aaa_emulator::{control::Trigger, credentials};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::{sleep, timeout},
};
use url::Url;

use crate::{
    browser::{Page, ask, get},
    lab::Lab,
    support::{Done, PATIENCE, Server, run},
};

/// Starts a receiver with a subscribed user 7, and returns it with the webhook's id.
async fn receiver(lab: &Lab, args: &[&str]) -> (Server, String) {
    let all = [&["listen", "--format", "none", "--bind", "127.0.0.1:0"][..], args].concat();
    let receiver = Server::start(lab.command(&all)).await;
    let url = format!("{}/webhooks/twitter", receiver.url);
    let webhook = lab.json(&["webhooks", "create", &url]).await;
    let webhook = webhook["id"].as_str().unwrap().to_owned();
    lab.store(7, &credentials::user_token(7).token);
    lab.json(&["subscriptions", "add", &webhook, "--user", "7"]).await;
    (receiver, webhook)
}

async fn happen(lab: &Lab, count: u32) {
    let trigger = Trigger::new("follow_events", "7".parse().unwrap()).with_count(count);
    lab.emulator.trigger_and_wait(&trigger).await.unwrap();
}

/// Pages that are served by `aaa`.
struct Pages {
    url: String,
    token: String,
}

impl Pages {
    async fn at(url: &str) -> Self {
        let page = text(get(&format!("{url}/accounts").parse().unwrap()).await);
        let (_, rest) = page.split_once("name=\"aaa-token\" content=\"").unwrap();
        Self { url: url.to_owned(), token: rest.split('"').next().unwrap().to_owned() }
    }

    async fn page(&self, path: &str) -> String {
        text(get(&self.to(path)).await)
    }

    fn to(&self, path: &str) -> Url {
        format!("{}{path}", self.url).parse().unwrap()
    }

    /// Changes something as a page does; returns the status and what was said.
    async fn post(&self, path: &str, change: Value) -> (u16, String) {
        let head = format!(
            "origin: {}\r\ncontent-type: application/json\r\naaa-token: {}\r\n",
            self.url, self.token
        );
        let answer = ask("POST", &self.to(path), &head, &change.to_string()).await;
        let told: Value = serde_json::from_str(&whole(&answer)).unwrap();
        let words = told["message"].as_str().or(told["error"].as_str()).unwrap();
        (answer.status, words.to_owned())
    }

    /// Looks at a page until it is as it should be.
    async fn until(&self, path: &str, holds: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let look = async {
            loop {
                let page = self.page(path).await;
                if holds(&page) {
                    return page;
                }
                last = page;
                sleep(Duration::from_millis(100)).await;
            }
        };
        let found = timeout(PATIENCE, look).await;
        found.unwrap_or_else(|_| panic!("{path} never was so; the last: {last}"))
    }
}

fn text(page: Page) -> String {
    assert_eq!(page.status, 200, "{page:?}");
    whole(&page)
}

/// Joins what came in pieces.
fn whole(page: &Page) -> String {
    if !page.head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return page.body.clone();
    }
    let (mut joined, mut rest) = (String::new(), page.body.as_str());
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        joined.push_str(&after[..length]);
        rest = after.get(length + 2..).unwrap_or_default();
    }
    joined
}

async fn usage(lab: &Lab, args: &[&str], variable: Option<&str>) -> Done {
    let mut command = lab.command(args);
    if let Some(value) = variable {
        command.env("AAA_DASHBOARD_PASSWORD", value);
    }
    run(command).await
}

#[tokio::test]
async fn beside_a_receiver_everything_is_seen_and_done() {
    let lab = Lab::new().await;
    let (receiver, webhook) = receiver(&lab, &["--recover", "off"]).await;
    happen(&lab, 2).await;
    // Somewhere for a delivery to be sent to again.
    let again = lab.hook("again");
    let args = ["dashboard", "--bind", "127.0.0.1:0", "--resend-to", &again, "--json"];
    let board = Server::start(lab.command(&args)).await;
    let pages = Pages::at(&board.url).await;
    let overview = pages.page("/").await;
    assert!(overview.contains("Receiving") && overview.contains("follow_events"), "{overview}");
    assert!(pages.page("/webhooks").await.contains(&webhook));
    let (status, words) = pages.post(&format!("/webhooks/{webhook}/validate"), json!({})).await;
    assert_eq!((status, words), (200, format!("webhook {webhook} is valid")));
    let (status, words) = pages.post("/events/1/resend", json!({})).await;
    assert_eq!((status, words), (200, format!("sent; {again} answered 200 OK")));
    let user = json!({ "user": "7" });
    let (status, words) = pages.post(&format!("/webhooks/{webhook}/unsubscribe"), user).await;
    assert_eq!(status, 200, "{words}");
    let page = pages.page(&format!("/webhooks/{webhook}")).await;
    assert!(
        page.contains("Nobody is, so nothing is delivered") && page.contains("7 @user7"),
        "{page}"
    );
    // The file is that of the other commands.
    lab.store(8, &credentials::user_token(8).token);
    assert!(pages.page("/accounts").await.contains("@user8"));
    assert_eq!(pages.post("/accounts/8/forget", json!({})).await.0, 200);
    // A receiver that ends is missed.
    assert_eq!(receiver.end().await, 0);
    assert!(pages.page("/").await.contains("Nobody receives"));
    let (status, words) = pages.post("/replay/recover", json!({ "webhook": webhook })).await;
    assert_eq!(status, 409, "{words}");
    assert!(words.contains("nobody receives into this store"), "{words}");
    assert_eq!(board.end().await, 0);
}

/// `webhooks ensure --replace` removes what `aaa` itself made, in whatever way it made it.
#[tokio::test]
async fn a_webhook_made_on_the_page_counts_as_made_here() {
    let lab = Lab::new().await;
    let (receiver, first) = receiver(&lab, &["--recover", "off"]).await;
    let board = Server::start(lab.command(&["dashboard", "--bind", "127.0.0.1:0"])).await;
    let pages = Pages::at(&board.url).await;
    let (status, words) = pages.post("/webhooks", json!({ "url": lab.hook("page") })).await;
    assert_eq!(status, 200, "{words}");
    let second = words.split(' ').nth(1).unwrap().to_owned();
    let noted = || {
        let record = lab.directory.path().join("aaa-data/webhooks.json");
        std::fs::read_to_string(record).unwrap()
    };
    assert!(noted().contains(&first) && noted().contains(&second), "{}", noted());
    // Whichever way a webhook goes, it is not taken for ours any longer.
    assert_eq!(pages.post(&format!("/webhooks/{first}/delete"), json!({})).await.0, 200);
    assert!(!noted().contains(&first), "{}", noted());
    lab.json(&["webhooks", "delete", &second]).await;
    assert!(!noted().contains(&second), "{}", noted());
    assert_eq!(board.end().await, 0);
    assert_eq!(receiver.end().await, 0);
}

#[tokio::test]
async fn what_was_missed_is_recovered_from_the_page() {
    let lab = Lab::new().await;
    let (first, webhook) = receiver(&lab, &["--recover", "off"]).await;
    let bind = first.url.strip_prefix("http://").unwrap().to_owned();
    assert_eq!(first.end().await, 0);
    // X replays two hours of it now, and the rest in a while.
    for _ in 0..3 {
        happen(&lab, 2).await;
        lab.emulator.advance(Duration::from_secs(3600)).await.unwrap();
    }
    let args = ["listen", "--format", "none", "--bind", &bind, "--recover", "off"];
    let listener = Server::start(lab.command(&args)).await;
    let board = Server::start(lab.command(&["dashboard", "--bind", "127.0.0.1:0"])).await;
    let pages = Pages::at(&board.url).await;
    // Its clock is read from the receiver's heartbeats.
    let path = format!("/replay?webhook={webhook}");
    pages.until(&path, |page| page.contains("X replays it now")).await;
    let (status, words) = pages.post("/replay/recover", json!({ "webhook": webhook })).await;
    assert_eq!((status, words.as_str()), (200, "recovery has begun"));
    let page = pages.until(&path, |page| page.contains(">recovered</bdi>")).await;
    assert!(page.contains("rect class=\"recovered\""), "{page}");
    assert_eq!(lab.emulator.ledger().jobs.len(), 1);
    // It ends by itself, and gives its place back.
    pages.until(&path, |page| page.contains("Nobody looks after the replays")).await;
    let listed = lab.run(&["events", "list", "--json", "--kind", "follow_events"]).await.stdout;
    assert_eq!(listed.lines().count(), 4, "{listed}");
    assert_eq!(board.end().await, 0);
    assert_eq!(listener.end().await, 0);
}

#[tokio::test]
async fn within_a_receiver_it_is_on_an_address_of_its_own() {
    let lab = Lab::new().await;
    let args = ["--dashboard", "127.0.0.1:0", "--recover", "off"];
    let (mut receiver, _) = receiver(&lab, &args).await;
    let mut lines = BufReader::new(receiver.child.stderr.take().unwrap()).lines();
    let find = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it ended");
            if let Some(url) = line.strip_prefix("dashboard on ") {
                return url.to_owned();
            }
        }
    };
    let url = timeout(PATIENCE, find).await.unwrap();
    happen(&lab, 3).await;
    let pages = Pages::at(&url).await;
    let page = pages.page("/").await;
    assert!(page.contains("This run of the receiver") && page.contains("Free disk"), "{page}");
    assert!(page.contains("<dt>Events stored</dt><dd>3</dd>"), "{page}");
    // X reaches none of it.
    for path in ["/", "/events", "/accounts", "/assets/script.js"] {
        let page = get(&format!("{}{path}", receiver.url).parse().unwrap()).await;
        assert_eq!(page.status, 404, "{path}");
    }
    let foreign = ask("GET", &pages.to("/"), "host: evil.example\r\n", "").await;
    assert_eq!(foreign.status, 421);
    assert_eq!(receiver.end().await, 0);
    let same = ["listen", "--bind", "127.0.0.1:8080", "--dashboard", "127.0.0.1:8080"];
    let refused = lab.run(&same).await;
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("--dashboard needs an address of its own"),
        "{}",
        refused.stderr
    );
}

#[tokio::test]
async fn other_machines_need_a_password() {
    let lab = Lab::new().await;
    let (receiver, _) = receiver(&lab, &["--recover", "off"]).await;
    let open = ["dashboard", "--bind", "0.0.0.0:0"];
    for (args, variable, words) in [
        (&open[..], None, "needs a password then"),
        (&open, Some(""), "needs a password then"),
        (&open, Some("short"), "fewer than eight characters"),
        (&["dashboard", "--dashboard-host", "ops.example.com"], None, "needs a password then"),
        (&["listen", "--dashboard", "0.0.0.0:0", "--data-dir", "x"], None, "needs a password then"),
        (&["dashboard", "--dashboard-host", "ops.example.com:80"], None, "without a port"),
    ] {
        let refused = usage(&lab, args, variable).await;
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (2, ""),
            "{args:?}: {}",
            refused.stderr
        );
        assert!(refused.stderr.contains(words), "{args:?}: {}", refused.stderr);
        assert!(!refused.stderr.contains("short"), "{}", refused.stderr);
    }
    let args = [&open[..], &["--dashboard-host", "ops.example.com"]].concat();
    let mut command = lab.command(&args);
    command.env("AAA_DASHBOARD_PASSWORD", "correct horse");
    let mut board = Server::start(command).await;
    let url: Url = board.url.replace("0.0.0.0", "127.0.0.1").parse().unwrap();
    assert_eq!(get(&url).await.status, 401);
    let origin = url.as_str().trim_end_matches('/');
    let login = url.join("/login").unwrap();
    let form = format!("origin: {origin}\r\ncontent-type: application/x-www-form-urlencoded\r\n");
    assert_eq!(ask("POST", &login, &form, "password=wrong").await.status, 403);
    let inside = ask("POST", &login, &form, "password=correct+horse").await;
    assert_eq!(inside.status, 303);
    let cookie = inside.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let page = ask("GET", &url, &format!("cookie: {cookie}\r\n"), "").await;
    assert!(text(page).contains("Sign out"));
    let named =
        ask("GET", &url, &format!("host: ops.example.com\r\ncookie: {cookie}\r\n"), "").await;
    assert_eq!(named.status, 200);
    let foreign =
        ask("GET", &url, &format!("host: evil.example\r\ncookie: {cookie}\r\n"), "").await;
    assert_eq!(foreign.status, 421);
    let mut lines = BufReader::new(board.child.stderr.take().unwrap()).lines();
    let warned = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(warned.contains("speaks no TLS"), "{warned}");
    assert_eq!(board.end().await, 0);
    assert_eq!(receiver.end().await, 0);
}

#[tokio::test]
async fn without_a_store_there_is_nothing_to_show() {
    let lab = Lab::new().await;
    let refused = lab.run(&["dashboard", "--bind", "127.0.0.1:0"]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{}", refused.stderr);
    assert!(refused.stderr.contains("`aaa listen` makes one"), "{}", refused.stderr);
}
