//! `aaa replay status`.

use std::time::Duration;

use aaa_replay::{
    coverage::{Grade, graded},
    ledger::{Attempt, Lease, Outcome, Role},
    plan::Plan,
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::time::sleep;

use super::{
    picture::{self, Now, Picture},
    plan,
    progress::{Progress, lasting},
    timeline,
    unfollowed::Unfollowed,
    x::X,
};
use crate::{
    cli::{ApiArgs, StatusArgs},
    credentials::Credentials,
    exit::Failure,
    output, signals,
    table::Table,
};

/// How often to look.
const LOOK: Duration = Duration::from_millis(500);

/// How many of the last attempts people see.
const SHOWN: usize = 10;

pub(super) async fn run(
    args: StatusArgs,
    api: ApiArgs,
    credentials: &Credentials,
) -> Result<(), Failure> {
    let watch = args.watch;
    let signal = signals::end();
    tokio::select! {
        done = show(args, api, credentials) => done,
        // There is no other way to end a watch, so that is no failure.
        _ = signal, if watch => {
            output::bar("");
            Ok(())
        }
    }
}

async fn show(args: StatusArgs, api: ApiArgs, credentials: &Credentials) -> Result<(), Failure> {
    let store = picture::open(&args.of.store)?;
    let mut picture = picture::read(&store).await?;
    let x = X::guess(&args.of, api, credentials, args.offline, &picture).await?;
    let mut shown = None;
    loop {
        let now = x.now();
        let plan = picture.plan(x.webhook, x.settings, now);
        let left = match picture.holder(now) {
            None => picture::unfollowed(&picture, &store, &x.settings, now).await?,
            Some(_) => Vec::new(),
        };
        let status = Status::of(&picture, &plan, left, now);
        let news = status.news();
        if shown.as_ref() != Some(&news) {
            output::bar("");
            let goes_on = match (api.json, &shown) {
                (true, _) => output::line(json(&status)?)?,
                (false, Some(_)) => output::line(&news)?,
                (false, None) => {
                    let look_back = x.settings.limits.look_back;
                    for line in timeline::draw(&picture, &plan, x.webhook.id, look_back, now) {
                        output::line(line)?;
                    }
                    output::line("")?;
                    print(&status)?;
                    plan::tell_of_receiver(&picture, now);
                    true
                }
            };
            if !goes_on {
                return Ok(());
            }
            shown = Some(news);
        }
        if !args.watch {
            return Ok(());
        }
        let live = picture.live(x.webhook.id, now);
        output::bar(&Progress::new(&picture.attempts, live, &plan, now.x).to_string());
        sleep(LOOK).await;
        x.keep_clock().await;
        picture = picture::read(&store).await?;
    }
}

fn json(status: &Status) -> Result<String, Failure> {
    serde_json::to_string(status)
        .map_err(|error| crate::exit::Exit::Failed.of("could not print the status", error))
}

/// Everything there is to know.
#[derive(Debug, Serialize)]
struct Status {
    /// On X's clock.
    now: Timestamp,
    receiver: Receiver,
    /// Who looks after the replays.
    held_by: Option<Held>,
    coverage: Coverage,
    recovered: Recovered,
    #[serde(flatten)]
    plan: Plan,
    attempts: Vec<Shown>,
}

/// An attempt, and what is known of it beyond the ledger.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    attempt: Attempt,
    /// It is open, and nobody follows it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unfollowed: bool,
    /// What became of it all the same; whoever recovers next notes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    became: Option<Outcome>,
}

impl Shown {
    fn new(attempt: &Attempt, left: &mut Vec<Unfollowed>) -> Self {
        let found = left.iter().position(|left| left.number == attempt.number);
        let left = found.map(|at| left.swap_remove(at));
        Self {
            attempt: attempt.clone(),
            unfollowed: left.is_some(),
            became: left.and_then(|left| left.outcome),
        }
    }

    fn state(&self) -> String {
        match &self.became {
            Some(outcome) => format!("{}; nobody followed it", state(outcome)),
            None if self.unfollowed => "asked for, nobody follows it".to_owned(),
            None => state(&self.attempt.outcome),
        }
    }
}

#[derive(Debug, Serialize)]
struct Receiver {
    receives: bool,
    /// Its last heartbeat, on X's clock.
    last_heartbeat: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct Held {
    name: String,
    role: Role,
    until: Timestamp,
}

#[derive(Debug, Serialize)]
struct Coverage {
    since: Option<Timestamp>,
    /// With deliveries or checks that arrived.
    proved_seconds: i64,
    /// Without any.
    assumed_seconds: i64,
    /// What was covered before and is only counted by now.
    earlier_seconds: i64,
}

#[derive(Debug, Serialize)]
struct Recovered {
    windows: usize,
    events: u64,
    found_by_sweep: u64,
    last_at: Option<Timestamp>,
}

impl Status {
    fn of(picture: &Picture, plan: &Plan, mut left: Vec<Unfollowed>, now: Now) -> Self {
        let (mut proved, mut assumed) = (SignedDuration::ZERO, SignedDuration::ZERO);
        for covered in graded(&picture.spans, &picture.proofs) {
            let sum = if covered.grade == Grade::Proved { &mut proved } else { &mut assumed };
            *sum = sum.saturating_add(covered.to.duration_since(covered.from));
        }
        let (events, found_by_sweep) = picture.found();
        let recovered = picture.attempts.iter();
        let recovered = recovered.filter(|a| matches!(a.outcome, Outcome::Recovered { .. }));
        Self {
            now: now.x,
            receiver: Receiver {
                receives: picture.is_received(now),
                last_heartbeat: picture.last().map(|last| last.x_time()),
            },
            held_by: picture.holder(now).map(|Lease { holder, expires_at, .. }| Held {
                name: holder.name.clone(),
                role: holder.role,
                until: *expires_at,
            }),
            coverage: Coverage {
                since: picture.summary.since,
                proved_seconds: proved.as_secs(),
                assumed_seconds: assumed.as_secs(),
                earlier_seconds: picture.summary.covered.as_secs(),
            },
            recovered: Recovered {
                windows: recovered.clone().count(),
                events,
                found_by_sweep,
                last_at: recovered.map(|attempt| attempt.settled_at).max(),
            },
            plan: plan.clone(),
            attempts: picture.attempts.iter().map(|a| Shown::new(a, &mut left)).collect(),
        }
    }

    /// Returns what changes now and then, in a line.
    fn news(&self) -> String {
        let open = self.attempts.iter().filter(|shown| shown.attempt.outcome.is_open());
        let (unfollowed, running): (Vec<_>, Vec<_>) = open.partition(|shown| shown.unfollowed);
        let unfollowed = match unfollowed.len() {
            0 => String::new(),
            number => format!(", {number} that nobody follows"),
        };
        let running = running.len();
        let next = self.plan.later.iter().map(|later| later.at).min();
        let next = next.map(|at| format!(", the first until {at:.0}")).unwrap_or_default();
        let lost = self.plan.lost.iter().filter(|lost| lost.reason.is_certain()).count();
        let receives = if self.receiver.receives { "receiving" } else { "nobody receives" };
        let Recovered { windows, events, .. } = self.recovered;
        format!(
            "{receives}; {running} running{unfollowed}, {} to replay now, {} wait{next}; {windows} windows \
             recovered with {events} events; {lost} lost",
            self.plan.now.len(),
            self.plan.later.len(),
        )
    }
}

fn print(status: &Status) -> Result<(), Failure> {
    let Coverage { since, proved_seconds, assumed_seconds, earlier_seconds } = status.coverage;
    let since = since.map_or_else(|| "never".to_owned(), |since| format!("since {since:.0}"));
    let receives = if status.receiver.receives { "yes" } else { "no" };
    let holder = match &status.held_by {
        Some(held) => held.name.clone(),
        None => "nobody".to_owned(),
    };
    let Recovered { windows, events, found_by_sweep, .. } = status.recovered;
    for line in [
        format!("receiving       {receives}"),
        format!("covered         {since}"),
        format!("  proved        {}", lasting(SignedDuration::from_secs(proved_seconds))),
        format!("  assumed       {}", lasting(SignedDuration::from_secs(assumed_seconds))),
        format!("  before that   {}", lasting(SignedDuration::from_secs(earlier_seconds))),
        format!("recovering      {holder}"),
        format!("recovered       {windows} windows, {events} events"),
        format!("found by sweep  {found_by_sweep} events"),
        String::new(),
    ] {
        output::line(line)?;
    }
    plan::print(&status.plan)?;
    let mut table = Table::new(["JOB", "FROM", "TO", "STATE", "EVENTS"]);
    let skipped = status.attempts.len().saturating_sub(SHOWN);
    for shown in status.attempts.iter().skip(skipped) {
        let attempt = &shown.attempt;
        let core = attempt.intent.core;
        let job = picture::job(&attempt.outcome);
        table.row([
            job.map_or_else(|| "-".to_owned(), |job| job.to_string()),
            format!("{:.0}", core.from_date().start()),
            format!("{:.0}", core.to_date().start()),
            shown.state(),
            attempt.found.to_string(),
        ]);
    }
    if !table.is_empty() {
        output::line("")?;
    }
    table.print()
}

fn state(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Intended => "being asked for".to_owned(),
        Outcome::Running { .. } => "running".to_owned(),
        Outcome::Recovered { .. } => "recovered".to_owned(),
        Outcome::Incomplete { reason, .. } => format!("incomplete: {reason}"),
        Outcome::Failed { reason, .. } => format!("failed: {reason}"),
        _ => "unknown".to_owned(),
    }
}
