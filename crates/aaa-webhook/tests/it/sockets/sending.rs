//! Answers that take their time: streams, and what is large for whoever reads slowly. The receiver
//! has none, but a router may serve more than a receiver.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use aaa_webhook::receiver::Status;
use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use http_body::Frame;
use tokio::{net::TcpSocket, sync::mpsc};

use super::*;

const ASK: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// More than the kernel keeps for a connection, several times over.
const LARGE: usize = 3 * 1024 * 1024;

/// A body that goes on as long as somebody says something.
struct Said(mpsc::Receiver<&'static str>);

impl http_body::Body for Said {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let said = self.0.poll_recv(context);
        said.map(|said| said.map(|said| Ok(Frame::data(Bytes::from_static(said.as_bytes())))))
    }
}

/// A body without an end, of which there is always more.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 8192])))))
    }
}

struct Sending {
    address: SocketAddr,
    status: Status,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Serves bodies that are made anew for each request.
async fn serve(limits: Limits, body: impl Fn() -> Body + Clone + Send + Sync + 'static) -> Sending {
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap().with_limits(limits);
    let (address, status) = (server.local_addr(), Status::default());
    let (stop, stopped) = oneshot::channel::<()>();
    let router = Router::new().route("/", get(async move || body()));
    let task = tokio::spawn(server.serve(router, status.clone(), async move {
        let _ = stopped.await;
    }));
    Sending { address, status, stop, task }
}

/// Serves one stream that says what it is told to, and has somebody hear the first of it; returns the
/// answer until there.
async fn told(limits: Limits) -> (Sending, mpsc::Sender<&'static str>, TcpStream, String) {
    let (say, said) = mpsc::channel(1);
    let said = std::sync::Arc::new(std::sync::Mutex::new(Some(said)));
    let body = move || Body::new(Said(said.lock().unwrap().take().unwrap()));
    let server = serve(limits, body).await;
    let mut stream = ask(server.address).await;
    say.send("first").await.unwrap();
    let answer = read_until(&mut stream, "\r\n5\r\nfirst\r\n").await;
    (server, say, stream, answer)
}

/// Asks over a connection for which the kernel keeps little on this side.
async fn ask(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(ASK.as_bytes()).await.unwrap();
    stream
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut answer = String::new();
    while !answer.ends_with(end) {
        let more = read_head(stream).await;
        assert!(!more.is_empty(), "it is cut off after {answer:?}");
        answer.push_str(&more);
    }
    answer
}

async fn closed(status: &Status) {
    let closed = async {
        while status.counts().connections > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), closed).await.expect("it is never closed");
}

/// While it has nothing to say, it is neither idle nor stuck. Idle is who was told all of it.
#[tokio::test]
async fn a_stream_outlives_the_limits_of_who_is_idle() {
    let mut limits = Limits::default();
    limits.header_time = Duration::from_millis(100);
    limits.read_time = Duration::from_millis(100);
    let (_server, say, mut stream, answer) = told(limits).await;
    assert!(answer.contains("\r\ntransfer-encoding: chunked\r\n"), "{answer}");
    for _ in 0..3 {
        tokio::time::sleep(2 * limits.header_time).await;
        say.send("later").await.unwrap();
        assert_eq!(read_until(&mut stream, "later\r\n").await, "5\r\nlater\r\n");
    }
    drop(say);
    assert_eq!(read_to_end(&mut stream).await, "0\r\n\r\n");
}

/// The limit is for a piece of it, not for all.
#[tokio::test]
async fn a_large_answer_arrives_whole_however_slowly_it_is_read() {
    let mut limits = Limits::default();
    limits.header_time = Duration::from_secs(1);
    limits.read_time = Duration::from_secs(1);
    let server = serve(limits, || Body::from(vec![b'x'; LARGE])).await;
    let mut stream = ask(server.address).await;
    let (mut piece, mut read, mut head) = (vec![0; 16 * 1024], 0, None);
    // Four times as long as the limit, for all of it.
    let pieces = u32::try_from(LARGE / piece.len()).unwrap();
    let mut pace = tokio::time::interval(limits.read_time * 4 / pieces);
    loop {
        let taken = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut piece)).await;
        let taken = match taken.expect("nothing comes") {
            Ok(0) | Err(_) => break,
            Ok(taken) => taken,
        };
        read += taken;
        head.get_or_insert_with(|| String::from_utf8_lossy(&piece[..taken]).into_owned());
        pace.tick().await;
    }
    let head = head.unwrap();
    let (head, _) = head.split_once("\r\n\r\n").unwrap();
    assert_eq!(read, head.len() + 4 + LARGE);
    assert!(head.contains(&format!("\r\ncontent-length: {LARGE}\r\n")), "{head}");
    assert!(!head.contains("chunked"), "{head}");
}

/// A byte now and then is not reading.
#[tokio::test]
async fn who_does_not_read_a_large_answer_is_cut_off() {
    let mut limits = Limits::default();
    limits.header_time = Duration::from_secs(3600);
    limits.read_time = Duration::from_millis(200);
    for body in [|| Body::from(vec![b'x'; LARGE]), || Body::new(Endless)] {
        let server = serve(limits, body).await;
        let deaf = ask(server.address).await;
        deaf.readable().await.unwrap();
        closed(&server.status).await;
        let mut sipping = ask(server.address).await;
        sipping.readable().await.unwrap();
        let sips = async {
            loop {
                let _ = sipping.read_u8().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = closed(&server.status) => {}
            () = sips => {}
        }
    }
}

/// Else it would live on for as long as the process does.
#[tokio::test]
async fn a_stream_ends_with_the_server() {
    let mut limits = Limits::default();
    limits.header_time = Duration::from_secs(3600);
    limits.drain_time = Duration::from_millis(100);
    let (server, say, mut stream, _) = told(limits).await;
    server.stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), server.task).await;
    ended.expect("it waits for the stream").unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
    assert!(say.is_closed());
}

/// A stream holds a place that somebody else could have.
#[tokio::test]
async fn a_full_server_waits_for_no_stream() {
    let mut limits = Limits::default();
    limits.connections = 1;
    limits.header_time = Duration::from_secs(3600);
    limits.drain_time = Duration::from_millis(100);
    let (server, _say, mut stream, _) = told(limits).await;
    // Taken once the place is free.
    let mut next = TcpStream::connect(server.address).await.unwrap();
    next.write_all(b"PUT / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(read_head(&mut next).await.starts_with("HTTP/1.1 405 "));
    assert_eq!(read_to_end(&mut stream).await, "");
}
