use proptest::prelude::*;

use super::*;

const PERIOD: SignedDuration = SignedDuration::from_secs(5);
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

fn at(run: u64, second: i64) -> Heartbeat {
    Heartbeat {
        run: RunId(run),
        wall: Timestamp::from_second(1_763_784_000 + second).unwrap(),
        uptime: SignedDuration::from_secs(second),
        offset: SignedDuration::ZERO,
        offset_read: true,
        tally: Tally::default(),
    }
}

fn spans(heartbeats: &[Heartbeat]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for heartbeat in heartbeats {
        if !spans.last_mut().is_some_and(|span| span.extend(*heartbeat, PERIOD)) {
            spans.push(Span::new(*heartbeat));
        }
    }
    spans
}

fn seconds(heartbeats: &[Heartbeat]) -> Vec<(i64, i64)> {
    let start = at(0, 0).wall;
    let second = |time: Timestamp| time.duration_since(start).as_secs();
    let gaps = gaps(&spans(heartbeats), MARGIN);
    gaps.iter().map(|gap| (second(gap.from), second(gap.to))).collect()
}

#[test]
fn a_steady_run_has_no_gap() {
    assert_eq!(seconds(&[at(1, 0), at(1, 5), at(1, 20), at(1, 35)]), []);
    assert_eq!(seconds(&[at(1, 0)]), []);
    assert_eq!(seconds(&[]), []);
}

#[test]
fn between_runs_and_after_silence_there_is_one() {
    assert_eq!(seconds(&[at(1, 0), at(1, 5), at(2, 100), at(2, 105)]), [(-55, 160)]);
    // Even a restart within one period.
    assert_eq!(seconds(&[at(1, 0), at(2, 1)]), [(-60, 61)]);
    assert_eq!(seconds(&[at(1, 0), at(1, 16)]), [(-60, 76)]);
}

#[test]
fn a_refusal_leaves_a_gap() {
    let tally = Tally { refusals: 1, ..Tally::default() };
    let refused = Heartbeat { tally, ..at(1, 5) };
    let after = Heartbeat { tally, ..at(1, 10) };
    assert_eq!(seconds(&[at(1, 0), refused, after]), [(-60, 65)]);
}

#[test]
fn a_stopped_process_shows_in_either_clock() {
    // The steady clock may stand still in suspend, the wall clock may be set back.
    let slept = Heartbeat { uptime: SignedDuration::from_secs(5), ..at(1, 3600) };
    assert_eq!(seconds(&[at(1, 0), slept]), [(-60, 3660)]);
    let set_back = Heartbeat { wall: at(1, 5).wall, ..at(1, 3600) };
    assert_eq!(seconds(&[at(1, 0), set_back]), [(-60, 65)]);
}

#[test]
fn a_jump_of_x_is_no_gap_and_old_readings_keep_their_offset() {
    let hour = SignedDuration::from_hours(1);
    let jumped = |second| Heartbeat { offset: hour, ..at(1, second) };
    assert_eq!(seconds(&[at(1, 0), jumped(5), jumped(10)]), []);
    let next_run = Heartbeat { offset: hour, ..at(2, 100) };
    assert_eq!(seconds(&[at(1, 0), at(1, 5), next_run]), [(-55, 3760)]);
    // X's clock set back between two runs.
    let back = Heartbeat { offset: -hour, ..at(2, 100) };
    assert_eq!(seconds(&[at(1, 0), back]), [(-3560, 60)]);
}

#[test]
fn an_assumed_offset_that_is_corrected_proves_nothing() {
    let hour = SignedDuration::from_hours(1);
    let assumed = |run, second| Heartbeat { offset_read: false, ..at(run, second) };
    let read = |run, second| Heartbeat { offset: hour, ..at(run, second) };
    // The restart was an hour later than it seemed: that hour is a gap.
    let heartbeats = [at(1, 0), assumed(2, 20), assumed(2, 25), read(2, 30), read(2, 35)];
    assert_eq!(seconds(&heartbeats), [(-60, 80), (-40, 3690)]);
    // So it is when a whole run never read X's clock.
    let heartbeats = [at(1, 0), assumed(2, 20), assumed(2, 25), read(3, 30)];
    assert_eq!(seconds(&heartbeats), [(-60, 80), (-40, 3690)]);
    // A guess that was right, or nearly, is as good as a reading.
    let after_a_guess =
        |offset| seconds(&[at(1, 0), assumed(2, 20), Heartbeat { offset, ..at(2, 30) }]);
    assert_eq!(after_a_guess(TOLERANCE), [(-60, 80)]);
    assert_eq!(after_a_guess(-TOLERANCE), [(-60, 80)]);
    let more = TOLERANCE + SignedDuration::from_nanos(1);
    assert_eq!(after_a_guess(more), [(-60, 80), (-40, 95)]);
}

#[test]
fn a_run_has_sixteen_digits() {
    assert_eq!(RunId(0xab).to_string(), "00000000000000ab");
}

proptest! {
    /// A moment is covered or in a gap, never lost between the two.
    #[test]
    fn spans_and_gaps_leave_nothing_out(
        steps in prop::collection::vec((0..3_u64, 1..40_i64, 0..2_u64), 1..40)
    ) {
        let (mut run, mut second, mut refusals) = (0, 0, 0);
        let mut heartbeats = Vec::new();
        for (restart, step, refused) in steps {
            run += u64::from(restart == 0);
            second += step;
            refusals += refused;
            let tally = Tally { refusals, ..Tally::default() };
            heartbeats.push(Heartbeat { tally, ..at(run, second) });
        }
        let spans = spans(&heartbeats);
        let gaps = gaps(&spans, MARGIN);
        let (first, last) = (heartbeats[0].x_time(), heartbeats[heartbeats.len() - 1].x_time());
        let mut time = first;
        while time <= last {
            let covered = spans.iter().any(|s| s.first.x_time() <= time && time <= s.last.x_time());
            let in_gap = gaps.iter().any(|g| g.from <= time && time < g.to);
            prop_assert!(covered || in_gap, "{time} is neither covered nor in a gap");
            time += SignedDuration::from_secs(1);
        }
    }
}

/// A heartbeat that has verified and rejected so many requests.
fn signed(run: u64, second: i64, verified: u64, rejected: u64) -> Heartbeat {
    let tally = Tally { verified, rejected, ..Tally::default() };
    Heartbeat { tally, ..at(run, second) }
}

/// The spells of wrong signatures in some heartbeats, without their margins.
fn spells(heartbeats: &[Heartbeat]) -> Vec<(i64, i64)> {
    let start = at(0, 0).wall;
    let second = |time: Timestamp| time.duration_since(start).as_secs();
    let gaps = gaps(&spans(heartbeats), SignedDuration::ZERO);
    let spells = gaps.iter().filter(|gap| gap.cause == Cause::Signatures);
    spells.map(|gap| (second(gap.from), second(gap.to))).collect()
}

#[test]
fn forged_requests_between_verified_ones_open_no_gap() {
    let run =
        [signed(1, 0, 0, 0), signed(1, 5, 1, 0), signed(1, 10, 1, 900), signed(1, 15, 2, 950)];
    assert_eq!(spells(&run), []);
    // Nor while nobody knows better.
    assert_eq!(spells(&[signed(1, 0, 0, 0), signed(1, 5, 0, 7), signed(1, 10, 0, 9)]), []);
}

#[test]
fn a_wrong_secret_is_one_gap_once_one_is_right() {
    // Wrong from the start of a run on.
    let run = [signed(1, 0, 0, 0), signed(1, 5, 0, 3), signed(1, 10, 1, 3), signed(1, 15, 2, 9)];
    assert_eq!(spells(&run), [(0, 10)]);
    // X's secret was renewed in the middle of a run; the next but one knows it.
    let runs = [
        signed(1, 0, 0, 0),
        signed(1, 5, 4, 0),
        signed(1, 10, 4, 2),
        signed(2, 60, 0, 0),
        signed(2, 65, 0, 1),
        signed(3, 100, 0, 0),
        signed(3, 105, 1, 0),
        signed(3, 110, 1, 5),
        signed(3, 115, 2, 5),
    ];
    assert_eq!(spells(&runs), [(5, 105)]);
    // What follows is a new story: a quiet end is no spell.
    let quiet = [signed(1, 0, 0, 0), signed(1, 5, 4, 3), signed(2, 60, 0, 0), signed(2, 65, 1, 0)];
    assert_eq!(spells(&quiet), [(0, 5)]);
}

#[test]
fn what_a_run_verified_in_spans_that_are_gone_still_counts() {
    // The run refused something, so it has two spans; forged requests came in the first.
    let refused = |second, verified, rejected| {
        let tally = Tally { refusals: 1, verified, rejected, ..Tally::default() };
        Heartbeat { tally, ..at(1, second) }
    };
    let heartbeats = [
        signed(1, 0, 3, 0),
        signed(1, 5, 3, 2),
        refused(60, 3, 2),
        refused(65, 4, 2),
        signed(2, 100, 0, 0),
        signed(2, 105, 1, 0),
    ];
    let all = spans(&heartbeats);
    for kept in [&all[..], &all[1..], &all[2..]] {
        let gaps = gaps(kept, SignedDuration::ZERO);
        assert!(gaps.iter().all(|gap| gap.cause != Cause::Signatures), "{gaps:?}");
    }
    // Nor does it matter when nothing more was verified in the second.
    let quiet = spans(&[refused(60, 3, 2), signed(2, 100, 0, 0), signed(2, 105, 1, 0)]);
    let gaps = gaps(&quiet, SignedDuration::ZERO);
    assert!(gaps.iter().all(|gap| gap.cause != Cause::Signatures), "{gaps:?}");
}

#[test]
fn who_forgets_spans_is_told_that_gaps_have_changed() {
    let mut coverage = Coverage::default();
    let all = spans(&[at(1, 0), at(2, 100), at(3, 200)]);
    coverage.add(all.into_iter().zip(1..).map(|(span, number)| (number, span)).collect());
    assert_eq!(coverage.gaps(MARGIN).len(), 2);
    assert!(!coverage.forget_before(at(1, 50).wall));
    assert!(coverage.forget_before(at(1, 150).wall));
    assert_eq!(coverage.gaps(MARGIN).len(), 1);
}

#[test]
fn gaps_are_in_the_order_of_their_beginnings() {
    // The spell begins before the gaps between the runs that it spans.
    let runs = [signed(1, 0, 1, 0), signed(1, 5, 1, 2), signed(2, 60, 0, 1), signed(3, 100, 1, 0)];
    assert_eq!(seconds(&runs), [(-60, 160), (-55, 120), (0, 160)]);
    // So does what lies behind an hour by which X's clock was set back.
    let back = Heartbeat { offset: SignedDuration::from_hours(-1), ..at(3, 200) };
    assert_eq!(seconds(&[at(1, 0), at(2, 100), back]), [(-3460, 160), (-60, 160)]);
}

#[test]
fn gaps_say_how_they_came_to_be() {
    let refused = Tally { refusals: 1, ..Tally::default() };
    let refused = |second| Heartbeat { tally: refused, ..at(1, second) };
    let heartbeats = [at(1, 0), refused(5), refused(60), at(2, 100)];
    let causes: Vec<_> = gaps(&spans(&heartbeats), MARGIN).iter().map(|gap| gap.cause).collect();
    assert_eq!(causes, [Cause::Refused, Cause::Silent, Cause::Down]);
    let assumed = Heartbeat { offset_read: false, ..at(2, 20) };
    let read = Heartbeat { offset: SignedDuration::from_hours(1), ..at(2, 25) };
    let causes: Vec<_> =
        gaps(&spans(&[at(1, 0), assumed, read]), MARGIN).iter().map(|gap| gap.cause).collect();
    assert_eq!(causes, [Cause::Down, Cause::Clock]);
    for cause in [Cause::Down, Cause::Signatures, Cause::Invalid, Cause::Sweep] {
        assert_eq!(serde_json::to_string(&cause).unwrap(), format!("\"{cause}\""));
    }
}

proptest! {
    /// Reading a little at a time comes to the same as reading all.
    #[test]
    fn coverage_that_is_read_in_pieces_is_the_same(
        steps in prop::collection::vec((0..4_u64, 1..40_i64, 0..2_u64, 0..2_u64), 1..40)
    ) {
        let (mut run, mut second, mut verified, mut rejected) = (0, 0, 0, 0);
        let mut all: Vec<Span> = Vec::new();
        let mut coverage = Coverage::default();
        let mut known = Vec::new();
        for (restart, step, good, bad) in steps {
            if restart == 0 {
                (run, verified, rejected) = (run + 1, 0, 0);
            }
            second += step;
            verified += good;
            rejected += bad;
            let heartbeat = signed(run, second, verified, rejected);
            if !all.last_mut().is_some_and(|span| span.extend(heartbeat, PERIOD)) {
                all.push(Span::new(heartbeat));
            }
            let numbered = all.iter().copied().enumerate().map(|(n, span)| (n as u64 + 1, span));
            let news = numbered.filter(|(number, _)| *number >= coverage.next()).collect();
            if coverage.add(news) {
                known = coverage.gaps(MARGIN);
            }
            prop_assert_eq!(coverage.spans(), &all[..]);
            prop_assert_eq!(&known, &gaps(&all, MARGIN));
        }
    }
}
