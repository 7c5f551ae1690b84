//! Thousands who hold a connection and say little or nothing, beside X.

use std::{fs::OpenOptions, io::Write, net::SocketAddr, time::Duration};

use aaa_webhook::{
    receiver::Receiver,
    server::{Limits, Server},
    signature::{HEADER, Signature},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use crate::support::{BODY, Behaviour, PATH, TOKEN, TestInbox, app};

/// How many there are. Each has two ends in this process.
const CROWD: usize = 2_100;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Raises the limit of open files as far as both ends of all connections need it, three times,
/// since tests run side by side. Says whether that was possible.
fn enough_files(test: &str) -> bool {
    let wanted = CROWD as u64 * 6 + 2000;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return true;
    }
    let raised = Rlimit { current: Some(wanted), maximum };
    if maximum.is_none_or(|maximum| maximum >= wanted)
        && setrlimit(Resource::Nofile, raised).is_ok()
    {
        return true;
    }
    if let Some(path) = std::env::var_os("AAA_SKIPPED_FILE") {
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        writeln!(file, "aaa-webhook crowd::{test}: {wanted} open files (ulimit -n)").unwrap();
    }
    false
}

async fn start(limits: Limits) -> (SocketAddr, Receiver<TestInbox>) {
    let receiver = Receiver::new(TestInbox::new(Behaviour::Store), app());
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap().with_limits(limits);
    let (address, status) = (server.local_addr(), receiver.status());
    let router = receiver.clone().router(PATH);
    tokio::spawn(server.serve(router, status, std::future::pending()));
    (address, receiver)
}

/// What one of the crowd does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Idle,
    SlowHead,
    SlowBody,
    /// Has asked for something, and keeps the connection.
    Asked,
}

const KINDS: [Kind; 4] = [Kind::Idle, Kind::SlowHead, Kind::SlowBody, Kind::Asked];

impl Kind {
    fn words(self) -> String {
        // Well-formed, so that the body is read.
        let signature = Signature::of(&"other".parse().unwrap(), b"");
        let head = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\n{HEADER}: {signature}\r\n");
        match self {
            Self::Idle => String::new(),
            Self::SlowHead => head,
            Self::SlowBody => format!("{head}content-length: 1000\r\n\r\n{{"),
            Self::Asked => format!("PUT {PATH} HTTP/1.1\r\nhost: x\r\n\r\n"),
        }
    }
}

/// Opens the connections, and returns what each was answered until it was closed.
async fn crowd(address: SocketAddr, kinds: &[Kind], size: usize) -> JoinSet<(Kind, String)> {
    let mut crowd = JoinSet::new();
    for (at, kind) in kinds.iter().copied().cycle().take(size).enumerate() {
        // When the kernel's queue is full, one end may take a connection for open that the other
        // never hears of. Whoever is answered stands behind all of the others.
        if at % 500 == 499 {
            x_gets_through(address, 1).await;
        }
        let stream = TcpStream::connect(address).await.unwrap();
        crowd.spawn(async move { (kind, hold(kind, stream).await) });
    }
    crowd
}

/// Holds a connection until it is closed: says its words, then a byte now and then if it may.
async fn hold(kind: Kind, mut stream: TcpStream) -> String {
    let _ = stream.write_all(kind.words().as_bytes()).await;
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let dripping = async {
        let mut drips = matches!(kind, Kind::SlowHead | Kind::SlowBody);
        while drips {
            tokio::time::sleep(Duration::from_millis(500)).await;
            drips = writing.write_all(b"x").await.is_ok();
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // A reset is an end too.
        _ = reading.read_to_end(&mut answer) => {}
        () = dripping => {}
    }
    String::from_utf8_lossy(&answer).into_owned()
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let asked = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    };
    timeout(PATIENCE, asked).await.expect("no answer")
}

/// What X sends goes through, on connections of its own, again and again.
async fn x_gets_through(address: SocketAddr, rounds: usize) {
    let (signature, length) = (Signature::of(app().active(), BODY.as_bytes()), BODY.len());
    let close = "connection: close\r\n";
    let delivery = format!(
        "POST {PATH} HTTP/1.1\r\nhost: x\r\n{HEADER}: {signature}\r\n{close}content-length: {length}\r\n\r\n{BODY}"
    );
    let check = format!("GET {PATH}?crc_token={TOKEN} HTTP/1.1\r\nhost: x\r\n{close}\r\n");
    for _ in 0..rounds {
        for request in [&delivery, &check] {
            let answer = ask(address, request).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
    }
}

/// Waits until so many connections are open.
async fn open(receiver: &Receiver<TestInbox>, wanted: impl Fn(u64) -> bool) {
    let open = async {
        while !wanted(receiver.status().counts().connections) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, open).await.expect("the connections do not open, or do not close");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_thousands_x_is_answered() {
    if !enough_files("beside_thousands_x_is_answered") {
        return;
    }
    let mut limits = Limits::default();
    limits.connections = 2 * CROWD;
    limits.header_time = Duration::from_secs(3600);
    let (address, receiver) = start(limits).await;
    let crowd = crowd(address, &KINDS, CROWD).await;
    let before = receiver.status().counts().committed;
    x_gets_through(address, 20).await;
    let counts = receiver.status().counts();
    assert_eq!((counts.committed, counts.checks), (before + 20, before + 20));
    // They are in nobody's way, although only slow bodies are gone by now.
    assert_eq!(counts.refusals, 0);
    let staying = CROWD as u64 / KINDS.len() as u64 * 3;
    assert!(counts.connections >= staying, "{} are open", counts.connections);
    drop(crowd);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_who_say_little_are_closed() {
    if !enough_files("thousands_who_say_little_are_closed") {
        return;
    }
    let mut limits = Limits::default();
    limits.connections = 2 * CROWD;
    limits.header_time = Duration::from_secs(3);
    let (address, receiver) = start(limits).await;
    let mut crowd = crowd(address, &KINDS, CROWD).await;
    let mut answers = std::collections::BTreeMap::<_, usize>::new();
    while let Some(done) = timeout(PATIENCE, crowd.join_next()).await.expect("one stays open") {
        let (kind, answer) = done.unwrap();
        let status = answer.split(' ').nth(1).unwrap_or("nothing").to_owned();
        *answers.entry((kind, status)).or_default() += 1;
    }
    let each = CROWD / KINDS.len();
    let expected = [
        ((Kind::Idle, "nothing".to_owned()), each),
        ((Kind::SlowHead, "408".to_owned()), each),
        ((Kind::SlowBody, "408".to_owned()), each),
        ((Kind::Asked, "405".to_owned()), each),
    ];
    assert_eq!(answers, expected.into());
    open(&receiver, |open| open == 0).await;
    assert_eq!(receiver.status().counts().refusals, 0);
}

/// Nobody leaves unasked here: without being asked they would stay for an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_who_hold_every_place_do_not_keep_x_out() {
    if !enough_files("thousands_who_hold_every_place_do_not_keep_x_out") {
        return;
    }
    let mut limits = Limits::default();
    limits.connections = CROWD;
    limits.header_time = Duration::from_secs(3600);
    limits.drain_time = Duration::from_secs(3600);
    for kinds in [&KINDS[..], &[Kind::SlowHead]] {
        let (address, receiver) = start(limits).await;
        // More than there are places, so that those who leave are followed by others.
        let mut crowd = crowd(address, kinds, CROWD + 300).await;
        let full = async {
            while receiver.status().counts().refusals == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, full).await.expect("there are places left");
        let before = receiver.status().counts().committed;
        x_gets_through(address, 5).await;
        let counts = receiver.status().counts();
        assert_eq!((counts.committed, counts.checks), (before + 5, before + 5));
        crowd.abort_all();
        while crowd.join_next().await.is_some() {}
    }
}

/// Who is closed and comes back at once stands behind those who wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_does_not_keep_x_out() {
    let mut limits = Limits::default();
    limits.connections = 100;
    limits.header_time = Duration::from_secs(3600);
    limits.drain_time = Duration::from_secs(3600);
    let besieged = async |kind| {
        let (address, receiver) = start(limits).await;
        let mut crowd = JoinSet::new();
        for _ in 0..150 {
            crowd.spawn(async move {
                loop {
                    hold(kind, TcpStream::connect(address).await.unwrap()).await;
                }
            });
        }
        open(&receiver, |open| open == 100).await;
        x_gets_through(address, 1).await;
        let counts = receiver.status().counts();
        assert_eq!((counts.committed, counts.checks), (1, 1), "{kind:?}");
    };
    let [idle, head, body, asked] = KINDS.map(besieged);
    tokio::join!(idle, head, body, asked);
}
