//! Every example runs without an account and does what it says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod other_languages;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::Command,
    time::timeout,
};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An example, in a directory and without a secret. Cargo puts it beside the directory of this
/// test's binary.
fn example(name: &str, directory: &Path) -> Command {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let program: PathBuf = profile.join("examples").join(file);
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("X_") {
            command.env_remove(name);
        }
    }
    command.current_dir(directory).kill_on_drop(true);
    command
}

/// Starts an example, and returns its first lines and the directory it ran in.
async fn first_lines(name: &str, count: usize) -> (Vec<String>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let said = lines_of(example(name, directory.path()), count).await;
    (said, directory)
}

async fn lines_of(mut command: Command, count: usize) -> Vec<String> {
    let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    while said.len() < count {
        let line = timeout(PATIENCE, lines.next_line()).await;
        said.push(line.expect("the example says nothing more").unwrap().expect("it ended"));
    }
    server.kill().await.unwrap();
    said
}

/// The first words of lines, in their order in the alphabet.
fn first_words(lines: &[String], ends: &[char]) -> Vec<String> {
    let mut words: Vec<_> =
        lines.iter().map(|line| line.split(ends).next().unwrap().to_owned()).collect();
    words.sort();
    words
}

#[tokio::test]
async fn simple_webhook_server_prints_what_happens() {
    let (said, directory) = first_lines("simple_webhook_server", 5).await;
    assert!(said[0].starts_with("listening"));
    let starts = first_words(&said[1..], &[' ', ':']);
    assert_eq!(starts, ["7/follow_events", "like", "message", "post"]);
    // Events of a play do not mix with a receiver's.
    assert!(!directory.path().join("aaa-data").exists());
}

/// With an address nobody but X calls, and what X signs with the secret is taken.
#[tokio::test]
async fn simple_webhook_server_listens_where_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = example("simple_webhook_server", directory.path());
    command.arg("127.0.0.1:0").env("X_CONSUMER_SECRET", "secret");
    let said = lines_of(command, 1).await;
    assert!(said[0].starts_with("listening on http://127.0.0.1:"), "{}", said[0]);
    assert!(directory.path().join("aaa-data").exists());
}

#[tokio::test]
async fn forwarding_hands_everything_to_both_consumers() {
    let (said, directory) = first_lines("forwarding", 9).await;
    let expected = [["archived"; 4].as_slice(), &["handled"; 4], &["listening"]].concat();
    assert_eq!(first_words(&said, &[' ']), expected);
    let archive = std::fs::read_to_string(directory.path().join("deliveries.jsonl")).unwrap();
    assert_eq!(archive.matches("for_user_id").count(), 4, "{archive}");
}

#[tokio::test]
async fn axum_receiver_stores_what_happens() {
    let (mut said, directory) = first_lines("axum_receiver", 5).await;
    assert!(said.remove(0).starts_with("listening on http://127.0.0.1:"));
    said.sort();
    assert_eq!(
        said,
        [
            "stored: direct_message_events",
            "stored: favorite_events",
            "stored: follow_events",
            "stored: tweet_create_events",
        ]
    );
    assert!(directory.path().join("aaa-example-data").exists());
}

#[tokio::test]
async fn tower_receiver_answers_what_happens() {
    let (mut said, directory) = first_lines("tower_receiver", 6).await;
    assert!(said.remove(0).starts_with("listening on http://127.0.0.1:"));
    // The check, and four deliveries.
    assert_eq!(said, ["answered: 200 OK"; 5]);
    assert!(directory.path().join("aaa-example-data").exists());
}

#[tokio::test]
async fn dashboard_embedding_shows_what_happens() {
    let directory = tempfile::tempdir().unwrap();
    let command = &mut example("dashboard_embedding", directory.path());
    let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut line = async || timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(line().await.starts_with("listening on http://127.0.0.1:"));
    let said = line().await;
    let address = said.strip_prefix("dashboard on http://").unwrap();
    let address = address.strip_suffix("/dashboard").unwrap().to_owned();
    let shown = async {
        loop {
            let page = get(&address, "/dashboard/events").await;
            if page.contains("/dashboard/events/4\"") {
                return page;
            }
            tokio::task::yield_now().await;
        }
    };
    let page = timeout(PATIENCE, shown).await.expect("not everything is shown");
    assert!(page.contains("direct_message_events") && page.contains("follow_events"), "{page}");
    // A delivery is sent again, to the receiver itself, which knows it.
    let page = get(&address, "/dashboard/events/1").await;
    let (_, token) = page.split_once("name=\"aaa-token\" content=\"").unwrap();
    let token = token.split('"').next().unwrap();
    let head = format!(
        "origin: http://{address}\r\ncontent-type: application/json\r\naaa-token: {token}\r\n"
    );
    let told = ask(&address, "POST", "/dashboard/events/1/resend", &head).await;
    assert!(told.contains("/webhooks/twitter answered 200 OK"), "{told}");
    assert!(get(&address, "/").await.ends_with("your own pages"));
    assert!(get(&address, "/dashboard/nowhere").await.starts_with("HTTP/1.1 404"));
    server.kill().await.unwrap();
}

/// Asks for a page; returns the whole answer.
async fn get(address: &str, path: &str) -> String {
    ask(address, "GET", path, "").await
}

/// Asks for something with headers of one's own and without a body; returns the whole answer.
async fn ask(address: &str, method: &str, path: &str, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\n{head}content-length: 0\r\nconnection: \
         close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

/// Runs an example to its end.
async fn all_lines(name: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let ended = timeout(PATIENCE, example(name, directory.path()).output()).await;
    let ended = ended.expect("it does not end").unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn plan_only_needs_nothing() {
    assert_eq!(
        all_lines("plan_only").await,
        [
            "now: 202511210441..202511210601",
            "later: 202511220409..202511220436 at 2025-11-22T04:46:00Z",
            "lost: 2025-11-21T01:59:00Z to 2025-11-21T04:41:00Z, older than the look-back of 24 hours",
        ]
    );
}

#[tokio::test]
async fn recover_from_outage_gets_everything_back() {
    let said = all_lines("recover_from_outage").await;
    assert_eq!(said.len(), 4, "{said:?}");
    assert_eq!((&*said[0], &*said[1]), ("stored before: 2", "stored when back: 2"));
    assert!(said[2].starts_with("recovered: 6 events in "), "{said:?}");
    assert_eq!(said[3], "stored after: 8");
}

#[tokio::test]
async fn direct_message_bot_answers_each_message_once() {
    let (mut said, _directory) = first_lines("direct_message_bot", 4).await;
    // Deliveries that are under way together may overtake each other.
    said[1..].sort();
    assert!(said[0].starts_with("user 1 answers messages at http://127.0.0.1:"), "{said:?}");
    assert_eq!(
        said[1..],
        [
            r#"8: "How is the snow?" -> "Fresh powder above 1,800 m.""#,
            r#"8: "help" -> "Ask me about the snow.""#,
            r#"8: "thanks" -> "You are welcome.""#,
        ]
    );
}

#[tokio::test]
async fn bulk_subscribe_names_who_is_new() {
    let said = all_lines("bulk_subscribe").await;
    assert_eq!(said.len(), 41, "{said:?}");
    assert_eq!(said[39..], ["40 of 40", "new: 39, already subscribed: 1"]);
}

#[tokio::test]
async fn move_from_v1_1_keeps_what_it_cannot_move() {
    let said = all_lines("move_from_v1_1").await;
    assert!(said[0].starts_with("http://127.0.0.1:"), "{said:?}");
    assert_eq!(said[1..], ["subscribed: 1 of 2", "the old webhook stays; no token of: 8"]);
}

#[tokio::test]
async fn custom_transport_sees_every_request() {
    assert_eq!(
        all_lines("custom_transport").await,
        [
            "GET /2/webhooks: 200 OK",
            "GET /2/account_activity/subscriptions/count: 200 OK",
            "0 of 5000 subscriptions",
            "2 requests",
        ]
    );
}

/// A published secret must never guard an address that was asked for.
#[tokio::test]
async fn no_example_listens_at_an_address_without_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    for name in [
        "simple_webhook_server",
        "forwarding",
        "axum_receiver",
        "tower_receiver",
        "dashboard_embedding",
    ] {
        let ended = example(name, directory.path()).arg("127.0.0.1:0").output();
        let ended = timeout(PATIENCE, ended).await.expect("it listens").unwrap();
        assert!(!ended.status.success() && ended.stdout.is_empty(), "{name}");
        assert!(String::from_utf8(ended.stderr).unwrap().contains("X_CONSUMER_SECRET is not set"));
    }
}
