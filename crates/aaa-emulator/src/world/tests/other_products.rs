//! What reaches a webhook and is not of the Account Activity API.

use aaa_types::event::Body;

use super::*;

fn identities(posts: &[Post]) -> Vec<String> {
    let of = |post: &Post| Body::parse(&post.body).unwrap().events()[0].identity().to_string();
    posts.iter().map(of).collect()
}

#[test]
fn it_goes_where_its_user_is_subscribed_or_where_it_is_sent() {
    let (mut sim, webhook) = Sim::subscribed(still());
    let other = sim.register("http://127.0.0.1:2/hook").unwrap().id;
    for (ask, expected) in [
        (Trigger::new("post.create", user(7)), vec![webhook]),
        (Trigger::new("post.create", user(9)), vec![]),
        (Trigger::new("post.create", user(9)).with_webhook(other), vec![other]),
        (Trigger::new("filtered_stream", user(9)).with_webhook(webhook), vec![webhook]),
        // Subscriptions decide of what is of the Account Activity API.
        (Trigger::new("favorite_events", user(7)).with_webhook(other), vec![]),
        (Trigger::new("favorite_events", user(7)).with_webhook(webhook), vec![webhook]),
    ] {
        let before = sim.world.ledger(sim.now).events.len();
        let made = sim.world.trigger(&ask, sim.now).unwrap();
        let ledger = sim.world.ledger(sim.now);
        let new = &ledger.events[before..];
        assert_eq!(new.iter().map(|e| e.webhook_id).collect::<Vec<_>>(), expected, "{ask:?}");
        assert_eq!(made.events.len(), expected.len());
        let posts = sim.answer_posts(200);
        let keys: Vec<_> = made.events.into_iter().map(|event| event.key).collect();
        assert_eq!(identities(&posts), keys);
    }
    let nowhere = Trigger::new("post.create", user(7)).with_webhook("5".parse().unwrap());
    let error = sim.world.trigger(&nowhere, sim.now).unwrap_err();
    assert_eq!(error.to_string(), "there is no webhook 5");
}

/// A filter that names no user is for whoever was asked to act.
#[test]
fn what_names_nobody_goes_to_who_acts() {
    let (mut sim, webhook) = Sim::subscribed(still());
    let other = sim.register("http://127.0.0.1:2/hook").unwrap().id;
    sim.world.subscribe(other, user(9), sim.now).unwrap();
    for kind in ["oauth.revoke", "news.new"] {
        assert_eq!(sim.trigger(kind, 1).len(), 1, "{kind}");
        sim.world.trigger(&Trigger::new(kind, user(9)), sim.now).unwrap();
    }
    let ledger = sim.world.ledger(sim.now);
    let at: Vec<_> = ledger.events.iter().map(|event| event.webhook_id).collect();
    assert_eq!(at, [webhook, other, webhook, other]);
    // It is no revocation as the Account Activity API has it, which ends subscriptions.
    assert_eq!(sim.world.subscription_list(webhook).unwrap().users.len(), 2);
}

/// Every event type has an identity of its own for each event, the same in each run of a seed.
#[test]
fn each_event_is_another() {
    let run = |seed| {
        let (mut sim, _) = Sim::subscribed(Settings { seed, ..still() });
        let made = crate::bodies::ACTIVITY_KINDS.map(|kind| sim.trigger(kind, 20)).concat();
        let posts = sim.answer_posts(200);
        assert_eq!(identities(&posts), made);
        (made, posts.into_iter().map(|post| post.body).collect::<Vec<_>>())
    };
    let (made, bodies) = run(7);
    let different: std::collections::HashSet<_> = made.iter().collect();
    assert_eq!(different.len(), made.len());
    assert_eq!(run(7), (made.clone(), bodies));
    assert_ne!(run(8).0, made);
}

#[test]
fn a_replay_brings_it_back_by_the_route_for_everything() {
    use crate::settings::ReplayScope::{AccountActivity, Everything, OfRoute};
    for (replay_scope, generation, by_all, by_subscriptions) in [
        (OfRoute, Generation::V2, 6, 2),
        (OfRoute, Generation::V1_1, 2, 2),
        (Everything, Generation::V2, 6, 6),
        (Everything, Generation::V1_1, 6, 6),
        (AccountActivity, Generation::V2, 2, 2),
    ] {
        let (mut sim, webhook) = Sim::subscribed(Settings { replay_scope, ..still() });
        for kind in ["dm.received", "brand_new_events", "filtered_stream"] {
            sim.trigger(kind, 2);
        }
        // Whatever somebody makes of its body, it is what it was made as.
        let odd = serde_json::json!({"event_type": "favorite_events"});
        let ask = Trigger::new("post.create", user(7)).with_payload(odd);
        sim.world.trigger(&ask, sim.now).unwrap();
        sim.answer_posts(500);
        sim.pass(SignedDuration::from_mins(40));
        for (is_of_all, expected) in [(true, by_all), (false, by_subscriptions)] {
            let (from, to) = ("202511220400", "202511220401");
            let ticket = if is_of_all {
                sim.world.replay(webhook, from, to, generation, sim.now)
            } else {
                sim.world.replay_subscriptions(webhook, from, to, generation, sim.now)
            };
            ticket.unwrap();
            sim.answer_checks(None);
            let odd = usize::from(expected > 2);
            let events = expected + odd;
            let posts = sim.answer_posts(200);
            assert_eq!(posts.len(), events + 1, "{replay_scope:?} {generation:?} {is_of_all}");
            let job = sim.world.state(sim.now).jobs.pop().unwrap();
            assert_eq!((job.events, job.failed), (events, 0));
        }
    }
}

/// What a job leaves out it has not failed to deliver.
#[test]
fn a_job_that_is_stopped_counts_only_what_it_would_have_sent() {
    let (mut sim, webhook) = Sim::subscribed(Settings { concurrency: 1, ..still() });
    for kind in ["favorite_events", "dm.received", "favorite_events", "post.create"] {
        sim.trigger(kind, 1);
    }
    sim.answer_posts(500);
    sim.pass(SignedDuration::from_mins(40));
    let (from, to) = ("202511220400", "202511220401");
    sim.world.replay_subscriptions(webhook, from, to, Generation::V2, sim.now).unwrap();
    sim.answer_checks(None);
    assert_eq!(sim.posts.len(), 1);
    sim.world.validate(webhook, Generation::V2, sim.now).unwrap();
    sim.answer_checks(Some(Ok(Answer::new(302, ""))));
    sim.answer_posts(200);
    let job = sim.world.state(sim.now).jobs.pop().unwrap();
    assert_eq!((job.events, job.failed), (2, 1));
}
