//! A load goes on while the process is killed and stopped, and clients are a nuisance.

use std::time::Duration;

use soak::{Options, run, trouble::Trouble};

/// A short one at a low rate: `cargo xtask soak` takes ten minutes and draws what it saw.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_among_troubles() {
    let seed = getrandom::u64().unwrap();
    let options = Options {
        program: env!("CARGO_BIN_EXE_aaa").into(),
        time: Duration::from_secs(12),
        rate: 200,
        stops: 2,
        seed,
    };
    let report = run(&options, |_| {}).await.unwrap();
    // A loaded machine takes what memory it takes; here it only counts what became of deliveries.
    assert_eq!((report.lost, report.doubled, report.altered), (0, 0, 0), "seed {seed}\n{report}");
    assert_eq!(report.admitted, 0, "seed {seed}\n{report}");
    assert!(report.acknowledged >= 12 * 200, "seed {seed}\n{report}");
    for (trouble, count) in &report.troubles {
        assert!(*count > 0, "seed {seed}: {trouble:?} was never seen\n{report}");
    }
    assert_eq!(soak::chart::svg(&report).unwrap().matches(r##"stroke="#D22828""##).count(), 3);
    assert!(matches!(report.troubles.first(), Some((Trouble::Kill, 1))), "{report}");
}
