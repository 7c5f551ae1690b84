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
    assert!(counts.iter().all(|count| *count <= 40), "{counts:?}");
}
