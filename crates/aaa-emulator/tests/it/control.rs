use aaa_emulator::{Emulator, control::Traffic, settings::TimeMode};
use http::{Method, Request};
use serde_json::{Value, json};

use crate::support::{Got, Receiver, register, send, subscribe};

async fn control(emulator: &Emulator, path: &str, headers: &[(&str, &str)], body: Value) -> Got {
    let is_json = !headers.iter().any(|(name, _)| *name == "content-type");
    let mut request =
        Request::builder().method(Method::POST).uri(format!("{}/_emulator/{path}", emulator.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if is_json {
        request = request.header("content-type", "application/json");
    }
    send(request, body.to_string()).await
}

async fn look(emulator: &Emulator, path: &str) -> Value {
    let uri = format!("{}/_emulator/{path}", emulator.url());
    send(Request::builder().uri(uri), String::new()).await.body
}

#[tokio::test]
async fn the_whole_story_over_http() {
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;

    let body = json!({"kind": "tweet_create_events", "user_id": "7", "payload": {"text": "hi"}});
    let made = control(&emulator, "events?wait=true", &[], body).await;
    assert_eq!(made.status, 200, "{made:?}");
    let event = &made.body["events"][0];
    assert_eq!(
        (&event["kind"], &event["for_user_id"]),
        (&json!("tweet_create_events"), &json!("7"))
    );
    assert_eq!(receiver.arrived()[0].0["tweet_create_events"][0]["text"], "hi");

    let ledger = look(&emulator, "ledger").await;
    assert_eq!(ledger["events"][0]["id"], event["id"]);
    assert_eq!(ledger["events"][0]["key"], event["key"]);
    assert_eq!(ledger["events"][0]["webhook_id"], webhook.to_string());
    let attempt = &ledger["events"][0]["attempts"][0];
    assert_eq!((&attempt["cause"], &attempt["status"]), (&json!("live"), &json!(200)));
    assert_eq!((&attempt["job_id"], &attempt["error"]), (&Value::Null, &Value::Null));
    assert_eq!(ledger["jobs"], json!([]));
    // What it says of some events only.
    let id = event["id"].as_str().unwrap();
    let more = json!({"kind": "follow_events", "user_id": "7", "count": 2});
    control(&emulator, "events?wait=true", &[], more).await;
    let some = look(&emulator, &format!("ledger?id={id}&id=7")).await;
    assert_eq!(some["events"], ledger["events"]);
    assert!(look(&emulator, "ledger?id=seven").await["error"].is_string());

    let body = json!({"webhook_id": webhook.to_string(), "body": "{}"});
    let delivered = control(&emulator, "deliver", &[], body).await;
    assert_eq!(delivered.body, json!({"status": 200, "body": ""}));

    let before = emulator.now();
    let clock = control(&emulator, "clock", &[], json!({"advance_seconds": 60})).await;
    let now: jiff::Timestamp = clock.body["now"].as_str().unwrap().parse().unwrap();
    assert!(now.duration_since(before).as_secs() >= 60);

    let fault = json!({"action": {"type": "drop"}, "match": {"nth": 2}});
    let planned = control(&emulator, "faults", &[], fault).await;
    assert_eq!(look(&emulator, "faults").await, json!({"faults": [planned.body], "journal": []}));
    assert_eq!(look(&emulator, "state").await["webhooks"][0]["subscriptions"], json!(["7"]));

    control(&emulator, "reset", &[], json!({})).await;
    assert_eq!(look(&emulator, "state").await["webhooks"], json!([]));
    assert_eq!(look(&emulator, "ledger").await["events"], json!([]));
    assert_eq!(look(&emulator, "faults").await, json!({"faults": [], "journal": []}));
}

#[tokio::test]
async fn only_this_machine_and_no_foreign_page() {
    let emulator = Emulator::start().await.unwrap();
    let own = emulator.url();
    let port = emulator.addr().port();
    for (headers, status) in [
        (vec![("host", "example.com")], 403),
        (vec![("host", "localhost")], 200),
        (vec![("origin", "http://example.com")], 403),
        (vec![("origin", "null")], 403),
        (vec![("origin", own.as_str())], 200),
        (vec![("content-type", "text/plain")], 415),
        (vec![("content-type", "application/json; charset=utf-8")], 200),
    ] {
        let got = control(&emulator, "clock", &headers, json!({"advance_seconds": 0})).await;
        assert_eq!(got.status, status, "{headers:?}");
        assert!(got.headers.contains_key("date"));
        assert!(got.headers.contains_key("x-rate-limit-limit"));
        assert_eq!(got.body.get("error").is_some(), status != 200);
    }
    let request = Request::builder()
        .uri(format!("http://127.0.0.1:{port}/_emulator/ledger"))
        .header("host", "rebound.example");
    assert_eq!(send(request, String::new()).await.status, 403);
}

/// The credentials are no secret: a page could bring them along.
#[tokio::test]
async fn no_foreign_page_makes_calls_of_x() {
    let emulator = Emulator::start().await.unwrap();
    let own = emulator.url();
    let basic = "Basic ZW11bGF0b3Ita2V5OmVtdWxhdG9yLXNlY3JldA==";
    let (message, grant) = (json!({"text": "hi"}).to_string(), "grant_type=client_credentials");
    for (path, authorization, body, done) in [
        ("/2/dm_conversations/with/8/messages", "Bearer 7-emulator-oauth2", message.as_str(), 201),
        ("/oauth2/token", basic, grant, 200),
    ] {
        for (origin, status) in [
            (Some("http://example.com"), 403),
            (Some("http://localhost:1"), 403),
            (Some("null"), 403),
            (Some(own.as_str()), done),
            (None, done),
        ] {
            let mut request = Request::builder()
                .method(Method::POST)
                .uri(format!("{own}{path}"))
                .header("authorization", authorization)
                .header("content-type", "application/x-www-form-urlencoded");
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            assert_eq!(send(request, body.to_owned()).await.status, status, "{path} {origin:?}");
        }
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let emulator = Emulator::start().await.unwrap();
    for (path, body) in [
        ("events", json!({"kind": "nonsense", "user_id": "7"})),
        ("events", json!({"kind": "follow_events", "user_id": "7", "count": 0})),
        ("events", json!({"kind": "follow_events", "user_id": "7", "payload": []})),
        ("events", json!({"kind": "follow_events", "user_id": "0"})),
        ("events", json!({"kind": "follow_events", "user_id": 7})),
        ("events", json!({"kind": "follow_events", "user_id": "7", "cuont": 1})),
        ("clock", json!({"advance_seconds": -1})),
        ("clock", json!({"advance_seconds": 999_999_999_999_u64})),
        ("faults", json!({"action": {"type": "explode"}})),
        ("faults", json!({"action": {"type": "respond", "status": 503}})),
    ] {
        let got = control(&emulator, path, &[], body.clone()).await;
        assert_eq!(got.status, 400, "{body}");
        assert!(got.body["error"].is_string());
    }
    let body = json!({"webhook_id": "12", "body": "{}"});
    assert_eq!(control(&emulator, "deliver", &[], body).await.status, 404);
    assert_eq!(control(&emulator, "nothing", &[], json!({})).await.status, 404);
}

#[tokio::test]
async fn two_emulators_do_not_know_each_other() {
    let (one, two) = (Emulator::start().await.unwrap(), Emulator::start().await.unwrap());
    let receiver = Receiver::start().await;
    register(&one, &receiver).await;
    register(&two, &receiver).await;
    assert_eq!((one.state().webhooks.len(), two.state().webhooks.len()), (1, 1));
    let addr = one.addr();
    one.shutdown().await;
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
    assert_eq!(look(&two, "state").await["webhooks"][0]["valid"], true);
}

#[tokio::test]
async fn traffic_goes_by_the_clock() {
    let emulator = Emulator::builder().settings(crate::support::quiet()).start().await.unwrap();
    let receiver = Receiver::start().await;
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    let nothing = json!({"rate": 0.0, "users": 20, "acts": 0, "left_out": 0});
    assert_eq!(look(&emulator, "traffic").await, nothing);
    let begun = control(&emulator, "traffic", &[], json!({"rate": 0.5, "users": 3})).await;
    assert_eq!(begun.body, json!({"rate": 0.5, "users": 3, "acts": 0, "left_out": 0}));
    control(&emulator, "clock", &[], json!({"advance_seconds": 20})).await;
    assert_eq!(receiver.wait_for(10).await.len(), 10);
    assert_eq!(look(&emulator, "traffic").await["acts"], 10);

    let long = control(&emulator, "clock", &[], json!({"advance_seconds": 300_000})).await;
    assert_eq!(long.status, 400);
    let error = long.body["error"].as_str().unwrap();
    assert!(error.contains("150000 acts of traffic"), "{error}");
    assert_eq!(look(&emulator, "traffic").await["acts"], 10);
    for bad in [json!({"rate": -1}), json!({"rate": 1, "users": 1}), json!({"users": 3}), json!({})]
    {
        assert_eq!(control(&emulator, "traffic", &[], bad.clone()).await.status, 400, "{bad}");
    }
    control(&emulator, "reset", &[], json!({})).await;
    assert_eq!(look(&emulator, "traffic").await, nothing);
}

/// As a flag it is there from the beginning, and after a reset.
#[tokio::test]
async fn traffic_from_the_beginning() {
    let traffic = Traffic::new(500.0).with_users(5);
    let emulator = Emulator::builder().traffic(traffic).start().await.unwrap();
    for _ in 0..2 {
        let receiver = Receiver::start().await;
        let webhook = register(&emulator, &receiver).await;
        subscribe(&emulator, webhook, 7).await;
        let arrived = receiver.wait_for(50).await;
        assert!(arrived.iter().all(|(body, verified)| *verified && body["for_user_id"] == "7"));
        emulator.reset();
        assert_eq!(emulator.traffic().rate, 500.0);
    }
    let fast = Emulator::builder().traffic(Traffic::new(1e9)).start().await.unwrap_err();
    assert!(fast.to_string().starts_with("the traffic cannot begin: `rate`"), "{fast}");
}

/// Retries and delays take longer than anybody waits: who waits is told how it stands.
#[tokio::test]
async fn patience_ends_with_what_is_known() {
    let retries = Some(vec![jiff::SignedDuration::from_secs(3)]);
    // On a clock that stands still nobody would wait for a retry.
    let time = TimeMode::Running;
    let settings = aaa_emulator::settings::Settings { retries, time, ..crate::support::quiet() };
    let emulator = Emulator::builder().settings(settings).start().await.unwrap();
    let receiver = Receiver::start().await;
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    receiver.answer_deliveries(503);
    let ask = json!({"kind": "favorite_events", "user_id": "7", "count": 2});
    let made = control(&emulator, "events?wait=true&patience=1", &[], ask.clone()).await;
    assert_eq!(made.status, 200, "{made:?}");
    let ids: Vec<_> =
        made.body["events"].as_array().unwrap().iter().map(|e| e["id"].clone()).collect();
    assert_eq!((ids.len(), &made.body["under_way"]), (2, &json!(ids)));
    // What ends in time is waited for, and nothing is left to tell.
    receiver.answer_deliveries(200);
    let made = control(&emulator, "events?wait=true&patience=20", &[], ask).await;
    assert_eq!((made.status, made.body.get("under_way")), (200, None));
    for bad in ["61", "-1", "soon"] {
        let path = format!("events?wait=true&patience={bad}");
        let ask = json!({"kind": "favorite_events", "user_id": "7"});
        let got = control(&emulator, &path, &[], ask).await;
        assert_eq!(got.status, 400, "{bad}");
        assert!(got.body["error"].is_string());
    }
}

/// Whatever is refused under `/_emulator/` says why, in one form.
#[tokio::test]
async fn every_refusal_says_why() {
    let emulator = Emulator::start().await.unwrap();
    let mut told = Vec::new();
    for (method, path, body) in [
        (Method::POST, "/_emulator/events", "x".repeat(3 * 1024 * 1024)),
        (Method::GET, "/_emulator/events", String::new()),
        (Method::DELETE, "/_emulator/faults", String::new()),
        (Method::POST, "/_emulator/page", String::new()),
        (Method::GET, "/_emulator/", String::new()),
        (Method::GET, "/_emulator", String::new()),
        (Method::GET, "/_emulator/nothing", String::new()),
        (Method::POST, "/_emulator/deliver", json!({"webhook_id": "12", "body": ""}).to_string()),
        (Method::POST, "/_emulator/deliver", "{".to_owned()),
        (Method::GET, "/_emulator/ledger?id=seven", String::new()),
    ] {
        let request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{path}", emulator.url()))
            .header("content-type", "application/json");
        let got = send(request, body).await;
        assert_eq!(got.headers["content-type"], "application/json", "{method} {path}: {got:?}");
        if got.status == 405 {
            assert!(got.headers.contains_key("allow"), "{method} {path}");
        }
        told.push(format!("{} {}", got.status, got.body["error"].as_str().unwrap()));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    413 the body is larger than 2 MiB
    405 this control call has another method: see the documentation of `control`
    405 this control call has another method: see the documentation of `control`
    405 this control call has another method: see the documentation of `control`
    404 there is no such control call: see the documentation of `control`
    404 there is no such control call: see the documentation of `control`
    404 there is no such control call: see the documentation of `control`
    404 there is no webhook 12: `GET /_emulator/state` has all of them
    400 the body: EOF while parsing an object at line 1 column 1
    400 an id in the query is not a number
    "#);
}
