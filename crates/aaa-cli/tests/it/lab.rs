//! An emulated X in this process, a receiver whose answers can be broken, and `aaa` with the
//! credentials for them. Whatever a command prints is searched for secrets.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use aaa_auth::{
    UserToken,
    tokens::{StoredToken, TokenFile},
};
use aaa_emulator::{Emulator, credentials, settings::Settings};
use aaa_webhook::signature::Signature;
use axum::{Router, extract::State, response::IntoResponse};
use http::StatusCode;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpListener, process::Command};

use crate::support::{Done, aaa, run};

/// Both generations, as flags.
pub(crate) const GENERATIONS: [&str; 2] = ["v2", "v1.1"];

/// How the receiver answers challenges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    Right,
    /// 200, and a token made with another secret: X takes the webhook as broken.
    Wrong,
    /// 500.
    Trouble,
}

/// Everything that a command needs.
pub(crate) struct Lab {
    pub(crate) directory: TempDir,
    pub(crate) emulator: Emulator,
    answers: Arc<AtomicU8>,
    hook: String,
}

impl Lab {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let answers = Arc::new(AtomicU8::new(Answers::Right as u8));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hook = format!("http://{}/hook", listener.local_addr().unwrap());
        let receiver = Router::new().fallback(challenged).with_state(Arc::clone(&answers));
        tokio::spawn(axum::serve(listener, receiver).into_future());
        Self {
            directory: tempfile::tempdir().unwrap(),
            emulator: Emulator::builder().settings(settings).start().await.unwrap(),
            answers,
            hook,
        }
    }

    /// Returns the URL of the receiver; the name makes it another one.
    pub(crate) fn hook(&self, name: &str) -> String {
        format!("{}/{name}", self.hook)
    }

    pub(crate) fn answer(&self, answers: Answers) {
        self.answers.store(answers as u8, Ordering::SeqCst);
    }

    /// Prepares `aaa` with the emulator's credentials in its environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let owner = credentials::user_token(credentials::OWNER);
        let mut command = aaa(self.directory.path(), args);
        command
            .env("X_CONSUMER_KEY", credentials::CONSUMER_KEY)
            .env("X_CONSUMER_SECRET", credentials::CONSUMER_SECRET)
            .env("X_ACCESS_TOKEN", owner.token)
            .env("X_ACCESS_TOKEN_SECRET", owner.secret)
            .env("X_BEARER_TOKEN", credentials::BEARER_TOKEN)
            .env("X_API_URL", self.emulator.url());
        command
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Done {
        self.finish(self.command(args)).await
    }

    /// Runs a command to its end, and searches what it printed.
    pub(crate) async fn finish(&self, command: Command) -> Done {
        let done = run(command).await;
        assert_no_secret(&done.stdout);
        assert_no_secret(&done.stderr);
        done
    }

    /// Runs a command that succeeds, and returns its one JSON value.
    pub(crate) async fn json(&self, args: &[&str]) -> Value {
        let done = self.run(&[args, &["--json"]].concat()).await;
        assert_eq!(done.code, 0, "{args:?}: {}", done.stderr);
        assert_eq!(done.stdout.lines().count(), 1, "{args:?}: {}", done.stdout);
        serde_json::from_str(&done.stdout).unwrap()
    }

    /// Runs a command that fails, and returns its code and what it said.
    pub(crate) async fn fails(&self, args: &[&str]) -> (i32, String) {
        failed(self.run(args).await)
    }

    /// Registers a webhook, and returns its id.
    pub(crate) async fn webhook(&self, name: &str) -> String {
        let webhook = self.json(&["webhooks", "create", &self.hook(name)]).await;
        webhook["id"].as_str().unwrap().to_owned()
    }

    /// Registers a webhook as somebody else would, and returns its id.
    pub(crate) async fn foreign_webhook(&self, name: &str) -> String {
        let elsewhere = ["webhooks", "create", &self.hook(name), "--data-dir", "elsewhere"];
        self.json(&elsewhere).await["id"].as_str().unwrap().to_owned()
    }

    /// Returns the webhooks that are registered, by id.
    pub(crate) async fn ids(&self) -> Vec<String> {
        let list = self.json(&["webhooks", "list"]).await;
        list.as_array().unwrap().iter().map(|w| w["id"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn tokens(&self) -> PathBuf {
        self.directory.path().join("aaa-data/tokens.json")
    }

    /// Stores the token of a user, as a sign-in would.
    pub(crate) fn store(&self, user: u64, token: &str) {
        self.store_at(user, token, "2025-11-22T04:00:00Z".parse().unwrap());
    }

    /// The same at a time.
    pub(crate) fn store_at(&self, user: u64, token: &str, added_at: jiff::Timestamp) {
        let secret = credentials::user_token(user).secret;
        let token = UserToken::new(token.parse().unwrap(), secret.parse().unwrap());
        let mut stored = StoredToken::new(token, added_at);
        stored.screen_name = Some(format!("user{user}"));
        let insert = |tokens: &mut aaa_auth::tokens::Tokens| {
            tokens.insert(user.try_into().unwrap(), stored).is_none()
        };
        TokenFile::new(self.tokens()).update(insert).unwrap();
    }

    /// Takes out of a text what differs from run to run, and keeps how wide it is.
    pub(crate) fn plain(&self, text: &str) -> String {
        let text = text.replace(&self.emulator.url(), "http://EMULATOR");
        let text = text.replace(&self.hook, "http://RECEIVER/hook");
        let mut plain = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            let end = from.find(|c: char| !(c.is_ascii_digit() || "-:TZ".contains(c)));
            let (number, after) = from.split_at(end.unwrap_or(from.len()));
            let is_time = number.len() >= 20 && number.contains('T') && number.ends_with('Z');
            let is_id = number.trim_end_matches(':').len() == 19 && !number.contains('-');
            if is_time {
                plain.push_str("2025-11-22T04:13:00Z");
            } else if is_id {
                plain.push_str(&number.replace(|c: char| c.is_ascii_digit(), "9"));
            } else {
                plain.push_str(number);
            }
            rest = after;
        }
        plain + rest
    }
}

/// Returns code and words of a command that printed no data.
pub(crate) fn failed(done: Done) -> (i32, String) {
    assert_eq!(done.stdout, "", "{}", done.stderr);
    (done.code, done.stderr)
}

/// The secrets of every user and of the app, in every form they are sent in.
pub(crate) fn assert_no_secret(text: &str) {
    let lower = text.to_ascii_lowercase();
    for secret in
        [credentials::CONSUMER_SECRET, credentials::BEARER_TOKEN, "zw11bgf0b3i", "oauth_signature"]
    {
        assert!(!lower.contains(secret), "{secret} is in: {text}");
    }
    let token = text.match_indices("-emulator").find(|(at, _)| {
        text.get(..*at).is_some_and(|before| before.ends_with(|c: char| c.is_ascii_digit()))
    });
    assert!(token.is_none(), "a user's token is in: {text}");
}

/// Returns the mode of a file.
#[cfg(unix)]
pub(crate) fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

async fn challenged(State(answers): State<Arc<AtomicU8>>, uri: http::Uri) -> impl IntoResponse {
    let answers = answers.load(Ordering::SeqCst);
    let query = uri.query().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let token = pairs.find(|(name, _)| name == "crc_token").map(|(_, token)| token.into_owned());
    let secret =
        if answers == Answers::Wrong as u8 { "other" } else { credentials::CONSUMER_SECRET };
    let signature = Signature::of(&secret.parse().unwrap(), token.unwrap_or_default().as_bytes());
    let status = if answers == Answers::Trouble as u8 {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    };
    let body = serde_json::json!({ "response_token": signature.to_string() }).to_string();
    (status, [("content-type", "application/json")], body)
}
