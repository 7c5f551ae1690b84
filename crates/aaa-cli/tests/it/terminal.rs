//! What a person at a terminal sees, and nobody else.

use std::process::Stdio;

use crate::{
    lab::Lab,
    support::{self, Server, aaa, deliver, run},
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
