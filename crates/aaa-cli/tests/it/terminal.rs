//! What a person at a terminal sees, and nobody else.

use std::{path::PathBuf, process::Stdio, time::Duration};

use axum::{Router, http::StatusCode, routing::post};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::{
    lab::Lab,
    support::{self, PATIENCE, Server, aaa, deliver, run},
};

const SECRET: &str = "main-secret";

/// Runs a command of `aaa` in a terminal that `script` makes, and returns what appears on it.
async fn on_a_terminal(lab: &Lab, args: &str, no_color: &str) -> String {
    let command = format!("stty cols 200; {} {args}", env!("CARGO_BIN_EXE_aaa"));
    let mut script = lab.command(&[]);
    let mut script = {
        let variables: Vec<_> = script.as_std_mut().get_envs().collect();
        let mut command_line = tokio::process::Command::new("script");
        for (name, value) in variables {
            match value {
                Some(value) => command_line.env(name, value),
                None => command_line.env_remove(name),
            };
        }
        command_line.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
        command_line
    };
    script
        .env("NO_COLOR", no_color)
        .env("TERM", "xterm")
        .current_dir(lab.directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let done = run(script).await;
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    done.stdout.replace('\r', "")
}

#[tokio::test]
async fn events_in_columns_and_colours() {
    if !support::has("script", "terminal::events_in_columns_and_colours") {
        return;
    }
    let lab = Lab::new().await;
    let mut command = aaa(lab.directory.path(), &["listen", "--bind", "127.0.0.1:0"]);
    command.env("X_CONSUMER_SECRET", SECRET).env("X_API_URL", "http://127.0.0.1:9");
    let receiver = Server::start(command).await;
    for n in 1..=2 {
        let body = format!(r#"{{"for_user_id":"7","favorite_events":[{{"id":"{n}"}}]}}"#);
        assert_eq!(deliver(&receiver.url, "/webhooks/twitter", SECRET, &body).await, 200);
    }
    assert_eq!(receiver.end().await, 0);
    let seen = on_a_terminal(&lab, "events list", "").await;
    let mut lines = seen.lines();
    let header = lines.next().unwrap();
    assert!(header.starts_with("\u{1b}[1m     SEQ  RECEIVED (UTC)"), "{header:?}");
    assert!(lines.next().unwrap().ends_with("favorite_events               1"), "{seen}");
    let plain = on_a_terminal(&lab, "events list", "1").await;
    assert!(plain.starts_with("     SEQ  RECEIVED (UTC)") && !plain.contains('\u{1b}'), "{plain}");
    // A pipe gets what it always got.
    let piped = lab.run(&["events", "list"]).await.stdout;
    let key = piped.lines().next().unwrap().split_whitespace().next_back();
    assert_eq!(key, Some("7/favorite_events:1"), "{piped}");
    // An answer that is waited for leaves nothing behind but itself.
    let checked = on_a_terminal(&lab, "store check", "1").await;
    let last = checked.rsplit('\u{1b}').next().unwrap();
    assert!(last.trim_start_matches("[2K").starts_with("2 events, 2 deliveries"), "{checked:?}");
}

/// A terminal that is there without anybody sitting at it.
struct Tmux {
    socket: PathBuf,
}

impl Tmux {
    fn run(&self, args: &[&str]) -> String {
        let mut tmux = std::process::Command::new("tmux");
        tmux.arg("-S").arg(&self.socket).args(["-f", "/dev/null"]).args(args).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("X_") {
                tmux.env_remove(name);
            }
        }
        let done = tmux.env_remove("TMUX").env("TERM", "xterm").env("NO_COLOR", "1").output();
        let done = done.unwrap();
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// Waits until something is on the screen, and returns the screen.
    async fn shows(&self, holds: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let look = async {
            loop {
                last = self.run(&["capture-pane", "-p"]);
                if holds(&last) {
                    return last.clone();
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        let found = timeout(PATIENCE, look).await;
        found.unwrap_or_else(|_| panic!("it never came; the last: {last}"))
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // Its own server, on a socket of its own.
        let mut tmux = std::process::Command::new("tmux");
        let _ = tmux.arg("-S").arg(&self.socket).arg("kill-server").output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_view_of_what_arrives() {
    if !support::has("tmux", "terminal::the_view_of_what_arrives") {
        return;
    }
    let lab = Lab::new().await;
    let (sender, mut posted) = mpsc::unbounded_channel();
    let downstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("http://{}/", downstream.local_addr().unwrap());
    let take = async move |body: String| {
        sender.send(body).unwrap();
        StatusCode::OK
    };
    tokio::spawn(axum::serve(downstream, Router::new().route("/", post(take))).into_future());
    let mut command = aaa(lab.directory.path(), &["listen", "--bind", "127.0.0.1:0"]);
    command.env("X_CONSUMER_SECRET", SECRET).env("X_API_URL", "http://127.0.0.1:9");
    let receiver = Server::start(command).await;
    let arrive = async |kind: &str, id: u32| {
        let body = format!(r#"{{"for_user_id":"7","{kind}":[{{"id":"{id}"}}]}}"#);
        assert_eq!(deliver(&receiver.url, "/webhooks/twitter", SECRET, &body).await, 200);
        body
    };
    arrive("favorite_events", 1).await;

    let directory = lab.directory.path().to_str().unwrap();
    let tmux = Tmux { socket: lab.directory.path().join("tmux") };
    let program = format!("{} events tail --tui --resend-to {to}", env!("CARGO_BIN_EXE_aaa"));
    let shell = format!("{program}; echo it ended with $?; cat");
    tmux.run(&["new-session", "-d", "-x", "120", "-y", "12", "-c", directory, &shell]);
    tmux.shows(|screen| screen.contains("1 arrived, 1 shown, following")).await;
    let body = arrive("direct_message_events", 2).await;
    arrive("favorite_events", 3).await;
    tmux.shows(|screen| screen.contains("3 arrived, 3 shown")).await;
    tmux.run(&["send-keys", "/", "direct"]);
    let screen = tmux.shows(|screen| screen.contains("3 arrived, 1 shown")).await;
    assert!(screen.contains("direct_message_events"), "{screen}");
    assert!(!screen.contains("favorite_events"), "{screen}");
    tmux.run(&["send-keys", "Enter"]);
    tmux.shows(|screen| screen.contains("enter look at")).await;
    tmux.run(&["send-keys", "Enter"]);
    tmux.shows(|screen| screen.contains("\"id\": \"2\"")).await;
    tmux.run(&["send-keys", "r"]);
    tmux.shows(|screen| screen.contains("event 2 was answered 200 OK")).await;
    assert_eq!(timeout(PATIENCE, posted.recv()).await.unwrap().unwrap(), body);
    // Back to the list, and out: the terminal is as it was.
    tmux.run(&["send-keys", "q"]);
    tmux.shows(|screen| screen.contains("enter look at")).await;
    tmux.run(&["send-keys", "q"]);
    let screen = tmux.shows(|screen| screen.contains("it ended with 0")).await;
    assert!(!screen.contains("direct_message_events"), "{screen}");
    assert_eq!(receiver.end().await, 0);
}

#[tokio::test]
async fn a_view_takes_a_terminal() {
    let lab = Lab::new().await;
    let (code, stderr) = lab.fails(&["events", "tail", "--tui"]).await;
    insta::assert_snapshot!(format!("{code}\n{stderr}"), @"
    2
    error: --tui draws on a terminal, and stdout is none
    what to do: leave it out, or use --json for a program
    ");
    assert_eq!(lab.fails(&["events", "tail", "--tui", "--json"]).await.0, 2);
    assert_eq!(lab.fails(&["events", "tail", "--resend-to", "http://127.0.0.1/"]).await.0, 2);
}
