//! The emulator used from other languages, and what `docs/EMULATOR.md` shows of that.

use std::{path::PathBuf, process::Stdio};

use aaa_emulator::{
    Emulator,
    settings::{Settings, TimeMode},
};
use tokio::{process::Command, time::timeout};

use crate::PATIENCE;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a program twice, with one emulator whose clock stands still: nobody has to begin with a
/// fresh one.
async fn run(test: &str, interpreter: &str, file: &str) {
    let settings = Settings { time: TimeMode::Virtual, ..Settings::default() };
    let emulator = Emulator::builder().settings(settings).start().await.unwrap();
    for _ in 0..2 {
        let ran = Command::new(interpreter)
            .arg(root().join("other_languages").join(file))
            .arg(emulator.url())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = match timeout(PATIENCE, ran).await.expect("it does not end") {
            Ok(output) => output,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if let Some(path) = std::env::var_os("AAA_SKIPPED_FILE") {
                    use std::io::Write;
                    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
                    writeln!(file, "examples {test}: {interpreter} is not installed").unwrap();
                }
                return;
            }
            Err(error) => panic!("{error}"),
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.stdout, b"ok: 2 events, 1 received, 1 refused\n");
        let faults = emulator.faults().faults;
        assert_eq!((faults.len(), faults[0].fired), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn python_tests_a_webhook() {
    run("python_tests_a_webhook", "python3", "test_with_python.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_tests_a_webhook() {
    run("node_tests_a_webhook", "node", "test_with_node.mjs").await;
}

/// What people copy from the document is what was run.
#[test]
fn the_document_shows_what_is_run() {
    let document = std::fs::read_to_string(root().join("../docs/EMULATOR.md")).unwrap();
    for (language, file) in [
        ("python", "other_languages/test_with_python.py"),
        ("js", "other_languages/test_with_node.mjs"),
    ] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let block = format!("```{language}\n{text}```\n");
        assert!(document.contains(&block), "docs/EMULATOR.md does not show {file} as it is");
    }
}
