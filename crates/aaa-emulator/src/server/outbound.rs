//! Requests to webhooks: no redirects, bounded in time and size, TLS where somebody said whom to
//! trust.

use std::{
    error::Error,
    fmt::Write as _,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use aaa_webhook::signature;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use jiff::SignedDuration;
use tokio::time::Sleep;

use super::courier::{self, Courier};
#[cfg(feature = "tls")]
use super::tls::{self, Trust};
use crate::world::{Answer, Check, Heard, Post, Silence, Wire};

/// How much of an answer is read.
const MAX_BODY: usize = 64 * 1024;

/// Asks webhooks.
#[derive(Debug, Clone)]
pub(super) struct Outbound {
    courier: Arc<Courier>,
    plain: Client<HttpConnector, Sent>,
    #[cfg(feature = "tls")]
    secure: Option<Client<hyper_rustls::HttpsConnector<HttpConnector>, Sent>>,
}

impl Outbound {
    pub(super) fn new() -> Self {
        Self {
            courier: Arc::default(),
            plain: builder().build(connector()),
            #[cfg(feature = "tls")]
            secure: None,
        }
    }

    /// Calls `https` webhooks too.
    #[cfg(feature = "tls")]
    pub(super) fn trusting(mut self, trust: Trust) -> Self {
        let mut http = connector();
        http.enforce_http(false);
        self.secure = Some(builder().build(trust.connector(http)));
        self
    }

    /// Sends a challenge.
    pub(super) async fn check(&self, check: &Check) -> Heard {
        let mut request = Request::builder().method(Method::GET).uri(&check.uri);
        if let Some(signature) = &check.signature {
            request = request.header(signature::HEADER, signature);
        }
        let body = Sent::new(Bytes::new(), Wire::Whole);
        let request = request.header(header::ACCEPT, "application/json").body(body);
        self.ask(&check.uri, request, check.deadline).await
    }

    /// Sends a delivery.
    pub(super) async fn post(&self, post: Post) -> Heard {
        if let Some(place) = courier::place_of(&post) {
            let answer = self.courier.post(place, &post);
            let deadline = Duration::try_from(post.deadline).unwrap_or(Duration::ZERO);
            return match tokio::time::timeout(deadline, answer).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => Err(Silence::Closed(error.to_string())),
                Err(_) => Err(Silence::TimedOut),
            };
        }
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&post.uri)
            .header(header::CONTENT_TYPE, "application/json")
            .header(signature::HEADER, &post.signature);
        for (name, value) in &post.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Sent::new(post.body, post.wire));
        self.ask(&post.uri, request, post.deadline).await
    }

    async fn ask(
        &self,
        uri: &str,
        request: http::Result<Request<Sent>>,
        deadline: SignedDuration,
    ) -> Heard {
        let request = request.map_err(|error| Silence::Closed(error.to_string()))?;
        let is_secure = uri.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
        let answer = async {
            let response = if is_secure {
                self.ask_securely(request).await?
            } else {
                self.plain.request(request).await.map_err(|error| closed(&error))?
            };
            let status = response.status().as_u16();
            let text = |name| text(response.headers(), name);
            let content_type = text(header::CONTENT_TYPE);
            let content_encoding = text(header::CONTENT_ENCODING);
            let body = read(response.into_body()).await?;
            Ok(Answer { status, body, content_type, content_encoding })
        };
        let deadline = Duration::try_from(deadline).unwrap_or(Duration::ZERO);
        tokio::time::timeout(deadline, answer).await.unwrap_or(Err(Silence::TimedOut))
    }

    #[cfg(feature = "tls")]
    async fn ask_securely(
        &self,
        request: Request<Sent>,
    ) -> Result<http::Response<hyper::body::Incoming>, Silence> {
        let Some(client) = &self.secure else {
            let why = "the emulator trusts no certificates; tell it which, or register an http \
                       URL on loopback";
            return Err(Silence::Tls(why.to_owned()));
        };
        client.request(request).await.map_err(|error| match tls::failure(&error) {
            Some(why) => Silence::Tls(why),
            None => closed(&error),
        })
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_async, reason = "with the feature it waits")]
    async fn ask_securely(
        &self,
        _: Request<Sent>,
    ) -> Result<http::Response<hyper::body::Incoming>, Silence> {
        Err(Silence::Tls("the emulator was built without TLS; register an http URL".to_owned()))
    }
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(Duration::from_secs(5));
    builder
}

/// A body, sent whole, in two halves with a pause between them, or only its first half.
#[derive(Debug)]
pub(super) struct Sent {
    first: Option<Bytes>,
    second: Option<Bytes>,
    /// What lies between the halves.
    pause: Option<Pin<Box<Sleep>>>,
    breaks: bool,
}

impl Sent {
    pub(super) fn new(body: Bytes, wire: Wire) -> Self {
        // Something has to be missing, also of a body that has one byte or none.
        let middle = body.len() / 2;
        match wire {
            Wire::Whole => Self { first: Some(body), second: None, pause: None, breaks: false },
            Wire::Slow(pause) => {
                let pause = Duration::try_from(pause).unwrap_or(Duration::ZERO);
                let pause = Some(Box::pin(tokio::time::sleep(pause)));
                let (first, second) = (body.slice(..middle), body.slice(middle..));
                Self { first: Some(first), second: Some(second), pause, breaks: false }
            }
            Wire::Reset => {
                let (first, second) = (body.slice(..middle), body.slice(middle..));
                Self { first: Some(first), second: Some(second), pause: None, breaks: true }
            }
        }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if let Some(pause) = &mut self.pause {
            std::task::ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        if self.breaks {
            self.breaks = false;
            let planned =
                io::Error::new(io::ErrorKind::ConnectionReset, "reset by a planned fault");
            return Poll::Ready(Some(Err(planned)));
        }
        let second = self.second.take().filter(|second| !second.is_empty());
        Poll::Ready(second.map(|second| Ok(Frame::data(second))))
    }

    fn is_end_stream(&self) -> bool {
        let is_done = |part: &Option<Bytes>| part.as_ref().is_none_or(Bytes::is_empty);
        is_done(&self.first) && is_done(&self.second) && !self.breaks
    }

    fn size_hint(&self) -> SizeHint {
        let length = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
        let length = length(&self.first) + length(&self.second);
        // An empty body that breaks is announced as one byte, or nobody would wait for it.
        SizeHint::with_exact(u64::try_from(length).unwrap_or_default().max(u64::from(self.breaks)))
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Reads a body up to the limit; what is beyond is left where it is.
async fn read(mut body: hyper::body::Incoming) -> Result<Bytes, Silence> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| closed(&error))?.into_data() else {
            continue;
        };
        let room = MAX_BODY - read.len();
        read.extend_from_slice(data.get(..room).unwrap_or(&data));
        if read.len() == MAX_BODY {
            break;
        }
    }
    Ok(read.freeze())
}

/// Says what happened to a connection, down to the first cause.
fn closed(error: &dyn Error) -> Silence {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    Silence::Closed(text)
}
