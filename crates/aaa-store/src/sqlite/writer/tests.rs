use std::{
    fs, io,
    pin::{Pin, pin},
    sync::mpsc as std_mpsc,
    time::Duration,
};

use rusqlite::ffi;
use tempfile::TempDir;

use super::*;
use crate::sqlite::schema::{self, Look};

/// A writer on a file of its own, without a reader.
struct Bench {
    _directory: TempDir,
    database: std::path::PathBuf,
    writer: WriterThread,
    last_seq: watch::Receiver<u64>,
}

impl Bench {
    fn new() -> Self {
        Self::run_by(|writer| drop(thread::spawn(|| writer.run())))
    }

    fn run_by(run: impl FnOnce(Writer)) -> Self {
        let settings = Settings { busy_timeout: Duration::from_millis(50), ..Settings::default() };
        Self::with(settings, run)
    }

    fn with(settings: Settings, run: impl FnOnce(Writer)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let claim = Claim::new(&directory.path().join("aaa-data")).unwrap();
        let database = claim.database.clone();
        let db = schema::open_writer(&database, &settings, Look::Everywhere).unwrap();
        let (sender, last_seq) = watch::channel(0);
        let (handle, writer) = WriterThread::prepare(claim, db, &settings, sender).unwrap();
        run(writer);
        let writer = handle;
        Self { _directory: directory, database, writer, last_seq }
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Batch<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.write(0, Wait::ForRoom, work).await
    }

    /// Adds as soon as the file was opened again; `refused` is told meanwhile.
    async fn add_after(&self, refused: &StoreError) -> Result<i64, StoreError> {
        let attempt = async {
            loop {
                match self.add(10).await {
                    Err(error) if error == *refused => tokio::task::yield_now().await,
                    other => break other,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), attempt).await.unwrap()
    }

    async fn add(&self, bytes: usize) -> Result<i64, StoreError> {
        self.write(move |batch| add(batch, bytes)).await
    }

    /// A setting that belongs to the connection, so that another connection does not have it.
    async fn mark(&self) {
        self.write(|batch| batch.db.pragma_update(None, "cache_size", -77)).await.unwrap();
        assert!(self.is_marked().await);
    }

    async fn is_marked(&self) -> bool {
        let size: i64 = self
            .write(|batch| batch.db.pragma_query_value(None, "cache_size", |row| row.get(0)))
            .await
            .unwrap();
        size == -77
    }

    async fn fail(&self, code: i32) -> StoreError {
        self.write(move |_| -> rusqlite::Result<()> { Err(failure(code)) }).await.unwrap_err()
    }

    async fn count(&self) -> i64 {
        self.write(|batch| batch.db.query_row("SELECT count(*) FROM deliveries", [], |r| r.get(0)))
            .await
            .unwrap()
    }
}

/// Begins something that cannot end yet.
async fn waits<F: Future>(work: Pin<&mut F>) -> bool {
    tokio::select! {
        biased;
        _ = work => false,
        () = std::future::ready(()) => true,
    }
}

fn add(batch: &mut Batch<'_>, bytes: usize) -> rusqlite::Result<i64> {
    batch
        .db
        .prepare(
            "INSERT INTO deliveries (app, slot, signature, arrived_at, body) \
             VALUES ('main', 'active', '', 0, ?)",
        )?
        .insert([vec![b' '; bytes]])
}

fn failure(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

#[tokio::test]
async fn a_queue_may_be_as_long_as_there_are_numbers() {
    let most = usize::MAX;
    let settings = Settings { queue_deliveries: most, queue_bytes: most, ..Settings::default() };
    let bench = Bench::with(settings, |writer| drop(thread::spawn(|| writer.run())));
    bench.add(10).await.unwrap();
    assert_eq!(bench.count().await, 1);
}

#[tokio::test]
async fn what_waits_is_counted_until_it_is_answered() {
    let mut stopped = None;
    let bench = Bench::run_by(|writer| stopped = Some(writer));
    let [first, second] = [10, 7].map(|bytes| bench.writer.write(bytes, Wait::Never, |_| Ok(())));
    let (mut first, mut second) = (pin!(first), pin!(second));
    assert!(waits(first.as_mut()).await && waits(second.as_mut()).await);
    assert_eq!(bench.writer.queued(), Queued { deliveries: 2, bytes: 17 });
    thread::spawn(|| stopped.unwrap().run());
    assert_eq!((first.await, second.await), (Ok(()), Ok(())));
    assert_eq!(bench.writer.queued(), Queued::default());
}

#[tokio::test]
async fn a_batch_ends_at_its_limits() {
    for (bytes, batches) in [(6, [3, 3, 1].as_slice()), (10, &[2, 2, 2, 1]), (99, &[1; 7])] {
        let settings = Settings { batch_deliveries: 3, batch_bytes: 20, ..Settings::default() };
        let mut stopped = None;
        let bench = Bench::with(settings, |writer| stopped = Some(writer));
        let mut writes =
            [(); 7].map(|()| Box::pin(bench.writer.write(bytes, Wait::Never, |_| Ok(()))));
        for write in &mut writes {
            assert!(waits(write.as_mut()).await);
        }
        let mut writer = stopped.unwrap();
        let mut taken = Vec::new();
        while let Ok(first) = writer.receiver.try_recv() {
            taken.push(writer.gather(first).len());
        }
        assert_eq!(taken, batches, "{bytes}");
    }
}

#[tokio::test]
async fn a_full_disk_refuses_until_there_is_room() {
    let bench = Bench::new();
    bench.add(10).await.unwrap();
    bench.mark().await;
    bench.write(|batch| batch.db.pragma_update(None, "max_page_count", 40)).await.unwrap();

    let full = Err(StoreError::DiskFull { path: bench.database.clone() });
    assert_eq!(bench.add(1_000_000).await, full);
    // Whoever shares a transaction with something too large shares its fate.
    let (release, released) = std_mpsc::channel::<()>();
    let blocker = bench.write(move |_| {
        let _ = released.recv();
        Ok(())
    });
    let releaser = async { drop(release) };
    let (_, small, large, ()) = tokio::join!(blocker, bench.add(1), bench.add(1_000_000), releaser);
    assert_eq!((small, large), (full.clone(), full));
    assert_eq!(bench.count().await, 1);

    let room = 1_000_000;
    bench.write(move |batch| batch.db.pragma_update(None, "max_page_count", room)).await.unwrap();
    bench.add(1_000_000).await.unwrap();
    assert_eq!(bench.count().await, 2);
    assert!(bench.is_marked().await, "a full disk is no reason to open the file again");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A disk may be full for hours, and a heartbeat alone is refused every few seconds.
#[tokio::test]
async fn a_full_disk_is_told_once_and_so_is_its_end() {
    // With a single subscriber, tracing asks the thread that comes by first whether anybody listens,
    // which may be another test's.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer({
            let log = log.clone();
            move || log.clone()
        })
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .finish();
    let bench = Bench::run_by(|mut writer| {
        writer.refusing = FailureStreak::ending_after(Duration::ZERO);
        thread::spawn(move || {
            let _told = tracing::subscriber::set_default(subscriber);
            writer.run();
        });
    });
    for _ in 0..2 {
        bench.write(|batch| batch.db.pragma_update(None, "max_page_count", 40)).await.unwrap();
        for _ in 0..5 {
            bench.add(1_000_000).await.unwrap_err();
        }
        bench.write(|batch| batch.db.pragma_update(None, "max_page_count", 9999)).await.unwrap();
        bench.add(10).await.unwrap();
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let text = text.replace(&bench.database.display().to_string(), "DATABASE");
    insta::assert_snapshot!(text, @"
     WARN nothing of a batch was stored error=the disk of `DATABASE` is full: make room; deliveries are stored again as soon as there is some refused=1
     INFO batches are stored again refused=5
     WARN nothing of a batch was stored error=the disk of `DATABASE` is full: make room; deliveries are stored again as soon as there is some refused=1
     INFO batches are stored again refused=5
    ");
}

/// A real refusal of SQLite's: everybody in the transaction hears of it, and the next one opens
/// the file again.
#[tokio::test]
async fn a_file_that_cannot_be_written_refuses_everybody() {
    let bench = Bench::new();
    bench.add(10).await.unwrap();
    let (release, released) = std_mpsc::channel::<()>();
    let (begin, begun) = oneshot::channel::<()>();
    let mut begin = Some(begin);
    // Its own transaction has begun and still ends well; none begins behind it.
    let blocker = bench.write(move |batch| {
        batch.db.pragma_update(None, "query_only", true)?;
        drop(begin.take());
        let _ = released.recv();
        Ok(())
    });
    // Whoever comes while a batch is written is in the next one, all of them.
    let others = async {
        let _ = begun.await;
        let releaser = async { drop(release) };
        tokio::join!(bench.add(1), bench.add(2), bench.add(3), releaser)
    };
    let (blocked, (a, b, c, ())) = tokio::join!(blocker, others);
    assert_eq!(blocked, Ok(()));
    for refused in [&a, &b, &c] {
        assert!(matches!(refused, Err(StoreError::ReadOnly { .. })), "{refused:?}");
    }
    assert_eq!(bench.add_after(&a.unwrap_err()).await, Ok(2));
    assert_eq!(bench.count().await, 2);
}

#[tokio::test]
async fn after_an_io_error_the_file_is_opened_again() {
    for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_READONLY_DBMOVED] {
        let bench = Bench::new();
        bench.add(10).await.unwrap();
        bench.mark().await;
        let error = bench.fail(code).await;
        assert!(error.breaks_connection(), "{error}");
        assert_eq!(bench.add_after(&error).await, Ok(2));
        assert!(!bench.is_marked().await, "it still uses the connection that failed");
    }
}

/// What a failed sync left in the log may not be on the disk, although it reads well.
#[tokio::test]
async fn after_an_io_error_nothing_is_left_to_the_log() {
    let bench = Bench::new();
    // A second connection, so that closing the first one does not empty the log by itself.
    let other = Connection::open(&bench.database).unwrap();
    for _ in 0..20 {
        bench.add(20_000).await.unwrap();
    }
    // SQLite opens a file when it is first used.
    other.query_row("SELECT count(*) FROM deliveries", [], |_| Ok(())).unwrap();
    let log = bench.database.with_file_name("aaa.db-wal");
    assert!(fs::metadata(&log).unwrap().len() > 400_000);
    let error = bench.fail(ffi::SQLITE_IOERR_FSYNC).await;
    assert_eq!(bench.add_after(&error).await, Ok(21));
    assert!(fs::metadata(&log).unwrap().len() < 100_000, "the old log is still in use");
    drop(other);
}

/// A reader that keeps the log from being emptied only delays that.
#[tokio::test]
async fn a_reader_delays_the_recovery() {
    let bench = Bench::new();
    bench.add(10).await.unwrap();
    let other = Connection::open(&bench.database).unwrap();
    other.execute_batch("BEGIN; SELECT count(*) FROM deliveries").unwrap();
    bench.add(10).await.unwrap();
    let error = bench.fail(ffi::SQLITE_IOERR_FSYNC).await;
    let busy = bench.add_after(&error).await.unwrap_err();
    assert!(matches!(busy, StoreError::Busy { .. }), "{busy}");
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(bench.add_after(&busy).await, Ok(3));
}

#[tokio::test]
async fn a_database_that_is_gone_takes_nothing() {
    let bench = Bench::new();
    bench.add(10).await.unwrap();
    let elsewhere = bench.database.with_extension("away");
    fs::rename(&bench.database, &elsewhere).unwrap();

    let error = bench.add(10).await.unwrap_err();
    assert!(error.to_string().contains("moved or deleted"), "{error}");
    // Killed now, the next process would look at everything.
    let mark = || fs::read_to_string(bench.database.with_file_name("aaa.lock")).unwrap();
    assert_eq!(mark(), "");
    // The next one finds out that it is still so; no new file hides what was lost.
    let error = bench.add_after(&error).await.unwrap_err();
    assert_eq!(error, StoreError::Missing { path: bench.database.clone() });
    assert!(!bench.database.exists());

    fs::rename(&elsewhere, &bench.database).unwrap();
    assert_eq!(bench.add_after(&error).await, Ok(2));
    // It was looked at.
    assert!(!cfg!(target_os = "linux") || mark().starts_with("open "));
}

#[tokio::test]
async fn another_file_in_its_place_is_noticed() {
    let bench = Bench::new();
    bench.add(10).await.unwrap();
    let copy = bench.database.with_extension("copy");
    fs::copy(&bench.database, &copy).unwrap();
    fs::rename(&copy, &bench.database).unwrap();
    let error = bench.add(10).await.unwrap_err();
    assert!(error.to_string().contains("moved or deleted"), "{error}");
}

#[tokio::test]
async fn damage_is_final_and_left_as_it_is() {
    let bench = Bench::new();
    for _ in 0..200 {
        bench.add(1000).await.unwrap();
    }
    // Everything into the database file, where it is damaged then.
    Connection::open(&bench.database)
        .unwrap()
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    let mut bytes = fs::read(&bench.database).unwrap();
    bytes[4096..].fill(0x55);
    fs::write(&bench.database, &bytes).unwrap();

    let error = bench.fail(ffi::SQLITE_CORRUPT).await;
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    for _ in 0..3 {
        let error = bench.add(10).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
    assert!(fs::read(&bench.database).unwrap() == bytes, "a damaged file was written to");
    // It is not looked at again and again; whoever repairs it starts the listener anew.
    bench.writer.close().await.unwrap();
    let error = bench.add(10).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn a_false_alarm_of_damage_passes() {
    let bench = Bench::new();
    let error = bench.fail(ffi::SQLITE_CORRUPT).await;
    assert_eq!(bench.add_after(&error).await, Ok(1));
}

#[tokio::test]
async fn one_bad_statement_refuses_only_itself() {
    let bench = Bench::new();
    let (release, released) = std_mpsc::channel::<()>();
    // Until it is released, everything else waits for the next batch.
    let blocker = bench.write(move |_| {
        let _ = released.recv();
        Ok(())
    });
    let good = bench.add(1);
    let bad = bench.write(|batch| {
        add(batch, 2)?;
        Err::<(), _>(failure(ffi::SQLITE_CONSTRAINT_CHECK))
    });
    let also_good = bench.add(3);
    let releaser = async { drop(release) };
    let (_, good, bad, also_good, ()) = tokio::join!(blocker, good, bad, also_good, releaser);
    assert_eq!((good, also_good), (Ok(1), Ok(2)));
    assert!(matches!(bad, Err(StoreError::Refused { .. })), "{bad:?}");
    assert_eq!(bench.count().await, 2);
}

#[tokio::test]
async fn nobody_is_answered_before_the_commit() {
    let bench = Bench::new();
    // Every statement succeeds; only the commit finds that the delivery is not there.
    let orphan = |batch: &mut Batch<'_>| {
        batch.db.pragma_update(None, "defer_foreign_keys", true)?;
        batch.db.execute(
            "INSERT INTO events (delivery, kind, item, payload_start, payload_length, stale) \
             VALUES (99, 'k', 'i', 0, 0, 0)",
            [],
        )
    };
    let (refused, added) = tokio::join!(bench.write(orphan), bench.add(10));
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    assert_eq!(added, Ok(1));
    let refused = bench.write(orphan).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    assert_eq!(bench.count().await, 1);
}

#[tokio::test]
async fn somebody_elses_transaction_is_waited_for_and_then_named() {
    let bench = Bench::new();
    let other = Connection::open(&bench.database).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = bench.add(10).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    other.execute_batch("COMMIT").unwrap();
    bench.add(10).await.unwrap();
    assert_eq!(*bench.last_seq.borrow(), 0, "no event was stored");
}
