//! What was answered 200 is there after a SIGKILL, and would be after a power loss.

use crash::{
    ACKNOWLEDGED, Options,
    order::{Order, STRACE, can_trace, observe},
    run,
};

use crate::support::skipped;

const ROUNDS: u32 = 3;

/// A short run, on other moments every time; `cargo xtask crash` makes long ones.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost() {
    let seed = getrandom::u64().unwrap();
    let program = env!("CARGO_BIN_EXE_aaa").into();
    let report = run(&Options { program, rounds: ROUNDS, seed }, |_| {}).await.unwrap();
    assert!(report.is_sound(), "seed {seed}\n{report}");
    assert_eq!(report.kills, u64::from(2 * ROUNDS));
    assert!(report.acknowledged >= ACKNOWLEDGED * u64::from(ROUNDS), "{report}");
}

/// The row is in the log and the log on the disk before the 200 is written.
#[tokio::test(flavor = "multi_thread")]
async fn each_200_follows_a_sync() {
    if !can_trace() {
        skipped("crash::each_200_follows_a_sync", STRACE);
        return;
    }
    let order = observe(env!("CARGO_BIN_EXE_aaa").as_ref(), 50).await.unwrap();
    assert_eq!(order, Order { durable: 50, ..Order::default() });
}
