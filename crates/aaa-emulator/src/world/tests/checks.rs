use super::*;
use crate::settings::{Challenge, CheckSchedule, Quota, Revival};

fn heard(status: u16, body: &str) -> Option<Heard> {
    Some(Ok(Answer::new(status, body.to_owned())))
}

#[test]
fn a_wrong_answer_invalidates_at_once_and_a_passing_failure_after_28_hours() {
    let wrong = r#"{"response_token":"sha256=AAAA"}"#;
    for (heard, at_once) in [
        (heard(200, wrong), true),
        (heard(200, "hello"), true),
        (heard(204, ""), true),
        (heard(302, ""), true),
        (Some(Err(Silence::Tls("no certificate".into()))), true),
        (heard(404, ""), false),
        (heard(503, ""), false),
        (Some(Err(Silence::TimedOut)), false),
        (Some(Err(Silence::Closed("reset".into()))), false),
    ] {
        let (mut sim, _) = Sim::subscribed(still());
        let mut hours = 0;
        while sim.is_valid() && hours < 40 {
            hours += 1;
            sim.pass(SignedDuration::from_hours(1));
            assert_eq!(sim.checks.len(), 1, "one check an hour");
            sim.answer_checks(heard.clone());
        }
        assert_eq!(hours, if at_once { 1 } else { 28 }, "{heard:?}");
        let state = sim.world.state(sim.now);
        assert!(state.webhooks[0].last_check_error.is_some());
    }
}

#[test]
fn what_is_compressed_or_says_so_is_a_wrong_answer() {
    for (encoding, is_gzip, passes) in [
        (None, false, true),
        (Some("identity"), false, true),
        (Some("gzip"), false, false),
        (None, true, false),
        (Some("gzip"), true, false),
    ] {
        let (mut sim, webhook) = Sim::subscribed(still());
        let ticket = sim.world.validate(webhook, Generation::V1_1, sim.now).unwrap();
        sim.collect();
        let check = sim.checks.pop().unwrap();
        let mut answer = right_answer(&check);
        answer.content_encoding = encoding.map(str::to_owned);
        if is_gzip {
            answer.body = bytes::Bytes::from_static(&[0x1f, 0x8b, 8, 0]);
        }
        sim.world.check_ended(check.id, Ok(answer), sim.now);
        sim.collect();
        assert_eq!(sim.is_valid(), passes, "{encoding:?} {is_gzip}");
        assert_eq!(matches!(sim.answers[&ticket], Outcome::Validated(Ok(_))), passes);
    }
}

#[test]
fn the_content_type_counts_by_setting() {
    use crate::settings::ChallengeType;
    for (challenge_type, content_type, passes) in [
        (ChallengeType::Any, None, true),
        (ChallengeType::Any, Some("text/plain"), true),
        (ChallengeType::Json, Some("Application/JSON; charset=utf-8"), true),
        (ChallengeType::Json, Some("text/plain"), false),
        (ChallengeType::Json, None, false),
    ] {
        let mut sim = Sim::new(Settings { challenge_type, ..still() });
        sim.world.register("http://127.0.0.1:1/hook", Generation::V2, sim.now).unwrap();
        sim.collect();
        let check = sim.checks.pop().unwrap();
        let mut answer = right_answer(&check);
        answer.content_type = content_type.map(str::to_owned);
        sim.world.check_ended(check.id, Ok(answer), sim.now);
        assert_eq!(sim.world.webhooks().len() == 1, passes, "{challenge_type:?} {content_type:?}");
    }
}

#[test]
fn a_success_in_between_begins_the_28_hours_anew() {
    let (mut sim, _) = Sim::subscribed(still());
    for hour in 1..=50 {
        sim.pass(SignedDuration::from_hours(1));
        sim.answer_checks(if hour % 27 == 0 { None } else { heard(500, "") });
    }
    assert!(sim.is_valid());
}

/// Whatever is told, what was found counts at the webhook.
#[test]
fn what_is_told_of_a_check_that_was_asked_for() {
    use crate::settings::ValidationAnswer::{Attempted, State, Triggered, Valid};
    let wrong = || heard(200, "{}");
    let closed = || heard(503, "");
    for (validation_answer, generation, answer, valid, told) in [
        (Valid, Generation::V2, wrong(), false, None),
        (Attempted, Generation::V2, wrong(), false, None),
        (Triggered, Generation::V2, wrong(), false, Some(true)),
        (State, Generation::V2, wrong(), false, Some(false)),
        // It may pass, so the webhook is what it was.
        (Valid, Generation::V2, closed(), true, None),
        (Triggered, Generation::V2, closed(), true, Some(true)),
        (State, Generation::V2, closed(), true, Some(true)),
        (State, Generation::V2, None, true, Some(true)),
        // v1.1 has no body that could say so.
        (Triggered, Generation::V1_1, wrong(), false, None),
        (State, Generation::V1_1, wrong(), false, None),
    ] {
        let (mut sim, webhook) = Sim::subscribed(Settings { validation_answer, ..still() });
        let ticket = sim.world.validate(webhook, generation, sim.now).unwrap();
        sim.answer_checks(answer.clone());
        assert_eq!(sim.is_valid(), valid, "{validation_answer:?} {answer:?}");
        let result = match sim.answers.remove(&ticket) {
            Some(Outcome::Validated(result)) => result,
            other => panic!("{other:?}"),
        };
        assert_eq!(result.as_ref().ok(), told.as_ref(), "{validation_answer:?} {answer:?}");
        let name = result.err().map(|refusal| refusal.name().to_owned());
        assert!(name.is_none_or(|name| name == "CrcValidationFailed"));
    }
    // Of a webhook that is gone meanwhile there is nothing to tell.
    let settings = Settings { validation_answer: Triggered, ..still() };
    let (mut sim, webhook) = Sim::subscribed(settings);
    let ticket = sim.world.validate(webhook, Generation::V2, sim.now).unwrap();
    sim.world.remove(webhook, sim.now).unwrap();
    sim.answer_checks(None);
    let Outcome::Validated(Err(refusal)) = &sim.answers[&ticket] else { panic!() };
    assert_eq!(refusal.name(), "WebhookIdInvalid");
}

#[test]
fn put_revives_and_a_scheduled_check_only_by_setting() {
    for (revival, expected) in [(Revival::OnRequest, false), (Revival::OnAnyCheck, true)] {
        let (mut sim, webhook) = Sim::subscribed(Settings { revival, ..still() });
        sim.pass(SignedDuration::from_hours(1));
        sim.answer_checks(heard(301, ""));
        assert!(!sim.is_valid());
        sim.pass(SignedDuration::from_hours(1));
        sim.answer_checks(None);
        assert_eq!(sim.is_valid(), expected);
        let ticket = sim.world.validate(webhook, Generation::V2, sim.now).unwrap();
        sim.answer_checks(None);
        assert_eq!(sim.answers[&ticket], Outcome::Validated(Ok(true)));
        assert!(sim.is_valid());
    }
}

#[test]
fn a_jump_of_days_makes_one_check() {
    let (mut sim, _) = Sim::subscribed(still());
    sim.pass(SignedDuration::from_hours(72));
    assert_eq!(sim.checks.len(), 1);
    sim.answer_checks(None);
    assert!(sim.is_valid());
    sim.pass(SignedDuration::from_hours(1));
    assert_eq!(sim.checks.len(), 1);
}

#[test]
fn half_hourly_checks_begin_after_a_day() {
    let checks = CheckSchedule::HALF_HOURLY_AFTER_A_DAY;
    let (mut sim, _) = Sim::subscribed(Settings { checks, ..still() });
    let mut at = Vec::new();
    for half_hour in 1..=52 {
        sim.pass(SignedDuration::from_mins(30));
        if !sim.checks.is_empty() {
            at.push(half_hour);
            sim.answer_checks(heard(500, ""));
        }
    }
    assert_eq!(at, [48, 49, 50, 51, 52]);
}

#[test]
fn challenges_are_signed_when_set_and_asked_for() {
    let settings = Settings { challenge: Challenge::Signed, ..still() };
    let mut sim = Sim::new(settings);
    sim.world.register("http://127.0.0.1:1/hook?app=1", Generation::V2, sim.now).unwrap();
    sim.collect();
    let check = sim.checks[0].clone();
    let (url, query) = check.uri.split_once('?').unwrap();
    assert_eq!(url, "http://127.0.0.1:1/hook");
    assert!(query.starts_with("app=1&crc_token=") && query.contains("&nonce="), "{query}");
    let signature = Signature::parse(check.signature.as_deref().unwrap()).unwrap();
    assert!(signature.verifies(&secret(), query.as_bytes()));
    sim.answer_checks(None);
    sim.pass(SignedDuration::from_hours(1));
    assert!(sim.checks[0].signature.is_none());

    let mut plain = Sim::new(still());
    plain.world.register("http://127.0.0.1:1/hook", Generation::V2, plain.now).unwrap();
    plain.collect();
    assert!(plain.checks[0].signature.is_none());
    assert_eq!(token(&plain.checks[0]).len(), 48);
}

#[test]
fn quota_and_duplicates_also_when_two_register_at_once() {
    let mut sim = Sim::new(Settings { quota: Quota::PAY_PER_USE, ..still() });
    let one = sim.world.register("http://127.0.0.1:1/a", Generation::V2, sim.now).unwrap();
    let two = sim.world.register("http://127.0.0.1:1/b", Generation::V2, sim.now).unwrap();
    sim.answer_checks(None);
    let name = |outcome: &Outcome| match outcome {
        Outcome::Registered(Ok(_)) => "registered".to_owned(),
        Outcome::Registered(Err(refusal)) => refusal.name().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(name(&sim.answers[&one]), "registered");
    assert_eq!(name(&sim.answers[&two]), "WebhookLimitExceeded");
    let again = sim.world.register("http://127.0.0.1:1/a", Generation::V2, sim.now).unwrap_err();
    assert_eq!(again.name(), "DuplicateUrlFailed");

    let webhook = sim.world.webhooks()[0].id;
    for id in 1..=3 {
        sim.world.subscribe(webhook, user(id), sim.now).unwrap();
    }
    let refused = sim.world.subscribe(webhook, user(4), sim.now).unwrap_err();
    assert_eq!(refused.to_string(), "SubscriptionLimitExceeded: ");
}

#[test]
fn calls_are_counted_in_windows() {
    use crate::control::Operation::{CreateReplay, ListWebhooks};
    let mut sim = Sim::new(still());
    for left in (0..100).rev() {
        let limit = sim.world.count_call(CreateReplay, Generation::V2, None, sim.now);
        assert_eq!((limit.remaining, limit.exceeded), (left, false));
    }
    assert!(sim.world.count_call(CreateReplay, Generation::V2, None, sim.now).exceeded);
    assert_eq!(sim.world.count_call(ListWebhooks, Generation::V2, None, sim.now).remaining, 449);
    sim.pass(SignedDuration::from_mins(15) - SignedDuration::from_millis(1));
    assert!(sim.world.count_call(CreateReplay, Generation::V2, None, sim.now).exceeded);
    sim.pass(SignedDuration::from_millis(1));
    assert_eq!(sim.world.count_call(CreateReplay, Generation::V2, None, sim.now).remaining, 99);
}
