use aaa_replay::{
    coverage::{Heartbeat, RunId, Tally},
    ledger::{Intent, Purpose},
};
use aaa_store::{Settings as StoreSettings, SqliteStore};
use aaa_types::ReplayWindow;
use aaa_webhook::{
    app::App,
    delivery::Received,
    inbox::Inbox,
    signature::{self, Signature},
};
use http::HeaderMap;
use jiff::SignedDuration;

use super::*;

/// The job was asked for at five o'clock.
const ASKED: &str = "2025-11-22T05:00:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn job() -> JobId {
    5.try_into().unwrap()
}

fn attempt(outcome: Outcome) -> Attempt {
    let core = ReplayWindow::new("202511220400".parse().unwrap(), "202511220410".parse().unwrap());
    let core = core.unwrap();
    let at = time(ASKED);
    let webhook = 12.try_into().unwrap();
    let intent = Intent { webhook, core, request: core, at, purpose: Purpose::Gap };
    Attempt { number: 1, intent, outcome, settled_at: at, found: 0 }
}

fn span(run: u64, from: &str, to: &str) -> Span {
    let beat = |at: &str| Heartbeat {
        run: RunId(run),
        wall: time(at),
        uptime: SignedDuration::ZERO,
        offset: SignedDuration::ZERO,
        offset_read: true,
        tally: Tally::default(),
    };
    let mut span = Span::new(beat(from));
    span.last = beat(to);
    span
}

fn ended(state: &str, at: &str) -> Ends {
    let status = format!(r#"{{"webhook_id":"12","job_state":"{state}","job_id":"5"}}"#);
    Ends::from([(job(), (time(at), serde_json::from_str(&status).unwrap()))])
}

/// Judges the running job; says in a word what became of it.
fn outcome(spans: &[Span], ends: &Ends, is_received: bool, now: &str) -> String {
    let settings = Settings::v2();
    let evidence = Evidence { settings: &settings, spans, is_received, now: time(now) };
    match evidence.outcome(&attempt(Outcome::Running { job: job() }), ends) {
        None => "open".to_owned(),
        Some(Outcome::Recovered { .. }) => "recovered".to_owned(),
        Some(Outcome::Incomplete { reason, .. } | Outcome::Failed { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_inbox_and_the_heartbeats_tell() {
    let up = [span(1, "2025-11-22T04:00:00Z", "2025-11-22T05:01:00Z")];
    let complete = ended("Complete", "2025-11-22T05:00:30Z");
    assert_eq!(outcome(&up, &complete, true, "2025-11-22T05:01:02Z"), "recovered");
    // It is known as well when the receiver has stopped since, and when another one runs by now.
    assert_eq!(outcome(&up, &complete, false, "2025-11-22T09:00:00Z"), "recovered");
    let later = [up[0], span(2, "2025-11-22T05:02:00Z", "2025-11-22T05:03:00Z")];
    assert_eq!(outcome(&later, &complete, true, "2025-11-22T05:03:00Z"), "recovered");
    let incomplete = ended("Incomplete", "2025-11-22T05:00:30Z");
    let words = "the job ended incomplete";
    assert_eq!(outcome(&up, &incomplete, true, "2025-11-22T05:01:02Z"), words);
    assert_eq!(outcome(&up, &incomplete, false, "2025-11-22T05:01:02Z"), words);
}

/// What is refused after the last heartbeat is not known yet.
#[test]
fn a_completion_counts_with_the_heartbeat_after_it() {
    let up = [span(1, "2025-11-22T04:00:00Z", "2025-11-22T05:01:00Z")];
    let complete = ended("Complete", "2025-11-22T05:00:59.5Z");
    assert_eq!(outcome(&up, &complete, true, "2025-11-22T05:01:00Z"), "open");
    let words = "the receiver refused deliveries or stopped meanwhile";
    assert_eq!(outcome(&up, &complete, false, "2025-11-22T05:01:00Z"), words);
    // What X could not deliver is perhaps what was refused.
    let incomplete = ended("Incomplete", "2025-11-22T05:00:59.5Z");
    assert_eq!(outcome(&up, &incomplete, true, "2025-11-22T05:01:00Z"), "open");
    let both = format!("{words}: the job ended incomplete");
    assert_eq!(outcome(&up, &incomplete, false, "2025-11-22T05:01:00Z"), both);
    // A refusal, or another run: a span of its own.
    let refused = [up[0], span(1, "2025-11-22T05:01:05Z", "2025-11-22T05:02:00Z")];
    assert_eq!(outcome(&refused, &complete, true, "2025-11-22T05:02:00Z"), words);
}

#[test]
fn a_receiver_that_began_after_the_call_saw_only_the_rest() {
    let complete = ended("Complete", "2025-11-22T05:02:00Z");
    let words = "the receiver refused deliveries or stopped meanwhile";
    for from in ["2025-11-22T05:00:01Z", "2025-11-22T04:59:01Z"] {
        let spans = [span(2, from, "2025-11-22T05:03:00Z")];
        assert_eq!(outcome(&spans, &complete, true, "2025-11-22T05:03:00Z"), words, "{from}");
    }
    let spans = [span(2, "2025-11-22T04:59:00Z", "2025-11-22T05:03:00Z")];
    assert_eq!(outcome(&spans, &complete, true, "2025-11-22T05:03:00Z"), "recovered");
}

#[test]
fn nothing_stays_open_for_ever() {
    let up = [span(1, "2025-11-22T04:00:00Z", "2025-11-22T05:00:00Z")];
    let none = Ends::new();
    assert_eq!(outcome(&up, &none, true, "2025-11-22T05:29:59Z"), "open");
    assert_eq!(outcome(&up, &none, true, "2025-11-22T05:30:00Z"), "no completion arrived in time");
    let words = "the receiver refused deliveries or stopped before the end";
    assert_eq!(outcome(&up, &none, false, "2025-11-22T05:00:01Z"), words);
    let other = [up[0], span(2, "2025-11-22T05:01:00Z", "2025-11-22T05:02:00Z")];
    assert_eq!(outcome(&other, &none, true, "2025-11-22T05:02:00Z"), words);
    assert_eq!(outcome(&[], &none, true, "2025-11-22T05:02:00Z"), words);
    // Only another job has ended.
    let mut ends = ended("Complete", "2025-11-22T05:00:00Z");
    let (end, six) = (ends.remove(&job()).unwrap(), 6.try_into().unwrap());
    ends.insert(six, end);
    assert_eq!(outcome(&up, &ends, true, "2025-11-22T05:00:10Z"), "open");

    let settings = Settings::v2();
    let now = time("2025-11-22T05:00:10Z");
    let evidence = Evidence { settings: &settings, spans: &up, is_received: true, now };
    let intended = evidence.outcome(&attempt(Outcome::Intended), &none);
    let reason = "nobody saw whether X took it".to_owned();
    assert_eq!(intended, Some(Outcome::Failed { job: None, reason }));
}

#[tokio::test]
async fn another_apps_job_is_not_ours() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("data"), StoreSettings::default()).unwrap();
    for (name, id) in [("SHOP", 5), (DEFAULT_APP, 6)] {
        let body = format!(
            r#"{{"replay_job_status":{{"webhook_id":"12","job_state":"Complete","job_id":"{id}"}}}}"#
        );
        let app = App::new(name, format!("secret-of-{name}").parse().unwrap());
        let signature = Signature::of(app.active(), body.as_bytes()).to_string();
        let headers = HeaderMap::from_iter([(signature::HEADER, signature.parse().unwrap())]);
        let received = Received::new(body.into(), time(ASKED)).verify(&headers, &[app]).unwrap();
        assert_eq!(store.commit(received).await.unwrap().stored, 1);
    }
    let ends: Vec<_> = ends(&store).await.unwrap().into_keys().collect();
    assert_eq!(ends, [6.try_into().unwrap()]);
    store.close().await.unwrap();
}
