//! What is seen of a receiver from outside: its log and its figures.

use std::sync::Arc;

use aaa_webhook::{
    inbox::InboxError,
    networks::{Networks, Sources},
    receiver::Receiver,
    signature::{HEADER, Signature},
};
use http::Request;
use tracing::Level;

use crate::support::{BODY, Behaviour, Log, PATH, TOKEN, TestInbox, app, full, post};

/// Whatever is told, at the finest level: each delivery is named by what it is, and nothing that
/// opens a door or is somebody's message is told.
#[tokio::test]
async fn the_log_tells_of_each_delivery_and_no_secret() {
    let log = Log::default();
    let _listening = log.listen(Level::TRACE);

    let inbox = TestInbox::new(Behaviour::Store);
    let receiver = Receiver::new(inbox.clone(), app());
    assert_eq!(receiver.answer(full(post(BODY), BODY)).await.status(), 200);
    *inbox.behaviour.lock().unwrap() =
        Behaviour::Fail(InboxError::Unavailable("the disk is full".to_owned()));
    assert_eq!(receiver.answer(full(post(BODY), BODY)).await.status(), 503);
    let forged = full(post("{}"), BODY);
    assert_eq!(receiver.answer(forged).await.status(), 403);
    let malformed = full(Request::post(PATH).header(HEADER, "sha256=hush"), BODY);
    assert_eq!(receiver.answer(malformed).await.status(), 401);
    let check = full(Request::get(format!("{PATH}?crc_token={TOKEN}")), "");
    assert_eq!(receiver.answer(check).await.status(), 200);
    let refused = full(Request::get(format!("{PATH}?crc_token=hush")), "");
    assert_eq!(receiver.answer(refused).await.status(), 400);

    let text = log.text();
    for told in [
        r#"delivery{app="main" secret="active" events=1 bytes=50}: aaa_webhook::receiver: delivery committed stored=1 duplicates=0"#,
        r#"delivery{app="main" secret="active" events=1 bytes=50}: aaa_webhook::receiver: verified delivery refused app="main" secret="active" error=the inbox cannot store: the disk is full"#,
        "delivery rejected rejection=the signature was not made with",
        "delivery rejected rejection=not signed",
        "check answered",
        "check refused why=the crc_token is too short or too long to be answered",
    ] {
        assert!(text.contains(told), "{told}\n\n{text}");
    }
    let signatures = [BODY, "{}", TOKEN].map(|text| {
        let signature = Signature::of(app().active(), text.as_bytes()).to_string();
        signature.trim_start_matches("sha256=").to_owned()
    });
    for hidden in ["consumer-secret", "hush", TOKEN, "for_user_id"].into_iter().map(str::to_owned) {
        assert!(!text.contains(&hidden), "{hidden}\n\n{text}");
    }
    for hidden in signatures {
        assert!(!text.contains(&hidden), "{text}");
    }
}

/// A full disk refuses each delivery, for hours.
#[tokio::test(start_paused = true)]
async fn a_spell_of_refusals_is_told_once_and_so_is_its_end() {
    let log = Log::default();
    let _listening = log.listen(Level::INFO);

    let inbox = TestInbox::new(Behaviour::Store);
    let receiver = Receiver::new(inbox.clone(), app());
    let full_disk = Behaviour::Fail(InboxError::Unavailable("the disk is full".to_owned()));
    for _ in 0..2 {
        // What is small may still be stored.
        for behaviour in [&full_disk, &full_disk, &Behaviour::Store, &full_disk] {
            *inbox.behaviour.lock().unwrap() = behaviour.clone();
            receiver.answer(full(post(BODY), BODY)).await;
        }
        *inbox.behaviour.lock().unwrap() = Behaviour::Store;
        for _ in 0..3 {
            tokio::time::advance(std::time::Duration::from_secs(6)).await;
            // Another path of the same receiver.
            receiver.for_apps(vec![app()]).answer(full(post(BODY), BODY)).await;
        }
    }
    let text = log.text();
    let told: Vec<_> = text.lines().map(|line| line.trim_start()).collect();
    let refused = " WARN aaa_webhook::receiver: verified delivery refused app=\"main\" secret=\"active\" error=the inbox cannot store: the disk is full";
    let stored = " INFO aaa_webhook::receiver: verified deliveries are stored again refused=3";
    let expected = [refused, stored, refused, stored].map(str::trim_start);
    assert_eq!(told, expected, "{text}");
}

/// Each is told with its number, and ever more of them are not told at all.
#[tokio::test]
async fn what_anybody_can_cause_does_not_flood_the_log() {
    let log = Log::default();
    let _listening = log.listen(Level::INFO);
    let receiver = Receiver::new(TestInbox::new(Behaviour::Store), app());
    let behind = receiver.clone().with_sources(Sources::new(Networks::of_x()));
    for _ in 0..9 {
        // No address is known of it.
        assert_eq!(behind.answer(full(post(BODY), BODY)).await.status(), 403);
        let encoded = full(post(BODY).header("content-encoding", "gzip"), BODY);
        assert_eq!(receiver.answer(encoded).await.status(), 415);
    }
    let text = log.text();
    for (event, why) in [
        ("a request was refused for where it comes from", "\"no address came with the request\""),
        ("a body was not read", "a body with a Content-Encoding is not taken"),
    ] {
        let told: Vec<_> = text.lines().filter(|line| line.contains(event)).collect();
        let expected = [1, 2, 4, 8].map(|count| {
            format!(" WARN aaa_webhook::receiver::answer: {event} count={count} why={why}")
        });
        assert_eq!(told, expected, "{text}");
    }
    assert_eq!(text.lines().count(), 8, "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_happened_is_measured() {
    let inbox = TestInbox::new(Behaviour::Store);
    let receiver = Receiver::new(inbox.clone(), app());
    let status = receiver.status();
    for _ in 0..3 {
        receiver.answer(full(post(BODY), BODY)).await;
    }
    // A delivery that takes two seconds of the test's clock.
    let go = Arc::new(tokio::sync::Notify::new());
    *inbox.behaviour.lock().unwrap() = Behaviour::Wait(Arc::clone(&go));
    let slow = tokio::spawn({
        let receiver = receiver.clone();
        async move { receiver.answer(full(post(BODY), BODY)).await.status() }
    });
    while inbox.started.load(std::sync::atomic::Ordering::SeqCst) < 4 {
        tokio::task::yield_now().await;
    }
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    go.notify_one();
    assert_eq!(slow.await.unwrap(), 200);
    receiver.answer(full(Request::get(format!("{PATH}?crc_token={TOKEN}")), "")).await;
    receiver.answer(full(Request::get(PATH), "")).await;

    let figures = status.figures();
    assert_eq!((figures.counts.committed, figures.counts.checks), (4, 1));
    for times in [&figures.deliveries, &figures.commits] {
        let filled: Vec<_> = times.buckets.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [&(0.0001, 3), &(2.5, 1)]);
        assert!((times.sum - 2.0).abs() < 0.01, "{}", times.sum);
    }
    assert_eq!(figures.checks.count(), 1);
    assert!(figures.last_delivery.is_some() && figures.last_check.is_some());
}

#[cfg(feature = "metrics")]
#[tokio::test]
async fn health_readiness_and_metrics() {
    use aaa_webhook::metrics::{self, Behind, Probe};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    struct Look(Arc<std::sync::Mutex<Behind>>);
    impl Probe for Look {
        async fn look(&self) -> Behind {
            self.0.lock().unwrap().clone()
        }
    }
    let inbox = TestInbox::new(Behaviour::Store);
    let receiver = Receiver::new(inbox.clone(), app());
    let behind =
        Arc::new(std::sync::Mutex::new(Behind { free_bytes: Some(9), ..Behind::default() }));
    let router = metrics::router(receiver.status(), Look(Arc::clone(&behind)));
    let ask = async |path: &str| {
        let request = full(Request::get(path), "");
        let answer = router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.into()).unwrap())
    };
    receiver.answer(full(post(BODY), BODY)).await;
    let (status, text) = ask("/metrics").await;
    assert_eq!(status, 200);
    for line in ["aaa_deliveries_committed_total 1", "aaa_disk_free_bytes 9", "aaa_ready 1"] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert_eq!(ask("/healthz").await, (200, "alive\n".to_owned()));
    assert_eq!(ask("/readyz").await, (200, "ready\n".to_owned()));
    assert_eq!(ask("/").await.0, 404);

    behind.lock().unwrap().trouble = Some("the disk is full".to_owned());
    assert_eq!(ask("/readyz").await, (503, "not ready: the disk is full\n".to_owned()));
    assert!(ask("/metrics").await.1.contains("\naaa_ready 0\n"));
    *inbox.behaviour.lock().unwrap() = Behaviour::Fail(InboxError::Full);
    receiver.answer(full(post(BODY), BODY)).await;
    assert_eq!(ask("/readyz").await, (503, "not ready: the last verified delivery could not be stored: see the log; the disk is full\n".to_owned()));
    // The process itself is well.
    assert_eq!(ask("/healthz").await.0, 200);
    receiver.status().drain();
    assert!(ask("/readyz").await.1.contains("shutting down"));
}
