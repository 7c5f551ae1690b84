//! Requests to webhooks: plain HTTP, no redirects, bounded in time and size.

use std::{error::Error, fmt::Write as _, time::Duration};

use aaa_webhook::signature;
use bytes::{Bytes, BytesMut};
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use jiff::SignedDuration;

use crate::world::{Answer, Check, Heard, Post, Silence};

/// How much of an answer is read.
const MAX_BODY: usize = 64 * 1024;

/// Asks webhooks.
#[derive(Debug, Clone)]
pub(super) struct Outbound {
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Outbound {
    pub(super) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(5))
            .build(connector);
        Self { client }
    }

    /// Sends a challenge.
    pub(super) async fn check(&self, check: &Check) -> Heard {
        let mut request = Request::builder().method(Method::GET).uri(&check.uri);
        if let Some(signature) = &check.signature {
            request = request.header(signature::HEADER, signature);
        }
        let request = request.header(header::ACCEPT, "application/json").body(Full::default());
        self.ask(&check.uri, request, check.deadline).await
    }

    /// Sends a delivery.
    pub(super) async fn post(&self, post: Post) -> Heard {
        let request = Request::builder()
            .method(Method::POST)
            .uri(&post.uri)
            .header(header::CONTENT_TYPE, "application/json")
            .header(signature::HEADER, &post.signature)
            .body(Full::new(post.body));
        self.ask(&post.uri, request, post.deadline).await
    }

    async fn ask(
        &self,
        uri: &str,
        request: http::Result<Request<Full<Bytes>>>,
        deadline: SignedDuration,
    ) -> Heard {
        if uri.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:")) {
            return Err(Silence::Tls);
        }
        let request = request.map_err(|error| Silence::Closed(error.to_string()))?;
        let answer = async {
            let response = self.client.request(request).await.map_err(|error| closed(&error))?;
            let status = response.status().as_u16();
            Ok(Answer { status, body: read(response.into_body()).await? })
        };
        let deadline = Duration::try_from(deadline).unwrap_or(Duration::ZERO);
        tokio::time::timeout(deadline, answer).await.unwrap_or(Err(Silence::TimedOut))
    }
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
