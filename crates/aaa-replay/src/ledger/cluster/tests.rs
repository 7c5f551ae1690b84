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

/// A heartbeat of a run that began at another time.
fn begun(run: u64, began: i64, second: i64) -> Heartbeat {
    Heartbeat { uptime: SignedDuration::from_secs(second - began), ..beat(run, second) }
}

/// A heartbeat of a node whose wall clock is ahead by so much, and which knows that.
fn ahead(seconds: i64, heartbeat: Heartbeat) -> Heartbeat {
    let by = SignedDuration::from_secs(seconds);
    Heartbeat { wall: heartbeat.wall + by, offset: -by, ..heartbeat }
}

fn cluster() -> ClusterBook {
    ClusterBook::new(SECOND * 5, SECOND * 120)
}

fn hear(cluster: &mut ClusterBook, name: &str, heartbeat: Heartbeat) {
    cluster.heartbeat(name, heartbeat).unwrap();
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
        hear(&mut cluster, "one", beat(1, second));
        hear(&mut cluster, "two", beat(2, second + 2));
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
    (12..60).for_each(|n| hear(&mut cluster, "one", beat(1, n * 5)));
    assert_eq!(missing(&cluster), []);
    // It comes back, and the other one ends.
    hear(&mut cluster, "two", begun(3, 300, 300));
    cluster.leave("one");
    hear(&mut cluster, "two", begun(3, 300, 305));
    assert_eq!(missing(&cluster), []);
    // When the last of them ends, nobody is there, however short it is.
    cluster.leave("two");
    hear(&mut cluster, "one", begun(4, 309, 309));
    assert_eq!(missing(&cluster), [(305, 309, Cause::Down)]);
}

#[test]
fn an_unclean_end_is_missing_until_the_next_run() {
    let mut cluster = two();
    hear(&mut cluster, "one", beat(1, 60));
    hear(&mut cluster, "two", beat(3, 64));
    assert_eq!(missing(&cluster), [(57, 64, Cause::Down)]);
    assert_eq!(cluster.book().declared()[0].declaration.webhook, None);
}

#[test]
fn silence_is_missing_until_it_ends_or_the_node_is_gone() {
    let mut cluster = two();
    (12..20).for_each(|n| hear(&mut cluster, "one", beat(1, n * 5)));
    assert_eq!(missing(&cluster), [(57, 95, Cause::Silent)]);
    hear(&mut cluster, "two", beat(2, 97));
    assert_eq!(missing(&cluster), [(57, 97, Cause::Silent)]);
    // For good: after two minutes and one heartbeat it counts as gone.
    (20..90).for_each(|n| hear(&mut cluster, "one", beat(1, n * 5)));
    assert_eq!(missing(&cluster), [(57, 220, Cause::Silent)]);
    assert_eq!(cluster.nodes().count(), 1);
}

/// It answered 503 all the time, and is the same run when it is back.
#[test]
fn who_was_gone_and_alive_is_missing_all_the_time() {
    let tally = Tally { refusals: 9, ..Tally::default() };
    let mut cluster = two();
    (12..90).for_each(|n| hear(&mut cluster, "one", beat(1, n * 5)));
    assert_eq!(cluster.nodes().count(), 1);
    hear(&mut cluster, "two", Heartbeat { tally, ..beat(2, 447) });
    hear(&mut cluster, "one", beat(1, 450));
    let found = missing(&cluster);
    assert!(found.contains(&(57, 447, Cause::Silent)), "{found:?}");
    assert_eq!(cluster.nodes().count(), 2);
    // What it refused before is not counted once more.
    hear(&mut cluster, "two", Heartbeat { tally, ..beat(2, 452) });
    assert_eq!(missing(&cluster), found);

    // The others have ended meanwhile, and what was between is told by the span.
    let mut cluster = two();
    (12..90).for_each(|n| hear(&mut cluster, "one", beat(1, n * 5)));
    hear(&mut cluster, "two", Heartbeat { tally, ..beat(2, 900) });
    assert_eq!(missing(&cluster), [(57, 445, Cause::Silent), (445, 900, Cause::Down)]);

    // It is the first to say that it ends.
    let mut cluster = two();
    (12..90).for_each(|n| hear(&mut cluster, "one", beat(1, n * 5)));
    cluster.leave("two");
    assert_eq!(missing(&cluster), [(57, 445, Cause::Silent)]);
}

/// Nobody knows it, and it was there for long, or has refused something.
#[test]
fn who_was_never_heard_and_alive_is_missing_since_its_start() {
    let mut cluster = two();
    hear(&mut cluster, "one", beat(1, 60));
    hear(&mut cluster, "three", begun(3, 20, 61));
    assert_eq!(missing(&cluster), [(20, 61, Cause::Silent)]);
    let mut cluster = two();
    hear(&mut cluster, "one", beat(1, 60));
    let tally = Tally { refusals: 1, ..Tally::default() };
    hear(&mut cluster, "three", Heartbeat { tally, ..begun(3, 52, 61) });
    assert!(missing(&cluster).contains(&(52, 61, Cause::Silent)), "{:?}", missing(&cluster));
    // A new run of one that was gone: between them it was not there.
    let mut cluster = two();
    (12..90).for_each(|n| hear(&mut cluster, "one", beat(1, n * 5)));
    hear(&mut cluster, "two", begun(3, 440, 447));
    assert_eq!(missing(&cluster), [(57, 180, Cause::Silent)]);
    // Before coverage began, nothing was promised.
    let mut cluster = self::cluster();
    hear(&mut cluster, "one", begun(1, -500, 0));
    hear(&mut cluster, "two", begun(2, -500, 1));
    assert_eq!(missing(&cluster), [(0, 1, Cause::Silent)]);
}

#[test]
fn wall_clocks_that_differ_are_no_silence() {
    for by in [-1500, -40, -10, 10, 20, 40, 1500] {
        let mut cluster = cluster();
        for second in (0..300).step_by(5) {
            hear(&mut cluster, "one", beat(1, second));
            hear(&mut cluster, "two", ahead(by, beat(2, second + 2)));
        }
        assert_eq!(missing(&cluster), [], "{by}");
        let spans = spans(&cluster);
        let edges = (spans[0].first.x_time(), spans[0].last.x_time());
        assert_eq!((spans.len(), edges), (1, (at(0), at(297))), "{by}");
        // Told on the clocks of the first.
        assert_eq!((spans[0].last.wall, spans[0].last.offset), (at(297), SignedDuration::ZERO));
        // Silence is seen all the same, and goes from its own last heartbeat.
        (60..72).for_each(|n| hear(&mut cluster, "one", beat(1, n * 5)));
        let found = missing(&cluster);
        assert!(matches!(found[..], [(297, 315.., Cause::Silent)]), "{by}: {found:?}");
    }
}

/// X's clock is set, and not all of them have read it: no gap.
#[test]
fn x_s_clock_is_read_by_one_after_the_other() {
    let mut cluster = two();
    let later = |heartbeat| Heartbeat { offset: SECOND * 900, ..heartbeat };
    hear(&mut cluster, "one", later(beat(1, 60)));
    hear(&mut cluster, "two", beat(2, 62));
    hear(&mut cluster, "one", later(beat(1, 65)));
    hear(&mut cluster, "two", later(beat(2, 67)));
    hear(&mut cluster, "one", later(beat(1, 70)));
    assert_eq!(missing(&cluster), []);
}

#[test]
fn two_that_are_alive_and_have_one_name_are_noticed() {
    let mut cluster = two();
    // Whoever is there later is a new run, for all that anybody knows.
    hear(&mut cluster, "two", begun(3, 58, 60));
    let before = serde_json::to_string(&cluster).unwrap();
    for second in [62, 67] {
        let refused = cluster.heartbeat("two", beat(2, second)).unwrap_err();
        assert_eq!(refused, LedgerError::Twin("two".to_owned()));
        assert_eq!(
            refused.to_string(),
            "another receiver is called `two`: give each its own --node; until then nothing of \
             this one is recorded"
        );
    }
    assert_eq!(serde_json::to_string(&cluster).unwrap(), before);
    hear(&mut cluster, "two", begun(3, 58, 65));
    assert_eq!(missing(&cluster), [(57, 60, Cause::Down)]);
    // Alone, too.
    let mut cluster = self::cluster();
    hear(&mut cluster, "one", beat(1, 0));
    hear(&mut cluster, "one", begun(2, 1, 1));
    assert!(cluster.heartbeat("one", beat(1, 5)).is_err());
    hear(&mut cluster, "one", begun(2, 1, 6));
}

#[test]
fn what_one_refuses_is_missing() {
    let mut cluster = two();
    let tally = Tally { refusals: 1, ..Tally::default() };
    hear(&mut cluster, "one", beat(1, 60));
    hear(&mut cluster, "two", Heartbeat { tally, ..beat(2, 62) });
    hear(&mut cluster, "one", beat(1, 65));
    assert_eq!(missing(&cluster), [(60, 62, Cause::Refused)]);
}

#[test]
fn all_of_them_down_is_one_gap() {
    let mut cluster = two();
    hear(&mut cluster, "one", begun(3, 600, 600));
    hear(&mut cluster, "two", begun(4, 605, 605));
    hear(&mut cluster, "one", begun(3, 600, 605));
    assert_eq!(missing(&cluster), [(57, 600, Cause::Down)]);
}

#[test]
fn who_died_before_the_others_is_missing_from_then_on() {
    let mut cluster = cluster();
    hear(&mut cluster, "one", beat(1, 0));
    hear(&mut cluster, "two", beat(2, 1));
    // One is silent for longer than heartbeats may be late; then the other one dies too.
    hear(&mut cluster, "two", beat(2, 6));
    hear(&mut cluster, "two", beat(2, 11));
    hear(&mut cluster, "two", beat(2, 20));
    hear(&mut cluster, "three", begun(3, 900, 900));
    let expected = [(0, 20, Cause::Silent), (20, 900, Cause::Down)];
    assert_eq!(missing(&cluster), expected);
}

#[test]
fn a_wrong_clock_of_one_is_its_own() {
    let mut cluster = two();
    let assumed =
        |second| Heartbeat { offset: SECOND * 3600, offset_read: false, ..begun(3, 58, second) };
    hear(&mut cluster, "three", assumed(58));
    hear(&mut cluster, "one", beat(1, 60));
    hear(&mut cluster, "three", assumed(63));
    hear(&mut cluster, "one", beat(1, 65));
    hear(&mut cluster, "three", begun(3, 58, 68));
    hear(&mut cluster, "one", beat(1, 70));
    // X's time as it was assumed, to what it was.
    assert_eq!(missing(&cluster), [(68, 58 + 3600, Cause::Clock)]);
    assert_eq!(spans(&cluster).len(), 1);
}

#[test]
fn a_wrong_secret_of_one_is_missing() {
    let mut cluster = two();
    let tally = |rejected, verified| Tally { rejected, verified, ..Tally::default() };
    for (second, rejected, verified) in [(60, 0, 0), (65, 2, 0), (70, 3, 1)] {
        hear(&mut cluster, "one", beat(1, second));
        let tally = tally(rejected, verified);
        hear(&mut cluster, "three", Heartbeat { tally, ..begun(3, 60, second) });
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
    // The clock of whoever took it is ahead by an hour.
    assert!(cluster.take_lease("one", listener(3), at(-3600), at(-3570)).is_ok());
    let other = cluster.take_lease("two", listener(2), at(59), at(89)).unwrap();
    cluster.book_mut().release_lease(other.id);
    assert!(cluster.take_lease("one", holder(4, Role::Command), at(60), at(90)).is_ok());
}

/// A clock that is ahead by more than the lease lasts.
#[test]
fn a_lease_ends_on_the_clock_of_its_holder() {
    let mut cluster = cluster();
    let holder = |run| Holder { name: "it".to_owned(), run: RunId(run), role: Role::Listener };
    hear(&mut cluster, "one", ahead(100, beat(1, 0)));
    hear(&mut cluster, "two", beat(2, 1));
    cluster.take_lease("one", holder(1), at(100), at(130)).unwrap();
    assert!(cluster.take_lease("two", holder(2), at(2), at(32)).is_err());
    assert!(cluster.take_lease("two", holder(2), at(29), at(59)).is_err());
    let taken = cluster.take_lease("two", holder(2), at(30), at(60)).unwrap();
    // And one that is behind.
    let refused = cluster.take_lease("one", holder(1), at(158), at(188)).unwrap_err();
    assert_eq!(refused, LedgerError::Held(Box::new(taken)));
    assert!(cluster.take_lease("one", holder(1), at(160), at(190)).is_ok());
}

#[test]
fn json_of_a_cluster() {
    let mut cluster = two();
    hear(&mut cluster, "one", beat(1, 60));
    hear(&mut cluster, "two", beat(3, 64));
    let text = serde_json::to_string(&cluster).unwrap();
    let read: ClusterBook = serde_json::from_str(&text).unwrap();
    assert_eq!(format!("{read:?}"), format!("{cluster:?}"));
    insta::assert_snapshot!(text, @r#"{"book":{"period":"PT5S","spans":[{"first":{"run":1,"wall":"2025-11-22T04:13:00Z","uptime":"PT0S","offset":"PT0S","offset_read":true,"tally":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"last":{"run":1,"wall":"2025-11-22T04:14:04Z","uptime":"PT1M4S","offset":"PT0S","offset_read":true,"tally":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"verified":null}],"gone":0,"proofs":[],"lease":null,"attempts":[],"declared":[{"number":1,"after":0,"gap":{"from":"2025-11-22T04:12:57Z","to":"2025-11-22T04:15:04Z","cause":"down"},"webhook":null,"at":"2025-11-22T04:14:04Z"}],"numbers":0,"declarations":1,"seen":{},"summary":[null,"PT0S",[0,0,0,0]]},"gone_after":"PT2M","nodes":{"one":{"first":{"run":1,"wall":"2025-11-22T04:13:00Z","uptime":"PT0S","offset":"PT0S","offset_read":true,"tally":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"last":{"run":1,"wall":"2025-11-22T04:14:00Z","uptime":"PT1M","offset":"PT0S","offset_read":true,"tally":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"silence":null,"before":{"refusals":0,"verified":0,"rejected":0,"arrived":0},"former":null},"two":{"first":{"run":3,"wall":"2025-11-22T04:14:04Z","uptime":"PT1M4S","offset":"PT0S","offset_read":true,"tally":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"last":{"run":3,"wall":"2025-11-22T04:14:04Z","uptime":"PT1M4S","offset":"PT0S","offset_read":true,"tally":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"silence":null,"before":{"refusals":0,"verified":0,"rejected":0,"arrived":0},"former":2}},"gone":{},"epoch":{"run":1,"shared":{"run":1,"wall":"2025-11-22T04:13:00Z","uptime":"PT0S","offset":"PT0S","offset_read":true,"tally":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"heard":{"run":3,"wall":"2025-11-22T04:14:04Z","uptime":"PT1M4S","offset":"PT0S","offset_read":true,"tally":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"past":{"refusals":0,"verified":0,"rejected":0,"arrived":0}},"holder":null}"#);
}

/// What a node does next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Beat,
    Refuse,
    Kill,
    Leave,
    /// It is alive, and nothing of it is heard for so many steps.
    Hang(usize),
}

/// A node that is alive.
#[derive(Debug, Clone, Copy)]
struct Life {
    run: u64,
    began: i64,
    /// When it was heard last, and what it had refused by then.
    last: (i64, u64),
    refusals: u64,
    /// For how many more steps nothing of it is heard.
    hangs: usize,
}

/// Rare faults: what is missing because of one of them is not missing because of another one.
fn steps() -> impl Strategy<Value = Vec<(usize, Step, i64)>> {
    let step = prop_oneof![
        60 => Just(Step::Beat),
        1 => Just(Step::Refuse),
        1 => Just(Step::Kill),
        1 => Just(Step::Leave),
        1 => (1..80_usize).prop_map(Step::Hang),
    ];
    prop::collection::vec((0..3_usize, step, 0..4_i64), 1..400)
}

proptest! {
    /// A single node has the ledger that it would have alone.
    #[test]
    fn one_node_is_as_alone(
        steps in prop::collection::vec((0..25_i64, any::<bool>(), 0..2_u64, 0..2_u64), 1..60),
    ) {
        let (mut cluster, mut book) = (cluster(), Book::new(SECOND * 5));
        let (mut second, mut run) = (0, 1);
        for (pause, dies, refusals, verified) in steps {
            second += pause;
            run += u64::from(dies);
            let tally = Tally { refusals, verified, rejected: 1, arrived: verified };
            let heartbeat = Heartbeat { tally, offset_read: pause % 2 == 0, ..beat(run, second) };
            hear(&mut cluster, "one", heartbeat);
            book.heartbeat(heartbeat);
        }
        prop_assert_eq!(cluster.book().spans_from(0), book.spans_from(0));
        prop_assert_eq!(cluster.book().proofs(), book.proofs());
        prop_assert_eq!(cluster.book().declared(), &[] as &[Declared]);
    }

    /// Whatever a node misses is missing for all, and coverage never claims a time in which nobody
    /// was there. Each node beats every five seconds while it lives, and has a wall clock of its
    /// own; a step may hold it up, for longer than others wait for it, too.
    #[test]
    fn what_any_node_misses_is_missing(
        steps in steps(),
        walls in prop::array::uniform3(prop_oneof![Just(0), -40..40_i64, -1500..1500_i64]),
    ) {
        let names = ["one", "two", "three"];
        let mut cluster = cluster();
        let mut lives: [Option<Life>; 3] = [None; 3];
        // When it ended uncleanly: its last heartbeat.
        let mut ended: [Option<i64>; 3] = [None; 3];
        let mut truth: Vec<(i64, i64)> = Vec::new();
        let (mut runs, mut now) = (0, 0);
        for (chosen, step, pause) in steps {
            now += 5;
            for (n, life) in lives.iter_mut().enumerate() {
                let moment = now + i64::try_from(n).unwrap();
                let step = if n == chosen { step } else { Step::Beat };
                let Some(mut it) = *life else {
                    // The chosen one starts; the others stay away.
                    if n == chosen && matches!(step, Step::Beat) {
                        runs += 1;
                        let last = (moment, 0);
                        let it = Life { run: runs, began: moment, last, refusals: 0, hangs: 0 };
                        *life = Some(it);
                        if let Some(from) = ended[n].take()
                            && moment - from <= 110 {
                            truth.push((from, moment));
                        }
                        hear(&mut cluster, names[n], ahead(walls[n], begun(runs, moment, moment)));
                    }
                    continue;
                };
                match step {
                    Step::Kill => {
                        ended[n] = Some(it.last.0);
                        *life = None;
                        continue;
                    }
                    Step::Leave if it.hangs == 0 => {
                        cluster.leave(names[n]);
                        *life = None;
                        continue;
                    }
                    Step::Hang(steps) => it.hangs = it.hangs.max(steps),
                    Step::Refuse => it.refusals += 1,
                    Step::Beat | Step::Leave => {}
                }
                if it.hangs > 0 {
                    it.hangs -= 1;
                } else {
                    let (last, refusals) = it.last;
                    if it.refusals > refusals || moment - last > 15 {
                        truth.push((last, moment));
                    }
                    let tally = Tally { refusals: it.refusals, ..Tally::default() };
                    let heartbeat = Heartbeat { tally, ..begun(it.run, it.began, moment) };
                    hear(&mut cluster, names[n], ahead(walls[n], heartbeat));
                    it.last = (moment, it.refusals);
                }
                *life = Some(it);
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
