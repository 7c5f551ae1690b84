//! A world, its calls and a webhook, in one thread and on a time of its own.

use std::collections::HashMap;

use aaa_auth::{Consumer, UserToken, oauth1::Signer};
use aaa_emulator::{
    control::{Trigger, Triggered},
    credentials::{self, user_token},
    rest::{Called, Rest},
    settings::{Settings, TimeMode},
    world::{Answer, Check, Effect, Heard, Outcome, Post, Ticket, World},
};
use aaa_types::{UserId, UtcMinute};
use aaa_webhook::crc::CrcToken;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use url::Url;

use crate::flip::flipped;

/// Whose credentials a call has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who {
    App,
    /// A signature.
    User(u64),
    /// A user's bearer token.
    OAuth2(u64),
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Got {
    /// The words of the first error.
    pub(crate) fn error(&self) -> &str {
        self.body["errors"][0]["message"].as_str().unwrap_or_default()
    }

    /// Status, code and words of the first error, in the form of v1.1.
    pub(crate) fn coded(&self) -> (u16, u64, &str) {
        (self.status, self.body["errors"][0]["code"].as_u64().unwrap_or(u64::MAX), self.error())
    }

    /// How many calls a window has.
    pub(crate) fn limit(&self) -> u32 {
        self.headers["x-rate-limit-limit"].to_str().unwrap().parse().unwrap()
    }
}

/// A whole minute, so that edges are easy to name.
pub(crate) fn start() -> Timestamp {
    "2025-11-22T04:00:00Z".parse().unwrap()
}

pub(crate) fn user(id: u64) -> UserId {
    id.try_into().unwrap()
}

pub(crate) struct Stage {
    pub(crate) world: World,
    rest: Rest,
    pub(crate) now: Timestamp,
    /// How challenges are answered; rightly, if nothing is set.
    pub(crate) crc: Option<Heard>,
    pub(crate) checks: Vec<Check>,
    pub(crate) posts: Vec<Post>,
    answers: HashMap<Ticket, Outcome>,
    nonce: u32,
}

impl Stage {
    /// With the default settings, on a time that stands still.
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let settings = Settings { time: TimeMode::Virtual, ..settings };
        Self::exactly(settings)
    }

    pub(crate) fn exactly(settings: Settings) -> Self {
        Self {
            world: World::new(flipped(settings), start()),
            rest: Rest::new(),
            now: start(),
            crc: None,
            checks: Vec::new(),
            posts: Vec::new(),
            answers: HashMap::new(),
            nonce: 0,
        }
    }

    /// With a webhook of v2, to which user 7 is subscribed, and its id.
    pub(crate) fn subscribed(settings: Settings) -> (Self, String) {
        let mut stage = Self::with(settings);
        let id = stage.register("http://127.0.0.1:1/hook");
        stage.subscribe(&id, 7);
        (stage, id)
    }

    /// The same, of v1.1.
    pub(crate) fn enterprise(settings: Settings) -> (Self, String) {
        let mut stage = Self::with(settings);
        let path = "/1.1/account_activity/webhooks.json?url=http%3A%2F%2F127.0.0.1%3A1%2Fhook";
        let got = stage.call(Who::User(1), Method::POST, path, Value::Null);
        let id = got.body["id"].as_str().unwrap_or_else(|| panic!("{got:?}")).to_owned();
        stage.subscribe(&id, 7);
        (stage, id)
    }

    pub(crate) fn register(&mut self, url: &str) -> String {
        let got = self.call(Who::App, Method::POST, "/2/webhooks", json!({ "url": url }));
        assert_eq!(got.status, 200, "{got:?}");
        let id = got.body["data"]["id"].as_str().or(got.body["id"].as_str());
        id.unwrap().to_owned()
    }

    pub(crate) fn subscribe(&mut self, webhook: &str, id: u64) {
        self.world.subscribe(webhook.parse().unwrap(), user(id), self.now).unwrap();
    }

    /// Calls, answers the challenge that may stand between, and returns the answer.
    pub(crate) fn call(&mut self, who: Who, method: Method, path: &str, body: Value) -> Got {
        let request = self.signed(who, method, path);
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        self.send(request.body(body).unwrap())
    }

    /// A request with credentials.
    pub(crate) fn signed(
        &mut self,
        who: Who,
        method: Method,
        path: &str,
    ) -> http::request::Builder {
        let uri = format!("http://127.0.0.1:7878{path}");
        let authorization = match who {
            Who::App => format!("Bearer {}", credentials::BEARER_TOKEN),
            Who::OAuth2(id) => format!("Bearer {}", user_token(id).oauth2),
            Who::User(id) => {
                self.nonce += 1;
                let nonce = self.nonce.to_string();
                sign(id, &method, &Url::parse(&uri).unwrap(), &nonce, self.now)
            }
        };
        Request::builder().method(method).uri(uri).header("authorization", authorization)
    }

    pub(crate) fn send(&mut self, request: Request<Bytes>) -> Got {
        let called = self.rest.call(&mut self.world, request, self.now, &[self.now]);
        let response = match called {
            Called::Answered(response) => response,
            Called::Waiting(pending) => {
                self.answer_checks();
                let outcome = self.answers.remove(&pending.ticket()).expect("it is answered");
                pending.answered(outcome, self.world.settings(), self.now)
            }
        };
        got(response)
    }

    /// Collects what the world wants.
    pub(crate) fn collect(&mut self) {
        for effect in self.world.take_effects() {
            match effect {
                Effect::Check(check) => self.checks.push(check),
                Effect::Post(post) => self.posts.push(post),
                Effect::Answer(ticket, outcome) => {
                    self.answers.insert(ticket, outcome);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Answers the challenges that are under way.
    pub(crate) fn answer_checks(&mut self) {
        self.collect();
        for check in std::mem::take(&mut self.checks) {
            let heard = self.crc.clone().unwrap_or_else(|| Ok(right(&check)));
            self.world.check_ended(check.id, heard, self.now);
        }
        self.collect();
    }

    /// Answers what is being delivered now, once each, and returns it.
    pub(crate) fn answer_posts(&mut self, status: u16) -> Vec<Post> {
        self.collect();
        let posts = std::mem::take(&mut self.posts);
        for post in &posts {
            self.world.delivery_ended(post.id, Ok(Answer::new(status, "")), self.now);
        }
        self.collect();
        posts
    }

    /// Answers until nothing is under way, and returns all bodies.
    pub(crate) fn all_posts(&mut self, status: u16) -> Vec<Value> {
        let mut bodies = Vec::new();
        loop {
            let posts = self.answer_posts(status);
            if posts.is_empty() {
                return bodies;
            }
            bodies.extend(posts.iter().map(|post| {
                let body: Value = serde_json::from_slice(&post.body).unwrap();
                body
            }));
        }
    }

    pub(crate) fn pass(&mut self, by: SignedDuration) {
        self.now += by;
        self.world.wake(self.now);
        self.collect();
    }

    pub(crate) fn trigger(&mut self, ask: &Trigger) -> Triggered {
        self.world.trigger(ask, self.now).unwrap()
    }

    /// Makes events of user 7.
    pub(crate) fn make(&mut self, kind: &str, count: u32) -> Triggered {
        self.trigger(&Trigger::new(kind, user(7)).with_count(count))
    }

    /// Asks for a replay by the route of today; minutes count from the start.
    pub(crate) fn replay(&mut self, webhook: &str, from: i64, to: i64) -> Got {
        let minute = |n| UtcMinute::floor(start()).plus(n).to_string();
        let body = json!({
            "webhook_id": webhook, "from_date": minute(from), "to_date": minute(to),
        });
        self.call(Who::App, Method::POST, "/2/webhooks/replay", body)
    }

    pub(crate) fn is_valid(&self) -> bool {
        self.world.webhooks()[0].valid
    }
}

/// The right answer to a challenge.
pub(crate) fn right(check: &Check) -> Answer {
    let query = check.uri.split_once('?').unwrap().1;
    let secret = credentials::CONSUMER_SECRET.parse().unwrap();
    Answer::new(200, CrcToken::from_query(query).unwrap().answer(&secret))
}

/// Signs with a user's token.
pub(crate) fn sign(id: u64, method: &Method, url: &Url, nonce: &str, now: Timestamp) -> String {
    let consumer = Consumer::new(
        credentials::CONSUMER_KEY.parse().unwrap(),
        credentials::CONSUMER_SECRET.parse().unwrap(),
    );
    let tokens = user_token(id);
    let token = UserToken::new(tokens.token.parse().unwrap(), tokens.secret.parse().unwrap());
    let signer = Signer::new(&consumer).with_token(&token);
    signer.sign(method, url, &[], nonce, now).to_str().unwrap().to_owned()
}

fn got(response: Response<Bytes>) -> Got {
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Got { status: parts.status.as_u16(), headers: parts.headers, body, text }
}

/// An answer to a challenge that is none.
pub(crate) fn answered(status: u16, body: &'static str) -> Option<Heard> {
    Some(Ok(Answer::new(status, body)))
}
