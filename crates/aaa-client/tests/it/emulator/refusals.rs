//! The documented refusals of each call, in both generations.

use std::time::Duration;

use aaa_client::{
    ApiVersion::{V1_1, V2},
    Client, ClientError,
};
use aaa_emulator::{
    control::Trigger,
    settings::{AppAccess, Quota, Settings},
};
use aaa_types::{
    WebhookId,
    api::{ApiError, NewDirectMessage},
};

use super::{Stage, oauth2, token, user};

fn nowhere() -> WebhookId {
    "999".parse().unwrap()
}

/// What X said; there is always advice.
#[track_caller]
fn api<T: std::fmt::Debug>(result: Result<T, ClientError>) -> ApiError {
    let error = result.unwrap_err();
    assert!(error.advice().is_some(), "no advice for {error}");
    error.api().unwrap().clone()
}

#[tokio::test]
async fn of_webhooks() {
    for version in [V2, V1_1] {
        let quota = Quota { webhooks: 2, subscriptions: 3 };
        let stage = Stage::with(version, Settings { quota, ..Settings::default() }).await;
        let app = stage.client.app();
        let url = stage.receiver.url("hook");
        stage.receiver.fail_challenges(true);
        assert!(api(app.create_webhook(&url).await).is_invalid_webhook());
        stage.receiver.fail_challenges(false);
        let id = app.create_webhook(&url).await.unwrap().id;
        let twice = api(app.create_webhook(&url).await);
        // v1.1 has no words of its own for that.
        assert_eq!(twice.is_duplicate(), version == V2, "{twice}");
        app.create_webhook(&stage.receiver.url("second")).await.unwrap();
        let third = stage.receiver.url("third");
        assert!(api(app.create_webhook(&third).await).is_limit_reached());
        assert!(api(app.ensure_webhook(&third).await).is_limit_reached());
        assert_eq!(app.list_webhooks().await.unwrap().len(), 2);

        stage.receiver.fail_challenges(true);
        assert!(api(app.validate_webhook(id).await).is_invalid_webhook());
        assert!(api(app.validate_webhook(nowhere()).await).is_unknown_webhook());
        assert!(api(app.delete_webhook(nowhere()).await).is_unknown_webhook());
    }
}

#[tokio::test]
async fn of_subscriptions() {
    for version in [V2, V1_1] {
        let quota = Quota { webhooks: 1, subscriptions: 2 };
        let stage = Stage::with(version, Settings { quota, ..Settings::default() }).await;
        let (client, app) = (&stage.client, stage.client.app());
        let id = app.create_webhook(&stage.receiver.url("hook")).await.unwrap().id;
        let seven = client.user(token(7));
        seven.subscribe(id).await.unwrap();
        assert!(api(seven.subscribe(id).await).is_duplicate());
        assert!(api(seven.subscribe(nowhere()).await).is_unknown_webhook());
        assert!(api(seven.check_subscription(nowhere()).await).is_unknown_webhook());
        assert!(api(app.list_subscriptions(nowhere()).await).is_unknown_webhook());
        assert!(api(app.remove_subscription(nowhere(), user(7)).await).is_unknown_webhook());
        assert!(api(app.remove_subscription(id, user(9)).await).is_not_subscribed());
        client.user(token(8)).subscribe(id).await.unwrap();
        assert!(api(client.user(token(9)).subscribe(id).await).is_limit_reached());
        if version == V1_1 {
            assert!(api(client.user(token(9)).unsubscribe(id).await).is_not_subscribed());
        }
        // The limit stops whoever comes after.
        let bulk = client.bulk(id).with_concurrency(std::num::NonZeroUsize::MIN);
        let users = (8..12).map(|number| (user(number), token(number).into()));
        let report = bulk.subscribe(users, |_| ()).await;
        assert_eq!(report.stopped_by().unwrap().0, user(9), "{report:?}");
    }
}

#[tokio::test]
async fn of_replays() {
    for version in [V2, V1_1] {
        let stage = Stage::new(version).await;
        let (client, app) = (&stage.client, stage.client.app());
        let id = app.create_webhook(&stage.receiver.url("hook")).await.unwrap().id;
        client.user(token(7)).subscribe(id).await.unwrap();
        stage.forward(Duration::from_secs(6 * 86_400)).await;
        let minutes = if version == V2 { 1440 } else { 5 * 1440 };
        let old = stage.window(minutes + 10, minutes - 10);
        assert!(api(app.create_replay(id, old).await).is_invalid_window());
        let young = stage.window(40, 2);
        assert!(api(app.create_replay(id, young).await).is_invalid_window());
        let window = stage.window(50, 40);
        assert!(api(app.create_replay(nowhere(), window).await).is_unknown_webhook());
        stage.receiver.fail_challenges(true);
        assert!(api(app.create_replay(id, window).await).is_invalid_webhook());
        stage.receiver.fail_challenges(false);
        assert!(app.validate_webhook(id).await.unwrap().valid);

        // A job that sends an event which is never answered does not end.
        stage.receiver.swallow_deliveries();
        stage.emulator.trigger(&Trigger::new("favorite_events", user(7))).await.unwrap();
        stage.forward(Duration::from_secs(45 * 60)).await;
        let window = stage.window(50, 40);
        app.create_replay(id, window).await.unwrap();
        let error = app.create_replay(id, window).await.unwrap_err();
        assert!(error.is_conflict() && !error.is_retryable() && !error.maybe_done(), "{error}");
    }
}

#[tokio::test]
async fn of_credentials() {
    for version in [V2, V1_1] {
        let stage = Stage::new(version).await;
        let id = stage.client.app().create_webhook(&stage.receiver.url("hook")).await.unwrap().id;
        let credentials = stage.client.credentials().clone();
        let consumer = aaa_auth::Consumer {
            secret: "wrong".parse().unwrap(),
            ..credentials.consumer.clone().unwrap()
        };
        let wrong = Client::builder(stage.emulator.url().parse().unwrap())
            .version(version)
            .credentials(credentials.with_consumer(consumer).with_bearer("wrong".parse().unwrap()))
            .build()
            .unwrap();
        assert!(api(wrong.app().list_webhooks().await).is_unauthorized());
        assert!(api(wrong.user(token(7)).subscribe(id).await).is_unauthorized());
        let url = stage.receiver.url("other");
        assert!(api(wrong.app().create_webhook(&url).await).is_unauthorized());
        assert!(wrong.oauth().bearer_token().await.unwrap_err().is_unauthorized());
        // Nobody gets through, so it stops.
        let bulk = wrong.bulk(id).with_concurrency(std::num::NonZeroUsize::MIN);
        let users = (1..9).map(|number| (user(number), token(number).into()));
        let report = bulk.subscribe(users, |_| ()).await;
        assert_eq!(report.stopped_by().unwrap().0, user(3), "{report:?}");
    }
}

#[tokio::test]
async fn of_permissions() {
    for (version, access) in
        [(V2, AppAccess::NotEnrolled), (V1_1, AppAccess::NotEnrolled), (V2, AppAccess::ReadOnly)]
    {
        let stage = Stage::with(version, Settings { access, ..Settings::default() }).await;
        let refused = api(stage.client.user(token(7)).subscribe(nowhere()).await);
        assert!(refused.is_forbidden(), "{refused}");
    }
    for version in [V2, V1_1] {
        let access = AppAccess::WithoutReplay;
        let stage = Stage::with(version, Settings { access, ..Settings::default() }).await;
        let app = stage.client.app();
        let id = app.create_webhook(&stage.receiver.url("hook")).await.unwrap().id;
        stage.forward(Duration::from_secs(3600)).await;
        let refused = api(app.create_replay(id, stage.window(50, 40)).await);
        assert!(refused.is_forbidden(), "{refused}");
    }
}

#[tokio::test]
async fn of_messages() {
    let stage = Stage::new(V2).await;
    let message = NewDirectMessage::text("hello").unwrap();
    // Nobody has this id.
    let nobody = user(99_999_999);
    let refused = stage.client.user(oauth2(7)).send_direct_message(nobody, &message).await;
    assert!(refused.unwrap_err().api().is_some_and(|api| matches!(api.status(), 400 | 403 | 404)));
    let seven = stage.client.user(token(7));
    // The one that was refused counts.
    for _ in 0..14 {
        seven.send_direct_message(user(8), &message).await.unwrap();
    }
    let error = seven.send_direct_message(user(8), &message).await.unwrap_err();
    assert!(error.is_rate_limited() && !error.maybe_done(), "{error}");
}
