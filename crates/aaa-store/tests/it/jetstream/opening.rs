//! What is refused, and why.

use aaa_store::jetstream::{JetStreamError, JetStreamInbox, Keys, Replicas, Settings};
use aaa_webhook::inbox::Inbox;
use async_nats::jetstream::stream;

use super::nats::Nats;
use crate::helper::{delivery, favorites, keys};

#[tokio::test]
async fn a_server_alone_is_no_three_replicas() {
    let Some(nats) = Nats::one() else { return };
    let settings = Settings { replicas: Replicas::Three, ..nats.settings() };
    let error = nats.try_open(settings).await.unwrap_err();
    insta::assert_snapshot!(error, @"NATS could not make the stream: jetstream error: replicas > 1 not supported in non-clustered mode (code 500, error code 10074); three replicas need a cluster of three servers, and a single one keeps only what survives its process");
}

#[tokio::test]
async fn the_largest_body_has_to_fit() {
    let Some(nats) = Nats::start(1, "") else { return };
    let error = nats.try_open(nats.settings()).await.unwrap_err();
    insta::assert_snapshot!(error, @"the NATS server is not fit: its `max_payload` is 1048576 bytes, and a delivery of 1048576 with its headers needs 1052672: set `max_payload: 2MB` in its configuration");
    let smaller = Settings { largest_body: 900_000, ..nats.settings() };
    nats.open_with(smaller).await;
}

/// The largest body comes back, as do all others.
#[tokio::test]
async fn a_body_of_a_mebibyte_is_stored_and_read() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    let empty = favorites("7", &[""]).len();
    let id = "x".repeat(1024 * 1024 - empty);
    inbox.commit(delivery(&favorites("7", &[&id]))).await.unwrap();
    assert_eq!(keys(&inbox).await, [format!("7/favorite_events:{id}")]);
}

#[tokio::test]
async fn a_stream_that_forgets_is_refused() {
    let Some(nats) = Nats::one() else { return };
    let config = stream::Config {
        name: "aaa".to_owned(),
        subjects: vec!["aaa.>".to_owned()],
        retention: stream::RetentionPolicy::WorkQueue,
        ..stream::Config::default()
    };
    nats.client().await.create_stream(config).await.unwrap();
    let error = nats.try_open(nats.settings()).await.unwrap_err();
    insta::assert_snapshot!(error, @"the stream `aaa` is not safe: its retention is not `limits`, so what one consumer has read is forgotten, with its key; it discards old messages when it is full, not new ones (`discard: new`), so stored events disappear; it knows copies for 120 s (`duplicate_window`), and 8 days 1 h are needed; change it with `nats stream edit`, or choose another name");
}

/// Neither kind of stream is taken for the other.
#[tokio::test]
async fn keys_stay_where_they_are() {
    let Some(nats) = Nats::one() else { return };
    nats.open().await;
    let other = Settings { keys: Keys::Subjects, ..nats.settings() };
    let error = nats.try_open(other).await.unwrap_err();
    insta::assert_snapshot!(error, @"the stream `aaa` is not safe: it keeps -1 messages per subject (`max_msgs_per_subject`), and 1 are needed here; `discard_new_per_subject` is false, and keys are kept otherwise here; change it with `nats stream edit`, or choose another name");
}

#[tokio::test]
async fn without_jetstream_or_a_server_nothing_is_stored() {
    let Some(mut nats) = Nats::start(1, "max_payload: 2MB\njetstream: disabled") else { return };
    let error = nats.try_open(nats.settings()).await.unwrap_err();
    insta::assert_snapshot!(error, @"the NATS server is not fit: JetStream is not enabled: start it with `-js`, or with a `jetstream` block in its configuration");
    nats.0.kill(0).unwrap();
    let error = nats.try_open(nats.settings()).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot connect to NATS at 127.0.0.1:"), "{error}");
    let bad = JetStreamInbox::open("nats://secret@", nats.settings()).await.unwrap_err();
    insta::assert_snapshot!(bad, @"cannot connect to NATS at the given address: that is no URL such as nats://host:4222, or nats://USER:PASSWORD@host:4222 with what is no letter or digit as %XX");
}

/// A server that wants a user and a password.
#[tokio::test]
async fn passwords_are_sent_and_never_shown() {
    let line = "max_payload: 2MB\nauthorization { user: \"me\", password: \"p@ss, word\" }";
    let Some(nats) = Nats::start(1, line) else { return };
    let open = async |login: &str| {
        let url = nats.0.urls(0).replace("nats://", &format!("nats://{login}"));
        JetStreamInbox::open(&url, nats.settings()).await
    };
    for login in ["", "me:zq%40x@", "zq%40x@"] {
        let error = open(login).await.unwrap_err();
        assert!(!format!("{error:?} {error}").contains("zq"), "{error}");
        let JetStreamError::Unreachable { reason, .. } = error else {
            unreachable!("{error:?}");
        };
        insta::allow_duplicates! {
            insta::assert_snapshot!(reason, @"it does not let us in: write the user and the password that it wants as nats://USER:PASSWORD@host:4222, or a token as nats://TOKEN@host:4222, with what is no letter or digit as %XX");
        }
    }
    let inbox = open("me:p%40ss%2C%20word@").await.unwrap();
    inbox.commit(delivery(&favorites("7", &["1"]))).await.unwrap();
    assert_eq!(keys(&inbox).await.len(), 1);
}

#[tokio::test]
async fn a_token_is_sent() {
    let line = "max_payload: 2MB\nauthorization { token: \"s3cret\" }";
    let Some(nats) = Nats::start(1, line) else { return };
    let url = nats.0.urls(0).replace("nats://", "nats://s3cret@");
    JetStreamInbox::open(&url, nats.settings()).await.unwrap();
}

/// What is left of a stream and its bucket is of no use without the other one.
#[tokio::test]
async fn a_stream_and_its_bucket_go_together() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    for n in 0..5 {
        inbox.commit(delivery(&favorites("7", &[&n.to_string()]))).await.unwrap();
    }
    inbox.inspect().await.unwrap();
    let client = nats.client().await;
    let apart = async || match nats.try_open(nats.settings()).await.unwrap_err() {
        error @ JetStreamError::Apart { .. } => error.to_string(),
        error => unreachable!("{error}"),
    };

    client.delete_stream("aaa").await.unwrap();
    insta::assert_snapshot!(apart().await, @"the stream `aaa` and the bucket `aaa-ledger` do not belong together: the stream is gone, so events would be passed over, and what was missed would not be told. Bring back what is gone, or begin anew: delete what is left of both (`nats stream rm aaa`, `nats stream rm KV_aaa-ledger`), or choose another name with --nats-stream");
    // It is said again, and by whoever is there.
    apart().await;
    inbox.inspect().await.unwrap_err();
    assert!(inbox.stats().await.unwrap_err().to_string().contains("`aaa` is gone"));

    // Somebody has made it again.
    let config = |name: &str, subject: &str| stream::Config {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        discard: stream::DiscardPolicy::New,
        duplicate_window: std::time::Duration::from_secs(193 * 3600),
        ..stream::Config::default()
    };
    client.create_stream(config("aaa", "aaa.>")).await.unwrap();
    let error = apart().await;
    assert!(error.contains("the one was made at"), "{error}");
    inbox.inspect().await.unwrap_err();

    // The way on.
    client.delete_stream("KV_aaa-ledger").await.unwrap();
    let inbox = nats.open().await;
    inbox.commit(delivery(&favorites("7", &["1"]))).await.unwrap();
    inbox.inspect().await.unwrap();
    inbox.stats().await.unwrap();

    client.delete_stream("KV_aaa-ledger").await.unwrap();
    let error = apart().await;
    assert!(error.contains("the bucket is gone"), "{error}");
    apart().await;
}

/// A stream that was brought back from a copy ends before what the bucket knows of.
#[tokio::test]
async fn a_stream_that_went_back_is_noticed() {
    let Some(mut nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    inbox.commit(delivery(&favorites("7", &["1"]))).await.unwrap();
    inbox.inspect().await.unwrap();
    drop(inbox);
    let copy = tempfile::tempdir().unwrap();
    let stream = nats.0.store(0).join("jetstream/$G/streams/aaa");
    nats.0.kill(0).unwrap();
    copy_all(&stream, copy.path());
    nats.0.run(0).unwrap();
    let inbox = nats.open().await;
    for n in 2..9 {
        inbox.commit(delivery(&favorites("7", &[&n.to_string()]))).await.unwrap();
    }
    inbox.inspect().await.unwrap();
    drop(inbox);
    nats.0.kill(0).unwrap();
    std::fs::remove_dir_all(&stream).unwrap();
    copy_all(copy.path(), &stream);
    nats.0.run(0).unwrap();
    let error = nats.try_open(nats.settings()).await.unwrap_err();
    assert!(matches!(error, JetStreamError::Apart { .. }), "{error}");
    assert!(error.to_string().contains("brought back from a copy?"), "{error}");
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Somebody changes it while a receiver runs.
#[tokio::test]
async fn a_stream_that_became_unsafe_is_noticed() {
    let Some(nats) = Nats::one() else { return };
    let inbox = nats.open().await;
    let client = nats.client().await;
    let mut config = client.get_stream("aaa").await.unwrap().cached_info().config.clone();
    config.discard = stream::DiscardPolicy::Old;
    client.update_stream(&config).await.unwrap();
    inbox.stats().await.unwrap();
    inbox.inspect().await.unwrap_err();
    let error = inbox.stats().await.unwrap_err();
    assert!(matches!(error, JetStreamError::Unsafe { .. }), "{error}");
    config.discard = stream::DiscardPolicy::New;
    client.update_stream(&config).await.unwrap();
    inbox.inspect().await.unwrap();
    inbox.stats().await.unwrap();
}
