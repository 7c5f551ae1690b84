//! Jobs that were asked for by a command that did not wait for their end.

use aaa_emulator::control::{Action, Cause, Fault, JobState};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

use crate::{
    scene::{MINUTE, Scene, length},
    support::PATIENCE,
};

/// A receiver that does not recover was away for an hour, and X would replay it now.
async fn away() -> (Scene, [String; 2]) {
    let mut scene = Scene::new("off").await;
    scene.outage(1).await;
    scene.listen(&["--recover", "off"]).await;
    scene.forward(20 * MINUTE).await;
    let plan = scene.json(&["plan"]).await;
    assert_eq!(length(&plan["now"]), 1, "{plan}");
    let minute = |name: &str| plan["now"][0][name].as_str().unwrap().to_owned();
    let window = [minute("from_date"), minute("to_date")];
    (scene, window)
}

async fn create(scene: &Scene, [from, to]: &[String; 2]) -> Value {
    let created =
        scene.run(&["create", &scene.webhook, "--from", from, "--to", to, "--json"]).await;
    assert_eq!(created.code, 0, "{}", created.stderr);
    assert!(
        created.stderr.contains("nobody follows it: `aaa replay recover`"),
        "{}",
        created.stderr
    );
    serde_json::from_str(&created.stdout).unwrap()
}

#[tokio::test]
async fn its_end_is_in_the_inbox_and_recover_notes_it() {
    let (scene, window) = away().await;
    let created = create(&scene, &window).await;
    assert_eq!((&created["state"], &created["handed_over"]), (&"running".into(), &false.into()));
    // Nobody looks after it, and still it can be told what became of it.
    let status = scene.until(|s| s["attempts"][0]["became"]["state"] == "recovered").await;
    assert_eq!(status["attempts"][0]["outcome"]["state"], "running", "{status}");
    assert_eq!(
        (&status["attempts"][0]["unfollowed"], &status["held_by"]),
        (&true.into(), &Value::Null)
    );
    let shown = scene.run(&["status"]).await.stdout;
    assert!(shown.contains("  recovered; nobody followed it  "), "{shown}");

    let done = scene.run(&["recover", "--json"]).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (&report["events"], &report["recovered"][0]["job_id"]),
        (&2.into(), &created["job_id"])
    );
    assert_eq!(length(&report["now"]), 0, "{report}");
    let status = scene.json(&["status"]).await;
    let attempt = &status["attempts"][0];
    assert_eq!((&attempt["outcome"]["state"], &attempt["found"]), (&"recovered".into(), &2.into()));
    assert_eq!((&attempt["unfollowed"], &status["held_by"]), (&Value::Null, &Value::Null));
    // Nothing was asked for twice.
    assert_eq!(scene.lab.emulator.ledger().jobs.len(), 1);
    assert_eq!(scene.missing().await, 0);
}

#[tokio::test]
async fn an_end_that_never_comes_is_unknown_to_whoever_looks_next() {
    let (mut scene, window) = away().await;
    scene.lab.emulator.plan_fault(Fault::new(Action::MissingCompletion)).unwrap();
    create(&scene, &window).await;
    let status = scene.run(&["status"]).await;
    assert!(status.stdout.contains("  asked for, nobody follows it  "), "{}", status.stdout);
    let watch = scene.json(&["status"]).await;
    assert_eq!(watch["attempts"][0].get("became"), None, "{watch}");

    scene.forward(31 * MINUTE).await;
    let status = scene.run(&["status"]).await.stdout;
    assert!(
        status.contains("  failed: no completion arrived in time; nobody followed it  "),
        "{status}"
    );
    // A command that asks for something else settles it.
    create(&scene, &window).await;
    let status = scene.json(&["status"]).await;
    let outcome = &status["attempts"][0]["outcome"];
    assert_eq!(
        (&outcome["state"], &outcome["reason"]),
        (&"failed".into(), &"no completion arrived in time".into())
    );

    // A listener notes the second one, although nothing is missing by then.
    scene.until(|s| s["attempts"][1]["became"]["state"] == "recovered").await;
    scene.stop().await;
    scene.listen(&["--recover", "auto"]).await;
    let status = scene.until(|s| s["attempts"][1]["outcome"]["state"] == "recovered").await;
    assert_eq!((&status["attempts"][1]["found"], length(&status["attempts"])), (&0.into(), 2));
    assert_eq!(scene.missing().await, 0);
}

#[tokio::test]
async fn recover_waits_for_a_job_that_still_runs() {
    let (scene, window) = away().await;
    // Each delivery of the job takes ten minutes of X's time.
    let mut slow = Fault::new(Action::Delay { seconds: 600 });
    slow.when.cause = Some(Cause::Replay);
    slow.times = 100;
    scene.lab.emulator.plan_fault(slow).unwrap();
    create(&scene, &window).await;
    assert_eq!(scene.lab.emulator.ledger().jobs[0].state, JobState::Running);
    let mut recover = scene.lab.command(&["replay", "recover"]).spawn().unwrap();
    let mut told = BufReader::new(recover.stderr.take().unwrap()).lines();
    let waits = async {
        while let Some(line) = told.next_line().await.unwrap() {
            if line == "a job runs that nobody follows: waiting for its end" {
                return;
            }
        }
        panic!("it does not wait");
    };
    timeout(PATIENCE, waits).await.expect("it says nothing");
    scene.forward(15 * MINUTE).await;
    let done = timeout(PATIENCE, recover.wait_with_output()).await.expect("it hangs").unwrap();
    let report = String::from_utf8(done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(0), "{report}");
    assert!(report.contains(" minutes in 1 windows: 2 events\n"), "{report}");
    assert_eq!(scene.lab.emulator.ledger().jobs.len(), 1);
}
