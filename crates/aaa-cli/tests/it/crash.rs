//! What was answered 200 is there after a SIGKILL.

use crash::{ACKNOWLEDGED, Options, run};

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
