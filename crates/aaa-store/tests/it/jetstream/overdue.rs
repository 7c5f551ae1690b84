//! Events go when they are old, whoever waits for them: that is told before.

use std::time::Duration;

use aaa_store::jetstream::{Settings, Worker};
use aaa_webhook::{
    consumer::{Changes, Cursors, Failed, Progress},
    inbox::{Inbox, StoredEvent},
};
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::watch, time::timeout};

use super::nats::{Nats, PATIENCE};
use crate::helper::{changes, delivery, favorites, name};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the server's clock says when it stored something")]
async fn whoever_waits_for_what_goes_soon_is_named() {
    let Some(nats) = Nats::one() else { return };
    let settings = Settings { body_retention: Some(DAY * 12), ..nats.settings() };
    let inbox = nats.open_with(settings.clone()).await;
    for id in ["1", "2"] {
        inbox.commit(delivery(&favorites("7", &[id]))).await.unwrap();
    }
    // One consumer has handled the first event, another one both; a worker has handled nothing.
    for (consumer, handled) in [("behind", 1), ("done", 2)] {
        let opened = Cursors::open(&inbox, &name(consumer), 0).await.unwrap();
        let progress = Progress::new(handled, []);
        let changes = Changes { progress, ..changes(opened.generation) };
        inbox.save(&name(consumer), &changes).await.unwrap();
    }
    let (had, mut has) = watch::channel(0);
    let handler = move |_: StoredEvent| {
        had.send_modify(|had| *had += 1);
        async { Err::<(), Failed>(Failed::unavailable("away")) }
    };
    let worker = tokio::spawn(
        Worker::new(name("work.er"), inbox.clone(), handler).run(std::future::pending()),
    );
    timeout(PATIENCE, has.wait_for(|had| *had >= 2)).await.unwrap().unwrap();
    worker.abort();

    let now = Timestamp::now();
    let days = |days: i64| now + SignedDuration::from_hours(24 * days);
    assert_eq!(inbox.overdue(days(8)).await.unwrap(), []);
    let overdue = inbox.overdue(days(10)).await.unwrap();
    let named: Vec<_> = overdue.iter().map(|late| (late.consumer.as_str(), late.seq)).collect();
    assert_eq!(named, [("behind", 2), ("work.er", 1)]);
    for late in overdue {
        let off = late.removed_at.duration_since(days(12)).abs();
        assert!(off < SignedDuration::from_mins(30), "{late:?}");
    }
    // Where everything is kept, nobody can be late.
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    inbox.commit(delivery(&favorites("7", &["1"]))).await.unwrap();
    Cursors::open(&inbox, &name("behind"), 0).await.unwrap();
    assert_eq!(inbox.overdue(days(1000)).await.unwrap(), []);
}
