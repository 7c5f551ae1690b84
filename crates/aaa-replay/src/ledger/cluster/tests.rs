use proptest::prelude::*;

use super::*;
use crate::{
    coverage::{RunId, Tally, gaps},
    ledger::{Declared, LeaseId},
};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

fn start() -> Timestamp {
    "2025-11-22T04:13:00Z".parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    start() + SignedDuration::from_secs(second)
}

fn beat(run: u64, second: i64) -> Heartbeat {
    Heartbeat {
        run: RunId(run),
        wall: at(second),
        uptime: SignedDuration::from_secs(second),
        offset: SignedDuration::ZERO,
        offset_read: true,
        tally: Tally::default(),
    }
}

fn cluster() -> ClusterBook {
    ClusterBook::new(SECOND * 5, SECOND * 120)
}

/// Everything that is missing, as seconds, without the margin.
fn missing(cluster: &ClusterBook) -> Vec<(i64, i64, Cause)> {
    let seconds = |time: Timestamp| time.duration_since(start()).as_secs();
    let declared = cluster.book().declared().iter().map(|declared| declared.declaration.gap);
    let mut missing: Vec<_> = gaps(&spans(cluster), MARGIN).into_iter().chain(declared).collect();
    missing.sort_by_key(|gap| (gap.from, gap.to));
    let narrow = |gap: Gap| (seconds(gap.from) + 60, seconds(gap.to) - 60, gap.cause);
    missing.into_iter().map(narrow).collect()
}

fn spans(cluster: &ClusterBook) -> Vec<crate::coverage::Span> {
    cluster.book().spans_from(0).into_iter().map(|(_, span)| span).collect()
}

/// Two nodes for a minute.
fn two() -> ClusterBook {
    let mut cluster = cluster();
    for second in (0..60).step_by(5) {
        cluster.heartbeat("one", beat(1, second));
        cluster.heartbeat("two", beat(2, second + 2));
    }
    cluster
}

#[test]
fn while_all_are_there_nothing_is_missing() {
    let cluster = two();
    assert_eq!(missing(&cluster), []);
    let spans = spans(&cluster);
    assert_eq!((spans.len(), spans[0].first.x_time(), spans[0].last.x_time()), (1, at(0), at(57)));
    assert_eq!(cluster.nodes().map(|(name, _)| name).collect::<Vec<_>>(), ["one", "two"]);
}

#[test]
fn a_node_that_says_that_it_ends_is_missed_by_nobody() {
    let mut cluster = two();
    cluster.leave("two");
    (12..60).for_each(|n| cluster.heartbeat("one", beat(1, n * 5)));
    assert_eq!(missing(&cluster), []);
    // It comes back, and the other one ends.
    cluster.heartbeat("two", beat(3, 300));
    cluster.leave("one");
    cluster.heartbeat("two", beat(3, 305));
    assert_eq!(missing(&cluster), []);
    // When the last of them ends, nobody is there, however short it is.
    cluster.leave("two");
    cluster.heartbeat("one", beat(4, 309));
    assert_eq!(missing(&cluster), [(305, 309, Cause::Down)]);
}

#[test]
fn an_unclean_end_is_missing_until_the_next_run() {
    let mut cluster = two();
    cluster.heartbeat("one", beat(1, 60));
    cluster.heartbeat("two", beat(3, 64));
    assert_eq!(missing(&cluster), [(57, 64, Cause::Down)]);
    assert_eq!(cluster.book().declared()[0].declaration.webhook, None);
}

#[test]
fn silence_is_missing_until_it_ends_or_the_node_is_gone() {
    let mut cluster = two();
    (12..20).for_each(|n| cluster.heartbeat("one", beat(1, n * 5)));
    assert_eq!(missing(&cluster), [(57, 95, Cause::Silent)]);
    cluster.heartbeat("two", beat(2, 97));
    assert_eq!(missing(&cluster), [(57, 97, Cause::Silent)]);
    // For good: after two minutes and one heartbeat it counts as gone.
    (20..90).for_each(|n| cluster.heartbeat("one", beat(1, n * 5)));
    assert_eq!(missing(&cluster), [(57, 220, Cause::Silent)]);
    assert_eq!(cluster.nodes().count(), 1);
}

#[test]
fn what_one_refuses_is_missing() {
    let mut cluster = two();
    let tally = Tally { refusals: 1, ..Tally::default() };
    cluster.heartbeat("one", beat(1, 60));
    cluster.heartbeat("two", Heartbeat { tally, ..beat(2, 62) });
    cluster.heartbeat("one", beat(1, 65));
    assert_eq!(missing(&cluster), [(60, 62, Cause::Refused)]);
}

#[test]
fn all_of_them_down_is_one_gap() {
    let mut cluster = two();
    cluster.heartbeat("one", beat(3, 600));
    cluster.heartbeat("two", beat(4, 605));
    cluster.heartbeat("one", beat(3, 605));
    assert_eq!(missing(&cluster), [(57, 600, Cause::Down)]);
}

#[test]
fn who_died_before_the_others_is_missing_from_then_on() {
    let mut cluster = cluster();
    cluster.heartbeat("one", beat(1, 0));
    cluster.heartbeat("two", beat(2, 1));
    // One is silent for longer than heartbeats may be late; then the other one dies too.
    cluster.heartbeat("two", beat(2, 6));
    cluster.heartbeat("two", beat(2, 11));
    cluster.heartbeat("two", beat(2, 20));
    cluster.heartbeat("three", beat(3, 900));
    let expected = [(0, 20, Cause::Silent), (20, 900, Cause::Down)];
    assert_eq!(missing(&cluster), expected);
}

#[test]
fn a_wrong_clock_of_one_is_its_own() {
    let mut cluster = two();
    let assumed =
        |second| Heartbeat { offset: SECOND * 3600, offset_read: false, ..beat(3, second) };
    cluster.heartbeat("three", assumed(58));
    cluster.heartbeat("one", beat(1, 60));
    cluster.heartbeat("three", assumed(63));
    cluster.heartbeat("one", beat(1, 65));
    cluster.heartbeat("three", beat(3, 68));
    cluster.heartbeat("one", beat(1, 70));
    // X's time as it was assumed, to what it was.
    assert_eq!(missing(&cluster), [(68, 58 + 3600, Cause::Clock)]);
    assert_eq!(spans(&cluster).len(), 1);
}

#[test]
fn a_wrong_secret_of_one_is_missing() {
    let mut cluster = two();
    let tally = |rejected, verified| Tally { rejected, verified, ..Tally::default() };
    for (second, rejected, verified) in [(60, 0, 0), (65, 2, 0), (70, 3, 1)] {
        cluster.heartbeat("one", beat(1, second));
        let tally = tally(rejected, verified);
        cluster.heartbeat("three", Heartbeat { tally, ..beat(3, second) });
    }
    assert!(missing(&cluster).contains(&(60, 70, Cause::Signatures)), "{:?}", missing(&cluster));
}

#[test]
fn a_listener_takes_the_lease_of_another_node_only_when_it_is_over() {
    let mut cluster = cluster();
    let holder = |run, role| Holder { name: "it".to_owned(), run: RunId(run), role };
    let listener = |run| holder(run, Role::Listener);
    let first = cluster.take_lease("one", listener(1), at(0), at(30)).unwrap();
    let refused = cluster.take_lease("two", listener(2), at(29), at(59)).unwrap_err();
    assert_eq!(refused, LedgerError::Held(Box::new(first)));
    // The same node, started again.
    let again = cluster.take_lease("one", listener(3), at(29), at(59)).unwrap();
    assert_eq!(again.id, LeaseId(2));
    let other = cluster.take_lease("two", listener(2), at(59), at(89)).unwrap();
    assert_eq!(other.id, LeaseId(3));
    assert!(cluster.take_lease("one", listener(3), at(60), at(90)).is_err());
    cluster.book_mut().release_lease(other.id);
    assert!(cluster.take_lease("one", holder(4, Role::Command), at(60), at(90)).is_ok());
}

#[test]
fn json_of_a_cluster() {
    let mut cluster = two();
    cluster.heartbeat("one", beat(1, 60));
    cluster.heartbeat("two", beat(3, 64));
    let text = serde_json::to_string(&cluster).unwrap();
    let read: ClusterBook = serde_json::from_str(&text).unwrap();
    assert_eq!(format!("{read:?}"), format!("{cluster:?}"));
    insta::assert_snapshot!(text, @r#"{"book":{"period":"PT5S","spans":[{"first":{"run":1,"wall":"2025-11-22T04:13:00Z","uptime":"PT0S","offset":"PT0S","offset_read":true,"tally":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"last":{"run":1,"wall":"2025-11-22T04:14:04Z","uptime":"PT1M4S","offset":"PT0S","offset_read":true,"tally":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"verified":null}],"gone":0,"proofs":[],"lease":null,"attempts":[],"declared":[{"number":1,"after":0,"gap":{"from":"2025-11-22T04:12:57Z","to":"2025-11-22T04:15:04Z","cause":"down"},"webhook":null,"at":"2025-11-22T04:14:04Z"}],"numbers":0,"declarations":1,"seen":{},"summary":[null,"PT0S",[0,0,0,0]]},"gone_after":"PT2M","nodes":{"one":{"first":{"run":1,"wall":"2025-11-22T04:13:00Z","uptime":"PT0S","offset":"PT0S","offset_read":true,"tally":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"last":{"run":1,"wall":"2025-11-22T04:14:00Z","uptime":"PT1M","offset":"PT0S","offset_read":true,"tally":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"silence":null,"before":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"two":{"first":{"run":3,"wall":"2025-11-22T04:14:04Z","uptime":"PT1M4S","offset":"PT0S","offset_read":true,"tally":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"last":{"run":3,"wall":"2025-11-22T04:14:04Z","uptime":"PT1M4S","offset":"PT0S","offset_read":true,"tally":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"silence":null,"before":{"refusals":0,"verified":0,"rejected":0,"arrived":0}}},"epoch":{"run":1,"shared":{"run":1,"wall":"2025-11-22T04:13:00Z","uptime":"PT0S","offset":"PT0S","offset_read":true,"tally":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"past":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"holder":null}"#);
}

/// What a node does next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Beat,
    Refuse,
    Kill,
    Leave,
    Pause,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step, i64)>> {
    let step = prop_oneof![
        8 => Just(Step::Beat),
        1 => Just(Step::Refuse),
        1 => Just(Step::Kill),
        1 => Just(Step::Leave),
        1 => Just(Step::Pause),
    ];
    prop::collection::vec((0..3_usize, step, 0..4_i64), 1..80)
}

proptest! {
    /// A single node has the ledger that it would have alone.
    #[test]
    fn one_node_is_as_alone(
        steps in prop::collection::vec((0..25_i64, 1..3_u64, 0..2_u64, 0..2_u64), 1..60),
    ) {
        let (mut cluster, mut book) = (cluster(), Book::new(SECOND * 5));
        let mut second = 0;
        for (pause, run, refusals, verified) in steps {
            second += pause;
            let tally = Tally { refusals, verified, rejected: 1, arrived: verified };
            let heartbeat = Heartbeat { tally, offset_read: pause % 2 == 0, ..beat(run, second) };
            cluster.heartbeat("one", heartbeat);
            book.heartbeat(heartbeat);
        }
        prop_assert_eq!(cluster.book().spans_from(0), book.spans_from(0));
        prop_assert_eq!(cluster.book().proofs(), book.proofs());
        prop_assert_eq!(cluster.book().declared(), &[] as &[Declared]);
    }

    /// Whatever a node misses is missing for all, and coverage never claims a time in which nobody
    /// was there. Each node beats every five seconds while it lives; a step may hold it up.
    #[test]
    fn what_any_node_misses_is_missing(steps in steps()) {
        let names = ["one", "two", "three"];
        let mut cluster = cluster();
        // For each node: its run, when it was heard last, its refusals.
        let mut lives: [Option<(u64, i64, u64)>; 3] = [None; 3];
        // When it ended uncleanly, or refused: from its last heartbeat to its next one.
        let mut ended: [Option<i64>; 3] = [None; 3];
        let mut truth: Vec<(i64, i64)> = Vec::new();
        let (mut runs, mut now) = (0, 0);
        for (chosen, step, pause) in steps {
            now += 5;
            for (n, life) in lives.iter_mut().enumerate() {
                let moment = now + i64::try_from(n).unwrap();
                let step = if n == chosen { step } else { Step::Beat };
                match (step, *life) {
                    // The chosen one starts; the others stay away.
                    (_, None) => {
                        if n == chosen && matches!(step, Step::Beat) {
                            runs += 1;
                            *life = Some((runs, moment, 0));
                            if let Some(from) = ended[n].take()
                                && moment - from <= 110 {
                                truth.push((from, moment));
                            }
                            cluster.heartbeat(names[n], beat(runs, moment));
                        }
                    }
                    (Step::Beat | Step::Refuse, Some((run, last, refusals))) => {
                        let more = u64::from(matches!(step, Step::Refuse));
                        if more > 0 {
                            truth.push((last, moment));
                        }
                        let tally = Tally { refusals: refusals + more, ..Tally::default() };
                        cluster.heartbeat(names[n], Heartbeat { tally, ..beat(run, moment) });
                        *life = Some((run, moment, refusals + more));
                    }
                    (Step::Kill, Some((_, last, _))) => {
                        ended[n] = Some(last);
                        *life = None;
                    }
                    (Step::Leave, Some(_)) => {
                        cluster.leave(names[n]);
                        *life = None;
                    }
                    (Step::Pause, Some((run, last, refusals))) => {
                        // Nobody of it is heard for a while; the others go on.
                        let _ = (run, last, refusals);
                    }
                }
            }
            now += pause;
        }
        let found: Vec<(i64, i64)> =
            missing(&cluster).into_iter().map(|(from, to, _)| (from - 60, to + 60)).collect();
        for (from, to) in truth {
            let mut covered = from;
            for (a, b) in &found {
                if *a <= covered {
                    covered = covered.max(*b);
                }
            }
            prop_assert!(covered >= to, "{from}..{to} in {found:?}");
        }
    }
}
