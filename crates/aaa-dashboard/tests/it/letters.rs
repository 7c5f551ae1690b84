//! Dead letters: all of them are seen, and tried again.

use aaa_emulator::control::Trigger;
use aaa_webhook::consumer::{Changes, Cursors, DeadLetter, Progress, Totals};
use jiff::Timestamp;
use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn dead_letters_are_tried_again() {
    let stage = Stage::new().await;
    let (pages, id) = (stage.pages(), stage.webhook().await);
    assert!(pages.page("/dead-letters").await.contains("No consumer has read from this store yet"));
    stage.subscribe(id, 7).await;
    for _ in 0..3 {
        stage.trigger("favorite_events").await;
    }
    let name = "crm".parse().unwrap();
    let generation = stage.store.open(&name, 0).await.unwrap().generation;
    let changes = Changes {
        generation,
        progress: Progress::new(3, []),
        totals: Totals { handled: 1, stale: 0, dead: 2 },
        deaths: 0,
        trial: None,
        dead: vec![letter(1), letter(3)],
        settled: Vec::new(),
    };
    stage.store.save(&name, &changes).await.unwrap();
    let page = pages.page("/dead-letters").await;
    assert!(page.contains("&lt;b&gt;no&lt;/b&gt;") && page.contains("favorite_events"), "{page}");
    assert_eq!(page.matches("Try again").count(), 2);
    let one = json!({ "consumer": "crm", "first": "3", "last": "3" });
    let (status, words) = pages.post("/dead-letters/redrive", one).await;
    assert_eq!((status, words.as_str()), (200, "1 event will be tried again"));
    let page = pages.page("/dead-letters").await;
    assert_eq!(page.matches("to be tried again").count(), 1);
    let (status, words) = pages.post("/dead-letters/redrive", json!({ "consumer": "crm" })).await;
    assert_eq!((status, words.as_str()), (200, "2 events will be tried again"));
    let none = json!({ "consumer": "crm", "first": "2", "last": "2" });
    assert_eq!(pages.post("/dead-letters/redrive", none).await.0, 404);
    assert_eq!(pages.post("/dead-letters/redrive", json!({ "consumer": "CRM" })).await.0, 422);
    assert_eq!(
        pages.post("/dead-letters/redrive", json!({ "consumer": "crm", "first": "x" })).await.0,
        422
    );
}

/// Each can be looked at, however many there are, and no page says that there are fewer.
#[tokio::test]
async fn dead_letters_beyond_a_page() {
    let stage = Stage::new().await;
    let pages = stage.pages();
    let id = stage.webhook().await;
    stage.subscribe(id, 7).await;
    let trigger = Trigger::new("follow_events", "7".parse().unwrap()).with_count(205);
    stage.emulator.trigger_and_wait(&trigger).await.unwrap();
    let name = "crm".parse().unwrap();
    let generation = stage.store.open(&name, 0).await.unwrap().generation;
    let letters = |seqs: std::ops::RangeInclusive<u64>| Changes {
        generation,
        progress: Progress::new(*seqs.end(), []),
        totals: Totals { handled: 0, stale: 0, dead: *seqs.end() },
        deaths: 0,
        trial: None,
        dead: seqs.map(letter).collect(),
        settled: Vec::new(),
    };
    stage.store.save(&name, &letters(1..=100)).await.unwrap();
    let tile = "<span class=\"name\">Dead letters</span><span class=\"value\">";
    assert!(pages.page("/").await.contains(&format!("{tile}100</span>")));
    let page = pages.page("/dead-letters").await;
    assert_eq!(page.matches(">Try again<").count(), 100);
    assert!(!page.contains("rel=\"next\""), "{page}");
    stage.store.save(&name, &letters(101..=205)).await.unwrap();
    let overview = pages.page("/").await;
    assert!(overview.contains(&format!("{tile}100+</span>")), "{overview}");
    let mut path = "/dead-letters".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = pages.page(&path).await;
        seen.push(page.matches(">Try again<").count());
        let Some((_, next)) = page.split_once("<a href=\"/dead-letters?") else {
            assert!(page.contains("/events/205\"") && page.contains(">First<"), "{page}");
            break;
        };
        path = format!("/dead-letters?{}", next.split('"').next().unwrap().replace("&amp;", "&"));
    }
    assert_eq!((seen, path.as_str()), (vec![100, 100, 5], "/dead-letters?consumer=crm&after=200"));
    let end = pages.page("/dead-letters?consumer=crm&after=205").await;
    assert!(end.contains("no more dead letters"), "{end}");
    for (wrong, status) in
        [("after=x&consumer=crm", 422), ("after=1", 422), ("consumer=other", 404)]
    {
        assert_eq!(pages.get(&format!("/dead-letters?{wrong}")).await.status.as_u16(), status);
    }
}

fn letter(seq: u64) -> DeadLetter {
    DeadLetter {
        seq,
        key: None,
        reason: "<b>no</b>".to_owned(),
        attempts: 5,
        first_failed_at: Timestamp::UNIX_EPOCH,
        last_failed_at: Timestamp::UNIX_EPOCH,
        redrive: false,
    }
}

/// Writes a dead letter of the first event.
pub(crate) async fn dead_letter(stage: &Stage, reason: &str) {
    let name = "crm".parse().unwrap();
    let generation = stage.store.open(&name, 0).await.unwrap().generation;
    let letter = DeadLetter { reason: reason.to_owned(), ..letter(1) };
    let changes = Changes {
        generation,
        progress: Progress::new(1, []),
        totals: Totals { handled: 0, stale: 0, dead: 1 },
        deaths: 0,
        trial: None,
        dead: vec![letter],
        settled: Vec::new(),
    };
    stage.store.save(&name, &changes).await.unwrap();
}
