use super::*;

fn since(requests: u64, pieces: u64) -> Since {
    Since { requests, pieces }
}

#[test]
fn waits_begin_once() {
    use Phase::{Busy, Head, Idle, Stuck};
    let (none, one, two, three) = (since(0, 0), since(1, 0), since(2, 0), since(3, 0));
    let taken = since(2, 1);
    let order = [
        Idle(none),
        Head(none),
        Busy,
        Stuck(one),
        Idle(one),
        Head(one),
        Busy,
        Stuck(two),
        Stuck(taken),
        Idle(taken),
        Head(three),
    ];
    for pair in order.windows(2) {
        assert!(pair[1].follows(pair[0]), "{pair:?}");
        assert!(!pair[1].follows(pair[1]), "{pair:?}");
        assert!(pair.contains(&Busy) || !pair[0].follows(pair[1]), "{pair:?}");
    }
    assert!(!Idle(one).follows(Head(one)) && !Stuck(one).follows(Head(one)));
    // What is left of an answer may not be written in one go.
    assert!(Stuck(taken).follows(Idle(two)));
}

/// TLS keeps what is written until then, and may have to wait.
#[tokio::test(start_paused = true)]
async fn what_is_flushed_arrives_or_is_waited_for() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let progress = Progress::default();
    let (mut theirs, ours) = tokio::io::duplex(16);
    let ours = tokio::io::BufStream::with_capacity(64, 64, ours);
    let mut ours = Watched::new(ours, progress.clone());
    let flushed = async |ours: &mut Watched<_>, bytes: &[u8]| {
        ours.write_all(bytes).await.unwrap();
        assert_eq!(progress.phase(), Phase::Idle(since(0, 0)));
        tokio::time::timeout(std::time::Duration::ZERO, ours.flush()).await.is_ok()
    };
    assert!(flushed(&mut ours, b"sixteen bytes...").await);
    assert_eq!(progress.phase(), Phase::Idle(since(0, 0)));
    let mut taken = [0; 16];
    let arrived = theirs.read_exact(&mut taken);
    let arrived = tokio::time::timeout(std::time::Duration::from_secs(10), arrived).await;
    arrived.expect("nothing arrives").unwrap();
    assert_eq!(&taken, b"sixteen bytes...");
    // More than the other side has room for.
    assert!(!flushed(&mut ours, b"seventeen bytes..").await);
    assert_eq!(progress.phase(), Phase::Stuck(since(0, 0)));
    theirs.read_exact(&mut taken).await.unwrap();
    ours.flush().await.unwrap();
    assert_eq!(progress.phase(), Phase::Idle(since(0, 0)));
}

/// What it cannot take at once would be copied, or sent in many small packets.
#[test]
fn several_slices_are_taken_as_the_stream_takes_them() {
    struct OneByOne;
    impl AsyncWrite for OneByOne {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    let (_, several) = tokio::io::duplex(16);
    assert!(Watched::new(several, Progress::default()).is_write_vectored());
    assert!(!Watched::new(OneByOne, Progress::default()).is_write_vectored());
}

#[tokio::test]
async fn what_a_connection_waits_for() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let progress = Progress::default();
    let (mut theirs, ours) = tokio::io::duplex(16);
    let mut ours = Watched::new(ours, progress.clone());
    let mut read = async |bytes: &[u8]| {
        theirs.write_all(bytes).await.unwrap();
        let mut buffer = [0; 16];
        ours.read_exact(&mut buffer[..bytes.len()]).await.unwrap();
        progress.phase()
    };
    assert_eq!(read(b"\r\n").await, Phase::Idle(since(0, 0)));
    assert_eq!(read(b"GET / H").await, Phase::Head(since(0, 0)));
    read(b"TTP/1.1\r\n\r\n").await;
    assert!(!progress.called());
    assert_eq!(progress.phase(), Phase::Busy);
    assert_eq!(read(b"GE").await, Phase::Busy);
    // More than the other side has room for, while the receiver works, which has time-outs of its own.
    let sent = ours.write_all(&[0; 17]);
    let _ = tokio::time::timeout(std::time::Duration::ZERO, sent).await;
    assert_eq!(progress.phase(), Phase::Busy);
    progress.answered();
    assert_eq!(progress.phase(), Phase::Stuck(since(1, 0)));
    let mut taken = [0; 16];
    theirs.read_exact(&mut taken).await.unwrap();
    ours.write_all(&[0]).await.unwrap();
    // The body of the answer is not there yet.
    assert_eq!(progress.phase(), Phase::Busy);
    progress.sent();
    assert_eq!(progress.phase(), Phase::Head(since(1, 0)));
}
