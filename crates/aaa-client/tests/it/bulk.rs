//! Many users at a time.

use std::num::NonZeroUsize;

use aaa_auth::UserCredential;
use aaa_client::{
    ApiVersion::{V1_1, V2},
    BulkResult, Ensured, Removed,
};
use aaa_types::{UserId, WebhookId};

use crate::fake::{FakeX, answer, oauth2, with_headers};

fn webhook() -> WebhookId {
    "12".parse().unwrap()
}

fn user(number: u64) -> UserId {
    number.try_into().unwrap()
}

fn users(count: u64) -> Vec<(UserId, UserCredential)> {
    (1..=count).map(|number| (user(number), oauth2(&number.to_string()))).collect()
}

const SUBSCRIBED: &str = r#"{"data":{"subscribed":true}}"#;

#[tokio::test]
async fn a_few_at_a_time_each_with_a_result() {
    let x = FakeX::new(|_, request| match request.headers()["authorization"].to_str().unwrap() {
        "Bearer 3-oauth2" => {
            answer(400, r#"{"errors":[{"message":"DuplicateSubscriptionFailed: "}]}"#)
        }
        "Bearer 5-oauth2" => {
            answer(401, r#"{"errors":[{"code":89,"message":"Invalid or expired token"}]}"#)
        }
        _ => answer(200, SUBSCRIBED),
    });
    let bulk = x.client(V2).bulk(webhook()).with_concurrency(NonZeroUsize::new(3).unwrap());
    // It can be spawned.
    let report = tokio::spawn(async move {
        let mut steps = Vec::new();
        let report = bulk.subscribe(users(10), |step| steps.push((step.done, step.total))).await;
        assert_eq!(steps, (1..=10).map(|done| (done, 10)).collect::<Vec<_>>());
        report
    });
    let report = report.await.unwrap();
    assert_eq!(x.most_under_way(), 3);
    assert!(report.stopped_by().is_none() && !report.is_complete());
    for (index, (id, result)) in report.results().iter().enumerate() {
        assert_eq!(*id, user(index as u64 + 1));
        match index + 1 {
            3 => assert_eq!(*result, BulkResult::Done(Ensured::Existed)),
            5 => assert!(matches!(result, BulkResult::Failed(error) if error.is_unauthorized())),
            _ => assert_eq!(*result, BulkResult::Done(Ensured::Created)),
        }
    }
}

#[tokio::test]
async fn what_hits_everybody_stops_the_rest() {
    let limit = r#"{"errors":[{"message":"SubscriptionLimitExceeded: "}]}"#;
    let x = FakeX::new(
        move |number, _| {
            if number < 4 { answer(200, SUBSCRIBED) } else { answer(400, limit) }
        },
    );
    let one = NonZeroUsize::MIN;
    let bulk = x.client(V2).bulk(webhook()).with_concurrency(one);
    let report = bulk.subscribe(users(9), |_| ()).await;
    assert_eq!(x.seen().len(), 5);
    let (stopped, error) = report.stopped_by().unwrap();
    assert_eq!(stopped, user(5));
    assert!(error.api().unwrap().is_limit_reached());
    let not_tried = report.results().iter().filter(|(_, r)| *r == BulkResult::NotTried).count();
    assert_eq!(not_tried, 4);
}

#[tokio::test]
async fn users_are_removed_and_absence_is_as_good() {
    let gone = r#"{"errors":[{"code":34,"message":"Sorry, that page does not exist."}]}"#;
    let x = FakeX::new(move |_, request| {
        if request.uri().path().contains("/subscriptions/2/") {
            answer(404, gone)
        } else {
            answer(204, "")
        }
    });
    let report = x.client(V1_1).bulk(webhook()).unsubscribe([1, 2].map(user), |_| ()).await;
    assert!(report.is_complete());
    let results: Vec<_> = report.results().iter().map(|(_, result)| result.clone()).collect();
    assert_eq!(results, [Removed::Removed, Removed::WasAbsent].map(BulkResult::Done));

    // A missing webhook is another thing, and everybody's.
    let gone = r#"{"errors":[{"message":"WebhookIdInvalid: "}]}"#;
    let x = FakeX::new(move |_, _| answer(404, gone));
    let bulk = x.client(V2).bulk(webhook()).with_concurrency(NonZeroUsize::MIN);
    let report = bulk.unsubscribe((1..9).map(user), |_| ()).await;
    assert_eq!(x.seen().len(), 1);
    assert_eq!(report.stopped_by().unwrap().0, user(1));
}

#[tokio::test]
async fn the_next_window_is_waited_for_before_it_is_needed() {
    let date = ("date", "Sat, 22 Nov 2025 04:00:00 GMT");
    let reset = ("x-rate-limit-reset", "1763784040");
    let x = FakeX::new(move |number, _| {
        let left = if number == 1 { "0" } else { "9" };
        with_headers(200, &[date, reset, ("x-rate-limit-remaining", left)], SUBSCRIBED)
    });
    let told = std::sync::Arc::new(std::sync::Mutex::new(0));
    let count = told.clone();
    let client = x
        .builder(V2)
        .on_wait(move |wait| {
            assert!(wait.is_rate_limit() && wait.error.is_none() && wait.attempt == 0);
            *count.lock().unwrap() += 1;
        })
        .build_with(x.clone());
    let bulk = client.bulk(webhook()).with_concurrency(NonZeroUsize::MIN);
    assert!(bulk.subscribe(users(4), |_| ()).await.is_complete());
    assert_eq!(*told.lock().unwrap(), 1);
    assert_eq!(x.pauses().len(), 1);
    assert!((38..=40).contains(&x.pauses()[0].as_secs()), "{:?}", x.pauses());
}

#[tokio::test]
async fn nobody_is_nothing() {
    let x = FakeX::script([]);
    let report = x.client(V2).bulk(webhook()).unsubscribe([], |_| ()).await;
    assert!(report.is_complete() && report.results().is_empty());
}
