//! Events that were read and wait for their turn.

use std::collections::HashMap;

use crate::inbox::StoredEvent;

/// How many bytes of bodies and payloads are kept; what does not fit is read again.
const BYTES: usize = 8 * 1024 * 1024;

/// A bounded store of events, so that what is handled soon is not read twice. However many wait
/// behind a handler that is stuck, memory stays as it is.
#[derive(Default)]
pub(super) struct Shelf {
    items: HashMap<u64, Vec<StoredEvent>>,
    bytes: usize,
}

impl Shelf {
    /// Keeps events that are handled together, if there is room.
    pub(super) fn put(&mut self, events: Vec<StoredEvent>) {
        let size = size(&events);
        if let Some(first) = events.first().map(|event| event.seq)
            && self.bytes.saturating_add(size) <= BYTES
        {
            self.bytes += size;
            self.items.insert(first, events);
        }
    }

    /// Takes exactly these events, if they are there.
    pub(super) fn take(&mut self, seqs: &[u64]) -> Option<Vec<StoredEvent>> {
        let events = self.items.remove(seqs.first()?)?;
        self.bytes = self.bytes.saturating_sub(size(&events));
        events.iter().map(|event| &event.seq).eq(seqs).then_some(events)
    }
}

fn size(events: &[StoredEvent]) -> usize {
    let own = |event: &StoredEvent| {
        size_of::<StoredEvent>()
            + event.payload.get().len()
            + event.context.get().len()
            + event.key.len()
    };
    // Events of one delivery share its body; counting it once for each group is near enough.
    events.first().map_or(0, |event| event.body.len()) + events.iter().map(own).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::consumer::tests;

    fn event(seq: u64, body: usize) -> StoredEvent {
        StoredEvent { body: Bytes::from(vec![0; body]), ..tests::event(seq, 1) }
    }

    #[test]
    fn exactly_what_was_put_is_taken_once() {
        let mut shelf = Shelf::default();
        shelf.put(vec![event(3, 1), event(5, 1)]);
        shelf.put(vec![event(4, 1)]);
        let seqs =
            |events: Vec<StoredEvent>| -> Vec<u64> { events.iter().map(|e| e.seq).collect() };
        assert_eq!(shelf.take(&[3, 5]).map(seqs), Some(vec![3, 5]));
        assert!(shelf.take(&[3, 5]).is_none() && shelf.take(&[]).is_none());
        assert!(shelf.take(&[4, 6]).is_none(), "others are not what was asked for");
        assert_eq!(shelf.bytes, 0);
    }

    #[test]
    fn what_finds_no_room_is_left_out() {
        let own = size_of::<StoredEvent>() + r#"{"id":"a"}"#.len() + "{}".len() + "key 1".len();
        assert_eq!(size(&[event(1, 100), event(2, 100)]), 100 + 2 * own);
        assert_eq!(size(&[]), 0);
        let mut shelf = Shelf::default();
        // Eight mebibytes.
        let half = 4 * 1024 * 1024 - own;
        shelf.put(vec![event(1, half)]);
        shelf.put(vec![event(2, half + 1)]);
        shelf.put(vec![event(3, half)]);
        shelf.put(vec![event(4, 0)]);
        assert!(shelf.take(&[2]).is_none() && shelf.take(&[4]).is_none());
        assert!(shelf.take(&[1]).is_some());
        shelf.put(vec![event(4, 0)]);
        assert!(shelf.take(&[3]).is_some() && shelf.take(&[4]).is_some());
        assert_eq!(shelf.bytes, 0);
    }
}
