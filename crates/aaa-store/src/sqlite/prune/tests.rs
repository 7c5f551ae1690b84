use super::*;
use crate::{
    Settings,
    sqlite::{
        files::Claim,
        schema::{self, Look},
    },
};

fn rules() -> Rules {
    let body_retention = Some(std::time::Duration::from_secs(1));
    Rules::of(&Settings { body_retention, ..Settings::default() })
}

/// A store with a delivery, an event and a key per minute.
fn filled(rows: u32, body: usize) -> Connection {
    fill(schema::in_memory(), rows, body)
}

fn fill(db: Connection, rows: u32, body: usize) -> Connection {
    db.execute_batch("BEGIN").unwrap();
    for n in 0..rows {
        let time = i64::from(n) * 60_000_000;
        db.execute(
            "INSERT INTO deliveries VALUES (?, 'main', 'active', '', ?, ?)",
            params![n + 1, time, vec![b' '; body]],
        )
        .unwrap();
        db.execute(
            "INSERT INTO events (delivery, kind, item, payload_start, payload_length, stale) \
             VALUES (?, 'k', ?, 0, 1, 0)",
            params![n + 1, n],
        )
        .unwrap();
        db.execute(
            "INSERT INTO event_keys VALUES (?, ?)",
            params![behind(key_at(100 + n * 60)), n + 1],
        )
        .unwrap();
    }
    db.execute_batch("COMMIT").unwrap();
    db
}

/// Whatever there is to do, a step does a little; together they do it all.
#[test]
fn steps_are_small() {
    // Bodies of 40 kB: the bytes are the limit; small ones: the rows are.
    for (rows, body, limit) in [(1200, 10, 200), (300, 40_000, 53)] {
        let db = filled(rows, body);
        let now = Timestamp::from_second(60 * 24 * 60 * 60).unwrap();
        // The newest event is that late, too.
        db.execute(
            "INSERT INTO event_keys VALUES (?, 0)",
            [key_at(u32::try_from(now.as_second()).unwrap())],
        )
        .unwrap();
        let (mut all, mut pass, mut steps) = (Pruned::default(), Pass::FIRST, 0);
        while pass != Pass::Done {
            let (pruned, next) = step(&db, rules(), pass, u64::MAX, now).unwrap();
            assert!(pruned.keys <= 500 && pruned.deliveries <= limit, "{pruned:?}");
            assert!(pruned.pages <= 64, "{pruned:?}");
            assert!(next != pass || pruned.pages > 0, "{pass:?} does not go on");
            all.add(pruned);
            pass = next;
            steps += 1;
        }
        let rows = u64::from(rows);
        assert_eq!((all.keys, all.events, all.deliveries), (rows, rows, rows));
        assert!(steps > 5, "{steps}");
    }
}

/// A step takes as much as it may: as many rows or as many bytes.
#[test]
fn steps_are_not_too_small() {
    let now = Timestamp::from_second(60 * 24 * 60 * 60).unwrap();
    for (rows, body, first) in [(401, 10, 200), (60, 40_000, 53)] {
        let db = filled(rows, body);
        let (pruned, next) = step(&db, rules(), Pass::Bodies(0), u64::MAX, now).unwrap();
        assert_eq!((pruned.deliveries, next), (first, Pass::Bodies(i64::try_from(first).unwrap())));
    }
    // What is no whole page is the last.
    let db = filled(500, 1);
    db.execute("INSERT INTO event_keys VALUES (?, 0)", [key_at(60 * 24 * 60 * 60)]).unwrap();
    let (pruned, next) = step(&db, rules(), Pass::Keys([0; 16]), u64::MAX, now).unwrap();
    assert_eq!((pruned.keys, next == Pass::Bodies(0)), (500, false));
    let Pass::Keys(behind) = next else { panic!("{next:?}") };
    let (pruned, next) = step(&db, rules(), Pass::Keys(behind), u64::MAX, now).unwrap();
    assert_eq!((pruned.keys, next), (0, Pass::Bodies(0)));
    let db = filled(499, 1);
    db.execute("INSERT INTO event_keys VALUES (?, 0)", [key_at(60 * 24 * 60 * 60)]).unwrap();
    let (pruned, next) = step(&db, rules(), Pass::Keys([0; 16]), u64::MAX, now).unwrap();
    assert_eq!((pruned.keys, next), (499, Pass::Bodies(0)));
}

/// Free pages are given back a few at a time, and one in eight stays for what arrives next.
#[test]
fn a_few_free_pages_stay() {
    // Only files shrink.
    let directory = tempfile::tempdir().unwrap();
    let claim = Claim::new(&directory.path().join("aaa-data")).unwrap();
    let db = schema::open_writer(&claim.database, &Settings::default(), Look::Everywhere).unwrap();
    let db = fill(db, 1_500, 3_500);
    let pages = |name| schema::pragma(&db, name).unwrap();
    let too_many = || pages("freelist_count") - pages("page_count") / 8;
    let give_back = || step(&db, rules(), Pass::Pages, u64::MAX, Timestamp::UNIX_EPOCH).unwrap();
    let mut removed = 0;
    let mut remove_until = |wanted| {
        while too_many() < wanted {
            removed += 1;
            remove(&db, &[removed]).unwrap();
        }
        assert_eq!(too_many(), wanted);
    };
    remove_until(64);
    let (pruned, next) = give_back();
    assert_eq!((pruned.pages, next), (64, Pass::Done));
    remove_until(65);
    let (pruned, next) = give_back();
    assert_eq!((pruned.pages, next), (64, Pass::Pages));
    let rest = too_many();
    let (pruned, next) = give_back();
    assert_eq!((i64::try_from(pruned.pages), next), (Ok(rest), Pass::Done));
    assert!(pages("freelist_count") > 0);
}

/// The lists of where events are end with the last step, once.
#[test]
fn lists_end_when_all_bodies_were_looked_at() {
    let now = Timestamp::from_second(60 * 24 * 60 * 60).unwrap();
    let db = filled(201, 10);
    // A list of a block that is long gone.
    db.execute("UPDATE events SET seq = seq + 100000", []).unwrap();
    db.execute("INSERT INTO kind_blocks VALUES (0, 'k')", []).unwrap();
    let lists = || -> i64 {
        db.query_row("SELECT count(*) FROM kind_blocks WHERE block = 0", [], |row| row.get(0))
            .unwrap()
    };
    let (_, next) = step(&db, rules(), Pass::Bodies(0), u64::MAX, now).unwrap();
    assert_eq!((next, lists()), (Pass::Bodies(200), 1));
    let (_, next) = step(&db, rules(), next, u64::MAX, now).unwrap();
    assert_eq!((next, lists()), (Pass::Pages, 0));
}

/// What was stale when it came is remembered for as long as what was not.
#[test]
fn the_key_of_a_stale_event_stays_for_its_time() {
    let retention = Settings::default().key_retention.as_secs();
    let now = 2 * retention;
    let since = i64::try_from(now - retention).unwrap();
    for (arrived, stays) in [(since - 1, false), (since, true)] {
        let db = filled(0, 0);
        db.execute(
            "INSERT INTO deliveries VALUES (1, 'main', 'active', '', ?, x'00')",
            [arrived * 1_000_000 + 999_999],
        )
        .unwrap();
        db.execute_batch(
            "INSERT INTO events (delivery, kind, item, payload_start, payload_length, stale) \
             VALUES (1, 'k', 'i', 0, 1, 1)",
        )
        .unwrap();
        let newest = key_at(u32::try_from(now).unwrap());
        db.execute("INSERT INTO event_keys VALUES (?, 1), (?, 2)", [key_at(100), newest]).unwrap();
        let now = Timestamp::from_second(i64::try_from(now).unwrap()).unwrap();
        let (pruned, _) = step(&db, rules(), Pass::Keys([0; 16]), u64::MAX, now).unwrap();
        assert_eq!(pruned.keys, u64::from(!stays), "{arrived}");
    }
}

/// The time at the front of the keys finds what is over: no other key is looked at.
#[test]
fn keys_are_found_by_their_time() {
    let db = schema::in_memory();
    let mut plan = db
        .prepare("EXPLAIN QUERY PLAN SELECT key, seq FROM event_keys WHERE key >= ? AND key < ? ORDER BY key LIMIT ?")
        .unwrap();
    let plan: String = plan.query_row(["", "", "1"], |row| row.get(3)).unwrap();
    assert_eq!(plan, "SEARCH event_keys USING PRIMARY KEY (key>? AND key<?)");
}

/// What arrives while retention is at work is not filed yet, and old when the clocks differ.
#[test]
fn what_goes_is_filed_before() {
    let db = schema::in_memory();
    db.execute_batch(
        "INSERT INTO deliveries VALUES (1, 'main', 'active', '', 0, x'00'); \
         INSERT INTO events (delivery, kind, item, payload_start, payload_length, stale, \
         unfiled_key) VALUES (1, 'k', 'i', 0, 1, 0, x'00000000112233445566778899aabbcc')",
    )
    .unwrap();
    let now = Timestamp::from_second(60 * 60).unwrap();
    let (pruned, _) = step(&db, rules(), Pass::Bodies(0), u64::MAX, now).unwrap();
    assert_eq!((pruned.events, pruned.deliveries), (1, 1));
    let keys: i64 = db.query_row("SELECT count(*) FROM event_keys", [], |row| row.get(0)).unwrap();
    assert_eq!(keys, 1, "a copy would be stored again");
    let counted = |name| counters::read(&db, name).unwrap();
    assert_eq!((counted(counters::EVENTS), counted(PRUNED_EVENTS)), (Some(1), Some(1)));
}
