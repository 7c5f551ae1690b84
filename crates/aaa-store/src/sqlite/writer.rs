//! The one thread that writes.
//!
//! Whatever waits is written in one transaction and answered with that transaction's result
//! (group commit). Since everything goes through one queue, a copy of an event that is being
//! stored at this moment waits behind it and is judged after it, and a heartbeat that was
//! written proves that a delivery could have been.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use aaa_webhook::failure_streak::FailureStreak;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::{
    Queued, Settings,
    batch::{Batch, Rules},
    clock,
    files::Claim,
    measured::Measured,
    open::Open,
};
use crate::error::StoreError;

/// What to do when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Fail at once: whoever sent it will send it again.
    Never,
    /// Wait for room.
    ForRoom,
}

/// Hands work to the thread that writes.
#[derive(Debug)]
pub(super) struct WriterThread {
    sender: mpsc::Sender<Command>,
    room: Arc<Semaphore>,
    bytes: u32,
    trouble: Trouble,
    measured: Measured,
}

impl WriterThread {
    pub(super) fn spawn(
        claim: Claim,
        db: Connection,
        settings: &Settings,
        last_seq: watch::Sender<u64>,
    ) -> Result<Self, StoreError> {
        let path = claim.database.clone();
        let (handle, writer) = Self::prepare(claim, db, settings, last_seq)?;
        thread::Builder::new()
            .name("aaa-store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::files("start a thread to write", &path, &error))?;
        Ok(handle)
    }

    /// Makes a writer that somebody has to run.
    fn prepare(
        claim: Claim,
        db: Connection,
        settings: &Settings,
        last_seq: watch::Sender<u64>,
    ) -> Result<(Self, Writer), StoreError> {
        // More than that cannot be counted, and is never reached.
        let most = Semaphore::MAX_PERMITS;
        let bytes = u32::try_from(settings.queue_bytes.min(most)).unwrap_or(u32::MAX).max(1);
        let (sender, receiver) = mpsc::channel(settings.queue_deliveries.clamp(1, most));
        let (trouble, measured) = (Trouble::default(), Measured::default());
        let path = claim.database.clone();
        let writer = Writer {
            open: Some(Open::new(db, &path)?),
            claim,
            receiver,
            batch_deliveries: settings.batch_deliveries.max(1),
            batch_bytes: settings.batch_bytes,
            rules: Rules::of(settings),
            settings: settings.clone(),
            trouble: trouble.clone(),
            measured: measured.clone(),
            last_seq,
            closing: Vec::new(),
            refusing: FailureStreak::default(),
        };
        let room = Arc::new(Semaphore::new(bytes as usize));
        Ok((Self { sender, room, bytes, trouble, measured }, writer))
    }

    /// Queues some work and waits until what it wrote is durable.
    ///
    /// The work runs inside a transaction, and once more when that has to be repeated. It is done
    /// even if nobody waits any more. `bytes` is how much memory it holds.
    pub(super) async fn write<T, F>(
        &self,
        bytes: usize,
        wait: Wait,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Batch<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        if let Some(trouble) = self.trouble.lock().clone() {
            return Err(trouble);
        }
        // Something larger than the whole queue may pass alone.
        let size = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.bytes);
        let room = Arc::clone(&self.room);
        let room = match wait {
            Wait::Never => room.try_acquire_many_owned(size).map_err(|_| StoreError::QueueFull)?,
            Wait::ForRoom => room.acquire_many_owned(size).await.map_err(|_| StoreError::Closed)?,
        };
        let (answer, answered) = oneshot::channel();
        let job = Command::Write(Box::new(Job { bytes, work, done: None, answer, room }));
        match wait {
            Wait::Never => self.sender.try_send(job).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => StoreError::QueueFull,
                mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
            })?,
            Wait::ForRoom => self.sender.send(job).await.map_err(|_| StoreError::Closed)?,
        }
        answered.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) fn queued(&self) -> Queued {
        let (all, free) = (self.sender.max_capacity(), self.sender.capacity());
        let bytes = (self.bytes as usize).saturating_sub(self.room.available_permits());
        Queued { deliveries: all.saturating_sub(free) as u64, bytes: bytes as u64 }
    }

    pub(super) fn measured(&self) -> &Measured {
        &self.measured
    }

    /// Takes nothing more, waits until everything queued is written and the file is closed.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        // Closed already is closed.
        if self.sender.send(Command::Close(answer)).await.is_err() {
            return Ok(());
        }
        answered.await.unwrap_or(Ok(()))
    }
}

enum Command {
    Write(Box<dyn Work>),
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// Some work with its result forgotten, so that all kinds share one queue.
trait Work: Send {
    fn bytes(&self) -> usize;
    fn run(&mut self, batch: &mut Batch<'_>) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Job<T, F> {
    bytes: usize,
    work: F,
    done: Option<T>,
    answer: oneshot::Sender<Result<T, StoreError>>,
    /// Given back before the answer, so that whoever hears of a commit finds room.
    room: OwnedSemaphorePermit,
}

impl<T, F> Work for Job<T, F>
where
    T: Send,
    F: FnMut(&mut Batch<'_>) -> rusqlite::Result<T> + Send,
{
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run(&mut self, batch: &mut Batch<'_>) -> rusqlite::Result<()> {
        self.done = Some((self.work)(batch)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { work, done, answer, room, .. } = *self;
        drop((work, room));
        // Whoever asked may have stopped waiting; what is stored stays stored.
        let _ = answer.send(committed.and_then(|()| done.ok_or(StoreError::Closed)));
    }
}

/// Why nothing can be written at the moment. While the file is opened and checked again, which
/// may take a while, deliveries are refused at once and not kept waiting.
#[derive(Debug, Clone, Default)]
struct Trouble(Arc<Mutex<Option<StoreError>>>);

impl Trouble {
    fn lock(&self) -> MutexGuard<'_, Option<StoreError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Writer {
    claim: Claim,
    open: Option<Open>,
    receiver: mpsc::Receiver<Command>,
    batch_deliveries: usize,
    batch_bytes: usize,
    rules: Rules,
    settings: Settings,
    trouble: Trouble,
    measured: Measured,
    last_seq: watch::Sender<u64>,
    closing: Vec<oneshot::Sender<Result<(), StoreError>>>,
    /// Batches of which nothing is stored.
    refusing: FailureStreak,
}

impl Writer {
    fn run(mut self) {
        while let Some(command) = self.receiver.blocking_recv() {
            let batch = self.gather(command);
            self.store(batch);
        }
        let closed = self.close();
        let Self { claim, closing, last_seq, .. } = self;
        // The lock is given back before anybody hears that it is.
        drop((claim, last_seq));
        for answer in closing {
            let _ = answer.send(closed.clone());
        }
    }

    /// Takes what waits, up to the limits; never waits for more.
    fn gather(&mut self, first: Command) -> Vec<Box<dyn Work>> {
        let mut batch = Vec::new();
        let mut bytes = 0_usize;
        let mut next = Some(first);
        while let Some(command) = next {
            match command {
                Command::Write(job) => {
                    bytes = bytes.saturating_add(job.bytes());
                    batch.push(job);
                }
                Command::Close(answer) => {
                    self.receiver.close();
                    self.closing.push(answer);
                }
            }
            let more = batch.len() < self.batch_deliveries && bytes < self.batch_bytes;
            next = if more { self.receiver.try_recv().ok() } else { None };
        }
        batch
    }

    /// Writes a batch and answers everybody in it.
    fn store(&mut self, mut batch: Vec<Box<dyn Work>>) {
        if batch.is_empty() {
            return;
        }
        match self.commit(&mut batch) {
            Ok(last_seq) => {
                if let Some(seq) = last_seq {
                    self.last_seq.send_replace(seq);
                }
                if let Some(refused) = self.refusing.works(clock::instant()) {
                    tracing::info!(refused, "batches are stored again");
                }
                batch.into_iter().for_each(|job| job.answer(Ok(())));
            }
            Err(error) if error.is_of_one_statement() && batch.len() > 1 => {
                // One of them is poison: the others must not pay for it.
                batch.into_iter().for_each(|job| self.store(vec![job]));
            }
            Err(error) => {
                let begins = self.refusing.fails(clock::instant());
                if begins {
                    tracing::warn!(%error, refused = batch.len(), "nothing of a batch was stored");
                } else {
                    tracing::debug!(%error, refused = batch.len(), "nothing of a batch was stored");
                }
                // A transaction that is still open would be in the way of all that follow.
                let stuck = self.open.as_ref().is_some_and(Open::is_stuck);
                let broken = error.breaks_connection() || stuck;
                if broken {
                    self.claim.doubt().raise();
                    self.claim.heed_doubt();
                    *self.trouble.lock() = Some(error.clone());
                }
                batch.into_iter().for_each(|job| job.answer(Err(error.clone())));
                if broken {
                    self.open = None;
                    // What is wrong now is told to whoever comes next.
                    let _ = self.recover(begins);
                }
            }
        }
    }

    /// Writes a batch in one transaction; returns the last sequence number, if any was given.
    fn commit(&mut self, batch: &mut [Box<dyn Work>]) -> Result<Option<u64>, StoreError> {
        if self.open.is_none() {
            self.recover(false)?;
        }
        self.claim.heed_doubt();
        let open = self.open.as_mut().ok_or(StoreError::Closed)?;
        let begun = clock::instant();
        let done = open.commit(&self.claim.database, self.rules, |transaction| {
            batch.iter_mut().try_for_each(|job| job.run(transaction))
        })?;
        self.measured.add(&done.took, begun, clock::instant().saturating_duration_since(begun));
        Ok(done.last_seq)
    }

    /// Opens the file again and checks it, as if the process had been started anew. Whether it could
    /// be opened is told once, when it had to be for the first time.
    fn recover(&mut self, tells: bool) -> Result<(), StoreError> {
        let path = &self.claim.database;
        let opened = Open::again(path, &self.settings);
        let mut trouble = self.trouble.lock();
        match opened {
            Ok(open) => {
                if tells {
                    tracing::info!(path = %path.display(), "the store was opened again and is sound");
                }
                self.claim.mark_open();
                (self.open, *trouble) = (Some(open), None);
                Ok(())
            }
            Err(error) => {
                if tells {
                    tracing::warn!(%error, "the store cannot be opened again");
                }
                // Damage does not go away by itself; anything else may, so the next one tries.
                let damaged = matches!(error, StoreError::Corrupt { .. });
                *trouble = damaged.then(|| error.clone());
                Err(error)
            }
        }
    }

    fn close(&mut self) -> Result<(), StoreError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        open.close(&self.claim.database)?;
        self.claim.mark_closed();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
