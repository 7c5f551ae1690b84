use proptest::prelude::*;

use super::*;
use crate::coverage::Cause;

/// Minute 0 of the tests.
fn minute(number: i64) -> UtcMinute {
    "202511220000".parse::<UtcMinute>().unwrap().plus(number)
}

fn window(from: i64, to: i64) -> ReplayWindow {
    ReplayWindow::new(minute(from), minute(to)).unwrap()
}

fn at(number: i64) -> Timestamp {
    minute(number).start()
}

fn numbers(windows: &[ReplayWindow]) -> Vec<(i64, i64)> {
    let number = |m: UtcMinute| m.since(minute(0));
    windows.iter().map(|w| (number(w.from_date()), number(w.to_date()))).collect()
}

#[test]
fn gaps_are_aligned_joined_and_cleared_of_what_is_recovered() {
    let second = |n: i64| at(0) + SignedDuration::from_secs(n);
    let gap = |from, to| Gap::new(second(from), second(to), Cause::Down);
    let missing = outstanding(&[gap(90, 100), gap(600, 660), gap(100, 121)], &[]);
    assert_eq!(numbers(&missing), [(1, 3), (10, 11)]);
    let recovered = [window(0, 2), window(10, 30)];
    assert_eq!(numbers(&outstanding(&[gap(90, 100), gap(600, 660)], &recovered)), []);
    let middle = [window(4, 6), window(8, 9)];
    let missing = outstanding(&[gap(0, 600)], &middle);
    assert_eq!(numbers(&missing), [(0, 4), (6, 8), (9, 10)]);
}

#[test]
fn both_sides_of_the_young_edge() {
    let early = plan(&[window(10, 20)], at(31) - SignedDuration::from_nanos(1), &Limits::v2());
    assert_eq!((early.now.len(), early.later.len()), (0, 1));
    assert_eq!(early.later[0].at, at(31));
    let ripe = plan(&[window(10, 20)], at(31), &Limits::v2());
    assert_eq!((ripe.now.len(), ripe.later.len()), (1, 0));
    assert_eq!(numbers(&[ripe.now[0].request]), [(0, 21)]);
    // Later on the request no longer has to begin before the gap.
    let later = plan(&[window(10, 20)], at(60), &Limits::v2());
    assert_eq!(numbers(&[later.now[0].request]), [(10, 21)]);
}

#[test]
fn both_sides_of_the_look_back() {
    let day = 24 * 60;
    let just = plan(&[window(0, 10)], at(day - 1), &Limits::v2());
    assert_eq!((just.now.len(), just.lost.len()), (1, 0));
    let partly = plan(&[window(0, 10)], at(day + 4), &Limits::v2());
    assert_eq!(numbers(&[partly.now[0].core]), [(5, 10)]);
    assert_eq!((partly.lost[0].from, partly.lost[0].to), (at(0), at(5)));
    let gone = plan(&[window(0, 10)], at(day + 10), &Limits::v2());
    assert_eq!((gone.now.len(), gone.lost.len()), (0, 1));
    let v1_1 = plan(&[window(0, 10)], at(day + 10), &Limits::v1_1());
    assert_eq!((v1_1.now.len(), v1_1.lost.len()), (1, 0));
}

#[test]
fn v1_1_reaches_back_five_days() {
    let look_back = SignedDuration::from_hours(120);
    assert_eq!(Limits::v1_1(), Limits { look_back, ..Limits::v2() });
}

#[test]
fn the_look_back_is_doubted_at_its_edge_and_not_for_ever() {
    let (hour, nanosecond) = (SignedDuration::from_hours(1), SignedDuration::from_nanos(1));
    let twenty_minutes = SignedDuration::from_mins(20);
    for (look_back, age, less) in [
        (hour * 24, hour * 23 - nanosecond, 0),
        (hour * 24, hour * 23, 10),
        (hour * 24, hour * 24, 10),
        // It came too late.
        (hour * 24, hour * 24 + nanosecond, 0),
        // Something has to be left.
        (twenty_minutes, twenty_minutes, 0),
        (twenty_minutes + nanosecond, twenty_minutes, 10),
    ] {
        let mut limits = Limits { look_back, ..Limits::v2() };
        limits.doubt_look_back(window(0, 60), at(0) + age);
        let doubt = SignedDuration::from_mins(less);
        let shortened = Limits { look_back: look_back - doubt, doubt, ..Limits::v2() };
        assert_eq!(limits, shortened, "{look_back} {age}");
    }
    let mut limits = Limits::v2();
    for _ in 0..20 {
        limits.doubt_look_back(window(0, 60), at(0) + limits.look_back);
    }
    assert_eq!((limits.look_back, limits.doubt), (hour * 22, hour * 2));
}

#[test]
fn a_long_gap_is_cut_and_its_young_end_waits() {
    let plan = plan(&[window(0, 300)], at(305), &Limits::v2());
    let cores: Vec<_> = plan.now.iter().map(|w| w.core).collect();
    assert_eq!(numbers(&cores), [(0, 119), (119, 238)]);
    assert_eq!(numbers(&[plan.later[0].window.core]), [(238, 300)]);
    assert!(plan.now.iter().all(|w| w.request.minutes() <= 120));
}

#[test]
fn json_of_a_plan() {
    let day = 24 * 60;
    let plan = plan(
        &[window(0, 10), window(day - 60, day - 50), window(day - 5, day)],
        at(day + 4),
        &Limits::v2(),
    );
    insta::assert_json_snapshot!(plan, @r#"
    {
      "now": [
        {
          "from_date": "202511220005",
          "to_date": "202511220011"
        },
        {
          "from_date": "202511222300",
          "to_date": "202511222311"
        }
      ],
      "later": [
        {
          "from_date": "202511222333",
          "to_date": "202511230001",
          "at": "2025-11-23T00:11:00Z"
        }
      ],
      "lost": [
        {
          "from": "2025-11-22T00:00:00Z",
          "to": "2025-11-22T00:05:00Z",
          "reason": "older than the look-back of 24 hours"
        }
      ]
    }
    "#);
}

proptest! {
    /// Every missing minute is in exactly one of now, later and lost; every request is one that
    /// X takes.
    #[test]
    fn a_plan_covers_exactly(
        gaps in prop::collection::vec((0..4000_i64, 1..600_i64), 0..8),
        now in 0..6000_i64,
        second in 0..60_i64,
    ) {
        let missing: Vec<_> = gaps.iter().map(|(from, len)| window(*from, from + len)).collect();
        let limits = Limits::v2();
        let now = at(now) + SignedDuration::from_secs(second);
        let plan = plan(&missing, now, &limits);
        for m in 0..4600 {
            let m = minute(m);
            let wanted = missing.iter().any(|w| w.contains(m));
            let planned = plan.now.iter().filter(|w| w.core.contains(m)).count()
                + plan.later.iter().filter(|w| w.window.core.contains(m)).count()
                + plan.lost.iter().filter(|l| l.from <= m.start() && m.start() < l.to).count();
            prop_assert_eq!(planned, usize::from(wanted), "minute {}", m);
        }
        for window in &plan.now {
            let (from, to) = (window.request.from_date().start(), window.request.to_date().start());
            prop_assert!(now.duration_since(from) >= SignedDuration::from_mins(31));
            prop_assert!(now.duration_since(to) >= SignedDuration::from_mins(10));
            prop_assert!(now.duration_since(from) <= limits.look_back);
            prop_assert!(window.request.minutes() <= limits.longest);
            prop_assert!(window.request.from_date() <= window.core.from_date());
            prop_assert!(window.core.to_date() < window.request.to_date());
        }
        prop_assert!(plan.later.iter().all(|later| later.at > now));
        prop_assert!(plan.now.is_sorted_by_key(|w| w.core.from_date()));
    }
}

#[test]
fn a_cut_ends_a_window() {
    let cuts = BTreeSet::from([minute(0), minute(30), minute(31), minute(400)]);
    let pieces = split(window(0, 300), &cuts, 119);
    assert_eq!(numbers(&pieces), [(0, 30), (30, 31), (31, 150), (150, 269), (269, 300)]);
}

/// A hundred thousand gaps, and as many windows that were recovered, are no work: a plan that
/// compared each with each would take minutes.
#[test]
fn a_hundred_thousand_gaps_are_planned() {
    let gap = |n: i64| Gap::new(at(n * 4), at(n * 4 + 2), Cause::Down);
    let gaps: Vec<_> = (0..100_000).map(gap).collect();
    let recovered: Vec<_> = (0..100_000).map(|n| window(n * 4, n * 4 + 1)).collect();
    let missing = outstanding(&gaps, &recovered);
    assert_eq!(missing.len(), 100_000);
    let limits = Limits { look_back: SignedDuration::from_hours(24 * 365), ..Limits::v2() };
    let plan = plan(&missing, at(400_100), &limits);
    assert_eq!(plan.now.len(), 100_000);
}

proptest! {
    /// What is taken away is away, and nothing else.
    #[test]
    fn without_takes_exactly(
        windows in prop::collection::vec((0..200_i64, 1..30_i64), 0..12),
        taken in prop::collection::vec((0..200_i64, 1..30_i64), 0..12),
    ) {
        let make = |all: &[(i64, i64)]| {
            joined(all.iter().map(|(from, length)| window(*from, from + length)))
        };
        let (windows, taken) = (make(&windows), make(&taken));
        let left = without(windows.clone(), &taken);
        for n in 0..240 {
            let inside = |all: &[ReplayWindow]| all.iter().any(|w| w.contains(minute(n)));
            prop_assert_eq!(inside(&left), inside(&windows) && !inside(&taken), "{}", n);
        }
        prop_assert!(left.iter().zip(&left[1.min(left.len())..]).all(|(a, b)| a.to_date() <= b.from_date()));
    }
}
