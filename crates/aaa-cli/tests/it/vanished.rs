//! Who is not subscribed any more, and what a restart knows of it.

use std::time::Duration;

use aaa_auth::tokens::TokenFile;
use aaa_emulator::control::Trigger;
use aaa_store::{SqliteStore, sqlite};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::{
    between::{Between, Told},
    scene::{HOUR, Scene, length},
    support::PATIENCE,
};

fn subscribed(scene: &Scene) -> Vec<String> {
    let state = scene.lab.emulator.state();
    state.webhooks[0].subscriptions.iter().map(ToString::to_string).collect()
}

/// Waits until the listener remembers so many subscribers.
async fn remembered(scene: &Scene, count: usize) {
    let reader = SqliteStore::open_reader(scene.lab.directory.path().join("aaa-data")).unwrap();
    let webhook = scene.webhook.parse().unwrap();
    let look = async {
        while reader.remembered(webhook).await.unwrap().len() != count {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, look).await.expect("they are not remembered");
}

/// Ends a subscription of which no listener here is told.
async fn vanish(scene: &Scene, user: &str) {
    let elsewhere = ["subscriptions", "remove", &scene.webhook, user, "--data-dir", "elsewhere"];
    scene.lab.json(&elsewhere).await;
}

/// A listener that knows of a user's going only by what the one before has seen.
#[tokio::test]
async fn who_vanished_while_nobody_listened_is_named_without_any_token() {
    let mut scene = Scene::new("off").await;
    scene.stop().await;
    scene.listen(&["--recover", "auto"]).await;
    remembered(&scene, 1).await;
    scene.stop().await;
    std::fs::remove_file(scene.lab.tokens()).unwrap();
    let id = scene.webhook.clone();
    vanish(&scene, "7").await;
    scene.forward(2 * HOUR).await;

    let mut told = Told::new().await;
    let hook = told.url.clone();
    scene.listen(&["--recover", "auto", "--hook-url", &hook]).await;
    let gone = told.about("subscription_gone", &Value::from("7")).await;
    assert_eq!((&gone["how"], &gone["webhook"]), (&Value::from("lost"), &Value::from(id)));
    let status = scene.until(|status| length(&status["lost"]) > 0).await;
    assert_eq!(status["lost"][0]["reason"], "possibly: a user was not subscribed");
    assert_eq!(subscribed(&scene), [""; 0]);
}

/// X still takes the token, so nothing but what the inbox knows keeps us from using it.
#[tokio::test]
async fn who_revoked_access_is_not_subscribed_again_by_the_next_listener() {
    let mut scene = Scene::new("off").await;
    scene.subscribe(8).await;
    let revoke = Trigger::new("user_event", "8".parse().unwrap());
    scene.lab.emulator.trigger_and_wait(&revoke).await.unwrap();
    scene.stop().await;
    assert_eq!(subscribed(&scene), ["7"]);
    let between = Between::new(&scene.lab.emulator.url(), None).await;
    scene.x = between.url.clone();
    for again in [&["--resubscribe"][..], &["--resubscribe", "--subscribe"]] {
        let url = scene.webhook.clone();
        let args = [&["--recover", "auto", "--webhook", &url], again].concat();
        let looks = || between.calls("/subscriptions/all/list").len();
        let before = looks();
        scene.listen(&args).await;
        let look = async {
            while looks() < before + 3 {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, look).await.expect("nobody looks");
        assert!(!subscribed(&scene).contains(&"8".to_owned()), "{again:?}");
        scene.stop().await;
    }
    // Who permits it again is.
    let token = aaa_emulator::credentials::user_token(8);
    scene.lab.store_at(
        8,
        &token.token,
        scene.lab.emulator.now() + jiff::SignedDuration::from_mins(1),
    );
    let mut told = Told::new().await;
    let hook = told.url.clone();
    scene.listen(&["--recover", "auto", "--resubscribe", "--hook-url", &hook]).await;
    told.about("subscription_back", &Value::from("8")).await;
    assert!(subscribed(&scene).contains(&"8".to_owned()));
}

/// One that subscribes again whoever vanishes is there meanwhile, and another one afterwards.
#[tokio::test]
async fn whom_somebody_removed_is_neither_missed_nor_subscribed_again() {
    let mut scene = Scene::new("off").await;
    scene.subscribe(8).await;
    scene.stop().await;
    let mut told = Told::new().await;
    let hook = told.url.clone();
    let args = ["--recover", "auto", "--resubscribe", "--hook-url", &hook];
    scene.listen(&args).await;
    remembered(&scene, 2).await;
    let id = scene.webhook.clone();
    let removed = scene.lab.run(&["subscriptions", "remove", &id, "7"]).await;
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    insta::assert_snapshot!(removed.stderr, @"warning: a token of user 7 is stored, so the next listener will miss them all the same: `aaa store forget --user 7` removes it, with what was delivered for them");
    // Who misses another one has looked for this one as well.
    vanish(&scene, "8").await;
    told.about("subscription_back", &Value::from("8")).await;
    assert_eq!(subscribed(&scene), ["8"]);
    scene.stop().await;

    let forgotten = scene.lab.json(&["store", "forget", "--user", "7"]).await;
    assert_eq!((&forgotten["events"], &forgotten["token_removed"]), (&1.into(), &true.into()));
    let tokens = TokenFile::new(scene.lab.tokens()).read().unwrap();
    assert_eq!(tokens.iter().map(|(user, _)| user.as_u64()).collect::<Vec<_>>(), [8]);
    let mut again = Told::new().await;
    let hook = again.url.clone();
    scene.listen(&["--recover", "auto", "--resubscribe", "--hook-url", &hook]).await;
    vanish(&scene, "8").await;
    again.about("subscription_back", &Value::from("8")).await;
    assert_eq!(subscribed(&scene), ["8"]);
    scene.stop().await;
    for notice in [told.so_far(), again.so_far()].concat() {
        assert_ne!(notice["user"], "7", "{notice}");
    }
}

/// The inbox forgets what it was told; that a token is dead stays known.
#[tokio::test]
async fn a_revocation_outlives_the_event_that_told_of_it() {
    let mut scene = Scene::new("off").await;
    scene.subscribe(8).await;
    let revoke = Trigger::new("user_event", "8".parse().unwrap());
    scene.lab.emulator.trigger_and_wait(&revoke).await.unwrap();
    let tokens = TokenFile::new(scene.lab.tokens());
    let noted = async {
        while !tokens.read().unwrap().get("8".parse().unwrap()).unwrap().is_revoked() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, noted).await.expect("it is not noted at the token");
    scene.stop().await;
    let data = scene.lab.directory.path().join("aaa-data");
    assert_eq!(sqlite::forget(&data, &"8".parse().unwrap()).unwrap().events, 1);

    for again in [&["--resubscribe"][..], &["--resubscribe", "--subscribe"]] {
        let mut told = Told::new().await;
        let hook = told.url.clone();
        scene.listen(&[&["--recover", "auto", "--hook-url", &hook], again].concat()).await;
        remembered(&scene, 1).await;
        vanish(&scene, "7").await;
        told.about("subscription_back", &Value::from("7")).await;
        assert!(!subscribed(&scene).contains(&"8".to_owned()), "{again:?}");
        scene.stop().await;
        for notice in told.so_far() {
            assert_ne!(notice["user"], "8", "{again:?}: {notice}");
        }
    }
}
