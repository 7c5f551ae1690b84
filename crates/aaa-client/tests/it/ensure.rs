//! What is wanted is made, unless it is there.

use aaa_client::{
    ApiVersion::{V1_1, V2},
    ClientError, Ensured, NotSent, TransportError,
};
use aaa_types::{WebhookId, WebhookUrl};

use crate::fake::{Answered, FakeX, answer, oauth2, token};

fn url() -> WebhookUrl {
    "https://example.com/hook".parse().unwrap()
}

fn id() -> WebhookId {
    "12".parse().unwrap()
}

fn webhook(valid: bool) -> String {
    format!(r#"{{"id":"12","url":"https://example.com/hook","valid":{valid}}}"#)
}

fn list(webhooks: &[String]) -> Answered {
    let others = r#"{"id":"1","url":"https://example.com/other","valid":false}"#.to_owned();
    let all = [&[others], webhooks].concat().join(",");
    answer(200, &format!(r#"{{"data":[{all}]}}"#))
}

fn refused(name: &str) -> Answered {
    answer(400, &format!(r#"{{"errors":[{{"message":"{name}: "}}]}}"#))
}

fn checked() -> Answered {
    answer(200, r#"{"data":{"valid":true}}"#)
}

/// Runs `ensure_webhook` against a script, and shows how it ended and what was asked.
async fn ensure(script: impl IntoIterator<Item = Answered>) -> (Result<Ensured, String>, String) {
    let x = FakeX::script(script);
    let ensured = x.client(V2).app().ensure_webhook(&url()).await;
    let ensured = ensured.map(|ensured| {
        assert_eq!((ensured.webhook.id, ensured.webhook.valid), (id(), true));
        ensured.how
    });
    let seen = x.seen();
    let asked: Vec<_> = seen.iter().map(|line| line.split(' ').next().unwrap()).collect();
    (ensured.map_err(|error| error.to_string()), asked.join(" "))
}

#[tokio::test]
async fn one_that_is_valid_is_taken() {
    assert_eq!(ensure([list(&[webhook(true)])]).await, (Ok(Ensured::Existed), "GET".to_owned()));
}

#[tokio::test]
async fn one_that_is_invalid_is_checked_and_confirmed() {
    let script = [list(&[webhook(false)]), checked(), list(&[webhook(true)])];
    assert_eq!(ensure(script).await, (Ok(Ensured::Validated), "GET PUT GET".to_owned()));

    let script = [list(&[webhook(false)]), checked(), list(&[webhook(false)])];
    let (error, _) = ensure(script).await;
    insta::assert_snapshot!(error.unwrap_err(), @"could not validate the webhook: X was asked to check webhook 12, and does not list it as valid: see that `https://example.com/hook` answers the challenge, and try again");

    let (error, asked) = ensure([list(&[webhook(false)]), refused("CrcValidationFailed")]).await;
    insta::assert_snapshot!(error.unwrap_err(), @"could not validate the webhook: status 400: CrcValidationFailed");
    assert_eq!(asked, "GET PUT");
}

#[tokio::test]
async fn none_is_made() {
    let script = [list(&[]), answer(200, &webhook(true))];
    assert_eq!(ensure(script).await, (Ok(Ensured::Created), "GET POST".to_owned()));
    // Registered, and not valid yet.
    let script = [list(&[]), answer(200, &webhook(false)), checked(), list(&[webhook(true)])];
    assert_eq!(ensure(script).await, (Ok(Ensured::Created), "GET POST PUT GET".to_owned()));
}

#[tokio::test]
async fn a_race_is_lost_gracefully() {
    let script = [list(&[]), refused("DuplicateUrlFailed"), list(&[webhook(true)])];
    assert_eq!(ensure(script).await, (Ok(Ensured::Existed), "GET POST GET".to_owned()));
    // Written otherwise, so it cannot be found: X's refusal is the answer.
    let (error, _) = ensure([list(&[]), refused("DuplicateUrlFailed"), list(&[])]).await;
    assert!(error.unwrap_err().contains("DuplicateUrlFailed"));
}

#[tokio::test]
async fn a_lost_answer_is_looked_for() {
    let lost = || Err(TransportError::no_answer("closed"));
    let script = [list(&[]), lost(), list(&[webhook(true)])];
    assert_eq!(ensure(script).await, (Ok(Ensured::Created), "GET POST GET".to_owned()));
    let (error, asked) = ensure([list(&[]), lost(), list(&[])]).await;
    assert!(error.unwrap_err().contains("no whole answer"));
    assert_eq!(asked, "GET POST GET");
}

#[tokio::test]
async fn nothing_of_others_is_touched_when_there_is_no_place() {
    let (error, asked) = ensure([list(&[]), refused("WebhookLimitExceeded"), list(&[])]).await;
    assert!(error.unwrap_err().contains("WebhookLimitExceeded"));
    assert_eq!(asked, "GET POST GET");
}

/// v1.1 has no words for a URL that is there already.
#[tokio::test]
async fn a_race_is_lost_gracefully_whatever_x_says() {
    for words in
        ["Webhook URL does not meet the requirements.", "Too many resources already created."]
    {
        let refused = answer(403, &format!(r#"{{"errors":[{{"code":214,"message":"{words}"}}]}}"#));
        let script = [list(&[]), refused.clone(), list(&[webhook(true)])];
        assert_eq!(ensure(script).await, (Ok(Ensured::Existed), "GET POST GET".to_owned()));
        let (error, _) = ensure([list(&[]), refused, list(&[])]).await;
        assert!(error.unwrap_err().contains(words));
    }
    // A check that failed says enough.
    let (_, asked) = ensure([list(&[]), refused("CrcValidationFailed")]).await;
    assert_eq!(asked, "GET POST");
}

#[tokio::test]
async fn a_url_that_x_would_not_take_is_never_sent() {
    let x = FakeX::script([]);
    for (url, words) in [
        ("http://example.com/", "https"),
        ("https://example.com:8443/", "port"),
        ("http://127.0.0.1:8080/", "https"),
        ("https://10.0.0.1/", ""),
    ] {
        let url = url.parse().unwrap();
        for version in [V2, V1_1] {
            let app = x.client(version).app();
            for error in [
                app.ensure_webhook(&url).await.unwrap_err(),
                app.create_webhook(&url).await.unwrap_err(),
            ] {
                assert!(matches!(error, ClientError::NotSent { .. }), "{error}");
                assert!(!error.maybe_sent() && !error.is_retryable());
                let text = error.to_string();
                assert!(text.starts_with("could not create the webhook: nothing was sent: "));
                assert!(text.contains(words), "{text}");
            }
        }
    }
    assert!(x.seen().is_empty());
}

#[tokio::test]
async fn a_subscription_that_is_there_is_as_good() {
    let exists = [
        r#"{"errors":[{"message":"DuplicateSubscriptionFailed: Subscription already exists"}]}"#,
        r#"{"errors":[{"code":355,"message":"Subscription already exists."}]}"#,
    ];
    for body in exists {
        let x = FakeX::script([answer(400, body), answer(200, r#"{"data":{"subscribed":true}}"#)]);
        let user = x.client(V2).user(oauth2("7"));
        assert_eq!(user.ensure_subscription(id()).await, Ok(Ensured::Existed));
        assert_eq!(user.ensure_subscription(id()).await, Ok(Ensured::Created));
    }
    // An answer that contradicts itself is no success.
    let x = FakeX::script([answer(200, r#"{"data":{"subscribed":false}}"#)]);
    let error = x.client(V2).user(oauth2("7")).ensure_subscription(id()).await.unwrap_err();
    insta::assert_snapshot!(error, @r#"could not subscribe the user: the answer is not understood: it says that the user is not subscribed; it begins `{"data":{"subscribed":false}}`"#);
    // Unlike a plain subscription it is asked for again, since the state is what counts.
    let x = FakeX::script([answer(503, ""), answer(409, exists[1])]);
    let user = x.client(V1_1).user(token("7"));
    assert_eq!(user.ensure_subscription(id()).await, Ok(Ensured::Existed));
    assert_eq!(x.seen().len(), 2);
}

#[tokio::test]
async fn v1_1_takes_no_oauth2_and_v2_has_no_own_route() {
    let x = FakeX::script([]);
    let user = x.client(V1_1).user(oauth2("7"));
    let errors = [
        user.subscribe(id()).await.unwrap_err(),
        user.ensure_subscription(id()).await.unwrap_err(),
        user.check_subscription(id()).await.unwrap_err(),
        user.unsubscribe(id()).await.unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(error, ClientError::NotSent { reason: NotSent::OAuth2OnV1_1, .. }),
            "{error}"
        );
    }
    // A message goes over v2 in any case, which takes it.
    let sent = r#"{"data":{"dm_conversation_id":"7-8","dm_event_id":"5"}}"#;
    let v2 = FakeX::script([answer(201, sent)]);
    let message = aaa_types::api::NewDirectMessage::text("hello").unwrap();
    let user = v2.client(V1_1).user(oauth2("7"));
    user.send_direct_message(8.try_into().unwrap(), &message).await.unwrap();
    assert_eq!(v2.seen(), [r#"POST /2/dm_conversations/with/8/messages {"text":"hello"}"#]);

    let error = x.client(V2).user(token("7")).unsubscribe(id()).await.unwrap_err();
    insta::assert_snapshot!(error, @"could not unsubscribe the user: nothing was sent: on v2 a subscription is ended by the app: remove it by the user's id, with the app's bearer token");
    assert!(x.seen().is_empty());
}
