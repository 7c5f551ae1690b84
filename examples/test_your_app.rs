//! How to test an application against an emulated X: all of it in one process, without an account,
//! and without waiting for anything that takes longer than a network on loopback.
//!
//! The application here counts whom a user has been liked by. The test registers its webhook,
//! subscribes the user, lets things happen, takes the application down, and has what it missed
//! replayed. X's clock stands still unless the test moves it, so hours take no time.
//!
//! ```sh
//! cargo test -p examples --test test_your_app
//! ```

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, net::SocketAddr, path::Path, time::Duration};

use aaa_auth::{Consumer, UserToken};
use aaa_client::Client;
use aaa_emulator::{
    Emulator,
    control::{JobState, Trigger},
    credentials,
    settings::{Settings, TimeMode},
};
use aaa_store::SqliteStore;
use aaa_types::{ReplayWindow, UserId, UtcMinute, event::Event};
use aaa_webhook::{
    app::App,
    inbox::{EventLog, EventQuery},
    receiver::Receiver,
    server::Server,
};
use serde_json::json;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

/// The application: a receiver, and what it makes of the events in its store.
struct LikeCounter {
    address: SocketAddr,
    store: SqliteStore,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl LikeCounter {
    async fn start(directory: &Path, address: SocketAddr) -> Self {
        let store = SqliteStore::open(directory, aaa_store::Settings::default()).unwrap();
        let secret = credentials::CONSUMER_SECRET.parse().unwrap();
        let receiver = Receiver::new(store.clone(), App::new("likes", secret));
        let server = Server::bind(address).await.unwrap();
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let (status, router) = (receiver.status(), receiver.router("/hook"));
        let serving = tokio::spawn(server.serve(router, status, async { drop(stopped.await) }));
        Self { address, store, stop, serving }
    }

    /// How often somebody liked what `user` wrote.
    async fn likes_of(&self, user: u64) -> BTreeMap<String, u32> {
        let kind = Some("favorite_events".to_owned());
        let query = EventQuery { kind, ..EventQuery::after(0, 1000) };
        let mut likes = BTreeMap::new();
        for event in self.store.events(query).await.unwrap() {
            if event.for_user_id.as_deref() == Some(&user.to_string())
                && let Event::Favorite(favorite) = Event::decode(&event.kind, event.payload.get())
            {
                *likes.entry(favorite.user.id_str.unwrap_or_default()).or_default() += 1;
            }
        }
        likes
    }

    async fn stop(self) {
        drop(self.stop);
        self.serving.await.unwrap();
        self.store.close().await.unwrap();
    }
}

/// `user` likes a post of `author`.
fn like(user: u64, author: u64) -> Trigger {
    let user = UserId::try_from(user).unwrap();
    let author = json!({"favorited_status": {"user": {"id_str": author.to_string()}}});
    Trigger::new("favorite_events", user).with_payload(author)
}

#[tokio::test]
async fn likes_are_counted_also_after_an_outage() {
    // X, whose clock stands still, and the application.
    let settings = Settings { time: TimeMode::Virtual, ..Settings::default() };
    let emulator = Emulator::builder().settings(settings).start().await.unwrap();
    let temporary = tempfile::tempdir().unwrap();
    // The store makes it, for its eyes only.
    let directory = temporary.path().join("data");
    let app = LikeCounter::start(&directory, "127.0.0.1:0".parse().unwrap()).await;

    // Registered, after a real challenge, and subscribed with a real signature.
    let consumer = Consumer::new(
        credentials::CONSUMER_KEY.parse().unwrap(),
        credentials::CONSUMER_SECRET.parse().unwrap(),
    );
    let client = Client::builder(emulator.url().parse().unwrap())
        .consumer(consumer)
        .bearer(credentials::BEARER_TOKEN.parse().unwrap())
        .build()
        .unwrap();
    let url = format!("http://{}/hook", app.address).parse().unwrap();
    let webhook = client.app().create_webhook(&url).await.unwrap();
    let tokens = credentials::user_token(7);
    let token = UserToken::new(tokens.token.parse().unwrap(), tokens.secret.parse().unwrap());
    client.user(token).subscribe(webhook.id).await.unwrap();

    // Events: when this returns, each was answered 200.
    emulator.trigger_and_wait(&like(2, 7).with_count(2)).await.unwrap();
    emulator.trigger_and_wait(&like(3, 7)).await.unwrap();
    assert_eq!(app.likes_of(7).await, BTreeMap::from([("2".into(), 2), ("3".into(), 1)]));

    // An outage. X tries, nobody answers, and it does not try again.
    let begun = emulator.now();
    let address = app.address;
    app.stop().await;
    emulator.trigger_and_wait(&like(3, 7).with_count(4)).await.unwrap();
    emulator.advance(Duration::from_secs(5 * 60)).await.unwrap();
    let ended = emulator.now();
    let app = LikeCounter::start(&directory, address).await;
    assert_eq!(app.likes_of(7).await["3"], 1);

    // What X tried to deliver can be had again once it is old enough.
    emulator.advance(Duration::from_secs(60 * 60)).await.unwrap();
    let window = ReplayWindow::new(UtcMinute::floor(begun), UtcMinute::ceil(ended).plus(1));
    let job = client.app().create_replay(webhook.id, window.unwrap()).await.unwrap();
    let mut committed = app.store.subscribe();
    let wait = async {
        while !has_ended(&app.store).await {
            committed.changed().await.unwrap();
        }
    };
    timeout(Duration::from_secs(30), wait).await.unwrap();

    // Each of them once, whether it had arrived before or not.
    assert_eq!(app.likes_of(7).await, BTreeMap::from([("2".into(), 2), ("3".into(), 5)]));
    let ledger = emulator.ledger();
    assert_eq!((ledger.jobs[0].id, ledger.jobs[0].state), (job.job_id, JobState::Complete));
    assert!(ledger.events.iter().all(|event| event.acknowledged_at.is_some()));
    app.stop().await;
}

/// The end of a replay job is an event like any other.
async fn has_ended(store: &SqliteStore) -> bool {
    let kind = Some("replay_job_status".to_owned());
    let query = EventQuery { kind, ..EventQuery::after(0, 1) };
    !store.events(query).await.unwrap().is_empty()
}
