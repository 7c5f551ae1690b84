//! `aaa events tail --tui`, on a terminal at which nobody sits.

use std::{path::PathBuf, process::Stdio, time::Duration};

use axum::{Router, http::StatusCode, routing::post};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::{
    lab::Lab,
    support::{self, PATIENCE, Server, aaa, deliver},
};

const SECRET: &str = "main-secret";

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
    if !support::has("tmux", "view::the_view_of_what_arrives") {
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
