use std::{
    convert::Infallible,
    future::{Future, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower_service::Service;

use super::Receiver;
use crate::inbox::Inbox;

impl<I, B> Service<Request<B>> for Receiver<I>
where
    I: Inbox,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let receiver = self.clone();
        Box::pin(async move { Ok(receiver.answer(request).await) })
    }
}

/// A receiver at one path. Paths are compared, never matched against a pattern.
pub(super) struct Mounted<I> {
    pub(super) path: Arc<str>,
    pub(super) receiver: Receiver<I>,
}

impl<I> Clone for Mounted<I> {
    fn clone(&self) -> Self {
        Self { path: Arc::clone(&self.path), receiver: self.receiver.clone() }
    }
}

impl<I, B> Service<Request<B>> for Mounted<I>
where
    I: Inbox,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.uri().path() == &*self.path {
            self.receiver.call(request)
        } else {
            let mut answer = Response::default();
            *answer.status_mut() = StatusCode::NOT_FOUND;
            Box::pin(ready(Ok(answer)))
        }
    }
}
