//! The acts of the demo, and what they share.

use std::{
    collections::{HashMap, HashSet},
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use aaa_auth::{Consumer, UserCredential, UserToken};
use aaa_client::{Client, ClientError};
use aaa_emulator::{Emulator, control::Trigger, credentials};
use aaa_replay::ledger::Outcome;
use aaa_store::{SqliteReader, SqliteStore, StoreError};
use aaa_types::{UserId, WebhookId, WebhookUrl};
use aaa_webhook::inbox::{EventLog, EventQuery};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::{
    child::{ReceiverProcess, Setup, log_of},
    story::Story,
    summary::Summary,
};
use crate::{
    cli::Recover,
    exit::{Exit, Failure},
    output,
};

/// The users whose activity is subscribed to.
const SUBSCRIBERS: [u64; 2] = [7, 8];

/// How many events are under way at once when the receiver is killed.
const BURST: u32 = 60;

/// How often the demo tries to catch a delivery between its commit and its 200.
const TRIES: u32 = 400;

/// How far X's clock is set forward: X replays only what is at least ten minutes old.
const FORWARD: Duration = Duration::from_secs(15 * 60);

/// How long anything may take that takes a moment.
const PATIENCE: Duration = Duration::from_secs(25);

/// How long to wait between two looks at something.
const LOOK: Duration = Duration::from_millis(20);

/// Everything the acts need.
pub(super) struct Stage {
    story: Story,
    recover: Recover,
    directory: TempDir,
    emulator: Emulator,
    client: Client,
    receiver: Option<ReceiverProcess>,
    address: SocketAddr,
    webhook: Option<WebhookId>,
    missed: HashSet<String>,
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

    /// The receiver starts, as a process of its own.
    pub(super) async fn start_receiver(&mut self) -> Result<(), Failure> {
        self.spawn_receiver().await?;
        self.story.step(
            "receiver",
            json!({ "address": self.address }),
            &format!("The receiver, a process of its own, listens on {}.", self.address),
        )
    }

    /// The webhook is registered; X checks it with a real challenge.
    pub(super) async fn register(&mut self) -> Result<(), Failure> {
        let url: WebhookUrl = format!("http://{}/webhooks/twitter", self.address)
            .parse()
            .map_err(|error| Exit::Failed.of("the webhook's address", error))?;
        let webhook = self.client.create_webhook(&url).await.map_err(refused)?;
        if !webhook.valid {
            return Err(Exit::Failed.with("the webhook did not pass its challenge"));
        }
        self.webhook = Some(webhook.id);
        self.story.step(
            "webhook",
            json!({ "id": webhook.id, "valid": webhook.valid }),
            &format!("Webhook {} is registered; it passed its challenge.", webhook.id),
        )
    }

    /// Two users subscribe, each with a request signed with their own OAuth 1.0a token.
    pub(super) async fn subscribe(&mut self) -> Result<(), Failure> {
        let webhook = self.webhook.ok_or_else(|| Exit::Failed.with("there is no webhook"))?;
        for user in SUBSCRIBERS {
            let credential = UserCredential::OAuth1(token_of(user)?);
            self.client.create_subscription(webhook, &credential).await.map_err(refused)?;
        }
        self.story.step(
            "subscriptions",
            json!({ "users": SUBSCRIBERS.map(|user| user.to_string()) }),
            "Users 7 and 8 are subscribed, each with their own OAuth 1.0a signature.",
        )
    }

    /// Things happen, and arrive.
    pub(super) async fn live(&mut self) -> Result<(), Failure> {
        let sent = self.happen_and_arrive().await?;
        self.story.step(
            "live",
            json!({ "sent": sent }),
            &format!("{sent} events happen: posts, likes, follows, messages. All arrive."),
        )
    }

    /// The receiver dies by SIGKILL while deliveries are in flight, at a moment when at least one
    /// is committed and its 200 has not been seen.
    ///
    /// No hook in the receiver helps: it is stopped at some moment, inbox and ledger are compared,
    /// and it goes on if the moment was not such a one.
    pub(super) async fn kill_in_flight(&mut self) -> Result<(), Failure> {
        for tries in 1..=TRIES {
            let before = self.acknowledged();
            self.emulator.trigger(&burst()?).await.map_err(not_made)?;
            // A different moment each time: after the first answer, the second, and so on.
            let answers = 1 + (tries as usize * 7) % (BURST as usize - 10);
            self.until(|stage| stage.acknowledged() >= before + answers).await?;
            self.receiver()?.freeze()?;
            let cut = self.committed_but_not_acknowledged().await?;
            if cut.is_empty() {
                self.receiver()?.thaw()?;
                self.until(|stage| stage.in_flight() == 0).await?;
                continue;
            }
            let in_flight = self.in_flight();
            if let Some(receiver) = self.receiver.take() {
                receiver.kill().await?;
            }
            self.until(|stage| stage.in_flight() == 0).await?;
            let cut = self.unacknowledged(&cut);
            if cut == 0 {
                return Err(Exit::Failed.with("a dead receiver has acknowledged a delivery"));
            }
            return self.story.step(
                "killed",
                json!({ "in_flight": in_flight, "committed_without_200": cut, "tries": tries }),
                &format!(
                    "kill -9: {in_flight} deliveries are in flight; {cut} of them are stored, and \
                     X never sees their 200."
                ),
            );
        }
        Err(Exit::Failed.with(format!(
            "in {TRIES} tries no delivery was caught between its commit and its 200"
        )))
    }

    /// More happens while nobody listens.
    pub(super) async fn miss(&mut self) -> Result<(), Failure> {
        let sent = self.happen().await?.len();
        self.story.step(
            "down",
            json!({ "sent": sent }),
            &format!("{sent} more events happen while the receiver is down."),
        )
    }

    /// The receiver starts again, at the same address and with the same store.
    pub(super) async fn restart(&mut self) -> Result<(), Failure> {
        self.spawn_receiver().await?;
        let present = self.present().await?;
        self.missed = self.sent().into_iter().filter(|key| !present.contains_key(key)).collect();
        let missed = self.missed.len();
        self.story.step(
            "restarted",
            json!({ "missed": missed }),
            &format!("The receiver is back. {missed} events are missing."),
        )?;
        let sent = self.happen_and_arrive().await?;
        self.story.step(
            "live_again",
            json!({ "sent": sent }),
            &format!("{sent} more events happen and arrive as if nothing had been."),
        )
    }

    /// X replays nothing younger than ten minutes, so its clock is set forward.
    pub(super) async fn let_time_pass(&mut self) -> Result<(), Failure> {
        let now = self.emulator.advance(FORWARD).await;
        let now = now.map_err(|error| Exit::Failed.of("the emulator's clock", error))?;
        let minutes = FORWARD.as_secs() / 60;
        self.story.step(
            "clock",
            json!({ "advanced_seconds": FORWARD.as_secs(), "now": now.to_string() }),
            &format!("X's clock is set forward by {minutes} minutes: now it can replay."),
        )
    }

    /// The receiver finds its gap by itself, asks for a replay and follows it to its end.
    pub(super) async fn wait_for_recovery(&mut self) -> Result<(), Failure> {
        let reader = self.reader()?;
        let recovered = async {
            loop {
                let attempts = reader.attempts().await.map_err(unreadable)?;
                let last = attempts.last().map(|attempt| &attempt.outcome);
                if let Some(Outcome::Recovered { job }) = last {
                    return Ok((*job, attempts.len()));
                }
                sleep(LOOK).await;
            }
        };
        match timeout(PATIENCE, recovered).await {
            Ok(recovered) => {
                let (job, asked) = recovered?;
                self.story.step(
                    "replayed",
                    json!({ "job": job, "asked": asked }),
                    &format!("The receiver found its gap and asked for it; job {job} is complete."),
                )
            }
            // The summary tells what that means.
            Err(_) => {
                output::note(log_of(self.directory.path()));
                let seconds = PATIENCE.as_secs();
                self.story.step(
                    "not_replayed",
                    json!({ "waited_seconds": seconds }),
                    &format!("The gap was not recovered within {seconds} seconds."),
                )
            }
        }
    }

    /// Ledger and inbox are compared.
    pub(super) async fn count(&mut self) -> Result<Summary, Failure> {
        let present = self.present().await?;
        if let Some((key, count)) = present.iter().find(|(_, count)| **count > 1) {
            return Err(Exit::Failed.with(format!("{key} is stored {count} times")));
        }
        let sent = self.sent();
        let received = sent.iter().filter(|key| present.contains_key(*key)).count();
        let recovered = self.missed.iter().filter(|key| present.contains_key(*key)).count();
        let stats = self.reader()?.stats().await.map_err(unreadable)?;
        Ok(Summary {
            sent: sent.len(),
            received,
            missed_while_down: self.missed.len(),
            recovered,
            lost: sent.len() - received,
            duplicates_dropped: stats.duplicates,
            replay_jobs: self.emulator.ledger().jobs.len(),
        })
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

    async fn spawn_receiver(&mut self) -> Result<(), Failure> {
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

    fn receiver(&self) -> Result<&ReceiverProcess, Failure> {
        self.receiver.as_ref().ok_or_else(|| Exit::Failed.with("the receiver does not run"))
    }

    /// Lets a round of everything happen, waits until each delivery has been tried, and returns
    /// the keys of the events, one for each user concerned.
    async fn happen(&self) -> Result<Vec<String>, Failure> {
        let mut keys = Vec::new();
        for trigger in round()? {
            let made = self.emulator.trigger_and_wait(&trigger).await.map_err(not_made)?;
            keys.extend(made.events.into_iter().map(|event| event.key));
        }
        Ok(keys)
    }

    /// The same while the receiver runs; returns how many events were sent and are in the inbox.
    async fn happen_and_arrive(&self) -> Result<usize, Failure> {
        let sent = self.happen().await?;
        let present = self.present().await?;
        match sent.iter().filter(|key| !present.contains_key(*key)).count() {
            0 => Ok(sent.len()),
            lost => Err(Exit::Lost.with(format!("{lost} live events did not arrive"))),
        }
    }

    /// Returns the keys of everything that X sent, by its ledger.
    fn sent(&self) -> Vec<String> {
        self.emulator.ledger().events.into_iter().map(|event| event.key).collect()
    }

    fn acknowledged(&self) -> usize {
        let events = self.emulator.ledger().events;
        events.iter().filter(|event| event.acknowledged_at.is_some()).count()
    }

    /// Returns how many deliveries have begun and not ended.
    fn in_flight(&self) -> usize {
        let open = |event: &aaa_emulator::control::LedgerEvent| {
            event.acknowledged_at.is_none()
                && event.attempts.last().is_none_or(|a| a.status.is_none() && a.error.is_none())
        };
        self.emulator.ledger().events.iter().filter(|event| open(event)).count()
    }

    /// Says which of these keys X has seen no 200 for.
    fn unacknowledged(&self, keys: &HashSet<String>) -> usize {
        let events = self.emulator.ledger().events;
        let open = events.iter().filter(|event| event.acknowledged_at.is_none());
        open.filter(|event| keys.contains(&event.key)).count()
    }

    /// Returns what is in the inbox of a stopped receiver and not acknowledged in X's ledger.
    async fn committed_but_not_acknowledged(&self) -> Result<HashSet<String>, Failure> {
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
    async fn present(&self) -> Result<HashMap<String, usize>, Failure> {
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

    fn reader(&self) -> Result<SqliteReader, Failure> {
        SqliteStore::open_reader(self.directory.path().join("data")).map_err(unreadable)
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) -> Result<(), Failure> {
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

fn token_of(user: u64) -> Result<UserToken, Failure> {
    let tokens = credentials::user_token(user);
    let wrong = |error| Exit::Failed.of("the emulator's user token", error);
    let token = tokens.token.parse().map_err(wrong)?;
    Ok(UserToken::new(token, tokens.secret.parse().map_err(wrong)?))
}

fn user(number: u64) -> Result<UserId, Failure> {
    UserId::try_from(number).map_err(|error| Exit::Failed.of("a user of the demo", error))
}

/// What happens in a round. What user 7 does to user 8 is an event for each of them.
fn round() -> Result<[Trigger; 4], Failure> {
    let seven = user(SUBSCRIBERS[0])?;
    let eight = SUBSCRIBERS[1].to_string();
    let target = json!({ "target": { "id": eight } });
    let recipient = json!({ "message_create": { "target": { "recipient_id": eight } } });
    Ok([
        Trigger::new("tweet_create_events", seven).with_count(25),
        Trigger::new("favorite_events", seven).with_count(25),
        Trigger::new("follow_events", seven).with_count(10).with_payload(target),
        Trigger::new("direct_message_events", seven).with_count(15).with_payload(recipient),
    ])
}

fn burst() -> Result<Trigger, Failure> {
    Ok(Trigger::new("tweet_create_events", user(SUBSCRIBERS[0])?).with_count(BURST))
}

fn refused(error: ClientError) -> Failure {
    Exit::Failed.of("the emulator refused", error)
}

fn not_made(error: impl std::fmt::Display) -> Failure {
    Exit::Failed.of("the emulator made no events", error)
}

fn unreadable(error: StoreError) -> Failure {
    Exit::Failed.of("could not read the inbox", error)
}
