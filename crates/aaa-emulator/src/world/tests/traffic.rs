//! What happens by itself.

use super::*;
use crate::control::{Ledger, Traffic, TrafficState};

/// A world of so many acts per second, and what its ledger says after a time that passed in steps.
fn story(seed: u64, steps: &[i64]) -> (TrafficState, Ledger) {
    let (mut sim, _) = Sim::subscribed(Settings { seed, ..still() });
    sim.world.set_traffic(Traffic::new(2.0), sim.now).unwrap();
    for seconds in steps {
        sim.pass(SignedDuration::from_secs(*seconds));
        sim.answer_posts(200);
    }
    (sim.world.traffic(), sim.world.ledger(sim.now))
}

#[test]
fn acts_happen_at_their_time_and_are_delivered() {
    let (traffic, ledger) = story(3, &[60]);
    assert_eq!(traffic, TrafficState { rate: 2.0, users: 20, acts: 120, left_out: 0 });
    // An act between both subscribers makes two events.
    assert!(ledger.events.len() >= 120);
    assert!(ledger.events.iter().all(|event| event.acknowledged_at.is_some()));
    let first = ledger.events.first().unwrap().created_at.duration_since(start());
    assert_eq!(first, SignedDuration::from_millis(500));
    assert!(ledger.events.is_sorted_by_key(|event| event.created_at));
}

#[test]
fn a_seed_is_always_the_same_story() {
    let keys = |(_, ledger): (TrafficState, Ledger)| -> Vec<_> {
        ledger.events.into_iter().map(|event| (event.key, event.created_at)).collect()
    };
    let once = keys(story(3, &[60]));
    assert_eq!(once, keys(story(3, &[60])));
    assert_ne!(once, keys(story(4, &[60])));
    // What happens does not depend on how often somebody looks at the clock.
    let mut steps = vec![1; 30];
    steps.extend([0, 7, 23]);
    assert_eq!(once, keys(story(3, &steps)));
}

#[test]
fn it_is_changed_and_ended() {
    let (mut sim, _) = Sim::subscribed(still());
    for (rate, users) in
        [(-1.0, 20), (f64::NAN, 20), (1e6, 20), (0.0001, 20), (1.0, 1), (1.0, 10_001)]
    {
        let ask = Traffic::new(rate).with_users(users);
        assert!(sim.world.set_traffic(ask, sim.now).is_err(), "{ask:?}");
    }
    sim.world.set_traffic(Traffic::new(10.0), sim.now).unwrap();
    sim.pass(SignedDuration::from_secs(1));
    let faster = sim.world.set_traffic(Traffic::new(100.0).with_users(5), sim.now).unwrap();
    assert_eq!(faster, TrafficState { rate: 100.0, users: 5, acts: 10, left_out: 0 });
    sim.pass(SignedDuration::from_secs(1));
    let ended = sim.world.set_traffic(Traffic::new(0.0), sim.now).unwrap();
    assert_eq!((ended.rate, ended.acts), (0.0, 110));
    sim.pass(SignedDuration::from_secs(60));
    assert_eq!(sim.world.traffic().acts, 0);
}

#[test]
fn without_subscriptions_nothing_happens() {
    let mut sim = Sim::new(still());
    sim.world.set_traffic(Traffic::new(10.0), sim.now).unwrap();
    sim.pass(SignedDuration::from_secs(10));
    assert_eq!(sim.world.traffic().acts, 0);
    let webhook = sim.register("http://127.0.0.1:1/hook").unwrap().id;
    sim.world.subscribe(webhook, user(7), sim.now).unwrap();
    sim.pass(SignedDuration::from_secs(10));
    assert_eq!(sim.world.traffic().acts, 100);
    sim.world.unsubscribe(webhook, user(7), sim.now).unwrap();
    sim.pass(SignedDuration::from_secs(10));
    assert_eq!(sim.world.traffic().acts, 100);
}

#[test]
fn what_cannot_be_done_in_time_is_left_out() {
    let (mut sim, _) = Sim::subscribed(still());
    sim.world.set_traffic(Traffic::new(1000.0), sim.now).unwrap();
    // Stopped for a minute, and nobody catches up.
    let minute = sim.now + SignedDuration::from_mins(1);
    assert_eq!(sim.world.acts_until(minute), 60_000);
    sim.world.relieve_traffic(minute);
    assert_eq!((sim.world.traffic().left_out, sim.world.acts_until(minute)), (60_000, 0));
    // A receiver that does not answer, in steps that are in time.
    sim.now = minute;
    for _ in 0..20 {
        sim.now += SignedDuration::from_secs(1);
        sim.world.relieve_traffic(sim.now);
        sim.pass(SignedDuration::ZERO);
    }
    let traffic = sim.world.traffic();
    assert_eq!(traffic.acts + traffic.left_out, 80_000);
    let waiting = sim.world.state(sim.now).counts.queued;
    assert!((1000..3500).contains(&waiting), "{waiting}");
}
