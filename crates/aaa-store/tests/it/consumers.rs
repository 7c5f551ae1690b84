//! Cursors and dead letters, in every store.

use aaa_store::{MemoryStore, SqliteBeside, SqliteStore};
use aaa_webhook::{
    consumer::{
        Changes, ConsumerName, Cursor, CursorError, Cursors, DeadLetter, DeadLetterQuery,
        DeadLetters, Progress, StoredDelivery, Totals, WhichLetters,
    },
    inbox::{EventLog, Inbox},
};

use crate::helper::{Directory, delivery, favorites, now};

macro_rules! conformance {
    ($($check:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $check() {
                super::$check(&super::MemoryStore::default()).await;
            })+
        }

        mod sqlite {
            $(#[tokio::test]
            async fn $check() {
                let directory = super::Directory::new();
                let store: super::SqliteStore = directory.open();
                super::$check(&store).await;
                store.close().await.unwrap();
            })+
        }
    };
}

conformance!(
    a_cursor_comes_back_as_it_was_saved,
    whoever_opened_last_saves,
    dead_letters_come_and_go,
    events_tell_their_delivery,
);

fn name(text: &str) -> ConsumerName {
    text.parse().unwrap()
}

fn changes(generation: u64) -> Changes {
    Changes {
        generation,
        progress: Progress::default(),
        totals: Totals::default(),
        dead: Vec::new(),
        settled: Vec::new(),
    }
}

fn letter(seq: u64) -> DeadLetter {
    DeadLetter {
        seq,
        key: None,
        reason: format!("event {seq} is bad"),
        attempts: 5,
        first_failed_at: now(),
        last_failed_at: now(),
        redrive: false,
    }
}

fn letters_of(consumer: &str, which: WhichLetters) -> DeadLetterQuery {
    DeadLetterQuery { consumer: name(consumer), after: 0, limit: 100, which }
}

async fn a_cursor_comes_back_as_it_was_saved(store: &impl Cursors) {
    let first = store.open(&name("a"), 7).await.unwrap();
    assert_eq!(first.progress, Progress::new(7, []));
    let saved = Changes {
        progress: Progress::new(9, [12..=15, 17..=17]),
        totals: Totals { handled: 6, stale: 2, dead: 1 },
        ..changes(first.generation)
    };
    // The same twice: an answer may have been lost.
    store.save(&name("a"), &saved).await.unwrap();
    store.save(&name("a"), &saved).await.unwrap();
    // The start counts only for the first time.
    let again = store.open(&name("a"), 0).await.unwrap();
    assert_eq!((again.progress, again.totals), (saved.progress, saved.totals));
    store.open(&name("b"), 0).await.unwrap();
    let all = store.cursors().await.unwrap();
    let all: Vec<_> = all.iter().map(|(n, c)| (n.as_str(), c.progress.cursor())).collect();
    assert_eq!(all, [("a", 9), ("b", 0)]);
}

async fn whoever_opened_last_saves(store: &impl Cursors) {
    let first = store.open(&name("a"), 0).await.unwrap();
    let second = store.open(&name("a"), 0).await.unwrap();
    let late = Changes { progress: Progress::new(5, []), ..changes(first.generation) };
    assert_eq!(store.save(&name("a"), &late).await, Err(CursorError::Taken));
    let of_nobody = store.save(&name("b"), &late).await;
    assert_eq!(of_nobody, Err(CursorError::Taken));
    store.save(&name("a"), &changes(second.generation)).await.unwrap();
    assert_eq!(store.cursors().await.unwrap()[0].1.progress, Progress::default());
}

async fn dead_letters_come_and_go(store: &(impl Inbox + Cursors + DeadLetters)) {
    store.commit(delivery(&favorites("7", &["a", "b"]))).await.unwrap();
    let Cursor { generation, .. } = store.open(&name("a"), 0).await.unwrap();
    let dead = vec![letter(1), letter(2), letter(9)];
    store.save(&name("a"), &Changes { dead, ..changes(generation) }).await.unwrap();

    let all = store.dead_letters(letters_of("a", WhichLetters::All)).await.unwrap();
    assert_eq!(all[1], DeadLetter { key: Some("7/favorite_events:b".to_owned()), ..letter(2) });
    // The event is not there any more.
    assert_eq!((all.len(), &all[2]), (3, &letter(9)));
    let page = DeadLetterQuery { after: 1, limit: 1, ..letters_of("a", WhichLetters::All) };
    assert_eq!(store.dead_letters(page).await.unwrap()[0].seq, 2);
    assert_eq!(store.dead_letters(letters_of("b", WhichLetters::All)).await.unwrap(), []);

    for (consumer, range, marked) in [("a", 2..=8, 1), ("a", 3..=8, 0), ("b", 1..=u64::MAX, 0)] {
        assert_eq!(store.redrive(&name(consumer), range).await.unwrap(), marked);
    }
    let redriven = store.dead_letters(letters_of("a", WhichLetters::Redriven)).await.unwrap();
    assert_eq!(redriven.iter().map(|l| (l.seq, l.redrive)).collect::<Vec<_>>(), [(2, true)]);

    // It failed once more; another one was handled.
    let dead = vec![DeadLetter { attempts: 10, ..letter(2) }];
    let changed = Changes { dead, settled: vec![1], ..changes(generation) };
    store.save(&name("a"), &changed).await.unwrap();
    let redriven = store.dead_letters(letters_of("a", WhichLetters::Redriven)).await.unwrap();
    assert_eq!(redriven, []);
    let all = store.dead_letters(letters_of("a", WhichLetters::All)).await.unwrap();
    assert_eq!(all.iter().map(|l| (l.seq, l.attempts)).collect::<Vec<_>>(), [(2, 10), (9, 5)]);
}

async fn events_tell_their_delivery(store: &(impl Inbox + EventLog)) {
    store.commit(delivery(&favorites("7", &["a", "b"]))).await.unwrap();
    let second = delivery(&favorites("8", &["a"]));
    let signature = second.signature().to_owned();
    store.commit(second).await.unwrap();
    let events = crate::helper::all(store).await;
    let deliveries = StoredDelivery::split(events);
    let shapes: Vec<_> =
        deliveries.iter().map(|d| (d.first().seq, d.last().seq, d.events().len())).collect();
    assert_eq!(shapes, [(1, 2, 2), (3, 3, 1)]);
    assert_eq!(deliveries[1].signature(), signature);
    assert_eq!(deliveries[1].body(), favorites("8", &["a"]).as_bytes());
    assert_eq!(deliveries[0].events().map(|event| event.seq).collect::<Vec<_>>(), [1, 2]);
    assert!(!format!("{deliveries:?}").contains("sha256"), "a signature is shown");
}

#[tokio::test]
async fn the_slowest_cursor_is_the_lowest() {
    let directory = Directory::new();
    let store = directory.open();
    assert_eq!(store.slowest_cursor().await.unwrap(), None);
    for (consumer, cursor) in [("a", 9), ("b", 4), ("c", 5)] {
        store.open(&name(consumer), cursor).await.unwrap();
    }
    assert_eq!(store.slowest_cursor().await.unwrap(), Some(4));
    // A consumer that will never come back holds up nothing.
    let mut beside = SqliteBeside::open(&directory.path).unwrap();
    assert!(beside.forget_consumer(&name("b")).unwrap());
    assert!(!beside.forget_consumer(&name("b")).unwrap());
    assert_eq!(directory.reader().slowest_cursor().await.unwrap(), Some(5));
    store.close().await.unwrap();
}

#[tokio::test]
async fn there_has_to_be_a_store_to_change() {
    let directory = Directory::new();
    let error = SqliteBeside::open(&directory.path).unwrap_err();
    assert!(matches!(error, aaa_store::StoreError::Missing { .. }), "{error}");
}

/// Other processes write while deliveries are stored, and nobody is refused.
#[tokio::test]
async fn others_may_write_beside_the_receiver() {
    let directory = Directory::new();
    let store = directory.open();
    let Cursor { generation, .. } = store.open(&name("test"), 0).await.unwrap();
    let dead = (1..=50).map(letter).collect();
    store.save(&name("test"), &Changes { dead, ..changes(generation) }).await.unwrap();
    let path = directory.path.clone();
    let beside = std::thread::spawn(move || {
        let mut marked = 0;
        for seq in 1..=50 {
            let mut beside = SqliteBeside::open(&path).unwrap();
            marked += beside.redrive(&name("test"), seq..=seq).unwrap();
        }
        marked
    });
    let mut stored = 0;
    while !beside.is_finished() || stored < 50 {
        store.commit(delivery(&favorites("7", &[&stored.to_string()]))).await.unwrap();
        stored += 1;
    }
    assert_eq!(beside.join().unwrap(), 50);
    let redriven = store.dead_letters(letters_of("test", WhichLetters::Redriven)).await.unwrap();
    assert_eq!(redriven.len(), 50);
    store.close().await.unwrap();
}
