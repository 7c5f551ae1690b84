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

/// How many bytes of its answers the other side has to take for a new wait to begin: who takes a
/// byte now and then is taken for somebody who does not read. The kernel makes room in larger steps,
/// and tells of none before.
const PIECE: u64 = 16 * 1024;

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
    /// How many answers have begun, and how many have ended.
    answered: AtomicU64,
    sent: AtomicU64,
    /// How many bytes the other side was sent.
    written: AtomicU64,
}

/// What a connection is waiting for. Two that are equal are the same wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The answer to a request, or what is still to come of it.
    Busy,
    /// That the other side takes what it was sent.
    Stuck(Since),
    /// The first byte of a request.
    Idle(Since),
    /// The rest of a head.
    Head(Since),
}

/// Behind so many requests, and so many [pieces](PIECE) of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Since {
    requests: u64,
    pieces: u64,
}

impl Phase {
    /// Says whether a new wait has begun since that one. Between two requests, and two pieces of
    /// an answer, there is only one way forward: whatever the other side does, no wait begins twice.
    pub(super) fn follows(self, before: Self) -> bool {
        let place = |phase| match phase {
            Self::Busy => None,
            Self::Stuck(since) => Some((since, 0)),
            Self::Idle(since) => Some((since, 1)),
            Self::Head(since) => Some((since, 2)),
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
        let requests = notes.called.load(SeqCst);
        let since = Since { requests, pieces: notes.written.load(SeqCst) / PIECE };
        if notes.answered.load(SeqCst) < requests {
            Phase::Busy
        } else if notes.stuck.load(SeqCst) {
            Phase::Stuck(since)
        } else if notes.sent.load(SeqCst) < requests {
            Phase::Busy
        } else if notes.within_head.load(SeqCst) {
            Phase::Head(since)
        } else {
            Phase::Idle(since)
        }
    }

    /// Says that a request is handed to the service, and whether its end is unclear.
    pub(super) fn called(&self) -> bool {
        let number = self.0.called.fetch_add(1, SeqCst).wrapping_add(1);
        self.0.unclear.load(SeqCst) == number
    }

    /// Says that the service has answered; the body of the answer may be still to come.
    pub(super) fn answered(&self) {
        self.0.answered.fetch_add(1, SeqCst);
    }

    /// Says that nothing more comes of an answer.
    pub(super) fn sent(&self) {
        self.0.sent.fetch_add(1, SeqCst);
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

    fn took(&self, poll: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &poll {
            self.progress.0.written.fetch_add(*bytes as u64, SeqCst);
        }
        poll
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
        self.wrote(self.took(poll))
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
        self.wrote(self.took(poll))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests;
