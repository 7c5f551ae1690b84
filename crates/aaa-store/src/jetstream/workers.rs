//! Consumers that share their work: any number of processes, each event to one of them.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use aaa_webhook::consumer::{
    ConsumerName, CursorError, DeadLetter, DeadLetterQuery, DeadLetters, Failed, Handler,
    RetryPolicy, WhichLetters,
};
use async_nats::jetstream::{
    AckKind, Message,
    consumer::{AckPolicy, Consumer, pull},
};
use futures_util::StreamExt;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{JetStreamInbox, clock, error::JetStreamError, message, message::Subjects};

/// How long the server waits for events before it says that there are none.
const WAIT: Duration = Duration::from_millis(500);

/// How much longer than an attempt may take the server waits for its end.
const GRACE: Duration = Duration::from_secs(2);

/// How long to wait after the servers failed.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// How workers behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerSettings {
    /// How much one worker handles at once. 32.
    pub in_flight: usize,
    /// When what failed is tried again, and how often. Who is merely away is tried for ever.
    pub retry: RetryPolicy,
    /// How long one attempt may take. 30 s. A worker that dies is noticed a little after that.
    pub timeout: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        let timeout = Duration::from_secs(30);
        Self { in_flight: 32, retry: RetryPolicy::default(), timeout }
    }
}

/// A worker: it takes events of the stream that no other worker of the same name has, hands them
/// to a [`Handler`], and says how that ended.
///
/// Each event is handled at least once, and more than once only when the worker that had it died
/// or did not end in time. There is no order: two events of one user may be handled by two workers
/// at once. Who needs order uses an `aaa_webhook::consumer::Consumer`, of which one runs at a time.
///
/// What fails is tried again, by whichever worker; after the last attempt it becomes a dead
/// letter, also when no attempt ever came to an end because the process died. The server itself
/// never gives up, so nothing goes without a word.
///
/// # Examples
///
/// ```no_run
/// use aaa_store::jetstream::{JetStreamInbox, Settings, Worker};
/// use aaa_webhook::{consumer::Failed, inbox::StoredEvent};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let inbox = JetStreamInbox::open("nats://127.0.0.1:4222", Settings::default()).await?;
/// let archive = async |event: StoredEvent| -> Result<(), Failed> {
///     println!("{}", event.key);
///     Ok(())
/// };
/// Worker::new("archive".parse()?, inbox, archive).run(std::future::pending()).await?;
/// # Ok(())
/// # }
/// ```
pub struct Worker<H> {
    name: ConsumerName,
    inbox: JetStreamInbox,
    handler: Arc<H>,
    settings: WorkerSettings,
}

impl<H: Handler> Worker<H> {
    /// Creates a worker that shares its work with all of the same name. The first of them begins
    /// with the first event.
    pub fn new(name: ConsumerName, inbox: JetStreamInbox, handler: H) -> Self {
        Self { name, inbox, handler: Arc::new(handler), settings: WorkerSettings::default() }
    }

    /// Changes how it behaves.
    #[must_use]
    pub fn with_settings(mut self, settings: WorkerSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Works until `ended` is ready; what is running then may end.
    ///
    /// While the servers do not answer, it waits and tries again.
    ///
    /// # Errors
    ///
    /// Fails when the inbox is closed.
    pub async fn run(self, ended: impl Future<Output = ()>) -> Result<(), JetStreamError> {
        let mut ended = pin!(ended);
        let mut running = JoinSet::new();
        let worker = Arc::new(self);
        let work = async {
            loop {
                worker.inbox.shared.check_open()?;
                if let Err(error) = worker.work(&mut running).await {
                    tracing::warn!(worker = %worker.name, %error, "trying again");
                    sleep(TRY_AGAIN).await;
                }
            }
        };
        let result = tokio::select! {
            result = work => result,
            () = &mut ended => Ok(()),
        };
        while running.join_next().await.is_some() {}
        result
    }

    /// Takes what there is, until something fails.
    async fn work(self: &Arc<Self>, running: &mut JoinSet<()>) -> Result<(), JetStreamError> {
        let failed = |error: &dyn std::fmt::Display| JetStreamError::failed("take events", error);
        let consumer = self.consumer().await?;
        loop {
            while running.len() >= self.settings.in_flight {
                running.join_next().await;
            }
            while running.try_join_next().is_some() {}
            let room = self.settings.in_flight.saturating_sub(running.len());
            let batch = consumer.batch().max_messages(room).expires(WAIT).messages().await;
            let mut batch = batch.map_err(|error| failed(&error))?;
            let mut is_empty = true;
            while let Some(message) = batch.next().await {
                let message = message.map_err(|error| failed(&error))?;
                is_empty = false;
                let worker = Arc::clone(self);
                running.spawn(async move { worker.take(message).await });
            }
            if is_empty {
                self.redriven().await.map_err(|error| failed(&error))?;
            }
        }
    }

    async fn consumer(&self) -> Result<Consumer<pull::Config>, JetStreamError> {
        let shared = &self.inbox.shared;
        // A dot would be another token of a subject.
        let name = self.name.as_str().replace('.', "=");
        let config = pull::Config {
            durable_name: Some(name.clone()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.settings.timeout.saturating_add(GRACE),
            filter_subject: Subjects::events(&shared.settings.stream),
            max_ack_pending: 20_000,
            // A server that gives up does so in silence.
            max_deliver: -1,
            ..pull::Config::default()
        };
        let consumer = shared.events.get_or_create_consumer(&name, config).await;
        consumer.map_err(|error| JetStreamError::failed("make a consumer", error))
    }

    /// Handles a message, and says how that ended. What is not said is delivered again.
    async fn take(&self, message: Message) {
        let (seq, delivered) = match message.info() {
            Ok(info) => (info.stream_sequence, u32::try_from(info.delivered).unwrap_or(u32::MAX)),
            Err(error) => {
                tracing::error!(%error, "a message says nothing about itself");
                return;
            }
        };
        let headers = message.headers.clone().unwrap_or_default();
        let event = match message::read(seq, &headers, &message.payload) {
            Ok(event) => event,
            Err(reason) => {
                tracing::error!(seq, reason, "a message of the stream is no event");
                self.say(&message, AckKind::Term).await;
                return;
            }
        };
        if event.stale {
            self.say(&message, AckKind::Ack).await;
            return;
        }
        let attempts = self.settings.retry.attempts.max(1);
        if delivered > attempts {
            let reason = format!("nobody came to an end with it ({} times)", delivered - 1);
            self.give_up(&message, seq, &reason, delivered - 1).await;
            return;
        }
        loop {
            let handled = timeout(self.settings.timeout, self.handler.handle(event.clone())).await;
            let pause = self.settings.retry.pause(delivered, seq << 32);
            match handled.unwrap_or_else(|_| Err(Failed::again("it did not end in time"))) {
                Ok(()) => {
                    // Whoever loses this handles it again.
                    if let Err(error) = message.double_ack().await {
                        tracing::warn!(seq, %error, "it was handled, and the server does not know");
                    }
                    return;
                }
                Err(failed) if failed.is_unavailable() => {
                    self.say(&message, AckKind::Progress).await;
                    sleep(pause).await;
                }
                Err(failed) if failed.is_poison() || delivered >= attempts => {
                    self.give_up(&message, seq, failed.reason(), delivered).await;
                    return;
                }
                Err(_) => {
                    self.say(&message, AckKind::Nak(Some(pause))).await;
                    return;
                }
            }
        }
    }

    /// Makes it a dead letter; only then it comes no more.
    async fn give_up(&self, message: &Message, seq: u64, reason: &str, attempts: u32) {
        let now = clock::now();
        let letter = DeadLetter {
            seq,
            key: None,
            reason: reason.to_owned(),
            attempts,
            first_failed_at: now,
            last_failed_at: now,
            redrive: false,
        };
        match self.inbox.change_letters(&self.name, |letters| letters.bury(&letter)).await {
            Ok(()) => self.say(message, AckKind::Term).await,
            Err(error) => tracing::warn!(seq, %error, "a dead letter could not be noted"),
        }
    }

    async fn say(&self, message: &Message, kind: AckKind) {
        if let Err(error) = message.ack_with(kind).await {
            tracing::warn!(%error, "the server does not know how an event ended");
        }
    }

    /// Handles dead letters once more that somebody asked for.
    async fn redriven(&self) -> Result<(), CursorError> {
        let query = DeadLetterQuery {
            consumer: self.name.clone(),
            after: 0,
            limit: 1,
            which: WhichLetters::Redriven,
        };
        while !self.inbox.dead_letters(query.clone()).await?.is_empty() {
            let claimed = self.inbox.change_letters(&self.name, |letters| letters.claim()).await?;
            let Some(mut letter) = claimed else { return Ok(()) };
            let seq = letter.seq;
            let handled = match self.inbox.shared.event(seq).await? {
                Some(event) => {
                    let work = self.handler.handle(event);
                    let late = |_| Err(Failed::again("it did not end in time"));
                    timeout(self.settings.timeout, work).await.unwrap_or_else(late)
                }
                None => Err(Failed::again("the event is not stored any more")),
            };
            let (now, attempts) = (clock::now(), letter.attempts.saturating_add(1));
            self.inbox
                .change_letters(&self.name, |letters| match &handled {
                    Ok(()) => letters.remove(seq),
                    Err(failed) => {
                        failed.reason().clone_into(&mut letter.reason);
                        (letter.attempts, letter.last_failed_at) = (attempts, now);
                        letters.bury(&letter);
                    }
                })
                .await?;
        }
        Ok(())
    }
}
