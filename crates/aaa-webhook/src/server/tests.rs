use std::sync::{Mutex, PoisonError};

use super::*;

/// A process without file descriptors has places that are of no use, and the connections that
/// hold the descriptors are asked to end all the same.
#[tokio::test(start_paused = true)]
async fn without_file_descriptors_connections_are_asked_to_end() {
    let status = Status::default();
    let mut places = Places::new(10, status.clone());
    let mut calls = places.calls.subscribe();
    let error = io::Error::from_raw_os_error(24);
    assert!(!is_of_the_connection(&error));
    for _ in 0..100 {
        places.starved(&error).await;
    }
    assert_eq!(status.counts().refusals, 100);
    assert!(calls.has_changed().unwrap() && !calls.borrow_and_update().draining);
    // It neither spins nor sleeps while others come.
    assert!(places.take().await.is_some());
}

/// Else anybody could make it look as if deliveries were missed.
#[test]
fn who_hangs_up_early_opens_no_gap() {
    for kind in [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset] {
        assert!(is_of_the_connection(&kind.into()));
    }
    assert!(!is_of_the_connection(&io::ErrorKind::OutOfMemory.into()));
}

/// Else everybody waits and nobody hears of it.
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_socket_that_takes_nobody_is_a_refusal_each_time() {
    // Nobody can be taken from a socket that has no connections.
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = datagrams.local_addr().unwrap();
    datagrams.send_to(b"x", address).unwrap();
    datagrams.set_nonblocking(true).unwrap();
    let listener = std::net::TcpListener::from(std::os::fd::OwnedFd::from(datagrams));
    let server = Server {
        listener: TcpListener::from_std(listener).unwrap(),
        address,
        limits: Limits::default(),
        #[cfg(feature = "tls")]
        tls: None,
    };
    let status = Status::default();
    let mut places = Places::new(1, status.clone());
    for refusals in 1..=3 {
        assert!(server.accept(&mut places).await.is_none());
        assert_eq!(status.counts().refusals, refusals);
        // Nobody has the place.
        assert_eq!(places.permits.available_permits(), 1);
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whoever causes it could fill the log; but once it is over, the next time is news.
#[tokio::test(start_paused = true)]
async fn that_there_are_no_places_is_told_once_until_it_is_over() {
    // With a single subscriber, tracing asks the thread that comes by first whether anybody listens,
    // which may be another test's.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .without_time()
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let told = || {
        let text = std::mem::take(&mut *log.0.lock().unwrap());
        String::from_utf8(text).unwrap().replace("WARN aaa_webhook::server: ", "")
    };

    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let mut places = Places::new(1, Status::default());
    let next = async |places: &mut Places, before: Option<OwnedSemaphorePermit>| {
        let _client = TcpStream::connect(server.local_addr()).await.unwrap();
        let freed = async {
            // Somebody has it for longer than it takes to count.
            if before.is_some() {
                tokio::time::sleep(2 * COUNT_PERIOD).await;
            }
            drop(before);
        };
        let (accepted, ()) = tokio::join!(server.accept(places), freed);
        accepted.unwrap().2
    };
    let first = next(&mut places, None).await;
    assert_eq!(told(), "");
    let second = next(&mut places, Some(first)).await;
    assert_eq!(told().trim(), "all connections are in use");
    let third = next(&mut places, Some(second)).await;
    assert_eq!(told(), "", "it is not over yet");
    drop(third);
    let fourth = next(&mut places, None).await;
    assert_eq!(told(), "");
    let fifth = next(&mut places, Some(fourth)).await;
    assert_eq!(told().trim(), "all connections are in use");
    drop(fifth);
    drop(next(&mut places, None).await);
    let error = io::Error::other("no descriptors");
    for expected in ["a connection could not be taken error=no descriptors", ""] {
        places.starved(&error).await;
        assert_eq!(told().trim(), expected);
    }
}
