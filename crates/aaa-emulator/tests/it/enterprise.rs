//! v1.1: every call, every answer, every documented refusal by its real cause.

use std::time::Duration;

use aaa_emulator::{
    Emulator,
    control::{Action, Fault, Match, Operation},
    credentials,
    settings::{AppAccess, Quota, Settings, UrlRule},
};
use http::{Method, Request};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{Crc, Got, Receiver, call, call_signed, quiet, send, subscribe, user};

const BASE: &str = "/1.1/account_activity";
const OWNER: u64 = credentials::OWNER;

/// A test's emulator, with the receiver of its webhook.
struct Stage {
    emulator: Emulator,
    receiver: Receiver,
    webhook: String,
}

impl Stage {
    async fn new(settings: Settings) -> Self {
        let emulator = Emulator::builder().settings(settings).start().await.unwrap();
        let receiver = Receiver::start().await;
        let got = register(&emulator, &receiver.url()).await;
        assert_eq!(got.status, 200, "{got:?}");
        let webhook = got.body["id"].as_str().unwrap().to_owned();
        Self { emulator, receiver, webhook }
    }

    async fn still() -> Self {
        Self::new(quiet()).await
    }

    /// The app calls.
    async fn app(&self, method: Method, path: &str) -> Got {
        call(&self.emulator, method, &format!("{BASE}/{path}"), Value::Null).await
    }

    /// A user calls.
    async fn user(&self, user: u64, method: Method, path: &str) -> Got {
        call_signed(&self.emulator, user, method, &format!("{BASE}/{path}")).await
    }

    fn webhook(&self, rest: &str) -> String {
        format!("webhooks/{}{rest}", self.webhook)
    }

    /// A window of a replay, in minutes before now.
    fn replay(&self, from: i64, to: i64) -> String {
        let minute = |ago| {
            let at: Timestamp = self.emulator.now() - SignedDuration::from_mins(ago);
            at.strftime("%Y%m%d%H%M").to_string()
        };
        self.replay_of(&minute(from), &minute(to))
    }

    fn replay_of(&self, from: &str, to: &str) -> String {
        let webhook = &self.webhook;
        format!("replay/webhooks/{webhook}/subscriptions/all.json?from_date={from}&to_date={to}")
    }

    /// What was answered, with everything that differs from run to run named.
    fn shown(&self, got: &Got) -> String {
        let mut text = got.shown().replace(&self.webhook, "WEBHOOK");
        text = text.replace(&self.receiver.url(), "URL");
        for name in ["created_at", "job_id"] {
            if let Some(value) = got.body[name].as_str().or(got.body[0][name].as_str()) {
                if name == "created_at" {
                    assert_eq!(value.len(), 20, "without a fraction: {value}");
                }
                text = text.replace(value, &name.to_uppercase());
            }
        }
        text
    }
}

async fn register(emulator: &Emulator, url: &str) -> Got {
    let query: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
    let path = format!("{BASE}/webhooks.json?url={query}");
    call_signed(emulator, OWNER, Method::POST, &path).await
}

#[tokio::test]
async fn every_call_and_its_answer() {
    let stage = Stage::still().await;
    stage.emulator.advance(Duration::from_secs(3600)).await.unwrap();
    let all = stage.webhook("/subscriptions/all.json");
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    let mut shown = Vec::new();
    for (who, method, path) in [
        ("app", &get, "webhooks.json".to_owned()),
        ("owner", &put, stage.webhook(".json")),
        ("7", &get, all.clone()),
        ("7", &post, all.clone()),
        ("7", &post, all.clone()),
        ("7", &get, all.clone()),
        ("8", &post, all.clone()),
        ("app", &get, "subscriptions/count.json".to_owned()),
        ("app", &get, stage.webhook("/subscriptions/all/list.json")),
        ("app", &delete, stage.webhook("/subscriptions/8/all.json")),
        ("app", &delete, stage.webhook("/subscriptions/8/all.json")),
        ("7", &delete, all.clone()),
        ("7", &delete, all.clone()),
        ("app", &post, stage.replay(50, 40)),
        ("owner", &delete, stage.webhook(".json")),
        ("owner", &delete, stage.webhook(".json")),
        ("app", &get, "webhooks.json".to_owned()),
    ] {
        let got = match who {
            "app" => stage.app(method.clone(), &path).await,
            "owner" => stage.user(OWNER, method.clone(), &path).await,
            user => stage.user(user.parse().unwrap(), method.clone(), &path).await,
        };
        let path = path.split('?').next().unwrap().replace(&stage.webhook, "WEBHOOK");
        shown.push(format!("{who} {method} {path}\n  {}", stage.shown(&got)));
    }
    insta::assert_snapshot!(shown.join("\n"), @r#"
    app GET webhooks.json
      200 application/json; charset=utf-8 [{"created_at":"CREATED_AT","id":"WEBHOOK","url":"URL","valid":true}]
    owner PUT webhooks/WEBHOOK.json
      204 -
    7 GET webhooks/WEBHOOK/subscriptions/all.json
      404 application/json; charset=utf-8 {"errors":[{"code":34,"message":"Sorry, that page does not exist."}]}
    7 POST webhooks/WEBHOOK/subscriptions/all.json
      204 -
    7 POST webhooks/WEBHOOK/subscriptions/all.json
      409 application/json; charset=utf-8 {"errors":[{"code":355,"message":"Subscription already exists."}]}
    7 GET webhooks/WEBHOOK/subscriptions/all.json
      204 -
    8 POST webhooks/WEBHOOK/subscriptions/all.json
      204 -
    app GET subscriptions/count.json
      200 application/json; charset=utf-8 {"account_name":"emulator","provisioned_count":"5000","subscriptions_count_all":"2","subscriptions_count_direct_messages":"0"}
    app GET webhooks/WEBHOOK/subscriptions/all/list.json
      200 application/json; charset=utf-8 {"application_id":"100","subscriptions":[{"user_id":"7"},{"user_id":"8"}],"webhook_id":"WEBHOOK","webhook_url":"URL"}
    app DELETE webhooks/WEBHOOK/subscriptions/8/all.json
      204 -
    app DELETE webhooks/WEBHOOK/subscriptions/8/all.json
      404 application/json; charset=utf-8 {"errors":[{"code":34,"message":"Sorry, that page does not exist."}]}
    7 DELETE webhooks/WEBHOOK/subscriptions/all.json
      204 -
    7 DELETE webhooks/WEBHOOK/subscriptions/all.json
      404 application/json; charset=utf-8 {"errors":[{"code":34,"message":"Sorry, that page does not exist."}]}
    app POST replay/webhooks/WEBHOOK/subscriptions/all.json
      202 application/json; charset=utf-8 {"created_at":"CREATED_AT","job_id":"JOB_ID"}
    owner DELETE webhooks/WEBHOOK.json
      204 -
    owner DELETE webhooks/WEBHOOK.json
      404 application/json; charset=utf-8 {"errors":[{"code":34,"message":"Webhook does not exist or is associated with a different X application."}]}
    app GET webhooks.json
      200 application/json; charset=utf-8 []
    "#);
}

#[tokio::test]
async fn the_five_causes_of_214() {
    let quota = Quota { webhooks: 2, ..Quota::ENTERPRISE };
    let deadline = Some(SignedDuration::from_millis(200));
    let stage = Stage::new(Settings { quota, deadline, ..Settings::default() }).await;
    let other = Receiver::start().await;
    let bad_url = "Webhook URL does not meet the requirements.";
    let bad_token = "Webhook URL does not meet the requirements. Invalid CRC token or json \
                     response format.";
    let slow =
        "High latency on CRC GET request. Your webhook should respond in less than 3 seconds.";
    let non_200 = "Non-200 response code during CRC GET request (i.e. 404, 500, etc).";

    let long = format!("https://example.com/{}", "x".repeat(200));
    for url in ["http://example.com/", "https://example.com:8443/", "nonsense", &long] {
        let got = register(&stage.emulator, url).await;
        assert_eq!(got.coded(), (403, 214, bad_url), "{url}");
    }
    // It is there already.
    let got = register(&stage.emulator, &stage.receiver.url()).await;
    assert_eq!(got.coded(), (403, 214, bad_url));
    for (crc, words) in [
        (Crc::WrongToken, bad_token),
        (Crc::Never, slow),
        (Crc::Error, non_200),
        (Crc::Redirect, non_200),
    ] {
        other.answer_challenges(crc);
        let got = register(&stage.emulator, &other.url()).await;
        assert_eq!(got.coded(), (403, 214, words), "{crc:?}");
        stage.receiver.answer_challenges(crc);
        let got = stage.user(OWNER, Method::PUT, &stage.webhook(".json")).await;
        assert_eq!(got.coded(), (403, 214, words), "{crc:?}");
    }
    other.answer_challenges(Crc::Right);
    assert_eq!(register(&stage.emulator, &other.url()).await.status, 200);
    let third = Receiver::start().await;
    let got = register(&stage.emulator, &third.url()).await;
    assert_eq!(got.coded(), (403, 214, "Too many resources already created."));
}

#[tokio::test]
async fn strict_urls_and_parameters() {
    let strict = Settings { urls: UrlRule::Strict, ..Settings::default() };
    let emulator = Emulator::builder().settings(strict).start().await.unwrap();
    let got = register(&emulator, "http://127.0.0.1:1/hook").await;
    assert_eq!(got.coded(), (403, 214, "Webhook URL does not meet the requirements."));
    // The emulator speaks no TLS.
    let got = register(&emulator, "https://example.com/hook").await;
    assert_eq!(got.coded(), (403, 214, "Webhook URL does not meet the requirements."));
    let path = format!("{BASE}/webhooks.json");
    let got = call_signed(&emulator, OWNER, Method::POST, &path).await;
    assert_eq!(got.coded(), (400, 357, "url: queryParam is required"));
    // X takes no signature over a parameter that is there twice.
    let got = call_signed(&emulator, OWNER, Method::POST, &format!("{path}?url=a&url=b")).await;
    assert_eq!(got.coded(), (401, 32, "Could not authenticate you."));
    for (id, code) in [("twelve", 358), ("-12", 360), ("12", 34), ("99999999999999999999", 358)] {
        let path = format!("{BASE}/webhooks/{id}.json");
        let got = call_signed(&emulator, OWNER, Method::DELETE, &path).await;
        assert_eq!(got.coded().1, code, "{got:?}");
    }
    let path = format!("{BASE}/webhooks/-12/subscriptions/all.json");
    let got = call_signed(&emulator, 7, Method::POST, &path).await;
    let words = "webhook_id: [-12] is not greater than or equal to 0.";
    assert_eq!(got.coded(), (400, 360, words));
    let path = format!("{BASE}/webhooks/12/subscriptions/all.json");
    let got = call_signed(&emulator, 7, Method::GET, &path).await;
    let words = "Webhook does not exist or is associated with a different X application.";
    assert_eq!(got.coded(), (404, 34, words));
}

#[tokio::test]
async fn replays() {
    let stage = Stage::still().await;
    let all = stage.webhook("/subscriptions/all.json");
    assert_eq!(stage.user(7, Method::POST, &all).await.status, 204);
    let made = aaa_emulator::control::Trigger::new("favorite_events", user(7));
    stage.emulator.trigger_and_wait(&made).await.unwrap();
    // Longer ago than v2 reaches.
    stage.emulator.advance(Duration::from_secs(4 * 86_400)).await.unwrap();
    let days = |days: i64| days * 1440;
    for ((from, to), code, words) in [
        ((days(5) + 1, 40), 356, "from_date must be within the past 5 days."),
        ((40, 40), 356, "from_date must be before to_date."),
        ((40, -5), 368, "is not in the past."),
        ((30, 20), 368, "is not in the past."),
        ((40, 9), 368, "is not in the past."),
    ] {
        let got = stage.app(Method::POST, &stage.replay(from, to)).await;
        assert_eq!(got.status, 400, "{from} {to}");
        assert_eq!(got.coded().1, code, "{from} {to}: {got:?}");
        assert!(got.error().ends_with(words), "{from} {to}: {got:?}");
        stage.emulator.advance(Duration::from_secs(900)).await.unwrap();
    }
    for (from, to, expected) in [
        ("", "202511220400", (400, 357, "from_date: queryParam is required")),
        ("202511220400", "", (400, 357, "to_date: queryParam is required")),
        ("2025-11-22", "202511220400", (400, 358, "Unable to parse from_date")),
    ] {
        let got = stage.app(Method::POST, &stage.replay_of(from, to)).await;
        assert_eq!(got.coded(), expected);
    }
    let other = "replay/webhooks/12/subscriptions/all.json?from_date=1&to_date=2";
    let got = stage.app(Method::POST, other).await;
    assert_eq!((got.status, got.coded().1), (404, 34));

    stage.emulator.advance(Duration::from_secs(900)).await.unwrap();
    let window = stage.replay(days(4) + 90, days(4));
    stage.receiver.answer_challenges(Crc::WrongToken);
    let got = stage.app(Method::POST, &window).await;
    assert_eq!((got.status, got.coded().1), (403, 214));
    let got = stage.app(Method::POST, &window).await;
    let words = "Webhook is marked invalid and requires a CRC check.";
    assert_eq!(got.coded(), (400, 214, words));
    stage.receiver.answer_challenges(Crc::Right);
    assert_eq!(stage.user(OWNER, Method::PUT, &stage.webhook(".json")).await.status, 204);
    // The answer to what it sends again never comes, so the job stays.
    stage.receiver.answer_deliveries(0);
    assert_eq!(stage.app(Method::POST, &window).await.status, 202);
    let got = stage.app(Method::POST, &window).await;
    let words = "A replay job is already in progress for this webhook.";
    assert_eq!(got.coded(), (409, 355, words));
    assert_eq!(stage.emulator.ledger().jobs.len(), 1);
    // v2 does not reach so far.
    let path = format!("/2/account_activity/{}", window.replace(".json", ""));
    let got = call(&stage.emulator, Method::POST, &path, Value::Null).await;
    assert!(got.error().ends_with("within the past 24 hours."), "{got:?}");
}

#[tokio::test]
async fn wrong_credentials() {
    let stage = Stage::still().await;
    let all = stage.webhook("/subscriptions/all.json");
    let not_authenticated = (401, 32, "Could not authenticate you.");
    let app_only =
        (401, 32, "Invalid authentication method. Please use application-only authentication.");
    for path in ["webhooks.json", "subscriptions/count.json"] {
        assert_eq!(stage.user(OWNER, Method::GET, path).await.coded(), app_only);
    }
    let list = stage.webhook("/subscriptions/all/list.json");
    assert_eq!(stage.user(7, Method::GET, &list).await.coded(), app_only);
    let remove = stage.webhook("/subscriptions/7/all.json");
    assert_eq!(stage.user(7, Method::DELETE, &remove).await.coded(), app_only);
    let got = stage.user(OWNER, Method::POST, &stage.replay(50, 40)).await;
    assert_eq!(got.coded(), app_only);

    let no_writing = (403, 261, "Application cannot perform write actions.");
    let got = stage.app(Method::POST, "webhooks.json?url=http%3A%2F%2F127.0.0.1%2F").await;
    assert_eq!(got.coded(), no_writing);
    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(stage.app(method, &stage.webhook(".json")).await.coded(), no_writing);
    }
    let not_permitted = (
        401,
        348,
        "Client application is not permitted to access this user's webhook subscriptions.",
    );
    for method in [Method::GET, Method::POST, Method::DELETE] {
        assert_eq!(stage.app(method, &all).await.coded(), not_permitted);
    }
    let got = stage.user(7, Method::DELETE, &stage.webhook(".json")).await;
    assert_eq!(got.coded(), (401, 99, "You don't have access to this resource."));

    let with = |authorization: Option<&str>, path: &str| {
        let uri = format!("{}{BASE}/{path}", stage.emulator.url());
        let mut request = Request::get(uri);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        send(request, String::new())
    };
    assert_eq!(with(None, "webhooks.json").await.coded(), not_authenticated);
    let got = with(Some("Bearer x"), "webhooks.json").await;
    assert_eq!(got.coded(), (401, 89, "Invalid or expired token."));
    // A user's bearer token is of v2.
    let got = with(Some("Bearer 7-emulator-oauth2"), &all).await;
    assert_eq!(got.coded(), not_authenticated);
    let got = stage.app(Method::GET, "nothing.json").await;
    assert_eq!(got.coded(), (404, 34, "Sorry, that page does not exist."));
    assert_eq!(stage.app(Method::GET, "webhooks").await.status, 404);
    let got = stage.app(Method::PATCH, "webhooks.json").await;
    assert_eq!((got.status, &got.headers["allow"]), (405, &"GET, POST".parse().unwrap()));
}

#[tokio::test]
async fn what_the_app_may_do() {
    let with = |access| Emulator::builder().settings(Settings { access, ..Settings::default() });
    let replay = format!("{BASE}/replay/webhooks/12/subscriptions/all.json");
    let all = format!("{BASE}/webhooks/12/subscriptions/all.json");

    let emulator = with(AppAccess::WithoutReplay).start().await.unwrap();
    let got = call(&emulator, Method::POST, &replay, Value::Null).await;
    let words = "Account Activity API enterprise account with replay is required. Please confirm \
                 you have an enterprise account and replay is enabled.";
    assert_eq!(got.coded(), (403, 200, words));
    let got = call(&emulator, Method::POST, "/2/webhooks/replay", json!({})).await;
    assert_eq!((got.status, &got.body["title"]), (403, &json!("Client Forbidden")));
    let list = format!("{BASE}/webhooks.json");
    assert_eq!(call(&emulator, Method::GET, &list, Value::Null).await.text, "[]");

    let emulator = with(AppAccess::NotEnrolled).start().await.unwrap();
    let got = call(&emulator, Method::GET, &list, Value::Null).await;
    assert_eq!(got.coded(), (401, 61, "Client is not permitted to request this method."));
    let got = call(&emulator, Method::GET, "/2/webhooks", Value::Null).await;
    assert_eq!(got.status, 403);

    let emulator = with(AppAccess::ReadOnly).start().await.unwrap();
    let got = call_signed(&emulator, 7, Method::POST, &all).await;
    assert_eq!(got.coded(), (403, 261, "Application cannot perform write actions."));
    let got = call_signed(&emulator, 7, Method::GET, &all).await;
    assert_eq!((got.status, got.coded().1), (404, 34));
    let path = "/2/account_activity/webhooks/12/subscriptions/all";
    let got = call_signed(&emulator, 7, Method::POST, path).await;
    let kind = "https://api.twitter.com/2/problems/oauth1-permissions";
    assert_eq!((got.status, &got.body["type"]), (403, &json!(kind)));
}

#[tokio::test]
async fn limits_of_its_own() {
    let stage = Stage::still().await;
    // One call of each was made, at most.
    let all = stage.webhook("/subscriptions/all.json");
    for (limit, user, method, path) in [
        (15, None, Method::GET, "webhooks.json".to_owned()),
        (15, None, Method::GET, "subscriptions/count.json".to_owned()),
        (15, Some(OWNER), Method::PUT, "webhooks/12.json".to_owned()),
        (15, Some(OWNER), Method::DELETE, "webhooks/12.json".to_owned()),
        (50, None, Method::GET, stage.webhook("/subscriptions/all/list.json")),
        (500, Some(7), Method::GET, all.clone()),
        (500, Some(7), Method::POST, all.clone()),
        (500, Some(7), Method::DELETE, all.clone()),
        (500, None, Method::DELETE, stage.webhook("/subscriptions/7/all.json")),
        (5, None, Method::POST, stage.replay_of("", "")),
    ] {
        let call = async || match user {
            Some(user) => stage.user(user, method.clone(), &path).await,
            None => stage.app(method.clone(), &path).await,
        };
        for used in 1..=limit {
            let got = call().await;
            assert_ne!(got.status, 429, "{method} {path}");
            assert_eq!(got.headers["x-rate-limit-limit"], limit.to_string(), "{method} {path}");
            assert_eq!(got.headers["x-rate-limit-remaining"], (limit - used).to_string());
        }
        let got = call().await;
        let words = "Too many requests. Please back off your API request rate.";
        assert_eq!(got.coded(), (429, 88, words));
        assert!(got.headers.contains_key("x-rate-limit-reset"));
    }
    // v2 counts apart.
    let got = call(&stage.emulator, Method::GET, "/2/webhooks", Value::Null).await;
    assert_eq!(got.headers["x-rate-limit-remaining"], "449");
    // A window ends with a whole second, since nothing else can be told.
    stage.emulator.advance(Duration::from_secs(901)).await.unwrap();
    assert_eq!(stage.app(Method::GET, "webhooks.json").await.status, 200);
}

#[tokio::test]
async fn planned_answers_have_its_form() {
    let stage = Stage::still().await;
    for (status, code, words) in [
        (500, 0, "Internal server error."),
        (503, 67, "Twitter server error. Retry using an exponential backoff pattern."),
        (429, 88, "Too many requests. Please back off your API request rate."),
    ] {
        let when = Match { operation: Some(Operation::UnsubscribeSelf), ..Match::default() };
        let fault = Fault { when, action: Action::Respond { status, form: None }, times: 1 };
        stage.emulator.plan_fault(fault).unwrap();
        let all = stage.webhook("/subscriptions/all.json");
        let got = stage.user(7, Method::DELETE, &all).await;
        assert_eq!(got.coded(), (status, code, words));
    }
}

/// The same webhooks and subscriptions are seen through both.
#[tokio::test]
async fn one_world_two_generations() {
    let stage = Stage::still().await;
    let webhook = stage.webhook.parse().unwrap();
    subscribe(&stage.emulator, webhook, 7).await;
    let got = stage.user(7, Method::GET, &stage.webhook("/subscriptions/all.json")).await;
    assert_eq!(got.status, 204);
    let got = call(&stage.emulator, Method::GET, "/2/webhooks", Value::Null).await;
    assert_eq!(got.body["data"][0]["id"], stage.webhook);
}

#[tokio::test]
async fn parameters_in_a_signed_form_are_taken() {
    use aaa_auth::oauth1::Signer;
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let consumer = aaa_auth::Consumer::new(
        credentials::CONSUMER_KEY.parse().unwrap(),
        credentials::CONSUMER_SECRET.parse().unwrap(),
    );
    let owner = credentials::user_token(OWNER);
    let token =
        aaa_auth::UserToken::new(owner.token.parse().unwrap(), owner.secret.parse().unwrap());
    let url = url::Url::parse(&format!("{}{BASE}/webhooks.json", emulator.url())).unwrap();
    let post = async |signed: &str, nonce: &str, content_type: &str| {
        let form = [("url", signed)];
        let header = Signer::new(&consumer).with_token(&token).sign(
            &Method::POST,
            &url,
            &form,
            nonce,
            emulator.now(),
        );
        let body: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("url", &receiver.url())
            .finish();
        let request = Request::post(url.as_str())
            .header("authorization", header)
            .header("content-type", content_type);
        send(request, body).await
    };
    let form = "application/x-www-form-urlencoded";
    let got = post("http://127.0.0.1:1/another", "a", form).await;
    assert_eq!(got.coded().1, 32, "the form is signed");
    let got = post(&receiver.url(), "b", "application/json").await;
    assert_eq!(got.coded().1, 32, "only a form is signed");
    assert_eq!(post(&receiver.url(), "c", form).await.status, 200);
}
