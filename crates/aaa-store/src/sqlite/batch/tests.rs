use super::*;
use crate::{
    conformance::delivery_at,
    sqlite::{
        counters::{COMMITS, FILED},
        schema,
    },
};

const ARRIVED: i64 = 1_763_784_000;

/// Stores deliveries of one event each, which have these ids and happened so many milliseconds
/// before they arrived, in one transaction; says which of them are stale.
fn store(db: &Connection, unfiled: &mut Unfiled, events: &[(&str, i64)]) -> Vec<bool> {
    let arrived_at = Timestamp::from_second(ARRIVED).unwrap();
    let rules = Rules::of(&Settings::default());
    let mut batch = Batch::new(db, rules, unfiled).unwrap();
    for (id, age) in events {
        let time = arrived_at.as_millisecond() - age;
        let body = format!(
            r#"{{"for_user_id":"7","favorite_events":[{{"id":"{id}","timestamp_ms":"{time}"}}]}}"#
        );
        batch.store(&delivery_at(&body, arrived_at)).unwrap();
    }
    batch.finish().unwrap();
    unfiled.keep();
    let mut last = db.prepare("SELECT stale FROM events ORDER BY seq DESC LIMIT ?").unwrap();
    let last = last.query_map([number(events.len())], |row| row.get(0)).unwrap();
    let mut last: Vec<bool> = last.map(Result::unwrap).collect();
    last.reverse();
    last
}

#[test]
fn an_event_is_stale_when_its_key_may_be_gone() {
    let week = i64::try_from(Settings::default().key_retention.as_millis()).unwrap();
    let minute = 60_000;
    // X's clock is a minute behind ours, the same, a minute ahead of it.
    for (offset, limit) in [(-minute, week + minute), (0, week), (minute, week)] {
        let (db, mut unfiled) = (schema::in_memory(), Unfiled::default());
        db.execute(
            "INSERT INTO coverage (run, first_wall, first_uptime, first_offset, first_offset_read, \
             first_refusals, last_wall, last_uptime, last_offset, last_offset_read, last_refusals) \
             VALUES (1, 0, 0, 0, 1, 0, 0, 0, ?, 1, 0)",
            [offset * 1000],
        )
        .unwrap();
        let stale = store(&db, &mut unfiled, &[("a", limit - 1), ("b", limit), ("c", limit + 1)]);
        assert_eq!(stale, [false, false, true], "{offset}");
    }
}

/// However short it is ago, a key may have been removed by another clock or another setting.
#[test]
fn what_was_removed_counts_too() {
    let (db, mut unfiled) = (schema::in_memory(), Unfiled::default());
    counters::raise(&db, KEYS_SINCE, ARRIVED - 10).unwrap();
    let stale = store(&db, &mut unfiled, &[("a", 9999), ("b", 10_000), ("c", 10_001)]);
    assert_eq!(stale, [false, false, true]);
}

/// A counter is a page of its own, which a batch writes where it has to write something anyhow.
#[test]
fn commits_are_counted_with_copies_and_with_what_is_filed() {
    let (db, mut unfiled) = (schema::in_memory(), Unfiled::default());
    let counted = || counters::read(&db, COMMITS).unwrap();
    store(&db, &mut unfiled, &[("a", 1)]);
    store(&db, &mut unfiled, &[("b", 1)]);
    assert_eq!(counted(), None);
    store(&db, &mut unfiled, &[("a", 1)]);
    assert_eq!((counted(), counters::read(&db, DUPLICATES).unwrap()), (Some(3), Some(1)));

    // A heartbeat is no commit of deliveries, but it files like one.
    let mut batch = Batch::new(&db, Rules::of(&Settings::default()), &mut unfiled).unwrap();
    batch.file().unwrap();
    batch.finish().unwrap();
    unfiled.keep();
    assert_eq!((counted(), counters::read(&db, FILED).unwrap()), (Some(3), Some(2)));
    store(&db, &mut unfiled, &[("c", 1)]);
    assert_eq!(counted(), Some(3));
    let mut batch = Batch::new(&db, Rules::of(&Settings::default()), &mut unfiled).unwrap();
    batch.file().unwrap();
    batch.finish().unwrap();
    unfiled.keep();
    assert_eq!(counted(), Some(4));
}
