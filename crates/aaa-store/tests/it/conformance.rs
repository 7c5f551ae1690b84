//! What every inbox with a log has to do, whatever it keeps its events in.

use aaa_store::{MemoryStore, SqliteStore};
use aaa_webhook::{
    app::App,
    inbox::{EventLog, EventQuery, Inbox, Receipt},
};
use jiff::SignedDuration;

use crate::helper::{Directory, all, delivery, delivery_at, delivery_for, favorites, keys, now};

/// Runs every check, each on a store of its own.
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
    an_event_comes_back_as_it_came,
    a_copy_is_a_duplicate,
    regrouped_events_are_the_same,
    a_copy_inside_one_body_counts,
    the_same_event_for_two_users_is_two,
    the_same_event_of_two_apps_is_two,
    pages_follow_the_order_of_arrival,
    filters_by_kind_and_user,
    old_captures_are_stale,
    odd_bodies_are_kept,
    the_same_delivery_at_once_is_stored_once,
    a_wait_may_be_given_up,
);

async fn an_event_comes_back_as_it_came(store: &(impl Inbox + EventLog)) {
    let body = r#" {"users" : {"8":{"name":"\u00e4\/"}}, "for_user_id":"7",
        "direct_message_events":[ {"id":"954491830116155396", "n": 1.0 } ]} "#;
    let mut later = now();
    let receipt = store.commit(delivery_at(body, later)).await.unwrap();
    assert_eq!(receipt, Receipt { stored: 1, duplicates: 0 });

    let events = all(store).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].payload.get(), r#"{"id":"954491830116155396", "n": 1.0 }"#);
    // As JSON it is one line. Not a snapshot: more than one store comes by here.
    assert_eq!(
        serde_json::to_string(&events[0]).unwrap(),
        r#"{"seq":1,"kind":"direct_message_events","for_user_id":"7","key":"7/direct_message_events:954491830116155396","received_at":"2025-11-22T04:13:00.123456Z","stale":true,"payload":{"id":"954491830116155396","n":1.0},"context":{"users":{"8":{"name":"\u00e4\/"}}}}"#
    );
    assert_eq!(events[0].body, body.as_bytes());
    assert_eq!(events[0].app, "main");

    // The first arrival counts.
    later += SignedDuration::from_secs(60);
    store.commit(delivery_at(body, later)).await.unwrap();
    assert_eq!(all(store).await[0].received_at, now());
}

async fn a_copy_is_a_duplicate(store: &(impl Inbox + EventLog)) {
    let body = favorites("7", &["a", "b"]);
    let first = store.commit(delivery(&body)).await.unwrap();
    let second = store.commit(delivery(&body)).await.unwrap();
    assert_eq!(first, Receipt { stored: 2, duplicates: 0 });
    assert_eq!(second, Receipt { stored: 0, duplicates: 2 });
    assert_eq!(keys(store).await, ["7/favorite_events:a", "7/favorite_events:b"]);
}

async fn regrouped_events_are_the_same(store: &(impl Inbox + EventLog)) {
    store.commit(delivery(&favorites("7", &["a", "b"]))).await.unwrap();
    let shared = store.commit(delivery(&favorites("7", &["c", "b"]))).await.unwrap();
    assert_eq!(shared, Receipt { stored: 1, duplicates: 1 });
    // Another order, other blanks, another kind beside it.
    let body = r#"{"favorite_events":[ {"id":"c"},{"id":"a"} ],
        "tweet_delete_events":[{"status":{"id":"9"},"timestamp_ms":"1763784780000"}],"for_user_id":"7"}"#;
    let regrouped = store.commit(delivery(body)).await.unwrap();
    assert_eq!(regrouped, Receipt { stored: 1, duplicates: 2 });
    let expected =
        ["favorite_events:a", "favorite_events:b", "favorite_events:c", "tweet_delete_events:9"];
    assert_eq!(keys(store).await, expected.map(|key| format!("7/{key}")));
    // What an event brought with it is that of its own body.
    assert_eq!(all(store).await[2].payload.get(), r#"{"id":"c"}"#);
}

async fn a_copy_inside_one_body_counts(store: &(impl Inbox + EventLog)) {
    let receipt = store.commit(delivery(&favorites("7", &["a", "a"]))).await.unwrap();
    assert_eq!(receipt, Receipt { stored: 1, duplicates: 1 });
}

async fn the_same_event_for_two_users_is_two(store: &(impl Inbox + EventLog)) {
    store.commit(delivery(&favorites("7", &["a"]))).await.unwrap();
    let other = store.commit(delivery(&favorites("8", &["a"]))).await.unwrap();
    assert_eq!(other, Receipt { stored: 1, duplicates: 0 });
}

async fn the_same_event_of_two_apps_is_two(store: &(impl Inbox + EventLog)) {
    for name in ["one", "two"] {
        let app = App::new(name, format!("{name}-secret").parse().unwrap());
        let delivery = delivery_for(&app, &favorites("7", &["a"]), now());
        assert_eq!(store.commit(delivery).await.unwrap().stored, 1);
    }
    let apps: Vec<_> = all(store).await.into_iter().map(|event| event.app).collect();
    assert_eq!(apps, ["one", "two"]);
}

async fn pages_follow_the_order_of_arrival(store: &(impl Inbox + EventLog)) {
    for ids in [["e", "d"], ["c", "b"], ["a", "f"]] {
        store.commit(delivery(&favorites("7", &ids))).await.unwrap();
    }
    let mut seen = String::new();
    let mut after = 0;
    loop {
        let page = store.events(EventQuery::after(after, 3)).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3);
        assert!(page.is_sorted_by(|a, b| a.seq < b.seq) && page[0].seq > after);
        after = last.seq;
        seen.extend(page.iter().filter_map(|event| event.key.chars().last()));
    }
    assert_eq!(seen, "edcbaf");
    assert_eq!(store.events(EventQuery::after(0, 0)).await.unwrap().len(), 0);
    assert_eq!(store.events(EventQuery::after(u64::MAX, 9)).await.unwrap().len(), 0);
}

async fn filters_by_kind_and_user(store: &(impl Inbox + EventLog)) {
    let body = r#"{"for_user_id":"7","favorite_events":[{"id":"a"}],"tweet_create_events":[{"id_str":"1"}]}"#;
    store.commit(delivery(body)).await.unwrap();
    store.commit(delivery(&favorites("8", &["a"]))).await.unwrap();
    store
        .commit(delivery(r#"{"replay_job_status":{"job_id":"1","job_state":"Complete"}}"#))
        .await
        .unwrap();
    for (kind, user, expected) in [
        (Some("favorite_events"), None, vec![1, 3]),
        (None, Some("7"), vec![1, 2]),
        (Some("favorite_events"), Some("8"), vec![3]),
        (Some("replay_job_status"), None, vec![4]),
        (Some("tweet_create_events"), Some("8"), vec![]),
        (Some("Favorite_events"), None, vec![]),
        (None, Some(""), vec![]),
    ] {
        let query = EventQuery {
            kind: kind.map(str::to_owned),
            user: user.map(str::to_owned),
            ..EventQuery::after(0, 10)
        };
        let found = store.events(query).await.unwrap();
        let found: Vec<_> = found.iter().map(|event| event.seq).collect();
        assert_eq!(found, expected, "{kind:?} {user:?}");
    }
}

async fn old_captures_are_stale(store: &(impl Inbox + EventLog)) {
    let eight_days = SignedDuration::from_hours(8 * 24);
    let second = SignedDuration::from_secs(1);
    let times = [now() - eight_days, now() - eight_days - second, now() + eight_days + second];
    for time in times {
        let millis = time.as_millisecond();
        let body =
            format!(r#"{{"favorite_events":[{{"id":"{millis}","timestamp_ms":{millis}}}]}}"#);
        // Whole milliseconds, so that the edge is hit exactly.
        let arrived_at = jiff::Timestamp::from_millisecond(now().as_millisecond()).unwrap();
        store.commit(delivery_at(&body, arrived_at)).await.unwrap();
    }
    // No time of its own, so nobody can say.
    store.commit(delivery(&favorites("7", &["a"]))).await.unwrap();
    let stale: Vec<_> = all(store).await.iter().map(|event| event.stale).collect();
    assert_eq!(stale, [false, true, false, false]);
}

async fn odd_bodies_are_kept(store: &(impl Inbox + EventLog)) {
    let deep = format!(r#"{{"x_events":[{}{}]}}"#, "[".repeat(5000), "]".repeat(5000));
    for body in [
        "{}",
        r#"{"for_user_id":"7","favorite_events":[]}"#,
        r#"{"a\u0000_events":[{"id":"\u0000"}],"for_user_id":"7\u0000'"}"#,
        r#"{"\ud800":1}"#,
        r#"{"favorite_events":[1e999,null,"😀",{"id":"a"},{"id":"a","id":"b"}]}"#,
        &deep,
    ] {
        let before = all(store).await;
        let last = before.last().map_or(0, |event| event.seq);
        let delivery = delivery(body);
        let expected: Vec<_> = delivery
            .events()
            .iter()
            .map(|e| (e.identity().to_string(), body[e.payload()].to_owned()))
            .collect();
        store.commit(delivery).await.unwrap();
        let found = store.events(EventQuery::after(last, 99)).await.unwrap();
        let found: Vec<_> =
            found.into_iter().map(|e| (e.key.clone(), e.payload.get().to_owned())).collect();
        assert_eq!(found, expected, "{}", &body[..body.len().min(80)]);
    }
}

async fn the_same_delivery_at_once_is_stored_once(store: &(impl Inbox + EventLog)) {
    let body = favorites("7", &["a", "b", "c"]);
    let results = tokio::join!(
        store.commit(delivery(&body)),
        store.commit(delivery(&body)),
        store.commit(delivery(&favorites("7", &["c", "d"]))),
        store.commit(delivery(&body)),
    );
    let results = [results.0, results.1, results.2, results.3].map(Result::unwrap);
    assert_eq!(results.iter().map(|r| r.stored).sum::<usize>(), 4);
    assert_eq!(results.iter().map(|r| r.duplicates).sum::<usize>(), 7);
    assert_eq!(all(store).await.len(), 4);
}

async fn a_wait_may_be_given_up(store: &(impl Inbox + EventLog)) {
    {
        let mut given_up = Box::pin(store.commit(delivery(&favorites("7", &["a"]))));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = given_up.as_mut().poll(&mut context);
    }
    let again = store.commit(delivery(&favorites("7", &["a"]))).await.unwrap();
    assert_eq!(again.stored + again.duplicates, 1);
    assert_eq!(keys(store).await, ["7/favorite_events:a"]);
}
