//! What goes after its time, and what an old capture can still do then.

use std::{collections::HashMap, time::Duration};

use aaa_replay::{coverage::Heartbeat, ledger::Ledger};
use aaa_store::{MemoryStore, Settings, SqliteStore, conformance::ledger::beat};
use aaa_webhook::inbox::{EventLog, EventQuery, Inbox, Receipt};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::helper::{Directory, all, delivery_at, favorites, keys, now, settings};

const NOBODY_WAITS: u64 = u64::MAX;
const NEW: Receipt = Receipt { stored: 1, duplicates: 0 };
const COPY: Receipt = Receipt { stored: 0, duplicates: 1 };

fn day(days: i64) -> Timestamp {
    now() + SignedDuration::from_hours(24 * days)
}

/// A like that carries its own time.
fn like(id: &str, at: Timestamp) -> String {
    let millis = at.as_millisecond();
    format!(r#"{{"for_user_id":"7","favorite_events":[{{"id":"{id}","timestamp_ms":{millis}}}]}}"#)
}

async fn arrives(store: &SqliteStore, body: &str, at: Timestamp) -> Receipt {
    store.commit(delivery_at(body, at)).await.unwrap()
}

async fn last_is_stale(store: &SqliteStore) -> bool {
    all(store).await.last().unwrap().stale
}

fn keeping_bodies_for(days: u64) -> Settings {
    Settings { body_retention: Some(Duration::from_secs(days * 24 * 60 * 60)), ..settings() }
}

#[tokio::test]
async fn an_old_capture_is_stale_once_its_key_is_gone() {
    let directory = Directory::new();
    let store = directory.open();
    let capture = like("old", day(0));
    assert_eq!(arrives(&store, &capture, day(0)).await, NEW);
    arrives(&store, &like("new", day(9)), day(9)).await;

    assert_eq!(arrives(&store, &capture, day(7)).await, COPY);
    assert_eq!(store.prune(day(8), NOBODY_WAITS).await.unwrap().keys, 0);
    assert_eq!(store.prune(day(9), NOBODY_WAITS).await.unwrap().keys, 1);
    assert_eq!(store.stats().await.unwrap().pruned_keys, 1);
    // The event itself stays: only its key has a time to live.
    assert_eq!(keys(&store).await, ["7/favorite_events:old", "7/favorite_events:new"]);

    assert_eq!(arrives(&store, &capture, day(9)).await, NEW);
    assert!(last_is_stale(&store).await);
    // It is remembered from its arrival on, or a capture could fill the disk.
    for later in [9, 10, 16] {
        arrives(&store, &like(&format!("new {later}"), day(later)), day(later)).await;
        assert_eq!(store.prune(day(later), NOBODY_WAITS).await.unwrap().keys, 0);
        assert_eq!(arrives(&store, &capture, day(later)).await, COPY, "day {later}");
    }
    arrives(&store, &like("newest", day(18)), day(18)).await;
    assert_eq!(store.prune(day(18), NOBODY_WAITS).await.unwrap().keys, 3);
    assert_eq!(arrives(&store, &capture, day(18)).await, NEW);
    assert!(last_is_stale(&store).await);
}

#[tokio::test]
async fn neither_a_clock_nor_a_setting_brings_a_capture_back() {
    let directory = Directory::new();
    let store = directory.open();
    let capture = like("old", day(0));
    arrives(&store, &capture, day(0)).await;
    arrives(&store, &like("new", day(9)), day(9)).await;
    store.prune(day(9), NOBODY_WAITS).await.unwrap();
    // The clock is set back: by the time of arrival alone, the capture would be fresh.
    assert_eq!(arrives(&store, &capture, day(1)).await, NEW);
    assert!(last_is_stale(&store).await);
    store.close().await.unwrap();

    let directory = Directory::new();
    let store = directory.open();
    arrives(&store, &capture, day(0)).await;
    arrives(&store, &like("new", day(9)), day(9)).await;
    store.prune(day(9), NOBODY_WAITS).await.unwrap();
    store.close().await.unwrap();
    let month = Duration::from_secs(30 * 24 * 60 * 60);
    let longer = Settings { key_retention: month, ..settings() };
    let store = SqliteStore::open(&directory.path, longer).unwrap();
    assert_eq!(arrives(&store, &capture, day(9)).await, NEW);
    assert!(last_is_stale(&store).await);
}

#[tokio::test]
async fn a_clock_that_runs_ahead_removes_no_key() {
    let directory = Directory::new();
    let store = directory.open();
    arrives(&store, &like("a", day(0)), day(0)).await;
    let pruned = store.prune(day(365), NOBODY_WAITS).await.unwrap();
    assert_eq!(pruned.keys, 0);
    assert_eq!(arrives(&store, &like("a", day(0)), day(1)).await, COPY);
    assert_eq!(arrives(&store, &like("b", day(1)), day(1)).await, NEW);
    assert!(!last_is_stale(&store).await);
    // An event from the future does not make the present the past either.
    arrives(&store, &like("future", day(400)), day(1)).await;
    assert_eq!(store.prune(day(2), NOBODY_WAITS).await.unwrap().keys, 0);
}

/// An event is stale when it is older than the keys by X's clock too, as the last heartbeat knew it;
/// a clock of ours that is behind changes nothing.
#[tokio::test]
async fn a_clock_that_runs_ahead_makes_nothing_stale() {
    async fn is_judged(store: &(impl Ledger + Inbox + EventLog)) {
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        for (n, (offset, age)) in
            [(0, 9), (-9, 9), (-9, 16), (-9, 18), (9, 7), (9, 9)].into_iter().enumerate()
        {
            store.heartbeat(Heartbeat { offset: days(offset), ..beat(0) }).await.unwrap();
            let body = like(&n.to_string(), now() - days(age));
            store.commit(delivery_at(&body, now())).await.unwrap();
        }
        let stale: Vec<_> = all(store).await.iter().map(|event| event.stale).collect();
        assert_eq!(stale, [true, false, false, true, false, true]);
    }
    is_judged(&MemoryStore::default()).await;
    let directory = Directory::new();
    let store = directory.open();
    is_judged(&store).await;
    assert_eq!(store.stale(), 3);
    store.close().await.unwrap();

    // What keys were really removed decides in any case.
    let directory = Directory::new();
    let store = directory.open();
    let offset = SignedDuration::from_hours(24 * -9);
    store.heartbeat(Heartbeat { offset, ..beat(0) }).await.unwrap();
    let capture = like("old", day(0));
    assert_eq!(arrives(&store, &capture, day(9)).await, NEW);
    arrives(&store, &like("new", day(9)), day(18)).await;
    assert_eq!(store.prune(day(9), NOBODY_WAITS).await.unwrap().keys, 1);
    assert_eq!((arrives(&store, &capture, day(17)).await, store.stale()), (NEW, 1));
}

#[tokio::test]
async fn what_has_no_time_is_known_for_ever() {
    let directory = Directory::new();
    let store = directory.open();
    let body = favorites("7", &["a"]);
    assert_eq!(arrives(&store, &body, day(0)).await, NEW);
    arrives(&store, &like("b", day(3650)), day(3650)).await;
    assert_eq!(store.prune(day(3651), NOBODY_WAITS).await.unwrap().keys, 0);
    assert_eq!(arrives(&store, &body, day(3651)).await, COPY);
}

#[tokio::test]
async fn bodies_go_in_the_order_of_arrival_and_their_keys_stay() {
    let directory = Directory::new();
    let store = SqliteStore::open(&directory.path, keeping_bodies_for(30)).unwrap();
    for n in 0..10 {
        let at = day(n);
        arrives(&store, &favorites("7", &[&format!("{n}"), &format!("{n}b")]), at).await;
    }
    assert_eq!(store.prune(day(30), NOBODY_WAITS).await.unwrap().events, 0);
    let pruned = store.prune(day(35), NOBODY_WAITS).await.unwrap();
    assert_eq!((pruned.events, pruned.deliveries, pruned.held_back), (10, 5, None));
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.events, stats.deliveries), (10, 5));
    assert_eq!((stats.pruned_events, stats.pruned_deliveries), (10, 5));
    assert_eq!((stats.first_seq, stats.last_seq), (Some(11), Some(20)));
    // A copy of what went is still a copy.
    let copy = arrives(&store, &favorites("7", &["0", "4b"]), day(35)).await;
    assert_eq!(copy, Receipt { stored: 0, duplicates: 2 });
    assert_eq!(store.events(EventQuery::after(0, 1)).await.unwrap()[0].seq, 11);
    // Once more there is nothing to do; in the end everything goes, and numbers go on.
    assert_eq!(store.prune(day(35), NOBODY_WAITS).await.unwrap().events, 0);
    assert_eq!(store.prune(day(99), NOBODY_WAITS).await.unwrap().events, 10);
    assert_eq!(all(&store).await.len(), 0);
    arrives(&store, &favorites("7", &["next"]), day(99)).await;
    assert_eq!(all(&store).await[0].seq, 21);
}

#[tokio::test]
async fn what_somebody_waits_for_stays_and_is_named() {
    let directory = Directory::new();
    let store = SqliteStore::open(&directory.path, keeping_bodies_for(1)).unwrap();
    for n in 0..4 {
        arrives(&store, &favorites("7", &[&format!("{n}"), &format!("{n}b")]), day(0)).await;
    }
    // The fourth event is waited for, and its delivery brought the third one too.
    let pruned = store.prune(day(9), 4).await.unwrap();
    assert_eq!((pruned.events, pruned.held_back), (2, Some(4)));
    assert_eq!(store.events(EventQuery::after(0, 1)).await.unwrap()[0].seq, 3);
    let pruned = store.prune(day(9), 0).await.unwrap();
    assert_eq!((pruned.events, pruned.held_back), (0, Some(3)));
    let pruned = store.prune(day(9), 9).await.unwrap();
    assert_eq!((pruned.events, pruned.held_back), (6, None));
}

#[tokio::test]
async fn by_default_bodies_stay() {
    let directory = Directory::new();
    let store = directory.open();
    arrives(&store, &like("a", day(0)), day(0)).await;
    arrives(&store, &like("b", day(900)), day(900)).await;
    let pruned = store.prune(day(900), NOBODY_WAITS).await.unwrap();
    assert_eq!((pruned.events, pruned.keys), (0, 1));
    assert_eq!(all(&store).await.len(), 2);
}

#[tokio::test]
async fn a_wrong_time_of_arrival_holds_nothing_up() {
    let directory = Directory::new();
    let store = SqliteStore::open(&directory.path, keeping_bodies_for(1)).unwrap();
    for (n, at) in [("a", day(9000)), ("b", day(0)), ("c", day(8)), ("d", day(0))] {
        arrives(&store, &favorites("7", &[n]), at).await;
    }
    store.prune(day(5), NOBODY_WAITS).await.unwrap();
    // From the future for now; and what follows something fresh is fresh.
    assert_eq!(keys(&store).await, ["a", "c"].map(|id| format!("7/favorite_events:{id}")));
    let pruned = store.prune(day(8), NOBODY_WAITS).await.unwrap();
    assert_eq!(pruned.events, 0);
}

#[tokio::test]
async fn the_file_gets_smaller() {
    let directory = Directory::new();
    let store = SqliteStore::open(&directory.path, keeping_bodies_for(1)).unwrap();
    let filler = "x".repeat(20_000);
    for n in 0..300 {
        arrives(&store, &favorites("7", &[&format!("{n}{filler}")]), day(0)).await;
    }
    arrives(&store, &favorites("7", &["last"]), day(9)).await;
    let size = || {
        let db = directory.sqlite();
        db.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0)).unwrap()
    };
    let before = size();
    let pruned = store.prune(day(9), NOBODY_WAITS).await.unwrap();
    assert_eq!(pruned.events, 300);
    assert_eq!(size(), before - pruned.pages as i64);
    assert!(size() < before / 4, "{} of {before} pages are left", size());
    assert_eq!(keys(&store).await, ["7/favorite_events:last"]);
    assert!(
        aaa_store::sqlite::check(&directory.path, aaa_store::sqlite::Depth::Full)
            .unwrap()
            .is_sound()
    );
}

/// What may happen to a store over weeks.
#[derive(Debug, Clone)]
enum Step {
    /// An event with a number and its own time in hours comes, perhaps again, and perhaps late.
    Arrive(u8),
    /// Hours pass; a clock may also be set back.
    Wait(i64),
    Prune,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => any::<u8>().prop_map(Step::Arrive),
        3 => (-50..150_i64).prop_map(Step::Wait),
        2 => Just(Step::Prune),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

async fn live(steps: Vec<Step>) {
    let directory = Directory::new();
    let mut store = SqliteStore::open(&directory.path, keeping_bodies_for(12)).unwrap();
    let mut clock = day(0);
    let mut handled: HashMap<u8, u32> = HashMap::new();
    for step in steps {
        match step {
            Step::Arrive(number) => {
                // Its time is fixed, at most when it first comes.
                let time = day(0) + SignedDuration::from_hours(i64::from(number) * 3 - 100);
                let last = store.stats().await.unwrap().last_seq.unwrap_or(0);
                let stored = arrives(&store, &like(&number.to_string(), time), clock).await.stored;
                let page = store.events(EventQuery::after(last, 9)).await.unwrap();
                assert_eq!(page.len(), stored);
                if page.iter().any(|event| !event.stale) {
                    *handled.entry(number).or_default() += 1;
                }
            }
            Step::Wait(hours) => clock += SignedDuration::from_hours(hours),
            Step::Prune => {
                store.prune(clock, NOBODY_WAITS).await.unwrap();
            }
            Step::Restart => {
                store.close().await.unwrap();
                store = SqliteStore::open(&directory.path, keeping_bodies_for(12)).unwrap();
            }
        }
    }
    let twice: Vec<_> = handled.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "handled more than once: {twice:?}");
    let report = aaa_store::sqlite::check(&directory.path, aaa_store::sqlite::Depth::Full).unwrap();
    assert!(report.is_sound(), "{:?}", report.findings);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever comes when, however late and however often: no event is handled twice.
    #[test]
    fn nothing_is_handled_twice(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(live(steps));
    }
}
