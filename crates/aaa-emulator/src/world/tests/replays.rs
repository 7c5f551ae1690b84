use aaa_types::{UtcMinute, event::Body};

use super::*;
use crate::{
    control::{Action, Cause, Completion, Fault, JobState},
    settings::{WhileInvalid, WindowEnd},
};

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// The minute that lies so many minutes after the start.
fn minute(after: i64) -> String {
    UtcMinute::floor(start()).plus(after).to_string()
}

fn keys(posts: &[Post]) -> Vec<String> {
    let key = |post: &Post| Body::parse(&post.body).unwrap().events()[0].identity().to_string();
    posts.iter().map(key).collect()
}

/// A world in which an event happened in every one of the first minutes.
fn with_events(settings: Settings, count: i64) -> (Sim, WebhookId, Vec<String>) {
    let (mut sim, webhook) = Sim::subscribed(settings);
    let mut made = Vec::new();
    for _ in 0..count {
        made.extend(sim.trigger("favorite_events", 1));
        sim.answer_posts(500);
        sim.pass(minutes(1));
    }
    (sim, webhook, made)
}

#[test]
fn the_edges_of_a_window() {
    let milli = SignedDuration::from_millis(1);
    for (from, to, at, accepted) in [
        // from_date: 31 minutes old.
        (0, 5, minutes(31), true),
        (0, 5, minutes(31) - milli, false),
        // to_date: 10 minutes old.
        (0, 40, minutes(50), true),
        (0, 40, minutes(50) - milli, false),
        // The look-back: 24 hours.
        (0, 40, minutes(1440), true),
        (0, 40, minutes(1440) + milli, false),
        // Not empty, not backwards, not in the future.
        (5, 5, minutes(60), false),
        (6, 5, minutes(60), false),
        (0, 61, minutes(60), false),
        (61, 62, minutes(60), false),
    ] {
        let (mut sim, webhook) = Sim::subscribed(still());
        sim.pass(at);
        sim.answer_checks(None);
        let result = sim.replay(webhook, &minute(from), &minute(to));
        assert_eq!(result.is_ok(), accepted, "{from}..{to} at {at:?}: {result:?}");
        if let Err(refusal) = result {
            assert_eq!(refusal.name(), "QueryParamInvalid");
        }
    }
    let (mut sim, webhook) = Sim::subscribed(still());
    for bad in ["", "2025112204", "2025-11-22T04:00", "202513010000"] {
        let refusal = sim.replay(webhook, bad, &minute(1)).unwrap_err();
        assert_eq!(refusal.name(), "QueryParamInvalid", "{bad}");
    }
}

#[test]
fn exactly_the_window_comes_again_oldest_first_signed_and_then_the_end() {
    for (window_end, expected) in [(WindowEnd::Exclusive, 10..20), (WindowEnd::Inclusive, 10..21)] {
        let (mut sim, webhook, made) = with_events(Settings { window_end, ..still() }, 30);
        sim.pass(minutes(31));
        let job = sim.replay(webhook, &minute(10), &minute(20)).unwrap();
        let posts = sim.answer_posts(200);
        assert!(posts.iter().all(verifies));
        let mut keys = keys(&posts);
        assert_eq!(keys.pop().unwrap(), format!("/replay_job_status:{}:Complete", job.job_id));
        assert_eq!(keys, made[expected.clone()]);

        let ledger = sim.world.ledger(sim.now);
        assert_eq!(ledger.jobs[0].state, JobState::Complete);
        for (index, event) in ledger.events.iter().enumerate() {
            let replays = event.attempts.iter().filter(|a| a.cause == Cause::Replay).count();
            assert_eq!(replays == 1, expected.contains(&index));
            assert_eq!(event.acknowledged_at.is_some(), expected.contains(&index));
        }
        let detail = &sim.world.state(sim.now).jobs[0];
        assert_eq!((detail.events, detail.failed), (expected.len(), 0));
        assert_eq!(detail.completion, Completion::Acknowledged);
    }
}

#[test]
fn one_job_at_a_time() {
    let (mut sim, webhook, _) = with_events(still(), 2);
    sim.pass(minutes(40));
    let (from, to) = (minute(0), minute(5));
    let conflict = |sim: &mut Sim| {
        let refusal = sim.world.replay(webhook, &from, &to, Generation::V2, sim.now).unwrap_err();
        assert_eq!(refusal.name(), "ReplayConflictError");
    };
    let ticket = sim.world.replay(webhook, &from, &to, Generation::V2, sim.now).unwrap();
    conflict(&mut sim);
    sim.answer_checks(None);
    assert!(matches!(sim.answers[&ticket], Outcome::Replaying(Ok(_))));
    conflict(&mut sim);
    sim.answer_posts(200);
    sim.replay(webhook, &from, &to).unwrap();
    assert_eq!(sim.answer_posts(200).len(), 3);
}

#[test]
fn a_failed_check_refuses_and_leaves_room() {
    let (mut sim, webhook, _) = with_events(still(), 1);
    sim.pass(minutes(40));
    let (from, to) = (minute(0), minute(5));
    let ticket = sim.world.replay(webhook, &from, &to, Generation::V2, sim.now).unwrap();
    sim.answer_checks(Some(Err(Silence::TimedOut)));
    let Outcome::Replaying(Err(refusal)) = &sim.answers[&ticket] else { panic!() };
    assert_eq!(refusal.name(), "CrcValidationFailed");
    assert!(sim.world.ledger(sim.now).jobs.is_empty());
    sim.replay(webhook, &from, &to).unwrap();
}

#[test]
fn a_failed_delivery_makes_it_incomplete_and_is_not_repeated() {
    let retries = vec![SignedDuration::from_secs(3)];
    let (mut sim, webhook, _) = with_events(Settings { retries: Some(retries), ..still() }, 5);
    sim.pass(minutes(40));
    sim.answer_posts(500);
    let job = sim.replay(webhook, &minute(0), &minute(5)).unwrap();
    let first = sim.posts.remove(0);
    sim.world.delivery_ended(first.id, Err(Silence::Closed("reset".into())), sim.now);
    let posts = sim.answer_posts(200);
    let last = keys(&posts).pop().unwrap();
    assert_eq!(last, format!("/replay_job_status:{}:Incomplete", job.job_id));
    assert_eq!(posts.len(), 5);
    sim.pass(minutes(5));
    assert!(sim.posts.is_empty());
}

#[test]
fn what_was_not_attempted_is_not_replayed_unless_set() {
    for (while_invalid, expected) in [(WhileInvalid::Lost, 1), (WhileInvalid::Replayable, 2)] {
        let (mut sim, webhook) = Sim::subscribed(Settings { while_invalid, ..still() });
        sim.trigger("favorite_events", 1);
        sim.answer_posts(500);
        sim.world.validate(webhook, Generation::V2, sim.now).unwrap();
        sim.answer_checks(Some(Ok(Answer::new(200, "{}"))));
        sim.trigger("favorite_events", 1);
        assert!(sim.answer_posts(500).is_empty(), "an invalid webhook receives nothing");
        assert!(sim.world.ledger(sim.now).events[1].attempts.is_empty());
        sim.pass(minutes(40));
        let refusal = sim.replay(webhook, &minute(0), &minute(5)).unwrap_err();
        assert_eq!(refusal.name(), "CrcValidationFailed");
        sim.world.validate(webhook, Generation::V2, sim.now).unwrap();
        sim.answer_checks(None);
        sim.replay(webhook, &minute(0), &minute(5)).unwrap();
        assert_eq!(sim.answer_posts(200).len(), expected + 1, "{while_invalid:?}");
    }
}

#[test]
fn a_job_ends_when_its_webhook_becomes_invalid_or_is_removed() {
    let (mut sim, webhook, _) = with_events(Settings { concurrency: 2, ..still() }, 6);
    sim.pass(minutes(40));
    sim.replay(webhook, &minute(0), &minute(6)).unwrap();
    sim.world.validate(webhook, Generation::V2, sim.now).unwrap();
    sim.answer_checks(Some(Ok(Answer::new(302, ""))));
    assert_eq!(sim.answer_posts(200).len(), 2, "no completion either");
    let detail = &sim.world.state(sim.now).jobs[0];
    assert_eq!((detail.job.state, detail.failed), (JobState::Incomplete, 4));
    assert_eq!(detail.completion, Completion::NotSent);

    let (mut sim, webhook, _) = with_events(Settings { concurrency: 2, ..still() }, 6);
    sim.pass(minutes(40));
    sim.replay(webhook, &minute(0), &minute(6)).unwrap();
    sim.world.remove(webhook, sim.now).unwrap();
    assert_eq!(sim.answer_posts(200).len(), 2);
    assert_eq!(sim.world.ledger(sim.now).jobs[0].state, JobState::Incomplete);
}

#[test]
fn no_faster_than_2500_per_second() {
    let (mut sim, webhook) = Sim::subscribed(Settings::default());
    sim.trigger("brand_new_events", 6000);
    sim.answer_posts(500);
    sim.pass(minutes(40));
    sim.answer_checks(None);
    sim.replay(webhook, &minute(0), &minute(1)).unwrap();
    let began = sim.now;
    let mut sent = sim.answer_posts(200).len();
    assert_eq!(sent, 250);
    // Scheduled checks always give a next time, so the number of steps is the bound.
    for _ in 0..100 {
        if sent == 6001 {
            break;
        }
        let next = sim.world.next_wakeup().unwrap();
        sim.pass(next.duration_since(sim.now));
        sent += sim.answer_posts(200).len();
        let elapsed = sim.now.duration_since(began).as_millis() + 100;
        assert!(sent as i128 * 1000 <= 2500 * elapsed + 1000, "{sent} in {elapsed} ms");
    }
    assert_eq!(sent, 6001);
    assert_eq!(sim.now.duration_since(began).as_millis(), 2300);
}

#[test]
fn live_traffic_goes_on_beside_a_job() {
    let (mut sim, webhook, _) = with_events(Settings { concurrency: 1, ..still() }, 4);
    sim.pass(minutes(40));
    sim.replay(webhook, &minute(0), &minute(4)).unwrap();
    sim.trigger("favorite_events", 1);
    sim.collect();
    assert_eq!(sim.posts.len(), 2, "one of each sort");
}

#[test]
fn jobs_lie_when_they_are_told_to() {
    for (actions, status, expected) in [
        (vec![Action::IncompleteJob], 200, vec!["Incomplete"]),
        (vec![Action::CompleteJob], 500, vec!["Complete"]),
        (vec![Action::MissingCompletion], 200, vec![]),
        (vec![Action::MissingCompletion, Action::IncompleteJob], 200, vec![]),
        (vec![Action::Drop], 200, vec![]),
        (vec![Action::Duplicate], 200, vec!["Complete", "Complete"]),
    ] {
        let (mut sim, webhook, _) = with_events(still(), 1);
        for action in actions.clone() {
            let mut fault = Fault::new(action);
            fault.when.kind = Some("replay_job_status".into());
            sim.world.plan_fault(fault).unwrap();
        }
        sim.pass(minutes(40));
        sim.replay(webhook, &minute(0), &minute(4)).unwrap();
        let states: Vec<_> = keys(&sim.answer_posts(status))
            .iter()
            .filter(|key| key.starts_with("/replay_job_status"))
            .map(|key| key.rsplit(':').next().unwrap().to_owned())
            .collect();
        assert_eq!(states, expected, "{actions:?}");
        let faults = sim.world.faults().faults;
        assert!(faults.iter().all(|fault| fault.fired == 1), "{actions:?}");
    }
}
