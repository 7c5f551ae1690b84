//! `aaa events tail`: prints what arrives at a receiver, which is another process.

use std::time::Duration;

use tokio::time::sleep;

use super::{PAGE, cannot_read, open, page, query, text};
use crate::{cli::TailArgs, exit::Failure, output, signals};

/// How often to look. A look that finds nothing reads one page of an index.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn run(args: TailArgs) -> Result<(), Failure> {
    let signal = signals::end();
    tokio::select! {
        done = follow(args) => done,
        // There is no other way to end, so it is no failure.
        _ = signal => Ok(()),
    }
}

async fn follow(args: TailArgs) -> Result<(), Failure> {
    let store = open(&args.store)?;
    let after = match args.after {
        Some(after) => after,
        None => store.stats().await.map_err(|error| cannot_read(&error))?.last_seq.unwrap_or(0),
    };
    let mut left = args.limit.unwrap_or(usize::MAX);
    let mut query = query(after, args.filter);
    while left > 0 {
        query.limit = left.min(PAGE);
        let page = page(&store, &query).await?;
        let Some(last) = page.last() else {
            sleep(LOOK).await;
            continue;
        };
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
