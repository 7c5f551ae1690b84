//! Every answer of the receiver, through its router.

use std::{sync::Arc, time::Duration};

use aaa_webhook::{
    app::App,
    inbox::InboxError,
    receiver::{Limits, Receiver},
    signature::{HEADER, PROBE, Signature},
};
use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::support::{BODY, Behaviour, PATH, TOKEN, TestInbox, app, full, post};

/// The shortest of the times that X documents.
const X_GIVES_UP: Duration = Duration::from_secs(3);

fn receiver() -> (Receiver<TestInbox>, TestInbox) {
    let inbox = TestInbox::new(Behaviour::Store);
    (Receiver::new(inbox.clone(), app()), inbox)
}

async fn send(receiver: &Receiver<TestInbox>, request: Request<Full<Bytes>>) -> Response<Body> {
    receiver.clone().router(PATH).oneshot(request).await.unwrap()
}

async fn body(answer: Response<Body>) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
}

fn get(query: &str) -> Request<Full<Bytes>> {
    full(Request::get(format!("{PATH}?{query}")), "")
}

#[tokio::test]
async fn a_signed_delivery_is_stored_and_acknowledged() {
    let (receiver, inbox) = receiver();
    // The content type does not matter when the signature is right.
    let request = full(post(BODY).header("content-type", "text/plain"), BODY);
    assert_eq!(send(&receiver, request).await.status(), 200);
    assert_eq!(*inbox.bodies.lock().unwrap(), [BODY]);
    let counts = receiver.status().counts();
    assert_eq!((counts.verified, counts.stored, counts.refusals), (1, 1, 0));
}

/// Else X would send it again and again.
#[tokio::test]
async fn a_copy_is_acknowledged_and_counted() {
    let (receiver, inbox) = receiver();
    *inbox.behaviour.lock().unwrap() = Behaviour::Know;
    assert_eq!(send(&receiver, full(post(BODY), BODY)).await.status(), 200);
    let counts = receiver.status().counts();
    assert_eq!((counts.committed, counts.stored, counts.duplicates), (1, 0, 1));
}

/// Returns how many requests fitted the app's secret, and how many may have been X's all the same.
fn signatures(receiver: &Receiver<TestInbox>, app: &str) -> (u64, u64) {
    let signatures = receiver.status().signatures(app);
    (signatures.verified, signatures.doubtful)
}

/// While a secret is wrong, what X sends is rejected; what is rejected between two requests that fit
/// was somebody else's.
#[tokio::test]
async fn what_is_rejected_while_the_secret_is_right_is_nobody_s_loss() {
    let (receiver, _) = receiver();
    let forge = async |times: u64| {
        for _ in 0..times {
            assert_eq!(send(&receiver, full(Request::post(PATH), BODY)).await.status(), 401);
        }
        signatures(&receiver, "main")
    };
    assert_eq!(forge(2).await, (0, 2));
    assert_eq!(send(&receiver, full(post(BODY), BODY)).await.status(), 200);
    assert_eq!(forge(0).await, (1, 2));
    assert_eq!(forge(3).await, (1, 5));
    // A check that X has signed says as much as a delivery.
    let query = format!("crc_token={TOKEN}");
    let signature = Signature::of(app().active(), query.as_bytes()).to_string();
    let check = || Request::get(format!("{PATH}?{query}")).header(HEADER, &signature);
    assert_eq!(send(&receiver, full(check(), "")).await.status(), 200);
    assert_eq!(forge(0).await, (2, 2));
    // One that anybody can send says nothing.
    assert_eq!(forge(1).await, (2, 3));
    assert_eq!(send(&receiver, get(&query)).await.status(), 200);
    assert_eq!(forge(0).await, (2, 3));
    assert_eq!(receiver.status().counts().rejections, 6);
}

/// Who looks at their own receiver signs with the secret that they have, which may be as wrong as
/// the receiver's.
#[tokio::test]
async fn our_own_probes_say_nothing_about_the_secret_that_x_has() {
    let (receiver, inbox) = receiver();
    assert_eq!(send(&receiver, full(Request::post(PATH), BODY)).await.status(), 401);
    let query = format!("crc_token={TOKEN}");
    let signature = Signature::of(app().active(), query.as_bytes()).to_string();
    let check = Request::get(format!("{PATH}?{query}")).header(HEADER, signature);
    for (request, status) in [
        (full(check.header(PROBE, "1"), ""), 200),
        (full(post(BODY).header(PROBE, "1"), BODY), 200),
        (full(post(BODY).header(PROBE, ""), "{}"), 403),
        (full(post("[1]").header(PROBE, "1"), "[1]"), 400),
        (full(Request::post(PATH).header(PROBE, "1"), BODY), 401),
    ] {
        assert_eq!(send(&receiver, request).await.status(), status);
        assert_eq!(signatures(&receiver, "main"), (0, 1));
    }
    // In everything else they are requests like any other.
    assert_eq!(*inbox.bodies.lock().unwrap(), [BODY]);
    let counts = receiver.status().counts();
    assert_eq!((counts.verified, counts.rejections), (1, 4));
    assert_eq!((counts.checks, counts.signed_checks), (1, 0));
}

/// The deliveries of one app do not show that another one's secret is right.
#[tokio::test]
async fn each_app_proves_its_own_secret() {
    let (main, inbox) = receiver();
    let shop = App::new("shop", "shop-secret".parse().unwrap());
    let other = main.for_apps(vec![shop.clone()]);
    let signed = |secret: &str| {
        let signature = Signature::of(&secret.parse().unwrap(), BODY.as_bytes()).to_string();
        full(Request::post(PATH).header(HEADER, signature), BODY)
    };
    for (receiver, secret, status) in [
        (&main, "consumer-secret", 200),
        // X has a new secret for it.
        (&main, "rotated", 403),
        (&other, "shop-secret", 200),
        (&main, "rotated", 403),
        (&other, "shop-secret", 200),
    ] {
        assert_eq!(send(receiver, signed(secret)).await.status(), status);
    }
    assert_eq!((signatures(&main, "main"), signatures(&main, "shop")), ((1, 2), (2, 0)));
    // Nor where they share a path: what is rejected there may be of either.
    let shared = Receiver::shared(inbox, vec![app(), shop]);
    for (secret, status) in
        [("consumer-secret", 200), ("rotated", 403), ("shop-secret", 200), ("rotated", 403)]
    {
        assert_eq!(send(&shared, signed(secret)).await.status(), status);
    }
    assert_eq!((signatures(&shared, "main"), signatures(&shared, "shop")), ((1, 2), (1, 2)));
    // At another path, it is the same app.
    let again = shared.for_apps(vec![app()]).with_status(shared.status());
    assert_eq!(send(&again, signed("consumer-secret")).await.status(), 200);
    assert_eq!(signatures(&shared, "main"), (2, 0));
}

#[tokio::test]
async fn what_x_did_not_sign_is_never_stored() {
    let (receiver, inbox) = receiver();
    let good = Signature::of(app().active(), BODY.as_bytes()).to_string();
    let wrong = Signature::of(&"other".parse().unwrap(), BODY.as_bytes()).to_string();
    for (signature, status) in [
        (String::new(), 401),
        ("sha256=".to_owned(), 401),
        (good.to_uppercase(), 401),
        (format!("{good}="), 401),
        (wrong, 403),
    ] {
        let request = full(Request::post(PATH).header(HEADER, &signature), BODY);
        assert_eq!(send(&receiver, request).await.status(), status, "{signature}");
    }
    assert_eq!(send(&receiver, full(Request::post(PATH), BODY)).await.status(), 401);
    let twice = full(post(BODY).header(HEADER, &good), BODY);
    assert_eq!(send(&receiver, twice).await.status(), 401);
    let changed = full(post(BODY), &BODY.replace('a', "b"));
    assert_eq!(send(&receiver, changed).await.status(), 403);
    assert!(inbox.bodies.lock().unwrap().is_empty());
    let counts = receiver.status().counts();
    assert_eq!((counts.rejections, counts.refusals), (8, 0));
}

#[tokio::test]
async fn a_check_is_answered_and_cannot_be_used_to_sign_a_delivery() {
    let (receiver, inbox) = receiver();
    let answer = send(&receiver, get(&format!("crc_token={TOKEN}&nonce=1"))).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json");
    let answer = body(answer).await;
    let expected = Signature::of(app().active(), TOKEN.as_bytes());
    assert_eq!(answer, format!(r#"{{"response_token":"{expected}"}}"#));
    // The answer is a valid signature of the token itself, which is not a delivery.
    let forged = full(Request::post(PATH).header(HEADER, expected.to_string()), TOKEN);
    assert_eq!(send(&receiver, forged).await.status(), 400);
    assert!(inbox.bodies.lock().unwrap().is_empty());
    assert_eq!(receiver.status().counts().refusals, 0);
    for query in ["", "crc_token=", "crc_token=foo", "crc_token=%7B%22for_user_id%22%3A%227%22%7D"]
    {
        assert_eq!(send(&receiver, get(query)).await.status(), 400, "{query}");
    }
}

/// Whatever is asked for: what comes back signs no delivery, and no check.
#[tokio::test]
async fn what_a_check_signs_is_no_delivery() {
    let (receiver, inbox) = receiver();
    let padded = format!("{BODY}{}", " ".repeat(64));
    let long = format!(r#"{{"for_user_id":"7","x":"{}"}}"#, "y".repeat(9000));
    let control = "0123456789abcdef\n";
    let query = format!("crc_token={TOKEN}");
    let wanted = [
        // Deliveries: usual, small, padded to a length that is taken, long, in an array.
        BODY,
        "{}",
        "{              }",
        &padded,
        &long,
        r#"[{"for_user_id":"7"}]"#,
        // Bare values, the number in an alphabet that is taken.
        "1234567890123456",
        r#""0123456789abcdef""#,
        "true",
        "null",
        // What else is no token.
        "",
        "short",
        control,
        "0123456789abcdef\0",
        "\u{feff}0123456789abcdef",
        &query,
        TOKEN,
    ];
    let every = percent_encoding::NON_ALPHANUMERIC;
    let mut answered = Vec::new();
    for token in wanted {
        let once = percent_encoding::utf8_percent_encode(token, every).to_string();
        let twice = percent_encoding::utf8_percent_encode(&once, every).to_string();
        for value in [&once, &twice] {
            let answer = send(&receiver, get(&format!("crc_token={value}"))).await;
            if answer.status() != 200 {
                assert!(answer.status().is_client_error(), "{token}");
                assert!(!body(answer).await.contains("sha256="), "{token}");
                continue;
            }
            answered.push(token);
            let answer: serde_json::Value = serde_json::from_str(&body(answer).await).unwrap();
            let signature = answer["response_token"].as_str().unwrap();
            for text in [token, &once, &twice] {
                let forged = full(Request::post(PATH).header(HEADER, signature), text);
                let status = send(&receiver, forged).await.status();
                assert_eq!(status, if text == token { 400 } else { 403 }, "{text}");
            }
            // Nor is it taken for X's own signature of a check.
            let check = Request::get(format!("{PATH}?crc_token={value}")).header(HEADER, signature);
            assert_eq!(send(&receiver, full(check, "")).await.status(), 403, "{token}");
        }
    }
    assert_eq!(answered, ["1234567890123456", "1234567890123456", TOKEN, TOKEN]);
    assert_eq!(receiver.status().counts().verified, 0);
    assert!(inbox.bodies.lock().unwrap().is_empty());
}

#[tokio::test]
async fn signed_checks_strict_mode_and_shared_paths() {
    let query = format!("crc_token={TOKEN}&nonce=1");
    let signed = |secret: &str| {
        let signature = Signature::of(&secret.parse().unwrap(), query.as_bytes()).to_string();
        full(Request::get(format!("{PATH}?{query}")).header(HEADER, signature), "")
    };
    let (lenient, _) = receiver();
    assert_eq!(send(&lenient, signed("consumer-secret")).await.status(), 200);
    assert_eq!(send(&lenient, signed("other")).await.status(), 403);
    assert_eq!(send(&lenient, get(&query)).await.status(), 200);
    let counts = lenient.status().counts();
    assert_eq!((counts.checks, counts.signed_checks, counts.refused_checks), (2, 1, 1));
    let strict = lenient.with_strict_crc();
    assert_eq!(send(&strict, get(&query)).await.status(), 401);
    assert_eq!(send(&strict, signed("consumer-secret")).await.status(), 200);

    let other = App::new("other", "other".parse().unwrap());
    let inbox = TestInbox::new(Behaviour::Store);
    let shared = Receiver::shared(inbox, vec![app(), other]);
    let unsure = send(&shared, get(&query)).await;
    assert_eq!(unsure.status(), 503);
    assert!(unsure.headers().contains_key("retry-after"));
    let answer = body(send(&shared, signed("other")).await).await;
    let expected = Signature::of(&"other".parse().unwrap(), TOKEN.as_bytes()).to_string();
    assert!(answer.contains(&expected));
}

#[tokio::test]
async fn both_secrets_of_a_rotation_verify_and_the_active_one_answers() {
    let inbox = TestInbox::new(Behaviour::Store);
    let app =
        App::new("main", "new".parse().unwrap()).with_previous("consumer-secret".parse().unwrap());
    let receiver = Receiver::new(inbox, app);
    assert_eq!(send(&receiver, full(post(BODY), BODY)).await.status(), 200);
    let verified = || {
        let counts = receiver.status().counts();
        (counts.verified, counts.verified_by_previous)
    };
    assert_eq!(verified(), (1, 1));
    let signature = Signature::of(&"new".parse().unwrap(), BODY.as_bytes()).to_string();
    let signed = full(Request::post(PATH).header(HEADER, signature), BODY);
    assert_eq!(send(&receiver, signed).await.status(), 200);
    assert_eq!(verified(), (2, 1));
    let query = format!("crc_token={TOKEN}");
    let answer = body(send(&receiver, get(&query)).await).await;
    let sign = |secret: &str, text: &str| {
        Signature::of(&secret.parse().unwrap(), text.as_bytes()).to_string()
    };
    assert!(answer.contains(&sign("new", TOKEN)));
    // Whoever has signed the check shows which secret they go by: the other one's answer would be
    // wrong, and a wrong answer invalidates the webhook at once.
    for secret in ["new", "consumer-secret"] {
        let check = Request::get(format!("{PATH}?{query}")).header(HEADER, sign(secret, &query));
        let answer = body(send(&receiver, full(check, "")).await).await;
        assert!(answer.contains(&sign(secret, TOKEN)), "{secret}: {answer}");
    }
}

#[tokio::test]
async fn other_methods_and_paths() {
    let (receiver, _) = receiver();
    for method in [Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
        let request = full(Request::builder().method(&method).uri(PATH), "");
        let answer = send(&receiver, request).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.headers()["allow"], "GET, POST");
    }
    for path in ["/", "/webhooks/twitter/", "/webhooks", "/webhooks/twitter/x"] {
        assert_eq!(send(&receiver, full(Request::get(path), "")).await.status(), 404, "{path}");
    }
}

/// A path is a text, not a pattern.
#[tokio::test]
async fn any_path_can_be_mounted() {
    for path in ["/", "/:x", "/*x", "/{x}", "/{*x}", "/a//b", "/a%7Bb", "/{", "", "no/slash"] {
        let router = receiver().0.router(path);
        let ask = async |method: Method, uri: &str| {
            let request = full(Request::builder().method(method).uri(uri), "");
            router.clone().oneshot(request).await.unwrap().status()
        };
        let own = format!("/{}", path.trim_start_matches('/'));
        assert_eq!(ask(Method::GET, &format!("{own}?crc_token={TOKEN}")).await, 200, "{path}");
        assert_eq!(ask(Method::PUT, &own).await, 405, "{path}");
        for method in [Method::GET, Method::POST, Method::HEAD, Method::OPTIONS] {
            assert_eq!(ask(method, "/y").await, 404, "{path}");
        }
    }
}

#[tokio::test]
async fn ambiguous_framing_is_a_400() {
    let (receiver, inbox) = receiver();
    let length = BODY.len().to_string();
    for headers in [
        vec![("content-length", length.as_str()), ("content-length", &length)],
        vec![("transfer-encoding", "chunked"), ("content-length", &length)],
        vec![("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
        vec![("transfer-encoding", "identity")],
        vec![("transfer-encoding", "")],
    ] {
        let request =
            headers.iter().fold(post(BODY), |all, (name, value)| all.header(*name, *value));
        let answer = send(&receiver, full(request, BODY)).await;
        assert_eq!(answer.status(), 400, "{headers:?}");
        assert_eq!(answer.headers()["connection"], "close");
    }
    assert!(inbox.bodies.lock().unwrap().is_empty());
}

/// What is promised without any setting, to the byte.
#[tokio::test]
async fn a_body_of_a_mebibyte_is_taken() {
    let (receiver, inbox) = receiver();
    let frame = r#"{"for_user_id":"7","x":""}"#.len();
    let text = "y".repeat(1024 * 1024 - frame);
    let largest = format!(r#"{{"for_user_id":"7","x":"{text}"}}"#);
    assert_eq!(largest.len(), 1024 * 1024);
    assert_eq!(send(&receiver, full(post(&largest), &largest)).await.status(), 200);
    let larger = format!("{largest} ");
    let answer = send(&receiver, full(post(&larger), &larger)).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["connection"]),
        (413, &"close".parse().unwrap())
    );
    assert_eq!(inbox.bodies.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn limits_on_bodies() {
    let (receiver, inbox) = receiver();
    let mut limits = Limits::default();
    limits.body = BODY.len();
    let receiver = receiver.with_limits(limits);
    assert_eq!(send(&receiver, full(post(BODY), BODY)).await.status(), 200);
    let larger = format!("{BODY} ");
    assert_eq!(send(&receiver, full(post(&larger), &larger)).await.status(), 413);
    // Announced is announced, whatever follows.
    for (length, status) in [(BODY.len(), 200), (BODY.len() + 1, 413), (99_999_999_999, 413)] {
        let announced = full(post(BODY).header("content-length", length), BODY);
        assert_eq!(send(&receiver, announced).await.status(), status, "{length}");
    }
    for encoding in ["gzip", "br", "identity, gzip", "x"] {
        let request = full(post(BODY).header("content-encoding", encoding), BODY);
        assert_eq!(send(&receiver, request).await.status(), 415, "{encoding}");
    }
    let identity = full(post(BODY).header("content-encoding", "Identity"), BODY);
    assert_eq!(send(&receiver, identity).await.status(), 200);
    assert_eq!(inbox.bodies.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_failing_inbox_is_a_503_and_a_refusal() {
    for error in
        [InboxError::Full, InboxError::Closed, InboxError::Unavailable("disk full".to_owned())]
    {
        let receiver = Receiver::new(TestInbox::new(Behaviour::Fail(error)), app());
        let answer = send(&receiver, full(post(BODY), BODY)).await;
        assert_eq!(answer.status(), 503);
        assert!(answer.headers().contains_key("retry-after"));
        assert_eq!(receiver.status().counts().refusals, 1);
        // Checks are still answered.
        let check = send(&receiver, get(&format!("crc_token={TOKEN}"))).await;
        assert_eq!(check.status(), 200);
    }
}

#[tokio::test]
async fn a_panicking_inbox_is_a_503_and_a_refusal() {
    let receiver = Receiver::new(TestInbox::new(Behaviour::Panic), app());
    assert_eq!(send(&receiver, full(post(BODY), BODY)).await.status(), 503);
    assert_eq!(receiver.status().counts().refusals, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_inbox_is_a_503_before_x_gives_up() {
    let notify = Arc::new(Notify::new());
    let inbox = TestInbox::new(Behaviour::Wait(Arc::clone(&notify)));
    let receiver = Receiver::new(inbox.clone(), app());
    // The clock of the test runs ahead by itself, to the deadline.
    let answer = send(&receiver, full(post(BODY), BODY));
    let answer = tokio::time::timeout(X_GIVES_UP, answer).await.expect("X has given up");
    assert_eq!(answer.status(), 503);
    assert_eq!(receiver.status().counts().refusals, 1);
    // What was late is still stored when the inbox goes on.
    notify.notify_one();
    while inbox.bodies.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_a_408() {
    let (receiver, _) = receiver();
    let answer = receiver.answer(post(BODY).body(Endless(None)).unwrap());
    let answer = tokio::time::timeout(X_GIVES_UP, answer).await.expect("X has given up");
    assert_eq!(answer.status(), 408);
    assert_eq!(answer.headers()["connection"], "close");
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_stop_the_commit() {
    let notify = Arc::new(Notify::new());
    let inbox = TestInbox::new(Behaviour::Wait(Arc::clone(&notify)));
    let receiver = Receiver::new(inbox.clone(), app());
    let request = tokio::spawn({
        let receiver = receiver.clone();
        async move { receiver.answer(full(post(BODY), BODY)).await }
    });
    while inbox.started.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    assert_eq!(receiver.status().counts().refusals, 1);
    notify.notify_one();
    let stored = async {
        while receiver.status().counts().stored == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), stored).await.unwrap();
}

/// A body that gives what it has and then never ends.
struct Endless(Option<String>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::io::Error;
    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        let frame = self.0.take().map(|text| Ok(http_body::Frame::data(Bytes::from(text))));
        frame.map_or(std::task::Poll::Pending, |frame| std::task::Poll::Ready(Some(frame)))
    }
}

/// A body whose connection breaks.
struct Cut;

impl http_body::Body for Cut {
    type Data = Bytes;
    type Error = std::io::Error;
    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        std::task::Poll::Ready(Some(Err(std::io::ErrorKind::UnexpectedEof.into())))
    }
}

/// Without a deadline: the answer must come before the body is asked for.
#[tokio::test]
async fn a_body_without_a_signature_is_not_read() {
    let (receiver, _) = receiver();
    for header in ["", "sha256=", "sha1=x"] {
        let mut limits = Limits::default();
        limits.body_time = Duration::from_secs(3600);
        limits.deadline = Duration::from_secs(3600);
        let receiver = receiver.clone().with_limits(limits);
        let request = Request::post(PATH).header(HEADER, header).body(Endless(None)).unwrap();
        let answer = receiver.answer(request);
        let answer = tokio::time::timeout(Duration::from_secs(10), answer).await.unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.headers()["connection"], "close");
    }
    let counts = receiver.status().counts();
    assert_eq!((counts.rejections, counts.unread, counts.refusals), (3, 0, 0));
}

/// And what X usually sends needs none of it, whoever takes all of it.
#[tokio::test]
async fn large_bodies_share_their_room() {
    let (receiver, _) = receiver();
    let mut limits = Limits::default();
    limits.bodies = 15_000;
    let receiver = receiver.with_limits(limits);
    let long = "y".repeat(20_000);
    let large =
        format!(r#"{{"for_user_id":"7","favorite_events":[{{"id":"b","text":"{long}"}}]}}"#);
    let deliver = || send(&receiver, full(post(&large), &large));
    {
        let slow = post(BODY).body(Endless(Some("z".repeat(30_000)))).unwrap();
        let mut slow = std::pin::pin!(receiver.answer(slow));
        tokio::select! {
            biased;
            answer = &mut slow => panic!("{answer:?}"),
            () = std::future::ready(()) => {}
        }
        let refused = deliver().await;
        assert_eq!(refused.status(), 503);
        assert!(refused.headers().contains_key("retry-after"));
        let counts = receiver.status().counts();
        assert_eq!((counts.unread, counts.refusals, counts.verified), (1, 0, 0));
        let usual = send(&receiver, full(post(BODY), BODY)).await;
        assert_eq!(usual.status(), 200);
    }
    // The room comes back, from those who were cut off as from those who were stored.
    for _ in 0..3 {
        assert_eq!(deliver().await.status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn unread_bodies_are_counted_and_open_no_gap() {
    let (receiver, _) = receiver();
    let mut limits = Limits::default();
    limits.body = BODY.len();
    let receiver = receiver.with_limits(limits);
    let larger = format!("{BODY} ");
    assert_eq!(send(&receiver, full(post(&larger), &larger)).await.status(), 413);
    let encoded = full(post(BODY).header("content-encoding", "gzip"), BODY);
    assert_eq!(send(&receiver, encoded).await.status(), 415);
    let slow = post(BODY).body(Endless(Some("{".to_owned()))).unwrap();
    assert_eq!(receiver.answer(slow).await.status(), 408);
    let cut = post(BODY).body(Cut).unwrap();
    assert_eq!(receiver.answer(cut).await.status(), 400);
    let framing = full(post(BODY).header("transfer-encoding", "x"), BODY);
    assert_eq!(send(&receiver, framing).await.status(), 400);
    let counts = receiver.status().counts();
    assert_eq!((counts.unread, counts.rejections, counts.refusals), (5, 0, 0));
}
