//! `aaa replay recover`.

use std::{collections::BTreeSet, time::Duration};

use aaa_client::Client;
use aaa_replay::{
    ledger::{Attempt, Lease, Ledger, LedgerError, Outcome, Role},
    plan::Plan,
};
use aaa_types::{JobId, UtcMinute};
use jiff::SignedDuration;
use serde::Serialize;
use tokio::time::sleep;

use super::{
    own::{self, NAME, Own},
    picture::{self, Picture, Store},
    plan,
    progress::Progress,
    unfollowed::{self, Unfollowed},
    x::X,
};
use crate::{
    cli::{ApiArgs, RecoverArgs},
    credentials::Credentials,
    exit::{Exit, Failure},
    output, signals,
};

/// How often to look at the store.
const LOOK: Duration = Duration::from_millis(250);

/// How much longer than the first pause nobody may ask for anything after X has refused a window:
/// whoever asks may know by then that X does not have these minutes.
const STILL: SignedDuration = SignedDuration::from_secs(15);

/// After how many failures without a success in between nobody waits for the next try.
const FAILURES: usize = 3;

pub(super) async fn run(
    args: RecoverArgs,
    api: ApiArgs,
    credentials: &Credentials,
) -> Result<(), Failure> {
    let signal = signals::end();
    let store = picture::open(&args.of.store)?;
    let mut own = None;
    let work = async {
        let (x, client) = X::ask(&args.of, (api, args.route), credentials).await?;
        let mut follower = Follower::new(&store, x).await?;
        let ended = follower.follow(&client, &args, credentials, &mut own).await;
        output::bar("");
        Ok((follower.report().await?, ended))
    };
    let done = tokio::select! {
        done = work => done,
        signal = signal => {
            output::bar("");
            let words = format!(
                "{signal}; what was asked for is in the ledger, and goes on when this is run again \
                 or a listener recovers"
            );
            Err(Exit::Failed.with(words))
        }
    };
    if let Some(own) = own {
        own.stop().await;
    }
    let (report, ended) = done?;
    report.print(api.json)?;
    report.verdict(ended.err())
}

/// Looks at the store until there is nothing more to do.
struct Follower<'a> {
    store: &'a Store,
    x: X,
    /// Attempts that were settled before.
    before: BTreeSet<u64>,
    /// Attempts up to this one were begun before.
    newest: u64,
    told: BTreeSet<u64>,
    settled: Vec<Attempt>,
    failures: usize,
    /// When an attempt was seen to begin or end last, since the command began.
    moved: SignedDuration,
}

impl<'a> Follower<'a> {
    async fn new(store: &'a Store, x: X) -> Result<Self, Failure> {
        let picture = picture::read(store).await?;
        let settled = picture.attempts.iter().filter(|attempt| !attempt.outcome.is_open());
        Ok(Self {
            before: settled.map(|attempt| attempt.number).collect(),
            newest: picture.attempts.last().map_or(0, |attempt| attempt.number),
            store,
            x,
            told: BTreeSet::new(),
            settled: Vec::new(),
            failures: 0,
            moved: SignedDuration::ZERO,
        })
    }

    /// Follows whoever looks after the replays, and does it itself when nobody does.
    async fn follow(
        &mut self,
        client: &Client,
        args: &RecoverArgs,
        credentials: &Credentials,
        own: &mut Option<Own>,
    ) -> Result<(), Failure> {
        let (mut says_who, mut says_what) = (true, None);
        loop {
            self.x.keep_clock().await;
            let picture = picture::read(self.store).await?;
            let now = self.x.now();
            let plan = picture.plan(self.x.webhook, self.x.settings, now);
            let live = picture.live(self.x.webhook.id, now);
            self.hear(&picture);
            let left = match own {
                None if picture.holder(now).is_none() => {
                    picture::unfollowed(&picture, self.store, &self.x.settings, now).await?
                }
                _ => Vec::new(),
            };
            if left.iter().any(|attempt| attempt.outcome.is_some()) {
                self.note(args, &left).await?;
                continue;
            }
            let waits = left.iter().find(|attempt| attempt.webhook == self.x.webhook.id);
            let progress = Progress::new(&self.settled, live, &plan, now.x);
            output::bar(&progress.to_string());
            if let Some(waits) = waits {
                if says_what != Some(waits.number) {
                    says_what = Some(waits.number);
                    output::over("a job runs that nobody follows: waiting for its end");
                }
                sleep(LOOK).await;
                continue;
            }
            if plan.now.is_empty() && live.is_none() {
                return Ok(());
            }
            if !picture.is_received(now) {
                return Err(nobody_receives(&picture, args));
            }
            let quiet = self.x.clock.uptime().saturating_sub(self.moved);
            let still = quiet >= self.x.settings.pause.saturating_add(STILL);
            if live.is_some() {
                self.moved = self.x.clock.uptime();
            } else if let Some(last) = self.settled.last()
                && (self.failures >= FAILURES || (still && was_refused(last)))
            {
                return Err(gives_up(last, self.failures));
            }
            if let Some(own) = own {
                own.feed(self.store, &picture, now).await?;
            } else if let Some(lease) = picture.holder(now) {
                if std::mem::take(&mut says_who) {
                    let Lease { holder, expires_at, .. } = lease;
                    let is_gone = holder.role == Role::Listener && !picture.recovers_itself(now);
                    output::note(match is_gone {
                        false => format!("{} looks after the replays: following it", holder.name),
                        true => format!(
                            "{} looked after the replays and is gone: waiting until {expires_at:.0}",
                            holder.name
                        ),
                    });
                }
            } else {
                let beginning = (&picture, self.x.webhook.id, self.x.settings);
                let (name, store) = ("aaa replay recover", &args.of.store);
                *own = Some(
                    Own::start(name, store, client, credentials, self.store, beginning).await?,
                );
            }
            sleep(LOOK).await;
        }
    }

    /// Notes in the ledger what became of attempts that nobody followed.
    async fn note(&self, args: &RecoverArgs, left: &[Unfollowed]) -> Result<(), Failure> {
        let ledger = own::ledger(&args.of.store)?;
        let holder = own::holder(NAME)?;
        let noted = async {
            let lease = own::take(&ledger, &self.x.clock, &holder).await?;
            let settled = unfollowed::settle(&ledger, lease, left, self.x.clock.now()).await;
            ledger.release_lease(lease).await?;
            settled
        };
        match noted.await {
            // Somebody else has begun to look after the replays, and does it.
            Ok(_) | Err(LedgerError::Held(_) | LedgerError::NotHeld) => Ok(()),
            Err(error) => Err(picture::unusable(&error)),
        }
    }

    /// Takes note of attempts that have ended, and tells of them.
    fn hear(&mut self, picture: &Picture) {
        for attempt in &picture.attempts {
            let (number, intent) = (attempt.number, attempt.intent);
            let known = self.before.contains(&number) || self.told.contains(&number);
            if known || attempt.outcome.is_open() || intent.webhook != self.x.webhook.id {
                continue;
            }
            self.told.insert(number);
            self.moved = self.x.clock.uptime();
            let core = intent.core;
            let (from, to) = (core.from_date().start(), core.to_date().start());
            match &attempt.outcome {
                Outcome::Recovered { job } => {
                    self.failures = 0;
                    let found = attempt.found;
                    output::over(format_args!(
                        "recovered {from:.0} to {to:.0}: {found} events (job {job})"
                    ));
                }
                Outcome::Incomplete { reason, .. } | Outcome::Failed { reason, .. } => {
                    // What was under way when this began says nothing about now.
                    let counts = number > self.newest && !is_conflict(reason);
                    self.failures += usize::from(counts);
                    output::over(format_args!("not recovered, {from:.0} to {to:.0}: {reason}"));
                }
                _ => {}
            }
            self.settled.push(attempt.clone());
        }
    }

    /// Says what came of it, and what is left.
    async fn report(&self) -> Result<Report, Failure> {
        let picture = picture::read(self.store).await?;
        let plan = picture.plan(self.x.webhook, self.x.settings, self.x.now());
        Ok(Report::new(self, plan))
    }
}

/// Another job is under way: that passes.
fn is_conflict(reason: &str) -> bool {
    reason.contains("ReplayConflictError") || reason.contains("already in progress")
}

/// X did not take the window.
fn was_refused(attempt: &Attempt) -> bool {
    match &attempt.outcome {
        Outcome::Failed { job: None, reason } => !is_conflict(reason),
        _ => false,
    }
}

fn nobody_receives(picture: &Picture, args: &RecoverArgs) -> Failure {
    let directory = args.of.store.data_dir.display();
    let since = match picture.last() {
        Some(last) => format!("nobody receives into `{directory}` since {:.0}", last.x_time()),
        None => format!("nothing was ever received into `{directory}`"),
    };
    Exit::Failed
        .with(format!("{since}, and what X replays arrives at the receiver"))
        .advise("start `aaa listen`; it recovers by itself with a bearer token")
}

fn gives_up(last: &Attempt, failures: usize) -> Failure {
    let (exit, reason) = match &last.outcome {
        Outcome::Failed { job: None, reason } => (Exit::Refused, reason.as_str()),
        Outcome::Failed { reason, .. } | Outcome::Incomplete { reason, .. } => {
            (Exit::Failed, reason.as_str())
        }
        _ => (Exit::Failed, "it does not go on"),
    };
    let failure = exit.with(format!("it does not go on; {failures} failed, at last: {reason}"));
    let lower = reason.to_ascii_lowercase();
    if lower.contains("crc") || lower.contains("invalid") {
        return failure.advise(format!(
            "X checks the webhook's URL before each replay, so the receiver has to answer there: \
             `aaa webhooks validate {}` says whether it does",
            last.intent.webhook
        ));
    }
    failure
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Report {
    webhook_id: aaa_types::WebhookId,
    recovered: Vec<Done>,
    failed: Vec<Missed>,
    /// Events that were not there before.
    events: u64,
    #[serde(flatten)]
    plan: Plan,
}

#[derive(Debug, Serialize)]
struct Done {
    from_date: UtcMinute,
    to_date: UtcMinute,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<JobId>,
    events: u64,
}

#[derive(Debug, Serialize)]
struct Missed {
    from_date: UtcMinute,
    to_date: UtcMinute,
    reason: String,
}

impl Report {
    fn new(follower: &Follower<'_>, plan: Plan) -> Self {
        let (mut recovered, mut failed) = (Vec::new(), Vec::new());
        for attempt in &follower.settled {
            let core = attempt.intent.core;
            let (from_date, to_date) = (core.from_date(), core.to_date());
            match &attempt.outcome {
                Outcome::Incomplete { reason, .. } | Outcome::Failed { reason, .. } => {
                    failed.push(Missed { from_date, to_date, reason: reason.clone() });
                }
                outcome => {
                    let job_id = picture::job(outcome);
                    recovered.push(Done { from_date, to_date, job_id, events: attempt.found });
                }
            }
        }
        let events = follower.settled.iter().map(|attempt| attempt.found).sum();
        Self { webhook_id: follower.x.webhook.id, recovered, failed, events, plan }
    }

    fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return output::json(self);
        }
        let minutes: i64 = self.recovered.iter().map(|d| d.to_date.since(d.from_date)).sum();
        let (windows, events) = (self.recovered.len(), self.events);
        output::line(format_args!(
            "recovered {minutes} minutes in {windows} windows: {events} events"
        ))?;
        plan::print(&self.plan)
    }

    /// What is lost for good weighs more than what failed.
    fn verdict(&self, failure: Option<Failure>) -> Result<(), Failure> {
        let lost = self.plan.lost.iter().filter(|lost| lost.reason.is_certain());
        let lost: Vec<_> = lost
            .map(|lost| format!("{:.0} to {:.0} ({})", lost.from, lost.to, lost.reason))
            .collect();
        if lost.is_empty() {
            return failure.map_or(Ok(()), Err);
        }
        if let Some(failure) = failure {
            output::note(format_args!("error: {failure}"));
        }
        Err(Exit::Lost.with(format!("lost for good: {}", lost.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_job_passes_by_itself() {
        assert!(is_conflict("could not create a replay job: ReplayConflictError: "));
        assert!(is_conflict("A replay job is already in progress for this webhook."));
        assert!(!is_conflict("CrcValidationFailed: "));
    }
}
