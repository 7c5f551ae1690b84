use aaa_replay::ledger::Purpose;

use super::{super::filing, *};
use crate::sqlite::ledger;

const SECOND: Duration = Duration::from_secs(1);

fn open(path: &Path) -> Result<Connection, StoreError> {
    // As the claim on a directory leaves it.
    std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    let settings = Settings { page_size: 8192, busy_timeout: SECOND, ..Settings::default() };
    open_writer(path, &settings, Look::Everywhere)
}

#[test]
fn a_connection_is_durable_and_the_file_as_asked() {
    let directory = tempfile::tempdir().unwrap();
    let db = open(&directory.path().join("aaa.db")).unwrap();
    let settings = [
        ("synchronous", FULL),
        ("page_size", 8192),
        ("auto_vacuum", 2), // incremental
        ("foreign_keys", 1),
        ("busy_timeout", 1000),
        ("user_version", VERSION),
        ("application_id", APPLICATION_ID),
    ];
    for (name, expected) in settings {
        assert_eq!(pragma(&db, name).unwrap(), expected, "{name}");
    }
}

#[test]
fn what_cannot_be_durable_is_refused() {
    // A database in memory has no write-ahead log.
    let db = Connection::open_in_memory().unwrap();
    let error = make_durable(&db, Path::new("aaa.db")).unwrap_err();
    insta::assert_snapshot!(error, @"`aaa.db` cannot be written durably: journal_mode is `memory` and must be `wal`; is the data directory on a network file system?");
}

#[test]
fn a_file_that_was_only_begun_is_finished() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("aaa.db");
    // Killed after the first page was written, before the tables were.
    let begun = Connection::open(&path).unwrap();
    begun.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL").unwrap();
    drop(begun);
    assert!(std::fs::metadata(&path).unwrap().len() > 0);
    assert!(matches!(open_reader(&path, SECOND), Err(StoreError::Missing { .. })));
    let db = open(&path).unwrap();
    assert_eq!(pragma(&db, "user_version").unwrap(), VERSION);
    assert_eq!(pragma(&db, "auto_vacuum").unwrap(), 2);
}

#[test]
fn the_schema_is_fixed() {
    // A released migration is never changed, so neither is what it makes.
    let db = in_memory();
    let mut statement = db
        .prepare("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
        .unwrap();
    let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let names: Vec<_> = names.map(Result::unwrap).collect();
    insta::assert_snapshot!(names.join(" "), @"attempts counters coverage cursors dead_letters dead_letters_to_redrive declared_gaps deliveries event_keys events events_by_delivery kind_blocks lease proofs redactions seen subscribers user_blocks");
}

#[test]
fn a_second_start_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("aaa.db");
    drop(open(&path).unwrap());
    let before = std::fs::read(&path).unwrap();
    drop(open(&path).unwrap());
    assert!(before == std::fs::read(&path).unwrap());
}

/// A file as version 1 left it, with an event in it.
fn version_1(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL").unwrap();
    db.execute_batch(include_str!("version_1.sql")).unwrap();
    db.execute_batch(
        r#"
        INSERT INTO deliveries VALUES (1, 'main', 'active', 'sha256=', 1763784780000000,
            CAST('{"for_user_id":"7","tweet_create_events":[{"id_str":"20"}]}' AS BLOB));
        INSERT INTO events VALUES (1, 1, 'tweet_create_events', '7', '20', NULL, 43, 15, 0);
        INSERT INTO event_keys VALUES (x'00000000112233445566778899aabbcc', 1);
        INSERT INTO counters VALUES ('events', 1), ('deliveries', 1);
        INSERT INTO coverage VALUES (1, -2, 1763784780000000, 5000000, -1500000, 1, 3,
            1763784790000000, 15000000, -1500000, 1, 3);
        INSERT INTO attempts VALUES (1, '12', '202511220413', '202511220420', '202511220412',
            '202511220421', 1763787000000000, 1763787060000000,
            '{"state":"recovered","job":"5"}');
        "#,
    )
    .unwrap();
    db
}

fn names(db: &Connection) -> String {
    let mut statement = db
        .prepare("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
        .unwrap();
    let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    names.map(Result::unwrap).collect::<Vec<_>>().join(" ")
}

#[test]
fn version_1_is_what_the_first_migration_makes() {
    let schema = |db: &Connection| {
        let sql = "SELECT group_concat(sql, ';') FROM sqlite_schema";
        db.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap()
    };
    let released = Connection::open_in_memory().unwrap();
    released.execute_batch(include_str!("version_1.sql")).unwrap();
    let mut made = Connection::open_in_memory().unwrap();
    migrate(&mut made, &MIGRATIONS[..1]).unwrap();
    assert_eq!(schema(&made), schema(&released), "a released migration was changed");
}

#[test]
fn an_older_file_is_brought_up_to_date() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("aaa.db");
    drop(version_1(&path));
    let error = open_reader(&path, SECOND).unwrap_err();
    let expected = StoreError::Older { path: path.clone(), found: 1, known: VERSION };
    assert_eq!(error, expected);
    assert_eq!(open_beside(&path, SECOND).unwrap_err(), expected);

    let db = open(&path).unwrap();
    assert_eq!(pragma(&db, "user_version").unwrap(), VERSION);
    assert_eq!(names(&db), names(&in_memory()));
    // What was there is there, and needs not be filed any more.
    let wanted = filing::Wanted { kind: Some("tweet_create_events"), user: Some("7") };
    assert_eq!(wanted.stretch(&db, 0).unwrap(), (1, 1));
    assert_eq!((filing::filed(&db).unwrap(), filing::uncounted(&db).unwrap()), (1, (0, 0)));
    let found = "SELECT seq FROM events JOIN event_keys USING (seq)";
    let seq: i64 = db.query_row(found, [], |row| row.get(0)).unwrap();
    assert_eq!(seq, 1);
    // Coverage and attempts know nothing of what was not counted then.
    let (number, span) = ledger::spans_from(&db, 0).unwrap()[0];
    assert_eq!((number, span.last.tally.refusals, span.last.tally.arrived), (1, 3, 0));
    assert_eq!((span.last.x_time().as_second(), span.verified), (1_763_784_788, None));
    let attempts = ledger::attempts(&db).unwrap();
    assert_eq!((attempts[0].intent.purpose, attempts[0].found), (Purpose::Gap, 0));
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("aaa.db");
    let mut db = version_1(&path);
    let before = names(&db);
    let broken = [MIGRATIONS[0], "CREATE TABLE half (x); DROP TABLE events;", "no SQL"];
    migrate(&mut db, &broken).unwrap_err();
    assert_eq!((pragma(&db, "user_version").unwrap(), names(&db)), (1, before));
    drop(db);
    assert_eq!(pragma(&open(&path).unwrap(), "user_version").unwrap(), VERSION);
}

#[test]
fn a_process_that_dies_in_a_migration_leaves_the_old_version() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("aaa.db");
    let db = version_1(&path);
    // With so little memory, half of the transaction is in the log already.
    db.execute_batch("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE").unwrap();
    db.execute_batch(MIGRATIONS[1]).unwrap();
    db.execute_batch(
        "CREATE TABLE large AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
         LIMIT 200) SELECT randomblob(4000) FROM n; PRAGMA user_version = 2",
    )
    .unwrap();
    let killed = directory.path().join("killed.db");
    let log = |path: &Path| path.with_extension("db-wal");
    std::fs::copy(&path, &killed).unwrap();
    std::fs::copy(log(&path), log(&killed)).unwrap();
    assert!(std::fs::metadata(log(&killed)).unwrap().len() > 400_000);

    let old = Connection::open(&killed).unwrap();
    assert_eq!(pragma(&old, "user_version").unwrap(), 1);
    drop(old);
    let db = open(&killed).unwrap();
    assert_eq!(names(&db), names(&in_memory()));
    let events: i64 = db.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!(events, 1);
}

#[test]
fn a_newer_file_names_both_versions() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("aaa.db");
    version_1(&path).pragma_update(None, "user_version", 9).unwrap();
    let error = open(&path).unwrap_err().to_string();
    let error = error.replace(directory.path().to_str().unwrap(), "DIR");
    insta::assert_snapshot!(error, @"`DIR/aaa.db` has schema version 9, and this program knows versions up to 7: use the newer program, or a backup that was made before it first ran");
}

#[test]
fn the_edges_of_every_table_are_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("aaa.db");
    let settings = Settings::default();
    drop(version_1(&path));
    drop(open(&path).unwrap());
    open_writer(&path, &settings, Look::AtEdges).unwrap();
    let root: usize = Connection::open(&path)
        .unwrap()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'event_keys'", [], |row| {
            row.get::<_, i64>(0).map(|page| page as usize)
        })
        .unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(root - 1) * 4096..(root - 1) * 4096 + 8].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let error = open_writer(&path, &settings, Look::AtEdges).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}
