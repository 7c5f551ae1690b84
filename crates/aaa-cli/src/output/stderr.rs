//! Writes to stderr from a thread of its own, so that nothing else ever waits for a terminal that
//! was stopped, or for a pipe that nobody reads.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// How many lines may wait; those beyond are dropped, and counted.
const WAITING: usize = 4096;

static QUEUE: LazyLock<&'static Queue> = LazyLock::new(|| {
    static QUEUE: Queue = Queue::new();
    // Without a thread nothing is told; there is nobody to tell that.
    let _ = thread::Builder::new().name("stderr".to_owned()).spawn(|| QUEUE.run(io::stderr()));
    &QUEUE
});

/// Hands over a text, without waiting.
pub(super) fn push(text: Vec<u8>) {
    QUEUE.push(text);
}

/// Waits until everything is written, but no longer than that.
pub(super) fn flush(patience: Duration) {
    QUEUE.flush(patience);
}

/// Takes what the log writes, one event at a time.
pub(super) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What waits to be written.
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    texts: VecDeque<Vec<u8>>,
    /// One is being written.
    busy: bool,
    dropped: u64,
}

impl Queue {
    const fn new() -> Self {
        let state = State { texts: VecDeque::new(), busy: false, dropped: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn push(&self, text: Vec<u8>) {
        let mut state = self.lock();
        if state.texts.len() < WAITING {
            state.texts.push_back(text);
            self.changed.notify_all();
        } else {
            state.dropped = state.dropped.saturating_add(1);
        }
    }

    fn flush(&self, patience: Duration) {
        let busy = |state: &mut State| state.busy || !state.texts.is_empty();
        drop(self.changed.wait_timeout_while(self.lock(), patience, busy));
    }

    /// Writes, for as long as the process lives or `out` can be written.
    fn run(&self, mut out: impl Write) {
        loop {
            let (text, dropped) = self.next();
            let mut written = Ok(());
            if dropped > 0 {
                written = writeln!(out, "({dropped} lines were dropped: nobody read them)");
            }
            written = written.and_then(|()| out.write_all(&text)).and_then(|()| out.flush());
            let mut state = self.lock();
            state.busy = false;
            self.changed.notify_all();
            if written.is_err() {
                // Nothing can be done when it is gone. Nobody waits for a queue that is empty.
                state.texts.clear();
            }
        }
    }

    fn next(&self) -> (Vec<u8>, u64) {
        let empty = |state: &mut State| state.texts.is_empty();
        let state = self.changed.wait_while(self.lock(), empty);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.busy = true;
        let dropped = std::mem::take(&mut state.dropped);
        (state.texts.pop_front().unwrap_or_default(), dropped)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;

    /// Writes when it is told to, once for each permission; for good when nobody tells any more.
    struct Stalled {
        permits: mpsc::Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.permits.recv();
            self.written.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stalled_terminal_holds_nobody_up() {
        let queue: &'static Queue = Box::leak(Box::new(Queue::new()));
        let (permit, permits) = mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let out = Stalled { permits, written: Arc::clone(&written) };
        thread::spawn(move || queue.run(out));
        for n in 0..WAITING + 100 {
            queue.push(format!("{n}\n").into_bytes());
        }
        queue.flush(Duration::from_millis(10));
        assert!(written.lock().unwrap().is_empty());
        // It is read again: what was kept comes, and how much was not.
        drop(permit);
        queue.flush(Duration::from_secs(60));
        queue.push(b"last\n".to_vec());
        queue.flush(Duration::from_secs(60));
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert!(text.ends_with("last\n"));
        let lines = text.lines().filter(|line| line.parse::<usize>().is_ok()).count();
        assert!((WAITING..=WAITING + 1).contains(&lines), "{lines}");
        let dropped = WAITING + 100 - lines;
        assert_eq!(text.matches(&format!("({dropped} lines were dropped")).count(), 1, "{dropped}");
    }
}
