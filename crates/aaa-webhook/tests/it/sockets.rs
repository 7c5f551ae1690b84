//! The accept loop, through raw sockets.

mod endings;
mod sending;

use std::{net::SocketAddr, time::Duration};

use aaa_webhook::{
    receiver::{self, Reason, Receiver},
    server::{Limits, Server},
    signature::{HEADER, Signature},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

use crate::support::{BODY, Behaviour, PATH, TOKEN, TestInbox, app};

struct Running {
    address: SocketAddr,
    inbox: TestInbox,
    receiver: Receiver<TestInbox>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn start(behaviour: Behaviour, limits: Limits) -> Running {
    start_with(behaviour, limits, receiver::Limits::default()).await
}

async fn start_with(behaviour: Behaviour, limits: Limits, bodies: receiver::Limits) -> Running {
    let inbox = TestInbox::new(behaviour);
    let receiver = Receiver::new(inbox.clone(), app()).with_limits(bodies);
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap().with_limits(limits);
    let address = server.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let router = receiver.clone().router(PATH);
    let status = receiver.status();
    let task = tokio::spawn(server.serve(router, status, async move {
        let _ = stopped.await;
    }));
    Running { address, inbox, receiver, stop, task }
}

/// Sends raw bytes and returns all that comes back until the server closes.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    read_to_end(&mut stream).await
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let read = tokio::time::timeout(Duration::from_secs(20), read).await;
    // A reset after the answer is an end too.
    let _ = read.expect("the server does not close");
    String::from_utf8(answer).unwrap()
}

/// Reads one answer whose body is empty or arrives with its head.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut answer)).await;
    answer.truncate(read.expect("no answer").unwrap());
    String::from_utf8(answer).unwrap()
}

/// Sends a delivery over a connection that stays open.
async fn deliver(stream: &mut TcpStream) {
    let length = format!("content-length: {}\r\n", BODY.len());
    let request = request(BODY, &length).replace("connection: close\r\n", "");
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = read_head(stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

fn request(body: &str, headers: &str) -> String {
    let signature = Signature::of(app().active(), body.as_bytes());
    format!(
        "POST {PATH} HTTP/1.1\r\nhost: x\r\n{HEADER}: {signature}\r\n{headers}connection: close\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_delivery_in_one_piece_and_in_chunks() {
    let server = start(Behaviour::Store, Limits::default()).await;
    let length = format!("content-length: {}\r\n", BODY.len());
    let answer = exchange(server.address, &request(BODY, &length)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let chunked = request(BODY, "transfer-encoding: chunked\r\n")
        .replace(BODY, &format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len()));
    let answer = exchange(server.address, &chunked).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(*server.inbox.bodies.lock().unwrap(), [BODY, BODY]);
}

#[tokio::test]
async fn framing_errors_are_400_and_close() {
    let server = start(Behaviour::Store, Limits::default()).await;
    let length = BODY.len();
    for headers in [
        format!("content-length: {length}\r\ncontent-length: 1\r\n"),
        "content-length: -1\r\n".to_owned(),
        "content-length: x\r\n".to_owned(),
        " folded: header\r\n".to_owned(),
    ] {
        let answer = exchange(server.address, &request(BODY, &headers)).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{headers}: {answer}");
    }
    assert!(server.inbox.bodies.lock().unwrap().is_empty());
}

/// hyper takes every transfer encoding whose last word is `chunked`; another server on the way may
/// see the end of such a body elsewhere.
#[tokio::test]
async fn only_plain_chunks_are_taken() {
    let server = start(Behaviour::Store, Limits::default()).await;
    let chunks = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    for (headers, status) in [
        ("transfer-encoding: Chunked\r\n", 200),
        ("transfer-encoding: gzip, chunked\r\n", 400),
        ("transfer-encoding: chunked, chunked\r\n", 400),
        ("transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n", 400),
    ] {
        let request =
            request(BODY, headers).replace(BODY, &chunks).replace("connection: close", "x: y");
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_head(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{headers}: {answer}");
        // Where the next request begins is not followed.
        assert!(answer.contains("connection: close"), "{answer}");
    }
    assert_eq!(server.inbox.bodies.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_huge_head_is_a_431() {
    let server = start(Behaviour::Store, Limits::default()).await;
    let headers = format!("x: {}\r\n", "y".repeat(64 * 1024));
    let answer = exchange(server.address, &request(BODY, &headers)).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

fn refused(server: &Running, reason: Reason) -> u64 {
    let refused = server.receiver.status().figures().refused;
    refused.into_iter().find(|(other, _)| *other == reason).unwrap().1
}

#[tokio::test]
async fn a_head_that_never_ends_is_a_408() {
    let mut limits = Limits::default();
    limits.header_time = Duration::from_millis(100);
    let server = start(Behaviour::Store, limits).await;
    let heads = ["P", "POST / HTTP/1.1", "POST / HTTP/1.1\r\nhost: x\r\n", "\r\n\r\nPOST /"];
    for head in heads {
        let answer = exchange(server.address, head).await;
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{head}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nthe head arrived too slowly"), "{answer}");
    }
    // The next one on a connection, some of it in one packet with the one before.
    let whole = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let answer = exchange(server.address, &format!("{whole}GET / HT")).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 408 ").count(), 1, "{answer}");
    assert_eq!(refused(&server, Reason::SlowHead), heads.len() as u64 + 1);
    // A byte now and then is no head either.
    let mut dripping = TcpStream::connect(server.address).await.unwrap();
    let dripped = async {
        while dripping.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), dripped).await.expect("it is never closed");
    // Nobody waits for an answer where nothing was asked.
    let before = refused(&server, Reason::SlowHead);
    for nothing in ["", "\r\n", "\r\n\n\r\n"] {
        let idle = exchange(server.address, nothing).await;
        assert!(idle.is_empty(), "{idle}");
    }
    let asked = exchange(server.address, whole).await;
    assert_eq!(asked.matches("HTTP/1.1").count(), 1, "{asked}");
    assert_eq!(refused(&server, Reason::SlowHead), before);
    assert_eq!(server.receiver.status().counts().refusals, 0);
}

/// What hyper refuses by itself is counted as well, once.
#[tokio::test]
async fn heads_that_cannot_be_read_are_counted() {
    let server = start(Behaviour::Store, Limits::default()).await;
    exchange(server.address, "no HTTP\r\n\r\n").await;
    exchange(server.address, &format!("GET /{} HTTP/1.1\r\n", "x".repeat(64 * 1024))).await;
    exchange(server.address, "GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    for reason in [Reason::MalformedHead, Reason::LargeHead, Reason::NoReceiver] {
        assert_eq!(refused(&server, reason), 1, "{reason:?}");
    }
    let all: u64 = server.receiver.status().figures().refused.into_iter().map(|(_, n)| n).sum();
    assert_eq!(all, 3);
}

/// A proxy keeps connections open for a minute, and what it sends on one that was closed is lost.
#[tokio::test]
async fn who_has_delivered_may_be_idle_for_longer() {
    let mut limits = Limits::default();
    limits.header_time = Duration::from_millis(100);
    limits.idle_time = Duration::from_secs(3600);
    let server = start(Behaviour::Store, limits).await;
    let mut delivering = TcpStream::connect(server.address).await.unwrap();
    deliver(&mut delivering).await;
    let idle = exchange(server.address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(idle.starts_with("HTTP/1.1 404 "), "{idle}");
    deliver(&mut delivering).await;
    // A head is a head, whoever sends it.
    delivering.write_all(b"POST / HTTP/1.1\r\n").await.unwrap();
    assert!(read_to_end(&mut delivering).await.starts_with("HTTP/1.1 408 "));

    limits.idle_time = Duration::from_millis(100);
    let server = start(Behaviour::Store, limits).await;
    let mut delivering = TcpStream::connect(server.address).await.unwrap();
    deliver(&mut delivering).await;
    assert_eq!(read_to_end(&mut delivering).await, "");
}

/// A place costs an attacker one byte every few seconds, too.
#[tokio::test]
async fn a_full_server_does_not_wait_for_heads() {
    let mut limits = Limits::default();
    limits.connections = 1;
    limits.header_time = Duration::from_secs(3600);
    limits.drain_time = Duration::from_secs(3600);
    for head in ["P", "POST / HTTP/1.1\r\nhost: x\r\n", "GET / HTTP/1.1\r\n\r\nGET /"] {
        let server = start(Behaviour::Store, limits).await;
        let mut slow = TcpStream::connect(server.address).await.unwrap();
        slow.write_all(head.as_bytes()).await.unwrap();
        // Its place is the only one.
        let delivery = request(BODY, &format!("content-length: {}\r\n", BODY.len()));
        let answer = exchange(server.address, &delivery).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        read_to_end(&mut slow).await;
    }
}

/// Nor for bodies of which nobody knows whose they are. A delivery that is being stored is waited
/// for.
#[tokio::test]
async fn a_full_server_does_not_wait_for_bodies() {
    let mut limits = Limits::default();
    limits.connections = 2;
    limits.header_time = Duration::from_secs(3600);
    limits.drain_time = Duration::from_secs(3600);
    let mut bodies = receiver::Limits::default();
    bodies.body_time = Duration::from_secs(3600);
    bodies.deadline = Duration::from_secs(3600);
    let notify = std::sync::Arc::new(tokio::sync::Notify::new());
    let behaviour = Behaviour::Wait(std::sync::Arc::clone(&notify));
    let server = start_with(behaviour, limits, bodies).await;
    let length = format!("content-length: {}\r\n", BODY.len());
    let mut storing = TcpStream::connect(server.address).await.unwrap();
    storing.write_all(request(BODY, &length).as_bytes()).await.unwrap();
    while server.inbox.started.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(request("{", "content-length: 2\r\n").as_bytes()).await.unwrap();
    let check = format!("GET {PATH}?crc_token={TOKEN} HTTP/1.1\r\nconnection: close\r\n\r\n");
    let answer = exchange(server.address, &check).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let answer = read_to_end(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    notify.notify_one();
    let answer = read_to_end(&mut storing).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(refused(&server, Reason::NoRoom), 1);
}

/// Whoever has one old delivery could send it again and again.
#[tokio::test]
async fn a_full_server_keeps_no_place_for_copies() {
    let mut limits = Limits::default();
    limits.connections = 1;
    limits.header_time = Duration::from_secs(3600);
    let server = start(Behaviour::Know, limits).await;
    let mut copying = TcpStream::connect(server.address).await.unwrap();
    deliver(&mut copying).await;
    let delivery = request(BODY, &format!("content-length: {}\r\n", BODY.len()));
    let answer = exchange(server.address, &delivery).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(read_to_end(&mut copying).await, "");
}

/// hyper does not look at a head again before it has seen an empty line, so what it will refuse
/// for a line of spaces it goes on collecting.
#[tokio::test]
async fn a_line_of_spaces_does_not_begin_the_wait_anew() {
    let mut limits = Limits::default();
    limits.header_time = Duration::from_millis(300);
    let server = start(Behaviour::Store, limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nx").await.unwrap();
    let sent = async {
        for piece in ["\n", " \n", "x"].into_iter().cycle() {
            // Apart, so that the first bytes are seen alone.
            tokio::time::sleep(Duration::from_millis(20)).await;
            if stream.write_all(piece.as_bytes()).await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), sent).await.expect("it is never closed");
    assert_eq!(refused(&server, Reason::SlowHead), 1);
}

/// Also where there is room.
#[tokio::test]
async fn who_does_not_read_is_closed() {
    let mut limits = Limits::default();
    limits.header_time = Duration::from_secs(3600);
    limits.read_time = Duration::from_millis(200);
    let server = start(Behaviour::Store, limits).await;
    let mut deaf = TcpStream::connect(server.address).await.unwrap();
    let requests = "GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    let sent = async { while deaf.write_all(requests.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), sent).await.expect("it is never closed");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_and_are_counted() {
    let mut limits = Limits::default();
    limits.connections = 1;
    let server = start(Behaviour::Store, limits).await;
    let first = TcpStream::connect(server.address).await.unwrap();
    let delivery = request(BODY, &format!("content-length: {}\r\n", BODY.len()));
    let address = server.address;
    let second = tokio::spawn(async move { exchange(address, &delivery).await });
    let refused = async {
        while server.receiver.status().counts().refusals == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), refused).await.unwrap();
    drop(first);
    assert!(second.await.unwrap().starts_with("HTTP/1.1 200 "));
}

/// Otherwise heartbeats with equal counts would join into time that looks covered.
#[tokio::test]
async fn a_full_server_goes_on_counting() {
    let mut limits = Limits::default();
    limits.connections = 1;
    limits.header_time = Duration::from_secs(3600);
    let server = start(Behaviour::Store, limits).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    deliver(&mut first).await;
    tokio::time::pause();
    let refusals = || server.receiver.status().counts().refusals;
    for _ in 0..100 {
        tokio::time::advance(Duration::from_millis(100)).await;
        tokio::task::yield_now().await;
    }
    assert!((9..=12).contains(&refusals()), "{} in ten seconds", refusals());
    // The time since the last count was not covered either.
    let before = refusals();
    drop(first);
    let freed = async {
        while refusals() == before {
            tokio::task::yield_now().await;
        }
    };
    freed.await;
}

/// A place costs an attacker one small request every few seconds, so it is not kept for that.
#[tokio::test]
async fn a_full_server_keeps_its_places_for_those_who_deliver() {
    let mut limits = Limits::default();
    limits.connections = 3;
    limits.header_time = Duration::from_secs(3600);
    let server = start(Behaviour::Store, limits).await;
    let mut delivering = TcpStream::connect(server.address).await.unwrap();
    deliver(&mut delivering).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut asking = TcpStream::connect(server.address).await.unwrap();
    asking.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(read_head(&mut asking).await.starts_with("HTTP/1.1 404 "));

    let delivery = request(BODY, &format!("content-length: {}\r\n", BODY.len()));
    let answer = exchange(server.address, &delivery).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(read_to_end(&mut asking).await, "");
    assert_eq!(read_to_end(&mut silent).await, "");
    deliver(&mut delivering).await;
    assert!(server.receiver.status().counts().refusals > 0);
}

/// Answers that nobody reads would hold the connection for ever.
#[tokio::test]
async fn a_full_server_cuts_off_who_does_not_read() {
    let mut limits = Limits::default();
    limits.connections = 1;
    limits.header_time = Duration::from_millis(200);
    (limits.read_time, limits.drain_time) =
        (Duration::from_millis(200), Duration::from_millis(200));
    let server = start(Behaviour::Store, limits).await;
    let mut deaf = TcpStream::connect(server.address).await.unwrap();
    let requests = "GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    // As many as fit: the server no longer reads when it cannot write.
    while let Ok(written) =
        tokio::time::timeout(Duration::from_millis(300), deaf.write_all(requests.as_bytes())).await
    {
        if written.is_err() {
            break;
        }
    }
    let delivery = request(BODY, &format!("content-length: {}\r\n", BODY.len()));
    let answer = exchange(server.address, &delivery).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn shutdown_lets_a_running_delivery_end() {
    let notify = std::sync::Arc::new(tokio::sync::Notify::new());
    let server = start(Behaviour::Wait(std::sync::Arc::clone(&notify)), Limits::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let length = format!("content-length: {}\r\n", BODY.len());
    stream.write_all(request(BODY, &length).as_bytes()).await.unwrap();
    while server.inbox.started.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    server.stop.send(()).unwrap();
    notify.notify_one();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    server.task.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}
