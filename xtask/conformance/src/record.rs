//! Keeps what went over the wire.

use std::sync::{Arc, Mutex, PoisonError};

use aaa_client::{ReqwestTransport, Transport, TransportError};
use bytes::Bytes;
use http::{Request, Response};

/// A request and the answer to it.
pub(crate) type Exchange = (Request<Bytes>, Response<Bytes>);

/// Sends as the client does by itself, and keeps both sides. Clones share what is kept.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    transport: ReqwestTransport,
    kept: Arc<Mutex<Vec<Exchange>>>,
}

impl Recorder {
    pub(crate) fn new(transport: ReqwestTransport) -> Self {
        Self { transport, kept: Arc::default() }
    }

    /// Takes what was kept.
    pub(crate) fn take(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Transport for Recorder {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let response = self.transport.send(request.clone()).await?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push((request, response.clone()));
        Ok(response)
    }
}
