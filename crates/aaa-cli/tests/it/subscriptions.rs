//! `aaa subscriptions`, both generations.

use aaa_emulator::settings::{Quota, Settings};
use serde_json::{Value, json};

use crate::lab::{GENERATIONS, Lab, failed};

#[tokio::test]
async fn from_adding_to_removing() {
    for api in GENERATIONS {
        let lab = Lab::new().await;
        let id = lab.webhook("a").await;
        lab.store(7, "7-emulator");
        let call = async |args: &[&str]| {
            lab.json(&[&["subscriptions", "--api", api], args].concat()).await
        };
        let owner = json!({ "webhook_id": id, "user_id": "1", "subscribed": true });
        let seven = json!({ "webhook_id": id, "user_id": "7", "subscribed": true });
        let not = json!({ "webhook_id": id, "user_id": "7", "subscribed": false });
        assert_eq!(call(&["check", &id, "--user", "7"]).await, not, "{api}");
        assert_eq!(call(&["add", &id]).await, owner, "{api}");
        assert_eq!(call(&["add", &id, "--user", "7"]).await, seven, "{api}");
        assert_eq!(call(&["check", &id, "--user", "7"]).await, seven, "{api}");
        // That is what was wanted.
        let again = lab.run(&["subscriptions", "add", &id, "--user", "7", "--json"]).await;
        assert_eq!((again.code, again.stderr.as_str()), (0, "user 7 was subscribed already\n"));
        assert_eq!(serde_json::from_str::<Value>(&again.stdout).unwrap(), seven);

        let listed = call(&["list", &id]).await;
        let users = json!([{ "user_id": "1" }, { "user_id": "7" }]);
        assert_eq!(listed["subscriptions"], users, "{api}");
        assert_eq!((&listed["webhook_id"], &listed["application_id"]), (&json!(id), &json!("100")));
        let count = call(&["count"]).await;
        assert_eq!(count["subscriptions_count_all"], "2", "{api}");
        assert_eq!(count["provisioned_count"], "5000", "{api}");
        assert_eq!(call(&["remove", &id, "7"]).await, not, "{api}");
        assert_eq!(call(&["check", &id, "--user", "7"]).await, not, "{api}");
        let (code, stderr) = lab.fails(&["subscriptions", "--api", api, "remove", &id, "7"]).await;
        assert_eq!(code, 5, "{stderr}");
    }
}

#[tokio::test]
async fn what_people_see() {
    let lab = Lab::new().await;
    let id = lab.webhook("a").await;
    lab.store(7, "7-emulator");
    let mut seen = String::new();
    for args in [
        &["list", &id][..],
        &["check", &id],
        &["add", &id],
        &["add", &id],
        &["check", &id],
        &["add", &id, "--user", "7"],
        &["list", &id],
        &["count"],
        &["remove", &id, "7"],
        &["remove", &id, "7"],
    ] {
        let done = lab.run(&[&["subscriptions"], args].concat()).await;
        seen += &format!("$ {}\n{}{}", args.join(" "), done.stdout, done.stderr);
    }
    insta::assert_snapshot!(lab.plain(&seen));
}

#[tokio::test]
async fn everybody_whose_token_is_stored() {
    let lab = Lab::new().await;
    let id = lab.webhook("a").await;
    let all = ["subscriptions", "add", &id, "--all-stored"];
    let (code, stderr) = lab.fails(&all).await;
    assert_eq!(code, 3, "{stderr}");
    for user in [7, 8, 9] {
        lab.store(user, &format!("{user}-emulator"));
    }
    lab.json(&["subscriptions", "add", &id, "--user", "8"]).await;
    let seen = lab.run(&all).await;
    assert_eq!((seen.code, seen.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(seen.stdout, @"
    USER  NAME    STATE
    7     @user7  subscribed
    8     @user8  was subscribed already
    9     @user9  subscribed
    ");
    let states = lab.json(&all).await;
    let state = |user: &str| json!({ "webhook_id": id, "user_id": user, "subscribed": true });
    assert_eq!(states, json!([state("7"), state("8"), state("9")]));
    assert_eq!(lab.json(&["subscriptions", "list", &id]).await["subscriptions"][2]["user_id"], "9");
}

#[tokio::test]
async fn one_bad_token_keeps_nobody_else_out() {
    let lab = Lab::new().await;
    let id = lab.webhook("a").await;
    for (user, token) in [(7, "7-emulator"), (8, "8-hush-hush"), (9, "9-emulator")] {
        lab.store(user, token);
    }
    let done = lab.run(&["subscriptions", "add", &id, "--all-stored", "--json"]).await;
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(!(done.stdout.clone() + &done.stderr).contains("hush"));
    let states: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&states[0]["subscribed"], &states[2]["subscribed"]), (&json!(true), &json!(true)));
    assert_eq!(states[1]["subscribed"], Value::Null);
    assert!(states[1]["error"].as_str().unwrap().contains("401"), "{states}");
    assert!(done.stderr.contains("2 of 3 users are subscribed; user 8: "), "{}", done.stderr);
}

#[tokio::test]
async fn what_cannot_be_done_says_why() {
    let lab = Lab::with(Settings {
        quota: Quota { webhooks: 1, subscriptions: 1 },
        ..Settings::default()
    })
    .await;
    let id = lab.webhook("a").await;
    // No token of this user is there.
    let (code, stderr) = lab.fails(&["subscriptions", "add", &id, "--user", "7"]).await;
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("aaa auth login"), "{stderr}");
    // The token of the owner is their own, whether or not they are named.
    lab.json(&["subscriptions", "add", &id, "--user", "1"]).await;
    lab.store(7, "7-emulator");
    for api in GENERATIONS {
        let call = async |args: &[&str]| {
            lab.fails(&[&["subscriptions", "--api", api], args].concat()).await
        };
        let (code, stderr) = call(&["add", &id, "--user", "7"]).await;
        assert_eq!(code, 5, "{stderr}");
        for args in [&["add", "12"][..], &["list", "12"], &["remove", "12", "7"]] {
            let (code, stderr) = call(args).await;
            assert_eq!(code, 5, "{args:?} {stderr}");
            assert!(stderr.contains("what to do: "), "{args:?} {stderr}");
        }
        let mut command = lab.command(&["subscriptions", "add", &id, "--api", api]);
        command.env_remove("X_ACCESS_TOKEN_SECRET");
        let (code, stderr) = failed(lab.finish(command).await);
        assert_eq!(code, 3, "{stderr}");
        assert!(stderr.contains("X_ACCESS_TOKEN_SECRET"), "{stderr}");
    }
    for args in [
        &["add", "abc"][..],
        &["add", &id, "--user", "seven"],
        &["add", &id, "--user", "7", "--all-stored"],
        &["remove", &id],
        &["remove", &id, "0x7"],
    ] {
        let (code, stderr) = lab.fails(&[&["subscriptions"], args].concat()).await;
        assert_eq!(code, 2, "{args:?} {stderr}");
    }
}
