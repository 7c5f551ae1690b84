//! Reads an event log backwards, and finds its end: a log is made to be read forwards.

use std::collections::VecDeque;

use aaa_webhook::inbox::{EventQuery, InboxError, StoredEvent};

use crate::store::Store;

/// How many events are asked for at once.
const PAGE: usize = 100;

/// More matches than these in one stretch are not walked through: a shorter one will do.
const MATCHES: usize = 1_000;

/// Which events are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) kind: Option<String>,
    pub(crate) user: Option<String>,
}

impl Filter {
    pub(crate) fn after(&self, after: u64, limit: usize) -> EventQuery {
        EventQuery {
            kind: self.kind.clone(),
            user: self.user.clone(),
            ..EventQuery::after(after, limit)
        }
    }
}

/// Returns the number of the last event; `known` is one that it surely is not below.
pub(crate) async fn last(store: &dyn Store, known: u64) -> Result<u64, InboxError> {
    let (mut low, mut step) = (known, 1_u64);
    let mut high = loop {
        let probe = low.saturating_add(step - 1);
        match first_after(store, probe).await? {
            Some(event) => (low, step) = (event.seq, step.saturating_mul(2)),
            None => break probe,
        }
    };
    // There is one at `low`, unless there is none at all, and none beyond `high`.
    while low < high {
        let middle = low + (high - low) / 2;
        match first_after(store, middle).await? {
            Some(event) => low = event.seq,
            None => high = middle,
        }
    }
    Ok(low)
}

/// Returns the first event behind a number.
pub(crate) async fn first_after(
    store: &dyn Store,
    after: u64,
) -> Result<Option<StoredEvent>, InboxError> {
    Ok(store.events(EventQuery::after(after, 1)).await?.into_iter().next())
}

/// Returns one event.
pub(crate) async fn one(store: &dyn Store, seq: u64) -> Result<Option<StoredEvent>, InboxError> {
    let before = seq.saturating_sub(1);
    Ok(first_after(store, before).await?.filter(|event| event.seq == seq))
}

/// Returns the last events up to a number, the newest first, `limit` of them at most.
pub(crate) async fn newest(
    store: &dyn Store,
    filter: &Filter,
    up_to: u64,
    limit: usize,
) -> Result<Vec<StoredEvent>, InboxError> {
    let mut found = Vec::new();
    let (mut high, mut width) = (up_to, (limit as u64).saturating_mul(2).max(1));
    while high > 0 && found.len() < limit {
        let low = high.saturating_sub(width);
        let wanted = limit - found.len();
        match stretch(store, filter, low, high, wanted).await? {
            Some(events) => {
                found.extend(events.into_iter().rev());
                (high, width) = (low, width.saturating_mul(4));
            }
            None => width = (width / 8).max(1),
        }
    }
    Ok(found)
}

/// Returns the last matches behind `low` and up to `high`; nothing when there are too many to look
/// for the last of them here.
async fn stretch(
    store: &dyn Store,
    filter: &Filter,
    low: u64,
    high: u64,
    wanted: usize,
) -> Result<Option<VecDeque<StoredEvent>>, InboxError> {
    let (mut after, mut seen, mut last) = (low, 0_usize, VecDeque::new());
    while after < high {
        let page = store.events(filter.after(after, PAGE)).await?;
        let Some(end) = page.last() else { break };
        after = end.seq;
        for event in page.into_iter().filter(|event| event.seq <= high) {
            seen += 1;
            last.push_back(event);
            if last.len() > wanted {
                last.pop_front();
            }
        }
        if seen > MATCHES && high - low > PAGE as u64 {
            return Ok(None);
        }
    }
    Ok(Some(last))
}

#[cfg(test)]
pub(crate) mod tests;
