//! What every store of cursors and dead letters has to do.

use aaa_webhook::{
    consumer::{
        Changes, ConsumerName, Cursor, CursorError, Cursors, DeadLetter, DeadLetterQuery,
        DeadLetters, Progress, Totals, Trial, WhichLetters,
    },
    inbox::Inbox,
};

use super::{delivery, favorites, now};

/// Makes a `#[tokio::test]` of each check of what consumers keep.
///
/// Its argument is an asynchronous function that returns what has to live as long as the store,
/// and an empty store.
#[macro_export]
macro_rules! consumer_conformance {
    (if $make:path) => {
        $crate::consumer_conformance!(@all $make);
    };
    ($make:path) => {
        $crate::consumer_conformance!(@all async || Some($make().await));
    };
    (@all $make:expr) => {
        $crate::consumer_conformance!(@ $make;
            a_cursor_comes_back_as_it_was_saved,
            whoever_opened_last_saves,
            an_opening_is_a_death_until_a_save_says_otherwise,
            dead_letters_come_and_go,
        );
    };
    (@ $make:expr; $($check:ident,)+) => {
        $(#[tokio::test]
        async fn $check() {
            let Some((_alive, store)) = ($make)().await else { return };
            $crate::conformance::consumers::$check(&store).await;
        })+
    };
}

/// A cursor is what was saved, also when it was saved twice; where it starts counts once.
pub async fn a_cursor_comes_back_as_it_was_saved(store: &impl Cursors) {
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

/// Whoever was replaced can save nothing.
pub async fn whoever_opened_last_saves(store: &impl Cursors) {
    let first = store.open(&name("a"), 0).await.unwrap();
    let second = store.open(&name("a"), 0).await.unwrap();
    let late = Changes { progress: Progress::new(5, []), ..changes(first.generation) };
    assert_eq!(store.save(&name("a"), &late).await, Err(CursorError::Taken));
    let of_nobody = store.save(&name("b"), &late).await;
    assert_eq!(of_nobody, Err(CursorError::Taken));
    store.save(&name("a"), &changes(second.generation)).await.unwrap();
    assert_eq!(store.cursors().await.unwrap()[0].1.progress, Progress::default());
}

/// Openings are counted, and a save says how many the next one finds, and what was tried alone.
pub async fn an_opening_is_a_death_until_a_save_says_otherwise(store: &impl Cursors) {
    for deaths in 0..3 {
        let opened = store.open(&name("a"), 0).await.unwrap();
        assert_eq!((opened.deaths, opened.trial), (deaths, None));
    }
    let Cursor { generation, .. } = store.open(&name("a"), 0).await.unwrap();
    let trial = Some(Trial { seq: 7, deaths: 2 });
    store.save(&name("a"), &Changes { deaths: 9, trial, ..changes(generation) }).await.unwrap();
    let opened = store.open(&name("a"), 0).await.unwrap();
    assert_eq!((opened.deaths, opened.trial), (9, trial));
    store.save(&name("a"), &changes(opened.generation)).await.unwrap();
    let opened = store.open(&name("a"), 0).await.unwrap();
    assert_eq!((opened.deaths, opened.trial), (0, None));
}

/// Dead letters are listed, asked for once more, replaced and removed.
pub async fn dead_letters_come_and_go(store: &(impl Inbox + Cursors + DeadLetters)) {
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

/// A consumer's name.
pub fn name(text: &str) -> ConsumerName {
    text.parse().unwrap()
}

/// Changes that change nothing, of whoever holds the generation.
pub fn changes(generation: u64) -> Changes {
    Changes {
        generation,
        progress: Progress::default(),
        totals: Totals::default(),
        deaths: 0,
        trial: None,
        dead: Vec::new(),
        settled: Vec::new(),
    }
}

/// A dead letter.
pub fn letter(seq: u64) -> DeadLetter {
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

/// Asks for the first hundred dead letters of a consumer.
pub fn letters_of(consumer: &str, which: WhichLetters) -> DeadLetterQuery {
    DeadLetterQuery { consumer: name(consumer), after: 0, limit: 100, which }
}
