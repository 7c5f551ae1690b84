//! Reads bodies within their limits, before anything is known about who sends them.

use std::{pin::Pin, sync::Arc};

use bytes::{Buf, BufMut, Bytes};
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Limits, answer::Refusal};

/// So much of each body takes no room. A connection has buffers of this size anyway, and what X
/// usually sends is smaller: else a few large bodies of anybody's, sent slowly, would keep it out.
const FREE: usize = 16 * 1024;

/// The memory that bodies may take while they are read, in bytes, over all connections.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// Takes room for so many bytes more.
    fn take(&self, bytes: usize, held: &mut Option<OwnedSemaphorePermit>) -> Result<(), Refusal> {
        let permits = u32::try_from(bytes).map_err(|_| Refusal::NoRoom)?;
        let permit = Arc::clone(&self.0).try_acquire_many_owned(permits);
        let permit = permit.map_err(|_| Refusal::NoRoom)?;
        match held {
            Some(held) => held.merge(permit),
            None => *held = Some(permit),
        }
        Ok(())
    }
}

/// A whole body, and the room that it takes until that is dropped.
pub(super) struct Held {
    pub(super) bytes: Bytes,
    pub(super) room: Option<OwnedSemaphorePermit>,
}

/// Refuses framing that a server on the way may understand in another way than this one.
///
/// hyper has looked at the head before: it refuses lengths that differ, keeps one of several equal
/// ones and drops a length beside `chunked`, so these three are seen here only behind another
/// server. It does take every list of encodings that ends in `chunked`.
pub(super) fn check_framing(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    match (encodings.next(), encodings.next(), lengths.next(), lengths.next()) {
        (None, None, _, None) => Ok(()),
        (Some(only), None, None, None) if only.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Ok(())
        }
        _ => Err(Refusal::Framing),
    }
}

/// Reads a body.
pub(super) async fn read<B>(
    headers: &HeaderMap,
    body: B,
    limits: &Limits,
    room: &Room,
) -> Result<Held, Refusal>
where
    B: http_body::Body + Send,
{
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if !encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Refusal::Encoded);
    }
    let announced = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limits.body as u64) {
        return Err(Refusal::TooLarge(limits.body));
    }
    let body = std::pin::pin!(body);
    let gathered = gather(body, limits.body, room);
    // What is late before it is read must not look like a delivery that was late.
    let time = limits.body_time.min(limits.deadline);
    tokio::time::timeout(time, gathered).await.unwrap_or(Err(Refusal::SlowBody))
}

/// Takes room for what has arrived, not for what was announced: announcing costs nothing.
async fn gather<B>(mut body: Pin<&mut B>, limit: usize, room: &Room) -> Result<Held, Refusal>
where
    B: http_body::Body + Send,
{
    let mut bytes = Vec::new();
    let mut held = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::Incomplete)?;
        let Ok(data) = frame.into_data() else { continue };
        if data.remaining() > limit.saturating_sub(bytes.len()) {
            return Err(Refusal::TooLarge(limit));
        }
        let length = bytes.len().saturating_add(data.remaining());
        let beyond = length.saturating_sub(FREE.max(bytes.len()));
        if beyond > 0 {
            room.take(beyond, &mut held)?;
        }
        bytes.put(data);
    }
    // It may wait in a queue from here on, so it must not bring spare memory with it.
    Ok(Held { bytes: Bytes::from(bytes.into_boxed_slice()), room: held })
}
