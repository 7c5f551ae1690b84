//! How far a connection is, as its stream and its service see it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::heads::Heads;

/// What one connection is doing. Stream and service note it while the connection is polled, and
/// whoever polls it looks at it afterwards.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Arc<Notes>);

#[derive(Debug, Default)]
struct Notes {
    /// The number of the first request whose end is unclear; requests are counted from 1.
    unclear: AtomicU64,
    /// A head has begun and is not whole.
    within_head: AtomicBool,
    /// The other side does not read what it is sent.
    stuck: AtomicBool,
    called: AtomicU64,
    answered: AtomicU64,
}

/// What a connection is waiting for. Two that are equal are the same wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The answer to a request.
    Busy,
    /// That the other side takes what it was sent, after so many requests.
    Stuck(u64),
    /// The first byte of a request, after so many.
    Idle(u64),
    /// The rest of a head, after so many requests.
    Head(u64),
}

impl Phase {
    /// Says whether a new wait has begun since that one. Between two requests there is only one
    /// way forward: whatever the other side does, no wait begins twice.
    pub(super) fn follows(self, before: Self) -> bool {
        let place = |phase| match phase {
            Self::Busy => None,
            Self::Stuck(requests) => Some((requests, 0)),
            Self::Idle(requests) => Some((requests, 1)),
            Self::Head(requests) => Some((requests, 2)),
        };
        match (place(self), place(before)) {
            (Some(now), Some(before)) => now > before,
            (now, before) => now != before,
        }
    }
}

impl Progress {
    pub(super) fn phase(&self) -> Phase {
        let notes = &self.0;
        let called = notes.called.load(SeqCst);
        if notes.answered.load(SeqCst) < called {
            Phase::Busy
        } else if notes.stuck.load(SeqCst) {
            Phase::Stuck(called)
        } else if notes.within_head.load(SeqCst) {
            Phase::Head(called)
        } else {
            Phase::Idle(called)
        }
    }

    /// Says that a request is handed to the service, and whether its end is unclear.
    pub(super) fn called(&self) -> bool {
        let number = self.0.called.fetch_add(1, SeqCst).wrapping_add(1);
        self.0.unclear.load(SeqCst) == number
    }

    /// Says that the service has answered.
    pub(super) fn answered(&self) {
        self.0.answered.fetch_add(1, SeqCst);
    }

    fn read(&self, heads: &mut Heads, bytes: &[u8]) {
        if let Some(request) = heads.read(bytes) {
            self.0.unclear.store(request, SeqCst);
        }
        self.0.within_head.store(heads.is_within(), SeqCst);
    }
}

/// A stream that notes what is read and written.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    heads: Heads,
    progress: Progress,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, progress: Progress) -> Self {
        Self { stream, heads: Heads::default(), progress }
    }

    fn wrote<T>(&self, poll: Poll<T>) -> Poll<T> {
        self.progress.0.stuck.store(poll.is_pending(), SeqCst);
        poll
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        this.progress.read(&mut this.heads, read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(context);
        self.wrote(poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.wrote(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_begin_once() {
        use Phase::{Busy, Head, Idle, Stuck};
        let order = [Idle(0), Head(0), Busy, Stuck(1), Idle(1), Head(1), Busy, Idle(2), Head(3)];
        for pair in order.windows(2) {
            assert!(pair[1].follows(pair[0]), "{pair:?}");
            assert!(!pair[1].follows(pair[1]), "{pair:?}");
            assert!(pair.contains(&Busy) || !pair[0].follows(pair[1]), "{pair:?}");
        }
        assert!(!Idle(1).follows(Head(1)) && !Stuck(1).follows(Head(1)));
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
            assert_eq!(progress.phase(), Phase::Idle(0));
            tokio::time::timeout(std::time::Duration::ZERO, ours.flush()).await.is_ok()
        };
        assert!(flushed(&mut ours, b"sixteen bytes...").await);
        assert_eq!(progress.phase(), Phase::Idle(0));
        let mut taken = [0; 16];
        let arrived = theirs.read_exact(&mut taken);
        let arrived = tokio::time::timeout(std::time::Duration::from_secs(10), arrived).await;
        arrived.expect("nothing arrives").unwrap();
        assert_eq!(&taken, b"sixteen bytes...");
        // More than the other side has room for.
        assert!(!flushed(&mut ours, b"seventeen bytes..").await);
        assert_eq!(progress.phase(), Phase::Stuck(0));
        theirs.read_exact(&mut taken).await.unwrap();
        ours.flush().await.unwrap();
        assert_eq!(progress.phase(), Phase::Idle(0));
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
        assert_eq!(read(b"\r\n").await, Phase::Idle(0));
        assert_eq!(read(b"GET / H").await, Phase::Head(0));
        read(b"TTP/1.1\r\n\r\n").await;
        assert!(!progress.called());
        assert_eq!(progress.phase(), Phase::Busy);
        assert_eq!(read(b"GE").await, Phase::Busy);
        progress.answered();
        assert_eq!(progress.phase(), Phase::Head(1));
        // More than the other side has room for.
        let sent = ours.write_all(&[0; 17]);
        let _ = tokio::time::timeout(std::time::Duration::ZERO, sent).await;
        assert_eq!(progress.phase(), Phase::Stuck(1));
        let mut taken = [0; 16];
        theirs.read_exact(&mut taken).await.unwrap();
        ours.write_all(&[0]).await.unwrap();
        assert_eq!(progress.phase(), Phase::Head(1));
    }
}
