use aaa_auth::{Consumer, UserCredential, UserToken, oauth1::Authorization};
use aaa_client::v2::ReplayRoute;
use aaa_types::{ReplayWindow, WebhookId};
use http::{HeaderValue, Method};

use crate::server::{Reply, Server};

fn id() -> WebhookId {
    "12".parse().unwrap()
}

fn window() -> ReplayWindow {
    ReplayWindow::new("202511220400".parse().unwrap(), "202511220430".parse().unwrap()).unwrap()
}

#[tokio::test]
async fn a_webhook_is_registered_with_the_bearer_token() {
    let body = r#"{"data":{"id":"12","url":"https://example.com/hook","valid":true}}"#;
    let server = Server::start(&[Reply::new(200, &[], body)]).await;
    let url = "https://example.com/hook".parse().unwrap();
    let webhook = server.client().app().create_webhook(&url).await.unwrap();
    assert_eq!(webhook.id, id());

    let seen = &server.seen()[0];
    assert_eq!(seen.line, "POST /2/webhooks");
    assert_eq!(seen.header("authorization"), Some("Bearer AAAA"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("accept"), Some("application/json"));
    assert!(seen.header("user-agent").unwrap().starts_with("aaa-client/"));
    assert_eq!(seen.body, r#"{"url":"https://example.com/hook"}"#);
}

#[tokio::test]
async fn a_subscription_is_signed_by_its_user_for_the_host_that_is_called() {
    let body = r#"{"data":{"subscribed":true}}"#;
    let server = Server::start(&[Reply::new(200, &[], body)]).await;
    let client = server.client();
    let token = UserToken::new("7-token".parse().unwrap(), "7-secret".parse().unwrap());
    let user = UserCredential::OAuth1(token.clone());
    for _ in 0..2 {
        let state = client.user(user.clone()).subscribe(id()).await.unwrap();
        assert!(state.subscribed);
    }

    let consumer = Consumer::new("app".parse().unwrap(), "app-secret".parse().unwrap());
    let seen = server.seen();
    let signed: Vec<_> = seen
        .iter()
        .map(|seen| {
            assert_eq!(seen.body, "{}");
            let path = seen.line.strip_prefix("POST ").unwrap();
            let host = seen.header("host").unwrap();
            let url = format!("http://{host}{path}").parse().unwrap();
            let header: HeaderValue = seen.header("authorization").unwrap().parse().unwrap();
            let authorization = Authorization::parse(&header).unwrap();
            authorization
                .verify(&Method::POST, &url, &[], &consumer.secret, Some(&token.secret))
                .unwrap();
            authorization
        })
        .collect();
    assert_ne!(signed[0].nonce(), signed[1].nonce());
}

#[tokio::test]
async fn an_empty_request_says_so() {
    let server = Server::start(&[Reply::new(200, &[], r#"{"data":{"valid":true}}"#)]).await;
    assert!(server.client().app().validate_webhook(id()).await.unwrap().valid);
    let seen = &server.seen()[0];
    assert_eq!(seen.line, "PUT /2/webhooks/12");
    assert_eq!(seen.header("content-length"), Some("0"));
}

#[tokio::test]
async fn the_date_of_any_answer_is_the_time() {
    let date = "Date: Sat, 22 Nov 2025 04:00:00 GMT";
    let list = r#"{"data":[]}"#;
    let script = [Reply::new(200, &[date], list), Reply::new(401, &[date], "")];
    let server = Server::start(&script).await;
    let client = server.client();
    for _ in 0..2 {
        let time = client.server_time().await.unwrap();
        assert_eq!(time.to_string(), "2025-11-22T04:00:00Z");
    }
    assert_eq!(server.seen()[1].line, "GET /2/webhooks");
}

#[tokio::test]
async fn a_replay_falls_back_to_the_older_route() {
    let job = r#"{"job_id":"5","created_at":"2025-11-22T05:00:00.000Z"}"#;
    let script = [Reply::new(404, &[], ""), Reply::new(200, &[], job)];
    let server = Server::start(&script).await;
    let created = server.client().app().create_replay(id(), window()).await.unwrap();
    assert_eq!(created.job_id.as_u64(), 5);

    let seen = server.seen();
    assert_eq!(seen[0].line, "POST /2/webhooks/replay");
    assert_eq!(
        seen[0].body,
        r#"{"from_date":"202511220400","to_date":"202511220430","webhook_id":"12"}"#
    );
    assert_eq!(
        seen[1].line,
        "POST /2/account_activity/replay/webhooks/12/subscriptions/all\
         ?from_date=202511220400&to_date=202511220430"
    );
    assert_eq!(seen[1].body, "");
}

#[tokio::test]
async fn a_replay_takes_the_older_route_when_told() {
    let job = r#"{"job_id":"5"}"#;
    let server = Server::start(&[Reply::new(200, &[], job)]).await;
    let api = format!("http://{}", server.address).parse().unwrap();
    let client = aaa_client::Client::builder(api)
        .bearer("AAAA".parse().unwrap())
        .replay_route(ReplayRoute::AccountActivity)
        .build()
        .unwrap();
    client.app().create_replay(id(), window()).await.unwrap();
    assert!(server.seen()[0].line.starts_with("POST /2/account_activity/replay/"));
}

#[tokio::test]
async fn an_unknown_webhook_is_no_missing_route() {
    let body = r#"{"errors":[{"message":"WebhookIdInvalid: "}],"title":"Invalid Request"}"#;
    let server = Server::start(&[Reply::new(404, &[], body)]).await;
    let error = server.client().app().create_replay(id(), window()).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn no_proxy_is_taken_from_the_environment() {
    // A process of its own, since the environment is the whole process's.
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "success::the_date_of_any_answer_is_the_time"])
        .envs(
            ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
                .map(|n| (n, "http://127.0.0.1:1")),
        )
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&status.stdout);
    assert!(output.contains("1 passed"), "{output}");
}

#[tokio::test]
async fn calls_can_be_spawned() {
    let body = r#"{"data":{"subscribed":true}}"#;
    let server = Server::start(&[Reply::new(200, &[], body)]).await;
    let client = server.client();
    let user = UserCredential::OAuth2("7-oauth2".parse().unwrap());
    let call = tokio::spawn(async move { client.user(user).check_subscription(id()).await });
    assert!(call.await.unwrap().unwrap().subscribed);
    assert_eq!(server.seen()[0].header("authorization"), Some("Bearer 7-oauth2"));
}
