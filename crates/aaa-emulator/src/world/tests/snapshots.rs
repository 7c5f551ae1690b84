//! A world that is saved and taken up goes on as if nothing had been.

use super::*;
use crate::{
    control::{Action, Completion, Fault, JobState, Snapshot},
    world::Decision,
};

/// Saves, writes, reads, and takes up.
fn taken_up(sim: &Sim) -> Sim {
    let text = serde_json::to_string(&sim.world.snapshot(sim.now)).unwrap();
    let snapshot: Snapshot = serde_json::from_str(&text).unwrap();
    let world = World::restore(sim.world.settings().clone(), snapshot).unwrap();
    let mut new = Sim::new(still());
    new.world = world;
    new.now = sim.now;
    new
}

#[test]
fn everything_is_there_again() {
    let (mut sim, webhook) = Sim::subscribed(still());
    sim.trigger("tweet_create_events", 4);
    sim.answer_posts(500);
    let request = sim.world.request_token("oob", sim.now).unwrap();
    let form = sim.world.consent(&request.token, sim.now).unwrap().form_token;
    let decided =
        sim.world.decide(&request.token, &form, Decision::Approve(user(7)), sim.now).unwrap();
    let count = |sim: &mut Sim| {
        let operation = crate::control::Operation::CreateReplay;
        sim.world.count_call(operation, Generation::V2, None, sim.now).remaining
    };
    assert_eq!(count(&mut sim), 99);
    sim.pass(SignedDuration::from_mins(40));
    sim.answer_checks(None);

    let mut new = taken_up(&sim);
    assert_eq!(new.world.snapshot(new.now), sim.world.snapshot(sim.now));
    assert_eq!(new.world.state(new.now), sim.world.state(sim.now));
    assert_eq!(new.world.ledger(new.now), sim.world.ledger(sim.now));
    // And both go on alike.
    for sim in [&mut sim, &mut new] {
        sim.world.resume(sim.now);
        let pin = decided.verifier.as_deref().unwrap();
        // It has lived for longer than a quarter of an hour.
        assert!(sim.world.access_token(&request.token, pin, sim.now).is_err());
        sim.replay(webhook, "202511220400", "202511220401").unwrap();
        assert_eq!(sim.answer_posts(200).len(), 5);
        sim.pass(SignedDuration::from_hours(1));
        assert_eq!(sim.checks.len(), 1);
        sim.answer_checks(None);
        sim.trigger("favorite_events", 2);
        sim.answer_posts(200);
    }
    assert_eq!(new.world.snapshot(new.now), sim.world.snapshot(sim.now));
}

#[test]
fn what_was_under_way_has_failed_and_is_retried() {
    let retries = Some(vec![SignedDuration::from_secs(3)]);
    let (mut sim, _) = Sim::subscribed(Settings { retries, concurrency: 1, ..still() });
    sim.trigger("favorite_events", 3);
    sim.collect();
    assert_eq!(sim.posts.len(), 1, "one is under way, two wait");

    let mut new = taken_up(&sim);
    let ledger = new.world.ledger(new.now);
    let error = ledger.events[0].attempts[0].error.as_deref();
    assert_eq!(error, Some("the emulator ended before the answer"));
    new.world.resume(new.now);
    assert_eq!(new.answer_posts(200).len(), 2);
    new.pass(SignedDuration::from_secs(3));
    assert_eq!(new.answer_posts(200).len(), 1);
    let ledger = new.world.ledger(new.now);
    assert!(ledger.events.iter().all(|event| event.acknowledged_at.is_some()));
}

#[test]
fn a_job_goes_on_and_says_what_it_lost() {
    let (mut sim, webhook) = Sim::subscribed(Settings { concurrency: 2, ..still() });
    sim.trigger("favorite_events", 4);
    sim.answer_posts(500);
    sim.pass(SignedDuration::from_mins(40));
    sim.world.plan_fault(Fault::new(Action::Delay { seconds: 60 })).unwrap();
    sim.replay(webhook, "202511220400", "202511220401").unwrap();
    sim.collect();
    assert_eq!(sim.posts.len(), 2, "one is put off, two are under way, one waits");

    let mut new = taken_up(&sim);
    new.world.resume(new.now);
    assert_eq!(new.answer_posts(200).len(), 1);
    new.pass(SignedDuration::from_secs(60));
    assert_eq!(new.answer_posts(200).len(), 2, "what was put off, and the end");
    let job = new.world.state(new.now).jobs[0].clone();
    assert_eq!((job.job.state, job.failed), (JobState::Incomplete, 2));
    assert_eq!(job.completion, Completion::Acknowledged);
}

#[test]
fn a_job_goes_on_leaving_out_what_it_left_out() {
    let (mut sim, webhook) = Sim::subscribed(Settings { concurrency: 1, ..still() });
    for kind in ["favorite_events", "post.create", "favorite_events", "filtered_stream"] {
        sim.trigger(kind, 1);
    }
    sim.answer_posts(500);
    sim.pass(SignedDuration::from_mins(40));
    let (from, to) = ("202511220400", "202511220401");
    sim.world.replay_subscriptions(webhook, from, to, Generation::V2, sim.now).unwrap();
    sim.answer_checks(None);
    assert_eq!(sim.posts.len(), 1, "one is under way");

    let mut new = taken_up(&sim);
    new.world.resume(new.now);
    assert_eq!(new.answer_posts(200).len(), 2, "the other one, and the end");
    new.world.replay(webhook, from, to, Generation::V2, new.now).unwrap();
    new.answer_checks(None);
    assert_eq!(new.answer_posts(200).len(), 5);
}
