use std::{fmt, future::Ready, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};

/// Sends a request and brings the answer. Bring your own where reqwest does not fit.
///
/// A transport follows no redirect (credentials would travel along), does not retry, bounds
/// the time and the size of an answer, and says honestly whether a failed request
/// [may have been sent](TransportError::maybe_sent).
///
/// # Examples
///
/// ```
/// use aaa_client::{ApiUrl, ClientBuilder, Transport, TransportError};
/// use bytes::Bytes;
/// use http::{Request, Response};
///
/// /// Answers everything with the same list.
/// struct Canned;
///
/// impl Transport for Canned {
///     async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
///         Ok(Response::new(Bytes::from(r#"{"data":[],"meta":{"result_count":0}}"#)))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = ClientBuilder::new(ApiUrl::X.parse()?)
///     .bearer("AAAA".parse()?)
///     .build_with(Canned);
/// assert!(client.app().list_webhooks().await?.is_empty());
/// # Ok(())
/// # }
/// ```
pub trait Transport: Send + Sync {
    /// Sends the request; its URI is absolute.
    ///
    /// # Errors
    ///
    /// Fails when there is no whole answer. An answer of any status is a success.
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Bytes>, TransportError>> + Send;

    /// Pauses between two attempts; a transport has the runtime, and so the timer.
    ///
    /// `None`, which is what a transport without a timer returns, means that nothing is ever
    /// repeated, whatever the [`RetryPolicy`](crate::RetryPolicy) says.
    fn pause(&self, duration: Duration) -> Option<impl Future<Output = ()> + Send> {
        let _ = duration;
        None::<Ready<()>>
    }
}

impl<T: Transport> Transport for Arc<T> {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        T::send(self, request).await
    }

    fn pause(&self, duration: Duration) -> Option<impl Future<Output = ()> + Send> {
        T::pause(self, duration)
    }
}

/// A request got no whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError {
    kind: Kind,
    timed_out: bool,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unsendable,
    NotConnected,
    NoAnswer,
    AnswerTooLarge,
}

impl TransportError {
    /// The request cannot be sent at all, now or later.
    pub fn unsendable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsendable, message.into())
    }

    /// No connection was made (name, address, TLS), so nothing was sent.
    pub fn not_connected(message: impl Into<String>) -> Self {
        Self::new(Kind::NotConnected, message.into())
    }

    /// The connection ended, or the time, before a whole answer came.
    pub fn no_answer(message: impl Into<String>) -> Self {
        Self::new(Kind::NoAnswer, message.into())
    }

    /// The answer is larger than the transport is ready to take.
    pub fn answer_too_large(limit: usize) -> Self {
        Self::new(Kind::AnswerTooLarge, format!("larger than {limit} bytes"))
    }

    fn new(kind: Kind, message: String) -> Self {
        Self { kind, timed_out: false, message }
    }

    /// Says that the reason was a time-out.
    #[must_use]
    pub fn timed_out(mut self) -> Self {
        self.timed_out = true;
        self
    }

    /// Says whether the reason was a time-out.
    pub fn is_timeout(&self) -> bool {
        self.timed_out
    }

    /// Says whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, Kind::NotConnected | Kind::NoAnswer)
    }

    /// Says whether the request may have reached the API, so that what it asked for may have been
    /// done. If not, it surely did not.
    pub fn maybe_sent(&self) -> bool {
        matches!(self.kind, Kind::NoAnswer | Kind::AnswerTooLarge)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Unsendable => "the request cannot be sent",
            Kind::NotConnected => "no connection, nothing was sent",
            Kind::NoAnswer => "no whole answer, yet the request may have been carried out",
            Kind::AnswerTooLarge => "the answer was not taken",
        })?;
        if self.timed_out {
            f.write_str(" (timed out)")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for TransportError {}
