//! Starts the driver that finds and closes gaps.

use std::time::Duration;

use aaa_replay::{
    driver::{Driver, Pace, Target, XClock},
    engine::Settings,
    plan::Limits,
};
use aaa_store::SqliteStore;
use aaa_types::{event::Event, payload::ReplayJobStatus};
use aaa_webhook::inbox::{EventLog, EventQuery};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use super::{Phase, Run};
use crate::{
    cli::ListenArgs,
    credentials::Credentials,
    exit::{Exit, Failure},
    output,
};

/// The kind under which X reports the end of a job.
const JOB_STATUS: &str = "replay_job_status";

/// How long the first reading of X's clock may hold up the first heartbeat.
const FIRST_READING: Duration = Duration::from_secs(3);

/// Reads X's clock, so that the first heartbeat knows it, and starts the driver.
///
/// # Errors
///
/// Fails when there is no client or the store cannot be read.
pub(super) async fn start(
    args: &ListenArgs,
    credentials: &Credentials,
    store: &SqliteStore,
    clock: &XClock,
    run: &Run,
) -> Result<JoinHandle<()>, Failure> {
    let target = match (args.webhook, &args.public_url) {
        (Some(id), _) => Target::Id(id),
        (None, Some(url)) => Target::Url(url.clone()),
        (None, None) => Target::Only,
    };
    let driver = Driver::new(
        store.clone(),
        credentials.client()?,
        clock.clone(),
        target,
        Settings::new(Limits::v2()),
        Pace::for_loopback(credentials.api().is_loopback()),
    );
    match timeout(FIRST_READING, driver.read_clock()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => output::note(format_args!("warning: X's clock is not known: {error}")),
        Err(_) => output::note("warning: X's clock is not known: no answer in time"),
    }
    let (sender, completions) = mpsc::channel(64);
    let after = store
        .stats()
        .await
        .map_err(|error| Exit::Failed.of("could not read the store", error))?
        .last_seq;
    let follow = follow(store.clone(), after.unwrap_or(0), sender);
    let (health, stopped) = (run.clone(), run.reached(Phase::Ended));
    Ok(tokio::spawn(async move {
        tokio::select! {
            () = driver.run(completions, move || health.health(), stopped) => {}
            () = follow => {}
        }
    }))
}

/// Passes the ends of jobs from the inbox to the driver, as they arrive.
async fn follow(store: SqliteStore, mut after: u64, completions: mpsc::Sender<ReplayJobStatus>) {
    let mut committed = store.subscribe();
    loop {
        let query =
            EventQuery { kind: Some(JOB_STATUS.to_owned()), ..EventQuery::after(after, 100) };
        // What is committed after this point wakes the loop again.
        committed.mark_unchanged();
        let page = match store.events(query).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%error, "the inbox could not be read");
                Vec::new()
            }
        };
        for event in &page {
            after = event.seq;
            if let Event::ReplayJobStatus(status) = Event::decode(JOB_STATUS, event.payload.get())
                && completions.send(status).await.is_err()
            {
                return;
            }
        }
        if page.is_empty() && committed.changed().await.is_err() {
            // The store is closed; the driver ends by itself.
            return std::future::pending().await;
        }
    }
}
