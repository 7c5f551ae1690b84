//! A ledger and a transport that write into one journal, so that their order can be seen.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use aaa_client::{Transport, TransportError};
use aaa_replay::{
    coverage::{Heartbeat, Proof, Span},
    ledger::{
        Attempt, Book, Declaration, Declared, Holder, Intent, Lease, LeaseId, Ledger, LedgerError,
        Outcome, Seen, Summary,
    },
};
use aaa_types::{UserId, WebhookId};
use bytes::Bytes;
use http::{Method, Request, Response};
use jiff::{SignedDuration, Timestamp};
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

    /// Returns which of some lines came last.
    fn last_of(&self, some: &[&str]) -> Option<usize> {
        let lines = self.0.borrow();
        lines.iter().rev().find_map(|line| some.iter().position(|one| line == one))
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
    book: Arc<Mutex<Book>>,
    /// How many heartbeats are refused.
    refuses: Arc<Mutex<usize>>,
    /// How many heartbeats and leases are answered before none is any more.
    answers: Arc<Mutex<usize>>,
}

impl MemoryLedger {
    /// Creates a ledger with one span for each heartbeat.
    pub(crate) fn new(journal: Journal, heartbeats: Vec<Heartbeat>) -> Self {
        let mut book = Book::new(SignedDuration::from_secs(5));
        heartbeats.into_iter().for_each(|heartbeat| book.heartbeat(heartbeat));
        let answers = Arc::new(Mutex::new(usize::MAX));
        Self { journal, book: Arc::new(Mutex::new(book)), refuses: Arc::default(), answers }
    }

    /// Refuses the next heartbeats.
    pub(crate) fn refuse(&self, heartbeats: usize) {
        *self.refuses.lock().unwrap() = heartbeats;
    }

    /// Does what it is asked for, and after so many heartbeats and leases does not say so.
    pub(crate) fn fall_silent_after(&self, answers: usize) {
        *self.answers.lock().unwrap() = answers;
    }

    async fn answer(&self) {
        let is_silent = {
            let mut answers = self.answers.lock().unwrap();
            let is_silent = *answers == 0;
            *answers = answers.saturating_sub(1);
            is_silent
        };
        if is_silent {
            self.journal.write("silent");
            std::future::pending::<()>().await;
        }
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }
}

impl Ledger for MemoryLedger {
    async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<(), LedgerError> {
        {
            let mut refuses = self.refuses.lock().unwrap();
            if let Some(left) = refuses.checked_sub(1) {
                *refuses = left;
                return Err(LedgerError::Unavailable("the disk is full".to_owned()));
            }
        }
        self.book().heartbeat(heartbeat);
        self.journal.write(format!("heartbeat of {}", heartbeat.run));
        self.answer().await;
        Ok(())
    }

    async fn spans_from(&self, number: u64) -> Result<Vec<(u64, Span)>, LedgerError> {
        Ok(self.book().spans_from(number))
    }

    async fn proofs(&self) -> Result<Vec<Proof>, LedgerError> {
        Ok(self.book().proofs().to_vec())
    }

    async fn take_lease(
        &self,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, LedgerError> {
        let taken = self.book().take_lease(holder, now, until);
        self.journal.write(format!("lease {:?}", taken.as_ref().map(|lease| lease.id.0).ok()));
        self.answer().await;
        taken
    }

    async fn release_lease(&self, lease: LeaseId) -> Result<(), LedgerError> {
        self.book().release_lease(lease);
        self.journal.write("lease released");
        Ok(())
    }

    async fn lease(&self) -> Result<Option<Lease>, LedgerError> {
        Ok(self.book().lease().cloned())
    }

    async fn intend(&self, lease: LeaseId, intent: Intent) -> Result<u64, LedgerError> {
        let number = self.book().intend(lease, intent, 0)?;
        self.journal.write(format!("intend {number}"));
        Ok(number)
    }

    async fn settle(
        &self,
        lease: LeaseId,
        attempt: u64,
        outcome: Outcome,
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        self.journal.write(format!("settle {attempt} {outcome:?}"));
        self.book().settle(lease, attempt, outcome, at, |_, _| 0)
    }

    async fn attempts(&self) -> Result<Vec<Attempt>, LedgerError> {
        Ok(self.book().attempts())
    }

    async fn declare(&self, declaration: Declaration) -> Result<u64, LedgerError> {
        let number = self.book().declare(declaration);
        self.journal.write(format!("declare {number} {}", declaration.gap.cause));
        Ok(number)
    }

    async fn prolong(&self, number: u64, to: Timestamp) -> Result<bool, LedgerError> {
        self.journal.write(format!("prolong {number}"));
        Ok(self.book().prolong(number, to))
    }

    async fn withdraw(&self, number: u64) -> Result<bool, LedgerError> {
        Ok(self.book().withdraw(number))
    }

    async fn declared(&self) -> Result<Vec<Declared>, LedgerError> {
        Ok(self.book().declared().to_vec())
    }

    async fn confirm(&self, webhook: WebhookId, seen: Seen) -> Result<(), LedgerError> {
        self.book().confirm(webhook, seen);
        Ok(())
    }

    async fn confirmed(&self, webhook: WebhookId) -> Result<Seen, LedgerError> {
        Ok(self.book().confirmed(webhook))
    }

    async fn remember(
        &self,
        webhook: WebhookId,
        subscribers: BTreeSet<UserId>,
    ) -> Result<(), LedgerError> {
        self.book().remember(webhook, subscribers);
        Ok(())
    }

    async fn remembered(&self, webhook: WebhookId) -> Result<BTreeSet<UserId>, LedgerError> {
        Ok(self.book().remembered(webhook))
    }

    async fn trim(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.book().trim(before);
        Ok(())
    }

    async fn summary(&self) -> Result<Summary, LedgerError> {
        Ok(self.book().summary())
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
        } else if request.method() == Method::PUT {
            self.journal.write("check asked");
            r#"{"data":{"valid":true}}"#
        } else if self.journal.last_of(&["marked invalid", "check asked"]) == Some(0) {
            r#"{"data":[{"id":"12","url":"https://example.com/hook","valid":false}]}"#
        } else {
            r#"{"data":[{"id":"12","url":"https://example.com/hook","valid":true}]}"#
        };
        let answer = Response::builder().header("date", self.date).body(Bytes::from(answer));
        Ok(answer.unwrap())
    }
}

/// An X whose calls that read something are counted.
#[derive(Clone)]
pub(crate) struct Counted {
    pub(crate) x: FakeX,
    pub(crate) reads: Arc<AtomicUsize>,
}

impl Transport for Counted {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        if request.method() == Method::GET {
            self.reads.fetch_add(1, SeqCst);
        }
        self.x.send(request).await
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
