//! An emulated X, a receiver that it calls, and pages over the receiver's store.

use std::{
    future,
    sync::{Arc, Mutex},
    time::Duration,
};

use aaa_auth::{
    Consumer, UserToken,
    tokens::{StoredToken, TokenFile},
};
use aaa_client::{Client, ClientBuilder};
use aaa_dashboard::{ActionFuture, Dashboard, Record, RecordFuture, Recover, Resend};
use aaa_emulator::{Emulator, control::Trigger, credentials};
use aaa_store::{Settings, SqliteStore};
use aaa_types::{WebhookId, api::Webhook};
use aaa_webhook::{
    app::App,
    consumer::StoredDelivery,
    receiver::{Receiver, Status},
    server::Server,
};
use axum::{Router, body::Body};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The name that the pages are called by where nothing else is said.
pub(crate) const HOST: &str = "127.0.0.1:8899";

/// Everything that pages need.
pub(crate) struct Stage {
    pub(crate) emulator: Emulator,
    pub(crate) store: SqliteStore,
    pub(crate) client: Client,
    /// The public URL of the receiver.
    pub(crate) hook: String,
    pub(crate) status: Status,
    pub(crate) tokens: TokenFile,
    pub(crate) asked: Asked,
    _directory: TempDir,
}

/// What was handed to those who do something for the dashboard.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn note(&self, words: String) {
        self.0.lock().unwrap().push(words);
    }
}

impl Resend for Asked {
    fn resend(&self, delivery: StoredDelivery, to: Option<String>) -> ActionFuture<'_> {
        let to = to.unwrap_or_else(|| "the usual place".to_owned());
        self.note(format!("{} to {to}", String::from_utf8_lossy(delivery.body())));
        Box::pin(async move {
            if to.contains("broken") {
                Err("nobody there".to_owned())
            } else {
                Ok("sent".to_owned())
            }
        })
    }

    fn usual(&self) -> Option<String> {
        Some("http://127.0.0.1:3000/hook?…".to_owned())
    }
}

impl Recover for Asked {
    fn recover(&self, webhook: WebhookId) -> ActionFuture<'_> {
        self.note(format!("recover {webhook}"));
        Box::pin(async { Ok("recovery has begun".to_owned()) })
    }
}

impl Record for Asked {
    fn made<'a>(&'a self, webhook: &'a Webhook) -> RecordFuture<'a> {
        self.note(format!("made {} for {}", webhook.id, webhook.url));
        Box::pin(async { Ok(()) })
    }

    fn deleted(&self, webhook: WebhookId) -> RecordFuture<'_> {
        self.note(format!("deleted {webhook}"));
        Box::pin(async { Ok(()) })
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let emulator = Emulator::start().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        // A day is written with few heartbeats.
        let settings =
            Settings { heartbeat_period: Duration::from_secs(20), ..Settings::default() };
        let data = directory.path().join("aaa-data");
        let store = SqliteStore::open(&data, settings).unwrap();
        let secret = credentials::CONSUMER_SECRET;
        let app = App::new("default", secret.parse().unwrap());
        let receiver = Receiver::new(store.clone(), app);
        let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let hook = format!("http://{}/hook", server.local_addr());
        let status = receiver.status();
        tokio::spawn(server.serve(receiver.router("/hook"), status.clone(), future::pending()));
        let client = client(&emulator).build().unwrap();
        let tokens = TokenFile::new(data.join("tokens.json"));
        let asked = Asked::default();
        Self { emulator, store, client, hook, status, tokens, asked, _directory: directory }
    }

    /// Begins pages over all of it.
    pub(crate) fn dashboard(&self) -> Dashboard {
        Dashboard::new(self.store.clone(), self.client.clone())
            .with_tokens(self.tokens.clone())
            .with_resend(self.asked.clone())
            .with_recover(self.asked.clone())
            .woken_by(self.store.subscribe())
    }

    pub(crate) fn pages(&self) -> Pages {
        Pages::new(self.dashboard())
    }

    /// Registers the receiver, and returns the webhook's id.
    pub(crate) async fn webhook(&self) -> WebhookId {
        self.client.app().create_webhook(&self.hook.parse().unwrap()).await.unwrap().id
    }

    /// Returns a client that has the access token of the app's owner besides.
    pub(crate) fn owned_client(&self) -> Client {
        client(&self.emulator).owner(token(1)).build().unwrap()
    }

    /// Stores the token of a user, as a sign-in would.
    pub(crate) fn store_token(&self, user: u64, name: &str) {
        let mut stored = StoredToken::new(token(user), "2025-11-22T04:00:00Z".parse().unwrap());
        stored.screen_name = Some(name.to_owned());
        self.tokens.update(|tokens| drop(tokens.insert(user.try_into().unwrap(), stored))).unwrap();
    }

    pub(crate) async fn subscribe(&self, webhook: WebhookId, user: u64) {
        self.client.user(token(user)).subscribe(webhook).await.unwrap();
    }

    /// Lets something happen to user 7; it is stored afterwards.
    pub(crate) async fn trigger(&self, kind: &str) {
        let trigger = Trigger::new(kind, "7".parse().unwrap());
        self.emulator.trigger_and_wait(&trigger).await.unwrap();
    }
}

fn client(emulator: &Emulator) -> ClientBuilder {
    let key = credentials::CONSUMER_KEY.parse().unwrap();
    let consumer = Consumer::new(key, credentials::CONSUMER_SECRET.parse().unwrap());
    Client::builder(emulator.url().parse().unwrap())
        .consumer(consumer)
        .bearer(credentials::BEARER_TOKEN.parse().unwrap())
}

pub(crate) fn token(user: u64) -> UserToken {
    let token = credentials::user_token(user);
    UserToken::new(token.token.parse().unwrap(), token.secret.parse().unwrap())
}

/// Pages, and what a browser does with them.
#[derive(Clone)]
pub(crate) struct Pages {
    pub(crate) router: Router,
    pub(crate) base: &'static str,
    pub(crate) cookie: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Pages {
    pub(crate) fn new(dashboard: Dashboard) -> Self {
        Self { router: dashboard.router().unwrap(), base: "", cookie: None }
    }

    /// Begins a request as a browser would.
    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::HOST, HOST)
            .header(header::ACCEPT, "text/html,*/*;q=0.8");
        match &self.cookie {
            Some(cookie) => request.header(header::COOKIE, format!("other=1; {cookie}")),
            None => request,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Page {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Page { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.send(self.request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    /// Returns a page that is there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let page = self.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.body);
        page.body
    }

    /// Returns the token of a page.
    pub(crate) async fn token(&self) -> String {
        let page = self.page("/accounts").await;
        let (_, rest) = page.split_once("name=\"aaa-token\" content=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// Changes something as a page does; returns the status and what was said.
    pub(crate) async fn post(&self, path: &str, change: Value) -> (u16, String) {
        let request = self
            .request(Method::POST, path)
            .header(header::ORIGIN, format!("http://{HOST}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("aaa-token", self.token().await)
            .body(Body::from(change.to_string()))
            .unwrap();
        let page = self.send(request).await;
        let told: Value = serde_json::from_str(&page.body).unwrap();
        let words = told["message"].as_str().or(told["error"].as_str()).unwrap();
        (page.status.as_u16(), words.to_owned())
    }
}

/// Returns the local time: the emulator's clock and that of the pages begin with it.
#[expect(clippy::disallowed_methods, reason = "the pages read this clock, too")]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
