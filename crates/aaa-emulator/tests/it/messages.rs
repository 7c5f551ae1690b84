use aaa_emulator::{
    Emulator,
    control::{Action, Fault, Match, Operation},
    credentials::user_token,
    settings::{AppAccess, Settings},
};
use http::{Method, Request};
use serde_json::{Value, json};

use crate::support::{Got, Receiver, call, register, send, signed, subscribe};

/// Sends with the user's OAuth 2.0 token.
async fn say(emulator: &Emulator, sender: u64, recipient: &str, body: Value) -> Got {
    let path = format!("/2/dm_conversations/with/{recipient}/messages");
    let request = Request::post(format!("{}{path}", emulator.url()))
        .header("authorization", format!("Bearer {}", user_token(sender).oauth2))
        .header("content-type", "application/json");
    send(request, body.to_string()).await
}

#[tokio::test]
async fn a_message_comes_back_to_both() {
    let (emulator, receiver) = (Emulator::start().await.unwrap(), Receiver::start().await);
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    subscribe(&emulator, webhook, 8).await;
    let path = "/2/dm_conversations/with/8/messages";
    let request = signed(&emulator, 7, &user_token(7).secret, Method::POST, path, "n");
    let body = json!({"text": "hello", "attachments": [{"media_id": "12"}]}).to_string();
    let got = send(request.header("content-type", "application/json"), body).await;
    assert_eq!(got.status, 201, "{got:?}");
    assert_eq!(got.headers["x-rate-limit-limit"], "15");
    assert_eq!(got.headers["x-rate-limit-remaining"], "14");
    let data = &got.body["data"];
    assert_eq!(data["dm_conversation_id"], "7-8");
    let arrived = receiver.wait_for(2).await;
    let mut users = Vec::new();
    for (body, verified) in &arrived {
        assert!(verified);
        users.push(body["for_user_id"].as_str().unwrap());
        assert_eq!(body["direct_message_events"][0]["id"], data["dm_event_id"]);
    }
    users.sort_unstable();
    assert_eq!(users, ["7", "8"]);
}

#[tokio::test]
async fn what_is_refused() {
    let emulator = Emulator::start().await.unwrap();
    let text = || json!({"text": "hello"});
    for recipient in ["7", "10000000", "0"] {
        let got = say(&emulator, 7, recipient, text()).await;
        insta::allow_duplicates!(
            insta::assert_snapshot!(got.shown(), @r#"403 application/problem+json {"detail":"You do not have permission to DM one or more participants.","status":403,"title":"Forbidden","type":"about:blank"}"#)
        );
    }
    for recipient in ["x", "-1", "12345678901234567890"] {
        let got = say(&emulator, 9, recipient, text()).await;
        insta::allow_duplicates!(
            insta::assert_snapshot!(got.shown(), @r#"400 application/json; charset=utf-8 {"detail":"One or more parameters to your request was invalid.","errors":[{"message":"The `participant_id` path parameter value is not valid."}],"title":"Invalid Request","type":"https://api.twitter.com/2/problems/invalid-request"}"#)
        );
    }
    let got = say(&emulator, 8, "7", json!({})).await;
    insta::assert_snapshot!(got.shown(), @r#"400 application/json; charset=utf-8 {"detail":"One or more parameters to your request was invalid.","errors":[{"message":"$: at least one of `text`, `attachments` is required"}],"title":"Invalid Request","type":"https://api.twitter.com/2/problems/invalid-request"}"#);
    let got = say(&emulator, 8, "7", json!({"text": "hello", "to": "8"})).await;
    insta::assert_snapshot!(got.shown(), @r#"400 application/json; charset=utf-8 {"detail":"One or more parameters to your request was invalid.","errors":[{"message":"$: unknown field `to`, expected `text` or `attachments` at line 1 column 20"}],"title":"Invalid Request","type":"https://api.twitter.com/2/problems/invalid-request"}"#);
    let path = "/2/dm_conversations/with/8/messages";
    let got = call(&emulator, Method::POST, path, text()).await;
    assert_eq!((got.status, &got.body["title"]), (403, &json!("Unsupported Authentication")));
    assert_eq!(call(&emulator, Method::GET, path, Value::Null).await.status, 405);

    let when = Match { operation: Some(Operation::SendMessage), ..Match::default() };
    let action = Action::Respond { status: 503, form: None };
    emulator.plan_fault(Fault { when, action, times: 1 }).unwrap();
    assert_eq!(say(&emulator, 12, "7", text()).await.status, 503);
    for _ in 1..15 {
        assert_eq!(say(&emulator, 12, "7", text()).await.status, 201);
    }
    let got = say(&emulator, 12, "7", text()).await;
    assert_eq!(got.coded(), (429, 88, "Rate limit exceeded"));
    assert_eq!(say(&emulator, 13, "7", text()).await.status, 201);
}

#[tokio::test]
async fn messages_need_permission_to_write_but_not_the_product() {
    for (access, status) in [(AppAccess::ReadOnly, 403), (AppAccess::NotEnrolled, 201)] {
        let settings = Settings { access, ..Settings::default() };
        let emulator = Emulator::builder().settings(settings).start().await.unwrap();
        let got = say(&emulator, 7, "8", json!({"text": "hello"})).await;
        assert_eq!(got.status, status, "{got:?}");
    }
}
