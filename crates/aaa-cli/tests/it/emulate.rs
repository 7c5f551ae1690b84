//! `aaa emulate` and its flags.

use crate::{
    browser,
    support::{Server, aaa, run},
};

#[tokio::test]
async fn traffic_is_a_flag() {
    let directory = tempfile::tempdir().unwrap();
    let args = ["emulate", "--bind", "127.0.0.1:0", "--traffic", "2.5", "--traffic-users", "3"];
    let emulator = Server::start(aaa(directory.path(), &args)).await;
    let url = format!("{}/_emulator/traffic", emulator.url).parse().unwrap();
    let told = browser::get(&url).await;
    assert_eq!(told.body, r#"{"rate":2.5,"users":3,"acts":0,"left_out":0}"#);
    for bad in [["--traffic", "0"], ["--traffic", "fast"], ["--traffic-users", "3"]] {
        let done = run(aaa(directory.path(), &[&["emulate"], &bad[..]].concat())).await;
        assert_eq!(done.code, 2, "{bad:?}: {}", done.stderr);
    }
}
