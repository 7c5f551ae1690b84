//! The controls fail: a receiver that acknowledges before it commits loses deliveries, and one that
//! does not sync its log would lose them with the power.

use crash::{
    Options,
    order::{Order, STRACE, can_trace, observe},
    run,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_control_loses() {
    let program = env!("CARGO_BIN_EXE_hasty").into();
    let report = run(&Options { program, rounds: 3, seed: 1 }, |_| {}).await.unwrap();
    assert!(report.lost > 0, "{report}");
    assert_eq!((report.doubled, report.altered), (0, 0), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sync_no_200_is_durable() {
    if !can_trace() {
        if let Some(path) = std::env::var_os("AAA_SKIPPED_FILE") {
            use std::io::Write;
            let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
            writeln!(file, "crash without_a_sync_no_200_is_durable: {STRACE}").unwrap();
        }
        return;
    }
    let lax = observe(env!("CARGO_BIN_EXE_lax").as_ref(), 10).await.unwrap();
    assert_eq!(lax, Order { unsynced: 10, ..Order::default() });
    let hasty = observe(env!("CARGO_BIN_EXE_hasty").as_ref(), 10).await.unwrap();
    assert_eq!(hasty.durable, 0, "{hasty}");
}
