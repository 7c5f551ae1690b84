use aaa_emulator::{
    Emulator,
    control::{Action, Fault, Match, Operation},
    credentials::user_token,
};
use http::{Method, Request};
use serde_json::{Value, json};

use crate::support::{Receiver, call, register, send, signed, subscribe};

#[tokio::test]
async fn signatures_are_really_verified() {
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    let path = format!("/2/account_activity/webhooks/{webhook}/subscriptions/all");
    let right = user_token(7).secret;
    let sign = |secret: &str, method, nonce| signed(&emulator, 7, secret, method, &path, nonce);

    let wrong = send(sign("8-emulator-secret", Method::POST, "a"), "{}".into()).await;
    assert_eq!(wrong.status, 401);
    assert_eq!(
        wrong.body,
        json!({"errors": [{"code": 32, "message": "Could not authenticate you."}]})
    );
    let before = send(sign(&right, Method::GET, "b"), String::new()).await;
    assert_eq!(before.body, json!({"data": {"subscribed": false}}));
    let made = send(sign(&right, Method::POST, "c"), String::new()).await;
    assert_eq!(made.body, json!({"data": {"subscribed": true}}));
    let replayed = send(sign(&right, Method::POST, "c"), String::new()).await;
    assert_eq!(replayed.status, 401);
    let again = send(sign(&right, Method::POST, "d"), String::new()).await;
    assert_eq!(again.error(), "DuplicateSubscriptionFailed: Subscription already exists");
    let after = send(sign(&right, Method::GET, "e"), String::new()).await;
    assert_eq!(after.body, json!({"data": {"subscribed": true}}));
}

#[tokio::test]
async fn bearer_tokens_and_who_may_what() {
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    let path = format!("/2/account_activity/webhooks/{webhook}/subscriptions/all");
    let with = |method: Method, path: &str, authorization: Option<&str>| {
        let mut request =
            Request::builder().method(method).uri(format!("{}{path}", emulator.url()));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        send(request, String::new())
    };
    for nobody in [None, Some("Bearer x"), Some("Basic eDp5"), Some("Bearer 0-emulator-oauth2")] {
        let got = with(Method::GET, "/2/webhooks", nobody).await;
        assert_eq!(got.status, 401);
        assert_eq!(
            got.body,
            json!({"title": "Unauthorized", "type": "about:blank", "status": 401,
                "detail": "Unauthorized"})
        );
    }
    let app = with(Method::POST, &path, Some("Bearer emulator-bearer")).await;
    assert_eq!((app.status, &app.body["title"]), (403, &json!("Unsupported Authentication")));
    let user = with(Method::POST, &path, Some("Bearer 9-emulator-oauth2")).await;
    assert_eq!(user.body, json!({"data": {"subscribed": true}}));
    let user = with(Method::GET, "/2/webhooks", Some("Bearer 9-emulator-oauth2")).await;
    assert_eq!(user.status, 403);
    assert!(user.body["type"].as_str().unwrap().ends_with("/unsupported-authentication"));
    let missing = with(Method::GET, "/2/nothing", Some("Bearer emulator-bearer")).await;
    assert_eq!(missing.status, 404);
    let method = with(Method::PATCH, "/2/webhooks", Some("Bearer emulator-bearer")).await;
    assert_eq!((method.status, &method.headers["allow"]), (405, &"GET, POST".parse().unwrap()));

    let owner = |nonce| {
        let secret = user_token(1).secret;
        let path = format!("/2/webhooks/{webhook}");
        signed(&emulator, 1, &secret, Method::PUT, &path, nonce)
    };
    assert_eq!(send(owner("a"), String::new()).await.status, 200);
}

#[tokio::test]
async fn lists_and_counts() {
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    subscribe(&emulator, webhook, 12).await;
    let base = format!("/2/account_activity/webhooks/{webhook}/subscriptions");
    let list = call(&emulator, Method::GET, &format!("{base}/all/list"), Value::Null).await;
    assert_eq!(
        list.body,
        json!({"data": {
            "application_id": "100",
            "webhook_id": webhook.to_string(),
            "webhook_url": receiver.url(),
            "subscriptions": [{"user_id": "7"}, {"user_id": "12"}],
        }})
    );
    let count = "/2/account_activity/subscriptions/count";
    let got = call(&emulator, Method::GET, count, Value::Null).await;
    assert_eq!(
        got.body,
        json!({"data": {
            "account_name": "emulator",
            "provisioned_count": "5000",
            "subscriptions_count_all": "2",
            "subscriptions_count_direct_messages": "0",
        }})
    );
    let path = format!("{base}/7/all");
    let remove = || call(&emulator, Method::DELETE, &path, Value::Null);
    assert_eq!(remove().await.body, json!({"data": {"subscribed": false}}));
    assert_eq!(remove().await.error(), "SubscriptionNotFound: ");
}

#[tokio::test]
async fn limits_dates_and_planned_answers() {
    let emulator = Emulator::start().await.unwrap();
    let list = || call(&emulator, Method::GET, "/2/webhooks", Value::Null);
    for used in 1..=450 {
        let got = list().await;
        assert_eq!(got.headers["x-rate-limit-limit"], "450");
        assert_eq!(got.headers["x-rate-limit-remaining"], (450 - used).to_string());
    }
    let got = list().await;
    assert_eq!(got.status, 429);
    assert_eq!(got.body, json!({"errors": [{"code": 88, "message": "Rate limit exceeded"}]}));
    let reset: i64 = got.headers["x-rate-limit-reset"].to_str().unwrap().parse().unwrap();
    assert!(reset > emulator.now().as_second());
    // A window ends with a whole second.
    emulator.advance(std::time::Duration::from_secs(15 * 60 + 1)).await.unwrap();
    let got = list().await;
    assert_eq!(got.status, 200);
    let date = got.headers["date"].to_str().unwrap();
    let date = jiff::Timestamp::strptime("%a, %d %b %Y %H:%M:%S GMT %z", format!("{date} +0000"));
    assert!(emulator.now().duration_since(date.unwrap()).abs().as_secs() <= 2);

    let when = Match { operation: Some(Operation::ListWebhooks), ..Match::default() };
    let action = Action::Respond { status: 503, form: None };
    emulator.plan_fault(Fault { when, action, times: 1 }).unwrap();
    assert_eq!(list().await.status, 503);
    assert_eq!(list().await.status, 200);
}
