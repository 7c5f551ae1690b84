//! Deliveries, and when they come again.

use aaa_emulator::{
    control::{Abandoned, Action, Fault, LedgerEvent, Trigger},
    credentials,
    settings::Settings,
};
use aaa_webhook::signature::Signature;
use jiff::SignedDuration;
use serde_json::json;

use crate::stage::{Stage, start, user};

/// The seconds at which one event is attempted, while each attempt is answered so.
fn attempts(stage: &mut Stage, status: u16) -> Vec<i64> {
    stage.make("favorite_events", 1);
    for _ in 0..400 {
        stage.answer_posts(status);
        stage.pass(SignedDuration::from_secs(1));
    }
    let ledger = stage.world.ledger(stage.now);
    let at = ledger.events[0].attempts.iter().map(|a| a.at.duration_since(start()).as_secs());
    at.collect()
}

#[test]
fn delivery_signature() {
    let (mut stage, _) = Stage::subscribed(Settings::default());
    stage.make("tweet_create_events", 1);
    stage.collect();
    let secret = credentials::CONSUMER_SECRET.parse().unwrap();
    let post = &stage.posts[0];
    assert!(post.signature.starts_with("sha256="));
    assert!(Signature::parse(&post.signature).unwrap().verifies(&secret, &post.body));
}

#[test]
fn delivery_headers() {
    let (mut stage, _) = Stage::subscribed(Settings::default());
    stage.make("tweet_create_events", 1);
    stage.collect();
    assert!(stage.posts[0].headers.is_empty());
}

#[test]
fn success_is_200() {
    let (mut stage, _) = Stage::enterprise(Settings::default());
    assert!(attempts(&mut stage, 204).len() > 1);
    assert!(stage.world.ledger(stage.now).events[0].acknowledged_at.is_none());
}

#[test]
fn retries_v1() {
    let (mut stage, _) = Stage::enterprise(Settings::default());
    assert_eq!(attempts(&mut stage, 500), [0, 3, 30, 272]);
}

#[test]
fn retries_v2() {
    let (mut stage, _) = Stage::subscribed(Settings::default());
    assert_eq!(attempts(&mut stage, 500), [0]);
}

#[test]
fn one_per_user() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    stage.subscribe(&id, 8);
    let payload = json!({"target": {"id": "8"}});
    let made = stage.trigger(&Trigger::new("follow_events", user(7)).with_payload(payload));
    assert_eq!(made.events.len(), 2);
    let bodies = stage.all_posts(200);
    let users: Vec<_> = bodies.iter().map(|body| &body["for_user_id"]).collect();
    assert_eq!(users, ["7", "8"]);
}

#[test]
fn revocation() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    stage.make("user_event", 1);
    let bodies = stage.all_posts(200);
    assert_eq!(bodies[0]["user_event"]["revoke"]["source"]["user_id"], "7");
    assert!(!stage.world.is_subscribed(id.parse().unwrap(), user(7)).unwrap());
}

#[test]
fn revocation_for_nobody() {
    let (mut stage, _) = Stage::subscribed(Settings::default());
    stage.make("user_event", 1);
    assert!(stage.all_posts(200)[0].get("for_user_id").is_none());
}

#[test]
fn not_after_unsubscribing() {
    let (mut stage, id) = Stage::subscribed(Settings::default());
    stage.world.unsubscribe(id.parse().unwrap(), user(7), stage.now).unwrap();
    assert!(stage.make("favorite_events", 1).events.is_empty());
}

/// What waits for its turn, is delayed, or is due for a retry.
#[test]
fn queued_at_unsubscribing() {
    let (mut stage, id) = Stage::enterprise(Settings { concurrency: 2, ..Settings::default() });
    let webhook = id.parse().unwrap();
    stage.subscribe(&id, 8);
    let delay = Fault::new(Action::Delay { seconds: 60 });
    stage.world.plan_fault(delay).unwrap();
    stage.make("favorite_events", 1);
    stage.make("follow_events", 1);
    stage.answer_posts(500);
    stage.make("tweet_create_events", 4);
    stage.collect();
    assert_eq!(stage.posts.len(), 2, "two are under way, two wait");
    let other = stage.trigger(&Trigger::new("favorite_events", user(8)));
    stage.world.unsubscribe(webhook, user(7), stage.now).unwrap();
    assert_eq!(stage.all_posts(200).len(), 3);
    stage.pass(SignedDuration::from_mins(10));
    assert!(stage.posts.is_empty(), "nothing comes later");
    let ledger = stage.world.ledger(stage.now);
    let tried: Vec<_> = ledger.events.iter().map(|event| event.attempts.len()).collect();
    assert_eq!(tried, [0, 1, 1, 1, 0, 0, 1]);
    let gone = |event: &LedgerEvent| event.abandoned == Some(Abandoned::Unsubscribed);
    let abandoned: Vec<_> = ledger.events.iter().map(gone).collect();
    assert_eq!(abandoned, [true, true, false, false, true, true, false]);
    assert_eq!(ledger.events[6].id, other.events[0].id);
}
