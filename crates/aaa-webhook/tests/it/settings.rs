//! What a receiver is told to do otherwise.

use std::{pin::pin, sync::Arc, time::Duration};

use aaa_webhook::{
    crc::TokenRule,
    receiver::{Limits, Receiver, Status, Verifier},
};
use http::Request;
use tokio::{sync::Notify, time::timeout};

use crate::support::{BODY, Behaviour, PATH, TestInbox, app, full, post};

fn receiver() -> Receiver<TestInbox> {
    Receiver::new(TestInbox::new(Behaviour::Store), app())
}

/// X does not document what its tokens look like.
#[tokio::test]
async fn other_tokens_are_answered() {
    let rule = TokenRule::new(3..=7, ".").unwrap();
    let (usual, other) = (receiver(), receiver().with_crc_tokens(rule));
    for (token, by_default, by_rule) in
        [("foo.bar", 400, 200), ("foo.bars", 400, 400), ("0123456789abcdef", 200, 400)]
    {
        for (receiver, status) in [(&usual, by_default), (&other, by_rule)] {
            let check = full(Request::get(format!("{PATH}?crc_token={token}")), "");
            assert_eq!(receiver.answer(check).await.status(), status, "{token}");
        }
    }
}

#[tokio::test]
async fn receivers_of_one_status_count_together() {
    let status = Status::default();
    let alone = receiver();
    let shared = [receiver().with_status(status.clone()), receiver().with_status(status.clone())];
    for (receiver, deliveries) in [(&alone, 1), (&shared[0], 1), (&shared[1], 2)] {
        for _ in 0..deliveries {
            assert_eq!(receiver.answer(full(post(BODY), BODY)).await.status(), 200);
        }
    }
    assert_eq!(alone.status().counts().committed, 1);
    assert_eq!(status.counts().committed, 3);
    assert_eq!(status.signatures("main").verified, 3);
    assert_eq!(shared[0].status().counts(), status.counts());
}

/// To the millisecond, whether the receiver has read the delivery itself or not.
#[tokio::test(start_paused = true)]
async fn a_deadline_of_ones_own() {
    let mut limits = Limits::default();
    limits.deadline = Duration::from_millis(700);
    let inbox = TestInbox::new(Behaviour::Wait(Arc::new(Notify::new())));
    let receiver = Receiver::new(inbox, app()).with_limits(limits);

    let mut answer = pin!(receiver.answer(full(post(BODY), BODY)));
    timeout(Duration::from_millis(699), &mut answer).await.expect_err("too early");
    let answer = timeout(Duration::from_millis(3), &mut answer).await.expect("too late");
    assert_eq!(answer.status(), 503);

    let delivery = Verifier::new(app()).verify(full(post(BODY), BODY)).await.unwrap();
    let mut committed = pin!(receiver.commit(delivery));
    timeout(Duration::from_millis(699), &mut committed).await.expect_err("too early");
    let refused = timeout(Duration::from_millis(3), &mut committed).await.expect("too late");
    assert_eq!(refused.unwrap_err().into_response().status(), 503);
}

/// What X usually sends needs no room at all.
#[tokio::test]
async fn sixteen_kibibytes_of_each_body_take_no_room() {
    for (room, largest) in [(0, 16 * 1024), (100, 16 * 1024 + 100)] {
        let mut limits = Limits::default();
        limits.bodies = room;
        let receiver = receiver().with_limits(limits);
        for (length, status) in [(largest, 200), (largest + 1, 503), (largest, 200)] {
            let text = "y".repeat(length - r#"{"for_user_id":"7","x":""}"#.len());
            let body = format!(r#"{{"for_user_id":"7","x":"{text}"}}"#);
            assert_eq!(body.len(), length);
            let answer = receiver.answer(full(post(&body), &body)).await;
            assert_eq!(answer.status(), status, "{length} with room for {room}");
        }
    }
}
