use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_763_784_000 + second).unwrap()
}

/// What a society did, one act each second.
pub(super) fn acts(seed: u64, users: u32, subscribers: &[u64], count: i64) -> Vec<Act> {
    let mut society = Society::new(seed, users);
    let mut id = 1_992_085_043_712_345_677;
    let mut mint = || {
        id += 1000;
        id
    };
    let is_subscribed = |user| subscribers.contains(&user);
    let act = |second| {
        let subscriber = society.draw(subscribers).unwrap();
        society.act(subscriber, at(second), &is_subscribed, &mut mint)
    };
    (0..count).map(act).collect()
}

fn text(told: &Value, path: &str) -> Option<String> {
    Some(told.pointer(path)?.as_str()?.to_owned())
}

/// Whom an act concerns besides the one who acts.
fn others(told: &Value) -> Vec<u64> {
    let paths = [
        "/in_reply_to_user_id_str",
        "/entities/user_mentions/0/id_str",
        "/quoted_status/user/id_str",
        "/retweeted_status/user/id_str",
        "/favorited_status/user/id_str",
        "/message_create/target/recipient_id",
        "/target/recipient_id",
        "/target/id",
    ];
    paths.iter().filter_map(|path| text(told, path)?.parse().ok()).collect()
}

proptest! {
    #[test]
    fn a_story_makes_sense(
        seed: u64,
        users in 2_u32..12,
        subscribers in prop::collection::btree_set(1_u64..15, 1..5),
    ) {
        let subscribers: Vec<_> = subscribers.into_iter().collect();
        let mut posts: HashMap<String, u64> = HashMap::new();
        let (mut likes, mut ties) = (HashSet::new(), HashMap::new());
        let mut written: HashMap<(u64, u64), Vec<(u64, String)>> = HashMap::new();
        for act in acts(seed, users, &subscribers, 120) {
            let told = act.payload();
            let others = others(&told);
            prop_assert!(others.iter().all(|other| *other != act.actor), "{act:?}");
            let mut concerned = others.iter().chain([&act.actor]);
            prop_assert!(concerned.any(|user| subscribers.contains(user)), "{act:?}");
            // What a subscribed user wrote was told before anybody answers it.
            for path in ["/in_reply_to_status_id_str", "/quoted_status_id_str", "/retweeted_status/id_str", "/favorited_status/id_str"] {
                let author = others.first().copied().unwrap_or_default();
                if let Some(id) = text(&told, path).filter(|_| subscribers.contains(&author)) {
                    prop_assert_eq!(posts.get(&id), Some(&author), "{:?}", act);
                }
            }
            match act.kind() {
                "tweet_create_events" => {
                    let id = text(&told, "/id_str").unwrap();
                    prop_assert!(posts.insert(id, act.actor).is_none());
                }
                "tweet_delete_events" => {
                    let gone = posts.remove(&text(&told, "/status/id").unwrap());
                    prop_assert_eq!(gone, Some(act.actor));
                }
                "favorite_events" => {
                    let id = text(&told, "/favorited_status/id_str").unwrap();
                    prop_assert!(likes.insert((act.actor, id)), "liked twice");
                }
                "follow_events" | "block_events" | "mute_events" => {
                    let (word, tie) = (text(&told, "/type").unwrap(), (act.kind(), act.actor, others[0]));
                    let is_on = ties.insert(tie, !word.starts_with("un")).unwrap_or_default();
                    prop_assert_eq!(is_on, word.starts_with("un"), "{:?}", act);
                }
                "direct_message_events" => {
                    let pair = (act.actor.min(others[0]), act.actor.max(others[0]));
                    let id = text(&told, "/id").unwrap();
                    written.entry(pair).or_default().push((act.actor, id));
                }
                "direct_message_mark_read_events" => {
                    let pair = (act.actor.min(others[0]), act.actor.max(others[0]));
                    let last = written.get(&pair).and_then(|said| said.last());
                    let read = text(&told, "/last_read_event_id").unwrap();
                    prop_assert_eq!(last, Some(&(others[0], read)));
                }
                "direct_message_indicate_typing_events" => {}
                other => prop_assert!(false, "{}", other),
            }
        }
    }
}

#[test]
fn a_seed_is_always_the_same_story() {
    assert_eq!(acts(7, 20, &[1, 2], 500), acts(7, 20, &[1, 2], 500));
    assert_ne!(acts(7, 20, &[1, 2], 500), acts(8, 20, &[1, 2], 500));
}

#[test]
fn everything_happens_and_nobody_monologues() {
    let acts = acts(0, 20, &[7], 5000);
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for act in &acts {
        *counts.entry(act.kind()).or_default() += 1;
    }
    assert_eq!(counts.len(), 9, "{counts:?}");
    assert!(counts.values().all(|count| *count > 40), "{counts:?}");
    let own = acts.iter().filter(|act| act.actor == 7).count();
    assert!((1500..4000).contains(&own), "{own}");
    let partners: HashSet<_> = acts.iter().flat_map(|act| others(&act.payload())).collect();
    assert_eq!(partners.len(), 20);
    for path in ["/in_reply_to_status_id_str", "/retweeted_status", "/quoted_status"] {
        let found = acts.iter().filter(|act| act.payload().pointer(path).is_some()).count();
        assert!(found > 50, "{path}: {found}");
    }
}
