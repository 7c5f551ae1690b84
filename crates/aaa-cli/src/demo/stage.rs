//! What the acts share: the emulated X, the receiver, and looks at ledger and inbox.

use std::{
    collections::{HashMap, HashSet},
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use aaa_auth::Consumer;
use aaa_client::Client;
use aaa_emulator::{Emulator, control::LedgerEvent, credentials};
use aaa_store::{SqliteReader, SqliteStore, StoreError};
use aaa_types::WebhookId;
use aaa_webhook::inbox::{EventLog, EventQuery};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::{
    child::{ReceiverProcess, Setup, log_of},
    story::Story,
};
use crate::{
    cli::Recover,
    exit::{Exit, Failure},
    output,
};

/// How long anything may take that takes a moment.
pub(super) const PATIENCE: Duration = Duration::from_secs(25);

/// How long to wait between two looks at something.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// Everything the acts need.
pub(super) struct Stage {
    pub(super) story: Story,
    pub(super) recover: Recover,
    pub(super) directory: TempDir,
    pub(super) emulator: Emulator,
    pub(super) client: Client,
    pub(super) receiver: Option<ReceiverProcess>,
    pub(super) address: SocketAddr,
    pub(super) webhook: Option<WebhookId>,
    pub(super) missed: HashSet<String>,
}

impl Stage {
    /// Starts the emulator and makes a place for the store.
    pub(super) async fn set(story: Story, recover: Recover) -> Result<Self, Failure> {
        let directory = tempfile::Builder::new().prefix("aaa-demo-").tempdir();
        let directory =
            directory.map_err(|error| Exit::Failed.of("no temporary directory", error))?;
        let emulator = Emulator::start().await;
        let emulator =
            emulator.map_err(|error| Exit::Failed.of("the emulator did not start", error))?;
        let client = client_of(&emulator)?;
        story.step(
            "emulator",
            json!({ "url": emulator.url() }),
            &format!("An emulated X runs at {}.", emulator.url()),
        )?;
        Ok(Self {
            story,
            recover,
            directory,
            emulator,
            client,
            receiver: None,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            webhook: None,
            missed: HashSet::new(),
        })
    }

    pub(super) fn recover(&self) -> Recover {
        self.recover
    }

    /// Ends what was started. After a failure the store and the log are kept for a look.
    pub(super) async fn clear(&mut self, failed: bool) -> Result<(), Failure> {
        let ended = match self.receiver.take() {
            Some(receiver) if !failed => receiver.end().await,
            Some(receiver) => receiver.kill().await,
            None => Ok(()),
        };
        if failed || ended.is_err() {
            self.directory.disable_cleanup(true);
            let place = self.directory.path().display();
            output::note(format_args!("the store and the receiver's log are in {place}"));
        }
        ended
    }

    /// Ends at once and leaves nothing behind.
    pub(super) async fn interrupt(&mut self) -> Result<(), Failure> {
        match self.receiver.take() {
            Some(receiver) => receiver.kill().await,
            None => Ok(()),
        }
    }

    pub(super) async fn spawn_receiver(&mut self) -> Result<(), Failure> {
        let setup = Setup {
            directory: self.directory.path(),
            bind: self.address,
            api_url: &self.emulator.url(),
            recover: self.recover,
        };
        let receiver = ReceiverProcess::start(&setup).await?;
        self.address = receiver.address();
        self.receiver = Some(receiver);
        Ok(())
    }

    pub(super) fn receiver(&self) -> Result<&ReceiverProcess, Failure> {
        self.receiver.as_ref().ok_or_else(|| Exit::Failed.with("the receiver does not run"))
    }

    /// Returns the keys of everything that X sent, by its ledger.
    pub(super) fn sent(&self) -> Vec<String> {
        self.emulator.ledger().events.into_iter().map(|event| event.key).collect()
    }

    pub(super) fn acknowledged(&self) -> usize {
        let events = self.emulator.ledger().events;
        events.iter().filter(|event| event.acknowledged_at.is_some()).count()
    }

    /// Returns how many deliveries have begun and not ended.
    pub(super) fn in_flight(&self) -> usize {
        let open = |event: &LedgerEvent| {
            event.acknowledged_at.is_none()
                && event.attempts.last().is_none_or(|a| a.status.is_none() && a.error.is_none())
        };
        self.emulator.ledger().events.iter().filter(|event| open(event)).count()
    }

    /// Says which of these keys X has seen no 200 for.
    pub(super) fn unacknowledged(&self, keys: &HashSet<String>) -> usize {
        let events = self.emulator.ledger().events;
        let open = events.iter().filter(|event| event.acknowledged_at.is_none());
        open.filter(|event| keys.contains(&event.key)).count()
    }

    /// Returns what is in the inbox of a stopped receiver and not acknowledged in X's ledger.
    pub(super) async fn committed_but_not_acknowledged(&self) -> Result<HashSet<String>, Failure> {
        // Answers that were written before the stop are still on their way; a stopped process
        // writes no more, so the ledger comes to rest.
        let mut acknowledged = self.acknowledged();
        loop {
            sleep(LOOK).await;
            let now = self.acknowledged();
            if now == acknowledged {
                break;
            }
            acknowledged = now;
        }
        let present = self.present().await?;
        let events = self.emulator.ledger().events.into_iter();
        let open = events.filter(|event| event.acknowledged_at.is_none()).map(|event| event.key);
        Ok(open.filter(|key| present.contains_key(key)).collect())
    }

    /// Returns the keys in the inbox, and how often each is there.
    pub(super) async fn present(&self) -> Result<HashMap<String, usize>, Failure> {
        let reader = self.reader()?;
        let mut keys = HashMap::new();
        let mut after = 0;
        loop {
            let page = reader.events(EventQuery::after(after, 500)).await;
            let page = page.map_err(|error| Exit::Failed.of("could not read the inbox", error))?;
            let Some(last) = page.last() else { return Ok(keys) };
            after = last.seq;
            for event in page {
                *keys.entry(event.key).or_default() += 1;
            }
        }
    }

    pub(super) fn reader(&self) -> Result<SqliteReader, Failure> {
        SqliteStore::open_reader(self.directory.path().join("data")).map_err(unreadable)
    }

    pub(super) async fn until(&self, holds: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let wait = async {
            while !holds(self) {
                sleep(Duration::from_micros(200)).await;
            }
        };
        timeout(PATIENCE, wait).await.map_err(|_| {
            let log = log_of(self.directory.path());
            Exit::Failed.with(format!("deliveries did not end in time; the receiver says:\n{log}"))
        })
    }
}

fn client_of(emulator: &Emulator) -> Result<Client, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Exit::Failed.of("the emulator's client", error);
    let consumer = Consumer::new(
        credentials::CONSUMER_KEY.parse().map_err(|error| wrong(&error))?,
        credentials::CONSUMER_SECRET.parse().map_err(|error| wrong(&error))?,
    );
    Client::builder(emulator.url().parse().map_err(|error| wrong(&error))?)
        .consumer(consumer)
        .bearer(credentials::BEARER_TOKEN.parse().map_err(|error| wrong(&error))?)
        .build()
        .map_err(|error| wrong(&error))
}

pub(super) fn unreadable(error: StoreError) -> Failure {
    Exit::Failed.of("could not read the inbox", error)
}
