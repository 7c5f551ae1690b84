//! An inbox for several machines, on [NATS JetStream](https://docs.nats.io/nats-concepts/jetstream).
//!
//! Any number of receivers commit into one stream, and what each of them takes is there once: the
//! stream knows the keys of events. Coverage, replays, cursors and dead letters are documents in a
//! bucket beside it; every write names the revision that it was made from.
//!
//! # What a 200 means
//!
//! | Replicas | An acknowledged event survives |
//! |---|---|
//! | [`Three`](Replicas::Three) | the loss of any one machine, power included: a majority has it |
//! | [`One`](Replicas::One) | that the server is killed; not that its machine loses power |
//!
//! No setting makes an acknowledgement of JetStream wait for the disk: one machine alone may
//! forget what it acknowledged in the last moments before a power loss, and so would three of them
//! that lose power together.
//!
//! A delivery is committed when *every* event of it was acknowledged with a number of the stream.
//! One that was published in part is not, and does no harm: when X sends it again, or a replay
//! does, what is there is known. An acknowledgement that says `duplicate` and has no number
//! promises nothing (the first copy is still on its way), so it is asked for again.
//!
//! # The stream
//!
//! It is made at the first opening, and looked at whenever it is opened. One whose settings would
//! lose events or let them in twice is refused with an explanation:
//!
//! * retention `limits`: a work queue forgets the keys of what was consumed;
//! * `discard: new`, in files, without sources;
//! * keys for as long as replays reach, and events for no less than their keys;
//! * as many replicas as were asked for;
//! * acknowledgements behind the write (`persist_mode: default`).
//!
//! Once a minute it is looked at again: what is wrong then is logged, and told by
//! [`stats`](JetStreamInbox::stats), so that whoever asks whether this receiver is fit hears of it.
//!
//! The bucket knows which stream it belongs to, and how far that one was. When one of them is gone, or
//! was brought back as it had been, or made anew, nothing is opened: cursors would be beyond the
//! events, and coverage would be claimed that is not there.
//!
//! A message is an event: the whole raw body, and headers (`Aaa-Key`, `Aaa-Kind`, `Aaa-User`,
//! `Aaa-Index` as `index/count`, `Aaa-App`, `Aaa-Signature`, `Aaa-Arrived`, `Aaa-Occurred`,
//! `Aaa-Stale`). Its subject is `STREAM.event.KIND.USER`, so that anybody can subscribe to a part;
//! what is no letter, digit, `-` or `_` stands there as `=` and two hex digits. Whoever may publish
//! to `STREAM.>` can forge events: let nobody but the receivers.
//!
//! Numbers rise, and have holes: the heartbeats of the receivers have some too. Events of one
//! delivery may stand apart, when another receiver published at the same time.
//!
//! # What the keys do not know
//!
//! In SQLite the key of an event that has no time of its own is kept for ever. Here it is kept for
//! [`Settings::key_retention`], or with [`Keys::Subjects`] for as long as its event: a signed
//! capture of such an event that is older is new again.
//!
//! # Examples
//!
//! ```no_run
//! use aaa_store::jetstream::{JetStreamInbox, Replicas, Settings};
//! use aaa_webhook::inbox::{EventLog, EventQuery};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings { node: "receiver-1".to_owned(), ..Settings::default() };
//! let inbox = JetStreamInbox::open("nats://10.0.0.1:4222,nats://10.0.0.2:4222", settings).await?;
//! for event in inbox.events(EventQuery::after(0, 100)).await? {
//!     println!("{}", event.key);
//! }
//! // Everything was answered, and nothing more is taken.
//! inbox.leave().await?;
//! # Ok(())
//! # }
//! ```

mod belonging;
mod bucket;
mod clock;
mod consumers;
mod counting;
mod error;
mod ledger;
mod log;
mod message;
mod overdue;
mod publish;
mod servers;
mod settings;
mod stream;
mod workers;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use aaa_replay::coverage::RunId;
use aaa_types::EventKey;
use aaa_webhook::{
    delivery::VerifiedDelivery,
    inbox::{Inbox, InboxError, Receipt},
};
use async_nats::{
    ConnectErrorKind, ConnectOptions, Event, HeaderMap,
    jetstream::{
        self,
        message::StreamMessage,
        stream::{Info, LastRawMessageError, LastRawMessageErrorKind, Stream},
    },
};
use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    time::{sleep, timeout},
};

use self::{
    bucket::Bucket,
    message::{Outgoing, Subjects},
    servers::{Login, Servers},
};
pub use self::{
    error::JetStreamError,
    overdue::Overdue,
    settings::{Keys, Replicas, Settings},
    workers::{Worker, WorkerSettings},
};
use crate::{
    sqlite::{Queued, Stats, values::signed},
    stale,
};

/// How long to wait for a server at the start.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a request may take that is no commit.
const REQUEST: Duration = Duration::from_secs(2);

/// What is said of a request that nobody answered.
const NO_ANSWER: &str = "no answer came in time";

/// How often to ask whether a connection is alive. A server that is stopped keeps its connections.
const PING: Duration = Duration::from_secs(1);

/// How often to look for events of other receivers.
const LOOK: Duration = Duration::from_millis(250);

/// After how many of those looks the stream itself is looked at: a minute.
const INSPECT: u32 = 240;

/// By how much the clock of this machine may differ from the servers'.
const CLOCK: jiff::SignedDuration = jiff::SignedDuration::from_mins(30);

/// An inbox, its log, and the ledger of replays, on JetStream. See the [module](self).
#[derive(Clone)]
pub struct JetStreamInbox {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    context: jetstream::Context,
    events: Stream,
    bucket: Bucket,
    last_seq: watch::Sender<u64>,
    deliveries: Semaphore,
    bytes: Semaphore,
    /// The last heartbeat, which goes when the next one is there.
    heartbeat: AtomicU64,
    heartbeats: AtomicU64,
    /// The run whose heartbeats are in the ledger.
    heard: Mutex<Option<RunId>>,
    /// Whether another receiver of the same name has them refused.
    is_twin: AtomicBool,
    stale: AtomicU64,
    run: String,
    closed: AtomicBool,
    /// What is wrong with the stream.
    trouble: Mutex<Option<JetStreamError>>,
    /// Which consumers were told to be so far behind that they miss something.
    overdue: Mutex<BTreeSet<String>>,
}

impl std::fmt::Debug for JetStreamInbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Settings { stream, node, .. } = &self.shared.settings;
        f.debug_struct("JetStreamInbox")
            .field("stream", stream)
            .field("node", node)
            .finish_non_exhaustive()
    }
}

impl JetStreamInbox {
    /// Connects to one or more servers of a cluster, given as URLs with commas between them, and
    /// makes the stream and the bucket where they are missing.
    ///
    /// # Errors
    ///
    /// Fails when no server answers, when the settings or the stream are not safe, and when the
    /// clock of this machine is far from the servers'.
    pub async fn open(servers: &str, settings: Settings) -> Result<Self, JetStreamError> {
        settings.check()?;
        let client = connect(servers, &settings).await?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(REQUEST);
        if !client.server_info().headers {
            let reason = "it knows no headers: it is older than 2.2".to_owned();
            return Err(JetStreamError::Unfit { reason });
        }
        let (events, bucket) = stream::ensure(&context, &settings).await?;
        let bucket = Bucket::new(context.clone(), bucket, stream::bucket_name(&settings));
        let last = events.cached_info().state.last_sequence;
        let run = client.new_inbox().rsplit('.').next().unwrap_or_default().to_owned();
        let shared = Shared {
            deliveries: Semaphore::new(usize::try_from(settings.queue).unwrap_or(usize::MAX >> 4)),
            bytes: Semaphore::new(kibibytes(u64::from(settings.queue_bytes)) as usize),
            settings,
            context,
            events,
            bucket,
            last_seq: watch::Sender::new(last),
            heartbeat: AtomicU64::new(0),
            heartbeats: AtomicU64::new(0),
            heard: Mutex::default(),
            is_twin: AtomicBool::new(false),
            stale: AtomicU64::new(0),
            run,
            closed: AtomicBool::new(false),
            trouble: Mutex::default(),
            overdue: Mutex::default(),
        };
        let shared = Arc::new(shared);
        shared.compare_clocks().await?;
        shared.belongs().await?;
        let watcher = Arc::downgrade(&shared);
        tokio::spawn(async move {
            let mut looks = 0_u32;
            loop {
                sleep(LOOK).await;
                let Some(shared) = watcher.upgrade() else { return };
                looks = looks.wrapping_add(1);
                if looks.is_multiple_of(INSPECT) {
                    // It is noted.
                    let _ = shared.inspect().await;
                    let inbox = Self { shared: Arc::clone(&shared) };
                    if let Err(error) = inbox.tell_overdue().await {
                        tracing::debug!(%error, "who is behind is not known");
                    }
                }
                if shared.check_open().is_err() {
                    return;
                }
                if shared.last_seq.receiver_count() > 0 {
                    // Whoever reads is told what goes wrong.
                    let _ = shared.newest().await;
                }
            }
        });
        Ok(Self { shared })
    }

    /// Watches the number of the last message, so that a consumer can sleep until there is
    /// something new. What other receivers store is noticed within a quarter of a second.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.last_seq.subscribe()
    }

    /// Looks whether the stream is still what it has to be, as is done once a minute.
    ///
    /// # Errors
    ///
    /// Fails when it is not, or is not known to be.
    pub async fn inspect(&self) -> Result<(), JetStreamError> {
        self.shared.check_open()?;
        self.shared.inspect().await
    }

    /// Counts what is stored. Of the figures only those of events are known.
    ///
    /// # Errors
    ///
    /// Fails when the servers do not answer, when the stream was not what it has to be when it was
    /// looked at last, and when another receiver of the same name is alive.
    pub async fn stats(&self) -> Result<Stats, JetStreamError> {
        self.shared.check_open()?;
        if self.shared.is_twin.load(SeqCst) {
            return Err(JetStreamError::Twin { node: self.shared.settings.node.clone() });
        }
        let trouble = self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(trouble) = trouble {
            return Err(trouble);
        }
        let state = self.shared.info().await?.state;
        let some = |seq| (state.messages > 0).then_some(seq);
        Ok(Stats {
            events: state.messages,
            first_seq: some(state.first_sequence),
            last_seq: some(state.last_sequence),
            ..Stats::default()
        })
    }

    /// Counts what waits for its acknowledgement.
    pub fn queued(&self) -> Queued {
        let Settings { queue, queue_bytes, .. } = self.shared.settings;
        let free = |semaphore: &Semaphore| semaphore.available_permits() as u64;
        let bytes = kibibytes(u64::from(queue_bytes)).saturating_sub(free(&self.shared.bytes));
        Queued {
            deliveries: u64::from(queue).saturating_sub(free(&self.shared.deliveries)),
            bytes: bytes.saturating_mul(1024),
        }
    }

    /// Returns how many events this receiver has stored as stale.
    pub fn stale(&self) -> u64 {
        self.shared.stale.load(SeqCst)
    }

    /// Takes nothing more. Without a [`leave`](Self::leave) before, it is an unclean end.
    pub fn close(&self) {
        self.shared.closed.store(true, SeqCst);
    }
}

impl Inbox for JetStreamInbox {
    async fn commit(&self, delivery: VerifiedDelivery) -> Result<Receipt, InboxError> {
        let shared = &self.shared;
        shared.check_open()?;
        let settings = &shared.settings;
        let _permits = shared.room_for(&delivery)?;
        // Old is what is so by our clock, whatever X's says: keys are forgotten by the servers' clock,
        // which is near ours, and with it they may all be gone.
        let key_retention = signed(settings.key_retention);
        let messages =
            message::of_delivery(&settings.stream, settings.keys, key_retention, &delivery);
        let inside = delivery.events().len().saturating_sub(messages.len());
        let is_stale: Vec<_> = messages.iter().map(Outgoing::is_stale).collect();
        // One that fails leaves the others where they are: a copy is known then.
        let taken =
            try_join_all(messages.into_iter().map(|message| shared.publish(message))).await?;
        let duplicates = taken.iter().filter(|taken| taken.duplicate).count();
        if let Some(last) = taken.iter().map(|taken| taken.seq).max() {
            shared.saw(last);
        }
        let is_new = taken.iter().map(|taken| !taken.duplicate);
        let stale = is_new.zip(is_stale).filter(|(new, stale)| *new && *stale).count() as u64;
        stale::tell(shared.stale.fetch_add(stale, SeqCst), stale);
        Ok(Receipt { stored: taken.len() - duplicates, duplicates: duplicates + inside })
    }
}

impl Shared {
    fn check_open(&self) -> Result<(), JetStreamError> {
        if self.closed.load(SeqCst) { Err(JetStreamError::Closed) } else { Ok(()) }
    }

    /// Takes room in the queue; none means that deliveries arrive faster than they are stored.
    fn room_for(
        &self,
        delivery: &VerifiedDelivery,
    ) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), InboxError> {
        let full = |_| InboxError::Full;
        let events = u64::try_from(delivery.events().len()).unwrap_or(u64::MAX);
        let bytes = u64::try_from(delivery.body().len()).unwrap_or(u64::MAX);
        let room = kibibytes(u64::from(self.settings.queue_bytes));
        // One that is larger than all the room is let in alone.
        let needed = kibibytes(bytes.saturating_mul(events)).min(room);
        let needed = u32::try_from(needed).unwrap_or(u32::MAX);
        let deliveries = self.deliveries.try_acquire().map_err(full)?;
        Ok((deliveries, self.bytes.try_acquire_many(needed).map_err(full)?))
    }

    /// Remembers that a message with this number is there.
    fn saw(&self, seq: u64) {
        self.last_seq.send_if_modified(|last| {
            let newer = *last < seq;
            *last = seq.max(*last);
            newer
        });
    }

    /// Asks for the state of the stream.
    async fn info(&self) -> Result<Info, JetStreamError> {
        answered("look at the stream", self.events.get_info()).await
    }

    /// Asks for a message by its number.
    async fn message(&self, seq: u64) -> Result<Option<StreamMessage>, JetStreamError> {
        found(self.events.get_raw_message(seq)).await
    }

    /// Asks for the first message of a subject from a number on.
    async fn next_of(
        &self,
        subject: &str,
        from: u64,
    ) -> Result<Option<StreamMessage>, JetStreamError> {
        found(self.events.get_first_raw_message_by_subject(subject, from)).await
    }

    /// Returns the number of the newest message.
    async fn newest(&self) -> Result<u64, JetStreamError> {
        let info = self.info().await?;
        self.saw(info.state.last_sequence);
        Ok(info.state.last_sequence.max(*self.last_seq.borrow()))
    }

    /// Stores a heartbeat as if it were an event, and removes the one before.
    async fn prove(&self) -> Result<(), JetStreamError> {
        let number = self.heartbeats.fetch_add(1, SeqCst);
        let Settings { stream, keys, node, .. } = &self.settings;
        let unique = format!("{}-{number}", self.run);
        let message = Outgoing {
            key: EventKey::from([0; 16]),
            subject: Subjects::heartbeat(stream, *keys, node, &unique),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        let taken = self.publish(message).await?;
        let before = self.heartbeat.swap(taken.seq, SeqCst);
        if before > 0 {
            // Where it stays it does no harm.
            let _ = timeout(REQUEST, self.events.delete_message(before)).await;
        }
        Ok(())
    }

    /// Compares the clock of this machine with the servers': by the former events are stale, by
    /// the latter keys are forgotten.
    async fn compare_clocks(&self) -> Result<(), JetStreamError> {
        let before = clock::now();
        let nanos = self.bucket.clock().await?;
        let Ok(servers) = jiff::Timestamp::from_nanosecond(nanos) else { return Ok(()) };
        let off = servers.duration_since(before);
        if off.abs() > CLOCK {
            let reason = format!(
                "its clock says {servers:.0}, and that of this machine {before:.0}: a copy would \
                 be taken for new; set the clocks right"
            );
            return Err(JetStreamError::Unfit { reason });
        }
        Ok(())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.closed.store(true, SeqCst);
    }
}

/// Waits for an answer, but not for ever. The client itself only limits how long an answer may take
/// once the request is on its way; while there is no connection, requests wait for one.
async fn answered<T, E: std::fmt::Display>(
    action: &'static str,
    request: impl IntoFuture<Output = Result<T, E>>,
) -> Result<T, JetStreamError> {
    match timeout(REQUEST, request.into_future()).await {
        Ok(answer) => answer.map_err(|error| JetStreamError::failed(action, error)),
        Err(_) => Err(JetStreamError::failed(action, NO_ANSWER)),
    }
}

/// Waits for a message, which may be missing.
async fn found(
    request: impl Future<Output = Result<StreamMessage, LastRawMessageError>>,
) -> Result<Option<StreamMessage>, JetStreamError> {
    let request = async {
        match request.await {
            Err(error) if is_missing(&error) => Ok(None),
            answer => answer.map(Some),
        }
    };
    answered("read an event", request).await
}

/// Says whether there is no such message.
fn is_missing(error: &LastRawMessageError) -> bool {
    error.kind() == LastRawMessageErrorKind::NoMessageFound
}

fn kibibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1024)
}

async fn connect(servers: &str, settings: &Settings) -> Result<async_nats::Client, JetStreamError> {
    let Some(servers) = Servers::read(servers) else {
        let reason = "that is no URL such as nats://host:4222, or nats://USER:PASSWORD@host:4222 \
                      with what is no letter or digit as %XX";
        let server = "the given address".to_owned();
        return Err(JetStreamError::Unreachable { server, reason: reason.to_owned() });
    };
    let server = servers.names();
    let refused = |reason: &dyn std::fmt::Display| JetStreamError::Unreachable {
        server: server.clone(),
        reason: reason.to_string(),
    };
    let options = ConnectOptions::new()
        .name(format!("aaa {}", settings.node))
        .connection_timeout(REQUEST)
        .request_timeout(Some(REQUEST))
        .ping_interval(PING)
        .reconnect_delay_callback(|attempts| {
            let factor = u32::try_from(attempts.min(10)).unwrap_or(10);
            Duration::from_millis(50).saturating_mul(factor)
        })
        .event_callback(|event| async move {
            match event {
                Event::Connected => tracing::debug!("connected to NATS"),
                Event::Disconnected => tracing::warn!("the connection to NATS is gone"),
                other => tracing::debug!(%other, "NATS"),
            }
        });
    let options = match servers.login {
        Some(Login::Password { user, password }) => options.user_and_password(user, password),
        Some(Login::Token(token)) => options.token(token),
        None => options,
    };
    match timeout(CONNECT, options.connect(servers.addresses)).await {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) if error.kind() == ConnectErrorKind::AuthorizationViolation => Err(refused(
            &"it does not let us in: write the user and the password that it wants as \
                  nats://USER:PASSWORD@host:4222, or a token as nats://TOKEN@host:4222, with what \
                  is no letter or digit as %XX",
        )),
        Ok(Err(error)) => Err(refused(&error)),
        Err(_) => Err(refused(&"no answer came in time")),
    }
}
