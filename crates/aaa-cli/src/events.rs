//! `aaa events`: reads the inbox, sends from it, looks after consumers.

mod columns;
mod consumers;
mod resend;
mod tail;
#[cfg(feature = "tui")]
mod view;

use aaa_store::{SqliteReader, SqliteStore};
use aaa_webhook::inbox::{EventLog, EventQuery, StoredEvent};

use crate::{
    cli::{DeadCommand, EventsArgs, EventsCommand, FilterArgs, ListArgs, ShowArgs, StoreArgs},
    credentials::{CredentialArgs, Credentials},
    exit::{Exit, Failure},
    output::{self, Colour},
    signals,
};

/// How many events are read at once; no read transaction outlives a page.
const PAGE: usize = 500;

pub(crate) async fn run(args: EventsArgs, credentials: CredentialArgs) -> Result<(), Failure> {
    match args.command {
        EventsCommand::List(args) => list(args).await,
        EventsCommand::Show(args) => show(args).await,
        #[cfg(feature = "tui")]
        EventsCommand::Tail(args) if args.tui => {
            view::run(args, &Credentials::load(credentials)?).await
        }
        EventsCommand::Tail(args) => tail::run(args).await,
        EventsCommand::Resend(args) => {
            let credentials = Credentials::load(credentials)?;
            signals::or_end(resend::run(args, &credentials)).await
        }
        EventsCommand::Stats(args) => consumers::stats(args).await,
        EventsCommand::Dead(args) => match args.command {
            DeadCommand::List(args) => consumers::list_dead(args).await,
            DeadCommand::Redrive(args) => consumers::redrive(args),
        },
        EventsCommand::DropConsumer(args) => consumers::drop_consumer(args),
    }
}

async fn list(args: ListArgs) -> Result<(), Failure> {
    let store = open(&args.store)?;
    let mut left = args.limit.unwrap_or(usize::MAX);
    let mut query = query(args.after, args.filter);
    // A person gets columns; whatever else reads this, lines as they always were.
    let columns = !args.json && output::is_terminal();
    let mut is_first = true;
    while left > 0 {
        query.limit = left.min(PAGE);
        let page = page(&store, &query).await?;
        let Some(last) = page.last() else { break };
        query.after = last.seq;
        left -= page.len().min(left);
        if columns && std::mem::take(&mut is_first) {
            output::line(output::paint(Colour::Bold, &columns::header()))?;
        }
        for event in &page {
            let line =
                if columns { columns::line(event, output::paint) } else { text(event, args.json)? };
            if !output::line(line)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn show(args: ShowArgs) -> Result<(), Failure> {
    let store = open(&args.store)?;
    let page = page(&store, &EventQuery::after(args.seq.saturating_sub(1), 1)).await?;
    let event = page.first().filter(|event| event.seq == args.seq);
    let event = event.ok_or_else(|| {
        Exit::Failed
            .with(format!("there is no event {}", args.seq))
            .advise("`aaa events list` shows which there are; old ones may have been removed")
    })?;
    if args.json {
        output::line(text(event, true)?)?;
        return Ok(());
    }
    let lines = [
        ("seq", event.seq.to_string()),
        ("kind", event.kind.clone()),
        ("for_user_id", event.for_user_id.clone().unwrap_or_else(|| "none".to_owned())),
        ("key", event.key.clone()),
        ("app", event.app.clone()),
        ("received_at", event.received_at.to_string()),
        ("stale", if event.stale { "yes, and so not handled" } else { "no" }.to_owned()),
        ("payload", event.payload.to_string()),
        ("context", event.context.to_string()),
    ];
    for (name, value) in lines {
        if !output::line(format_args!("{name:<12} {}", output::printable(&value)))? {
            break;
        }
    }
    Ok(())
}

/// Opens the inbox for reading.
fn open(args: &StoreArgs) -> Result<SqliteReader, Failure> {
    SqliteStore::open_reader(&args.data_dir)
        .map_err(|error| Exit::Failed.of("could not open the inbox", error))
}

fn query(after: u64, filter: FilterArgs) -> EventQuery {
    EventQuery { after, limit: PAGE, kind: filter.kind, user: filter.user }
}

async fn page(store: &SqliteReader, query: &EventQuery) -> Result<Vec<StoredEvent>, Failure> {
    let page = store.events(query.clone()).await;
    page.map_err(|error| cannot_read(&error))
}

fn cannot_read(error: &dyn std::fmt::Display) -> Failure {
    Exit::Failed.of("could not read the inbox", error)
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
    // Kinds and ids are texts of others, and reach a terminal here.
    let key = output::printable(&event.key);
    format!("{:>8}  {:.3}  {key}{stale}", event.seq, event.received_at)
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
        let hostile =
            StoredEvent { key: "7/a\u{1b}[2J\n\u{9b}_events:b".to_owned(), ..event.clone() };
        insta::assert_snapshot!(pretty(&hostile), @"      12  2025-11-22T04:13:00.000Z  7/a [2J  _events:b");
        let stale = StoredEvent { stale: true, ..event };
        insta::assert_snapshot!(pretty(&stale), @"      12  2025-11-22T04:13:00.000Z  7/favorite_events:a  (stale: not handled)");
    }
}
