//! The password: what it opens, for how long, and how often it may be tried.

use axum::body::Body;
use http::{Method, StatusCode, header};
use http_body_util::BodyExt;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::{
    guard::{CHANGES, PAGES, change},
    stage::{HOST, PATIENCE, Page, Pages, Stage},
};

/// Sends one of the forms that need no script.
async fn form(pages: &Pages, path: &str, body: &'static str) -> Page {
    let request =
        pages.request(Method::POST, path).header(header::ORIGIN, format!("http://{HOST}"));
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    pages.send(request.body(Body::from(body)).unwrap()).await
}

/// Signs in, as one browser of several.
async fn signed_in(pages: &Pages) -> Pages {
    let answer = form(pages, "/login", "password=correct+horse").await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    Pages { cookie: Some(cookie.split(';').next().unwrap().to_owned()), ..pages.clone() }
}

async fn stream(pages: &Pages, query: &str) -> Body {
    let path = format!("/events/stream{query}");
    let request = pages.request(Method::GET, &path).body(Body::empty()).unwrap();
    let answer = pages.router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    answer.into_body()
}

/// Returns what a stream tells next, or `None` when it is over.
async fn told(stream: &mut Body) -> Option<String> {
    let frame = timeout(PATIENCE, stream.frame()).await.expect("it goes on, and tells nothing")?;
    Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
}

/// A stream lasts longer than its request, so it has to be looked at again who follows it.
#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let stage = Stage::new().await;
    let id = stage.webhook().await;
    stage.subscribe(id, 7).await;
    stage.trigger("favorite_events").await;
    stage.trigger("follow_events").await;
    let pages = Pages::new(stage.dashboard().with_password("correct horse".parse().unwrap()));
    let (leaving, staying) = (signed_in(&pages).await, signed_in(&pages).await);
    // One has something to tell, and one waits for it.
    let mut telling = stream(&leaving, "?after=0").await;
    let mut waiting = stream(&leaving, "").await;
    let mut other = stream(&staying, "?after=0").await;
    assert!(told(&mut telling).await.unwrap().starts_with("id: 1\n"));
    assert_eq!(form(&leaving, "/logout", "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(told(&mut telling).await, None);
    stage.trigger("direct_message_events").await;
    assert_eq!(told(&mut waiting).await, None);
    for seq in 1..=3 {
        assert!(told(&mut other).await.unwrap().starts_with(&format!("id: {seq}\n")));
    }
}

/// Also when nothing happens that could be told.
#[tokio::test]
async fn a_silent_stream_ends_with_its_session() {
    let stage = Stage::new().await;
    let pages = Pages::new(stage.dashboard().with_password("correct horse".parse().unwrap()));
    let leaving = signed_in(&pages).await;
    let mut silent = stream(&leaving, "").await;
    let (told, left) = tokio::join!(told(&mut silent), form(&leaving, "/logout", ""));
    assert_eq!((told, left.status), (None, StatusCode::SEE_OTHER));
}

#[tokio::test]
async fn a_password_opens_a_session() {
    let stage = Stage::new().await;
    let mut pages = Pages::new(stage.dashboard().with_password("correct horse".parse().unwrap()));
    let page = pages.get("/events?kind=x&user=7").await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    let to = page.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(to, "/login?next=%2Fevents%3Fkind%3Dx%26user%3D7");
    for path in PAGES.into_iter().chain(["/events/stream", "/events/1", "/events/1/body"]) {
        assert_eq!(pages.get(path).await.status, StatusCode::SEE_OTHER, "{path}");
        let plain =
            http::Request::get(path).header(header::HOST, HOST).body(Body::empty()).unwrap();
        assert_eq!(pages.send(plain).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in CHANGES {
        let own = format!("http://{HOST}");
        let answer =
            change(&pages, path, &[("origin", &own), ("content-type", "application/json")]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    // The way in needs no script.
    let form = pages.page(&to).await;
    assert!(form.contains(r#"name="next" value="/events?kind=x&amp;user=7""#), "{form}");
    let sign_in = async |pages: &Pages, origin: &str, body: &str| {
        let request = pages.request(Method::POST, "/login").header(header::ORIGIN, origin);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        pages.send(request.body(Body::from(body.to_owned())).unwrap()).await
    };
    let own = format!("http://{HOST}");
    let wrong = sign_in(&pages, &own, "password=wrong&next=/").await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    assert!(wrong.body.contains("not the password") && !wrong.headers.contains_key("set-cookie"));
    let foreign = sign_in(&pages, "https://evil.example", "password=correct+horse").await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    let right = sign_in(&pages, &own, "password=correct+horse&next=%2Fevents%3Fuser%3D7").await;
    assert_eq!(right.status, StatusCode::SEE_OTHER);
    assert_eq!(right.headers["location"], "/events?user=7");
    let cookie = right.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{cookie}");
    let secure = sign_in(&pages, &format!("https://{HOST}"), "password=correct+horse").await;
    assert!(secure.headers["set-cookie"].to_str().unwrap().ends_with("; Secure"));
    pages.cookie = Some(cookie.split(';').next().unwrap().to_owned());
    let page = pages.page("/").await;
    assert!(page.contains("Sign out") && !page.contains("correct horse"));
    assert_eq!(pages.get("/login").await.status, StatusCode::SEE_OTHER);
    // Neither does the way out, and another site cannot have anybody take it.
    assert!(page.contains("<form class=\"inline\" method=\"post\" action=\"/logout\">"), "{page}");
    let sign_out = async |origin: &str| {
        let request = pages.request(Method::POST, "/logout").header(header::ORIGIN, origin);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        pages.send(request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(sign_out("https://evil.example").await.status, StatusCode::FORBIDDEN);
    assert_eq!(pages.get("/").await.status, StatusCode::OK);
    let out = sign_out(&own).await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    assert_eq!(out.headers["location"], "/login");
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(pages.get("/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn guessing_is_answered_slower_and_slower() {
    let stage = Stage::new().await;
    let pages = Pages::new(stage.dashboard().with_password("correct horse".parse().unwrap()));
    let mut answers = Vec::new();
    for _ in 0..12 {
        let request =
            pages.request(Method::POST, "/login").header(header::ORIGIN, format!("http://{HOST}"));
        answers.push(pages.send(request.body(Body::from("password=guess")).unwrap()).await);
    }
    assert!(answers[..10].iter().all(|answer| answer.status == StatusCode::FORBIDDEN));
    for answer in &answers[10..] {
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=61).contains(&wait));
    }
}

/// Whoever guesses is slowed down; the operator is not, neither directly nor behind a proxy.
#[tokio::test]
async fn guessing_locks_nobody_else_out() {
    let stage = Stage::new().await;
    let pages = Pages::new(stage.dashboard().with_password("correct horse".parse().unwrap()));
    let sign_in = async |peer: &str, forwarded: Option<&str>, password: &str| {
        let peer: std::net::SocketAddr = peer.parse().unwrap();
        let mut request = pages
            .request(Method::POST, "/login")
            .header(header::ORIGIN, format!("http://{HOST}"))
            .extension(axum::extract::ConnectInfo(peer));
        if let Some(forwarded) = forwarded {
            request = request.header("x-forwarded-for", forwarded);
        }
        let body = Body::from(format!("password={password}"));
        pages.send(request.body(body).unwrap()).await.status
    };
    for (guesser, operator) in [
        (("192.0.2.1:5", None), ("192.0.2.2:5", None)),
        (("127.0.0.1:5", Some("192.0.2.3")), ("127.0.0.1:6", Some("192.0.2.4"))),
    ] {
        for _ in 0..10 {
            let guess = sign_in(guesser.0, guesser.1, "guess").await;
            assert_eq!(guess, StatusCode::FORBIDDEN);
        }
        let more = sign_in(guesser.0, guesser.1, "correct+horse").await;
        assert_eq!(more, StatusCode::TOO_MANY_REQUESTS);
        let inside = sign_in(operator.0, operator.1, "correct+horse").await;
        assert_eq!(inside, StatusCode::SEE_OTHER);
    }
}
