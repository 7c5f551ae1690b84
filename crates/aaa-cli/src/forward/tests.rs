use aaa_store::MemoryStore;
use aaa_webhook::{
    app::App,
    delivery::Received,
    inbox::{EventLog, EventQuery, Inbox},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

async fn stored(body: &str) -> StoredDelivery {
    let app = App::new("default", "secret".parse().unwrap());
    let signature = Signature::of(app.active(), body.as_bytes()).to_string();
    let headers = HeaderMap::from_iter([(signature::HEADER, signature.parse().unwrap())]);
    let received = Received::new(body.to_owned().into(), "2025-11-22T04:13:00Z".parse().unwrap());
    let store = MemoryStore::default();
    store.commit(received.verify(&headers, &[app]).unwrap()).await.unwrap();
    let events = store.events(EventQuery::after(0, 10_000)).await.unwrap();
    StoredDelivery::split(events).remove(0)
}

fn forwarder(secret: Option<&str>) -> Forwarder {
    let to = "http://127.0.0.1:9/hook?token=t".parse().unwrap();
    Forwarder::new(to, secret.map(|secret| secret.parse().unwrap())).unwrap()
}

fn shown(headers: &HeaderMap) -> String {
    let plain = headers.iter().filter(|(name, _)| **name != signature::HEADER);
    let lines = plain.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn headers_say_what_it_is() {
    let body = r#"{"for_user_id":"7","favorite_events":[{"id":"a, ä"},{"id":"b"}]}"#;
    let delivery = stored(body).await;
    let headers = forwarder(None).headers(&delivery);
    assert_eq!(headers[signature::HEADER], delivery.signature());
    insta::assert_snapshot!(shown(&headers), @"
    content-type: application/json
    user-agent: aaa/0.1.0
    aaa-app: default
    aaa-seq: 1-2
    aaa-event-count: 2
    aaa-event-keys: 7/favorite_events:a%2C%20%C3%A4,7/favorite_events:b
    ");
    let anew = forwarder(Some("other")).headers(&delivery);
    let signature = Signature::from_headers(&anew).unwrap();
    assert!(signature.verifies(&"other".parse().unwrap(), body.as_bytes()));
}

#[tokio::test]
async fn many_keys_are_left_out() {
    let items: Vec<_> = (0..1000).map(|n| format!(r#"{{"id":"{n}"}}"#)).collect();
    let body = format!(r#"{{"for_user_id":"7","favorite_events":[{}]}}"#, items.join(","));
    let headers = forwarder(None).headers(&stored(&body).await);
    assert_eq!((&headers[SEQ], &headers[COUNT]), (&"1-1000".parse().unwrap(), &1000.into()));
    assert!(!headers.contains_key(KEYS));
}

/// Whoever was answered 200 must not send it again for what stands behind the head.
#[tokio::test]
async fn only_the_head_of_an_answer_counts() {
    let lengths = ["transfer-encoding: chunked", "content-length: 3000000", "content-length: 9"];
    for (status, taken) in [("200 OK", true), ("503 Service Unavailable", false)] {
        for length in lengths {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let to = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
            let answering = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                assert!(stream.read(&mut request).await.unwrap() > 0);
                let head = format!("HTTP/1.1 {status}\r\n{length}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                let body = match length {
                    "content-length: 3000000" => "x".repeat(2_000_000),
                    "content-length: 9" => "cut".to_owned(),
                    _ => "no chunk\r\n".to_owned(),
                };
                // Whoever does not want it does not read it.
                let _ = stream.write_all(body.as_bytes()).await;
            });
            let forwarder = Forwarder::new(to, None).unwrap();
            let delivery = stored(r#"{"for_user_id":"7","favorite_events":[{"id":"a"}]}"#).await;
            let sent = forwarder.send(delivery).await;
            answering.await.unwrap();
            assert_eq!(sent.is_ok(), taken, "{status}, {length}");
        }
    }
}

#[test]
fn what_answers_mean() {
    let mut told = Vec::new();
    for (status, after) in [
        (200, None),
        (204, None),
        (302, None),
        (400, None),
        (404, None),
        (408, None),
        (410, None),
        (429, Some("7")),
        (500, None),
        (503, Some("soon")),
        (599, None),
    ] {
        let mut answer = Response::new(());
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        if let Some(after) = after {
            answer.headers_mut().insert(header::RETRY_AFTER, after.parse().unwrap());
        }
        told.push(match judge(&answer) {
            Ok(()) => format!("{status}: taken"),
            Err(failed) if failed.is_unavailable() => format!("{failed}: for ever"),
            Err(failed) => format!("{failed}: some times"),
        });
    }
    insta::assert_snapshot!(told.join("\n"), @"
    200: taken
    204: taken
    answered 302 Found: some times
    answered 400 Bad Request: some times
    answered 404 Not Found: some times
    answered 408 Request Timeout: for ever
    answered 410 Gone: some times
    answered 429 Too Many Requests: for ever
    answered 500 Internal Server Error: for ever
    answered 503 Service Unavailable: for ever
    answered 599: for ever
    ");
}

#[test]
fn urls() {
    for (url, open) in [
        ("http://127.0.0.1:3000/hook", false),
        ("http://[::1]/", false),
        ("http://localhost/", false),
        ("https://example.com/hook?token=secret#part", false),
        ("http://app.internal:3000/hook", true),
    ] {
        assert_eq!(url.parse::<ForwardUrl>().unwrap().is_open(), open, "{url}");
    }
    let url: ForwardUrl = "https://example.com/hook?token=hush#part".parse().unwrap();
    assert_eq!(format!("{url} {url:?}").matches("hush").count(), 0);
    assert_eq!(url.uri, "https://example.com/hook?token=hush");
    for bad in ["", "/hook", "example.com", "ftp://a.b/", "http://u:p@a.b/", "https://u@a.b"] {
        assert!(bad.parse::<ForwardUrl>().is_err(), "{bad}");
    }
}
