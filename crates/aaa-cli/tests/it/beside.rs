//! Every command that opens a store, while a listener is taking deliveries into it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

use tokio::time::timeout;

use crate::support::{Done, PATIENCE, Server, aaa, deliver, run, send};

const PATH: &str = "/webhooks/twitter";
const SECRET: &str = "main-secret";

fn listen(directory: &Path) -> tokio::process::Command {
    let args = ["listen", "--bind", "127.0.0.1:0", "--format", "none"];
    let mut command = aaa(directory, &args);
    command.env("X_CONSUMER_SECRET", SECRET).env("X_API_URL", "http://127.0.0.1:9");
    command
}

fn body(n: u64) -> String {
    format!(r#"{{"for_user_id":"{}","favorite_events":[{{"id":"{n}"}}]}}"#, n % 10)
}

async fn command(directory: &Path, line: &str) -> Done {
    let words: Vec<_> = line.split(' ').collect();
    run(aaa(directory, &words)).await
}

async fn reached(sent: &AtomicU64, number: u64) {
    let reached = async {
        while sent.load(SeqCst) < number {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, reached).await.expect("nothing is taken any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_under_load() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let server = Server::start(listen(directory)).await;

    // Each sender goes on until the commands are done, and everything has to be taken.
    let (sent, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (sent, done) = (Arc::clone(&sent), Arc::clone(&done));
            let url = server.url.clone();
            tokio::spawn(async move {
                while !done.load(SeqCst) {
                    let n = sent.fetch_add(1, SeqCst);
                    // On a busy machine a commit may be late; X would send it again as well.
                    let mut status = 503;
                    while status == 503 {
                        status = deliver(&url, PATH, SECRET, &body(n)).await;
                    }
                    assert_eq!(status, 200, "{n}");
                }
            })
        })
        .collect();
    let under_load = async |line: &str| {
        let before = sent.load(SeqCst);
        let done = command(directory, line).await;
        // It was beside deliveries, not before or after them.
        reached(&sent, before + 8).await;
        done
    };
    reached(&sent, 50).await;
    for line in [
        "events list --json --limit 20",
        "events show 1",
        "events tail --after 0 --limit 40",
        "events stats --json",
        "events dead list --consumer forward",
        "store check",
        "store check --quick",
        "store backup copy.db",
        "store vacuum",
        "store forget --user 3",
        "replay plan --json",
        "replay status",
    ] {
        let done = under_load(line).await;
        assert_eq!(done.code, 0, "{line}: {}", done.stderr);
    }
    let mut board = aaa(directory, &["dashboard", "--bind", "127.0.0.1:0"]);
    board.env("X_API_URL", "http://127.0.0.1:9");
    let board = Server::start(board).await;
    let before = sent.load(SeqCst);
    for page in ["/", "/events", "/replay", "/dead-letters"] {
        let address = board.url.strip_prefix("http://").unwrap();
        let head = format!("GET {page} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        assert_eq!(send(&board.url, &head).await.0, 200, "{page}");
    }
    reached(&sent, before + 8).await;
    assert_eq!(board.end().await, 0);
    let second = run(listen(directory)).await;
    assert_eq!((second.code, second.stdout.as_str()), (1, ""));
    assert!(second.stderr.contains("is in use by another process"), "{}", second.stderr);

    done.store(true, SeqCst);
    for sender in senders {
        timeout(PATIENCE, sender).await.expect("it is never taken").unwrap();
    }
    // What was forgotten is gone, whatever came later is there, and nothing else is missing.
    let listed = command(directory, "events list --json").await;
    let others = |text: &str| text.lines().filter(|l| !l.contains(r#""for_user_id":"3""#)).count();
    let expected = (0..sent.load(SeqCst)).filter(|n| n % 10 != 3).count();
    assert_eq!(others(&listed.stdout), expected);
    assert_eq!(server.end().await, 0);
    assert_eq!(command(directory, "store check").await.code, 0);
}
