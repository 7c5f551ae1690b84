//! What every inbox with a log has to do, whatever it keeps its events in.
//!
//! Each function is one check on an empty inbox and panics when it fails.
//! [`inbox_conformance!`](crate::inbox_conformance) makes a test of each. Feature `conformance`.
//! What consumers keep has a suite of its own, [`consumers`].
//!
//! # Examples
//!
//! ```
//! # #[cfg(test)]
//! mod memory {
//!     async fn make() -> ((), aaa_store::MemoryStore) {
//!         // What has to live as long as the inbox, and the inbox: eight days of keys.
//!         ((), aaa_store::MemoryStore::default())
//!     }
//!
//!     aaa_store::inbox_conformance!(make);
//! }
//! ```

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a check fails by panicking")]

pub mod consumers;
pub mod ledger;

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use aaa_webhook::{
    app::App,
    consumer::StoredDelivery,
    delivery::{Received, VerifiedDelivery},
    inbox::{EventLog, EventQuery, Inbox, InboxError, Receipt, StoredEvent},
    signature::{self, Signature},
};
use jiff::{SignedDuration, Timestamp};

/// Makes a `#[tokio::test]` of each check.
///
/// Its argument is an asynchronous function that returns what has to live as long as the inbox,
/// and an empty inbox with a key retention of eight days. With `if` before it, the function returns
/// an `Option` of that, and without one its tests pass: what they need is missing.
#[macro_export]
macro_rules! inbox_conformance {
    (if $make:path) => {
        $crate::inbox_conformance!(@all $make);
    };
    ($make:path) => {
        $crate::inbox_conformance!(@all async || Some($make().await));
    };
    (@all $make:expr) => {
        $crate::inbox_conformance!(@ $make;
            an_event_comes_back_as_it_came,
            events_tell_their_delivery,
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
            a_copy_is_answered_when_it_is_there,
            any_deliveries_at_once,
        );
    };
    (@ $make:expr; $($check:ident,)+) => {
        $(#[tokio::test]
        async fn $check() {
            let Some((_alive, inbox)) = ($make)().await else { return };
            $crate::conformance::$check(&inbox).await;
        })+
    };
}

/// An event comes back byte for byte, and the first arrival counts.
pub async fn an_event_comes_back_as_it_came(store: &(impl Inbox + EventLog)) {
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

/// Each event names the delivery that brought it, and its signature.
pub async fn events_tell_their_delivery(store: &(impl Inbox + EventLog)) {
    store.commit(delivery(&favorites("7", &["a", "b"]))).await.unwrap();
    let second = delivery(&favorites("8", &["a"]));
    let signature = second.signature().to_owned();
    store.commit(second).await.unwrap();
    let events = all(store).await;
    let deliveries = StoredDelivery::split(events);
    let shapes: Vec<_> =
        deliveries.iter().map(|d| (d.first().seq, d.last().seq, d.events().len())).collect();
    assert_eq!(shapes, [(1, 2, 2), (3, 3, 1)]);
    assert_eq!(deliveries[1].signature(), signature);
    assert_eq!(deliveries[1].body(), favorites("8", &["a"]).as_bytes());
    assert_eq!(deliveries[0].events().map(|event| event.seq).collect::<Vec<_>>(), [1, 2]);
    assert!(!format!("{deliveries:?}").contains("sha256"), "a signature is shown");
}

/// The same body again stores nothing.
pub async fn a_copy_is_a_duplicate(store: &(impl Inbox + EventLog)) {
    let body = favorites("7", &["a", "b"]);
    let first = store.commit(delivery(&body)).await.unwrap();
    let second = store.commit(delivery(&body)).await.unwrap();
    assert_eq!(first, Receipt { stored: 2, duplicates: 0 });
    assert_eq!(second, Receipt { stored: 0, duplicates: 2 });
    assert_eq!(keys(store).await, ["7/favorite_events:a", "7/favorite_events:b"]);
}

/// An event is itself in whatever body, order and company it comes.
pub async fn regrouped_events_are_the_same(store: &(impl Inbox + EventLog)) {
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

/// An event twice in one body is one event.
pub async fn a_copy_inside_one_body_counts(store: &(impl Inbox + EventLog)) {
    let receipt = store.commit(delivery(&favorites("7", &["a", "a"]))).await.unwrap();
    assert_eq!(receipt, Receipt { stored: 1, duplicates: 1 });
}

/// The same item for two subscribed users is two events.
pub async fn the_same_event_for_two_users_is_two(store: &(impl Inbox + EventLog)) {
    store.commit(delivery(&favorites("7", &["a"]))).await.unwrap();
    let other = store.commit(delivery(&favorites("8", &["a"]))).await.unwrap();
    assert_eq!(other, Receipt { stored: 1, duplicates: 0 });
}

/// The same item through two apps is two events.
pub async fn the_same_event_of_two_apps_is_two(store: &(impl Inbox + EventLog)) {
    for name in ["one", "two"] {
        let app = App::new(name, format!("{name}-secret").parse().unwrap());
        let delivery = delivery_for(&app, &favorites("7", &["a"]), now());
        assert_eq!(store.commit(delivery).await.unwrap().stored, 1);
    }
    let apps: Vec<_> = all(store).await.into_iter().map(|event| event.app).collect();
    assert_eq!(apps, ["one", "two"]);
}

/// Pages follow the order of arrival and end.
pub async fn pages_follow_the_order_of_arrival(store: &(impl Inbox + EventLog)) {
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

/// A query finds what it asks for and nothing else.
pub async fn filters_by_kind_and_user(store: &(impl Inbox + EventLog)) {
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

/// An event older than eight days at its arrival is stale.
pub async fn old_captures_are_stale(store: &(impl Inbox + EventLog)) {
    let eight_days = SignedDuration::from_hours(8 * 24);
    let second = SignedDuration::from_secs(1);
    let times = [now() - eight_days, now() - eight_days - second, now() + eight_days + second];
    for time in times {
        let millis = time.as_millisecond();
        let body =
            format!(r#"{{"favorite_events":[{{"id":"{millis}","timestamp_ms":{millis}}}]}}"#);
        // Whole milliseconds, so that the edge is hit exactly.
        let arrived_at = Timestamp::from_millisecond(now().as_millisecond()).unwrap();
        store.commit(delivery_at(&body, arrived_at)).await.unwrap();
    }
    // No time of its own, so nobody can say.
    store.commit(delivery(&favorites("7", &["a"]))).await.unwrap();
    let stale: Vec<_> = all(store).await.iter().map(|event| event.stale).collect();
    assert_eq!(stale, [false, true, false, false]);
}

/// Whatever X may sign is kept.
pub async fn odd_bodies_are_kept(store: &(impl Inbox + EventLog)) {
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

/// Copies that arrive together are one record.
pub async fn the_same_delivery_at_once_is_stored_once(store: &(impl Inbox + EventLog)) {
    let body = favorites("7", &["a", "b", "c"]);
    let results = at_once(vec![
        store.commit(delivery(&body)),
        store.commit(delivery(&body)),
        store.commit(delivery(&favorites("7", &["c", "d"]))),
        store.commit(delivery(&body)),
    ])
    .await;
    let results: Vec<_> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!(results.iter().map(|r| r.stored).sum::<usize>(), 4);
    assert_eq!(results.iter().map(|r| r.duplicates).sum::<usize>(), 7);
    assert_eq!(all(store).await.len(), 4);
}

/// Whoever stops waiting leaves nothing half done.
pub async fn a_wait_may_be_given_up(store: &(impl Inbox + EventLog)) {
    {
        let mut given_up = Box::pin(store.commit(delivery(&favorites("7", &["a"]))));
        let mut context = Context::from_waker(Waker::noop());
        let _ = given_up.as_mut().poll(&mut context);
    }
    let again = store.commit(delivery(&favorites("7", &["a"]))).await.unwrap();
    assert_eq!(again.stored + again.duplicates, 1);
    assert_eq!(keys(store).await, ["7/favorite_events:a"]);
}

/// A copy of an event that is being stored is answered only when the event is there, whether or
/// not the first of them is still waited for.
pub async fn a_copy_is_answered_when_it_is_there(store: &(impl Inbox + EventLog)) {
    let body = favorites("7", &["a"]);
    let mut first = pin!(store.commit(delivery(&body)));
    let mut context = Context::from_waker(Waker::noop());
    let begun = first.as_mut().poll(&mut context);
    let copy = store.commit(delivery(&body)).await.unwrap();
    assert_eq!(keys(store).await, ["7/favorite_events:a"]);
    let first = match begun {
        Poll::Ready(receipt) => receipt.unwrap(),
        Poll::Pending => first.await.unwrap(),
    };
    assert_eq!(first.stored + copy.stored, 1);
    assert_eq!(first.duplicates + copy.duplicates, 1);
}

/// Any deliveries in any grouping, for several users, many at once: each event is stored once
/// for each user, and the answers add up.
pub async fn any_deliveries_at_once(store: &(impl Inbox + EventLog)) {
    let mut expected = std::collections::BTreeSet::new();
    let mut random = Random(0x9e37_79b9);
    for _ in 0..60 {
        let mut waiting = Vec::new();
        let (mut new, mut items) = (0, 0);
        for _ in 0..=random.below(7) {
            let user = ["7", "8", "9"][random.below(3)];
            let ids: Vec<_> = (0..=random.below(4)).map(|_| random.below(80).to_string()).collect();
            let ids: Vec<_> = ids.iter().map(String::as_str).collect();
            for id in &ids {
                new += usize::from(expected.insert(format!("{user}/favorite_events:{id}")));
            }
            items += ids.len();
            // The same item in another body: other blanks, another member before it.
            let body = favorites(user, &ids);
            let body = if random.below(2) == 0 {
                body
            } else {
                body.replacen('{', r#"{ "apps" : {}, "#, 1)
            };
            waiting.push(store.commit(delivery(&body)));
        }
        let receipts = at_once(waiting).await.into_iter().map(Result::unwrap);
        let (stored, duplicates) =
            receipts.fold((0, 0), |(stored, copies), r| (stored + r.stored, copies + r.duplicates));
        assert_eq!((stored, duplicates), (new, items - new));
        // What was answered can be read at once.
        let mut found = keys(store).await;
        found.sort();
        assert!(found.iter().eq(&expected), "{found:?} is not {expected:?}");
    }
}

/// Begins all of them before it waits for any.
async fn at_once<F>(futures: Vec<F>) -> Vec<Result<Receipt, InboxError>>
where
    F: Future<Output = Result<Receipt, InboxError>>,
{
    let mut waiting: Vec<(Pin<Box<F>>, Option<_>)> =
        futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        for (future, done) in waiting.iter_mut().filter(|(_, done)| done.is_none()) {
            if let Poll::Ready(result) = future.as_mut().poll(context) {
                *done = Some(result);
            }
        }
        if waiting.iter().all(|(_, done)| done.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

/// The same numbers in every run (xorshift).
struct Random(u32);

impl Random {
    fn below(&mut self, limit: u32) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        (self.0 % limit) as usize
    }
}

/// When everything here happens.
pub const NOW: &str = "2025-11-22T04:13:00.123456Z";

/// Returns that time.
pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A delivery as X would have signed it.
pub fn delivery(body: &str) -> VerifiedDelivery {
    delivery_at(body, now())
}

/// A delivery that arrives at a time.
pub fn delivery_at(body: &str, at: Timestamp) -> VerifiedDelivery {
    delivery_for(&App::new("main", "secret".parse().unwrap()), body, at)
}

/// A delivery to one of several apps.
pub fn delivery_for(app: &App, body: &str, at: Timestamp) -> VerifiedDelivery {
    let mut headers = http::HeaderMap::new();
    let signature = Signature::of(app.active(), body.as_bytes()).to_string();
    headers.insert(signature::HEADER, signature.parse().unwrap());
    let body = body.as_bytes().to_vec().into();
    Received::new(body, at).verify(&headers, std::slice::from_ref(app)).unwrap()
}

/// A body with favorites of one user.
pub fn favorites(user: &str, ids: &[&str]) -> String {
    let items: Vec<_> = ids.iter().map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
    format!(r#"{{"for_user_id":"{user}","favorite_events":[{}]}}"#, items.join(","))
}

/// Reads the whole log in one page.
pub async fn all(log: &impl EventLog) -> Vec<StoredEvent> {
    log.events(EventQuery::after(0, usize::MAX)).await.unwrap()
}

/// Reads the keys of the whole log.
pub async fn keys(log: &impl EventLog) -> Vec<String> {
    all(log).await.into_iter().map(|event| event.key).collect()
}
