//! What consumers did, and what they could not do.

use aaa_store::{SqliteBeside, SqliteReader};
use aaa_webhook::consumer::{ConsumerName, DeadLetter, DeadLetterQuery, Totals, WhichLetters};
use jiff::Timestamp;
use serde::Serialize;

use super::{PAGE, cannot_read, open};
use crate::{
    cli::{DeadListArgs, DropConsumerArgs, RedriveArgs, StatsArgs, StoreArgs},
    exit::{Exit, Failure},
    output,
    table::Table,
};

/// What `aaa events stats` tells.
#[derive(Debug, Serialize)]
struct Counted {
    events: u64,
    deliveries: u64,
    duplicates: u64,
    commits: u64,
    first_seq: Option<u64>,
    last_seq: Option<u64>,
    last_received_at: Option<Timestamp>,
    consumers: Vec<CountedConsumer>,
}

#[derive(Debug, Serialize)]
struct CountedConsumer {
    name: ConsumerName,
    cursor: u64,
    /// How many events it has not finished, by their numbers.
    behind: u64,
    /// How many dead letters there are.
    dead_letters: usize,
    #[serde(flatten)]
    totals: Totals,
}

pub(super) async fn stats(args: StatsArgs) -> Result<(), Failure> {
    let store = open(&args.store)?;
    let stats = store.stats().await.map_err(|error| cannot_read(&error))?;
    let mut consumers = Vec::new();
    for (name, cursor) in store.cursors().await.map_err(|error| cannot_read(&error))? {
        let progress = &cursor.progress;
        let last = stats.last_seq.unwrap_or(0);
        consumers.push(CountedConsumer {
            cursor: progress.cursor(),
            behind: progress.unfinished(last),
            dead_letters: letters(&store, &name, |_| Ok(true)).await?,
            totals: cursor.totals,
            name,
        });
    }
    let counted = Counted {
        events: stats.events,
        deliveries: stats.deliveries,
        duplicates: stats.duplicates,
        commits: stats.commits,
        first_seq: stats.first_seq,
        last_seq: stats.last_seq,
        last_received_at: stats.last_received_at,
        consumers,
    };
    if args.json { output::json(&counted) } else { print(&counted) }
}

fn print(counted: &Counted) -> Result<(), Failure> {
    let or_none = |seq: Option<u64>| seq.map_or_else(|| "none".to_owned(), |seq| seq.to_string());
    let last = counted.last_received_at;
    let lines = [
        ("events", counted.events.to_string()),
        ("deliveries", counted.deliveries.to_string()),
        ("duplicates", counted.duplicates.to_string()),
        ("commits", counted.commits.to_string()),
        ("first seq", or_none(counted.first_seq)),
        ("last seq", or_none(counted.last_seq)),
        ("last arrival", last.map_or_else(|| "none".to_owned(), |at| format!("{at:.3}"))),
    ];
    for (name, value) in lines {
        output::line(format_args!("{name:<14}{value}"))?;
    }
    let header = ["CONSUMER", "CURSOR", "BEHIND", "HANDLED", "STALE", "DEAD LETTERS"];
    let mut table = Table::new(header);
    for consumer in &counted.consumers {
        table.row([
            consumer.name.to_string(),
            consumer.cursor.to_string(),
            consumer.behind.to_string(),
            consumer.totals.handled.to_string(),
            consumer.totals.stale.to_string(),
            consumer.dead_letters.to_string(),
        ]);
    }
    table.print()
}

/// A dead letter, and whose it is.
#[derive(Debug, Serialize)]
struct Dead<'a> {
    consumer: &'a ConsumerName,
    #[serde(flatten)]
    letter: &'a DeadLetter,
}

pub(super) async fn list_dead(args: DeadListArgs) -> Result<(), Failure> {
    let store = open(&args.store)?;
    let consumers = match args.consumer {
        Some(consumer) => vec![consumer],
        None => {
            let cursors = store.cursors().await.map_err(|error| cannot_read(&error))?;
            cursors.into_iter().map(|(name, _)| name).collect()
        }
    };
    for consumer in &consumers {
        letters(&store, consumer, |letter| {
            if args.json {
                let text = serde_json::to_string(&Dead { consumer, letter });
                let failed = |error| Exit::Failed.of("could not print a dead letter", error);
                return output::line(text.map_err(failed)?);
            }
            let DeadLetter { seq, attempts, last_failed_at, reason, redrive, .. } = letter;
            let key = letter.key.as_deref().unwrap_or("(not stored any more)");
            let redrive = if *redrive { "  (to be handled once more)" } else { "" };
            output::line(output::printable(&format!(
                "{seq:>8}  {consumer}  {last_failed_at:.3}  {key}  {attempts} attempts: \
                 {reason}{redrive}"
            )))
        })
        .await?;
    }
    Ok(())
}

/// Goes through the dead letters of a consumer, for as long as somebody wants more; returns how
/// many that were.
async fn letters(
    store: &SqliteReader,
    consumer: &ConsumerName,
    mut each: impl FnMut(&DeadLetter) -> Result<bool, Failure>,
) -> Result<usize, Failure> {
    let which = WhichLetters::All;
    let mut query = DeadLetterQuery { consumer: consumer.clone(), after: 0, limit: PAGE, which };
    let mut seen = 0;
    loop {
        let page = store.dead_letters(query.clone()).await.map_err(|error| cannot_read(&error))?;
        let Some(last) = page.last() else { return Ok(seen) };
        query.after = last.seq;
        for letter in &page {
            seen += 1;
            if !each(letter)? {
                return Ok(seen);
            }
        }
    }
}

pub(super) fn redrive(args: RedriveArgs) -> Result<(), Failure> {
    let seqs = args.seqs.map_or(1..=u64::MAX, |seqs| seqs.0);
    let mut store = open_to_change(&args.store)?;
    let redriven = store
        .redrive(&args.consumer, seqs)
        .map_err(|error| Exit::Failed.of("could not ask for it", error))?;
    if args.json {
        output::json(&serde_json::json!({ "redriven": redriven }))?;
    } else {
        let one = if redriven == 1 { "dead letter is" } else { "dead letters are" };
        output::line(format_args!("{redriven} {one} to be handled once more"))?;
    }
    if redriven == 0 && !args.all {
        let words = format!("the consumer `{}` has no such dead letter", args.consumer);
        return Err(Exit::Failed
            .with(words)
            .advise("`aaa events dead list` shows which there are"));
    }
    Ok(())
}

pub(super) fn drop_consumer(args: DropConsumerArgs) -> Result<(), Failure> {
    let dropped = open_to_change(&args.store)?.forget_consumer(&args.name);
    if dropped.map_err(|error| Exit::Failed.of("could not forget the consumer", error))? {
        output::note(format_args!(
            "the consumer `{}` is forgotten; a receiver that runs it has done with it, and begins \
             anew when it is started again",
            args.name
        ));
        if args.json {
            output::json(&serde_json::json!({ "consumer": args.name, "forgotten": true }))?;
        }
        Ok(())
    } else {
        let words = format!("there is no consumer `{}`", args.name);
        Err(Exit::Failed.with(words).advise("`aaa events stats` shows which there are"))
    }
}

fn open_to_change(args: &StoreArgs) -> Result<SqliteBeside, Failure> {
    SqliteBeside::open(&args.data_dir)
        .map_err(|error| Exit::Failed.of("could not open the inbox", error))
}
