use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::api::{Answer, SubscriptionState};

fn parse(status: u16, body: &str) -> ApiError {
    ApiError::parse(status, body.as_bytes())
}

fn v2(words: &str) -> String {
    serde_json::json!({
        "errors": [{ "message": words }],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": "https://api.twitter.com/2/problems/invalid-request",
    })
    .to_string()
}

fn v1(code: i64, message: &str) -> String {
    serde_json::json!({ "errors": [{ "code": code, "message": message }] }).to_string()
}

/// What an error says, and what it is taken for.
fn described(error: &ApiError) -> String {
    let is = [
        ("retryable", error.is_retryable()),
        ("rate-limited", error.is_rate_limited()),
        ("limit-reached", error.is_limit_reached()),
        ("duplicate", error.is_duplicate()),
        ("conflict", error.is_conflict()),
        ("unauthorized", error.is_unauthorized()),
        ("forbidden", error.is_forbidden()),
        ("not-found", error.is_not_found()),
        ("unknown-webhook", error.is_unknown_webhook()),
        ("missing-page", error.is_missing_page()),
        ("not-subscribed", error.is_not_subscribed()),
        ("invalid-webhook", error.is_invalid_webhook()),
        ("invalid-window", error.is_invalid_window()),
    ];
    let is: Vec<_> = is.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
    let mut text = format!("{error}\n    is: {}\n", is.join(", "));
    if let Some(cause) = error.cause() {
        writeln!(text, "    cause: {cause:?}").unwrap();
    }
    let advice: String = error.advice().unwrap_or("-").chars().take(70).collect();
    writeln!(text, "    advice: {advice}").unwrap();
    text
}

fn table<'a>(rows: impl IntoIterator<Item = (u16, &'a str)>) -> String {
    rows.into_iter().map(|(status, body)| described(&parse(status, body))).collect()
}

#[test]
fn every_name_of_v2() {
    let words = [
        "CrcValidationFailed: URL returned bad response during CRC with error: Invalid `response_token`",
        "CrcValidationFailed: High latency on CRC GET request. Your webhook should respond in less than 10 seconds.",
        "CrcValidationFailed: Webhook is marked invalid and requires a CRC check.",
        "CrcValidationFailed: ",
        "UrlValidationFailed: ",
        "DuplicateUrlFailed: ",
        "WebhookLimitExceeded: ",
        "WebhookIdInvalid: ",
        "DuplicateSubscriptionFailed: Subscription already exists",
        "SubscriptionLimitExceeded: ",
        "SubscriptionNotFound: ",
        "QueryParamInvalid: from_date must be before to_date",
        "ReplayConflictError: ",
        "SomethingElseFailed: why",
    ];
    let bodies = words.map(v2);
    insta::assert_snapshot!(table(bodies.iter().map(|body| (400, body.as_str()))));
}

#[test]
fn every_row_of_v1_1() {
    let rows = [
        (403, 214, "Webhook URL does not meet the requirements."),
        (403, 214, "Too many resources already created."),
        (
            403,
            214,
            "Webhook URL does not meet the requirements. Invalid CRC token or json response format.",
        ),
        (
            403,
            214,
            "High latency on CRC GET request. Your webhook should respond in less than 3 seconds.",
        ),
        (400, 214, "Non-200 response code during CRC GET request (i.e. 404, 500, etc)."),
        (400, 214, "Webhook is marked invalid and requires a CRC check."),
        (403, 214, "Webhook URL already registered."),
        (403, 214, "Something new."),
        (404, 34, "Webhook does not exist or is associated with a different X application."),
        (404, 34, "Sorry, that page does not exist."),
        (401, 32, "Could not authenticate you."),
        (401, 32, "Invalid authentication method. Please use application-only authentication."),
        (
            401,
            348,
            "Client application is not permitted to access this user's webhook subscriptions.",
        ),
        (409, 355, "Subscription already exists."),
        (409, 355, "A replay job is already in progress for this webhook."),
        (409, 355, "Something new."),
        (403, 200, "Forbidden."),
        (401, 61, "Client is not permitted to perform this action"),
        (401, 99, "You do not have access to this resource."),
        (403, 99, "Unable to verify your credentials"),
        (403, 220, "Your credentials do not allow access to this resource."),
        (403, 261, "Application cannot perform write actions."),
        (400, 356, "from_date must be before to_date."),
        (400, 356, "from_date must be within the past 5 days."),
        (400, 357, "from_date: queryParam is required."),
        (400, 358, "Unable to parse parameter."),
        (400, 360, "webhook_id: [-1] is not greater than or equal to 0"),
        (400, 368, "from_date : [2019-08-01] is not in the past"),
        (401, 89, "Invalid or expired token"),
        (400, 215, "Bad Authentication data."),
        (429, 88, "Rate limit exceeded"),
        (503, 67, "Backend service is unavailable."),
        (500, 0, "Internal error."),
        (403, 453, "You currently have access to a subset of X API endpoints."),
        (400, 9999, "Nobody knows."),
    ];
    let bodies = rows.map(|(status, code, message)| (status, v1(code, message)));
    insta::assert_snapshot!(table(bodies.iter().map(|(status, body)| (*status, body.as_str()))));
}

#[test]
fn every_other_format() {
    let problem = |word: &str| {
        format!(
            r#"{{"title":"T","detail":"D of {word}","type":"https://api.x.com/2/problems/{word}","status":1}}"#
        )
    };
    let rows = [
        // Problems on their own.
        (400, problem("invalid-request")),
        (404, problem("resource-not-found")),
        (403, problem("client-forbidden")),
        (403, problem("not-authorized-for-resource")),
        (403, problem("oauth1-permissions")),
        (429, problem("usage-capped")),
        (429, problem("rate-limit-exceeded")),
        (403, problem("unsupported-authentication")),
        (500, problem("internal-error")),
        (400, problem("something-new")),
        (
            401,
            r#"{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}"#
                .into(),
        ),
        (403, r#"{"title":"Forbidden","type":"about:blank","status":403}"#.into()),
        (404, r#"{"title":"Not Found","type":"about:blank","status":404}"#.into()),
        // Names where some clients saw them.
        (409, r#"{"errors":[{"title":"DuplicateUrlFailed"}]}"#.into()),
        (409, r#"{"title":"ReplayConflictError"}"#.into()),
        (409, r#"{"title":"Conflict","detail":"Webhook already exists."}"#.into()),
        (409, r#"{"title":"Conflict"}"#.into()),
        // A code and a message.
        (500, r#"{"code":131,"message":"Internal error"}"#.into()),
        (400, r#"{"code":"214","message":"TOO MANY RESOURCES ALREADY CREATED"}"#.into()),
        // The first element that says something.
        (400, r#"{"errors":[{},{"message":" "},"words",{"message":"more"}],"title":"T"}"#.into()),
        (400, r#"{"errors":"sorry"}"#.into()),
        (400, r#"{"errors":{"code":34,"message":"Sorry"}}"#.into()),
        (
            403,
            r#"{"error":"invalid_request","error_description":"Value passed was invalid."}"#.into(),
        ),
        (401, r#"{"error":{"message":"Not allowed.","code":32}}"#.into()),
        (401, r#"{"request":"/1.1/a.json","error":"Not authorized."}"#.into()),
        // A code that does not fit.
        (400, r#"{"errors":[{"code":99999999999999999999,"message":"huge"}]}"#.into()),
        (400, r#"{"errors":[{"code":"E12","message":"a word"}]}"#.into()),
        // No words, and no JSON.
        (403, "{}".into()),
        (403, "null".into()),
        (401, String::new()),
        (404, "<html>Not Found</html>".into()),
        (503, "<html>\u{1b}[31mover\ncapacity</html>".into()),
        (302, String::new()),
        (408, String::new()),
        (418, "\u{feff}{\"detail\":\"teapot\"}".into()),
    ];
    insta::assert_snapshot!(table(rows.iter().map(|(status, body)| (*status, body.as_str()))));
}

#[test]
fn all_errors_are_kept() {
    let body = r#"{"errors":[{"code":34,"message":"one"},{"code":88,"label":"l","title":"t",
        "detail":"two","parameters":{"url":["x"]},"type":"about:blank"}],"title":"outside"}"#;
    let error = parse(400, body);
    let words: Vec<_> = error.errors().iter().map(Problem::words).collect();
    assert_eq!(words, [Some("one"), Some("two")]);
    assert_eq!(error.code(), Some(ErrorCode::NotFound));
    assert_eq!(error.errors()[1].code(), Some(ErrorCode::RateLimited));
    assert_eq!(error.errors()[1].label(), Some("l"));
    assert_eq!(error.errors()[1].problem_type(), None);
    assert_eq!(error.problem().unwrap().title(), Some("outside"));
    insta::assert_snapshot!(error, @"status 400, code 34: one");
    assert!(error.is_rate_limited(), "the second element counts too");
}

/// The path is about `webhooks`, and a webhook is about one.
#[test]
fn a_path_in_the_words_is_no_webhook() {
    let route = parse(404, r#"{"detail":"No route POST /2/webhooks/replay"}"#);
    assert!(route.is_missing_page() && !route.is_unknown_webhook());
    let webhook = parse(404, r#"{"detail":"The webhook_id 12 is not known"}"#);
    assert!(webhook.is_unknown_webhook() && !webhook.is_missing_page());
}

#[test]
fn nothing_reaches_a_terminal_that_steers_it() {
    let error = parse(400, r#"{"code":"\u001b[1m","message":"a\u001b[31mb\u0007"}"#);
    let error = error.with_request_id("x\u{1b}[1m");
    let shown = format!("{error} {error:?} {error:#?} {:?}", error.problem());
    let steers = |c: char| c.is_control() && c != '\n';
    assert!(!shown.contains(steers), "{shown:?}");
    insta::assert_snapshot!(error, @"status 400, code  [1m: a [31mb  (request x [1m)");
}

#[test]
fn waiting_for_the_reset() {
    let now: Timestamp = "2025-11-22T04:00:00Z".parse().unwrap();
    let error = parse(429, "").with_rate_limit_reset(now + SignedDuration::from_secs(40));
    assert_eq!(error.retry_after(now), Some(SignedDuration::from_secs(40)));
    let later = now + SignedDuration::from_secs(60);
    assert_eq!(error.retry_after(later), Some(SignedDuration::ZERO));
    assert_eq!(parse(429, "").retry_after(now), None);
}

#[test]
fn a_megabyte_is_kept_and_not_shown() {
    let body = v1(214, &"x".repeat(1 << 20));
    let error = parse(400, &body);
    assert_eq!(error.body(), body.as_bytes());
    assert_eq!(error.message().len(), 1 << 20);
    assert!(error.to_string().len() < 1100);
    assert!(format!("{error:?} {error:#?}").len() < 6000);
}

#[test]
fn debug_shows_what_matters() {
    let error = parse(400, &v1(214, "no")).with_request_id("a1");
    insta::assert_snapshot!(format!("{error:?}"));
}

/// JSON such as nobody should answer.
fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Value, json};
    let words = prop::sample::select(vec![
        "errors",
        "error",
        "code",
        "message",
        "title",
        "detail",
        "type",
        "label",
        "parameters",
        "data",
        "CrcValidationFailed: timeout",
        "about:blank",
        "https://api.x.com/2/problems/a",
        "Sorry, that page does not exist.",
        "88",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        prop::sample::select(vec![0, 32, 34, 88, 214, 355, 356]).prop_map(Value::from),
        words.clone().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((words.clone(), inner), 0..4).prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}

/// A megabyte of errors costs little more than itself, and the words that count are the first.
#[test]
fn a_list_without_end_is_read_to_a_point() {
    let list = format!(r#"{{"code":88,"message":"slow down"}}{}"#, ",{}".repeat(300_000));
    let body = format!(r#"{{"errors":[{list}]}}"#);
    let error = parse(429, &body);
    assert_eq!((error.errors().len(), error.message()), (MOST, "slow down"));
    assert!(error.is_rate_limited());
    assert_eq!(error.body(), body.as_bytes());
    let both = format!(r#"{{"data":{{"subscribed":true}},"errors":[{list}]}}"#);
    let answer = Answer::<SubscriptionState>::with_errors(both.as_bytes()).unwrap();
    assert_eq!(answer.errors.len(), MOST);
    // What would be many times as large when taken apart is left as text.
    let long = format!(r#"{{"parameters":[{}0]}}"#, "0,".repeat(10_000));
    let error = parse(400, &format!(r#"{{"errors":[{long}]}}"#));
    assert_eq!(error.errors()[0].json(), long);
    assert!(error.errors()[0].parameters().is_none());
    // Nor does an identifier, which is a stranger's text as well, fill a log.
    let error = parse(400, "{}").with_request_id("x".repeat(100_000));
    assert!(format!("{error} {error:?}").len() < 1000);
}

proptest! {
    #[test]
    fn arbitrary_json_is_kept_byte_for_byte(status: u16, json in json()) {
        let body = json.to_string();
        let error = parse(status, &body);
        prop_assert_eq!(error.body(), body.as_bytes());
        prop_assert_eq!(error.body_text(), body.as_str());
        described(&error);
        if let Some(list) = json.get("errors").and_then(serde_json::Value::as_array) {
            prop_assert!(error.errors().len() >= list.len().min(MOST));
            for (problem, value) in error.errors().iter().zip(list) {
                prop_assert_eq!(problem.json(), value.to_string());
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_kept_too(status: u16, body: Vec<u8>) {
        let error = ApiError::parse(status, &body);
        prop_assert_eq!(error.body(), &*body);
        described(&error);
    }

    /// Who is refused is told one reason to look for, not two.
    #[test]
    fn refused_credentials_and_missing_rights_exclude_each_other(status: u16, json in json()) {
        let error = parse(status, &json.to_string());
        prop_assert!(!(error.is_unauthorized() && error.is_forbidden()));
        prop_assert!(!(error.is_missing_page() && error.is_unknown_webhook()));
    }

    /// Nothing is added to X's words but the status, the code and the request.
    #[test]
    fn display_is_x_words_only(status: u16, words in "[a-z]{1,30}", code in 0..400_i64, id in "[a-z0-9]{0,9}") {
        let error = parse(status, &v1(code, &words)).with_request_id(id.as_str());
        let expected = format!("status {status}, code {code}: {words} (request {id})");
        prop_assert_eq!(error.to_string(), expected);
    }
}
