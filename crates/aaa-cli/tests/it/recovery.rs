//! What a listener that recovers does by itself, against an emulated X.

use aaa_emulator::{
    control::{Action, Cause, Fault, JobState},
    settings::{Challenge, Settings},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    between::{Between, Told},
    scene::{HOUR, MINUTE, Scene, length},
    support::{PATIENCE, deliver},
};

const NEW_ROUTE: &str = "POST /2/webhooks/replay";
const OLD_ROUTE: &str = "POST /2/account_activity/replay/";

fn states(status: &Value) -> Vec<&str> {
    let attempts = status["attempts"].as_array().unwrap();
    attempts.iter().map(|attempt| attempt["outcome"]["state"].as_str().unwrap()).collect()
}

/// Nothing runs.
fn is_quiet(status: &Value) -> bool {
    !states(status).iter().any(|state| ["intended", "running"].contains(state))
}

/// Nothing runs, and nothing can be asked for now.
fn is_done(status: &Value) -> bool {
    length(&status["now"]) == 0 && is_quiet(status)
}

/// Waits for something that happens in this process.
async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, wait).await.expect("it does not happen");
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// X finds nobody at the URL and marks the webhook invalid. Who recovers has X check it anew, but
/// not before it was checked from here.
#[tokio::test]
async fn an_invalid_webhook_is_checked_from_here_and_then_by_x() {
    // The first check that fails counts.
    let settings = Settings { check_grace: SignedDuration::ZERO, ..Settings::default() };
    let mut scene = Scene::with(settings, &["--recover", "auto"]).await;
    let bind = scene.bind.clone();
    scene.stop().await;
    scene.happen(1).await;
    scene.forward(2 * HOUR).await;
    let valid = |scene: &Scene| scene.lab.emulator.state().webhooks[0].valid;
    until(|| !valid(&scene)).await;
    // X attempts nothing more.
    scene.happen(3).await;

    // Somebody receives, but not where X looks for it: X would be asked in vain, so it is not.
    let mut told = Told::new().await;
    let between = Between::new(&scene.lab.emulator.url(), None).await;
    scene.x = between.url.clone();
    let hook = ["--recover", "auto", "--hook-url", &told.url.clone()].map(str::to_owned);
    let hook: Vec<&str> = hook.iter().map(String::as_str).collect();
    scene.bind = "127.0.0.1:0".to_owned();
    scene.listen(&hook).await;
    let invalid = told.event("webhook_invalid").await;
    assert_eq!(invalid["webhook"], scene.webhook.as_str());
    let failed = told.event("self_check_failed").await;
    assert!(failed["reason"].as_str().unwrap().contains(&bind), "{failed}");
    assert!(time(&failed["at"]) > scene.lab.emulator.now() - SignedDuration::from_mins(5));
    assert_eq!(between.calls("PUT "), []);
    assert!(!valid(&scene));
    scene.stop().await;

    scene.bind = bind;
    scene.listen(&hook).await;
    let back = told.event("webhook_valid").await;
    assert!(valid(&scene), "{back}");
    let put: Vec<_> = between.calls("PUT ").into_iter().map(|call| call.status).collect();
    assert_eq!(put, [200]);
    // The spell is named, and replayed all the same; what X did not attempt stays away.
    let perhaps = |status: &Value| {
        let lost = status["lost"].as_array().unwrap();
        lost.iter().any(|lost| lost["reason"] == "possibly: the webhook was marked invalid")
    };
    scene.until(perhaps).await;
    scene.forward(40 * MINUTE).await;
    scene.until(|status| states(status).contains(&"recovered") && is_done(status)).await;
    assert_eq!(scene.missing().await, 3);
    let plan = scene.run(&["plan"]).await;
    assert!(plan.stdout.contains("perhaps lost"), "{}", plan.stdout);
    // Perhaps is no reason for a failure.
    assert_eq!(scene.run(&["recover"]).await.code, 0);
}

/// A webhook whose URL ends in this turns invalid; with these flags it is made valid again.
async fn becomes_valid_again(query: &str, args: &[&str]) {
    let check_grace = SignedDuration::ZERO;
    let settings = Settings { check_grace, challenge: Challenge::Signed, ..Settings::default() };
    let mut scene = Scene::with(settings, &["--recover", "off"]).await;
    scene.lab.json(&["webhooks", "delete", &scene.webhook]).await;
    let url = format!("{}{query}", scene.url());
    let webhook = scene.lab.json(&["webhooks", "create", &url]).await["id"].clone();
    scene.stop().await;
    scene.forward(2 * HOUR).await;
    let valid = |scene: &Scene| scene.lab.emulator.state().webhooks[0].valid;
    until(|| !valid(&scene)).await;
    let mut told = Told::new().await;
    let hook = told.url.clone();
    scene.listen(&[&["--recover", "auto", "--hook-url", &hook], args].concat()).await;
    let back = told.event("webhook_valid").await;
    assert_eq!(back["webhook"], webhook);
    assert!(valid(&scene), "{back}");
}

/// Where only X's networks are let in, the check from here is let in by its signature.
#[tokio::test]
async fn an_invalid_webhook_is_checked_from_a_network_that_is_not_allowed() {
    becomes_valid_again("", &["--allow-from", "x"]).await;
}

/// The query of the check is signed as it is sent, the URL's own included.
#[tokio::test]
async fn an_invalid_webhook_with_a_query_is_checked_from_here() {
    becomes_valid_again("?tenant=1", &[]).await;
}

#[tokio::test]
async fn who_vanishes_is_named_and_subscribed_again_where_a_token_is_held() {
    let mut told = Told::new().await;
    let hook = told.url.clone();
    let args = ["--recover", "auto", "--resubscribe", "--hook-url", &hook];
    let mut scene = Scene::new("auto").await;
    scene.subscribe(8).await;
    scene.stop().await;
    // Of one of the two nobody has the token.
    let tokens = std::fs::read_to_string(scene.lab.tokens()).unwrap();
    std::fs::remove_file(scene.lab.tokens()).unwrap();
    scene.lab.store(7, &aaa_emulator::credentials::user_token(7).token);
    assert_ne!(std::fs::read_to_string(scene.lab.tokens()).unwrap(), tokens);
    let between = Between::new(&scene.lab.emulator.url(), None).await;
    scene.x = between.url.clone();
    scene.listen(&args).await;
    let subscribed = |scene: &Scene| -> Vec<String> {
        let state = scene.lab.emulator.state();
        state.webhooks[0].subscriptions.iter().map(ToString::to_string).collect()
    };
    assert_eq!(subscribed(&scene), ["7", "8"]);
    // Both were seen.
    let list = || between.calls("/subscriptions/all/list");
    until(|| !list().is_empty()).await;

    for user in ["7", "8"] {
        // With a data directory of its own, so that nobody knows that it is on purpose.
        let id = scene.webhook.clone();
        let elsewhere = ["subscriptions", "remove", &id, user, "--data-dir", "elsewhere"];
        scene.lab.json(&elsewhere).await;
    }
    scene.happen(2).await;
    let (seven, eight) = (Value::from("7"), Value::from("8"));
    let back = told.about("subscription_back", &seven).await;
    assert_eq!(back["webhook"], scene.webhook.as_str());
    for user in [seven, eight] {
        let gone = told.about("subscription_gone", &user).await;
        assert_eq!(gone["how"], "lost", "{gone}");
    }
    assert_eq!(subscribed(&scene), ["7"]);
    // The time is named.
    let status = scene.until(|status| length(&status["lost"]) > 0).await;
    assert_eq!(status["lost"][0]["reason"], "possibly: a user was not subscribed");
    assert!(time(&status["lost"][0]["from"]) <= time(&back["from"]));
    scene.happen(1).await;
    assert_eq!(scene.missing().await, 0, "what happened meanwhile was never X's to send");
}

/// Five days back, five jobs in a quarter of an hour, and a job of somebody else in the way.
#[tokio::test]
async fn thirty_hours_come_back_by_the_rules_of_the_enterprise_api() {
    let settings = Settings {
        // Nobody tries again but the replays, and the webhook stays valid.
        retries: Some(Vec::new()),
        check_grace: SignedDuration::from_hours(100),
        ..Settings::default()
    };
    let off = ["--recover", "off"];
    let mut scene = Scene::of("v1.1", settings, &off).await;
    scene.forward(5 * MINUTE).await;
    scene.noticed().await;
    scene.outage(30).await;
    scene.listen(&off).await;
    let missing = scene.missing().await;
    assert_eq!(missing, 60);

    // Somebody else's job, whose deliveries take their time.
    let mut slow = Fault::new(Action::Delay { seconds: 120 });
    slow.when.cause = Some(Cause::Replay);
    slow.times = 2;
    scene.lab.emulator.plan_fault(slow).unwrap();
    let ago =
        |hours: i64| (scene.lab.emulator.now() - SignedDuration::from_hours(hours)).to_string();
    let (id, from, to) = (scene.webhook.clone(), ago(30), ago(29));
    let args = ["replay", "create", &id, "--from", &from, "--to", &to, "--api", "v1.1"];
    let foreign = scene.lab.run(&[&args[..], &["--data-dir", "elsewhere"]].concat()).await;
    assert_eq!(foreign.code, 0, "{}", foreign.stderr);

    scene.stop().await;
    let between = Between::new(&scene.lab.emulator.url(), None).await;
    scene.x = between.url.clone();
    scene.listen(&["--recover", "auto"]).await;
    let status = scene.until(|status| states(status).contains(&"failed")).await;
    let reason = status["attempts"][0]["outcome"]["reason"].as_str().unwrap();
    assert!(reason.contains("status 409, code 355: A replay job is already"), "{reason}");
    assert_eq!(status["lost"].as_array().unwrap().len(), 0, "{status}");
    scene.forward(3 * MINUTE).await;

    // A quarter of an hour allows five calls, whatever came of them.
    let answered = |status: u16| {
        let calls = between.calls("POST /1.1/account_activity/replay/");
        calls.iter().filter(|call| call.status == status).count()
    };
    let mut quarters = 0;
    while quarters < 10 {
        let (before, first) = (answered(202), quarters == 0);
        // The conflict and the job of somebody else are two of the first five.
        let at_most = if first { 3 } else { before + 5 };
        let rests = |status: &Value| is_quiet(status) && answered(202) == at_most;
        let status = scene.until(|status| is_done(status) || rests(status)).await;
        if is_done(&status) {
            break;
        }
        quarters += 1;
        scene.forward(16 * MINUTE).await;
    }
    assert!(quarters >= 3, "{quarters}");
    assert_eq!(answered(429), 0, "it is known beforehand how many calls are left");
    scene.forward(20 * MINUTE).await;
    scene.until(|status| is_done(status) && length(&status["later"]) == 0).await;
    assert_eq!(scene.missing().await, 0);
    // On a busy machine a delivery may come too late, whose window is then asked for again.
    let jobs = scene.lab.emulator.ledger().jobs;
    assert!(jobs.iter().all(|job| job.state != JobState::Running), "{jobs:?}");
}

/// X takes either route away.
#[tokio::test]
async fn the_other_route_is_taken_when_one_is_missing() {
    for (missing, flag) in [(NEW_ROUTE, "webhooks"), (OLD_ROUTE, "account-activity")] {
        let mut scene = Scene::new("auto").await;
        scene.outage(1).await;
        let between = Between::new(&scene.lab.emulator.url(), Some(missing)).await;
        scene.x = between.url.clone();
        scene.listen(&["--recover", "auto", "--replay-route", flag]).await;
        scene.forward(20 * MINUTE).await;
        scene.until(|status| states(status) == ["recovered"]).await;
        let statuses =
            |route| -> Vec<u16> { between.calls(route).iter().map(|call| call.status).collect() };
        let (new, old) = (statuses(NEW_ROUTE), statuses(OLD_ROUTE));
        let expected = if missing == NEW_ROUTE { ([404], [200]) } else { ([200], [404]) };
        assert_eq!((&*new, &*old), (&expected.0[..], &expected.1[..]));
        assert_eq!(scene.missing().await, 0);
    }
}

#[tokio::test]
async fn the_older_route_is_taken_where_it_is_chosen() {
    let mut scene = Scene::new("off").await;
    scene.outage(1).await;
    let between = Between::new(&scene.lab.emulator.url(), None).await;
    scene.listen(&["--recover", "off"]).await;
    scene.forward(20 * MINUTE).await;
    let recover = ["replay", "recover", "--replay-route", "account-activity"];
    let mut command = scene.lab.command(&recover);
    command.env("X_API_URL", &between.url);
    let done = scene.lab.finish(command).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!((between.calls(NEW_ROUTE).len(), between.calls(OLD_ROUTE).len()), (0, 1));
    assert_eq!(scene.missing().await, 0);
}

/// Neither a clock that jumps nor anybody who forges deliveries is a gap; what comes late or in
/// another order is no gap either, and comes after what came before.
#[tokio::test]
async fn what_is_no_gap() {
    let mut scene = Scene::new("auto").await;
    let nothing =
        |plan: &Value| ["now", "later", "lost"].iter().all(|part| length(&plan[*part]) == 0);
    for by in [7 * MINUTE, 26 * HOUR] {
        scene.forward(by).await;
        scene.noticed().await;
        scene.happen(1).await;
        let plan = scene.json(&["plan"]).await;
        assert!(nothing(&plan), "{plan}");
    }
    let url = scene.receiver.as_ref().unwrap().url.clone();
    for n in 0..50 {
        let body = format!(r#"{{"for_user_id":"7","favorite_events":[{{"id":"{n}"}}]}}"#);
        let status = deliver(&url, "/webhooks/twitter", "forged", &body).await;
        assert_eq!(status, 403);
    }

    let mut late = Fault::new(Action::Delay { seconds: 300 });
    late.when.kind = Some("follow_events".to_owned());
    scene.lab.emulator.plan_fault(late).unwrap();
    let trigger = aaa_emulator::control::Trigger::new("follow_events", "7".parse().unwrap());
    let first = scene.lab.emulator.trigger(&trigger).await.unwrap().events.remove(0);
    scene.happen(1).await;
    scene.forward(10 * MINUTE).await;
    scene.noticed().await;
    scene.happen(1).await;
    scene.stop().await;
    let listed = scene.lab.run(&["events", "list", "--json"]).await.stdout;
    let events: Vec<Value> =
        listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let place = events.iter().position(|event| event["key"] == *first.key).unwrap();
    let own = |event: &Value| event["payload"]["created_timestamp"].as_str().unwrap().to_owned();
    assert!(place > 0 && own(&events[place]) < own(&events[place - 1]), "{listed}");
    assert!(events.windows(2).all(|pair| pair[0]["seq"].as_u64() < pair[1]["seq"].as_u64()));
    assert_eq!(scene.missing().await, 0);
    assert_eq!(scene.lab.emulator.ledger().jobs, []);
    scene.listen(&["--recover", "off"]).await;
    let plan = scene.json(&["plan"]).await;
    assert_eq!((length(&plan["now"]), length(&plan["lost"])), (0, 0), "only the last stop: {plan}");
}

/// The receiver dies in the middle of a job, and X calls it complete all the same.
#[tokio::test]
async fn a_job_in_whose_middle_the_receiver_died_is_asked_for_again() {
    let mut scene = Scene::new("auto").await;
    scene.outage(1).await;
    let mut slow = Fault::new(Action::Delay { seconds: 60 });
    slow.when.cause = Some(Cause::Replay);
    // Those that were missed, and one from the minute before.
    slow.times = 3;
    scene.lab.emulator.plan_fault(slow).unwrap();
    scene.lab.emulator.plan_fault(Fault::new(Action::CompleteJob)).unwrap();
    scene.listen(&["--recover", "auto"]).await;
    scene.forward(20 * MINUTE).await;
    scene.until(|status| states(status) == ["running"]).await;
    scene.kill().await;
    scene.forward(2 * MINUTE).await;
    until(|| scene.lab.emulator.ledger().jobs[0].state != JobState::Running).await;
    assert_eq!(scene.lab.emulator.ledger().jobs[0].state, JobState::Complete);
    assert_eq!(scene.missing().await, 2);
    assert!(scene.lab.emulator.faults().faults.iter().all(|fault| fault.fired == fault.planned));

    scene.listen(&["--recover", "auto"]).await;
    // The kill made a gap as well, and what it joins X takes later.
    scene.until(|status| states(status)[0] == "failed" && is_done(status)).await;
    scene.forward(20 * MINUTE).await;
    let done = |status: &Value| is_done(status) && length(&status["later"]) == 0;
    let status = scene.until(|status| done(status) && states(status).len() > 1).await;
    assert!(states(&status)[1..].iter().all(|state| *state == "recovered"), "{status}");
    assert_eq!(scene.missing().await, 0);
}
