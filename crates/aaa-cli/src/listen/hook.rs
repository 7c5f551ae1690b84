//! Tells a command or a URL what somebody has to hear of.
//!
//! A hook has bounded time and a queue of its own: the receiver never waits for it. What finds no
//! room in the queue is in the log all the same.

use std::{process::Stdio, time::Duration};

use aaa_client::{ReqwestTransport, Timeouts, Transport};
use aaa_replay::{driver::XClock, notice::Notice};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use serde_json::Value;
use tokio::{io::AsyncWriteExt, process::Command, sync::mpsc, time::sleep, time::timeout};

use crate::{
    cli::HookArgs,
    exit::{Exit, Failure},
    forward::ForwardUrl,
    output,
};

/// How many notices may wait.
const WAITING: usize = 64;

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a URL may take.
const TIMEOUTS: Timeouts =
    Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(10) };

/// How long to wait before a URL is called again.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// What a command finds in its environment; no secret is in there.
const ENVIRONMENT: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR"];

/// Somebody who wants to hear.
pub(super) struct Hook {
    notices: mpsc::Receiver<Notice>,
    clock: XClock,
    command: Option<String>,
    url: Option<(ForwardUrl, ReqwestTransport)>,
}

impl Hook {
    /// Prepares a hook, if there is one, and returns how it is told.
    ///
    /// # Errors
    ///
    /// Fails when TLS cannot be set up.
    pub(super) fn prepare(
        args: &HookArgs,
        clock: &XClock,
    ) -> Result<Option<(Self, mpsc::Sender<Notice>)>, Failure> {
        if args.hook_command.is_none() && args.hook_url.is_none() {
            return Ok(None);
        }
        let url = match &args.hook_url {
            Some(url) => {
                let transport = ReqwestTransport::for_scheme(url.scheme(), TIMEOUTS);
                let transport = transport.map_err(|error| Exit::Failed.with(error.to_string()))?;
                Some((url.clone(), transport))
            }
            None => None,
        };
        let (sender, notices) = mpsc::channel(WAITING);
        let hook = Self { notices, clock: clock.clone(), command: args.hook_command.clone(), url };
        Ok(Some((hook, sender)))
    }

    /// Tells, until the end of the run.
    pub(super) async fn run(mut self, ended: impl Future<Output = ()>) {
        let mut ended = std::pin::pin!(ended);
        loop {
            let told = async {
                match self.notices.recv().await {
                    Some(notice) => self.tell(&notice).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = &mut ended => return,
                () = told => {}
            }
        }
    }

    async fn tell(&self, notice: &Notice) {
        let Some(text) = text(notice, self.clock.now()) else { return };
        if let Some(command) = &self.command
            && let Err(why) = execute(command, &text).await
        {
            tracing::warn!(event = notice.event(), why, "the hook's command failed");
        }
        if let Some((url, transport)) = &self.url
            && let Err(why) = post(url, transport, &text).await
        {
            tracing::warn!(event = notice.event(), %url, why, "the hook was not told");
        }
    }
}

/// Returns what a hook gets: the notice as JSON, when it was told, and the same for people.
fn text(notice: &Notice, at: jiff::Timestamp) -> Option<String> {
    let mut json = serde_json::to_value(notice).ok()?;
    let members = json.as_object_mut()?;
    members.insert("at".to_owned(), Value::from(at.to_string()));
    members.insert("message".to_owned(), Value::from(output::printable(&notice.to_string())));
    Some(json.to_string())
}

/// Runs a command in a shell, with the text on its stdin.
async fn execute(command: &str, text: &str) -> Result<(), String> {
    let environment = ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut child = Command::new(if cfg!(windows) { "cmd" } else { "sh" })
        .args([if cfg!(windows) { "/C" } else { "-c" }, command])
        .env_clear()
        .envs(environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    let run = async {
        if let Some(mut stdin) = child.stdin.take() {
            // A command need not read it.
            let _ = stdin.write_all(text.as_bytes()).await;
        }
        child.wait().await
    };
    match timeout(PATIENCE, run).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(status.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("it took longer than {} s", PATIENCE.as_secs())),
    }
}

/// Posts the text, up to three times.
async fn post(url: &ForwardUrl, transport: &ReqwestTransport, text: &str) -> Result<(), String> {
    let mut pauses = PAUSES.into_iter();
    loop {
        let mut request = Request::new(Bytes::copy_from_slice(text.as_bytes()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.uri().clone();
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        let why = match transport.send(request).await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => format!("it answered {}", answer.status()),
            Err(error) => error.to_string(),
        };
        match pauses.next() {
            Some(pause) => sleep(pause).await,
            None => return Err(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_hook_gets() {
        let notice = Notice::WebhookMissing { webhook: "12".parse().unwrap() };
        let at = "2025-11-22T04:13:00Z".parse().unwrap();
        insta::assert_snapshot!(text(&notice, at).unwrap(), @r#"{"at":"2025-11-22T04:13:00Z","event":"webhook_missing","message":"webhook 12 is not registered","webhook":"12"}"#);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_command_gets_the_text_and_no_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let command = format!("cat > {0}; env >> {0}", out.display());
        execute(&command, "{\"event\":\"x\"}\n").await.unwrap();
        let said = std::fs::read_to_string(out).unwrap();
        assert!(said.starts_with("{\"event\":\"x\"}\n"), "{said}");
        let names = said.lines().skip(1).filter_map(|line| line.split('=').next());
        for name in names {
            let shells_own = ["PWD", "OLDPWD", "SHLVL", "_"].contains(&name);
            assert!(shells_own || ENVIRONMENT.contains(&name), "{name}");
        }
        assert_eq!(execute("exit 3", "").await.unwrap_err(), "exit status: 3");
    }
}
