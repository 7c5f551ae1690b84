use std::collections::BTreeSet;

use aaa_types::event::{EventIdentity, ItemIdentity};
use proptest::prelude::*;

use super::*;
use crate::sqlite::schema;

fn key(number: i64) -> EventKey {
    EventIdentity::new(None, "k", ItemIdentity::Named(number.to_string())).key("main", None)
}

/// Adds an event as a commit does, with its delivery.
fn store(db: &Connection, number: i64, kind: &str, user: Option<&str>) -> i64 {
    db.execute(
        "INSERT INTO deliveries (app, slot, signature, arrived_at, body) \
         VALUES ('main', 'active', '', 0, x'00')",
        [],
    )
    .unwrap();
    db.execute(
        "INSERT INTO events (delivery, kind, for_user_id, item, payload_start, payload_length, \
         stale, unfiled_key) VALUES (?, ?, ?, ?, 0, 1, 0, ?)",
        params![db.last_insert_rowid(), kind, user, number, key(number).as_bytes()],
    )
    .unwrap();
    db.last_insert_rowid()
}

fn in_table(db: &Connection, key: &EventKey) -> bool {
    db.prepare("SELECT 1 FROM event_keys WHERE key = ?").unwrap().exists([key.as_bytes()]).unwrap()
}

/// What may happen to the store.
#[derive(Debug, Clone)]
enum Step {
    /// A transaction stores these, files before the one with this index, and is committed or not.
    Transaction { numbers: Vec<i64>, file_at: usize, committed: bool },
    /// Another process files everything.
    FiledElsewhere,
    /// The process is gone, and another reads the store.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let transaction =
        (prop::collection::vec(0..40_i64, 0..8), 0..12_usize, any::<bool>()).prop_map(
            |(numbers, file_at, committed)| Step::Transaction { numbers, file_at, committed },
        );
    let step =
        prop_oneof![6 => transaction, 1 => Just(Step::FiledElsewhere), 1 => Just(Step::Restart)];
    prop::collection::vec(step, 1..30)
}

proptest! {
    /// Whatever happens, exactly the keys of committed events are known, and all are counted.
    #[test]
    fn what_is_committed_is_known(steps in steps()) {
        let mut db = schema::in_memory();
        let mut unfiled = Unfiled::default();
        let mut stored = BTreeSet::new();
        for step in steps {
            match step {
                Step::Transaction { numbers, file_at, committed } => {
                    let transaction = db.transaction().unwrap();
                    let mut new = BTreeSet::new();
                    for (index, number) in numbers.into_iter().enumerate() {
                        if index == file_at {
                            unfiled.file(&transaction).unwrap();
                        }
                        let known = unfiled.contains(&key(number)) || in_table(&transaction, &key(number));
                        prop_assert_eq!(known, stored.contains(&number) || new.contains(&number));
                        if !known {
                            store(&transaction, number, "k", Some("7"));
                            unfiled.add(key(number));
                            new.insert(number);
                        }
                    }
                    if committed {
                        transaction.commit().unwrap();
                        unfiled.keep();
                        stored.extend(new);
                    } else {
                        transaction.rollback().unwrap();
                        unfiled.undo();
                    }
                }
                Step::FiledElsewhere => file(&db).unwrap(),
                Step::Restart => unfiled = Unfiled::load(&db).unwrap(),
            }
            for number in 0..40 {
                let known = unfiled.contains(&key(number)) || in_table(&db, &key(number));
                prop_assert_eq!(known, stored.contains(&number), "{}", number);
            }
            let counted = counters::read(&db, EVENTS).unwrap().unwrap_or(0);
            let (events, deliveries) = uncounted(&db).unwrap();
            prop_assert_eq!(counted + events, stored.len() as i64);
            let counted = counters::read(&db, DELIVERIES).unwrap().unwrap_or(0);
            prop_assert_eq!(counted + deliveries, stored.len() as i64);
            prop_assert_eq!(unlisted(&db).unwrap(), Vec::<i64>::new());
        }
    }

    /// Going from stretch to stretch passes every event that is wanted, and no two stretches
    /// overlap.
    #[test]
    fn stretches_leave_nothing_out(
        events in prop::collection::vec((1..40_000_i64, 0..4_u8, prop::option::of(0..6_u8)), 1..60),
        unfiled_from in 0..70_usize,
        kind in prop::option::of(0..5_u8),
        user in prop::option::of(0..7_u8),
        after in 0..40_000_i64,
    ) {
        let db = schema::in_memory();
        let mut events = events;
        events.sort_by_key(|(seq, ..)| *seq);
        events.dedup_by_key(|(seq, ..)| *seq);
        for (index, (seq, kind, user)) in events.iter().enumerate() {
            if index == unfiled_from {
                file(&db).unwrap();
            }
            let user = user.map(|user| user.to_string());
            let row = store(&db, *seq, &kind.to_string(), user.as_deref());
            // Numbers may have holes, where events were removed.
            db.execute("UPDATE events SET seq = ? WHERE seq = ?", [*seq, row]).unwrap();
        }
        let (kind, user) = (kind.map(|k| k.to_string()), user.map(|u| u.to_string()));
        let wanted = Wanted { kind: kind.as_deref(), user: user.as_deref() };
        let mut found = Vec::new();
        let mut at = after;
        while at < i64::MAX {
            let (from, to) = wanted.stretch(&db, at).unwrap();
            prop_assert!(at < from && from <= to, "{at} {from} {to}");
            let mut page = db
                .prepare(
                    "SELECT seq FROM events WHERE seq BETWEEN ?1 AND ?2 \
                     AND (?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR for_user_id = ?4)",
                )
                .unwrap();
            let page = page.query_map(params![from, to, kind, user], |row| row.get(0)).unwrap();
            found.extend(page.map(Result::<i64, _>::unwrap));
            at = to;
        }
        let expected = events.iter().filter(|(seq, k, u)| {
            *seq > after
                && kind.as_ref().is_none_or(|kind| *kind == k.to_string())
                && user.as_ref().is_none_or(|user| u.is_some_and(|u| *user == u.to_string()))
        });
        prop_assert_eq!(found, expected.map(|(seq, ..)| *seq).collect::<Vec<_>>());
    }
}

#[test]
fn a_rare_kind_is_found_without_looking_at_everything() {
    let db = schema::in_memory();
    for number in 0..3 * BLOCK {
        let kind = if number == 5 { "rare" } else { "common" };
        store(&db, number, kind, None);
    }
    file(&db).unwrap();
    let wanted = Wanted { kind: Some("rare"), user: None };
    assert_eq!(wanted.stretch(&db, 0).unwrap(), (1, BLOCK - 1));
    // The last row has the number 3 * BLOCK; nothing in between is looked at.
    assert_eq!(wanted.stretch(&db, BLOCK).unwrap(), (3 * BLOCK + 1, i64::MAX));
}

#[test]
fn what_the_lists_leave_out_is_noticed() {
    let db = schema::in_memory();
    for number in 0..10 {
        store(&db, number, "k", Some("7"));
    }
    file(&db).unwrap();
    assert_eq!(unlisted(&db).unwrap(), Vec::<i64>::new());
    db.execute("DELETE FROM user_blocks", []).unwrap();
    assert_eq!(unlisted(&db).unwrap(), [1]);
}

#[test]
fn lists_end_with_their_events() {
    let db = schema::in_memory();
    for number in 0..2 * BLOCK {
        store(&db, number, "k", Some("7"));
    }
    file(&db).unwrap();
    db.execute("DELETE FROM events WHERE seq <= ?", [BLOCK + 5]).unwrap();
    forget_blocks(&db).unwrap();
    let blocks: Vec<i64> = db
        .prepare("SELECT block FROM user_blocks UNION SELECT block FROM kind_blocks")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(blocks, [1, 2]);
}

#[test]
fn two_thousand_and_some_are_filed_together() {
    let db = schema::in_memory();
    let mut unfiled = Unfiled::load(&db).unwrap();
    for number in 1..2048 {
        unfiled.add(key(number));
    }
    assert!(!unfiled.are_many());
    unfiled.add(key(2048));
    assert!(unfiled.are_many() && !unfiled.is_filing());
    unfiled.file(&db).unwrap();
    assert!(unfiled.is_filing() && !unfiled.are_many());
    unfiled.keep();
    assert!(!unfiled.is_filing());
}

/// The last block that is filed ends where the next one begins.
#[test]
fn a_kind_in_the_last_block_is_found() {
    for last in [3 * BLOCK, 3 * BLOCK + 5] {
        let db = schema::in_memory();
        for (seq, kind) in [(1, "common"), (last, "rare")] {
            let row = store(&db, seq, kind, None);
            db.execute("UPDATE events SET seq = ? WHERE seq = ?", [seq, row]).unwrap();
        }
        file(&db).unwrap();
        let wanted = Wanted { kind: Some("rare"), user: None };
        assert_eq!(wanted.stretch(&db, 0).unwrap(), (3 * BLOCK, last));
    }
}

/// The counter of commits is written when something else is, and nothing that failed is in it.
#[test]
fn commits_are_counted_later() {
    let db = schema::in_memory();
    let mut unfiled = Unfiled::load(&db).unwrap();
    let counted = || counters::read(&db, COMMITS).unwrap();
    for _ in 0..3 {
        unfiled.takes_deliveries();
        unfiled.keep();
    }
    unfiled.takes_deliveries();
    unfiled.undo();
    // A heartbeat.
    unfiled.keep();
    assert_eq!(counted(), None);
    unfiled.takes_deliveries();
    unfiled.count(&db).unwrap();
    unfiled.keep();
    assert_eq!(counted(), Some(4));
    unfiled.count(&db).unwrap();
    unfiled.keep();
    assert_eq!(counted(), Some(4));
}

/// A file that somebody put together again may have lost what numbers were given.
#[test]
fn numbers_that_are_given_again_are_filed_again() {
    let db = schema::in_memory();
    for number in 0..10 {
        store(&db, number, "k", Some("7"));
    }
    file(&db).unwrap();
    db.execute_batch("DELETE FROM events WHERE seq > 4; DELETE FROM sqlite_sequence").unwrap();
    let unfiled = Unfiled::load(&db).unwrap();
    assert!(!unfiled.contains(&key(20)));
    assert_eq!(filed(&db).unwrap(), 4);
    assert_eq!(store(&db, 20, "new", Some("8")), 5);
    assert!(Unfiled::load(&db).unwrap().contains(&key(20)));
    file(&db).unwrap();
    assert!(in_table(&db, &key(20)));
    assert_eq!(unlisted(&db).unwrap(), Vec::<i64>::new());

    // All events may go, and their numbers are still not given again.
    db.execute("DELETE FROM events", []).unwrap();
    Unfiled::load(&db).unwrap();
    assert_eq!(filed(&db).unwrap(), 5);
}

/// Events of a time before they were filed have no key in their row, but one in its table.
#[test]
fn without_the_counter_everything_is_filed_again() {
    let db = schema::in_memory();
    for number in 0..10 {
        store(&db, number, "k", Some("7"));
    }
    file(&db).unwrap();
    db.execute_batch(
        "UPDATE events SET unfiled_key = NULL WHERE seq < 5; \
         DELETE FROM counters WHERE name = 'filed'; DELETE FROM kind_blocks",
    )
    .unwrap();
    let unfiled = Unfiled::load(&db).unwrap();
    assert!((0..10).all(|number| unfiled.contains(&key(number)) || in_table(&db, &key(number))));
    file(&db).unwrap();
    assert_eq!(filed(&db).unwrap(), 10);
    assert_eq!(unlisted(&db).unwrap(), Vec::<i64>::new());
}

/// Whoever edits the file can do worse, but not make a reader go round for ever.
#[test]
fn the_largest_number_is_the_end() {
    let db = schema::in_memory();
    store(&db, 1, "k", None);
    db.execute("UPDATE events SET seq = ?", [i64::MAX]).unwrap();
    file(&db).unwrap();
    for kind in ["k", "other"] {
        let wanted = Wanted { kind: Some(kind), user: None };
        assert_eq!(wanted.stretch(&db, 0).unwrap().1, i64::MAX, "{kind}");
    }
}

/// What happens beside somebody who reads.
#[derive(Debug, Clone)]
enum Beside {
    /// An event is stored, so many numbers further on.
    Stored { jump: i64, kind: u8, user: Option<u8> },
    /// Everything is filed.
    Filed,
    /// Retention takes the oldest.
    Pruned { events: i64 },
    /// A user is forgotten, and the lists that named it.
    Forgotten { user: u8 },
}

fn beside() -> impl Strategy<Value = Vec<Beside>> {
    let jump = prop_oneof![4 => Just(0), 1 => 0..3 * BLOCK];
    let stored = (jump, 0..3_u8, prop::option::of(0..3_u8))
        .prop_map(|(jump, kind, user)| Beside::Stored { jump, kind, user });
    let beside = prop_oneof![
        12 => stored,
        2 => Just(Beside::Filed),
        1 => (0..6_i64).prop_map(|events| Beside::Pruned { events }),
        1 => (0..3_u8).prop_map(|user| Beside::Forgotten { user }),
    ];
    prop::collection::vec(beside, 0..12)
}

fn happen(db: &Connection, number: &mut i64, beside: &Beside) {
    *number += 1;
    match beside {
        Beside::Stored { jump, kind, user } => {
            db.execute("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'events'", [jump])
                .unwrap();
            let user = user.map(|user| user.to_string());
            store(db, *number, &kind.to_string(), user.as_deref());
        }
        Beside::Filed => file(db).unwrap(),
        Beside::Pruned { events } => {
            file(db).unwrap();
            let first =
                "DELETE FROM events WHERE seq IN (SELECT seq FROM events ORDER BY seq LIMIT ?)";
            db.execute(first, [events]).unwrap();
            forget_blocks(db).unwrap();
        }
        Beside::Forgotten { user } => {
            file(db).unwrap();
            let user = user.to_string();
            db.execute("DELETE FROM events WHERE for_user_id = ?", [&user]).unwrap();
            let mut after = -1;
            while let Some(block) = forget_user_of_block(db, &user, after).unwrap() {
                after = block;
            }
        }
    }
}

proptest! {
    /// Whatever happens between two stretches, and between a stretch and the reading of it, no
    /// event that stays is passed over, and none is read twice.
    #[test]
    fn nothing_is_passed_over_while_others_write(
        rounds in prop::collection::vec((beside(), beside()), 1..20),
        kind in prop::option::of(0..3_u8),
        user in prop::option::of(0..3_u8),
    ) {
        let db = schema::in_memory();
        store(&db, 0, "0", Some("0"));
        let (kind, user) = (kind.map(|k| k.to_string()), user.map(|u| u.to_string()));
        let wanted = Wanted { kind: kind.as_deref(), user: user.as_deref() };
        let matching = |from: i64, to: i64| -> Vec<i64> {
            db.prepare(
                "SELECT seq FROM events WHERE seq BETWEEN ?1 AND ?2 \
                 AND (?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR for_user_id = ?4) ORDER BY seq",
            )
            .unwrap()
            .query_map(params![from, to, kind, user], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect()
        };
        let (mut found, mut at, mut number) = (Vec::new(), 0, 0);
        let quiet = (Vec::new(), Vec::new());
        // In the end nothing happens any more, and the reader comes to the end.
        for (before, between) in rounds.iter().chain(std::iter::repeat(&quiet)) {
            before.iter().for_each(|beside| happen(&db, &mut number, beside));
            let (from, to) = wanted.stretch(&db, at).unwrap();
            prop_assert!(at < from && from <= to, "{} {} {}", at, from, to);
            between.iter().for_each(|beside| happen(&db, &mut number, beside));
            let page = matching(from, to);
            // At the end of everything, the next page begins behind the last event.
            at = if to == i64::MAX { page.last().copied().unwrap_or(from - 1) } else { to };
            let ended = to == i64::MAX && page.is_empty() && std::ptr::eq(before, &quiet.0);
            found.extend(page);
            if ended {
                break;
            }
        }
        prop_assert!(found.is_sorted_by(|a, b| a < b), "{:?}", found);
        for seq in matching(0, i64::MAX) {
            prop_assert!(found.contains(&seq), "{} was passed over: {:?}", seq, found);
        }
        prop_assert_eq!(unlisted(&db).unwrap(), Vec::<i64>::new());
        for user in ["0", "1", "2"] {
            let mut after = -1;
            while let Some(block) = forget_user_of_block(&db, user, after).unwrap() {
                after = block;
            }
        }
        prop_assert_eq!(unlisted(&db).unwrap(), Vec::<i64>::new(), "a list lost what is there");
    }
}
