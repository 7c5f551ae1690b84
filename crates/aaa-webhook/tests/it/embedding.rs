//! The receiver inside a service of somebody else.

use aaa_webhook::{
    app::App,
    delivery::{Acknowledged, VerifiedDelivery},
    inbox::InboxError,
    receiver::{Paths, Reason, Receiver, Refused, Verifier},
    signature::{HEADER, Signature},
};
use axum::{Router, extract::State, http::request::Parts, response::IntoResponse, routing::get};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::ServiceExt;

use crate::support::{BODY, Behaviour, PATH, TOKEN, TestInbox, app, full, post};

async fn send(router: &Router, request: Request<Full<Bytes>>) -> Response<axum::body::Body> {
    router.clone().oneshot(request).await.unwrap()
}

fn check(path: &str) -> Request<Full<Bytes>> {
    full(Request::get(format!("{path}?crc_token={TOKEN}")), "")
}

fn signed(path: &str, secret: &str) -> Request<Full<Bytes>> {
    let signature = Signature::of(&secret.parse().unwrap(), BODY.as_bytes());
    full(Request::post(path).header(HEADER, signature.to_string()), BODY)
}

async fn commit(
    State(receiver): State<Receiver<TestInbox>>,
    delivery: VerifiedDelivery,
) -> Result<Acknowledged, Refused> {
    receiver.commit(delivery).await
}

async fn answer_check(
    State(receiver): State<Receiver<TestInbox>>,
    head: Parts,
) -> impl IntoResponse {
    receiver.check(&head)
}

#[tokio::test]
async fn a_verified_delivery_is_an_extractor() {
    let inbox = TestInbox::new(Behaviour::Store);
    let receiver = Receiver::new(inbox.clone(), app());
    let router =
        Router::new().route(PATH, get(answer_check).post(commit)).with_state(receiver.clone());
    assert_eq!(send(&router, full(post(BODY), BODY)).await.status(), 200);
    assert_eq!(*inbox.bodies.lock().unwrap(), [BODY]);
    assert_eq!(send(&router, check(PATH)).await.status(), 200);
    let forged = send(&router, full(post("{}"), BODY)).await;
    assert_eq!(forged.status(), 403);
    let unsigned = send(&router, full(Request::post(PATH), BODY)).await;
    assert_eq!(
        (unsigned.status().as_u16(), &unsigned.headers()["connection"]),
        (401, &"close".parse().unwrap())
    );
    let encoded = full(post(BODY).header("content-encoding", "gzip"), BODY);
    assert_eq!(send(&router, encoded).await.status(), 415);
    *inbox.behaviour.lock().unwrap() = Behaviour::Fail(InboxError::Full);
    let refused = send(&router, full(post(BODY), BODY)).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    assert_eq!(inbox.bodies.lock().unwrap().len(), 1);

    // It is counted as if the receiver had answered itself.
    let figures = receiver.status().figures();
    let counts = figures.counts;
    assert_eq!((counts.verified, counts.committed, counts.refusals, counts.checks), (2, 1, 1, 1));
    let refused: Vec<_> = figures.refused.into_iter().filter(|(_, count)| *count > 0).collect();
    let expected =
        [Reason::Encoded, Reason::MissingSignature, Reason::WrongSignature, Reason::NotStored];
    assert_eq!(refused, expected.map(|reason| (reason, 1)));
}

/// Whoever has an inbox without a receiver gets the same answers.
#[tokio::test]
async fn an_inbox_of_ones_own() {
    async fn store(
        State((_, inbox)): State<(Verifier, TestInbox)>,
        delivery: VerifiedDelivery,
    ) -> Result<Acknowledged, InboxError> {
        Ok(delivery.commit(&inbox).await?.acknowledge())
    }
    #[derive(Clone)]
    struct Mine(Verifier, TestInbox);
    impl axum::extract::FromRef<Mine> for Verifier {
        fn from_ref(mine: &Mine) -> Self {
            mine.0.clone()
        }
    }
    impl axum::extract::FromRef<Mine> for (Verifier, TestInbox) {
        fn from_ref(mine: &Mine) -> Self {
            (mine.0.clone(), mine.1.clone())
        }
    }
    let inbox = TestInbox::new(Behaviour::Store);
    let mine = Mine(Verifier::new(app()), inbox.clone());
    let router = Router::new().route(PATH, axum::routing::post(store)).with_state(mine);
    assert_eq!(send(&router, full(post(BODY), BODY)).await.status(), 200);
    let error = InboxError::Unavailable("the disk at /secret is full".to_owned());
    *inbox.behaviour.lock().unwrap() = Behaviour::Fail(error);
    let refused = send(&router, full(post(BODY), BODY)).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    let words = refused.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(words, "the delivery could not be stored");
}

#[tokio::test]
async fn a_service_among_other_routes() {
    let receiver = Receiver::new(TestInbox::new(Behaviour::Store), app());
    let router = Router::new()
        .route("/", get(async || "the front page"))
        .route_service(PATH, receiver.clone())
        .nest("/nested", Router::new().route_service("/hook", receiver.clone()))
        .merge(Router::new().fallback_service(receiver.clone().router("/fallback")));
    assert_eq!(send(&router, full(Request::get("/"), "")).await.status(), 200);
    for path in [PATH, "/nested/hook", "/fallback"] {
        assert_eq!(send(&router, check(path)).await.status(), 200, "{path}");
        assert_eq!(send(&router, signed(path, "consumer-secret")).await.status(), 200, "{path}");
        let put = full(Request::put(path), "");
        assert_eq!(send(&router, put).await.status(), 405, "{path}");
    }
    assert_eq!(send(&router, check("/elsewhere")).await.status(), 404);
    // Bare, without a router.
    let answer = receiver.oneshot(full(post(BODY), BODY)).await.unwrap();
    assert_eq!(answer.status(), 200);
}

fn two_paths() -> (Router, TestInbox, Receiver<TestInbox>) {
    let inbox = TestInbox::new(Behaviour::Store);
    let one = Receiver::new(inbox.clone(), App::new("one", "secret-1".parse().unwrap()));
    let two = one.for_apps(vec![App::new("two", "secret-2".parse().unwrap())]);
    let paths = Paths::new().at("/one", one.clone()).unwrap().at("/two", two).unwrap();
    (paths.router(), inbox, one)
}

#[tokio::test]
async fn a_path_for_each_app() {
    let (router, inbox, one) = two_paths();
    for (path, secret, status) in [
        ("/one", "secret-1", 200),
        ("/two", "secret-2", 200),
        // The other app's deliveries are not taken here.
        ("/one", "secret-2", 403),
        ("/two", "secret-1", 403),
        ("/three", "secret-1", 404),
    ] {
        let answer = send(&router, signed(path, secret)).await;
        assert_eq!(answer.status(), status, "{path} {secret}");
    }
    assert_eq!(*inbox.apps.lock().unwrap(), ["one", "two"]);
    // Unsigned checks are answered, each with its own secret.
    for (path, secret) in [("/one", "secret-1"), ("/two", "secret-2")] {
        let answer = send(&router, check(path)).await;
        assert_eq!(answer.status(), 200);
        let answer = answer.into_body().collect().await.unwrap().to_bytes();
        let expected = Signature::of(&secret.parse().unwrap(), TOKEN.as_bytes()).to_string();
        assert!(String::from_utf8(answer.into()).unwrap().contains(&expected));
    }
    // They count together.
    assert_eq!(one.status().counts().committed, 2);
    let again = Paths::new().at("x", one.clone()).unwrap().at("/x", one);
    let taken = again.err().unwrap();
    assert_eq!(taken.path(), "/x");
    insta::assert_snapshot!(taken, @"there is a receiver at `/x` already: apps that share a path share a receiver");
}

/// Each step of a rotation, for both ways in which two apps can be mounted.
#[tokio::test]
async fn rotation_of_one_app_beside_another() {
    let app = |name: &str, active: &str, previous: Option<&str>| {
        let app = App::new(name, active.parse().unwrap());
        match previous {
            Some(previous) => app.with_previous(previous.parse().unwrap()),
            None => app,
        }
    };
    for (step, first, taken, answers) in [
        ("before", app("one", "old", None), &["old", "other"][..], "old"),
        (
            "the new one is known, X signs with the old",
            app("one", "old", Some("new")),
            &["old", "new", "other"],
            "old",
        ),
        ("X signs with the new", app("one", "new", Some("old")), &["new", "old", "other"], "new"),
        ("after", app("one", "new", None), &["new", "other"], "new"),
    ] {
        let inbox = TestInbox::new(Behaviour::Store);
        let second = app("two", "other", None);
        let apart = Receiver::new(inbox.clone(), first.clone());
        let paths = Paths::new()
            .at("/two", apart.for_apps(vec![second.clone()]))
            .unwrap()
            .at("/shared", apart.for_apps(vec![first, second]))
            .unwrap()
            .at("/one", apart)
            .unwrap();
        let router = paths.router();
        for secret in ["old", "new", "other"] {
            let own = if secret == "other" { "/two" } else { "/one" };
            let name = if secret == "other" { "two" } else { "one" };
            for path in [own, "/shared"] {
                let status = send(&router, signed(path, secret)).await.status();
                let expected = if taken.contains(&secret) { 200 } else { 403 };
                assert_eq!(status, expected, "{step}: {path}, signed with {secret}");
                if status == 200 {
                    assert_eq!(inbox.apps.lock().unwrap().last().unwrap(), name, "{step}");
                }
            }
        }
        // A check that is not signed gets the active secret's answer, or none where it could be
        // the other app's.
        let answer = send(&router, check("/one")).await.into_body().collect().await.unwrap();
        let expected = Signature::of(&answers.parse().unwrap(), TOKEN.as_bytes()).to_string();
        assert!(String::from_utf8(answer.to_bytes().into()).unwrap().contains(&expected), "{step}");
        assert_eq!(send(&router, check("/shared")).await.status(), 503, "{step}");
        // A signed one is answered with the secret that signed it, which is the one X goes by.
        for secret in taken {
            let query = format!("crc_token={TOKEN}");
            let signature = Signature::of(&secret.parse().unwrap(), query.as_bytes()).to_string();
            let request = Request::get(format!("/shared?{query}")).header(HEADER, signature);
            let answer = send(&router, full(request, "")).await;
            assert_eq!(answer.status(), 200, "{step}: {secret}");
            let answer = answer.into_body().collect().await.unwrap().to_bytes();
            let expected = Signature::of(&secret.parse().unwrap(), TOKEN.as_bytes()).to_string();
            assert!(String::from_utf8(answer.into()).unwrap().contains(&expected), "{step}");
        }
    }
}
