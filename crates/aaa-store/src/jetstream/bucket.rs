//! Documents that several machines change: each write names the revision it was made from.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use async_nats::{
    HeaderMap,
    jetstream::{self, context::PublishErrorKind, stream::Stream},
};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    sync,
    time::{sleep, timeout},
};

use super::error::JetStreamError;

/// How long a change may take, with all its attempts.
const CHANGE: Duration = Duration::from_secs(5);

/// How long one write waits for its acknowledgement.
const WRITE: Duration = Duration::from_secs(1);

/// How many writers a document remembers the last write of.
const WRITERS: usize = 64;

/// The write is only done when the document has this revision; 0 when there is none.
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";

/// A bucket of documents.
pub(super) struct Bucket {
    context: jetstream::Context,
    stream: Stream,
    name: String,
    /// Who writes here; no other process has it.
    writer: String,
    writes: AtomicU64,
    /// What was read or written last, so that most changes need no reading. A revision that is not
    /// the last any more is refused by the server.
    known: Mutex<HashMap<String, (u64, Bytes)>>,
    /// One change of a document at a time: of each writer a document remembers the last write alone.
    turns: Mutex<HashMap<String, Arc<sync::Mutex<()>>>>,
}

/// How large a change may make a document. What makes it smaller is always done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// So large that there is room for what must not fail.
    Usual,
    /// As large as the server takes.
    Last,
}

/// A document, and which write of each writer it holds: so a write whose answer was lost is known
/// when it is there.
#[derive(Serialize, Deserialize)]
struct Document<T> {
    value: T,
    writes: Vec<(String, u64)>,
}

/// What became of a write.
enum Written {
    Yes(u64),
    /// Somebody else was first.
    No,
    Unclear(String),
}

impl Bucket {
    pub(super) fn new(context: jetstream::Context, stream: Stream, name: String) -> Self {
        let writer = context.client().new_inbox();
        let (writes, known, turns) = (AtomicU64::new(0), Mutex::default(), Mutex::default());
        Self { context, stream, name, writer, writes, known, turns }
    }

    /// Returns the servers' time, in nanoseconds since 1970.
    pub(super) async fn clock(&self) -> Result<i128, JetStreamError> {
        let asked = async {
            let failed =
                |error: &dyn std::fmt::Display| JetStreamError::failed("ask for the time", error);
            let publish = self.context.publish(self.subject("clock"), Bytes::new()).await;
            publish.map_err(|e| failed(&e))?.await.map_err(|e| failed(&e))?;
            let last = self.stream.get_last_raw_message_by_subject(&self.subject("clock")).await;
            Ok(last.map_err(|e| failed(&e))?.time.unix_timestamp_nanos())
        };
        timeout(CHANGE, asked).await.map_err(|_| late("ask for the time"))?
    }

    /// Reads a document.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<T>, JetStreamError> {
        let read = timeout(CHANGE, self.fetch(key)).await;
        let read = read.map_err(|_| late("read what is shared"))??;
        Ok(match read {
            Some((_, bytes)) => Some(self.parse::<T>(key, &bytes)?.value),
            None => None,
        })
    }

    /// Returns the keys that begin with a prefix.
    pub(super) async fn keys(&self, prefix: &str) -> Result<Vec<String>, JetStreamError> {
        let listed = timeout(CHANGE, self.list(prefix)).await;
        listed.map_err(|_| late("list what is shared"))?
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, JetStreamError> {
        let failed = |error| JetStreamError::failed("list what is shared", error);
        let filter = format!("{}{prefix}>", self.subject(""));
        let subjects = self.stream.info_with_subjects(filter).await.map_err(failed)?;
        let subjects: Vec<_> = subjects.collect().await;
        let mut keys = Vec::new();
        for subject in subjects {
            let (subject, _) = subject.map_err(failed)?;
            keys.extend(subject.strip_prefix(&self.subject("")).map(str::to_owned));
        }
        keys.sort();
        Ok(keys)
    }

    /// Changes a document, again and again until nobody else was faster. What `change` refuses is
    /// not written.
    pub(super) async fn change<T, R, E>(
        &self,
        key: &str,
        room: Room,
        make: impl Fn() -> T,
        mut change: impl FnMut(&mut T) -> Result<R, E>,
    ) -> Result<Result<R, E>, JetStreamError>
    where
        T: Serialize + DeserializeOwned,
    {
        let turn = self.turn(key);
        let all = async {
            let _turn = turn.lock().await;
            let number = self.writes.fetch_add(1, Relaxed) + 1;
            let mut known = self.known(key);
            let mut pending = None;
            let mut attempt = 0_u64;
            loop {
                let (revision, bytes) = match known.take() {
                    Some((revision, bytes)) => (revision, Some(bytes)),
                    None => match self.fetch(key).await {
                        Ok(Some((revision, bytes))) => (revision, Some(bytes)),
                        Ok(None) => (0, None),
                        Err(error) => {
                            tracing::debug!(%error, "the bucket does not answer; asking again");
                            self.pause(&mut attempt).await;
                            continue;
                        }
                    },
                };
                let mut document = match &bytes {
                    Some(bytes) => self.parse::<T>(key, bytes)?,
                    None => Document { value: make(), writes: Vec::new() },
                };
                let mine = document
                    .writes
                    .iter()
                    .any(|(writer, n)| (writer, *n) == (&self.writer, number));
                if mine && let Some(done) = pending.take() {
                    return Ok(Ok(done));
                }
                let done = match change(&mut document.value) {
                    Ok(done) => done,
                    // What was decided on may be old.
                    Err(refused) if attempt > 0 || bytes.is_none() => return Ok(Err(refused)),
                    Err(refused) => {
                        if self.is_last(key, revision).await? {
                            return Ok(Err(refused));
                        }
                        attempt += 1;
                        continue;
                    }
                };
                document.writes.retain(|(writer, _)| *writer != self.writer);
                document.writes.push((self.writer.clone(), number));
                let surplus = document.writes.len().saturating_sub(WRITERS);
                document.writes.drain(..surplus);
                let text = serde_json::to_vec(&document);
                let text = text.map_err(|error| JetStreamError::failed("write JSON", error))?;
                let text = Bytes::from(text);
                let before = bytes.map_or(0, |bytes| bytes.len());
                self.fits(key, text.len(), before, room)?;
                match self.write(key, text.clone(), revision).await? {
                    Written::Yes(revision) => {
                        self.remember(key, Some((revision, text)));
                        return Ok(Ok(done));
                    }
                    Written::No => {}
                    Written::Unclear(reason) => {
                        tracing::debug!(key, reason, "whether a write was done is not known");
                        pending = Some(done);
                    }
                }
                self.remember(key, None);
                self.pause(&mut attempt).await;
            }
        };
        let done = timeout(CHANGE, all).await;
        if done.is_err() {
            self.remember(key, None);
        }
        done.map_err(|_| late("change what is shared"))?
    }

    /// Waits a little, and not as long as others do.
    async fn pause(&self, attempt: &mut u64) {
        *attempt += 1;
        let own = self.writer.bytes().map(u64::from).sum::<u64>() % 7;
        sleep(Duration::from_millis((*attempt * 3).min(60) + own)).await;
    }

    async fn is_last(&self, key: &str, revision: u64) -> Result<bool, JetStreamError> {
        let read = self.fetch(key).await?;
        let is_last = read.as_ref().is_some_and(|(last, _)| *last == revision);
        self.remember(key, None);
        Ok(is_last)
    }

    async fn fetch(&self, key: &str) -> Result<Option<(u64, Bytes)>, JetStreamError> {
        match self.stream.get_last_raw_message_by_subject(&self.subject(key)).await {
            Ok(message) => Ok(Some((message.sequence, message.payload))),
            Err(error) if super::is_missing(&error) => Ok(None),
            Err(error) => Err(JetStreamError::failed("read what is shared", error)),
        }
    }

    /// Says whether a document may become so large.
    fn fits(
        &self,
        key: &str,
        size: usize,
        before: usize,
        room: Room,
    ) -> Result<(), JetStreamError> {
        let limit = self.context.client().server_info().max_payload;
        let most = match room {
            Room::Usual => limit / 4 * 3,
            Room::Last => limit / 16 * 15,
        };
        if size <= before || size <= most {
            return Ok(());
        }
        let what = if key.starts_with(super::consumers::PREFIX) {
            "handle or drop dead letters, or raise it"
        } else {
            "raise it; what is old goes by itself"
        };
        Err(JetStreamError::Full {
            reason: format!(
                "`{key}` has grown to {size} bytes, and the server's `max_payload` is {limit}: \
                 {what}"
            ),
        })
    }

    fn turn(&self, key: &str) -> Arc<sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(key.to_owned()).or_default())
    }

    async fn write(
        &self,
        key: &str,
        text: Bytes,
        revision: u64,
    ) -> Result<Written, JetStreamError> {
        let mut headers = HeaderMap::new();
        headers.insert(EXPECTED, revision.to_string());
        let write = async {
            self.context.publish_with_headers(self.subject(key), headers, text).await?.await
        };
        Ok(match timeout(WRITE, write).await {
            Ok(Ok(ack)) if ack.sequence > 0 => Written::Yes(ack.sequence),
            Ok(Ok(_)) => Written::Unclear("it was answered without a number".to_owned()),
            Ok(Err(error)) if error.kind() == PublishErrorKind::WrongLastSequence => Written::No,
            Ok(Err(error)) => Written::Unclear(error.to_string()),
            Err(_) => Written::Unclear("no answer came".to_owned()),
        })
    }

    fn parse<T: DeserializeOwned>(
        &self,
        key: &str,
        bytes: &[u8],
    ) -> Result<Document<T>, JetStreamError> {
        serde_json::from_slice(bytes).map_err(|error| JetStreamError::Malformed {
            bucket: self.name.clone(),
            key: key.to_owned(),
            reason: error.to_string(),
        })
    }

    fn subject(&self, key: &str) -> String {
        format!("$KV.{}.{key}", self.name)
    }

    fn known(&self, key: &str) -> Option<(u64, Bytes)> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn remember(&self, key: &str, what: Option<(u64, Bytes)>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match what {
            Some(what) => known.insert(key.to_owned(), what),
            None => known.remove(key),
        };
    }
}

fn late(action: &'static str) -> JetStreamError {
    JetStreamError::Failed {
        action,
        reason: "no answer came in time; is a majority of the servers up?".to_owned(),
    }
}
