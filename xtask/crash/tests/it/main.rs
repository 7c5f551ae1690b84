//! The rounds can see a loss: a receiver that acknowledges before it commits loses some.

use crash::{Options, run};

#[tokio::test(flavor = "multi_thread")]
async fn the_control_loses() {
    let program = env!("CARGO_BIN_EXE_hasty").into();
    let report = run(&Options { program, rounds: 3, seed: 1 }, |_| {}).await.unwrap();
    assert!(report.lost > 0, "{report}");
    assert_eq!((report.doubled, report.altered), (0, 0), "{report}");
}
