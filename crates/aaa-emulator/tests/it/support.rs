//! A receiver that records, a client that signs, and an emulator between them.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aaa_auth::{Consumer, UserToken, oauth1::Signer};
use aaa_emulator::{
    Emulator,
    credentials::{self, user_token},
    settings::{CheckSchedule, Settings, TimeMode},
};
use aaa_types::{ConsumerSecret, UserId, WebhookId};
use aaa_webhook::{crc::CrcToken, signature::Signature};
use axum::{
    Router,
    body::Bytes,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinHandle};
use url::Url;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How a receiver answers challenges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crc {
    Right,
    WrongToken,
    Redirect,
    Error,
    Never,
}

/// A webhook on loopback.
pub(crate) struct Receiver {
    pub(crate) addr: SocketAddr,
    shared: Arc<Recorded>,
    server: JoinHandle<()>,
}

struct Recorded {
    secret: ConsumerSecret,
    crc: Mutex<Crc>,
    status: Mutex<u16>,
    bodies: Mutex<Vec<(Bytes, bool)>>,
    arrived: Notify,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_at(addr: SocketAddr) -> Self {
        let shared = Arc::new(Recorded {
            secret: credentials::CONSUMER_SECRET.parse().unwrap(),
            crc: Mutex::new(Crc::Right),
            status: Mutex::new(200),
            bodies: Mutex::default(),
            arrived: Notify::new(),
        });
        let app =
            Router::new().route("/hook", get(challenge).post(receive)).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { addr, shared, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.addr)
    }

    pub(crate) fn answer_challenges(&self, crc: Crc) {
        *self.shared.crc.lock().unwrap() = crc;
    }

    /// With a status; 0 is no answer at all.
    pub(crate) fn answer_deliveries(&self, status: u16) {
        *self.shared.status.lock().unwrap() = status;
    }

    /// What arrived so far, with whether its signature held.
    pub(crate) fn arrived(&self) -> Vec<(Value, bool)> {
        let bodies = self.shared.bodies.lock().unwrap();
        let json = |b: &Bytes| serde_json::from_slice(b).unwrap_or(Value::Null);
        bodies.iter().map(|(body, verified)| (json(body), *verified)).collect()
    }

    /// Waits until that many deliveries have arrived.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<(Value, bool)> {
        let wait = async {
            loop {
                let arrived = self.shared.arrived.notified();
                if self.arrived().len() >= count {
                    return self.arrived();
                }
                arrived.await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("deliveries arrive")
    }

    /// Dies: the port is closed and nothing is answered any more.
    pub(crate) async fn kill(self) -> SocketAddr {
        self.server.abort();
        let _ = self.server.await;
        self.addr
    }
}

async fn challenge(State(shared): State<Arc<Recorded>>, RawQuery(query): RawQuery) -> Response {
    let crc = *shared.crc.lock().unwrap();
    match crc {
        Crc::Right => {
            let token = CrcToken::from_query(&query.unwrap_or_default()).unwrap();
            token.answer(&shared.secret).into_response()
        }
        Crc::WrongToken => r#"{"response_token":"sha256=wrong"}"#.into_response(),
        Crc::Redirect => (StatusCode::FOUND, [("location", "/hook")]).into_response(),
        Crc::Error => StatusCode::BAD_GATEWAY.into_response(),
        Crc::Never => std::future::pending().await,
    }
}

async fn receive(
    State(shared): State<Arc<Recorded>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let signature = Signature::from_headers(&headers);
    let verified = signature.is_ok_and(|signature| signature.verifies(&shared.secret, &body));
    shared.bodies.lock().unwrap().push((body, verified));
    shared.arrived.notify_one();
    let status = *shared.status.lock().unwrap();
    if status == 0 {
        std::future::pending::<()>().await;
    }
    StatusCode::from_u16(status).unwrap()
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Null if it is no JSON.
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Got {
    /// The words of X's first error.
    pub(crate) fn error(&self) -> &str {
        self.body["errors"][0]["message"].as_str().unwrap_or_default()
    }

    /// Status, code and words of X's first error, in the form of v1.1.
    pub(crate) fn coded(&self) -> (u16, u64, &str) {
        let code = self.body["errors"][0]["code"].as_u64().unwrap_or(u64::MAX);
        (self.status, code, self.error())
    }

    /// Status, content type and body, one after the other.
    pub(crate) fn shown(&self) -> String {
        let content_type = self.headers.get("content-type").map(|v| v.to_str().unwrap());
        let shown = format!("{} {} {}", self.status, content_type.unwrap_or("-"), self.text);
        shown.trim_end().to_owned()
    }
}

/// Sends a request as it is.
pub(crate) async fn send(request: http::request::Builder, body: String) -> Got {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let work = async {
        let response = client.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Got { status: parts.status.as_u16(), headers: parts.headers, body, text }
    };
    tokio::time::timeout(PATIENCE, work).await.expect("the emulator answers")
}

/// Calls the API with the app's bearer token.
pub(crate) async fn call(emulator: &Emulator, method: Method, path: &str, body: Value) -> Got {
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", emulator.url()))
        .header("authorization", format!("Bearer {}", credentials::BEARER_TOKEN))
        .header("content-type", "application/json");
    send(request, if body.is_null() { String::new() } else { body.to_string() }).await
}

/// Signs a request.
pub(crate) fn signed(
    emulator: &Emulator,
    user: u64,
    secret: &str,
    method: Method,
    path: &str,
    nonce: &str,
) -> http::request::Builder {
    let consumer = Consumer::new(
        credentials::CONSUMER_KEY.parse().unwrap(),
        credentials::CONSUMER_SECRET.parse().unwrap(),
    );
    let token = UserToken::new(user_token(user).token.parse().unwrap(), secret.parse().unwrap());
    let url = Url::parse(&format!("{}{path}", emulator.url())).unwrap();
    let signer = Signer::new(&consumer).with_token(&token);
    let header = signer.sign(&method, &url, &[], nonce, emulator.now());
    Request::builder().method(method).uri(url.as_str()).header("authorization", header)
}

/// Calls with a user's right signature, and a nonce of its own.
pub(crate) async fn call_signed(emulator: &Emulator, user: u64, method: Method, path: &str) -> Got {
    static NONCE: AtomicU64 = AtomicU64::new(0);
    let nonce = NONCE.fetch_add(1, Ordering::Relaxed).to_string();
    let secret = user_token(user).secret;
    send(signed(emulator, user, &secret, method, path, &nonce), String::new()).await
}

/// Registers a receiver.
pub(crate) async fn register(emulator: &Emulator, receiver: &Receiver) -> WebhookId {
    let got = call(emulator, Method::POST, "/2/webhooks", json!({"url": receiver.url()})).await;
    assert_eq!(got.status, 200, "{got:?}");
    got.body["data"]["id"].as_str().unwrap().parse().unwrap()
}

/// Subscribes a user with a signature.
pub(crate) async fn subscribe(emulator: &Emulator, webhook: WebhookId, user: u64) {
    let path = format!("/2/account_activity/webhooks/{webhook}/subscriptions/all");
    let secret = user_token(user).secret;
    let request = signed(emulator, user, &secret, Method::POST, &path, &format!("n{user}"));
    let got = send(request, "{}".into()).await;
    assert_eq!((got.status, got.body), (200, json!({"data": {"subscribed": true}})));
}

/// Time stands still, and webhooks are not checked unless somebody asks.
pub(crate) fn quiet() -> Settings {
    let checks =
        CheckSchedule { period: SignedDuration::from_hours(10_000), ..CheckSchedule::HOURLY };
    Settings { time: TimeMode::Virtual, checks, ..Settings::default() }
}

pub(crate) fn user(id: u64) -> UserId {
    UserId::try_from(id).unwrap()
}
