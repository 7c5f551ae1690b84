//! Drives an [`Agenda`] on tokio: reads, handles, saves.

mod clock;
mod shelf;

use std::{collections::HashMap, future::Future, pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::{Id, JoinError, JoinSet},
    time::{sleep, timeout},
};

use self::{clock::Clock, shelf::Shelf};
use super::{
    Agenda, ConsumerName, CursorError, Cursors, DeadLetterQuery, DeadLetters, Failed, Handler,
    Item, Lane, Limits, RetryPolicy, Sink, Start, StoredDelivery, Verdict, WhichLetters,
};
use crate::inbox::{EventLog, EventQuery, InboxError, StoredEvent};

/// How many events are read at once.
const PAGE: usize = 256;

/// How long to wait after the store failed.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// How a consumer behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How much is in flight and in memory.
    pub limits: Limits,
    /// When what failed is tried again.
    pub retry: RetryPolicy,
    /// How long one attempt may take. 30 s.
    pub timeout: Duration,
    /// How often to look for what nobody tells: events of other processes, dead letters to be
    /// handled once more. 1 s.
    pub poll: Duration,
    /// How long what is running may go on when the consumer is to end. 5 s.
    pub drain: Duration,
    /// After which event a consumer begins that was never there before. 0: with the first.
    pub start: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            retry: RetryPolicy::default(),
            timeout: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            drain: Duration::from_secs(5),
            start: 0,
        }
    }
}

/// A consumer of a store's events: it reads them, hands them to a [`Handler`] or a [`Sink`], and
/// notes how far it is.
///
/// `aaa_store::SqliteStore` is such a store, and shows an example.
pub struct Consumer<S, W> {
    name: ConsumerName,
    store: S,
    work: Arc<W>,
    settings: Settings,
}

impl<S, H: Handler> Consumer<S, EachEvent<H>> {
    /// Hands each event to a handler.
    pub fn new(name: ConsumerName, store: S, handler: H) -> Self {
        let work = Arc::new(EachEvent(handler));
        Self { name, store, work, settings: Settings::default() }
    }
}

impl<S, K: Sink> Consumer<S, EachDelivery<K>> {
    /// Hands whole deliveries to a sink.
    pub fn of_deliveries(name: ConsumerName, store: S, sink: K) -> Self {
        let work = Arc::new(EachDelivery(sink));
        Self { name, store, work, settings: Settings::default() }
    }
}

impl<S, W> Consumer<S, W>
where
    S: EventLog + Cursors + DeadLetters,
    W: Work,
{
    /// Changes how it behaves.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Works until `ended` is ready; then what is running may end in its time. `committed` tells
    /// that there is something new, with whatever number.
    ///
    /// While the store cannot be read or written, it waits and tries again.
    ///
    /// Make `ended` ready and wait for this, rather than dropping it: a run that is dropped leaves
    /// no word, and the next one takes it for one that died with what it had in hand, which it then
    /// tries alone, and in the end as a dead letter.
    ///
    /// # Errors
    ///
    /// Fails when another consumer takes over the same name, and when the store is closed.
    pub async fn run(
        self,
        committed: watch::Receiver<u64>,
        ended: impl Future<Output = ()>,
    ) -> Result<(), ConsumerError> {
        let mut ended = pin!(ended);
        let cursor = loop {
            match self.store.open(&self.name, self.settings.start).await {
                Ok(cursor) => break cursor,
                Err(error) => self.bear(error)?,
            }
            tokio::select! {
                () = sleep(TRY_AGAIN) => {}
                () = &mut ended => return Ok(()),
            }
        };
        let Settings { limits, retry, .. } = self.settings;
        let agenda = Agenda::new(cursor, limits, retry);
        let run = Running {
            consumer: &self,
            agenda,
            clock: Clock::new(),
            shelf: Shelf::default(),
            tasks: JoinSet::new(),
            lanes: HashMap::new(),
            committed,
            watching: true,
            caught_up: false,
            look_at: Duration::ZERO,
            closed: false,
            warned: false,
        };
        run.until(ended).await
    }

    /// Fails with what cannot be waited out.
    fn bear(&self, error: CursorError) -> Result<(), ConsumerError> {
        match error {
            CursorError::Taken => Err(ConsumerError::Taken(self.name.clone())),
            CursorError::Closed => Err(ConsumerError::Closed(self.name.clone())),
            error => {
                tracing::warn!(consumer = %self.name, %error, "the store fails; trying again");
                Ok(())
            }
        }
    }
}

/// A consumer cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumerError {
    /// Another one of the same name was started.
    #[error("another consumer `{0}` was started and has taken over: run one of each name only")]
    Taken(ConsumerName),
    /// The store was closed under it.
    #[error("the store was closed before the consumer `{0}` had ended")]
    Closed(ConsumerName),
}

/// Hands over each event by itself.
pub struct EachEvent<H>(H);

/// Hands over the events of a delivery together.
pub struct EachDelivery<K>(K);

/// How events are grouped and handed over. There are [`EachEvent`] and [`EachDelivery`].
pub trait Work: sealed::Work {}

impl<T: sealed::Work> Work for T {}

mod sealed {
    use super::{Failed, Future, StoredEvent};

    pub trait Work: Send + Sync + 'static {
        /// Says whether the events of a delivery stay together.
        const WHOLE: bool;

        fn run(&self, events: Vec<StoredEvent>) -> impl Future<Output = Result<(), Failed>> + Send;
    }
}

impl<H: Handler> sealed::Work for EachEvent<H> {
    const WHOLE: bool = false;

    async fn run(&self, events: Vec<StoredEvent>) -> Result<(), Failed> {
        for event in events {
            self.0.handle(event).await?;
        }
        Ok(())
    }
}

impl<K: Sink> sealed::Work for EachDelivery<K> {
    const WHOLE: bool = true;

    async fn run(&self, events: Vec<StoredEvent>) -> Result<(), Failed> {
        for delivery in StoredDelivery::split(events) {
            self.0.send(delivery).await?;
        }
        Ok(())
    }
}

/// A consumer at work.
struct Running<'c, S, W> {
    consumer: &'c Consumer<S, W>,
    agenda: Agenda,
    clock: Clock,
    shelf: Shelf,
    tasks: JoinSet<Result<(), Failed>>,
    lanes: HashMap<Id, Lane>,
    committed: watch::Receiver<u64>,
    watching: bool,
    caught_up: bool,
    look_at: Duration,
    /// Whether the end is being noted.
    closed: bool,
    /// Whether it was told that the process keeps dying.
    warned: bool,
}

impl<S, W> Running<'_, S, W>
where
    S: EventLog + Cursors + DeadLetters,
    W: Work,
{
    async fn until(mut self, ended: impl Future<Output = ()>) -> Result<(), ConsumerError> {
        let consumer = self.consumer;
        let mut ended = pin!(ended);
        let mut deadline = None;
        let mut saving = None;
        loop {
            let now = self.clock.now().steady;
            if deadline.is_none() {
                if now >= self.look_at {
                    self.look_at = now.saturating_add(consumer.settings.poll);
                    self.caught_up = false;
                    self.look_for_redriven().await;
                }
                self.read().await;
                self.start().await;
            } else if deadline.is_some_and(|deadline| now >= deadline) {
                self.tasks.abort_all();
            }
            if deadline.is_some() && self.tasks.is_empty() && !self.closed {
                self.closed = true;
                self.agenda.close();
            }
            if saving.is_none()
                && let Some(changes) = self.agenda.changes()
            {
                saving = Some(Box::pin(async move {
                    // What waits for the store is not lost; it is saved when that is well again.
                    loop {
                        match consumer.store.save(&consumer.name, &changes).await {
                            Ok(()) => return Ok(()),
                            Err(error) => consumer.bear(error)?,
                        }
                        sleep(TRY_AGAIN).await;
                    }
                }));
            }
            if deadline.is_some() && self.tasks.is_empty() && saving.is_none() {
                return Ok(());
            }
            let pause = self.pause(deadline);
            tokio::select! {
                Some(joined) = self.tasks.join_next_with_id() => self.finish(joined),
                result = async { match saving.as_mut() {
                    Some(save) => save.await,
                    None => std::future::pending().await,
                } } => {
                    result?;
                    saving = None;
                    self.agenda.saved();
                }
                changed = self.committed.changed(), if self.watching && deadline.is_none() => {
                    self.watching = changed.is_ok();
                    self.caught_up = false;
                }
                () = &mut ended, if deadline.is_none() => {
                    let now = self.clock.now().steady;
                    deadline = Some(now.saturating_add(consumer.settings.drain));
                }
                () = sleep(pause) => {
                    let now = self.clock.now().steady;
                    if deadline.is_some_and(|end| now >= end.saturating_add(TRY_AGAIN)) {
                        // A store that does not answer, a handler that cannot be ended: what is
                        // not saved comes again.
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Returns how long to sleep if nothing happens.
    fn pause(&self, deadline: Option<Duration>) -> Duration {
        let now = self.clock.now().steady;
        let wakeup = match deadline {
            Some(deadline) => deadline,
            None => self.agenda.next_wakeup().map_or(self.look_at, |at| at.min(self.look_at)),
        };
        // A timer of the runtime is no finer than this.
        wakeup.saturating_sub(now).max(Duration::from_millis(1))
    }

    /// Reads the next page, if there is room for it.
    async fn read(&mut self) {
        while !self.caught_up
            && let Some(after) = self.agenda.wants()
        {
            let page = match self.consumer.store.events(EventQuery::after(after, PAGE)).await {
                Ok(page) => page,
                Err(error) => return self.cannot_read(&error),
            };
            self.caught_up = page.is_empty();
            if self.caught_up {
                self.agenda.all_read();
            }
            self.take(page);
            if self.agenda.in_flight() == 0 {
                // First things first: the others are read while these are handled.
                self.start().await;
            }
        }
    }

    /// Puts a page on the agenda.
    fn take(&mut self, mut page: Vec<StoredEvent>) {
        if W::WHOLE && page.len() == PAGE {
            // The last delivery may go on behind the page; if there is another, it can wait.
            let last = page.last().map(|event| event.origin.delivery);
            let other = page.iter().rposition(|event| Some(event.origin.delivery) != last);
            let whole = other.map_or(0, |other| other + 1);
            if whole > 0 {
                page.truncate(whole);
            }
        }
        let Some(read) = page.last().map(|event| event.seq) else { return };
        let mut stale = 0;
        let mut items: Vec<(Item, Vec<StoredEvent>)> = Vec::new();
        for event in page {
            if self.agenda.is_finished(event.seq) {
                continue;
            }
            if event.stale {
                stale += 1;
                continue;
            }
            match items.last_mut() {
                Some((item, events))
                    if W::WHOLE
                        && events
                            .last()
                            .is_some_and(|last| last.origin.delivery == event.origin.delivery) =>
                {
                    item.seqs.push(event.seq);
                    events.push(event);
                }
                _ => {
                    let item = Item { lane: Lane::of(&event), seqs: vec![event.seq] };
                    items.push((item, vec![event]));
                }
            }
        }
        let items = items.into_iter().map(|(item, events)| {
            self.shelf.put(events);
            item
        });
        let items: Vec<_> = items.collect();
        if self.agenda.is_careful() && !items.is_empty() && !self.warned {
            self.warned = true;
            let consumer = &self.consumer.name;
            tracing::warn!(
                %consumer,
                "the process died again and again: what may be the reason is handled alone"
            );
        }
        self.agenda.take(items, read, stale);
    }

    /// Begins what may begin.
    async fn start(&mut self) {
        while let Some(Item { seqs, .. }) = self.agenda.give_up(self.clock.now()) {
            let (consumer, first) = (&self.consumer.name, seqs.first());
            tracing::warn!(%consumer, first, "the process died of an event; it became a dead letter");
        }
        while let Some(Start { item, attempt }) = self.agenda.start(self.clock.now()) {
            let events = match self.events_of(&item).await {
                Ok(events) => events,
                Err(error) => {
                    self.cannot_read(&error);
                    let failed = Failed::unavailable(error);
                    let now = self.clock.now();
                    self.agenda.finish(&item.lane, Err(failed), clock::random(), now);
                    return;
                }
            };
            let (work, limit) = (Arc::clone(&self.consumer.work), self.consumer.settings.timeout);
            tracing::trace!(first = ?item.seqs.first(), attempt, "handling");
            // An event that was removed meanwhile cannot be handled, and need not be; whoever asked
            // for a dead letter is told.
            let redriven = item.seqs.iter().any(|seq| self.agenda.is_redriven(*seq));
            let task = self.tasks.spawn(async move {
                if redriven && events.is_empty() {
                    return Err(Failed::poison("its event is not stored any more"));
                }
                match timeout(limit, work.run(events)).await {
                    Ok(result) => result,
                    Err(_) => Err(Failed::again(format_args!("it took longer than {limit:?}"))),
                }
            });
            self.lanes.insert(task.id(), item.lane);
        }
    }

    async fn events_of(&mut self, item: &Item) -> Result<Vec<StoredEvent>, InboxError> {
        if let Some(events) = self.shelf.take(&item.seqs) {
            return Ok(events);
        }
        let (Some(first), Some(last)) = (item.seqs.first(), item.seqs.last()) else {
            return Ok(Vec::new());
        };
        let mut events = Vec::new();
        let mut after = first.saturating_sub(1);
        while after < *last {
            let limit = usize::try_from(last - after).unwrap_or(PAGE).min(PAGE);
            let page = self.consumer.store.events(EventQuery::after(after, limit)).await?;
            let Some(end) = page.last() else { break };
            after = end.seq;
            events.extend(page.into_iter().filter(|event| item.seqs.contains(&event.seq)));
        }
        Ok(events)
    }

    fn finish(&mut self, joined: Result<(Id, Result<(), Failed>), JoinError>) {
        let (id, result) = match joined {
            Ok(done) => done,
            Err(error) if error.is_cancelled() => {
                let reason = "it was given up at the end of the run";
                (error.id(), Err(Failed::unavailable(reason)))
            }
            Err(error) => (error.id(), Err(Failed::again("the handler panicked"))),
        };
        let Some(lane) = self.lanes.remove(&id) else { return };
        let reason = result.as_ref().err().map(ToString::to_string);
        let now = self.clock.now();
        let verdict = self.agenda.finish(&lane, result, clock::random(), now);
        let (consumer, reason) = (&self.consumer.name, reason.unwrap_or_default());
        match verdict {
            Verdict::Done => {}
            Verdict::Again(pause) => {
                tracing::debug!(%consumer, reason, ?pause, "an event is tried again");
            }
            Verdict::Dead => tracing::warn!(%consumer, reason, "an event became a dead letter"),
        }
    }

    /// Looks for dead letters that somebody wants to be handled once more.
    async fn look_for_redriven(&mut self) {
        let mut query = DeadLetterQuery {
            consumer: self.consumer.name.clone(),
            after: 0,
            limit: PAGE,
            which: WhichLetters::Redriven,
        };
        // Those of one user may wait for long, and not keep the others from being found.
        while self.agenda.wants_redriven() {
            let letters = match self.consumer.store.dead_letters(query.clone()).await {
                Ok(letters) => letters,
                Err(error) => {
                    tracing::debug!(%error, "dead letters cannot be read");
                    return;
                }
            };
            let Some(last) = letters.last() else { return };
            query.after = last.seq;
            for letter in letters {
                if self.agenda.is_redriven(letter.seq) {
                    continue;
                }
                let before = letter.seq.saturating_sub(1);
                match self.consumer.store.events(EventQuery::after(before, 1)).await {
                    Ok(page) => {
                        let event = page.first().filter(|event| event.seq == letter.seq);
                        // Without its event there is nothing to handle, so any lane will do.
                        let lane = event.map_or_else(|| Lane::new("", None), Lane::of);
                        self.agenda.redrive(lane, &letter);
                    }
                    Err(error) => return self.cannot_read(&error),
                }
            }
        }
    }

    fn cannot_read(&mut self, error: &InboxError) {
        let consumer = &self.consumer.name;
        tracing::warn!(%consumer, %error, "events cannot be read; trying again");
        self.caught_up = true;
    }
}
