use axum::{body::Body, routing::get};
use tokio::{
    io::{AsyncReadExt, DuplexStream, duplex},
    task::JoinHandle,
};

use super::*;

/// So many bytes have to be taken for the wait to begin anew.
const PIECE: usize = 16 * 1024;

/// How much is on its way between both ends.
const ROOM: usize = 1024;

const LARGE: usize = 20 * PIECE;

const READ: Duration = Duration::from_secs(5);

/// Asks for a large answer.
async fn ask(method: &str) -> (DuplexStream, JoinHandle<()>, watch::Sender<Call>) {
    let router = Router::new().route("/", get(async || Body::from(vec![b'x'; LARGE])));
    let mut limits = Limits::default();
    (limits.header_time, limits.read_time) = (2 * READ, READ);
    let calls = watch::Sender::default();
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let connection = Connection::new(router, peer, calls.subscribe(), limits, Status::default());
    let (mut theirs, ours) = duplex(ROOM);
    let running = tokio::spawn(connection.run(ours));
    theirs.write_all(format!("{method} / HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    (theirs, running, calls)
}

/// Takes pieces of a size, each after a while, for as long as any come; returns how many bytes.
async fn take(theirs: &mut DuplexStream, piece: usize, pause: Duration) -> usize {
    let (mut piece, mut taken) = (vec![0; piece], 0);
    loop {
        sleep(pause).await;
        let mut read = 0;
        while read < piece.len() {
            match theirs.read(&mut piece[read..]).await {
                Ok(0) | Err(_) => return taken + read,
                Ok(more) => read += more,
            }
        }
        taken += read;
    }
}

const SOON: Duration = Duration::from_millis(1);

/// It takes longer than any of the limits.
#[tokio::test(start_paused = true)]
async fn who_takes_a_piece_in_time_gets_all_of_it() {
    let (mut theirs, running, _calls) = ask("GET").await;
    let began = clock::instant();
    let taken = take(&mut theirs, PIECE, READ - SOON).await;
    assert!(taken > LARGE, "{taken} bytes");
    assert!(began.elapsed() > 15 * READ, "{:?}", began.elapsed());
    running.await.unwrap();
}

/// Else a few bytes now and then would hold a connection for days.
#[tokio::test(start_paused = true)]
async fn who_takes_less_is_cut_off() {
    for (piece, pause, most) in [
        // Nothing, and then a little less than a piece in time.
        (1, 100 * READ, READ),
        (ROOM, READ / 15, 2 * READ),
        (PIECE / 2, READ - SOON, 3 * READ),
    ] {
        let (mut theirs, running, _calls) = ask("GET").await;
        let began = clock::instant();
        let ended = async {
            running.await.unwrap();
            began.elapsed()
        };
        let (ended, taken) = tokio::join!(ended, take(&mut theirs, piece, pause));
        assert!(ended <= most + SOON, "{piece} bytes each {pause:?} lasted {ended:?}");
        assert!(taken < LARGE / 2, "{taken} bytes");
    }
}

/// Neither the head nor what follows differs from what the router said.
#[tokio::test(start_paused = true)]
async fn an_answer_is_framed_by_its_length() {
    for method in ["GET", "HEAD"] {
        let (mut theirs, running, _calls) = ask(method).await;
        let mut answer = Vec::new();
        let began = clock::instant();
        theirs.read_to_end(&mut answer).await.unwrap();
        // Both have ended with what was to be sent, and then were idle.
        assert_eq!(began.elapsed().as_secs(), 2 * READ.as_secs(), "{method}");
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("\r\ncontent-length: {LARGE}")), "{head}");
        assert!(!head.contains("transfer-encoding"), "{head}");
        assert_eq!(body.len(), if method == "GET" { LARGE } else { 0 });
        running.await.unwrap();
    }
}

/// Whoever reads in time, but not all of it, is waited for only so long.
#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_end_is_cut_off_with_the_server() {
    let (mut theirs, running, calls) = ask("GET").await;
    let began = clock::instant();
    calls.send_modify(|call| call.draining = true);
    let taken = take(&mut theirs, PIECE, READ / 2).await;
    assert!(taken < LARGE / 2, "{taken} bytes");
    running.await.unwrap();
    assert!(began.elapsed() <= 2 * READ, "{:?}", began.elapsed());
}
