use aaa_types::ReplayWindow;

use super::*;
use crate::ledger::{Holder, Intent, LeaseId, Purpose};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn webhook() -> Webhook {
    Webhook { id: "12".parse().unwrap(), created_at: None }
}

fn beat(run: u64, at: Timestamp) -> Heartbeat {
    Heartbeat {
        run: RunId(run),
        wall: at,
        uptime: SignedDuration::from_secs(5),
        offset: SignedDuration::ZERO,
        offset_read: true,
        tally: Tally::default(),
    }
}

fn span(run: u64, from: &str, to: &str) -> Span {
    let mut span = Span::new(beat(run, time(from)));
    span.last = beat(run, time(to));
    span
}

fn attempt(number: u64, from: &str, to: &str, outcome: Outcome) -> Attempt {
    let core = ReplayWindow::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
    let at = time("2025-11-22T05:00:00Z");
    let purpose = Purpose::Gap;
    let intent = Intent { webhook: webhook().id, core, request: core, at, purpose };
    Attempt { number, intent, outcome, settled_at: at, found: 3 }
}

fn at(text: &str) -> Now {
    Now { x: time(text), wall: time(text) }
}

fn held(until: &str, run: u64) -> Option<Lease> {
    let holder = Holder { name: "aaa listen".into(), run: RunId(run), role: Role::Listener };
    Some(Lease { id: LeaseId(1), holder, expires_at: time(until) })
}

/// Down from long ago, down again, and down for a few minutes a moment ago.
fn picture() -> Picture {
    let job = 5_u64.try_into().unwrap();
    Picture {
        spans: vec![
            span(1, "2025-11-21T02:00:00Z", "2025-11-21T05:00:00Z"),
            span(2, "2025-11-21T09:00:00Z", "2025-11-21T20:00:00Z"),
            span(3, "2025-11-21T22:00:00Z", "2025-11-22T06:50:00Z"),
            span(4, "2025-11-22T06:55:00Z", "2025-11-22T07:00:00Z"),
        ],
        attempts: vec![
            attempt(1, "202511212000", "202511212100", Outcome::Recovered { job }),
            attempt(2, "202511212100", "202511212201", Outcome::Running { job }),
        ],
        lease: held("2025-11-22T07:00:20Z", 4),
        in_use: true,
        ..Picture::default()
    }
}

#[test]
fn a_plan_and_its_segments() {
    let (picture, now) = (picture(), at("2025-11-22T07:00:05Z"));
    let plan = picture.plan(webhook(), Settings::v2(), now);
    insta::assert_json_snapshot!(plan, @r#"
    {
      "now": [
        {
          "from_date": "202511210702",
          "to_date": "202511210902"
        },
        {
          "from_date": "202511211959",
          "to_date": "202511212001"
        }
      ],
      "later": [
        {
          "from_date": "202511220629",
          "to_date": "202511220657",
          "at": "2025-11-22T07:07:00Z"
        }
      ],
      "lost": [
        {
          "from": "2025-11-21T04:59:00Z",
          "to": "2025-11-21T07:02:00Z",
          "reason": "older than the look-back of 24 hours"
        }
      ]
    }
    "#);
    let gaps = picture.gaps(&Settings::v2(), now);
    let segments = picture.segments(&gaps, &plan, webhook().id, now);
    let lines = segments.iter().map(|s| format!("{:.0} {:.0} {:?}", s.from, s.to, s.state));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
    2025-11-21T02:00:00Z 2025-11-21T05:00:00Z Assumed
    2025-11-21T09:00:00Z 2025-11-21T20:00:00Z Assumed
    2025-11-21T22:00:00Z 2025-11-22T06:50:00Z Assumed
    2025-11-22T06:55:00Z 2025-11-22T07:00:00Z Assumed
    2025-11-21T04:59:00Z 2025-11-21T09:01:00Z Missed(Down)
    2025-11-21T19:59:00Z 2025-11-21T22:01:00Z Missed(Down)
    2025-11-22T06:49:00Z 2025-11-22T06:56:00Z Missed(Down)
    2025-11-21T20:00:00Z 2025-11-21T21:00:00Z Recovered
    2025-11-21T21:00:00Z 2025-11-21T22:01:00Z Running
    2025-11-21T07:02:00Z 2025-11-21T09:01:00Z Now
    2025-11-21T19:59:00Z 2025-11-21T20:00:00Z Now
    2025-11-22T06:49:00Z 2025-11-22T06:56:00Z Later
    2025-11-21T04:59:00Z 2025-11-21T07:02:00Z Lost
    ");
}

#[test]
fn what_nobody_follows_is_asked_for_again() {
    let mut picture = picture();
    let now = at("2025-11-22T07:00:05Z");
    assert_eq!(picture.live(webhook().id, now).map(|live| live.number), Some(2));
    let followed = picture.plan(webhook(), Settings::v2(), now).now.len();
    picture.lease = held("2025-11-22T07:00:05Z", 4);
    assert_eq!(picture.live(webhook().id, now), None);
    assert_eq!(picture.plan(webhook(), Settings::v2(), now).now.len(), followed + 1);
}

#[test]
fn an_outage_that_lasts_is_missing_too() {
    let picture = picture();
    let last = |now: Now| picture.gaps(&Settings::v2(), now).last().unwrap().to;
    let running = at("2025-11-22T07:00:15Z");
    assert!(picture.is_received(running) && picture.recovers_itself(running));
    assert_eq!(last(running), time("2025-11-22T06:56:00Z"));
    let closed = Picture { in_use: false, ..picture.clone() };
    assert!(!closed.is_received(running));
    let down = at("2025-11-22T07:00:16Z");
    assert!(!picture.is_received(down) && !picture.recovers_itself(down));
    assert_eq!(last(down), down.x);
    assert_eq!(Picture::default().gaps(&Settings::v2(), down), []);
}

#[test]
fn who_recovers() {
    let mut picture = picture();
    let now = at("2025-11-22T07:00:05Z");
    assert!(picture.recovers_itself(now));
    // The lease of a listener that was killed.
    picture.lease = held("2025-11-22T07:00:20Z", 3);
    assert!(picture.holder(now).is_some() && !picture.recovers_itself(now));
    picture.lease = None;
    assert!(!picture.recovers_itself(now));
}
