//! `aaa webhooks`, both generations.

use aaa_emulator::{
    control::{Action, Fault, Match, Operation},
    settings::{Quota, Settings},
};
use serde_json::{Value, json};

use crate::{
    lab::{Answers, GENERATIONS, Lab, failed},
    support::aaa,
};

#[tokio::test]
async fn from_creation_to_deletion() {
    for api in GENERATIONS {
        let lab = Lab::new().await;
        let url = lab.hook("a");
        let created = lab.json(&["webhooks", "create", &url, "--api", api]).await;
        let id = created["id"].as_str().unwrap().to_owned();
        assert_eq!((&created["url"], &created["valid"]), (&json!(url), &json!(true)), "{api}");
        let listed = lab.json(&["webhooks", "list", "--api", api]).await;
        assert_eq!(listed[0]["id"], created["id"], "{api}");
        let validated = lab.json(&["webhooks", "--api", api, "validate", &id]).await;
        assert_eq!(validated, listed[0], "{api}");
        let deleted = lab.json(&["webhooks", "delete", &id, "--api", api]).await;
        assert_eq!(deleted, json!({ "id": id, "deleted": true }), "{api}");
        let listed = lab.run(&["webhooks", "list", "--api", api, "--json"]).await;
        assert_eq!((listed.code, listed.stdout.as_str()), (0, "[]\n"), "{api}");
        // What is gone is not ours any more.
        let record = lab.directory.path().join("aaa-data/webhooks.json");
        let record: Value = serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap();
        assert_eq!(record, json!({ "webhooks": {} }));
    }
}

#[tokio::test]
async fn what_people_see() {
    let lab = Lab::new().await;
    let create = lab.run(&["webhooks", "create", &lab.hook("a")]).await;
    insta::assert_snapshot!(lab.plain(&create.stdout), @"webhook 9999999999999999999 is registered and valid: http://RECEIVER/hook/a");
    let id = lab.ids().await.remove(0);
    let list = lab.run(&["webhooks", "list"]).await;
    insta::assert_snapshot!(lab.plain(&list.stdout), @"
    ID                   VALID  CREATED               URL
    9999999999999999999  yes    2025-11-22T04:13:00Z  http://RECEIVER/hook/a
    ");
    let ensure = lab.run(&["webhooks", "ensure", &lab.hook("a")]).await;
    insta::assert_snapshot!(lab.plain(&ensure.stdout), @"webhook 9999999999999999999 was there already, and is valid: http://RECEIVER/hook/a");
    let validate = lab.run(&["webhooks", "validate", &id]).await;
    insta::assert_snapshot!(lab.plain(&validate.stdout), @"webhook 9999999999999999999 is valid");
    let delete = lab.run(&["webhooks", "delete", &id]).await;
    insta::assert_snapshot!(lab.plain(&delete.stdout), @"webhook 9999999999999999999 is deleted, and its subscriptions with it");
    let list = lab.run(&["webhooks", "list"]).await;
    assert_eq!((list.code, list.stdout.as_str()), (0, ""));
    insta::assert_snapshot!(list.stderr, @"there are no webhooks: `aaa webhooks create URL` registers one");
}

/// The API's name is none, so whatever would be sent ends with 4. It is not on loopback, so URLs
/// there are refused as well.
#[tokio::test]
async fn what_x_would_not_take_is_refused_before_anything_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let long = format!("https://example.com/{}", "x".repeat(181));
    for (url, reason) in [
        ("http://example.com/hook", "X only takes `https`"),
        ("https://example.com:8443/hook", "X takes no port"),
        ("https://example.com:443/hook", "X takes no port"),
        ("https://10.0.0.1/hook", "a private network"),
        ("https://localhost/hook", "the machine itself"),
        ("http://127.0.0.1:8080/hook", "X only takes `https`"),
        ("https://hook", "without a domain"),
        ("/hook", "not an absolute URL"),
        ("", "1 to 200 characters"),
        ("https://example.com/#part", "a fragment"),
        (&long, "1 to 200 characters"),
        ("https://name:hush@example.com/", "a user or a password"),
    ] {
        for command in ["create", "ensure"] {
            let mut aaa = aaa(directory.path(), &["webhooks", command, url, "--no-wait"]);
            aaa.env("X_BEARER_TOKEN", "b").env("X_API_URL", "https://api.x.com.invalid");
            let (code, stderr) = failed(crate::support::run(aaa).await);
            assert_eq!(code, 2, "{url}: {stderr}");
            assert!(stderr.contains(reason) && !stderr.contains("hush"), "{url}: {stderr}");
        }
    }
    for args in [
        &["webhooks", "delete", "abc"][..],
        &["webhooks", "validate", "12345678901234567890"],
        &["webhooks", "delete", "007"],
        &["webhooks", "list", "--api", "v3"],
        &["webhooks", "list", "--max-wait", "soon"],
        &["webhooks", "create"],
        &["webhooks"],
    ] {
        let (code, stderr) = failed(crate::support::run(aaa(directory.path(), args)).await);
        assert_eq!(code, 2, "{args:?}: {stderr}");
    }
    assert!(!directory.path().join("aaa-data").exists());
}

#[tokio::test]
async fn credentials_that_are_missing_or_wrong_are_exit_3() {
    let lab = Lab::new().await;
    for api in GENERATIONS {
        for (args, needed) in [
            (["list", "--json"], "X_BEARER_TOKEN"),
            (["create", "http://127.0.0.1:1/"], "X_ACCESS_TOKEN"),
            (["delete", "12"], "X_ACCESS_TOKEN"),
            (["validate", "12"], "X_ACCESS_TOKEN"),
        ] {
            let mut command =
                aaa(lab.directory.path(), &[&["webhooks"], &args[..], &["--api", api]].concat());
            command.env("X_API_URL", lab.emulator.url());
            let (code, stderr) = failed(lab.finish(command).await);
            assert_eq!(code, 3, "{args:?}: {stderr}");
            assert!(stderr.contains(needed), "{args:?}: {stderr}");
        }
        let (code, stderr) =
            lab.fails(&["webhooks", "list", "--api", api, "--bearer-token", "wrong-hush"]).await;
        assert_eq!(code, 3, "{stderr}");
        assert!(stderr.contains("401") && stderr.contains("what to do: "), "{stderr}");
        assert!(!stderr.contains("hush"), "{stderr}");
    }
    let (code, stderr) = lab.fails(&["webhooks", "list", "--bearer-token", "white space"]).await;
    assert_eq!(code, 3, "{stderr}");
}

#[tokio::test]
async fn no_answer_is_exit_4() {
    let lab = Lab::new().await;
    let nobody = ["webhooks", "list", "--no-wait", "--api-url", "http://127.0.0.1:1"];
    let (code, stderr) = lab.fails(&nobody).await;
    assert_eq!(code, 4, "{stderr}");
    let what =
        "error: could not list the webhooks: GET http://127.0.0.1:1/2/webhooks: no connection";
    assert!(stderr.starts_with(what) && stderr.contains("what to do: "), "{stderr}");
}

#[tokio::test]
async fn each_cause_of_a_refusal_is_told_in_xs_words_and_what_to_do() {
    let lab = Lab::with(Settings { quota: Quota::PAY_PER_USE, ..Settings::default() }).await;
    for api in GENERATIONS {
        lab.answer(Answers::Wrong);
        let (code, wrong) = lab.fails(&["webhooks", "create", &lab.hook("a"), "--api", api]).await;
        assert_eq!(code, 5);
        assert!(wrong.contains("not with the access token secret"), "{wrong}");
        lab.answer(Answers::Trouble);
        let (code, trouble) =
            lab.fails(&["webhooks", "create", &lab.hook("a"), "--api", api]).await;
        assert_eq!(code, 5);
        lab.answer(Answers::Right);
        let id = lab.webhook("a").await;
        let (code, full) = lab.fails(&["webhooks", "create", &lab.hook("b"), "--api", api]).await;
        assert_eq!(code, 5);
        let (code, unknown) = lab.fails(&["webhooks", "validate", "12", "--api", api]).await;
        assert_eq!(code, 5);
        let all = [wrong, trouble, full, unknown].concat();
        insta::assert_snapshot!(format!("refused_{api}"), lab.plain(&all));
        lab.json(&["webhooks", "delete", &id]).await;
    }
}

/// X says `DuplicateUrlFailed` and no more, and on v1.1 not even that.
#[tokio::test]
async fn whoever_registers_a_url_twice_is_told_which_webhook_has_it() {
    let lab = Lab::new().await;
    let id = lab.webhook("a").await;
    for api in GENERATIONS {
        let (code, stderr) = lab.fails(&["webhooks", "create", &lab.hook("a"), "--api", api]).await;
        assert_eq!(code, 5, "{stderr}");
        assert!(stderr.contains(&format!("webhook {id} has this URL already")), "{stderr}");
    }
}

/// v1.1 checks with the owner's token and lists with the bearer token; the latter may be missing.
#[tokio::test]
async fn a_check_that_cannot_be_confirmed() {
    let lab = Lab::new().await;
    let id = lab.webhook("a").await;
    let args = ["webhooks", "validate", &id, "--api", "v1.1", "--json"];
    let mut command = lab.command(&args);
    command.env_remove("X_BEARER_TOKEN");
    let done = lab.finish(command).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer, json!({ "id": id, "valid": true }));
    assert!(done.stderr.starts_with("warning: not confirmed: "), "{}", done.stderr);
}

#[tokio::test]
async fn ensure_takes_what_is_there_and_mends_it() {
    for api in GENERATIONS {
        let lab = Lab::new().await;
        let url = lab.hook("a");
        let ensure = ["webhooks", "ensure", &url, "--api", api];
        let created = lab.json(&ensure).await;
        assert_eq!((&created["outcome"], &created["removed"]), (&json!("created"), &json!([])));
        assert_eq!((&created["url"], &created["valid"]), (&json!(url), &json!(true)));
        let existing = lab.json(&ensure).await;
        assert_eq!((&existing["outcome"], &existing["id"]), (&json!("existing"), &created["id"]));

        let id = created["id"].as_str().unwrap();
        lab.answer(Answers::Wrong);
        let (code, stderr) = lab.fails(&["webhooks", "validate", id, "--api", api]).await;
        assert_eq!(code, 5, "{stderr}");
        let listed = lab.run(&["webhooks", "list", "--api", api]).await;
        assert!(listed.stderr.contains("is invalid and receives nothing"), "{}", listed.stderr);
        assert!(listed.stdout.contains("  no     "), "{}", listed.stdout);
        let (code, stderr) = lab.fails(&ensure).await;
        assert_eq!(code, 5, "{stderr}");

        lab.answer(Answers::Right);
        let mended = lab.json(&ensure).await;
        assert_eq!((&mended["outcome"], &mended["id"]), (&json!("revalidated"), &created["id"]));
        assert_eq!(lab.ids().await, [id]);
    }
}

#[tokio::test]
async fn replace_removes_only_what_was_made_here() {
    for api in GENERATIONS {
        let lab = Lab::with(Settings { quota: Quota::PAY_PER_USE, ..Settings::default() }).await;
        let (a, b) = (lab.hook("a"), lab.hook("b"));
        // Somebody else's webhook is in the place.
        let foreign = lab.foreign_webhook("foreign").await;
        let replace = ["webhooks", "ensure", &b, "--replace", "--api", api];
        let (code, stderr) = lab.fails(&replace).await;
        assert_eq!(code, 5);
        insta::assert_snapshot!(format!("foreign_in_the_way_{api}"), lab.plain(&stderr));
        assert_eq!(lab.ids().await, [foreign.as_str()]);
        lab.json(&["webhooks", "delete", &foreign]).await;

        // Ours is: without the flag it stays, and the flag is named.
        let old = lab.webhook("a").await;
        lab.json(&["subscriptions", "add", &old]).await;
        let (code, stderr) = lab.fails(&["webhooks", "ensure", &b, "--api", api]).await;
        assert_eq!(code, 5);
        assert!(stderr.contains("--replace") && stderr.contains(&old), "{stderr}");
        assert_eq!(lab.ids().await, [old.as_str()]);
        let done = lab.run(&[&replace[..], &["--json"]].concat()).await;
        assert_eq!(done.code, 0, "{}", done.stderr);
        let answer: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!((&answer["outcome"], &answer["url"]), (&json!("created"), &json!(b)));
        assert_eq!(answer["removed"].as_array().unwrap().len(), 1);
        assert_eq!(
            (&answer["removed"][0]["id"], &answer["removed"][0]["url"]),
            (&json!(old), &json!(a))
        );
        insta::allow_duplicates! {
            insta::assert_snapshot!(lab.plain(&done.stderr), @"removed webhook 9999999999999999999 (http://RECEIVER/hook/a), which `aaa` had made, and its subscriptions: user 1 has to be subscribed again");
        }
        let new = answer["id"].as_str().unwrap();
        assert_eq!(lab.ids().await, [new]);
        // The new one is ours, and the old one is forgotten.
        let record = lab.directory.path().join("aaa-data/webhooks.json");
        let record = std::fs::read_to_string(record).unwrap();
        assert!(record.contains(new) && !record.contains(&old), "{record}");
        // Again: nothing is left to do.
        let again = lab.json(&replace).await;
        assert_eq!((&again["outcome"], &again["removed"]), (&json!("existing"), &json!([])));
    }
}

#[tokio::test]
async fn replace_with_room_to_spare() {
    let lab = Lab::new().await;
    let foreign = lab.foreign_webhook("foreign").await;
    lab.webhook("a").await;
    lab.webhook("b").await;
    let answer = lab.json(&["webhooks", "ensure", &lab.hook("c"), "--replace"]).await;
    assert_eq!(answer["removed"].as_array().unwrap().len(), 2);
    let ids = lab.ids().await;
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(&foreign) && ids.contains(&answer["id"].as_str().unwrap().to_owned()));
    // A webhook that fails its check takes nobody's place.
    lab.answer(Answers::Wrong);
    let (code, _) = lab.fails(&["webhooks", "ensure", &lab.hook("d"), "--replace"]).await;
    assert_eq!(code, 5);
    assert_eq!(lab.ids().await, ids);
}

/// An id alone does not make a webhook ours: the URL has to be the noted one.
#[tokio::test]
async fn a_record_that_does_not_fit_removes_nothing() {
    let lab = Lab::new().await;
    let foreign = lab.foreign_webhook("foreign").await;
    let elsewhere = lab.directory.path().join("elsewhere/webhooks.json");
    let noted = std::fs::read_to_string(&elsewhere).unwrap();
    lab.webhook("a").await;
    let record = lab.directory.path().join("aaa-data/webhooks.json");
    std::fs::write(&record, noted.replace("/foreign", "/something-else")).unwrap();
    let answer = lab.json(&["webhooks", "ensure", &lab.hook("b"), "--replace"]).await;
    assert_eq!(answer["removed"], json!([]));
    assert_eq!(lab.ids().await.len(), 3);
    assert!(lab.ids().await.contains(&foreign));
    std::fs::write(&record, "{").unwrap();
    let (code, stderr) = lab.fails(&["webhooks", "ensure", &lab.hook("c"), "--replace"]).await;
    assert_eq!(code, 1, "{stderr}");
    assert_eq!(lab.ids().await.len(), 3, "something was registered that cannot be noted");
}

#[tokio::test]
async fn what_passes_is_waited_for_and_said() {
    let lab = Lab::new().await;
    let plan = |status| {
        let when = Match { operation: Some(Operation::ListWebhooks), ..Match::default() };
        lab.emulator
            .plan_fault(Fault { when, ..Fault::new(Action::Respond { status, form: None }) })
            .unwrap();
    };
    plan(503);
    let done = lab.run(&["webhooks", "list"]).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stderr.contains("could not list the webhooks: status 503"), "{}", done.stderr);
    assert!(done.stderr.contains("; trying again in "), "{}", done.stderr);
    plan(503);
    let (code, stderr) = lab.fails(&["webhooks", "list", "--no-wait"]).await;
    assert_eq!(code, 5, "{stderr}");
    // A rate limit ends too late for whoever has no time, and is not waited for at all.
    plan(429);
    let (code, stderr) = lab.fails(&["webhooks", "list", "--max-wait", "1s"]).await;
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("429") && !stderr.contains("trying again"), "{stderr}");
}

#[cfg(unix)]
#[tokio::test]
async fn whoever_interrupts_is_obeyed() {
    let lab = Lab::new().await;
    // It takes the request and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}", silent.local_addr().unwrap());
    let child = lab.command(&["webhooks", "list", "--api-url", &api]).spawn().unwrap();
    let (_held, _) = silent.accept().await.unwrap();
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ended = tokio::time::timeout(crate::support::PATIENCE, child.wait_with_output());
    let ended = ended.await.expect("it does not end").unwrap();
    assert_eq!(ended.status.code(), Some(1));
    insta::assert_snapshot!(String::from_utf8(ended.stderr).unwrap(), @"error: interrupted; what was being asked for may have been carried out");
}
