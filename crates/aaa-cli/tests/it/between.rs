//! What stands beside a receiver: somebody who hears what it tells, and somebody between it and X
//! who notes what is called.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aaa_client::{ReqwestTransport, Timeouts, Transport};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use http::{StatusCode, header};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, time::timeout};

use crate::support::PATIENCE;

const LONGEST: usize = 1 << 20;

/// A call of the API, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// Method and path, such as `GET /2/webhooks`.
    pub(crate) what: String,
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Passes calls on to the emulator, but for a route that it pretends not to know.
pub(crate) struct Between {
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

#[derive(Clone)]
struct Passing {
    to: String,
    missing: Option<&'static str>,
    transport: Arc<ReqwestTransport>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Between {
    pub(crate) async fn new(to: &str, missing: Option<&'static str>) -> Self {
        let timeouts = Timeouts { connect: Duration::from_secs(5), total: PATIENCE };
        let transport = ReqwestTransport::for_scheme(&http::uri::Scheme::HTTP, timeouts).unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (to, transport) = (to.to_owned(), Arc::new(transport));
        let passing = Passing { to, missing, transport, calls: Arc::clone(&calls) };
        let url = serve(Router::new().fallback(pass).with_state(passing)).await;
        Self { url, calls }
    }

    /// Returns the calls of which a part is in what was called.
    pub(crate) fn calls(&self, part: &str) -> Vec<Call> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|call| call.what.contains(part)).cloned().collect()
    }
}

async fn pass(State(passing): State<Passing>, request: Request) -> Response {
    let what = format!("{} {}", request.method(), request.uri().path());
    let answer = if passing.missing.is_some_and(|missing| what.contains(missing)) {
        let mut answer = http::Response::new(Bytes::from_static(b"Not Found"));
        *answer.status_mut() = StatusCode::NOT_FOUND;
        answer
    } else {
        let (mut head, body) = request.into_parts();
        let target = head.uri.path_and_query().unwrap().as_str();
        head.uri = format!("{}{target}", passing.to).parse().unwrap();
        head.headers.remove(header::CONTENT_LENGTH);
        let body = to_bytes(body, LONGEST).await.unwrap();
        passing.transport.send(Request::from_parts(head, body)).await.unwrap()
    };
    let (mut head, body) = answer.into_parts();
    let (status, text) = (head.status.as_u16(), String::from_utf8_lossy(&body).into_owned());
    passing.calls.lock().unwrap().push(Call { what, status, body: text });
    head.headers.remove(header::TRANSFER_ENCODING);
    Response::from_parts(head, Body::from(body))
}

/// Somebody who is told, by POST. What comes first is refused once.
pub(crate) struct Told {
    pub(crate) url: String,
    notices: watch::Receiver<Vec<Value>>,
}

impl Told {
    pub(crate) async fn new() -> Self {
        let (sender, notices) = watch::channel(Vec::new());
        let hear = async |State(state): State<(Arc<Mutex<bool>>, _)>, request: Request| {
            let (refused, sender): (_, watch::Sender<Vec<Value>>) = state;
            let json = request.headers().get(header::CONTENT_TYPE).cloned();
            assert_eq!(json.unwrap(), "application/json");
            let body = to_bytes(request.into_body(), LONGEST).await.unwrap();
            crate::lab::assert_no_secret(std::str::from_utf8(&body).unwrap());
            if !std::mem::replace(&mut *refused.lock().unwrap(), true) {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            sender.send_modify(|all| all.push(serde_json::from_slice(&body).unwrap()));
            StatusCode::NO_CONTENT
        };
        let state = (Arc::new(Mutex::new(false)), sender);
        let url = serve(Router::new().fallback(hear).with_state(state)).await;
        Self { url, notices }
    }

    /// Returns what was told so far.
    pub(crate) fn so_far(&self) -> Vec<Value> {
        self.notices.borrow().clone()
    }

    /// Waits for a notice of this kind, and returns the first.
    pub(crate) async fn event(&mut self, event: &str) -> Value {
        self.about(event, &Value::Null).await
    }

    /// Waits for a notice of this kind about a user.
    pub(crate) async fn about(&mut self, event: &str, user: &Value) -> Value {
        let is_it = |notice: &&Value| notice["event"] == event && notice["user"] == *user;
        let told = self.notices.wait_for(|all| all.iter().any(|notice| is_it(&notice)));
        let all = timeout(PATIENCE, told).await.unwrap_or_else(|_| panic!("no {event}")).unwrap();
        all.iter().find(is_it).unwrap().clone()
    }
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}
