//! What can be done, each against the emulator or the store.

use std::sync::Arc;

use aaa_dashboard::{Dashboard, Record, RecordFuture};
use aaa_emulator::credentials;
use aaa_replay::{
    coverage::{Cause, Heartbeat, RunId, Tally},
    ledger::{Holder, Ledger, Role},
};
use aaa_types::{UtcMinute, WebhookId, api::Webhook};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::{sync::Notify, time::timeout};

use crate::stage::{HOST, PATIENCE, Pages, Stage, now};

#[tokio::test]
async fn webhooks_are_registered_validated_and_deleted() {
    let stage = Stage::new().await;
    let pages = stage.pages();
    assert!(pages.page("/webhooks").await.contains("The app has none"));
    let (status, words) = pages.post("/webhooks", json!({ "url": stage.hook })).await;
    assert_eq!(status, 200, "{words}");
    let id = stage.client.app().list_webhooks().await.unwrap()[0].id;
    assert_eq!(words, format!("webhook {id} is registered and valid"));
    // What changed is seen at once, although answers are kept for a while.
    let page = pages.page("/webhooks").await;
    assert!(page.contains(&stage.hook) && page.contains(">valid<"), "{page}");
    let (status, words) = pages.post("/webhooks", json!({ "url": stage.hook })).await;
    assert_eq!(status, 502, "{words}");
    assert!(words.contains("DuplicateUrl") || words.contains("already"), "{words}");
    for wrong in ["ftp://x", "", "http://example.com/x?y"] {
        let (status, words) = pages.post("/webhooks", json!({ "url": wrong })).await;
        assert_eq!(status, 422, "{wrong}: {words}");
    }
    let (status, words) = pages.post(&format!("/webhooks/{id}/validate"), json!({})).await;
    assert_eq!((status, words), (200, format!("webhook {id} is valid")));
    let (status, _) = pages.post("/webhooks/999/validate", json!({})).await;
    assert_eq!(status, 502);
    let (status, _) = pages.post("/webhooks/x/delete", json!({})).await;
    assert_eq!(status, 404);
    let (status, words) = pages.post(&format!("/webhooks/{id}/delete"), json!({})).await;
    assert_eq!(status, 200, "{words}");
    assert_eq!(stage.client.app().list_webhooks().await.unwrap(), []);
}

#[tokio::test]
async fn what_is_made_and_deleted_is_noted() {
    let stage = Stage::new().await;
    let pages = Pages::new(stage.dashboard().with_record(stage.asked.clone()));
    let url = json!({ "url": stage.hook });
    assert_eq!(pages.post("/webhooks", url.clone()).await.0, 200);
    let id = stage.client.app().list_webhooks().await.unwrap()[0].id;
    // What X refuses is not noted.
    assert_eq!(pages.post("/webhooks", url).await.0, 502);
    assert_eq!(pages.post("/webhooks/999/delete", json!({})).await.0, 502);
    assert_eq!(pages.post(&format!("/webhooks/{id}/delete"), json!({})).await.0, 200);
    let noted = [format!("made {id} for {}", stage.hook), format!("deleted {id}")];
    assert_eq!(stage.asked.all(), noted);
    // The webhook is there all the same when it cannot be noted.
    let pages = Pages::new(stage.dashboard().with_record(Full));
    let (status, words) = pages.post("/webhooks", json!({ "url": stage.hook })).await;
    assert_eq!(status, 200, "{words}");
    assert!(words.ends_with("it will not count as made here: the disk is full"), "{words}");
    let id = stage.client.app().list_webhooks().await.unwrap()[0].id;
    let (status, words) = pages.post(&format!("/webhooks/{id}/delete"), json!({})).await;
    assert_eq!(status, 200, "{words}");
    assert!(words.ends_with("it is still noted as made here: the disk is full"), "{words}");
}

/// A record that cannot be written.
struct Full;

impl Record for Full {
    fn made<'a>(&'a self, _: &'a Webhook) -> RecordFuture<'a> {
        Box::pin(async { Err("the disk is full".to_owned()) })
    }

    fn deleted(&self, _: WebhookId) -> RecordFuture<'_> {
        Box::pin(async { Err("the disk is full".to_owned()) })
    }
}

/// Whoever asks may close the page: what was made at X is noted all the same.
#[tokio::test]
async fn what_was_begun_ends_without_whoever_asked() {
    let stage = Stage::new().await;
    let slow = Slow::default();
    let pages = Pages::new(stage.dashboard().with_record(slow.clone()));
    tokio::select! {
        answer = pages.post("/webhooks", json!({ "url": stage.hook })) => panic!("{answer:?}"),
        () = slow.begun.notified() => {}
    }
    slow.goes_on.notify_one();
    timeout(PATIENCE, slow.ended.notified()).await.expect("it was not noted");
}

/// A record that takes its time.
#[derive(Clone, Default)]
struct Slow {
    begun: Arc<Notify>,
    goes_on: Arc<Notify>,
    ended: Arc<Notify>,
}

impl Record for Slow {
    fn made<'a>(&'a self, _: &'a Webhook) -> RecordFuture<'a> {
        Box::pin(async {
            self.begun.notify_one();
            self.goes_on.notified().await;
            self.ended.notify_one();
            Ok(())
        })
    }

    fn deleted(&self, _: WebhookId) -> RecordFuture<'_> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn users_are_subscribed_and_removed() {
    let stage = Stage::new().await;
    let (pages, id) = (stage.pages(), stage.webhook().await);
    let (subscribe, page) = (format!("/webhooks/{id}/subscribe"), format!("/webhooks/{id}"));
    assert!(pages.page(&page).await.contains("Nobody is, so nothing is delivered"));
    let (status, words) = pages.post(&subscribe, json!({ "user": "7" })).await;
    assert_eq!((status, words.as_str()), (409, "no token of user 7 is stored"));
    stage.store_token(7, "seven");
    stage.store_token(8, "eight");
    assert!(pages.page(&page).await.contains("<option value=\"8\">8 @eight</option>"));
    let (status, words) = pages.post(&subscribe, json!({ "user": "7" })).await;
    assert_eq!((status, words), (200, format!("user 7 is subscribed to webhook {id}")));
    let (status, words) = pages.post(&subscribe, json!({ "user": "7" })).await;
    assert_eq!((status, words), (200, format!("user 7 is already subscribed to webhook {id}")));
    let shown = pages.page(&page).await;
    assert!(shown.contains("@seven") && shown.contains("<strong>1</strong> of 5000"), "{shown}");
    assert!(!shown.contains("<option value=\"7\""));
    let webhook = id;
    let users = |ids: &[u64]| ids.iter().map(|id| (*id).try_into().unwrap()).collect();
    stage.store.remember(webhook, users(&[7, 8])).await.unwrap();
    let (status, words) = pages.post(&format!("{page}/unsubscribe"), json!({ "user": "7" })).await;
    assert_eq!((status, words), (200, format!("user 7 is no longer subscribed to webhook {id}")));
    // No listener misses them.
    assert_eq!(stage.store.remembered(webhook).await.unwrap(), users(&[8]));
    assert!(pages.page(&page).await.contains("Nobody is, so nothing is delivered"));
    let (status, _) = pages.post(&format!("{page}/unsubscribe"), json!({ "user": "seven" })).await;
    assert_eq!(status, 422);
    // A user whom X refuses is told in X's words.
    let revoked = stage.tokens.update(|tokens| {
        let wrong = aaa_auth::UserToken::new("9-wrong".parse().unwrap(), "wrong".parse().unwrap());
        let stored = aaa_auth::tokens::StoredToken::new(wrong, Timestamp::UNIX_EPOCH);
        tokens.insert("9".parse().unwrap(), stored).is_none()
    });
    assert!(revoked.unwrap());
    let (status, words) = pages.post(&subscribe, json!({ "user": "9" })).await;
    assert_eq!(status, 502);
    assert!(words.contains("could not subscribe") && !words.contains("wrong"), "{words}");
}

/// The app's own credentials hold the token, as they do for `aaa subscriptions add ID`.
#[tokio::test]
async fn the_apps_owner_is_subscribed_without_signing_in() {
    let stage = Stage::new().await;
    let id = stage.webhook().await;
    let (page, subscribe) = (format!("/webhooks/{id}"), format!("/webhooks/{id}/subscribe"));
    let owner = json!({ "user": "owner" });
    let without = stage.pages();
    let (status, words) = without.post(&subscribe, owner.clone()).await;
    assert_eq!(status, 409, "{words}");
    assert!(!without.page(&page).await.contains("value=\"owner\""));
    // With a file of tokens or without one.
    let bare = Dashboard::new(stage.store.clone(), stage.owned_client());
    let filed = Dashboard::new(stage.store.clone(), stage.owned_client());
    for dashboard in [bare, filed.with_tokens(stage.tokens.clone())] {
        let pages = Pages::new(dashboard);
        let offer = "<option value=\"owner\">the app's owner, 1</option>";
        let shown = pages.page(&page).await;
        assert!(shown.contains(offer) && !shown.contains("1-emulator"), "{shown}");
        let (status, words) = pages.post(&subscribe, owner.clone()).await;
        assert_eq!(
            (status, words),
            (200, format!("the app's owner is subscribed to webhook {id}"))
        );
        let shown = pages.page(&page).await;
        assert!(!shown.contains("value=\"owner\"") && shown.contains("<bdi>the app's owner</bdi>"));
        // By id as well.
        let (_, words) = pages.post(&subscribe, json!({ "user": "1" })).await;
        assert_eq!(words, format!("user 1 is already subscribed to webhook {id}"));
        pages.post(&format!("{page}/unsubscribe"), json!({ "user": "1" })).await;
    }
    // Once they have signed in, what they permitted last is offered.
    stage.store_token(1, "one");
    let dashboard = Dashboard::new(stage.store.clone(), stage.owned_client());
    let pages = Pages::new(dashboard.with_tokens(stage.tokens.clone()));
    let shown = pages.page(&page).await;
    assert!(shown.contains("1 @one</option>") && !shown.contains("value=\"owner\""), "{shown}");
}

#[tokio::test]
async fn deliveries_are_sent_again() {
    let stage = Stage::new().await;
    let (pages, id) = (stage.pages(), stage.webhook().await);
    stage.subscribe(id, 7).await;
    stage.trigger("favorite_events").await;
    let (status, words) = pages.post("/events/1/resend", json!({})).await;
    assert_eq!((status, words.as_str()), (200, "sent"));
    // What stands in the form is the usual place, without what its query may hide.
    let usual = json!({ "to": "http://127.0.0.1:3000/hook?…" });
    assert_eq!(pages.post("/events/1/resend", usual).await.0, 200);
    assert_eq!(pages.post("/events/1/resend", json!({ "to": "http://a.example/b" })).await.0, 200);
    let (status, words) =
        pages.post("/events/1/resend", json!({ "to": "http://broken.example/" })).await;
    assert_eq!((status, words.as_str()), (502, "nobody there"));
    for wrong in ["file:///etc/passwd", "x", "javascript:alert(1)"] {
        assert_eq!(pages.post("/events/1/resend", json!({ "to": wrong })).await.0, 422, "{wrong}");
    }
    assert_eq!(pages.post("/events/99/resend", json!({})).await.0, 404);
    let asked = stage.asked.all();
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|one| one.starts_with(r#"{"for_user_id":"7""#)), "{asked:?}");
    assert!(asked[0].ends_with("to the usual place") && asked[1].ends_with("to the usual place"));
    assert!(asked[2].ends_with("to http://a.example/b"));
    let without = Pages::new(Dashboard::new(stage.store.clone(), stage.client.clone()));
    assert_eq!(without.post("/events/1/resend", json!({})).await.0, 409);
    assert!(without.page("/events/1").await.contains("started without a way to send"));
}

#[tokio::test]
async fn replays_are_handed_over() {
    let stage = Stage::new().await;
    let (pages, id) = (stage.pages(), stage.webhook().await);
    let now = now();
    let minute = |ago: i64| {
        let time = UtcMinute::floor(now).plus(-ago).start();
        time.strftime("%Y-%m-%dT%H:%M").to_string()
    };
    let window = |from, to| json!({ "webhook": id, "from": minute(from), "to": minute(to) });
    // Nobody looks after replays, so somebody is asked to.
    let (status, words) = pages.post("/replay/create", window(90, 60)).await;
    assert_eq!((status, words.as_str()), (200, "30 minutes are asked for; recovery has begun"));
    assert_eq!(stage.asked.all(), [format!("recover {id}")]);
    let declared = stage.store.declared().await.unwrap();
    let gap = declared[0].declaration.gap;
    assert_eq!((declared.len(), gap.cause), (1, Cause::Requested));
    assert_eq!(gap.to.duration_since(gap.from).as_mins(), 30);
    assert_eq!(declared[0].declaration.webhook, Some(id));
    // Somebody does, so they find it.
    let offset = SignedDuration::ZERO;
    let uptime = SignedDuration::from_secs(1);
    let tally = Tally::default();
    let beat = Heartbeat { run: RunId(1), wall: now, uptime, offset, offset_read: true, tally };
    stage.store.heartbeat(beat).await.unwrap();
    let holder = Holder { name: "aaa listen".to_owned(), run: RunId(1), role: Role::Listener };
    let until = now + SignedDuration::from_mins(5);
    stage.store.take_lease(holder, now, until).await.unwrap();
    let (status, words) = pages.post("/replay/create", window(80, 70)).await;
    let expected = "10 minutes are asked for; aaa listen looks after the replays";
    assert_eq!((status, words.as_str()), (200, expected));
    assert_eq!(stage.asked.all().len(), 1);
    let page = pages.page("/replay").await;
    assert!(page.contains("looks after the replays") && !page.contains("Recover now"), "{page}");
    // X's rules are told before X is asked.
    for (from, to, rule) in [
        (30, 20, "at least 31 minutes ago"),
        (60, 9, "at least 10 minutes ago"),
        (60 * 25, 60, "younger than 24 hours"),
        (60, 90, "is not before"),
    ] {
        let (status, words) = pages.post("/replay/create", window(from, to)).await;
        assert_eq!(status, 422, "{words}");
        assert!(words.contains(rule), "{words}");
    }
    assert_eq!(stage.store.declared().await.unwrap().len(), 2);
}

#[tokio::test]
async fn recovery_is_begun_where_nobody_does_it() {
    let stage = Stage::new().await;
    let (pages, id) = (stage.pages(), stage.webhook().await);
    assert!(pages.page("/replay").await.contains("Recover now"));
    let (status, words) = pages.post("/replay/recover", json!({ "webhook": id })).await;
    assert_eq!((status, words.as_str()), (200, "recovery has begun"));
    let without = Pages::new(Dashboard::new(stage.store.clone(), stage.client.clone()));
    assert!(!without.page("/replay").await.contains("Recover now"));
    assert_eq!(without.post("/replay/recover", json!({ "webhook": id })).await.0, 409);
}

/// Without the emulator's page, which the browser's tests use.
#[tokio::test]
async fn whoever_comes_back_without_having_gone_is_sent_away() {
    let stage = Stage::new().await;
    let pages = stage.pages();
    for query in ["", "?oauth_token=x&oauth_verifier=y", "?denied=x", "?oauth_verifier=y"] {
        let page = pages.get(&format!("/accounts/callback{query}")).await;
        assert_eq!(page.status.as_u16(), 400, "{query}");
        assert!(page.body.contains("Nothing was done"), "{}", page.body);
    }
    let (status, words) =
        pages.post("/accounts/pin", json!({ "request": "x", "pin": "1234567" })).await;
    assert_eq!((status, words.as_str()), (404, "this sign-in is over: begin again"));
    let (status, words) = pages.post("/accounts/pin", json!({ "request": "x", "pin": "no" })).await;
    assert_eq!(status, 422, "{words}");
    assert!(stage.tokens.read().unwrap().is_empty());
}

#[tokio::test]
async fn a_token_is_forgotten() {
    let stage = Stage::new().await;
    let pages = stage.pages();
    stage.store_token(7, "seven");
    let page = pages.page("/accounts").await;
    let token = credentials::user_token(7);
    assert!(page.contains("@seven"), "{page}");
    assert!(!page.contains(&token.token) && !page.contains(&token.secret));
    let (status, words) = pages.post("/accounts/7/forget", json!({})).await;
    assert_eq!((status, words.as_str()), (200, "the token of user 7 is forgotten"));
    assert_eq!(pages.post("/accounts/7/forget", json!({})).await.0, 404);
    assert_eq!(pages.post("/accounts/seven/forget", json!({})).await.0, 404);
    let without = Pages::new(Dashboard::new(stage.store.clone(), stage.client.clone()));
    assert_eq!(without.post("/accounts/7/forget", json!({})).await.0, 409);
    assert!(without.page("/accounts").await.contains("without a file of users"));
    assert!(HOST.starts_with("127."));
}

/// The pages show what the store knows while X is away, and say so.
#[tokio::test]
async fn x_is_away() {
    let stage = Stage::new().await;
    let id = stage.webhook().await;
    stage.subscribe(id, 7).await;
    stage.trigger("favorite_events").await;
    let Stage { emulator, store, client, .. } = stage;
    emulator.shutdown().await;
    let pages = Pages::new(Dashboard::new(store, client));
    for path in ["/", "/webhooks", "/replay"] {
        let page = pages.page(path).await;
        assert!(page.contains("X was not reached"), "{path}: {page}");
    }
    assert!(pages.page("/events").await.contains("favorite_events"));
    let (status, words) = pages.post(&format!("/webhooks/{id}/validate"), json!({})).await;
    assert!(matches!(status, 502 | 504), "{status}");
    assert!(words.contains("could not validate"), "{words}");
}
