//! A ledger and a transport that write into one journal, so that their order can be seen.

use std::sync::{Arc, Mutex};

use aaa_client::{Transport, TransportError};
use aaa_replay::{
    coverage::{Heartbeat, Span},
    ledger::{Attempt, Intent, Ledger, LedgerError, Outcome},
};
use bytes::Bytes;
use http::{Method, Request, Response};
use jiff::Timestamp;
use tokio::sync::watch;

/// Everything that happened, in order; whoever waits for a line subscribes.
#[derive(Clone)]
pub(crate) struct Journal(Arc<watch::Sender<Vec<String>>>);

impl Journal {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::channel(Vec::new()).0))
    }

    pub(crate) fn write(&self, line: impl Into<String>) {
        self.0.send_modify(|lines| lines.push(line.into()));
    }

    /// Waits until a line begins with `start`, and returns all lines.
    pub(crate) async fn wait_for(&self, start: &str) -> Vec<String> {
        let mut lines = self.0.subscribe();
        let found = lines.wait_for(|lines| lines.iter().any(|line| line.starts_with(start)));
        let found = tokio::time::timeout(std::time::Duration::from_secs(20), found).await;
        found.expect("the line never came").unwrap().clone()
    }
}

#[derive(Clone)]
pub(crate) struct MemoryLedger {
    journal: Journal,
    spans: Arc<Mutex<Vec<Span>>>,
    attempts: Arc<Mutex<Vec<Attempt>>>,
}

impl MemoryLedger {
    pub(crate) fn new(journal: Journal, spans: Vec<Span>, attempts: Vec<Attempt>) -> Self {
        Self {
            journal,
            spans: Arc::new(Mutex::new(spans)),
            attempts: Arc::new(Mutex::new(attempts)),
        }
    }
}

impl Ledger for MemoryLedger {
    async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<(), LedgerError> {
        self.spans.lock().unwrap().push(Span::new(heartbeat));
        self.journal.write(format!("heartbeat of {}", heartbeat.run));
        Ok(())
    }

    async fn spans(&self) -> Result<Vec<Span>, LedgerError> {
        Ok(self.spans.lock().unwrap().clone())
    }

    async fn intend(&self, intent: Intent) -> Result<u64, LedgerError> {
        let mut attempts = self.attempts.lock().unwrap();
        let number = attempts.len() as u64 + 1;
        let (outcome, settled_at) = (Outcome::Intended, intent.at);
        attempts.push(Attempt { number, intent, outcome, settled_at });
        self.journal.write(format!("intend {number}"));
        Ok(number)
    }

    async fn settle(
        &self,
        attempt: u64,
        outcome: Outcome,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        self.journal.write(format!("settle {attempt} {outcome:?}"));
        let mut attempts = self.attempts.lock().unwrap();
        let entry = attempts.iter_mut().find(|entry| entry.number == attempt);
        let entry = entry.ok_or_else(|| LedgerError("no such attempt".to_owned()))?;
        (entry.outcome, entry.settled_at) = (outcome, at);
        Ok(())
    }

    async fn attempts(&self) -> Result<Vec<Attempt>, LedgerError> {
        Ok(self.attempts.lock().unwrap().clone())
    }
}

/// Answers the calls of a driver: one webhook, a date, and a job for every replay.
#[derive(Clone)]
pub(crate) struct FakeX {
    pub(crate) journal: Journal,
    pub(crate) date: &'static str,
    pub(crate) refuse_first: Arc<Mutex<Option<Response<Bytes>>>>,
}

impl Transport for FakeX {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let answer = if request.method() == Method::POST {
            self.journal.write("replay asked");
            if let Some(refusal) = self.refuse_first.lock().unwrap().take() {
                return Ok(refusal);
            }
            r#"{"data":{"job_id":"5","created_at":"2025-11-22T04:00:00.000Z"}}"#
        } else {
            r#"{"data":[{"id":"12","url":"https://example.com/hook","valid":true}]}"#
        };
        let answer = Response::builder().header("date", self.date).body(Bytes::from(answer));
        Ok(answer.unwrap())
    }
}

/// An X that takes every call and never answers.
pub(crate) struct Silent {
    pub(crate) journal: Journal,
}

impl Transport for Silent {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.journal.write("called");
        std::future::pending().await
    }
}
