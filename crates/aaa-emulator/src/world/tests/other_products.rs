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

#[test]
fn a_replay_brings_it_back_too() {
    let (mut sim, webhook) = Sim::subscribed(still());
    sim.trigger("dm.received", 2);
    sim.answer_posts(500);
    sim.pass(SignedDuration::from_mins(40));
    sim.replay(webhook, "202511220400", "202511220401").unwrap();
    let posts = sim.answer_posts(200);
    assert_eq!(posts.len(), 3, "two events and the end of the job");
}
