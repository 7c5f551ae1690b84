//! What is made again, and what never is.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aaa_client::{
    ApiVersion::{V1_1, V2},
    Client, ClientBuilder, ClientError, Operation, RetryPolicy, Transport, TransportError,
};
use aaa_types::{ReplayWindow, WebhookId, api::NewDirectMessage};
use bytes::Bytes;
use http::{Request, Response};

use crate::fake::{Answered, FakeX, answer, oauth2, token, with_headers};

const LIST: &str = r#"{"data":[],"meta":{"result_count":0}}"#;
const DATE: (&str, &str) = ("date", "Sat, 22 Nov 2025 04:00:00 GMT");
const RESET: (&str, &str) = ("x-rate-limit-reset", "1763784040");

fn webhook() -> WebhookId {
    "12".parse().unwrap()
}

fn window() -> ReplayWindow {
    ReplayWindow::new("202511220400".parse().unwrap(), "202511220430".parse().unwrap()).unwrap()
}

fn no_connection() -> Answered {
    Err(TransportError::not_connected("refused"))
}

fn no_answer() -> Answered {
    Err(TransportError::no_answer("closed").timed_out())
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_by_the_clock_of_x() {
    // X's clock is months away from the local one: only its own counts.
    let limited = with_headers(429, &[DATE, RESET, ("x-rate-limit-remaining", "0")], "");
    let x = FakeX::script([limited, with_headers(200, &[("x-rate-limit-limit", "450")], LIST)]);
    let waits = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&waits);
    let client = x
        .builder(V2)
        .on_wait(move |wait| {
            assert!(wait.is_rate_limit() && wait.error.is_some());
            told.lock().unwrap().push((wait.operation, wait.attempt, wait.after));
        })
        .build_with(x.clone());
    assert!(client.app().list_webhooks().await.unwrap().is_empty());
    let pauses = x.pauses();
    assert!((40.0..41.6).contains(&pauses[0].as_secs_f64()), "{pauses:?}");
    assert_eq!(*waits.lock().unwrap(), [(Operation::ListWebhooks, 1, pauses[0])]);
    let limit = client.rate_limit(Operation::ListWebhooks).unwrap();
    assert_eq!((limit.limit, limit.remaining), (Some(450), None));
    assert_eq!(client.rate_limit(Operation::CreateReplay), None);
    assert!(client.clock_offset().unwrap().is_negative());
}

#[tokio::test]
async fn a_reset_that_is_too_far_away_is_told_at_once() {
    let x = FakeX::script([with_headers(429, &[DATE, RESET], "")]);
    let policy = RetryPolicy::default().with_max_wait(Duration::from_secs(39));
    let error = x.client(V2).with_retry(policy).app().list_webhooks().await.unwrap_err();
    assert!(error.is_rate_limited());
    assert_eq!(error.rate_limit().unwrap().reset.unwrap().as_second(), 1_763_784_040);
    assert!(x.pauses().is_empty());
}

#[tokio::test]
async fn retry_after_is_respected() {
    let busy = with_headers(503, &[DATE, ("retry-after", "7")], "");
    let x = FakeX::script([busy, answer(200, LIST)]);
    x.client(V2).app().list_webhooks().await.unwrap();
    assert!(x.pauses()[0] >= Duration::from_secs(7));
}

#[tokio::test]
async fn the_longest_wait_that_an_answer_names_is_respected() {
    let both = |after| with_headers(429, &[DATE, RESET, ("retry-after", after)], "");
    for (limited, seconds) in [
        (both("7"), 40),
        (both("60"), 60),
        (with_headers(429, &[DATE, ("x-rate-limit-reset", "5"), ("retry-after", "9")], ""), 9),
        // Neither X's clock nor the local one is in the answer: the local one counts.
        (with_headers(429, &[("retry-after", "11")], ""), 11),
        (with_headers(503, &[("date", "yesterday"), ("retry-after", "11")], ""), 11),
    ] {
        let x = FakeX::script([limited, answer(200, LIST)]);
        x.client(V2).app().list_webhooks().await.unwrap();
        let pauses = x.pauses();
        assert!((seconds..seconds + 3).contains(&pauses[0].as_secs()), "{seconds} {pauses:?}");
    }
    // The calls that hand out tokens wait no less.
    let token = answer(200, r#"{"token_type":"bearer","access_token":"AAAA"}"#);
    let busy = with_headers(503, &[DATE, RESET, ("retry-after", "7")], "");
    let limited = with_headers(429, &[DATE, RESET, ("retry-after", "60")], "");
    let x = FakeX::script([busy, limited, token]);
    x.client(V2).oauth().bearer_token().await.unwrap();
    let seconds: Vec<_> = x.pauses().iter().map(Duration::as_secs).collect();
    assert!((7..9).contains(&seconds[0]) && (60..63).contains(&seconds[1]), "{seconds:?}");
    // The year 2125.
    let x = FakeX::script([with_headers(429, &[("x-rate-limit-reset", "4919457640")], "")]);
    assert!(x.client(V2).app().list_webhooks().await.unwrap_err().is_rate_limited());
    assert!(x.pauses().is_empty());
}

/// X's clock is months away from the local one.
#[tokio::test]
async fn a_signature_with_a_wrong_time_is_made_anew_once() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let refusing = || {
        let times = Arc::clone(&times);
        FakeX::new(move |_, request| {
            let authorization = request.headers()["authorization"].to_str().unwrap();
            let time = authorization.split_once("oauth_timestamp=\"").map(|(_, rest)| &rest[..10]);
            times.lock().unwrap().push(time.map(|time| time.parse::<i64>().unwrap()));
            with_headers(401, &[DATE], "")
        })
    };
    let x_time = 1_763_784_000;
    let is_x_time = |time: i64| (x_time - 60..=x_time + 60).contains(&time);

    let x = refusing();
    let client = x.client(V2);
    assert!(client.user(token("7")).subscribe(webhook()).await.unwrap_err().is_unauthorized());
    assert_eq!(x.pauses(), [Duration::ZERO]);
    // Now it is known.
    assert!(client.user(token("7")).subscribe(webhook()).await.is_err());
    let seen = std::mem::take(&mut *times.lock().unwrap());
    let seen: Vec<_> = seen.into_iter().map(|time| is_x_time(time.unwrap())).collect();
    assert_eq!(seen, [false, true, true]);

    // What bears no time, and who repeats nothing, ask once.
    let x = refusing();
    assert!(x.client(V2).app().list_webhooks().await.is_err());
    assert!(x.client(V2).user(oauth2("7")).subscribe(webhook()).await.is_err());
    let never = x.client(V2).with_retry(RetryPolicy::none());
    assert!(never.user(token("7")).subscribe(webhook()).await.is_err());
    assert_eq!(x.seen().len(), 3);
    // Nor is it the time, where X's is about the local one.
    let x = FakeX::new(|_, _| answer(401, ""));
    assert!(x.client(V2).user(token("7")).subscribe(webhook()).await.is_err());
    assert_eq!(x.seen().len(), 1);
}

#[tokio::test]
async fn what_may_be_made_twice_is_made_again_up_to_a_bound() {
    for failure in [no_connection(), no_answer(), answer(503, ""), answer(500, "")] {
        let x = FakeX::new(move |_, _| failure.clone());
        let app = x.client(V2).app();
        assert!(app.list_webhooks().await.unwrap_err().is_retryable());
        assert_eq!((x.seen().len(), x.pauses().len()), (4, 3));
        assert!(app.delete_webhook(webhook()).await.is_err());
        assert_eq!(x.seen().len(), 8);
    }
    // A refusal is a refusal.
    let x = FakeX::script([answer(403, "")]);
    assert!(x.client(V2).app().list_webhooks().await.unwrap_err().api().is_some());
}

#[tokio::test]
async fn what_may_not_be_made_twice_never_is() {
    let message = NewDirectMessage::text("hello").unwrap();
    let url = "https://example.com/hook".parse().unwrap();
    for version in [V2, V1_1] {
        for failure in [no_answer(), answer(500, ""), answer(503, ""), answer(408, "")] {
            let x = FakeX::new(move |_, _| failure.clone());
            let client = x.client(version);
            let errors = [
                client.app().create_replay(webhook(), window()).await.unwrap_err(),
                client
                    .user(token("7"))
                    .send_direct_message(8.try_into().unwrap(), &message)
                    .await
                    .unwrap_err(),
                client.app().create_webhook(&url).await.unwrap_err(),
                client.user(token("7")).subscribe(webhook()).await.unwrap_err(),
            ];
            assert_eq!((x.seen().len(), x.pauses().len()), (errors.len(), 0), "{:?}", x.seen());
            assert!(errors.iter().all(ClientError::maybe_done));
            assert!(errors.iter().all(|error| error.advice().is_some()));
        }
    }
}

#[tokio::test]
async fn what_to_do_is_said() {
    let advice = async |failure: Answered| {
        let x = FakeX::new(move |_, _| failure.clone());
        let app = x.client(V2).app();
        let created = app.create_replay(webhook(), window()).await.unwrap_err();
        let listed = app.list_webhooks().await.unwrap_err();
        [created, listed].map(|error| error.advice().unwrap_or("none"))
    };
    insta::assert_debug_snapshot!(advice(no_answer()).await, @r#"
    [
        "look whether it was carried out before you ask for it again",
        "check the network and the API's address, or try again later",
    ]
    "#);
    insta::assert_debug_snapshot!(advice(no_connection()).await, @r#"
    [
        "check the network and the API's address, or try again later",
        "check the network and the API's address, or try again later",
    ]
    "#);
    insta::assert_debug_snapshot!(advice(answer(200, "<html>")).await, @r#"
    [
        "check that the API's address is X's, or an emulator's",
        "check that the API's address is X's, or an emulator's",
    ]
    "#);
}

#[tokio::test]
async fn what_surely_was_not_done_is_made_again() {
    let job = r#"{"data":{"job_id":"5"}}"#;
    for failure in [no_connection(), answer(429, "")] {
        let x = FakeX::script([failure, answer(200, job)]);
        let created = x.client(V2).app().create_replay(webhook(), window()).await.unwrap();
        assert_eq!(created.job_id.as_u64(), 5);
        assert_eq!(x.seen().len(), 2);
    }
}

#[tokio::test]
async fn every_attempt_is_signed_anew() {
    let nonces = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&nonces);
    let x = FakeX::new(move |number, request| {
        let header = request.headers()["authorization"].clone();
        let authorization = aaa_auth::oauth1::Authorization::parse(&header).unwrap();
        log.lock().unwrap().push(authorization.nonce().to_owned());
        answer(if number == 0 { 503 } else { 204 }, "")
    });
    let state = x.client(V1_1).user(token("7")).check_subscription(webhook()).await.unwrap();
    assert!(state.subscribed);
    let nonces = nonces.lock().unwrap();
    assert_eq!(nonces.len(), 2);
    assert_ne!(nonces[0], nonces[1]);
}

#[tokio::test]
async fn none_repeats_nothing() {
    let x = FakeX::new(|_, _| no_connection());
    let client = x.client(V2).with_retry(RetryPolicy::none());
    assert!(client.app().list_webhooks().await.is_err());
    assert_eq!(x.seen().len(), 1);
}

/// Has no timer, as a transport of one's own may not have.
struct Timeless;

impl Transport for Timeless {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        Err(TransportError::not_connected("once"))
    }
}

#[tokio::test]
async fn without_a_timer_nothing_is_repeated() {
    let api = aaa_client::ApiUrl::X.parse().unwrap();
    let client = ClientBuilder::new(api).bearer("AAAA".parse().unwrap()).build_with(Timeless);
    let error = client.app().list_webhooks().await.unwrap_err();
    assert!(error.to_string().contains("once"));
}

#[tokio::test]
async fn dropping_a_call_ends_its_waiting() {
    let limited = with_headers(429, &[DATE, RESET], "");
    let x = FakeX::new(move |_, _| limited.clone());
    let client = x.builder(V2).build_with(Patient(x.clone()));
    let app = client.app();
    let call = tokio::spawn(async move { app.list_webhooks().await });
    while x.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(x.seen().len(), 1);
}

/// Waits for ever between two attempts.
struct Patient(FakeX);

impl Transport for Patient {
    async fn send(&self, request: Request<Bytes>) -> Answered {
        self.0.send(request).await
    }

    fn pause(&self, _: Duration) -> Option<impl Future<Output = ()> + Send> {
        Some(std::future::pending())
    }
}

#[tokio::test]
async fn the_real_transport_pauses() {
    use crate::server::{Reply, Server};
    let date = "date: Sat, 22 Nov 2025 04:00:00 GMT";
    // The reset is now, so the pause is a jitter of at most half a second.
    let limited = Reply::new(429, &[date, "x-rate-limit-reset: 1763784000"], "");
    let server = Server::start(&[limited, Reply::new(200, &[], LIST)]).await;
    let client: Client = server.client().with_retry(RetryPolicy::default());
    assert!(client.app().list_webhooks().await.unwrap().is_empty());
    assert_eq!(server.seen().len(), 2);
}
