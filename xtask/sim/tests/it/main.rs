//! Some histories hold, one on a disk too, and broken engines are caught.
//!
//! That everything that can go wrong does is seen by the gate, which runs hundreds of histories in a
//! release: without optimization each takes about a second of a processor.

use sim::{Flaw, Options, control, run, tell};

/// From here on, so that one of them runs on a disk.
const FIRST: u64 = 30;

const SEEDS: u64 = 16;

#[test]
fn histories_hold() {
    let report = run(Options { first: FIRST, seeds: SEEDS }, |_| {}).unwrap();
    assert!(report.is_sound(), "{report}{:#?}", report.broken);
    assert!(report.on_disk >= 1);
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
