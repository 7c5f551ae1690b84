//! The only server is gone, and much is asked of it.

use std::time::Duration;

use aaa_store::jetstream::{JetStreamInbox, Worker};
use aaa_webhook::{
    consumer::{Consumer, Failed},
    inbox::{EventLog, EventQuery, Inbox, StoredEvent},
};
use futures_util::future::join_all;
use tokio::{
    sync::{oneshot, watch},
    time::{sleep, timeout},
};

use super::{
    nats::{Nats, PATIENCE},
    working::settings,
};
use crate::helper::{delivery, favorites, keys, name};

/// More requests than the client lets wait for a connection.
const REQUESTS: usize = 3000;

/// Returns once it is known that there is no connection.
async fn noticed(inbox: &JetStreamInbox) {
    let noticed = async {
        loop {
            let refused = inbox.commit(delivery(&favorites("7", &["before"]))).await;
            if refused.unwrap_err().to_string().contains("there is no connection") {
                return;
            }
        }
    };
    timeout(PATIENCE, noticed).await.expect("nobody notices");
}

/// Whoever asks is told that nobody answers, and whoever is to end ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_hangs_while_no_server_answers() {
    let Some(mut nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    inbox.commit(delivery(&favorites("7", &["1"]))).await.unwrap();
    let (had, mut has) = watch::channel(0);
    let (release, released) = watch::channel(false);
    let handler = move |_: StoredEvent| {
        let mut released = released.clone();
        had.send_modify(|had| *had += 1);
        async move {
            let _ = released.wait_for(|released| *released).await;
            Ok::<(), Failed>(())
        }
    };
    let (end, ended) = oneshot::channel::<()>();
    let mut slow = settings();
    slow.timeout = Duration::from_secs(60);
    let worker = Worker::new(name("worker"), inbox.clone(), handler.clone()).with_settings(slow);
    let worker = tokio::spawn(worker.run(async move { ended.await.unwrap_or(()) }));
    let (stop, stopped) = oneshot::channel::<()>();
    let consumer = Consumer::new(name("consumer"), inbox.clone(), handler);
    let consumer = consumer.run(inbox.subscribe(), async move { stopped.await.unwrap_or(()) });
    let consumer = tokio::spawn(consumer);
    timeout(PATIENCE, has.wait_for(|had| *had == 2)).await.unwrap().unwrap();

    nats.0.kill(0).unwrap();
    noticed(&inbox).await;
    let asked = join_all((0..REQUESTS).map(|_| inbox.events(EventQuery::after(0, 1))));
    let answers = timeout(PATIENCE, asked).await.expect("a reader waits for ever");
    assert!(answers.iter().all(Result::is_err));
    let stats = timeout(PATIENCE, inbox.stats()).await.expect("it waits for ever");
    assert_eq!(
        stats.unwrap_err().to_string(),
        "NATS could not look at the stream: no answer came in time"
    );
    release.send(true).unwrap();
    drop((end, stop));
    timeout(PATIENCE, worker).await.expect("the worker does not end").unwrap().unwrap();
    // Its last place cannot be saved.
    let _ = timeout(PATIENCE, consumer).await.expect("the consumer does not end").unwrap();
}

/// What was refused because there was no connection does not wait for one, with its body.
#[tokio::test]
async fn what_was_refused_is_not_sent_later() {
    let Some(mut nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    nats.0.kill(0).unwrap();
    noticed(&inbox).await;
    inbox.commit(delivery(&favorites("7", &["refused"]))).await.unwrap_err();
    nats.0.run(0).unwrap();
    let back = async {
        while inbox.commit(delivery(&favorites("7", &["after"]))).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, back).await.expect("it does not come back");
    // The first one may have been sent before it was known.
    let keys = keys(&inbox).await;
    assert!(keys.contains(&"7/favorite_events:after".to_owned()), "{keys:?}");
    assert!(!keys.contains(&"7/favorite_events:refused".to_owned()), "{keys:?}");
}
