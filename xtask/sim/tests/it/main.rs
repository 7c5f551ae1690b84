//! Some histories hold, everything that can go wrong in them does, and broken engines are
//! caught.

use sim::{Flaw, Options, control, run, tell};

/// Enough that every kind of fault fires. Without optimization each takes about a second of a
/// processor, so hundreds are for `cargo xtask sim`.
const SEEDS: u64 = 60;

#[test]
fn histories_hold() {
    let report = run(Options { first: 1, seeds: SEEDS }, |_| {}).unwrap();
    assert!(report.is_sound(), "{report}{:#?}", report.broken);
    assert!(report.on_disk >= 1);
    assert_eq!(report.tally.silent(), [], "{report}");
}

/// The others take longer; `cargo xtask sim --control` has them.
#[test]
fn broken_engines_are_caught() {
    for caught in
        control(&[Flaw::IgnoredIncomplete, Flaw::BorrowedLease, Flaw::ForgetfulWatcher], 1).unwrap()
    {
        assert!(caught.by.is_some(), "{:?} was not caught", caught.flaw);
    }
}

#[test]
fn a_seed_is_one_history() {
    let first = tell(3, false, None).unwrap();
    assert!(first.lines.len() > 500);
    assert_eq!(first.lines, tell(3, false, None).unwrap().lines);
    assert_eq!(tell(40, true, None).unwrap().lines, tell(40, true, None).unwrap().lines);
}
