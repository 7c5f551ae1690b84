//! Allocations are counted, not timed: the counts are the same on every machine.

use allocation_counter::measure;
use benches::{fixtures, payload};

fn count<T>(f: impl FnOnce() -> T) -> u64 {
    let mut result = None;
    let info = measure(|| result = Some(f()));
    drop(result);
    info.count_total
}

#[test]
fn keys_take_few() {
    let of = |bytes| count(|| payload::keys(bytes).unwrap());
    let counts = [fixtures::POST, fixtures::FAVORITE, fixtures::MESSAGE].map(of);
    assert!(counts.iter().all(|count| *count <= 12), "{counts:?}");
}

#[test]
fn typed_events_take_fewer_than_a_tree() {
    for bytes in [fixtures::POST, fixtures::FAVORITE, fixtures::MESSAGE] {
        let typed = count(|| payload::decode(bytes).unwrap());
        let tree = count(|| payload::value(bytes).unwrap());
        assert!(typed < tree, "{typed} allocations, and {tree} for a tree");
    }
}
