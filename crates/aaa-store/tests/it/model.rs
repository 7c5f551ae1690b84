//! Any deliveries, in any grouping and at any pace, against a list of keys.

use aaa_store::SqliteStore;
use aaa_webhook::inbox::{Inbox, Receipt};
use proptest::prelude::*;

use crate::helper::{Directory, Held, all, delivery, favorites, start};

/// What a receiver may do.
#[derive(Debug, Clone)]
enum Step {
    /// Deliveries that arrive together; each is a list of event numbers for a user.
    Together(Vec<(bool, Vec<u8>)>),
    /// Deliveries that arrive one after the other.
    Apart(Vec<(bool, Vec<u8>)>),
    /// A restart.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let delivery = (any::<bool>(), prop::collection::vec(0..12_u8, 1..5));
    let deliveries = prop::collection::vec(delivery, 1..6);
    let step = prop_oneof![
        3 => deliveries.clone().prop_map(Step::Together),
        3 => deliveries.prop_map(Step::Apart),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..10)
}

async fn run(directory: &Directory, steps: Vec<Step>) {
    let mut store: SqliteStore = directory.open();
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Together(deliveries) => {
                let held = Held::new(directory);
                let mut waiting = Vec::new();
                for (body, receipt) in deliveries.into_iter().map(|d| model.deliver(d)) {
                    waiting.push((start(store.commit(delivery(&body))), receipt));
                }
                held.release();
                for (commit, receipt) in waiting {
                    assert_eq!(commit.await.unwrap(), receipt);
                }
            }
            Step::Apart(deliveries) => {
                for (body, receipt) in deliveries.into_iter().map(|d| model.deliver(d)) {
                    assert_eq!(store.commit(delivery(&body)).await.unwrap(), receipt);
                }
            }
            Step::Restart => {
                store.close().await.unwrap();
                store = directory.open();
            }
        }
    }
    let events = all(&store).await;
    let keys: Vec<_> = events.iter().map(|event| event.key.clone()).collect();
    assert_eq!(keys, model.keys);
    assert!(events.is_sorted_by(|a, b| a.seq < b.seq));
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.events, stats.duplicates), (model.keys.len() as u64, model.copies));
    store.close().await.unwrap();
}

/// What a store has to hold: each key once, in the order of arrival.
#[derive(Debug, Default)]
struct Model {
    keys: Vec<String>,
    copies: u64,
}

impl Model {
    /// Returns a body, and how it has to be received.
    fn deliver(&mut self, (user, numbers): (bool, Vec<u8>)) -> (String, Receipt) {
        let user = if user { "7" } else { "8" };
        let mut receipt = Receipt { stored: 0, duplicates: 0 };
        for number in &numbers {
            let key = format!("{user}/favorite_events:{number}");
            if self.keys.contains(&key) {
                receipt.duplicates += 1;
                self.copies += 1;
            } else {
                receipt.stored += 1;
                self.keys.push(key);
            }
        }
        let ids: Vec<_> = numbers.iter().map(u8::to_string).collect();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        (favorites(user, &ids), receipt)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn each_key_once_in_the_order_of_arrival(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(&Directory::new(), steps));
    }
}
