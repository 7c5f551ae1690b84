use aaa_types::{ReplayWindow, WebhookId};
use proptest::prelude::*;

use super::*;
use crate::v2::{self, ReplayRoute};

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Bytes::from(body.to_owned())).unwrap()
}

fn ok(body: &str) -> Response<Bytes> {
    response(200, &[], body)
}

fn id() -> WebhookId {
    "12".parse().unwrap()
}

fn replay() -> crate::ApiRequest<'static, aaa_types::api::ReplayJob> {
    let window =
        ReplayWindow::new("202511220400".parse().unwrap(), "202511220430".parse().unwrap());
    v2::create_replay(id(), window.unwrap(), ReplayRoute::default())
}

const WEBHOOK: &str = r#"{"id":"12","url":"https://example.com/hook","valid":true,"created_at":"2025-04-24T20:57:15.242Z"}"#;

#[test]
fn every_shape_of_a_success() {
    let url = "https://example.com/hook".parse().unwrap();
    for body in [WEBHOOK.to_owned(), format!(r#"{{"data":{WEBHOOK}}}"#)] {
        let webhook = v2::create_webhook(&url).answer(&ok(&body)).unwrap();
        assert_eq!((webhook.id, webhook.url), (id(), url.clone().into()));
    }
    for body in [
        format!(r#"{{"data":[{WEBHOOK}],"meta":{{"result_count":1}}}}"#),
        format!("[{WEBHOOK}]"),
        // A success may complain as well.
        format!(r#"{{"data":[{WEBHOOK}],"errors":[{{"message":"a field was left out"}}]}}"#),
    ] {
        assert_eq!(v2::list_webhooks().answer(&ok(&body)).unwrap().content.len(), 1, "{body}");
    }
    for body in [r#"{"data":[],"meta":{"result_count":0}}"#, r#"{"meta":{"result_count":0}}"#, "[]"]
    {
        assert!(v2::list_webhooks().answer(&ok(body)).unwrap().content.is_empty(), "{body}");
    }
    for (status, body) in
        [(200, r#"{"data":{"valid":true}}"#), (200, r#"{"data":{"attempted":true}}"#), (204, "")]
    {
        let validation = v2::validate_webhook(id()).answer(&response(status, &[], body));
        assert!(validation.unwrap().valid);
    }
    for body in [r#"{"data":{"deleted":true}}"#, r#"{"deleted":true}"#, "", "{}"] {
        assert_eq!(v2::delete_webhook(id()).answer(&ok(body)), Ok(()), "{body}");
    }
    for body in [
        r#"{"data":{"job_id":"5","created_at":"2025-04-24T20:57:15.242Z"}}"#,
        r#"{"job_id":"5","created_at":"2025-04-24T20:57:15.242Z"}"#,
        r#"{"for_user_id":"7","replay_event":{"job_id":"5","created_at":"2025-04-24T20:57:15.242Z"}}"#,
    ] {
        assert_eq!(replay().answer(&ok(body)).unwrap().job_id.as_u64(), 5);
        // Enterprise says 202.
        assert!(replay().answer(&response(202, &[], body)).is_ok());
    }
}

#[test]
fn subscriptions() {
    let user = aaa_auth::UserCredential::OAuth2("t".parse().unwrap());
    let (create, check) =
        (v2::create_subscription(id(), &user), v2::check_subscription(id(), &user));
    let remove = v2::remove_subscription(id(), 7.try_into().unwrap());
    let (yes, no) = (ok(r#"{"data":{"subscribed":true}}"#), ok(r#"{"data":{"subscribed":false}}"#));
    assert!(create.answer(&yes).unwrap().subscribed);
    assert!(check.answer(&yes).unwrap().subscribed);
    assert!(!check.answer(&no).unwrap().subscribed);
    assert!(!remove.answer(&no).unwrap().subscribed);
    let empty = response(204, &[], "");
    assert!(create.answer(&empty).unwrap().subscribed);
    assert!(!remove.answer(&empty).unwrap().subscribed);

    let list = v2::list_subscriptions(id());
    let body = r#"{"data":{"application_id":"100","webhook_id":"12","webhook_url":"https://example.com/hook","subscriptions":[{"user_id":"7"}]}}"#;
    assert_eq!(list.answer(&ok(body)).unwrap().content.subscriptions.len(), 1);
    let count = v2::count_subscriptions();
    let body = r#"{"data":{"account_name":"a","provisioned_count":"50","subscriptions_count_all":"2","subscriptions_count_direct_messages":"0"}}"#;
    assert_eq!(count.answer(&ok(body)).unwrap().subscriptions_count_all, "2");
}

#[test]
fn refusals_in_every_format() {
    let refused = |status, body: &str| {
        v2::list_webhooks().answer(&response(status, &[], body)).unwrap_err().to_string()
    };
    insta::assert_snapshot!(refused(400, r#"{"errors":[{"message":"WebhookLimitExceeded: "}],"title":"Invalid Request","detail":"One or more parameters to your request was invalid.","type":"https://api.twitter.com/2/problems/invalid-request"}"#), @"could not list the webhooks: status 400: WebhookLimitExceeded");
    insta::assert_snapshot!(refused(403, r#"{"title":"Forbidden","detail":"Not enrolled","status":403,"type":"about:blank"}"#), @"could not list the webhooks: status 403: Not enrolled");
    insta::assert_snapshot!(refused(400, r#"{"code":214,"message":"Too many resources already created."}"#), @"could not list the webhooks: status 400, code 214: Too many resources already created.");
    insta::assert_snapshot!(refused(503, "<html>over\ncapacity</html>"), @"could not list the webhooks: status 503: <html>over capacity</html>");
    // A redirect is never followed, so it is a refusal.
    insta::assert_snapshot!(refused(302, ""), @"could not list the webhooks: status 302");
    // A success that consists of errors.
    insta::assert_snapshot!(refused(200, r#"{"errors":[{"message":"CrcValidationFailed: no answer"}]}"#), @"could not list the webhooks: status 200: CrcValidationFailed: no answer");
}

#[test]
fn predicates_reach_through() {
    let refused = |status, body: &str| replay().answer(&response(status, &[], body)).unwrap_err();
    let error = refused(
        409,
        r#"{"errors":[{"code":355,"message":"A replay job is already in progress for this webhook."}]}"#,
    );
    assert!(error.is_conflict() && !error.is_duplicate() && !error.is_retryable());
    let error = refused(
        400,
        r#"{"errors":[{"message":"DuplicateSubscriptionFailed: Subscription already exists"}]}"#,
    );
    assert!(error.is_duplicate() && !error.is_conflict());
    assert!(refused(401, "").is_unauthorized());
    assert!(refused(404, "").is_not_found());
    assert!(refused(503, "").is_retryable());
    assert!(refused(503, "").maybe_sent());
    assert!(!refused(503, "").is_timeout());
}

#[test]
fn answers_that_are_not_understood() {
    let error = |body: &str| v2::list_webhooks().answer(&ok(body)).unwrap_err();
    insta::assert_snapshot!(error("<html>\u{1b}[31mlogin</html>"), @"could not list the webhooks: the answer is not understood: expected value at line 1 column 1; it begins `<html> [31mlogin</html>`");
    insta::assert_snapshot!(error(r#"{"data":[{"id":12}]}"#), @r#"could not list the webhooks: the answer is not understood: invalid type: integer `12`, expected a string; it begins `{"data":[{"id":12}]}`"#);
    insta::assert_snapshot!(error(""), @"could not list the webhooks: the answer is not understood: EOF while parsing a value at line 1 column 0");
    assert!(!error("").is_retryable());
    assert!(error("").maybe_sent());
    let long = error(&"x".repeat(5000)).to_string();
    assert!(long.len() < 400, "{long}");
    let kept = v2::delete_webhook(id()).answer(&ok(r#"{"data":{"deleted":false}}"#));
    insta::assert_snapshot!(kept.unwrap_err(), @r#"could not delete the webhook: the answer is not understood: it says that nothing was deleted; it begins `{"data":{"deleted":false}}`"#);
}

/// Of what X did not do nobody is told that it was done.
#[test]
fn a_success_that_contradicts_itself_is_none() {
    let user = aaa_auth::UserCredential::OAuth2("t".parse().unwrap());
    let create = v2::create_subscription(id(), &user);
    let remove = v2::remove_subscription(id(), 7.try_into().unwrap());
    let (yes, no) = (ok(r#"{"data":{"subscribed":true}}"#), ok(r#"{"data":{"subscribed":false}}"#));
    insta::assert_snapshot!(create.answer(&no).unwrap_err(), @r#"could not subscribe the user: the answer is not understood: it says that the user is not subscribed; it begins `{"data":{"subscribed":false}}`"#);
    insta::assert_snapshot!(remove.answer(&yes).unwrap_err(), @r#"could not remove the subscription: the answer is not understood: it says that the user is subscribed still; it begins `{"data":{"subscribed":true}}`"#);
    // X's words, where it has some.
    let body = r#"{"data":{"subscribed":false},"errors":[{"message":"WebhookIdInvalid: "}]}"#;
    assert!(create.answer(&ok(body)).unwrap_err().api().unwrap().is_unknown_webhook());

    let delete = |answer| v2::delete_webhook(id()).answer(&answer);
    let refused = delete(ok(r#"{"errors":[{"message":"WebhookIdInvalid: "}]}"#)).unwrap_err();
    assert!(refused.is_not_found());
    insta::assert_snapshot!(delete(ok("<html>welcome</html>")).unwrap_err(), @"could not delete the webhook: the answer is not understood: expected value at line 1 column 1; it begins `<html>welcome</html>`");
    assert!(delete(ok(r#"{"data":{"deleted":true},"errors":[{"message":"a"}]}"#)).is_ok());
    assert!(delete(response(204, &[], "")).is_ok());
}

#[test]
fn what_is_encoded_is_not_guessed_at() {
    let answer = |coding| response(200, &[("content-encoding", coding)], "\u{1f}\u{8b}");
    insta::assert_snapshot!(v2::list_webhooks().answer(&answer("gzip")).unwrap_err(), @"could not list the webhooks: the answer is not understood: it is encoded (gzip), which was not asked for");
    assert!(v2::delete_webhook(id()).answer(&answer("br")).is_err());
    let plain = response(200, &[("content-encoding", "identity")], "[]");
    assert!(v2::list_webhooks().answer(&plain).is_ok());
}

#[test]
fn when_to_ask_again() {
    let date = ("date", "Sat, 22 Nov 2025 04:00:00 GMT");
    let now = "2025-11-22T04:00:00Z".parse().unwrap();
    let wait = |status, headers: &[(&str, &str)], body: &str| {
        let error = v2::list_webhooks().answer(&response(status, headers, body)).unwrap_err();
        error.retry_after(now).map(|wait| wait.as_secs())
    };
    let reset = ("x-rate-limit-reset", "1763784040");
    assert_eq!(wait(429, &[reset], ""), Some(40));
    assert_eq!(
        wait(403, &[reset], r#"{"errors":[{"code":88,"message":"Rate limit exceeded"}]}"#),
        Some(40)
    );
    assert_eq!(wait(429, &[date, ("retry-after", "7")], ""), Some(7));
    assert_eq!(wait(429, &[("retry-after", "Sat, 22 Nov 2025 04:00:09 GMT")], ""), Some(9));
    assert_eq!(wait(503, &[date, ("retry-after", "7")], ""), Some(7));
    // Where two times are named, the later one.
    assert_eq!(wait(429, &[date, reset, ("retry-after", "7")], ""), Some(40));
    assert_eq!(wait(429, &[date, ("x-rate-limit-reset", "5"), ("retry-after", "7")], ""), Some(7));
    // The reset stands in every answer and means nothing for other failures.
    assert_eq!(wait(503, &[reset], ""), None);
    assert_eq!(wait(400, &[reset, date, ("retry-after", "7")], ""), None);
    for nonsense in ["", "soon", "-1", "99999999999999999999"] {
        assert_eq!(wait(429, &[("x-rate-limit-reset", nonsense)], ""), None);
        assert_eq!(wait(429, &[date, ("retry-after", nonsense)], ""), None);
    }
}

#[test]
fn request_ids_are_kept() {
    for name in ["x-transaction-id", "x-request-id"] {
        let answer = response(500, &[(name, "a1b2c3")], "");
        let error = v2::list_webhooks().answer(&answer).unwrap_err();
        assert_eq!(error.api().unwrap().request_id(), Some("a1b2c3"));
    }
}

#[test]
fn the_time_is_read_from_any_answer() {
    for status in [200, 301, 401, 429, 503] {
        let answer = response(status, &[("date", "Sat, 22 Nov 2025 04:00:00 GMT")], "");
        let time = v2::server_time().answer(&answer).unwrap();
        assert_eq!(time.to_string(), "2025-11-22T04:00:00Z");
    }
    // Not the standard's word, but nobody can mean anything else.
    let answer = response(200, &[("date", "Sat, 22 Nov 2025 04:00:01 UTC")], "");
    assert_eq!(v2::server_time().answer(&answer).unwrap().to_string(), "2025-11-22T04:00:01Z");
    for headers in [&[][..], &[("date", "yesterday")][..]] {
        let error = v2::server_time().answer(&response(401, headers, "")).unwrap_err();
        insta::allow_duplicates! {
            insta::assert_snapshot!(error, @"could not read the API's clock: the answer is not understood: status 401 without a readable `Date`");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_answers_never_panic(
        status in 100..1000_u16,
        header in "[ -~]{0,40}",
        body: Vec<u8>,
    ) {
        let headers = ["date", "retry-after", "x-rate-limit-reset", "x-transaction-id"];
        let headers = headers.map(|name| (name, header.as_str()));
        let mut response = response(status, &headers, "");
        *response.body_mut() = body.into();
        let _ = v2::list_webhooks().answer(&response).map_err(|error| error.to_string());
        let _ = v2::delete_webhook(id()).answer(&response);
        let _ = v2::server_time().answer(&response);
        let _ = replay().answer(&response);
    }
}
