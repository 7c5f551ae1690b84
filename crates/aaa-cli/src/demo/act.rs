//! The acts of the demo.

use std::time::Duration;

use aaa_auth::UserToken;
use aaa_client::ClientError;
use aaa_emulator::{control::Trigger, credentials};
use aaa_replay::ledger::Outcome;
use aaa_types::{UserId, WebhookUrl};
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::{
    child::log_of,
    stage::{LOOK, PATIENCE, Stage, unreadable},
    summary::Summary,
};
use crate::{
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

impl Stage {
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
        let webhook = self.client.app().create_webhook(&url).await.map_err(refused)?;
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
            self.client.user(token_of(user)?).subscribe(webhook).await.map_err(refused)?;
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
                    return Ok::<_, Failure>((*job, attempts.len()));
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
