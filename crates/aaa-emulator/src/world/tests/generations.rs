//! What differs between a webhook of v2 and one of v1.1.

use super::*;

impl Sim {
    /// With one webhook, registered through `generation`, to which user 7 is subscribed.
    fn of(generation: Generation, settings: Settings) -> (Self, WebhookId) {
        let mut sim = Self::new(settings);
        sim.world.register("http://127.0.0.1:1/hook", generation, sim.now).unwrap();
        sim.answer_checks(None);
        let webhook = sim.world.webhooks()[0].id;
        sim.world.subscribe(webhook, user(7), sim.now).unwrap();
        (sim, webhook)
    }
}

#[test]
fn deadlines_and_challenges_are_of_the_generation_that_asks() {
    for (of, by, seconds, is_signed) in [
        (Generation::V2, Generation::V2, 10, false),
        (Generation::V2, Generation::V1_1, 3, true),
        (Generation::V1_1, Generation::V2, 10, false),
        (Generation::V1_1, Generation::V1_1, 3, true),
    ] {
        let (mut sim, webhook) = Sim::of(of, still());
        sim.world.validate(webhook, by, sim.now).unwrap();
        sim.collect();
        let check = &sim.checks[0];
        assert_eq!(check.deadline.as_secs(), seconds, "{of:?} {by:?}");
        assert_eq!(check.signature.is_some(), is_signed, "{of:?} {by:?}");
        assert_eq!(check.uri.contains("&nonce="), is_signed);
    }
}

#[test]
fn what_nobody_asks_for_is_of_the_generation_of_the_webhook() {
    for (generation, seconds, has_nonce) in
        [(Generation::V2, 10, false), (Generation::V1_1, 3, true)]
    {
        let (mut sim, _) = Sim::of(generation, still());
        sim.trigger("favorite_events", 1);
        sim.collect();
        assert_eq!(sim.posts[0].deadline.as_secs(), seconds);
        sim.pass(SignedDuration::from_hours(1));
        assert_eq!(sim.checks[0].deadline.as_secs(), seconds);
        // Only registration and checks on request are said to be signed.
        assert!(sim.checks[0].signature.is_none());
        assert_eq!(sim.checks[0].uri.contains("&nonce="), has_nonce);
    }
}

#[test]
fn failed_deliveries_are_retried_on_v1_1_unless_set_otherwise() {
    let seconds = SignedDuration::from_secs;
    let set = |retries: &[i64]| Some(retries.iter().copied().map(seconds).collect());
    for (generation, retries, expected) in [
        (Generation::V2, None, vec![0]),
        (Generation::V1_1, None, vec![0, 3, 30, 272]),
        (Generation::V1_1, set(&[]), vec![0]),
        (Generation::V2, set(&[5]), vec![0, 5]),
    ] {
        let (mut sim, _) = Sim::of(generation, Settings { retries, ..still() });
        sim.trigger("favorite_events", 1);
        sim.answer_posts(503);
        for _ in 0..600 {
            sim.pass(seconds(1));
            sim.answer_posts(503);
        }
        let ledger = sim.world.ledger(sim.now);
        let attempts = &ledger.events[0].attempts;
        let at: Vec<_> = attempts.iter().map(|a| a.at.duration_since(start()).as_secs()).collect();
        assert_eq!(at, expected, "{generation:?}");
    }
}

#[test]
fn the_look_back_is_of_the_generation_that_asks() {
    let minute = |hours: i64, minutes| {
        let at = start() + SignedDuration::from_hours(hours) + SignedDuration::from_mins(minutes);
        at.strftime("%Y%m%d%H%M").to_string()
    };
    for (look_back, generation, hours, accepted) in [
        (None, Generation::V2, 24, true),
        (None, Generation::V2, 25, false),
        (None, Generation::V1_1, 120, true),
        (None, Generation::V1_1, 121, false),
        (Some(SignedDuration::from_hours(2)), Generation::V1_1, 2, true),
        (Some(SignedDuration::from_hours(2)), Generation::V1_1, 3, false),
    ] {
        let (mut sim, webhook) = Sim::of(Generation::V2, Settings { look_back, ..still() });
        sim.pass(SignedDuration::from_hours(hours));
        sim.answer_checks(None);
        let (from, to) = (minute(0, 0), minute(0, 30));
        let result = sim.world.replay(webhook, &from, &to, generation, sim.now);
        assert_eq!(result.is_ok(), accepted, "{generation:?} {hours}");
        if let Err(refusal) = result {
            assert_eq!((refusal.name(), refusal.code()), ("QueryParamInvalid", 356));
        }
    }
}
