//! Planned faults: when they fire, what they do, and what is written about them.

use aaa_types::event::Body;

use super::*;
use crate::control::{Action, Cause, CheckCause, ErrorForm, Fault, Match, Operation, Probability};

fn plan(sim: &mut Sim, when: Match, action: Action, times: u32) {
    sim.world.plan_fault(Fault::new(action).when(when).times(times)).unwrap();
}

/// The keys of what is sent now, and then answered.
fn sent(sim: &mut Sim) -> Vec<String> {
    let key = |post: &Post| Body::parse(&post.body).unwrap().events()[0].identity().to_string();
    sim.answer_posts(200).iter().map(key).collect()
}

#[test]
fn each_match_is_asked() {
    let all = Match::default();
    for (when, fires) in [
        (all.clone(), true),
        (Match { kind: Some("follow_events".into()), ..all.clone() }, true),
        (Match { kind: Some("block_events".into()), ..all.clone() }, false),
        (Match { user_id: Some(user(7)), ..all.clone() }, true),
        (Match { user_id: Some(user(8)), ..all.clone() }, false),
        (Match { cause: Some(Cause::Live), ..all.clone() }, true),
        (Match { cause: Some(Cause::Replay), ..all.clone() }, false),
        (Match { webhook_id: Some("5".parse().unwrap()), ..all.clone() }, false),
        (Match { nth: Some(2), ..all }, false),
    ] {
        let (mut sim, webhook) = Sim::subscribed(still());
        plan(&mut sim, when.clone(), Action::Drop, 1);
        sim.trigger("follow_events", 1);
        let faults = sim.world.faults();
        assert_eq!(faults.faults[0].fired == 1, fires, "{when:?}");
        assert_eq!(faults.never_fired().count(), usize::from(!fires));
        assert_eq!(faults.journal.len(), usize::from(fires));
        assert_eq!(sent(&mut sim).len(), usize::from(!fires));
        if let [firing] = faults.journal.as_slice() {
            assert_eq!((firing.at, firing.fault_id.as_str()), (start(), "1"));
            let event = &sim.world.ledger(sim.now).events[0];
            assert_eq!(firing.event_id.as_ref(), Some(&event.id));
            assert_eq!((firing.user_id, firing.webhook_id), (Some(user(7)), Some(webhook)));
            assert_eq!((firing.cause, firing.operation), (Some(Cause::Live), None));
        }
    }
}

#[test]
fn a_probability_is_drawn_from_the_seed_and_changes_nothing_else() {
    let run = |seed, is_planned| {
        let (mut sim, _) = Sim::subscribed(Settings { seed, concurrency: 5000, ..still() });
        if is_planned {
            let when = Match { probability: Probability::new(0.2), ..Match::default() };
            plan(&mut sim, when, Action::Corrupt, 5000);
        }
        let keys = sim.trigger("favorite_events", 2000);
        let fired: Vec<_> =
            sim.world.faults().journal.into_iter().map(|firing| firing.event_id).collect();
        (keys, fired)
    };
    let (keys, fired) = run(1, true);
    assert!((300..500).contains(&fired.len()), "{}", fired.len());
    assert_eq!(run(1, true), (keys.clone(), fired.clone()));
    assert_eq!(run(1, false).0, keys);
    assert_ne!(run(2, true).1.len(), 0);
    assert_ne!(run(2, true).1, fired);
}

#[test]
fn a_delivery_is_overtaken_by_the_next_or_goes_after_ten_seconds() {
    let (mut sim, _) = Sim::subscribed(still());
    plan(&mut sim, Match::default(), Action::Reorder, 1);
    let keys = sim.trigger("follow_events", 3);
    let swapped = [keys[1].clone(), keys[0].clone(), keys[2].clone()];
    assert_eq!(sent(&mut sim), swapped);

    plan(&mut sim, Match::default(), Action::Reorder, 1);
    let keys = sim.trigger("follow_events", 1);
    assert!(sent(&mut sim).is_empty());
    sim.pass(SignedDuration::from_millis(9_999));
    assert!(sent(&mut sim).is_empty());
    sim.pass(SignedDuration::from_millis(1));
    assert_eq!(sent(&mut sim), keys);
}

#[test]
fn a_job_waits_for_what_is_overtaken() {
    let (mut sim, webhook) = Sim::subscribed(still());
    let keys = sim.trigger("follow_events", 2);
    sim.answer_posts(500);
    sim.pass(SignedDuration::from_mins(40));
    let when = Match { cause: Some(Cause::Replay), nth: Some(2), ..Match::default() };
    plan(&mut sim, when, Action::Reorder, 1);
    sim.replay(webhook, "202511220400", "202511220401").unwrap();
    assert_eq!(sent(&mut sim), keys[..1]);
    sim.pass(SignedDuration::from_secs(10));
    let rest = sent(&mut sim);
    assert_eq!((rest.len(), &rest[0]), (2, &keys[1]));
    assert!(rest[1].contains("Complete"), "{rest:?}");
}

#[test]
fn what_is_given_up_is_not_retried() {
    let retries = Some(vec![SignedDuration::from_secs(3)]);
    for (action, retried) in [(Action::Drop, 1), (Action::GiveUp, 0)] {
        let (mut sim, _) = Sim::subscribed(Settings { retries: retries.clone(), ..still() });
        plan(&mut sim, Match::default(), action, 1);
        sim.trigger("follow_events", 1);
        sim.pass(SignedDuration::from_secs(3));
        assert_eq!(sent(&mut sim).len(), retried, "{action:?}");
        let attempts = &sim.world.ledger(sim.now).events[0].attempts;
        assert_eq!(attempts.len(), 1 + retried);
        assert!(attempts[0].error.as_ref().unwrap().ends_with("by a planned fault"));
    }
}

#[test]
fn trouble_on_the_wire_is_told_to_whoever_sends() {
    for (action, wire) in [
        (Action::SlowBody { millis: 250 }, Wire::Slow(SignedDuration::from_millis(250))),
        (Action::Reset, Wire::Reset),
        (Action::Corrupt, Wire::Whole),
    ] {
        let (mut sim, _) = Sim::subscribed(still());
        plan(&mut sim, Match::default(), action, 1);
        sim.trigger("follow_events", 1);
        sim.collect();
        assert_eq!(sim.posts[0].wire, wire);
    }
}

#[test]
fn checks_go_wrong_by_their_cause() {
    let when = |check| Match { check: Some(check), ..Match::default() };
    let (mut sim, webhook) = Sim::subscribed(still());
    plan(&mut sim, when(CheckCause::Schedule), Action::SilentCheck, 28);
    plan(&mut sim, when(CheckCause::Request), Action::WrongCheck, 1);
    for hour in 1..=28 {
        assert!(sim.is_valid(), "hour {hour}");
        sim.pass(SignedDuration::from_hours(1));
        sim.answer_checks(None);
    }
    assert!(!sim.is_valid());
    for is_right in [false, true] {
        let ticket = sim.world.validate(webhook, Generation::V2, sim.now).unwrap();
        sim.answer_checks(None);
        let outcome = sim.answers.remove(&ticket);
        assert_eq!(matches!(outcome, Some(Outcome::Validated(Ok(_)))), is_right, "{outcome:?}");
    }
    let journal = sim.world.faults().journal;
    assert_eq!(journal.len(), 29);
    assert_eq!(journal[28].check, Some(CheckCause::Request));

    let mut sim = Sim::new(still());
    plan(&mut sim, when(CheckCause::Registration), Action::BadSignature, 1);
    sim.world.register("http://127.0.0.1:1/hook", Generation::V1_1, sim.now).unwrap();
    sim.collect();
    let check = &sim.checks[0];
    let signature = Signature::parse(check.signature.as_deref().unwrap()).unwrap();
    let query = check.uri.split_once('?').unwrap().1;
    assert!(!signature.verifies(&secret(), query.as_bytes()));
}

#[test]
fn a_job_says_twice_that_it_ended() {
    let (mut sim, webhook) = Sim::subscribed(still());
    plan(&mut sim, Match::default(), Action::DoubleCompletion, 1);
    sim.pass(SignedDuration::from_mins(40));
    for copies in [2, 1] {
        sim.replay(webhook, "202511220400", "202511220401").unwrap();
        let sent = sent(&mut sim);
        assert_eq!(sent.len(), copies);
        assert!(sent.iter().all(|key| key.starts_with("/replay_job_status:")), "{sent:?}");
    }
}

#[test]
fn the_clock_jumps_and_the_delivery_goes() {
    let (mut sim, _) = Sim::subscribed(still());
    plan(&mut sim, Match::default(), Action::JumpClock { seconds: 3600 }, 1);
    sim.trigger("follow_events", 1);
    assert_eq!(sent(&mut sim).len(), 1);
    assert_eq!(sim.jumps, [SignedDuration::from_hours(1)]);
}

#[test]
fn what_could_never_fire_is_refused() {
    let operation = Some(Operation::Subscribe);
    let of_call = Match { operation, ..Match::default() };
    let of_check = Match { check: Some(CheckCause::Request), ..Match::default() };
    let respond = |status| Action::Respond { status, form: Some(ErrorForm::Html) };
    for (when, action, times, is_right) in [
        (Match::default(), Action::Drop, 0, false),
        (Match { nth: Some(0), ..Match::default() }, Action::Drop, 1, false),
        (Match::default(), respond(503), 1, false),
        (of_call.clone(), respond(503), 1, true),
        (of_call.clone(), respond(200), 1, false),
        (of_call.clone(), Action::Drop, 1, false),
        (of_call.clone(), Action::LoseAnswer, 1, true),
        (of_call.clone(), Action::SlowBody { millis: 1 }, 1, true),
        (of_call.clone(), Action::Reset, 1, true),
        (Match { user_id: Some(user(7)), ..of_call.clone() }, Action::Reset, 1, true),
        (Match { kind: Some("x_events".into()), ..of_call }, Action::Reset, 1, false),
        (Match { operation, ..of_check.clone() }, Action::WrongCheck, 1, false),
        (of_check.clone(), Action::WrongCheck, 1, true),
        (of_check.clone(), Action::BadSignature, 1, true),
        (of_check.clone(), Action::Drop, 1, false),
        (Match { user_id: Some(user(7)), ..of_check }, Action::WrongCheck, 1, false),
        (Match::default(), Action::JumpClock { seconds: u64::MAX }, 1, false),
        (Match::default(), Action::Delay { seconds: 0 }, 1, false),
    ] {
        let mut sim = Sim::new(still());
        let fault = Fault::new(action).when(when).times(times);
        let planned = sim.world.plan_fault(fault.clone());
        assert_eq!(planned.is_ok(), is_right, "{fault:?} {planned:?}");
    }
}

/// Each of these was planned, and nothing that can ever happen is like it.
#[test]
fn what_fits_no_occasion_is_refused_with_a_reason() {
    let plan = |fault: &str| {
        let fault: Fault = serde_json::from_str(fault).unwrap();
        Sim::new(still()).world.plan_fault(fault).map(|_| ()).err()
    };
    let mut reasons = String::new();
    for (when, action) in [
        (r#""kind":"favorite_events""#, "incomplete_job"),
        (r#""cause":"replay""#, "missing_completion"),
        (r#""user_id":"7""#, "double_completion"),
        (r#""user_id":"7""#, "wrong_check"),
        (r#""cause":"replay""#, "silent_check"),
        (r#""check":"registration","webhook_id":"5""#, "silent_check"),
        (r#""operation":"create_replay","user_id":"7""#, "reset"),
        (r#""operation":"bearer_token","user_id":"7""#, "lose_answer"),
        (r#""operation":"create_webhook","user_id":"7""#, "lose_answer"),
        (r#""operation":"subscribe","user_id":"10000000""#, "lose_answer"),
        (r#""kind":"user_event","user_id":"7""#, "drop"),
        (r#""kind":"post.create","user_id":"7""#, "drop"),
        (r#""kind":"replay_job_status","cause":"live""#, "drop"),
        (r#""kind":"filtered_stream""#, "drop"),
        (r#""kind":"nonsense""#, "drop"),
    ] {
        let fault = format!(r#"{{"match":{{{when}}},"action":{{"type":"{action}"}}}}"#);
        let reason = plan(&fault).unwrap_or_else(|| panic!("{fault} was planned"));
        reasons.push_str(&format!("{when} {action}: {reason}\n"));
    }
    insta::assert_snapshot!(reasons, @r#"
    "kind":"favorite_events" incomplete_job: the end of a job has a `webhook_id`, and nothing else to match
    "cause":"replay" missing_completion: the end of a job has a `webhook_id`, and nothing else to match
    "user_id":"7" double_completion: the end of a job has a `webhook_id`, and nothing else to match
    "user_id":"7" wrong_check: a check has a cause, `check`, and a `webhook_id`, and nothing else to match
    "cause":"replay" silent_check: a check has a cause, `check`, and a `webhook_id`, and nothing else to match
    "check":"registration","webhook_id":"5" silent_check: while it is being registered a webhook has no `webhook_id` yet
    "operation":"create_replay","user_id":"7" reset: this call is made with the app's bearer token: there is no `user_id` to match
    "operation":"bearer_token","user_id":"7" lose_answer: who hands out tokens knows no user yet: there is no `user_id` to match
    "operation":"create_webhook","user_id":"7" lose_answer: only user 1, who owns the app, makes this call
    "operation":"subscribe","user_id":"10000000" lose_answer: there is no such `user_id`: users are 1 to 9999999
    "kind":"user_event","user_id":"7" drop: deliveries of that `kind` name no user: there is no `user_id` to match
    "kind":"post.create","user_id":"7" drop: deliveries of that `kind` name no user: there is no `user_id` to match
    "kind":"replay_job_status","cause":"live" drop: the delivery that ends a job has neither a `user_id` nor a `cause`
    "kind":"filtered_stream" drop: a post of a filtered stream has no name: its `kind` is `unknown`
    "kind":"nonsense" drop: no delivery has that `kind`: it is a top-level key ending in `_events`, `user_event`, `replay_job_status`, an event type with a dot, or `unknown`
    "#);
    for (when, action) in [
        (r#""kind":"replay_job_status""#, "incomplete_job"),
        (r#""kind":"replay_job_status""#, "drop"),
        (r#""webhook_id":"5""#, "wrong_check"),
        (r#""operation":"delete_webhook","user_id":"1""#, "reset"),
        (r#""kind":"brand_new_events","user_id":"7","cause":"retry""#, "reset"),
        (r#""kind":"unknown""#, "drop"),
        (r#""kind":"post.create""#, "drop"),
    ] {
        let fault = format!(r#"{{"match":{{{when}}},"action":{{"type":"{action}"}}}}"#);
        assert_eq!(plan(&fault), None, "{fault}");
    }
}
