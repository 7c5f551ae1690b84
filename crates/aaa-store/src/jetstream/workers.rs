//! Consumers that share their work: any number of processes, each event to one of them.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use aaa_webhook::consumer::{ConsumerName, CursorError, DeadLetter, Failed, Handler, RetryPolicy};
use async_nats::jetstream::{
    AckKind, Message,
    consumer::{AckPolicy, Consumer, pull},
    stream::{ConsumerError, ConsumerErrorKind},
};
use futures_util::StreamExt;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Interval, MissedTickBehavior, sleep, timeout},
};

use super::{
    JetStreamInbox, NO_ANSWER, REQUEST, clock, error::JetStreamError, message, message::Subjects,
};

/// How long the server waits for events before it says that there are none.
const WAIT: Duration = Duration::from_millis(500);

/// How much longer than an attempt may take the server waits for its end.
const GRACE: Duration = Duration::from_secs(2);

/// How long a worker that ends waits at most for what the server was asked for already.
const LAST: Duration = Duration::from_secs(2);

/// How long to wait after the servers failed.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// How long to wait after nobody listened.
const PAUSE: Duration = Duration::from_millis(50);

/// How often to look for dead letters that are to be handled once more.
const REDRIVE: Duration = Duration::from_secs(1);

/// How workers behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerSettings {
    /// How much one worker handles at once, at least one event. 32.
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
/// letter, also when no attempt ever came to an end because the process died, and so does at once
/// what somebody else wrote into the stream and is no event. The server itself never gives up, so
/// nothing goes without a word. Where something else is merely away, a worker keeps its events and
/// tries for ever, which costs no attempt; when it ends, others get them.
///
/// How far workers are is known to the server alone: they have dead letters, and are not among the
/// cursors of the inbox.
///
/// Workers of one name should have the same settings: the one that starts last sets how long the
/// server waits for all of them.
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

    /// Works until `ended` is ready. Then what is running may end; what waits for somebody who is
    /// away, and what the server hands over at the last moment, is given back.
    ///
    /// While the servers do not answer, it waits and tries again.
    ///
    /// To drop the future is to die: what is running stops at its next `await`, and nothing is
    /// given back. What it had, and what the server hands over to it within half a second, comes to
    /// others when the server has waited for as long as an attempt may take, and that counts as
    /// an attempt. Dead letters that were being handled once more stay asked for.
    ///
    /// # Errors
    ///
    /// Fails when the inbox is closed, and when the server has a consumer of this name that is
    /// another one.
    pub async fn run(self, ended: impl Future<Output = ()>) -> Result<(), JetStreamError> {
        let (mut running, mut late) = (JoinSet::new(), Vec::new());
        let worker = Arc::new(self);
        let (stop, stops) = watch::channel(false);
        let (end, is_ended) = watch::channel(false);
        let work = async {
            let all = async {
                let mut stops = stops;
                while !*stops.borrow() {
                    worker.inbox.shared.check_open()?;
                    match worker.work(&mut running, &mut late, &mut stops, &is_ended).await {
                        Err(error @ JetStreamError::Unfit { .. }) => return Err(error),
                        Err(error) => {
                            tracing::warn!(worker = %worker.name, %error, "trying again");
                            ends_within(&mut stops, TRY_AGAIN).await;
                        }
                        Ok(()) => {}
                    }
                }
                Ok(())
            };
            let result = {
                let mut all = pin!(all);
                tokio::select! {
                    result = &mut all => result,
                    () = ended => {
                        let _ = stop.send(true);
                        timeout(LAST, all).await.unwrap_or(Ok(()))
                    }
                }
            };
            // Servers that took all the time to answer leave as much for this.
            if timeout(LAST, worker.give_back(&late)).await.is_err() {
                let (worker, events) = (&worker.name, late.len());
                tracing::warn!(%worker, events, "what came at last could not be given back");
            }
            let _ = end.send(true);
            while running.join_next().await.is_some() {}
            result
        };
        let redrive = async {
            let (mut end, mut last) = (is_ended.clone(), 0);
            while !ends_within(&mut end, REDRIVE).await {
                if let Err(error) = worker.redriven(&mut last, &is_ended).await {
                    tracing::warn!(worker = %worker.name, %error, "dead letters have to wait");
                }
            }
        };
        tokio::join!(work, redrive).0
    }

    /// Takes what there is, until it has to stop or something fails. What comes when it has to stop
    /// is `late`.
    async fn work(
        self: &Arc<Self>,
        running: &mut JoinSet<()>,
        late: &mut Vec<Message>,
        stops: &mut watch::Receiver<bool>,
        is_ended: &watch::Receiver<bool>,
    ) -> Result<(), JetStreamError> {
        let failed = |error: &dyn std::fmt::Display| JetStreamError::failed("take events", error);
        let consumer = tokio::select! {
            consumer = self.consumer() => consumer?,
            _ = stops.wait_for(|stops| *stops) => return Ok(()),
        };
        let in_flight = self.settings.in_flight.max(1);
        loop {
            while running.len() >= in_flight {
                tokio::select! {
                    _ = running.join_next() => {}
                    _ = stops.wait_for(|stops| *stops) => return Ok(()),
                }
            }
            while running.try_join_next().is_some() {}
            let room = in_flight.saturating_sub(running.len());
            let batch = consumer.batch().max_messages(room).expires(WAIT).messages().await;
            let mut batch = batch.map_err(|error| failed(&error))?;
            // The server was asked: what it hands over from now on counts as tried, whether or not
            // somebody is there. So nobody goes before it has answered.
            while let Some(message) = batch.next().await {
                let message = message.map_err(|error| failed(&error))?;
                if *stops.borrow() {
                    late.push(message);
                    continue;
                }
                let (worker, is_ended) = (Arc::clone(self), is_ended.clone());
                running.spawn(async move { worker.take(message, is_ended).await });
            }
            if *stops.borrow() {
                return Ok(());
            }
        }
    }

    /// How long the server waits for the end of an event before another worker gets it.
    fn ack_wait(&self) -> Duration {
        self.settings.timeout.saturating_add(GRACE)
    }

    async fn consumer(&self) -> Result<Consumer<pull::Config>, JetStreamError> {
        let shared = &self.inbox.shared;
        // A dot would be another token of a subject.
        let name = self.name.as_str().replace('.', "=");
        let config = pull::Config {
            durable_name: Some(name.clone()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait(),
            filter_subject: Subjects::events(&shared.settings.stream),
            max_ack_pending: 20_000,
            // A server that gives up does so in silence.
            max_deliver: -1,
            ..pull::Config::default()
        };
        let other = |what: &str| JetStreamError::Unfit {
            reason: format!(
                "its stream `{}` has a consumer `{name}` with {what}: events would be handled twice \
                 or never; choose another name for the worker, or remove that consumer",
                shared.settings.stream
            ),
        };
        let failed = |error: ConsumerError| match error.kind() {
            ConsumerErrorKind::InvalidConsumerType => other("a subject that it delivers to"),
            _ => JetStreamError::failed("make a consumer", error),
        };
        let found = shared.events.get_or_create_consumer(&name, config.clone()).await;
        let found: Consumer<pull::Config> = found.map_err(failed)?;
        let there = &found.cached_info().config;
        let others = [
            (there.filter_subject != config.filter_subject, "another `filter_subject`"),
            (there.ack_policy != AckPolicy::Explicit, "no explicit acknowledgements"),
            (there.headers_only, "`headers_only`"),
        ];
        if let Some((_, what)) = others.into_iter().find(|(is_other, _)| *is_other) {
            return Err(other(what));
        }
        // What the server does by itself has to fit what is done here.
        if (there.ack_wait, there.max_deliver) == (config.ack_wait, config.max_deliver)
            && there.backoff.is_empty()
        {
            return Ok(found);
        }
        tracing::info!(worker = %self.name, "its consumer is told of other settings");
        shared.events.create_consumer(config).await.map_err(failed)
    }

    /// Handles a message, and says how that ended. What is not said is delivered again.
    async fn take(&self, message: Message, mut is_ended: watch::Receiver<bool>) {
        let (seq, delivered) = match message.info() {
            Ok(info) => (info.stream_sequence, u32::try_from(info.delivered).unwrap_or(u32::MAX)),
            Err(error) => {
                tracing::error!(%error, "a message says nothing about itself");
                return;
            }
        };
        // Who gave it back because somebody was away has not failed.
        let excused = if delivered > 1 { self.excused(seq).await } else { Some(0) };
        let Some(excused) = excused else { return };
        let delivered = delivered.saturating_sub(excused).max(1);
        let headers = message.headers.clone().unwrap_or_default();
        let event = match message::read(seq, &headers, &message.payload) {
            Ok(event) => event,
            Err(reason) => {
                tracing::error!(seq, reason, "a message of the stream is no event");
                let reason = format!("it is no event: {reason}");
                self.give_up(&message, seq, &reason, delivered).await;
                return;
            }
        };
        if event.stale {
            self.is_done(&message, seq, excused).await;
            return;
        }
        let attempts = self.settings.retry.attempts.max(1);
        if delivered > attempts {
            let reason = format!("nobody came to an end with it ({} times)", delivered - 1);
            self.give_up(&message, seq, &reason, delivered - 1).await;
            return;
        }
        let third = self.ack_wait() / 3;
        let mut beat = tokio::time::interval(third);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.tick().await;
        loop {
            let work = timeout(self.settings.timeout, self.handler.handle(event.clone()));
            let handled = self.in_progress(&message, &mut beat, work).await;
            let pause = self.settings.retry.pause(delivered, seq << 32);
            match handled.unwrap_or_else(|_| Err(Failed::again("it did not end in time"))) {
                Ok(()) => {
                    self.is_done(&message, seq, excused).await;
                    return;
                }
                Err(failed) if failed.is_unavailable() => {
                    let ends = ends_within(&mut is_ended, pause);
                    if self.in_progress(&message, &mut beat, ends).await {
                        self.give_back(std::slice::from_ref(&message)).await;
                        return;
                    }
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

    /// Says that an event comes no more.
    async fn is_done(&self, message: &Message, seq: u64, excused: u32) {
        // Whoever loses this handles it again, and has to know how often it was tried in earnest.
        if let Err(error) = self.confirmed(message, AckKind::Ack).await {
            tracing::warn!(seq, %error, "it was handled, and the server does not know");
            return;
        }
        if excused > 0
            && let Err(error) =
                self.inbox.change_letters(&self.name, |letters| letters.forget(seq)).await
        {
            // What stays there is a number, and nobody asks for it.
            tracing::debug!(seq, %error, "how often it was given back is kept");
        }
    }

    /// Gives events to other workers, and notes that they have not failed here: all of them at
    /// once, since whoever ends has little time.
    async fn give_back(&self, messages: &[Message]) {
        let seq = |message: &Message| message.info().ok().map(|info| info.stream_sequence);
        let seqs: Vec<u64> = messages.iter().filter_map(seq).collect();
        if seqs.is_empty() {
            return;
        }
        let excused = self.inbox.change_letters(&self.name, |letters| letters.excuse(&seqs)).await;
        if let Err(error) = excused {
            tracing::warn!(?seqs, %error, "it counts as an attempt that they were given back");
        }
        for message in messages {
            self.say(message, AckKind::Nak(None)).await;
        }
    }

    /// Waits for something, and has the server wait meanwhile.
    async fn in_progress<T>(
        &self,
        message: &Message,
        beat: &mut Interval,
        work: impl Future<Output = T>,
    ) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = beat.tick() => self.say(message, AckKind::Progress).await,
            }
        }
    }

    /// Returns how often an event was given back because somebody was away; `None` when that is not
    /// known, so that it comes again.
    async fn excused(&self, seq: u64) -> Option<u32> {
        match self.inbox.excused(&self.name, seq).await {
            Ok(excused) => Some(excused),
            Err(error) => {
                tracing::warn!(seq, %error, "how often it was tried is not known");
                None
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
            Ok(()) => {
                if let Err(error) = self.confirmed(message, AckKind::Term).await {
                    tracing::warn!(seq, %error, "it is a dead letter, and the server does not know");
                }
            }
            Err(error) => tracing::warn!(seq, %error, "a dead letter could not be noted"),
        }
    }

    /// Tells the server how an event ended, until it says that it knows. While a server of a cluster
    /// is being replaced, nobody listens.
    async fn confirmed(&self, message: &Message, kind: AckKind) -> Result<(), JetStreamError> {
        let failed = |reason: &str| JetStreamError::failed("tell how an event ended", reason);
        let Some(reply) = &message.reply else { return Err(failed("nobody asked")) };
        let client = self.inbox.shared.context.client();
        let mut last = NO_ANSWER.to_owned();
        let told = async {
            while let Err(error) = client.request(reply.clone(), kind.into()).await {
                last = error.to_string();
                sleep(PAUSE).await;
            }
        };
        match timeout(REQUEST, told).await {
            Ok(()) => Ok(()),
            Err(_) => Err(failed(&last)),
        }
    }

    /// Tells the server about an event, for which nobody waits.
    async fn say(&self, message: &Message, kind: AckKind) {
        let said = timeout(REQUEST, message.ack_with(kind)).await;
        let failed = match said {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "there is no connection".to_owned(),
        };
        tracing::warn!(error = failed, "the server does not know how an event ended");
    }

    /// Handles dead letters once more that somebody asked for, beginning behind the last one that
    /// was tried.
    async fn redriven(
        &self,
        last: &mut u64,
        is_ended: &watch::Receiver<bool>,
    ) -> Result<(), CursorError> {
        while !*is_ended.borrow() {
            let by = self.inbox.shared.context.client().new_inbox();
            let claimed = self.inbox.claim(&self.name, *last, &by, self.ack_wait()).await?;
            let Some(DeadLetter { seq, .. }) = claimed else { return Ok(()) };
            *last = seq;
            let handled = self.once_more(seq).await;
            let (now, is_away) = (clock::now(), matches!(&handled, Err(f) if f.is_unavailable()));
            self.inbox
                .change_letters(&self.name, |letters| match &handled {
                    Ok(()) => letters.remove(seq),
                    Err(_) if is_away => letters.release(seq, &by),
                    Err(failed) => letters.fail(seq, &by, failed.reason(), now),
                })
                .await?;
            if is_away {
                // It is tried again, and whoever is away has some time to come back.
                return Ok(());
            }
        }
        Ok(())
    }

    /// Handles the event of a dead letter.
    async fn once_more(&self, seq: u64) -> Result<(), Failed> {
        let event = match self.inbox.shared.event(seq).await {
            Ok(Ok(event)) => event,
            Ok(Err(reason)) => return Err(Failed::poison(reason)),
            Err(error) => return Err(Failed::unavailable(error)),
        };
        let (handler, limit) = (Arc::clone(&self.handler), self.settings.timeout);
        // A handler that panics ends its task and not the worker. The task ends with its set.
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { timeout(limit, handler.handle(event)).await });
        match tasks.join_next().await {
            Some(Ok(Ok(handled))) => handled,
            Some(Ok(Err(_))) => Err(Failed::again("it did not end in time")),
            Some(Err(_)) | None => Err(Failed::again("the handler panicked")),
        }
    }
}

/// Waits for so long, or until the end; says whether that came.
async fn ends_within(is_ended: &mut watch::Receiver<bool>, pause: Duration) -> bool {
    timeout(pause, is_ended.wait_for(|ended| *ended)).await.is_ok()
}
