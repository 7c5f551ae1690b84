//! `docs/REFERENCE.md` says what is so: it is made from the commands, and what it shows as JSON is
//! what they print.

#[cfg(feature = "tui")]
use std::path::Path;
use std::{collections::BTreeMap, process::Stdio, time::Duration};

use aaa_emulator::{control::Trigger, credentials};
use axum::{Router, http::StatusCode};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    process::Command,
    time::{sleep, timeout},
};

use crate::{
    browser,
    lab::Lab,
    support::{PATIENCE, Server, aaa, run},
};

async fn reference() -> String {
    let directory = tempfile::tempdir().unwrap();
    let done = run(aaa(directory.path(), &["man", "--markdown"])).await;
    assert_eq!(done.code, 0);
    done.stdout
}

#[cfg(feature = "tui")]
#[tokio::test]
async fn the_reference_is_what_the_commands_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/REFERENCE.md");
    let file = std::fs::read_to_string(file).unwrap();
    let is_fresh = file == reference().await;
    assert!(is_fresh, "docs/REFERENCE.md is stale: `cargo xtask reference` writes it");
}

/// What is shown of each command, by its name.
type Shown = BTreeMap<String, Vec<Value>>;

/// The examples of the section about JSON.
fn examples(reference: &str) -> Shown {
    let (_, section) = reference.split_once("\n## JSON\n").unwrap();
    let mut shown = Shown::new();
    for part in section.split("\n### `").skip(1) {
        let name = part.split('`').next().unwrap().to_owned();
        let (_, block) = part.split_once("```json\n").unwrap_or_else(|| panic!("{name}"));
        let (block, _) = block.split_once("```").unwrap();
        let values = serde_json::Deserializer::from_str(block).into_iter();
        shown.insert(name, values.map(Result::unwrap).collect());
    }
    shown
}

/// The commands that do something, and whether they have the flag. What only has commands below it
/// prints nothing itself.
fn commands(reference: &str) -> Vec<(String, bool)> {
    let sections = reference.split("\n## ").skip(1);
    let sections = sections.filter(|section| section.starts_with("aaa "));
    let named = sections.map(|section| {
        (section.lines().next().unwrap().to_owned(), section.contains("\n| `--json` |"))
    });
    let all: Vec<_> = named.collect();
    let is_group = |name: &String| all.iter().any(|(n, _)| n.starts_with(&format!("{name} ")));
    all.iter().filter(|(name, _)| !is_group(name)).cloned().collect()
}

#[tokio::test]
async fn json_is_as_it_is_shown() {
    let reference = reference().await;
    let examples = examples(&reference);
    let (with, without): (Vec<_>, Vec<_>) =
        commands(&reference).into_iter().partition(|(_, has_it)| *has_it);
    assert!(without.is_empty(), "{without:?}");
    let mut missing: Vec<_> = with.into_iter().map(|(name, _)| name).collect();
    missing.retain(|name| !examples.contains_key(name));
    let printed = printed().await;
    let mut wrong = String::new();
    for (name, values) in &printed {
        let shown = examples.get(name).map(Vec::as_slice).unwrap_or_default();
        for value in values.iter().filter(|value| !shown.iter().any(|shown| fits(shown, value))) {
            wrong += &format!("{name} prints {value:#}\n");
        }
        for shown in shown.iter().filter(|shown| !values.iter().any(|value| fits(shown, value))) {
            wrong += &format!("{name} does not print {shown}\n");
        }
    }
    let unknown = examples.keys().filter(|name| !printed.contains_key(*name));
    for name in unknown.chain(&missing) {
        wrong += &format!("{name} was not compared\n");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Says whether a value has the members and types of an example. What is null there may be
/// anything; what X sent is not ours to describe.
fn fits(shown: &Value, value: &Value) -> bool {
    match (shown, value) {
        (Value::Null, _) | (_, Value::Null) => true,
        (Value::Object(shown), Value::Object(value)) => {
            shown.keys().eq(value.keys())
                && shown.iter().all(|(name, shown)| {
                    ["payload", "context"].contains(&name.as_str()) || fits(shown, &value[name])
                })
        }
        (Value::Array(shown), Value::Array(value)) => {
            shown.is_empty() || value.iter().all(|value| shown.iter().any(|one| fits(one, value)))
        }
        (Value::Bool(_), Value::Bool(_)) => true,
        (Value::Number(_), Value::Number(_)) => true,
        (Value::String(_), Value::String(_)) => true,
        _ => false,
    }
}

#[test]
fn what_fits() {
    let fits = |shown: &str, value: &str| {
        fits(&serde_json::from_str(shown).unwrap(), &serde_json::from_str(value).unwrap())
    };
    assert!(fits(r#"{"a":1,"b":[{"c":null}]}"#, r#"{"b":[{"c":"x"},{"c":1}],"a":2}"#));
    assert!(!fits(r#"{"a":1}"#, r#"{"a":"1"}"#) && !fits(r#"{"a":1}"#, r#"{"a":1,"b":2}"#));
    assert!(!fits(r#"{"a":1,"b":2}"#, r#"{"a":1}"#) && !fits(r#"[{"a":1}]"#, r#"[{"b":1}]"#));
    assert!(fits(r#"{"payload":{"a":1}}"#, r#"{"payload":{}}"#));
}

/// Everything that is running, and what was printed so far.
struct Story {
    lab: Lab,
    printed: Shown,
}

impl Story {
    /// Runs a command and notes what it prints; how it ends is up to the command.
    async fn says(&mut self, name: &str, args: &[&str]) -> Vec<Value> {
        let words: Vec<_> = name.split(' ').skip(1).chain(["--json"]).collect();
        let done = self.lab.run(&[&words, args].concat()).await;
        let values = done.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
        let values: Vec<Value> = values.collect();
        assert!(!values.is_empty(), "{name} {args:?}: {}", done.stderr);
        self.note(name, values.clone());
        values
    }

    fn note(&mut self, name: &str, values: Vec<Value>) {
        self.printed.entry(name.to_owned()).or_default().extend(values);
    }

    /// Starts a server and notes its first line.
    async fn starts(&mut self, name: &str, mut command: Command) -> Server {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        let first: Value = serde_json::from_str(&first).unwrap();
        let url = first["listening"].as_str().unwrap().to_owned();
        self.note(name, vec![first]);
        Server { child, lines, url }
    }

    async fn listens(&mut self, bind: &str, args: &[&str]) -> Server {
        let args = [&["listen", "--json", "--bind", bind], args].concat();
        let command = self.lab.command(&args);
        self.starts("aaa listen", command).await
    }
}

/// Answers everything with a status.
async fn downstream(status: StatusCode) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().fallback(move || async move { status });
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}

/// Runs every command against the emulator.
async fn printed() -> Shown {
    let mut story = Story { lab: Lab::new().await, printed: Shown::new() };
    let refusing = downstream(StatusCode::BAD_REQUEST).await;
    let taking = downstream(StatusCode::OK).await;

    let emulate = story.lab.command(&["emulate", "--json", "--bind", "127.0.0.1:0"]);
    assert_eq!(story.starts("aaa emulate", emulate).await.end().await, 0);

    let forward = ["--recover", "off", "--forward-to", &refusing];
    let mut receiver = story.listens("127.0.0.1:0", &forward).await;
    let bind = receiver.url.strip_prefix("http://").unwrap().to_owned();
    let url = format!("{}/webhooks/twitter", receiver.url);
    let board = story.lab.command(&["dashboard", "--json", "--bind", "127.0.0.1:0"]);
    assert_eq!(story.starts("aaa dashboard", board).await.end().await, 0);
    let created = story.says("aaa webhooks create", &[&url]).await;
    let id = created[0]["id"].as_str().unwrap().to_owned();
    story.says("aaa webhooks list", &[]).await;
    story.says("aaa webhooks validate", &[&id]).await;
    story.says("aaa webhooks ensure", &[&url]).await;

    // A sign-in.
    let mut login = story.lab.command(&["auth", "login", "--json"]);
    let mut login = login.stdin(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(login.stdout.take().unwrap()).lines();
    let page = lines.next_line().await.unwrap().unwrap();
    let page: Value = serde_json::from_str(&page).unwrap();
    let decided = page["authorize_url"].as_str().unwrap();
    let decided = browser::decide(&story.lab.emulator, decided, 7, "approve").await;
    let pin = format!("{}\n", browser::pin(&decided));
    login.stdin.take().unwrap().write_all(pin.as_bytes()).await.unwrap();
    let signed_in = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    story.note("aaa auth login", vec![page, serde_json::from_str(&signed_in).unwrap()]);
    let bearer = story.lab.command(&["auth", "bearer", "--json"]);
    let bearer = run(bearer).await;
    story.note("aaa auth bearer", vec![serde_json::from_str(&bearer.stdout).unwrap()]);
    story.says("aaa auth whoami", &[]).await;

    story.says("aaa subscriptions add", &[&id]).await;
    story.lab.store(9, "9-wrong");
    story.says("aaa subscriptions add", &[&id, "--all-stored"]).await;
    story.says("aaa subscriptions check", &[&id, "--user", "7"]).await;
    story.says("aaa subscriptions list", &[&id]).await;
    story.says("aaa subscriptions count", &[]).await;
    let emulator = story.lab.emulator.url();
    let args = ["follow_events", "--user", "7", "--emulator", &emulator];
    story.says("aaa trigger", &args).await;
    story.says("aaa trigger", &["follow_events", "--user", "7", "--to", &url]).await;
    for _ in 0..2 {
        let line = timeout(PATIENCE, receiver.lines.next_line()).await.unwrap().unwrap().unwrap();
        story.note("aaa listen", vec![serde_json::from_str(&line).unwrap()]);
    }
    story.says("aaa doctor", &[&url]).await;

    story.says("aaa events list", &[]).await;
    story.says("aaa events show", &["1"]).await;
    story.says("aaa events tail", &["--after", "0", "--limit", "1"]).await;
    story.says("aaa events resend", &["1", "--to", &taking]).await;
    // The fifth refusal makes a dead letter.
    let dead = async {
        loop {
            let done = story.lab.run(&["events", "dead", "list", "--json"]).await;
            if !done.stdout.is_empty() {
                return;
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(PATIENCE, dead).await.expect("there is no dead letter");
    story.says("aaa events dead list", &[]).await;
    story.says("aaa events stats", &[]).await;
    story.says("aaa events dead redrive", &["--all"]).await;
    receiver.child.kill().await.unwrap();
    story.says("aaa events drop-consumer", &["forward"]).await;

    // An outage.
    let missed = Trigger::new("follow_events", "7".parse().unwrap());
    story.lab.emulator.trigger_and_wait(&missed).await.unwrap();
    story.lab.emulator.advance(Duration::from_secs(3 * 60 * 60)).await.unwrap();
    story.lab.emulator.trigger_and_wait(&missed).await.unwrap();
    let receiver = story.listens(&bind, &["--recover", "off"]).await;
    let plan = story.says("aaa replay plan", &[]).await;
    let window = &plan[0]["now"][0];
    assert!(window.is_object(), "{plan:?}");
    let (from, to) = (window["from_date"].as_str().unwrap(), window["to_date"].as_str().unwrap());
    story.says("aaa replay create", &[&id, "--from", from, "--to", to]).await;
    story.says("aaa replay create", &[&id, "--from", from, "--to", to, "--follow"]).await;
    story.says("aaa replay recover", &[]).await;
    story.says("aaa replay status", &[]).await;

    story.says("aaa store check", &[]).await;
    story.says("aaa store backup", &["copy.db"]).await;
    story.says("aaa store vacuum", &[]).await;
    story.says("aaa store forget", &["--user", "7"]).await;
    story.says("aaa subscriptions remove", &[&id, "7"]).await;
    story.says("aaa webhooks delete", &[&id]).await;
    assert_eq!(receiver.end().await, 0);
    // Another one, so long that something is lost.
    story.lab.emulator.advance(Duration::from_secs(30 * 60 * 60)).await.unwrap();
    let plan = story.says("aaa replay plan", &[]).await;
    assert!(plan[0]["lost"][0].is_object(), "{plan:?}");

    let body = story.lab.directory.path().join("body.json");
    std::fs::write(&body, r#"{"a":1}"#).unwrap();
    let body = body.to_str().unwrap().to_owned();
    let signature = |secret: &str| {
        let secret = secret.parse().unwrap();
        aaa_webhook::signature::Signature::of(&secret, br#"{"a":1}"#).to_string()
    };
    for secret in [credentials::CONSUMER_SECRET, "another"] {
        story.says("aaa verify", &["--body", &body, "--signature", &signature(secret)]).await;
    }
    story.says("aaa man", &["pages"]).await;
    story.says("aaa completions", &["bash"]).await;
    story.says("aaa demo", &[]).await;
    story.printed
}
