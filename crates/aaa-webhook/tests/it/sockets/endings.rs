//! How connections end: with the server, or since nothing can be made of what was said.

use super::*;

/// Nothing runs on them. Else a restart takes as long as the drain time.
#[tokio::test]
async fn who_is_idle_is_closed_when_the_server_ends() {
    let mut limits = Limits::default();
    limits.header_time = Duration::from_secs(3600);
    limits.drain_time = Duration::from_secs(3600);
    for dropped in [false, true] {
        let Running { address, stop, task, .. } = start(Behaviour::Store, limits).await;
        let mut delivering = TcpStream::connect(address).await.unwrap();
        deliver(&mut delivering).await;
        let mut asking = TcpStream::connect(address).await.unwrap();
        asking.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(read_head(&mut asking).await.starts_with("HTTP/1.1 404 "));
        if dropped {
            task.abort();
        } else {
            stop.send(()).unwrap();
        }
        assert_eq!(read_to_end(&mut delivering).await, "");
        assert_eq!(read_to_end(&mut asking).await, "");
        let ended = tokio::time::timeout(Duration::from_secs(20), task).await;
        let ended = ended.expect("it waits for somebody");
        assert_eq!(ended.is_err(), dropped);
    }
}

/// Neither has sent a head that is malformed, so they do not hide those who do.
#[tokio::test]
async fn who_goes_away_or_speaks_http_2_is_not_counted() {
    let server = start(Behaviour::Store, Limits::default()).await;
    for said in ["GET / HT", "GET / HTTP/1.1\r\nhost: x\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(read_to_end(&mut stream).await, "", "{said}");
    }
    let closed = async {
        while server.receiver.status().counts().connections > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), closed).await.expect("one stays open");
    let refused = server.receiver.status().figures().refused;
    let counted: Vec<_> = refused.into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(counted, []);
}
