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
