//! `aaa replay`, with an emulated X whose clock is set forward, and a receiver that is stopped and
//! killed.

use std::time::Duration;

use aaa_emulator::{
    control::{Action, Cause, Fault, JobState},
    settings::Settings,
};
use jiff::Timestamp;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::{sleep, timeout},
};

use crate::{
    scene::{HOUR, MINUTE, Scene, length, minutes},
    support::PATIENCE,
};

/// Nobody recovers but the command; it has no store of its own and needs the receiver.
#[tokio::test]
async fn three_hours_are_recovered_by_the_command() {
    let mut scene = Scene::new("off").await;
    scene.outage(3).await;
    let missing = scene.missing().await;
    assert_eq!(missing, 6);

    // Nobody receives: the plan grows by the minute, and there is nobody to send anything to.
    let down = scene.json(&["plan"]).await;
    assert_eq!((length(&down["now"]), length(&down["lost"])), (1, 0), "{down}");
    let refused = scene.run(&["recover"]).await;
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("nobody receives into `aaa-data` since"), "{}", refused.stderr);
    assert!(scene.lab.emulator.ledger().jobs.is_empty());

    scene.listen(&["--recover", "off"]).await;
    let plan = scene.json(&["plan"]).await;
    assert_eq!((length(&plan["now"]), length(&plan["later"])), (1, 1), "{plan}");
    let at: Timestamp = plan["later"][0]["at"].as_str().unwrap().parse().unwrap();
    assert!(at > scene.lab.emulator.now());

    let done = scene.run(&["recover", "--json"]).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(length(&report["recovered"]), 1, "{report}");
    assert_eq!((length(&report["now"]), length(&report["later"])), (0, 1), "{report}");
    assert!(done.stderr.contains("recovered 20"), "{}", done.stderr);

    // The rest has its time later.
    scene.forward(20 * MINUTE).await;
    let done = scene.run(&["recover"]).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.ends_with("nothing is missing\n"), "{}", done.stdout);
    assert_eq!(scene.missing().await, 0);
    let jobs = scene.lab.emulator.ledger().jobs;
    assert!(jobs.len() == 2 && jobs.iter().all(|job| job.state == JobState::Complete), "{jobs:?}");
    let status = scene.json(&["status"]).await;
    assert_eq!(status["recovered"]["events"], 6, "{status}");
    assert_eq!(status["held_by"], Value::Null, "the lease was given back");
}

/// A listener recovers by itself; the command follows it, and names what X no longer has.
#[tokio::test]
async fn of_25_hours_the_rest_is_recovered_and_the_loss_is_named() {
    let mut scene = Scene::new("auto").await;
    scene.outage(25).await;
    scene.listen(&["--recover", "auto"]).await;
    let done = scene.run(&["recover", "--json"]).await;
    assert_eq!(done.code, 6, "{}", done.stderr);
    assert!(
        done.stderr.contains("aaa listen looks after the replays: following it"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("error: lost for good: 20"), "{}", done.stderr);
    assert!(done.stderr.contains("(older than the look-back of 24 hours)"), "{}", done.stderr);
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((length(&report["now"]), length(&report["lost"])), (0, 1), "{report}");
    assert!(length(&report["later"]) > 0, "{report}");
    assert_eq!(report["lost"][0]["reason"], "older than the look-back of 24 hours");
    // The last of it has its time later; the listener needs nobody for that.
    scene.forward(20 * MINUTE).await;
    scene.until(|status| length(&status["later"]) + length(&status["now"]) == 0).await;
    // What happened in the first hour and a bit is gone.
    let to: Timestamp = report["lost"][0]["to"].as_str().unwrap().parse().unwrap();
    let events = scene.lab.emulator.ledger().events;
    let (_, stored) = scene.keys().await;
    for event in &events {
        let kept = event.acknowledged_at.is_some();
        assert_eq!(kept, stored.contains(&event.key));
        // The first arrived before the outage.
        assert_eq!(kept, event.created_at >= to || event.key == events[0].key, "{event:?}");
    }
    assert!(events.len() - stored.len() >= 2, "nothing was lost");
    // And once more: it stays lost.
    let again = scene.run(&["recover"]).await;
    assert_eq!(again.code, 6, "{}", again.stdout);
    assert!(again.stdout.starts_with("recovered 0 minutes in 0 windows: 0 events\n"));
    // The plan itself is no failure.
    assert_eq!(length(&scene.json(&["plan"]).await["lost"]), 1);
}

/// X's look-back is shorter than its documents say: the plan agrees with what is learned of it.
#[tokio::test]
async fn a_look_back_that_is_shorter_than_documented() {
    let look_back = Some(jiff::SignedDuration::from_mins(24 * 60 - 25));
    let settings = Settings { look_back, ..Settings::default() };
    let mut scene = Scene::with(settings, &["--recover", "auto"]).await;
    scene.outage(25).await;
    scene.listen(&["--recover", "off"]).await;
    scene.forward(20 * MINUTE).await;
    let before = scene.json(&["plan"]).await;
    scene.stop().await;
    scene.listen(&["--recover", "auto"]).await;

    // The oldest windows are refused until enough is learned; then all the rest comes back.
    let done = scene.run(&["recover", "--json"]).await;
    assert_eq!(done.code, 6, "{}", done.stderr);
    assert!(done.stderr.contains("QueryParamInvalid: from_date must be within"), "{}", done.stderr);
    let plan = scene.json(&["plan"]).await;
    assert_eq!((length(&plan["now"]), length(&plan["lost"])), (0, 1), "{plan}");
    assert_eq!(plan["lost"][0]["reason"], "older than the look-back of 23 hours and 30 minutes");
    let time =
        |plan: &Value| -> Timestamp { plan["lost"][0]["to"].as_str().unwrap().parse().unwrap() };
    let learned = time(&plan).duration_since(time(&before)).as_mins();
    assert!((30..35).contains(&learned), "{learned} minutes");
    // It is what was really asked for: nothing that X still had is given up but a few minutes.
    let first = scene.lab.emulator.ledger().jobs.iter().map(|job| job.from_date).min().unwrap();
    assert!(time(&plan).duration_since(first.start()).as_mins().abs() < 5, "{first} {plan}");
    // Whoever begins anew knows it too, and has nothing refused again.
    let refused = |status: &Value| {
        let attempts = status["attempts"].as_array().unwrap();
        attempts.iter().filter(|attempt| attempt["outcome"]["state"] == "failed").count()
    };
    let before = refused(&scene.json(&["status"]).await);
    assert!(before >= 3, "{before}");
    scene.stop().await;
    scene.listen(&["--recover", "auto"]).await;
    scene.forward(31 * MINUTE).await;
    let all = |status: &Value| length(&status["now"]) == 0 && length(&status["later"]) == 0;
    assert_eq!(refused(&scene.until(all).await), before);
}

#[tokio::test]
async fn a_killed_listener_goes_on_where_it_was() {
    let mut scene = Scene::new("auto").await;
    scene.outage(1).await;
    // Its job is never seen to end.
    scene.lab.emulator.plan_fault(Fault::new(Action::MissingCompletion)).unwrap();
    scene.listen(&["--recover", "auto"]).await;
    scene.forward(20 * MINUTE).await;
    let status = scene
        .until(|status| {
            let attempts = status["attempts"].as_array().unwrap();
            attempts.iter().any(|attempt| attempt["outcome"]["state"] == "running")
        })
        .await;
    assert_eq!(status["held_by"]["name"], "aaa listen");
    scene.kill().await;
    scene.listen(&["--recover", "auto"]).await;
    // The kill made a gap as well, maybe one with the other. The clock only moves while no job is
    // under way, whose deliveries would be late by that.
    let is_idle = |status: &Value| {
        let attempts = status["attempts"].as_array().unwrap();
        let is_open =
            |a: &Value| ["intended", "running"].contains(&a["outcome"]["state"].as_str().unwrap());
        status["held_by"]["role"] == "listener"
            && length(&status["now"]) == 0
            && !attempts.iter().any(is_open)
    };
    scene.until(is_idle).await;
    scene.forward(20 * MINUTE).await;
    scene.until(|status| status["recovered"]["windows"].as_u64() >= Some(1)).await;
    let status = scene.json(&["status"]).await;
    assert_eq!(status["attempts"][0]["outcome"]["state"], "failed");
    assert_eq!(scene.missing().await, 0);
}

#[tokio::test]
async fn one_job_for_a_window_by_hand() {
    let mut scene = Scene::new("off").await;
    let start = scene.lab.emulator.now();
    scene.forward(HOUR).await;
    let time = |minutes: i64| (start + jiff::SignedDuration::from_mins(minutes)).to_string();
    let (from, to) = (time(-2), time(5));
    let id = scene.webhook.clone();

    // What X would not take is not asked for.
    for (from, to, why) in [
        (time(5), time(-2), "is not before"),
        (time(-2), time(55), "at least 10 minutes ago"),
        (time(35), time(45), "at least 31 minutes ago"),
        (time(-60 * 24), time(5), "younger than 24 hours"),
        (time(-2), time(70), "is in the future"),
        (time(-2), "soon".to_owned(), "expected a time in UTC"),
    ] {
        let refused = scene.run(&["create", &id, "--from", &from, "--to", &to]).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{}", refused.stderr);
        assert!(refused.stderr.contains(why), "{why}: {}", refused.stderr);
    }
    assert!(scene.lab.emulator.ledger().jobs.is_empty());
    let unknown = scene.run(&["create", "12", "--from", &from, "--to", &to]).await;
    assert_eq!(unknown.code, 5, "{}", unknown.stderr);

    // Nobody else looks after the replays, so the command asks itself.
    let args = ["create", &id, "--from", &from, "--to", &to, "--follow"];
    let created = scene.json(&args).await;
    assert_eq!((&created["state"], &created["handed_over"]), (&"recovered".into(), &false.into()));
    let job = &scene.lab.emulator.ledger().jobs[0];
    assert_eq!(created["job_id"].as_str().unwrap(), job.id.to_string());
    assert_eq!(minutes(&created), (job.from_date, job.to_date));

    // A listener that recovers is handed the request.
    scene.stop().await;
    scene.listen(&["--recover", "auto"]).await;
    scene.until(|status| status["held_by"]["role"] == "listener").await;
    let created = scene.json(&args).await;
    assert_eq!((&created["state"], &created["handed_over"]), (&"recovered".into(), &true.into()));
    let jobs = scene.lab.emulator.ledger().jobs;
    assert_eq!((jobs.len(), created["job_id"].as_str().unwrap()), (2, &*jobs[1].id.to_string()));

    // Without a store there is nothing to record it in.
    let mut command = scene.lab.command(&["replay", "create", &id, "--from", &from, "--to", &to]);
    command.args(["--data-dir", "elsewhere"]);
    let done = scene.lab.finish(command).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    let job = scene.lab.emulator.ledger().jobs[2].id;
    assert_eq!(done.stdout, format!("{job}  running\n"));
}

#[tokio::test]
async fn a_webhook_that_does_not_answer_is_named() {
    let mut scene = Scene::new("off").await;
    scene.outage(1).await;
    scene.forward(20 * MINUTE).await;
    // It receives, but not where X looks for it.
    scene.bind = "127.0.0.1:0".to_owned();
    scene.listen(&["--recover", "off"]).await;
    let id = scene.webhook.clone();
    let now = scene.lab.emulator.now();
    let time = |hours: i64| (now - jiff::SignedDuration::from_mins(hours)).to_string();
    let done =
        scene.run(&["create", &id, "--from", &time(80), "--to", &time(20), "--follow"]).await;
    assert_eq!(done.code, 5, "{}", done.stderr);
    assert!(done.stderr.contains("CrcValidationFailed"), "{}", done.stderr);
    let status = scene.json(&["status"]).await;
    assert_eq!(status["attempts"][0]["outcome"]["state"], "failed", "{status}");
}

/// An outage from before the first start; what cannot be had is told to a command and to a URL.
#[tokio::test]
async fn a_declared_outage_and_a_hook() {
    let mut scene = Scene::new("auto").await;
    scene.stop().await;
    let since = scene.lab.emulator.now() - jiff::SignedDuration::from_hours(30);
    let since = since.to_string();
    let command = "cat > told.tmp && mv told.tmp told";
    let args = ["--recover", "auto", "--since", &since, "--hook-command", command, "--sweep", "6h"];
    scene.listen(&args).await;
    let told = scene.lab.directory.path().join("told");
    let wait = async {
        while !told.exists() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("the hook was not run");
    let text = std::fs::read_to_string(&told).unwrap();
    crate::lab::assert_no_secret(&text);
    let notice: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&notice["event"], &notice["webhook"]),
        (&"unrecoverable".into(), &Value::from(scene.webhook.clone()))
    );
    assert!(notice["message"].as_str().unwrap().starts_with("what was from "), "{notice}");
    // Started like that again, nothing is declared twice.
    let lost = length(&scene.json(&["plan"]).await["lost"]);
    assert!(lost > 0);
    scene.stop().await;
    scene.listen(&args).await;
    assert_eq!(length(&scene.json(&["plan"]).await["lost"]), lost);
    let future = ["listen", "--recover", "off", "--since", "2099-01-01T00:00:00Z"];
    let (code, words) = scene.lab.fails(&[&future[..], &["--data-dir", "other"]].concat()).await;
    assert_eq!(code, 2, "{words}");
}

/// Every command beside a listener that is busy.
#[tokio::test]
async fn all_commands_during_load() {
    let mut scene = Scene::new("auto").await;
    scene.outage(1).await;
    scene.listen(&["--recover", "auto"]).await;
    scene.forward(20 * MINUTE).await;
    let load = async {
        loop {
            scene.happen(50).await;
        }
    };
    let commands = async {
        let from = (scene.lab.emulator.now() - jiff::SignedDuration::from_mins(100)).to_string();
        let to = (scene.lab.emulator.now() - jiff::SignedDuration::from_mins(40)).to_string();
        let id = scene.webhook.clone();
        let create = ["create", &id, "--from", &from, "--to", &to];
        let watch = async {
            let mut watch = scene.lab.command(&["replay", "status", "--watch", "--json"]);
            let mut watch = watch.stdout(std::process::Stdio::piped()).spawn().unwrap();
            // It is killed once it has looked.
            let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
            assert!(lines.next_line().await.unwrap().is_some());
            watch.start_kill().unwrap();
        };
        let (plan, status, recover, create, ()) = tokio::join!(
            scene.run(&["plan"]),
            scene.run(&["status"]),
            scene.run(&["recover"]),
            scene.run(&create),
            watch,
        );
        for done in [plan, status, recover, create] {
            assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
        }
    };
    tokio::select! {
        () = load => {}
        done = timeout(PATIENCE, commands) => done.expect("a command hangs"),
    }
    assert!(scene.lab.emulator.ledger().events.len() > 100, "that was no load");
    // Never two jobs at a time: X would have refused the second.
    let status = scene.until(|status| status["recovered"]["windows"].as_u64() >= Some(1)).await;
    for attempt in status["attempts"].as_array().unwrap() {
        assert_eq!(attempt["outcome"]["state"], "recovered", "{status}");
    }
    scene.stop().await;
    assert_eq!(scene.missing().await, 0);
    let attempts = scene.lab.emulator.ledger().events.into_iter().flat_map(|e| e.attempts);
    assert!(attempts.filter(|attempt| attempt.cause == Cause::Replay).count() >= 2);
}

#[tokio::test]
async fn what_people_see() {
    let mut scene = Scene::new("off").await;
    let fresh = scene.run(&["plan"]).await;
    assert_eq!(fresh.code, 0, "{}", fresh.stderr);
    assert!(fresh.stdout.ends_with("= covered\n\nnothing is missing\n"), "{}", fresh.stdout);
    scene.outage(1).await;
    scene.listen(&["--recover", "off"]).await;
    scene.forward(20 * MINUTE).await;
    assert_eq!(scene.run(&["recover"]).await.code, 0);
    let status = scene.run(&["status", "--offline"]).await;
    assert_eq!(status.code, 0, "{}", status.stderr);
    let lines: Vec<_> = status.stdout.lines().collect();
    assert_eq!(lines[3], "", "{}", status.stdout);
    assert_eq!(lines[4], "receiving       yes");
    assert!(status.stdout.contains("recovered       1 windows, 2 events\n"), "{}", status.stdout);
    assert!(status.stdout.contains("recovering      nobody\n"));
    assert!(lines.last().unwrap().ends_with("  recovered  2"), "{}", status.stdout);
    // Several webhooks, and none is named.
    scene.lab.webhook("other").await;
    for command in ["recover", "plan", "status"] {
        let unclear = scene.run(&[command]).await;
        assert_eq!(unclear.code, 2, "{command}: {}", unclear.stderr);
        assert!(unclear.stderr.contains("--webhook ID or --public-url URL"), "{}", unclear.stderr);
    }
    assert_eq!(scene.run(&["plan", "--webhook", &scene.webhook]).await.code, 0);
    assert_eq!(scene.run(&["recover", "--webhook", &scene.webhook]).await.code, 0);
}

/// Only a person at a terminal sees how far it is.
#[tokio::test]
async fn a_bar_on_a_terminal() {
    if std::process::Command::new("script").arg("--version").output().is_err() {
        return crate::support::skipped("replay::a_bar_on_a_terminal", "script, of util-linux");
    }
    let mut scene = Scene::new("off").await;
    scene.outage(1).await;
    scene.listen(&["--recover", "off"]).await;
    scene.forward(20 * MINUTE).await;
    // It gives what it runs a terminal, with both streams on it.
    let program = env!("CARGO_BIN_EXE_aaa");
    let mut command = scene.lab.command(&[]);
    let mut terminal = tokio::process::Command::new("script");
    terminal.args(["-q", "-e", "-c", &format!("'{program}' replay recover"), "/dev/null"]);
    for (name, value) in command.as_std_mut().get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    terminal.current_dir(scene.lab.directory.path()).stdin(std::process::Stdio::null());
    let done = scene.lab.finish(terminal).await;
    assert_eq!(done.code, 0, "{}", done.stdout);
    let bars: Vec<_> = done.stdout.split("\r\u{1b}[2K").skip(1).collect();
    assert!(bars[0].starts_with("[--------------------] 0 of "), "{bars:?}");
    assert!(bars[0].contains(" minutes, 0 of 1 windows, 0 events"), "{bars:?}");
    assert!(
        bars.iter().all(|bar| bar.split("\r\n").next().unwrap().chars().count() < 80
            || bar.starts_with("recovered ")),
        "{bars:?}"
    );
    // The last one is taken away before the report.
    assert!(bars.iter().any(|bar| bar.starts_with("[####################] ")), "{bars:?}");
    let report = bars.last().unwrap();
    assert!(
        report.starts_with("recovered ") && report.contains(" in 1 windows: 2 events\r\n"),
        "{bars:?}"
    );
}
