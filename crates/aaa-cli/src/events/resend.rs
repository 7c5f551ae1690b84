//! `aaa events resend`: posts stored deliveries, in order, each once.

use aaa_webhook::consumer::StoredDelivery;
use serde::Serialize;

use super::{PAGE, open, page, query};
use crate::{
    cli::ResendArgs,
    credentials::Credentials,
    exit::{Exit, Failure},
    forward::{Forwarder, secret, told},
    output,
};

pub(super) async fn run(args: ResendArgs, credentials: &Credentials) -> Result<(), Failure> {
    let store = open(&args.store)?;
    let secret = secret(args.forward_secret.as_ref(), credentials)?;
    let post = Post { forwarder: Forwarder::new(args.to, secret)?, json: args.json };
    let (first, last) = args.seqs.0.into_inner();
    let mut left = args.limit.unwrap_or(usize::MAX);
    let mut query = query(first.saturating_sub(1), args.filter);
    // The last delivery of a page may go on in the next one.
    let mut waiting = Vec::new();
    let mut sent = 0;
    while left > 0 {
        query.limit = left.min(PAGE);
        let mut page = page(&store, &query).await?;
        page.retain(|event| event.seq <= last);
        let Some(end) = page.last() else { break };
        query.after = end.seq;
        left -= page.len().min(left);
        waiting.append(&mut page);
        let mut deliveries = StoredDelivery::split(std::mem::take(&mut waiting));
        if let Some(unfinished) = deliveries.pop() {
            waiting = unfinished.into_events();
        }
        for delivery in deliveries {
            sent += post.send(&delivery).await?;
        }
    }
    for delivery in StoredDelivery::split(waiting) {
        sent += post.send(&delivery).await?;
    }
    if sent == 0 {
        let failure = Exit::Failed.with("there are no such events in the inbox");
        return Err(failure.advise("`aaa events list` shows which there are"));
    }
    Ok(())
}

/// Sends the delivery of one event, and says what was answered.
///
/// # Errors
///
/// Fails when the event is gone, when nothing answers, and when the answer is no success.
#[cfg(feature = "tui")]
pub(super) async fn one(
    store: &aaa_store::SqliteReader,
    forwarder: &Forwarder,
    seq: u64,
) -> Result<String, Failure> {
    let page =
        page(store, &aaa_webhook::inbox::EventQuery::after(seq.saturating_sub(1), 1)).await?;
    let found: Vec<_> = page.into_iter().filter(|event| event.seq == seq).collect();
    let Some(delivery) = StoredDelivery::split(found).pop() else {
        return Err(Exit::Failed.with(format!("event {seq} is no longer in the inbox")));
    };
    let answer = forwarder.post(&delivery).await;
    let tried = format!("could not send event {seq}");
    let answer = answer.map_err(|error| Exit::Network.of(&tried, error))?;
    let words = format!("event {seq} was answered {}", told(answer.status()));
    if answer.status().is_success() { Ok(words) } else { Err(Exit::Failed.with(words)) }
}

struct Post {
    forwarder: Forwarder,
    json: bool,
}

impl Post {
    /// Sends a delivery and tells of it; returns how many events it brought.
    async fn send(&self, delivery: &StoredDelivery) -> Result<usize, Failure> {
        let (first, last) = (delivery.first().seq, delivery.last().seq);
        let events = delivery.events().len();
        let answer = self.forwarder.post(delivery).await.map_err(|error| {
            let tried = format!("could not send event {first}");
            Exit::Network.of(&tried, error).advise(go_on(first))
        })?;
        if !answer.status().is_success() {
            let words = format!("event {first} was answered {}", told(answer.status()));
            return Err(Exit::Failed.with(words).advise(go_on(first)));
        }
        if self.json {
            output::json(&Sent { first, last, events, status: answer.status().as_u16() })?;
        } else {
            let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
            output::line(format_args!("{range}  {}", told(answer.status())))?;
        }
        Ok(events)
    }
}

fn go_on(first: u64) -> String {
    format!("what was printed is there; go on with `aaa events resend {first}-`")
}

/// A delivery that was taken.
#[derive(Debug, Serialize)]
struct Sent {
    first: u64,
    last: u64,
    events: usize,
    status: u16,
}
