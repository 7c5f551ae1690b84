//! Reading events, from the leader of the stream.

use aaa_webhook::inbox::{EventLog, EventQuery, InboxError, StoredEvent};
use async_nats::jetstream::{message::StreamMessage, stream::Info};
use futures_util::{StreamExt, stream};

use super::{
    JetStreamInbox, Shared,
    error::JetStreamError,
    message::{self, Subjects},
};

/// How many messages are asked for at once.
const AT_ONCE: usize = 64;

/// Behind so many numbers in a row that have no message, the server is asked for the next event.
const HOLES: usize = 2;

/// A page ends behind so many bytes of bodies.
const PAGE_BYTES: usize = 16 * 1024 * 1024;

impl EventLog for JetStreamInbox {
    async fn events(&self, query: EventQuery) -> Result<Vec<StoredEvent>, InboxError> {
        self.shared.check_open()?;
        if query.limit == 0 {
            return Ok(Vec::new());
        }
        let bounds = self.shared.bounds().await?;
        let (first, last) = (query.after.saturating_add(1).max(bounds.first), bounds.last);
        if query.after == u64::MAX || first > last {
            return Ok(Vec::new());
        }
        let shared = &self.shared;
        let filter = Subjects::filter(&shared.settings.stream, shared.settings.keys, &query);
        let (mut events, missing) = match filter {
            None => shared.range(first, last, query.limit).await?,
            Some(subject) => shared.matching(&subject, first, last, &query).await?,
        };
        // A server that is behind has not got yet what it calls missing.
        if let Some(missing) = missing
            && !shared.still_leads(&bounds).await?
        {
            events.retain(|event| event.seq < missing);
            if events.is_empty() {
                // An empty page would say that there is nothing.
                return Err(JetStreamError::Failed {
                    action: "read events",
                    reason: "another server leads by now".to_owned(),
                }
                .into());
            }
        }
        Ok(events)
    }
}

/// The numbers of the messages that there are.
struct Subset {
    first: u64,
    last: u64,
    /// Which server said so.
    leader: Option<String>,
}

fn leader(info: &Info) -> Option<String> {
    info.cluster.as_ref().and_then(|cluster| cluster.leader.clone())
}

impl Shared {
    async fn bounds(&self) -> Result<Subset, JetStreamError> {
        let info = self.info().await?;
        let (leader, state) = (leader(&info), info.state);
        let known = *self.last_seq.borrow();
        if state.last_sequence < known {
            // Only a server that has not noticed that it leads no more says that.
            return Err(JetStreamError::Failed {
                action: "read events",
                reason: format!(
                    "a server that is behind answers: it knows of {}, and {known} was \
                     acknowledged",
                    state.last_sequence
                ),
            });
        }
        self.saw(state.last_sequence);
        Ok(Subset { first: state.first_sequence.max(1), last: state.last_sequence, leader })
    }

    /// Says whether the server that told the bounds was asked all the time.
    async fn still_leads(&self, bounds: &Subset) -> Result<bool, JetStreamError> {
        let info = self.info().await?;
        Ok(is_same_leader(bounds, leader(&info).as_deref(), info.state.last_sequence))
    }

    /// Reads events by their numbers, and returns the first number that has none.
    ///
    /// Heartbeats go again, so the end of a log in which nothing happens is one hole, and it
    /// grows: whoever waits there would ask for all of its numbers at every look. One request
    /// finds the next event, however far it is, and what stands close behind that is asked for at
    /// once.
    async fn range(
        &self,
        first: u64,
        last: u64,
        limit: usize,
    ) -> Result<(Vec<StoredEvent>, Option<u64>), JetStreamError> {
        let stream = &self.settings.stream;
        let subject = Subjects::events(stream);
        let (mut events, mut bytes, mut missing) = (Vec::new(), 0_usize, None);
        let (mut next, mut at_once) = (first, AT_ONCE);
        while next <= last && events.len() < limit && bytes < PAGE_BYTES {
            let Some(message) = self.next_of(&subject, next).await? else {
                return Ok((events, missing.or(Some(next))));
            };
            next = message.sequence.saturating_add(1);
            bytes += take(stream, &message, &mut events);
            // A number has one event at most, so none is asked for in vain.
            let room = limit.saturating_sub(events.len());
            let mut messages = stream::iter(next..=last)
                .take(room)
                .map(|seq| async move { (seq, self.message(seq).await) })
                .buffered(at_once);
            let (mut found, mut holes) = (0_usize, 0);
            while bytes < PAGE_BYTES
                && holes < HOLES
                && let Some((seq, message)) = messages.next().await
            {
                next = seq.saturating_add(1);
                match message? {
                    Some(message) => {
                        bytes += take(stream, &message, &mut events);
                        (found, holes) = (found + 1, 0);
                    }
                    None => {
                        missing = missing.or(Some(seq));
                        holes += 1;
                    }
                }
            }
            // Where events are few, most of what is asked for at once is asked in vain.
            at_once = found.saturating_mul(4).clamp(HOLES, AT_ONCE);
        }
        Ok((events, missing))
    }

    async fn matching(
        &self,
        subject: &str,
        mut next: u64,
        last: u64,
        query: &EventQuery,
    ) -> Result<(Vec<StoredEvent>, Option<u64>), JetStreamError> {
        let (mut events, mut bytes) = (Vec::new(), 0_usize);
        while next <= last && events.len() < query.limit && bytes < PAGE_BYTES {
            let Some(message) = self.next_of(subject, next).await? else {
                return Ok((events, Some(next)));
            };
            next = message.sequence.saturating_add(1);
            bytes += take(&self.settings.stream, &message, &mut events);
            // A long name is cut in a subject.
            if events.last().is_some_and(|event| !is_wanted(event, query)) {
                events.pop();
            }
        }
        Ok((events, None))
    }
}

impl Shared {
    /// Reads one event, or says why there is none.
    pub(super) async fn event(
        &self,
        seq: u64,
    ) -> Result<Result<StoredEvent, String>, JetStreamError> {
        let Some(found) = self.message(seq).await? else {
            return Ok(Err("the event is not stored any more".to_owned()));
        };
        let read = message::read(found.sequence, &found.headers, &found.payload);
        Ok(read.map_err(|reason| format!("it is no event: {reason}")))
    }
}

/// Says whether the bounds were told by whoever leads now, and knows of no less.
fn is_same_leader(bounds: &Subset, leader: Option<&str>, last: u64) -> bool {
    bounds.leader.as_deref() == leader && last >= bounds.last
}

fn is_wanted(event: &StoredEvent, query: &EventQuery) -> bool {
    query.kind.as_ref().is_none_or(|kind| *kind == event.kind)
        && query.user.as_ref().is_none_or(|user| Some(user) == event.for_user_id.as_ref())
}

/// Reads a message, if it is that of an event; returns how many bytes it has.
fn take(stream: &str, message: &StreamMessage, events: &mut Vec<StoredEvent>) -> usize {
    if !Subjects::is_event(stream, &message.subject) {
        return 0;
    }
    match message::read(message.sequence, &message.headers, &message.payload) {
        Ok(event) => events.push(event),
        Err(reason) => {
            let seq = message.sequence;
            tracing::error!(seq, reason, "a message of the stream is no event; it is passed over");
        }
    }
    message.payload.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_counts_when_the_same_server_leads_and_knows_of_no_less() {
        let bounds =
            |leader: Option<&str>| Subset { first: 1, last: 10, leader: leader.map(str::to_owned) };
        assert!(is_same_leader(&bounds(None), None, 10));
        assert!(is_same_leader(&bounds(Some("n1")), Some("n1"), 12));
        assert!(!is_same_leader(&bounds(Some("n1")), Some("n2"), 12));
        assert!(!is_same_leader(&bounds(Some("n1")), None, 12));
        assert!(!is_same_leader(&bounds(Some("n1")), Some("n1"), 9));
    }
}
