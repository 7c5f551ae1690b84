//! `aaa events`: reads the inbox.

use aaa_store::SqliteStore;
use aaa_webhook::inbox::{EventLog, EventQuery, StoredEvent};

use crate::{
    cli::{EventsArgs, EventsCommand, ListArgs},
    exit::{Exit, Failure},
    output,
};

/// How many events are read at once; no read transaction outlives a page.
const PAGE: usize = 500;

pub(crate) async fn run(args: EventsArgs) -> Result<(), Failure> {
    match args.command {
        EventsCommand::List(args) => list(args).await,
    }
}

async fn list(args: ListArgs) -> Result<(), Failure> {
    let store = SqliteStore::open_reader(&args.store.data_dir)
        .map_err(|error| Exit::Failed.of("could not open the inbox", error))?;
    let mut left = args.limit.unwrap_or(usize::MAX);
    let mut query = EventQuery { after: args.after, limit: 0, kind: args.kind, user: args.user };
    while left > 0 {
        query.limit = left.min(PAGE);
        let page = store
            .events(query.clone())
            .await
            .map_err(|error| Exit::Failed.of("could not read the inbox", error))?;
        let Some(last) = page.last() else { break };
        query.after = last.seq;
        left -= page.len().min(left);
        for event in &page {
            if !output::line(text(event, args.json)?)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Returns the line for an event: a JSON object, or for people.
///
/// # Errors
///
/// Fails when the event cannot be written as JSON.
pub(crate) fn text(event: &StoredEvent, json: bool) -> Result<String, Failure> {
    if json {
        let text = serde_json::to_string(event);
        text.map_err(|error| Exit::Failed.of("could not print an event", error))
    } else {
        Ok(pretty(event))
    }
}

fn pretty(event: &StoredEvent) -> String {
    let stale = if event.stale { "  (stale: not handled)" } else { "" };
    format!("{:>8}  {:.3}  {}{stale}", event.seq, event.received_at, event.key)
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn a_line_for_people() {
        let event = StoredEvent {
            seq: 12,
            kind: "favorite_events".to_owned(),
            for_user_id: Some("7".to_owned()),
            key: "7/favorite_events:a".to_owned(),
            app: "main".to_owned(),
            received_at: "2025-11-22T04:13:00Z".parse().unwrap(),
            stale: false,
            payload: RawValue::NULL.to_owned(),
            context: RawValue::NULL.to_owned(),
            body: Default::default(),
            origin: Default::default(),
        };
        insta::assert_snapshot!(pretty(&event), @"      12  2025-11-22T04:13:00.000Z  7/favorite_events:a");
        let stale = StoredEvent { stale: true, ..event };
        insta::assert_snapshot!(pretty(&stale), @"      12  2025-11-22T04:13:00.000Z  7/favorite_events:a  (stale: not handled)");
    }
}
