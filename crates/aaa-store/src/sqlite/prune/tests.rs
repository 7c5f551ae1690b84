use super::*;
use crate::{Settings, sqlite::schema};

fn rules() -> Rules {
    let body_retention = Some(std::time::Duration::from_secs(1));
    Rules::of(&Settings { body_retention, ..Settings::default() })
}

/// A store with a delivery, an event and a key per minute.
fn filled(rows: u32, body: usize) -> Connection {
    let db = schema::in_memory();
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
