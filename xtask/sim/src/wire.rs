//! The client's way to X: a request waits until somebody takes it, and the client waits until
//! somebody answers. Nothing moves by itself, so a call can be lost at any point.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use aaa_client::{Transport, TransportError};
use bytes::Bytes;
use http::{Request, Response};

/// What comes back for a request.
pub(crate) type Answered = Result<Response<Bytes>, TransportError>;

/// The transport of a client. Clones share the one request that may be under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<Slot>>);

#[derive(Debug, Default)]
struct Slot {
    request: Option<Request<Bytes>>,
    answer: Option<Answered>,
}

impl Wire {
    /// Takes the request that the client has made.
    pub(crate) fn request(&self) -> Option<Request<Bytes>> {
        self.slot().request.take()
    }

    /// Answers it.
    pub(crate) fn answer(&self, answer: Answered) {
        self.slot().answer = Some(answer);
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Wire {
    async fn send(&self, request: Request<Bytes>) -> Answered {
        *self.slot() = Slot { request: Some(request), answer: None };
        poll_fn(|_| self.slot().answer.take().map_or(Poll::Pending, Poll::Ready)).await
    }
}

/// Goes on with a future as far as it can go now.
pub(crate) fn step<T>(future: &mut Pin<Box<dyn Future<Output = T>>>) -> Option<T> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
