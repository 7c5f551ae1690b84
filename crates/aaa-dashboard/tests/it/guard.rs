//! What is refused, and what every answer carries.

use axum::body::Body;
use http::{Method, StatusCode, header};

use crate::stage::{HOST, Page, Pages, Stage};

/// Everything that changes something.
pub(crate) const CHANGES: [&str; 12] = [
    "/events/1/resend",
    "/webhooks",
    "/webhooks/12/validate",
    "/webhooks/12/delete",
    "/webhooks/12/subscribe",
    "/webhooks/12/unsubscribe",
    "/accounts/sign-in",
    "/accounts/pin",
    "/accounts/7/forget",
    "/replay/recover",
    "/replay/create",
    "/dead-letters/redrive",
];

pub(crate) const PAGES: [&str; 6] =
    ["/", "/events", "/webhooks", "/accounts", "/replay", "/dead-letters"];

/// A change with headers of one's own.
pub(crate) async fn change(pages: &Pages, path: &str, headers: &[(&str, &str)]) -> Page {
    let mut request = pages.request(Method::POST, path);
    for (name, value) in headers {
        if *name == "host" {
            request.headers_mut().unwrap().remove(header::HOST);
        }
        request = request.header(*name, *value);
    }
    pages.send(request.body(Body::from("{}")).unwrap()).await
}

#[tokio::test]
async fn a_change_needs_json_an_origin_and_a_token() {
    let stage = Stage::new().await;
    let pages = stage.pages();
    let (token, own) = (pages.token().await, format!("http://{HOST}"));
    let json = ("content-type", "application/json");
    for path in CHANGES {
        for (headers, status) in [
            // A form of another site.
            (vec![("origin", "https://evil.example"), json, ("aaa-token", &token)], 403),
            (vec![("origin", "null"), json, ("aaa-token", &token)], 403),
            (vec![json, ("aaa-token", &token)], 403),
            (vec![("origin", "http://127.0.0.1:8898"), json, ("aaa-token", &token)], 403),
            (vec![("origin", &own), ("origin", &own), json, ("aaa-token", &token)], 403),
            (
                vec![
                    ("origin", &own),
                    ("sec-fetch-site", "cross-site"),
                    json,
                    ("aaa-token", &token),
                ],
                403,
            ),
            (vec![("origin", &own), ("aaa-token", &token)], 415),
            (vec![("origin", &own), ("content-type", "text/plain"), ("aaa-token", &token)], 415),
            (
                vec![
                    ("origin", &own),
                    ("content-type", "application/x-www-form-urlencoded"),
                    ("aaa-token", &token),
                ],
                415,
            ),
            (vec![("origin", &own), json], 403),
            (vec![("origin", &own), json, ("aaa-token", "")], 403),
            (vec![("origin", &own), json, ("aaa-token", &token[1..])], 403),
            (
                vec![
                    ("host", "evil.example"),
                    ("origin", "http://evil.example"),
                    json,
                    ("aaa-token", &token),
                ],
                421,
            ),
        ] {
            let answer = change(&pages, path, &headers).await;
            assert_eq!(answer.status.as_u16(), status, "{path} {headers:?}: {}", answer.body);
            assert!(answer.body.starts_with("{\"error\":"), "{}", answer.body);
        }
        // The same with all of it comes through to whoever knows what is wrong with it.
        let site = ("sec-fetch-site", "same-origin");
        let headers = [("origin", own.as_str()), site, json, ("aaa-token", &token)];
        let answer = change(&pages, path, &headers).await;
        assert!(![401, 403, 415, 421].contains(&answer.status.as_u16()), "{path}: {}", answer.body);
    }
    assert_eq!(stage.client.app().list_webhooks().await.unwrap(), []);
    assert_eq!(stage.asked.all(), Vec::<String>::new());
}

#[tokio::test]
async fn changes_are_not_had_by_looking() {
    let stage = Stage::new().await;
    let pages = stage.pages();
    for path in CHANGES.iter().filter(|path| **path != "/webhooks") {
        let page = pages.get(path).await;
        assert!(page.status.is_client_error(), "{path}: {}", page.status);
    }
    let other =
        pages.request(Method::PUT, "/webhooks").header(header::ORIGIN, format!("http://{HOST}"));
    let other =
        other.header("aaa-token", pages.token().await).header("content-type", "application/json");
    let answer = pages.send(other.body(Body::from("{}")).unwrap()).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_foreign_name_is_refused() {
    let stage = Stage::new().await;
    let pages = Pages::new(stage.dashboard().with_host("ops.example.com"));
    let get = async |host: &str, path: &str| {
        let mut request = pages.request(Method::GET, path);
        request.headers_mut().unwrap().insert(header::HOST, host.parse().unwrap());
        pages.send(request.body(Body::empty()).unwrap()).await
    };
    for path in
        ["/", "/events", "/events/stream", "/assets/script.js", "/accounts/callback?x=1", "/login"]
    {
        for foreign in [
            "evil.example",
            "10.0.0.1:8899",
            "localhost.evil.example",
            "ops.example.com.evil.example",
        ] {
            let page = get(foreign, path).await;
            assert_eq!(page.status, StatusCode::MISDIRECTED_REQUEST, "{path} {foreign}");
            assert!(!page.body.contains("aaa-token\""), "{}", page.body);
        }
    }
    for own in ["localhost:1", "[::1]:8899", "ops.example.com", "OPS.example.com:443"] {
        assert_eq!(get(own, "/accounts").await.status, StatusCode::OK, "{own}");
    }
    let two =
        pages.request(Method::GET, "/").header(header::HOST, HOST).body(Body::empty()).unwrap();
    assert_eq!(pages.send(two).await.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn every_answer_says_what_may_run() {
    let stage = Stage::new().await;
    let pages = stage.pages();
    for path in PAGES.into_iter().chain(["/assets/script.js", "/nowhere", "/login", "/events/9"]) {
        let page = pages.get(path).await;
        let text = |name: &str| page.headers[name].to_str().unwrap();
        let policy = text("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(text("x-content-type-options"), "nosniff");
        assert_eq!(text("x-frame-options"), "DENY");
        assert_eq!(text("referrer-policy"), "same-origin");
        assert!(!page.headers.contains_key("access-control-allow-origin"));
        let kept = text("cache-control");
        assert_eq!(kept == "no-store", !path.starts_with("/assets/"), "{path}: {kept}");
        // Nothing needs an exception from the policy, and nothing comes from elsewhere.
        assert!(!page.body.contains(" style=\"") && !page.body.contains("<style"), "{path}");
        assert!(!page.body.contains("onclick") && !page.body.contains("src=\"http"), "{path}");
    }
}

/// Whoever runs a server that tells the other side's address lets nobody else in by accident.
#[tokio::test]
async fn without_a_password_other_machines_stay_outside() {
    let stage = Stage::new().await;
    let pages = stage.pages();
    let from = async |pages: &Pages, peer: &str| {
        let peer: std::net::SocketAddr = peer.parse().unwrap();
        let request =
            pages.request(Method::GET, "/accounts").extension(axum::extract::ConnectInfo(peer));
        pages.send(request.body(Body::empty()).unwrap()).await.status
    };
    assert_eq!(from(&pages, "127.0.0.1:5").await, StatusCode::OK);
    assert_eq!(from(&pages, "[::1]:5").await, StatusCode::OK);
    assert_eq!(from(&pages, "192.0.2.1:5").await, StatusCode::FORBIDDEN);
    let closed = Pages::new(stage.dashboard().with_password("correct horse".parse().unwrap()));
    assert_eq!(from(&closed, "192.0.2.1:5").await, StatusCode::SEE_OTHER);
}

/// A proxy on the same machine comes from loopback, whomever it lets through.
#[tokio::test]
async fn without_a_password_nothing_comes_through_a_proxy() {
    let stage = Stage::new().await;
    let pages = stage.pages();
    let closed = Pages::new(stage.dashboard().with_password("correct horse".parse().unwrap()));
    let get = async |pages: &Pages, path: &str, name: &str, value: &str| {
        let request = pages.request(Method::GET, path);
        let request = match name {
            // What nginx sends when only `proxy_pass` is written.
            "" => request.version(http::Version::HTTP_10),
            name => request.header(name, value),
        };
        pages.send(request.body(Body::empty()).unwrap()).await
    };
    for (name, value) in [
        ("forwarded", "for=192.0.2.1"),
        ("x-forwarded-for", "192.0.2.1"),
        ("X-Forwarded-Proto", "https"),
        ("x-forwarded-host", "ops.example.com"),
        ("x-real-ip", "192.0.2.1"),
        ("via", "1.1 proxy"),
        ("", ""),
    ] {
        for path in ["/accounts", "/assets/script.js", "/events/stream", "/login"] {
            let page = get(&pages, path, name, value).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path} {name}");
            assert!(page.body.contains("Set a password"), "{}", page.body);
        }
        let page = get(&closed, "/accounts", name, value).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{name}");
        assert_eq!(get(&closed, "/login", name, value).await.status, StatusCode::OK, "{name}");
    }
    // Whoever passes its own name on as well hears of the password, not of the name.
    let mut request = pages.request(Method::GET, "/").header("x-forwarded-for", "192.0.2.1");
    let host = "ops.example.com".parse().unwrap();
    request.headers_mut().unwrap().insert(header::HOST, host);
    let page = pages.send(request.body(Body::empty()).unwrap()).await;
    assert!(page.status == StatusCode::FORBIDDEN && page.body.contains("Set a password"));
}

/// What is sent is bounded, and what is no JSON is refused in words.
#[tokio::test]
async fn a_change_is_small_and_understood() {
    let stage = Stage::new().await;
    let pages = stage.pages();
    let token = pages.token().await;
    let send = async |body: String| {
        let request = pages
            .request(Method::POST, "/webhooks")
            .header(header::ORIGIN, format!("http://{HOST}"))
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .header("aaa-token", &token);
        pages.send(request.body(Body::from(body)).unwrap()).await
    };
    let long = format!(r#"{{"url":"{}"}}"#, "x".repeat(70_000));
    assert_eq!(send(long).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    for wrong in ["", "{", "[]", r#"{"url":7}"#, "null"] {
        let answer = send(wrong.to_owned()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(answer.body.contains("not understood"), "{}", answer.body);
    }
}
