//! Prints events as they arrive.

use std::{
    io::{self, ErrorKind, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use aaa_webhook::inbox::{EventLog, EventQuery};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use super::{READ_AGAIN, store::Store};
use crate::{
    cli::Format,
    events,
    exit::{Exit, Failure},
};

/// How many events are read at once.
const PAGE: usize = 200;

/// How many lines may wait for a slow reader; the others wait in the inbox.
const WAITING: usize = 64;

/// A reader that begins at the end of the inbox.
pub(super) struct Live {
    store: Store,
    format: Format,
    after: u64,
    printed: Arc<AtomicU64>,
}

impl Live {
    /// Remembers where the inbox ends now.
    pub(super) async fn new(store: Store, format: Format) -> Result<Self, Failure> {
        let stats = store.stats().await;
        let stats = stats.map_err(|error| Exit::Failed.of("could not read the store", error))?;
        let after = stats.last_seq.unwrap_or(0);
        Ok(Self { store, format, after, printed: Arc::new(AtomicU64::new(after)) })
    }

    /// Returns the number of the last event that was printed, as it rises; nothing when none is.
    pub(super) fn printed(&self) -> Option<Arc<AtomicU64>> {
        (self.format != Format::None).then(|| Arc::clone(&self.printed))
    }

    /// Prints until the end of the run, or until nobody reads any more; the receiver does not
    /// care. A reader that stalls holds up this task and a thread of its own, nothing else; what
    /// cannot be written, since the disk is full, waits in the inbox until it can.
    pub(super) async fn run(self, ended: impl Future<Output = ()>) -> Result<(), Failure> {
        if self.format == Format::None {
            return Ok(());
        }
        let (lines, waiting) = mpsc::channel(WAITING);
        let (end, ending) = watch::channel(false);
        let mut ends = ending.clone();
        let printer = Printer { waiting, printed: Arc::clone(&self.printed), ending };
        let pause = || thread::sleep(READ_AGAIN);
        let printer = tokio::task::spawn_blocking(move || printer.run(io::stdout(), pause));
        let ended = async {
            ended.await;
            end.send_replace(true);
            std::future::pending::<()>().await;
        };
        let read = self.read(lines, async move {
            let _ = ends.wait_for(|ends| *ends).await;
        });
        let read = tokio::select! {
            read = read => read,
            // It is told both, also while they wait for each other.
            () = ended => Ok(()),
        };
        read.and(printer.await.unwrap_or(Ok(())))
    }

    async fn read(
        mut self,
        lines: mpsc::Sender<(u64, String)>,
        ended: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        let mut committed = self.store.subscribe();
        let mut ended = std::pin::pin!(ended);
        let mut ending = false;
        loop {
            committed.mark_unchanged();
            let page = match self.store.events(EventQuery::after(self.after, PAGE)).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(%error, "events cannot be printed; trying again");
                    sleep(READ_AGAIN).await;
                    continue;
                }
            };
            for event in &page {
                self.after = event.seq;
                let line = events::text(event, self.format == Format::Json)?;
                if lines.send((event.seq, line)).await.is_err() {
                    return Ok(());
                }
            }
            if !page.is_empty() {
                continue;
            }
            if ending {
                return Ok(());
            }
            tokio::select! {
                // What the end of the run still brought is printed before this ends.
                () = &mut ended => ending = true,
                changed = committed.changed() => ending = changed.is_err(),
            }
        }
    }
}

/// Writes lines, on a thread for that.
struct Printer {
    waiting: mpsc::Receiver<(u64, String)>,
    /// The number of the last event whose line is written.
    printed: Arc<AtomicU64>,
    /// Whether the run ends.
    ending: watch::Receiver<bool>,
}

impl Printer {
    /// Writes until there are no more lines, or nobody reads them. Where a write fails otherwise it
    /// goes on after a pause, behind the last byte that was written.
    fn run(mut self, mut out: impl Write, pause: impl Fn()) -> Result<(), Failure> {
        let mut fails = false;
        while let Some((seq, mut line)) = self.waiting.blocking_recv() {
            line.push('\n');
            let mut rest = line.as_bytes();
            while let Err(error) = write(&mut out, &mut rest) {
                if error.kind() == ErrorKind::BrokenPipe {
                    tracing::warn!("nobody reads what is printed: no more events are");
                    return Ok(());
                }
                if *self.ending.borrow() {
                    return Err(Exit::Failed.of("could not write to stdout", error));
                }
                if !std::mem::replace(&mut fails, true) {
                    tracing::error!(%error, seq, "events cannot be printed; trying again");
                }
                pause();
            }
            if std::mem::take(&mut fails) {
                tracing::info!(seq, "events are printed again");
            }
            self.printed.store(seq, SeqCst);
        }
        Ok(())
    }
}

/// Writes what is left of a line, and takes away from that what was written.
fn write(out: &mut impl Write, rest: &mut &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match out.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => *rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use super::*;

    /// A disk on which there is room for so many bytes, behind the buffer that stdout has.
    struct Disk {
        room: Rc<Cell<usize>>,
        error: ErrorKind,
        written: Vec<u8>,
    }

    impl Write for &mut Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fits = bytes.len().min(self.room.get());
            if fits == 0 {
                return Err(self.error.into());
            }
            self.room.set(self.room.get() - fits);
            self.written.extend(&bytes[..fits]);
            Ok(fits)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Printed {
        ended: Result<(), Failure>,
        text: String,
        seq: u64,
    }

    /// Prints three lines, of which the second is long, onto a disk with room for a part of them.
    fn print(room: usize, error: ErrorKind, ending: bool) -> Printed {
        let (lines, waiting) = mpsc::channel(3);
        for (seq, line) in [(1, "one"), (2, &*"two ".repeat(1000)), (3, "three")] {
            lines.try_send((seq, line.to_owned())).unwrap();
        }
        drop(lines);
        let printed = Arc::new(AtomicU64::new(0));
        let (_end, ending) = watch::channel(ending);
        let printer = Printer { waiting, printed: Arc::clone(&printed), ending };
        let room = Rc::new(Cell::new(room));
        let mut disk = Disk { room: Rc::clone(&room), error, written: Vec::new() };
        // Somebody makes room, a little each time.
        let pause = || room.set(700);
        let ended = printer.run(io::LineWriter::new(&mut disk), pause);
        let text = String::from_utf8(disk.written).unwrap();
        Printed { ended, text, seq: printed.load(SeqCst) }
    }

    #[test]
    fn a_full_disk_is_waited_for_and_nothing_is_printed_twice() {
        let all = format!("one\n{}\nthree\n", "two ".repeat(1000));
        for room in [0, 2, 4, 5, 1000, 4000, 4005, 4006, 4010, 9999] {
            let printed = print(room, ErrorKind::StorageFull, false);
            assert!(printed.ended.is_ok(), "{room}: {:?}", printed.ended);
            assert!(printed.text == all, "{room}: {}", printed.text);
            assert_eq!(printed.seq, 3, "{room}");
        }
    }

    #[test]
    fn at_the_end_nobody_waits_for_a_full_disk() {
        let printed = print(1000, ErrorKind::StorageFull, true);
        insta::assert_snapshot!(printed.ended.unwrap_err(), @"could not write to stdout: no storage space");
        assert_eq!(printed.seq, 1);
    }

    #[test]
    fn who_reads_no_more_is_not_waited_for() {
        let printed = print(4, ErrorKind::BrokenPipe, false);
        assert!(printed.ended.is_ok());
        assert_eq!((printed.text.as_str(), printed.seq), ("one\n", 1));
    }
}
