use serde_json::json;

use super::*;
use crate::control::{Action, Cause, Deliver, Fault, Match};

#[test]
fn every_subscribed_user_concerned_gets_a_signed_delivery() {
    let (mut sim, webhook) = Sim::subscribed(still());
    let payload = json!({"target": {"id": "8"}});
    let ask = Trigger::new("follow_events", user(7)).with_payload(payload);
    let made = sim.world.trigger(&ask, sim.now).unwrap();
    let users: Vec<_> = made.events.iter().map(|e| e.for_user_id.unwrap().as_u64()).collect();
    assert_eq!(users, [7, 8]);
    let posts = sim.answer_posts(200);
    assert!(posts.len() == 2 && posts.iter().all(verifies));
    assert!(posts.iter().all(|post| post.uri == "http://127.0.0.1:1/hook"));
    let ledger = sim.world.ledger(sim.now);
    assert!(ledger.events.iter().all(|event| event.acknowledged_at == Some(sim.now)));

    sim.world.unsubscribe(webhook, user(8), sim.now).unwrap();
    assert_eq!(sim.world.trigger(&ask, sim.now).unwrap().events.len(), 1);
    sim.world.unsubscribe(webhook, user(7), sim.now).unwrap();
    assert_eq!(sim.world.trigger(&ask, sim.now).unwrap().events.len(), 0);
}

#[test]
fn only_200_acknowledges_and_v2_does_not_retry() {
    let (mut sim, _) = Sim::subscribed(still());
    for status in [201, 204, 302, 404, 500] {
        sim.trigger("favorite_events", 1);
        assert_eq!(sim.answer_posts(status).len(), 1);
    }
    sim.pass(SignedDuration::from_mins(30));
    assert!(sim.posts.is_empty());
    let ledger = sim.world.ledger(sim.now);
    assert!(ledger.events.iter().all(|event| event.acknowledged_at.is_none()));
    assert_eq!(ledger.events[4].attempts[0].status, Some(500));
}

#[test]
fn retries_come_when_they_are_set() {
    let retries = [3, 27, 242].map(SignedDuration::from_secs).to_vec();
    let (mut sim, _) = Sim::subscribed(Settings { retries: Some(retries), ..still() });
    let ask = Trigger::new("favorite_events", user(7));
    let (_, ticket) = sim.world.trigger_and_wait(&ask, sim.now).unwrap();
    for _ in 0..600 {
        sim.answer_posts(500);
        sim.pass(SignedDuration::from_secs(1));
    }
    let ledger = sim.world.ledger(sim.now);
    let after = |at: &Timestamp| at.duration_since(start()).as_secs();
    let attempts = &ledger.events[0].attempts;
    let at: Vec<_> = attempts.iter().map(|attempt| after(&attempt.at)).collect();
    assert_eq!(at, [0, 3, 30, 272]);
    assert!(attempts[1..].iter().all(|attempt| attempt.cause == Cause::Retry));
    assert_eq!(sim.answers[&ticket], Outcome::Settled);
}

/// Whoever waits could not advance a clock that stands still, and would wait in vain.
#[test]
fn a_failed_attempt_is_an_end_where_time_stands_still() {
    for (time, settled) in [(TimeMode::Virtual, true), (TimeMode::Running, false)] {
        let retries = Some(vec![SignedDuration::from_secs(3)]);
        let (mut sim, _) = Sim::subscribed(Settings { time, retries, ..still() });
        let ask = Trigger::new("favorite_events", user(7));
        let (_, ticket) = sim.world.trigger_and_wait(&ask, sim.now).unwrap();
        sim.answer_posts(500);
        sim.collect();
        assert_eq!(sim.answers.contains_key(&ticket), settled, "{time:?}");
        sim.pass(SignedDuration::from_secs(3));
        sim.answer_posts(200);
        sim.collect();
        assert_eq!(sim.answers[&ticket], Outcome::Settled);
        assert_eq!(sim.world.ledger(sim.now).events[0].attempts.len(), 2);
    }
}

#[test]
fn no_more_than_so_many_are_under_way() {
    let (mut sim, _) = Sim::subscribed(Settings { concurrency: 5, ..still() });
    sim.trigger("favorite_events", 12);
    sim.collect();
    assert_eq!(sim.posts.len(), 5);
    // What has not begun is no attempt yet.
    let begun = sim.world.ledger(sim.now).events.iter().filter(|e| !e.attempts.is_empty()).count();
    assert_eq!(begun, 5);
    assert_eq!(sim.answer_posts(200).len(), 12);
}

#[test]
fn who_waits_is_answered_when_everything_ended() {
    let (mut sim, _) = Sim::subscribed(still());
    let ask = Trigger::new("favorite_events", user(7)).with_count(3);
    let (_, ticket) = sim.world.trigger_and_wait(&ask, sim.now).unwrap();
    sim.collect();
    let last = sim.posts.pop().unwrap();
    sim.answer_posts(500);
    assert!(!sim.answers.contains_key(&ticket));
    sim.world.delivery_ended(last.id, Err(Silence::TimedOut), sim.now);
    sim.collect();
    assert_eq!(sim.answers[&ticket], Outcome::Settled);
    let error = sim.world.ledger(sim.now).events[2].attempts[0].error.clone();
    assert_eq!(error.as_deref(), Some("no answer within the deadline"));

    let nobody = Trigger::new("favorite_events", user(9));
    let (_, ticket) = sim.world.trigger_and_wait(&nobody, sim.now).unwrap();
    sim.collect();
    assert_eq!(sim.answers[&ticket], Outcome::Settled);
}

#[test]
fn a_removed_webhook_ends_what_is_waited_for() {
    let (mut sim, webhook) = Sim::subscribed(Settings { concurrency: 1, ..still() });
    let fault = Fault::new(Action::Delay { seconds: 60 });
    sim.world.plan_fault(fault).unwrap();
    let ask = Trigger::new("favorite_events", user(7)).with_count(3);
    let (_, ticket) = sim.world.trigger_and_wait(&ask, sim.now).unwrap();
    let raw = Deliver { webhook_id: webhook, body: "x".into(), signature: None };
    let delivered = sim.world.deliver(raw, sim.now).unwrap();
    sim.world.remove(webhook, sim.now).unwrap();
    sim.answer_posts(200);
    assert!(!sim.answers.contains_key(&ticket), "one is still delayed");
    sim.pass(SignedDuration::from_secs(60));
    assert_eq!(sim.answers[&ticket], Outcome::Settled);
    assert!(matches!(&sim.answers[&delivered], Outcome::Delivered(d) if d.error.is_some()));
}

#[test]
fn a_revocation_names_nobody_and_ends_the_subscription() {
    let (mut sim, webhook) = Sim::subscribed(still());
    let keys = sim.trigger("user_event", 2);
    assert_eq!(keys, ["/user_event:2025-11-22T04:00:00+00:00:100:7"]);
    assert!(!sim.world.is_subscribed(webhook, user(7)).unwrap());
    assert!(sim.world.is_subscribed(webhook, user(8)).unwrap());
    let posts = sim.answer_posts(200);
    assert!(!String::from_utf8_lossy(&posts[0].body).contains("for_user_id"));
}

#[test]
fn every_generated_event_has_a_key_of_its_own() {
    let (mut sim, _) = Sim::subscribed(still());
    let mut keys = std::collections::HashSet::new();
    for kind in [
        "tweet_create_events",
        "tweet_delete_events",
        "favorite_events",
        "follow_events",
        "block_events",
        "mute_events",
        "direct_message_events",
        "direct_message_indicate_typing_events",
        "direct_message_mark_read_events",
    ] {
        for key in sim.trigger(kind, 50) {
            assert!(keys.insert(key));
        }
    }
}

#[test]
fn posts_come_in_varieties_unless_members_are_given() {
    let (mut sim, _) = Sim::subscribed(still());
    let mut bodies = |payload: Option<serde_json::Value>| {
        let ask = Trigger::new("tweet_create_events", user(7)).with_count(6);
        let ask = Trigger { payload, ..ask };
        sim.world.trigger(&ask, sim.now).unwrap();
        let posts = sim.answer_posts(200);
        posts.iter().map(|p| String::from_utf8(p.body.to_vec()).unwrap()).collect::<Vec<_>>()
    };
    let varied = ["extended_tweet", "retweeted_status", "quoted_status_id", "edit_history"];
    let generated = bodies(None).concat();
    assert!(varied.iter().all(|member| generated.contains(member)));
    let given = bodies(Some(json!({"text": "hi"}))).concat();
    assert!(!varied.iter().any(|member| given.contains(member)));
}

#[test]
fn faults_choose_their_occasion() {
    let (mut sim, _) = Sim::subscribed(still());
    let when = Match { kind: Some("follow_events".into()), nth: Some(2), ..Match::default() };
    sim.world.plan_fault(Fault { when, action: Action::Drop, times: 2 }).unwrap();
    sim.trigger("favorite_events", 3);
    sim.trigger("follow_events", 4);
    sim.answer_posts(200);
    let ledger = sim.world.ledger(sim.now);
    let lost: Vec<_> = ledger.events.iter().map(|e| e.acknowledged_at.is_none()).collect();
    assert_eq!(lost, [false, false, false, false, true, true, false]);
    assert_eq!(sim.world.faults().faults[0].fired, 2);
}

#[test]
fn a_delayed_delivery_begins_at_its_own_time() {
    let (mut sim, _) = Sim::subscribed(still());
    sim.world.plan_fault(Fault::new(Action::Delay { seconds: 90 })).unwrap();
    sim.trigger("favorite_events", 2);
    assert_eq!(sim.answer_posts(200).len(), 1);
    sim.pass(SignedDuration::from_secs(89));
    assert!(sim.posts.is_empty());
    sim.pass(SignedDuration::from_hours(2));
    assert_eq!(sim.answer_posts(200).len(), 1);
    let at = sim.world.ledger(sim.now).events[0].attempts[0].at;
    assert_eq!(at.duration_since(start()).as_secs(), 90);
}

#[test]
fn what_comes_back_after_a_reset_means_nothing() {
    let (mut sim, _) = Sim::subscribed(still());
    sim.trigger("favorite_events", 2);
    sim.world.register("http://127.0.0.1:1/other", Generation::V2, sim.now).unwrap();
    sim.collect();
    sim.world.reset(sim.now);
    let old: Vec<_> = sim.posts.iter().map(|post| post.id).collect();
    let webhook = {
        let ticket = sim.world.register("http://127.0.0.1:1/new", Generation::V2, sim.now).unwrap();
        // Both the old world's check and the new one's are answered here.
        sim.answer_checks(None);
        let Some(Outcome::Registered(Ok(webhook))) = sim.answers.remove(&ticket) else { panic!() };
        webhook.id
    };
    assert_eq!(sim.world.webhooks().len(), 1);
    sim.world.subscribe(webhook, user(7), sim.now).unwrap();
    sim.trigger("favorite_events", 2);
    for id in old {
        sim.world.delivery_ended(id, Ok(Answer::new(200, "")), sim.now);
    }
    let ledger = sim.world.ledger(sim.now);
    assert!(ledger.events.len() == 2 && ledger.events.iter().all(|e| e.acknowledged_at.is_none()));
}

/// What stands beside the item can differ too, but not so that it is another event.
#[test]
fn top_level_members_can_be_given() {
    let (mut sim, _) = Sim::subscribed(still());
    let context = |value: serde_json::Value| value.as_object().unwrap().clone();
    let message = Trigger::new("direct_message_events", user(7));
    let given = json!({"apps": null, "users": {"7": {"name": "null"}}, "is_blocked_by": true});
    sim.world.trigger(&message.with_context(context(given)), sim.now).unwrap();
    let posts = sim.answer_posts(200);
    let body: serde_json::Value = serde_json::from_slice(&posts[0].body).unwrap();
    assert_eq!((body.get("apps"), &body["is_blocked_by"]), (None, &json!(true)));
    assert_eq!(body["users"]["7"]["name"], "null");
    assert_eq!(body["users"]["7"]["screen_name"], "user7");
    assert!(verifies(&posts[0]));
    for name in ["for_user_id", "follow_events", "data", "user_event"] {
        let ask = Trigger::new("favorite_events", user(7));
        let ask = ask.with_context(context(json!({name: []})));
        let error = sim.world.trigger(&ask, sim.now).unwrap_err();
        assert_eq!(error, TriggerError::Context(name.to_owned()));
    }
}

/// An item's own time is that of the clock, however many others there are.
#[test]
fn times_do_not_run_ahead() {
    let (mut sim, _) = Sim::subscribed(Settings { concurrency: 100_000, ..still() });
    sim.trigger("favorite_events", 3000);
    sim.trigger("follow_events", 1);
    let other = json!({"target": {"id": "8"}});
    let ask = Trigger::new("follow_events", user(7)).with_payload(other);
    sim.world.trigger(&ask, sim.now).unwrap();
    sim.world.set_traffic(crate::control::Traffic::new(5000.0), sim.now).unwrap();
    sim.pass(SignedDuration::from_secs(4));
    let ledger = sim.world.ledger(sim.now);
    let mut timed = 0;
    for (event, post) in ledger.events.iter().zip(&sim.posts) {
        let body: serde_json::Value = serde_json::from_slice(&post.body).unwrap();
        let Some(told) = body[event.kind.as_str()][0]["created_timestamp"].as_str() else {
            continue;
        };
        let ahead = told.parse::<i64>().unwrap() - event.created_at.as_millisecond();
        assert!((0..5).contains(&ahead), "{ahead} ms: {}", event.key);
        timed += 1;
    }
    assert!(timed > 3000, "{timed}");
    let keys: std::collections::HashSet<_> = ledger.events.iter().map(|e| &e.key).collect();
    assert_eq!(keys.len(), ledger.events.len());
}

#[test]
fn headers_of_2019_count_retries() {
    let retries = Some([3, 27].map(SignedDuration::from_secs).to_vec());
    let delivery_headers = crate::settings::DeliveryHeaders::Finagle;
    let (mut sim, _) = Sim::subscribed(Settings { retries, delivery_headers, ..still() });
    sim.trigger("favorite_events", 1);
    let mut told = Vec::new();
    for _ in 0..60 {
        let of = |post: &Post| {
            let find = |(name, _): &&(&str, String)| name.ends_with("finagle.retries");
            post.headers.iter().find(find).unwrap().1.clone()
        };
        told.extend(sim.answer_posts(500).iter().map(of));
        sim.pass(SignedDuration::from_secs(1));
    }
    assert_eq!(told, ["0", "1", "2"]);
}
