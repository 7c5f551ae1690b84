//! `aaa replay create`.

use std::time::Duration;

use aaa_client::Client;
use aaa_replay::{
    coverage::{Cause, Gap},
    driver::XClock,
    engine::Webhook,
    ledger::{
        Attempt, Declaration, Holder, Intent, LeaseId, Ledger, LedgerError, Outcome, Purpose,
    },
};
use aaa_store::SqliteLedger;
use aaa_types::{JobId, ReplayWindow, UtcMinute, WebhookId, payload::JobState};
use serde::Serialize;
use tokio::time::{interval, sleep, timeout};

use super::{
    awaited,
    own::{self, Ends},
    picture::{self, Now, Store, unusable},
    unfollowed, x,
};
use crate::{
    api,
    cli::{ApiArgs, CreateArgs},
    credentials::Credentials,
    exit::{Exit, Failure},
    output, signals,
};

/// How often to look at the store.
const LOOK: Duration = Duration::from_millis(250);

/// After how long the lease is taken again.
const RENEW: Duration = Duration::from_secs(10);

/// What is printed.
#[derive(Debug, Serialize)]
struct Created {
    webhook_id: WebhookId,
    from_date: UtcMinute,
    to_date: UtcMinute,
    /// None while a listener that was handed the request has not asked yet.
    job_id: Option<JobId>,
    /// Whether a listener asks, and not this command.
    handed_over: bool,
    state: &'static str,
    /// Events that were not there before, once the job has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<u64>,
}

pub(super) async fn run(
    args: CreateArgs,
    api: ApiArgs,
    credentials: &Credentials,
) -> Result<(), Failure> {
    let window = ReplayWindow::new(UtcMinute::floor(args.from), UtcMinute::ceil(args.to));
    let window = window.map_err(|error| Exit::Usage.with(error.to_string()))?;
    credentials.bearer()?;
    let signal = signals::end();
    let work = create(&args, api, credentials, window);
    let created = tokio::select! {
        created = work => created?,
        signal = signal => {
            let words = format!(
                "{signal}; a job that was asked for goes on, and what was handed over stays in the \
                 ledger: `aaa replay status` shows both"
            );
            return Err(Exit::Failed.with(words));
        }
    };
    if api.json {
        return output::json(&created);
    }
    let state = created.state;
    match (created.job_id, created.events) {
        (Some(job), Some(events)) => output::line(format_args!("{job}  {state}  {events} events")),
        (Some(job), None) => output::line(format_args!("{job}  {state}")),
        (None, _) => output::line(format_args!("-  {state}")),
    }
    .map(drop)
}

async fn create(
    args: &CreateArgs,
    api: ApiArgs,
    credentials: &Credentials,
    window: ReplayWindow,
) -> Result<Created, Failure> {
    let client = api::replay_client(credentials, api, args.route)?;
    let clock = XClock::new();
    clock.observe(client.server_time().await?);
    let settings = x::settings(api.api, credentials);
    let limits = settings.limits;
    limits
        .check(window, clock.now())
        .map_err(|error| Exit::Usage.with(format!("X would not take {window}: {error}")))?;
    if limits.is_long(window) {
        output::note(format_args!(
            "warning: {} minutes in one job; X advises about two hours",
            window.minutes()
        ));
    }
    let job = Job { args, window, client, clock, settings };
    if !args.store.data_dir.exists() {
        if args.follow {
            let words = "the end of a job arrives at the receiver: --follow needs its store";
            return Err(Exit::Usage.with(words));
        }
        output::note("no store here: the job is not recorded");
        let created = job.client.app().create_replay(args.id, window).await?;
        return Ok(job.created(Some(created.job_id), false, "running", None));
    }
    let store = picture::open(&args.store)?;
    let ledger = own::ledger(&args.store)?;
    let holder = own::holder("aaa replay create")?;
    match own::take(&ledger, &job.clock, &holder).await {
        Ok(lease) => {
            let created = keeping(&ledger, &job.clock, &holder, job.ask(&store, &ledger, lease));
            let created = created.await;
            let released = ledger.release_lease(lease).await;
            released.map_err(|error| unusable(&error))?;
            created
        }
        Err(LedgerError::Held(lease)) => {
            output::note(format_args!("{} looks after the replays", lease.holder.name));
            let patience = (!api.wait.no_wait).then_some(api.wait.max_wait);
            job.hand_over(&store, &ledger, patience).await
        }
        Err(error) => Err(unusable(&error)),
    }
}

struct Job<'a> {
    args: &'a CreateArgs,
    window: ReplayWindow,
    client: Client,
    clock: XClock,
    settings: aaa_replay::engine::Settings,
}

impl Job<'_> {
    /// Asks X, and records it before and after.
    async fn ask(
        &self,
        store: &Store,
        ledger: &SqliteLedger,
        lease: LeaseId,
    ) -> Result<Created, Failure> {
        let before = picture::read(store).await?;
        // What others have left open is not to stay so.
        let left = picture::unfollowed(&before, store, &self.settings, self.now()).await?;
        let settled = unfollowed::settle(ledger, lease, &left, self.clock.now()).await;
        settled.map_err(|error| unusable(&error))?;
        if self.args.follow && !before.is_received(self.now()) {
            let words = "nobody receives into this store, so the end of the job would not be seen";
            return Err(Exit::Failed
                .with(words)
                .advise("start `aaa listen`, or leave --follow out"));
        }
        let mut ends = Ends::from_now(store).await?;
        let intent = Intent {
            webhook: self.args.id,
            core: self.window,
            request: self.window,
            at: self.clock.now(),
            purpose: Purpose::Gap,
        };
        let number = ledger.intend(lease, intent).await.map_err(|error| unusable(&error))?;
        let settle = async |outcome| {
            let settled = ledger.settle(lease, number, outcome, self.clock.now()).await;
            settled.map_err(|error| unusable(&error))
        };
        let job = match self.client.app().create_replay(self.args.id, self.window).await {
            Ok(job) => job.job_id,
            Err(error) => {
                settle(Outcome::Failed { job: None, reason: error.to_string() }).await?;
                return Err(error.into());
            }
        };
        settle(Outcome::Running { job }).await?;
        if !self.args.follow {
            output::note(
                "nobody follows it: `aaa replay recover`, or whoever recovers next, notes its end",
            );
            return Ok(self.created(Some(job), false, "running", None));
        }
        output::over(format_args!("job {job} runs"));
        let health = own::health(&before, true);
        let wait = async {
            loop {
                let picture = picture::read(store).await?;
                let beat = picture.last().map(|last| last.wall);
                let told = ends.told_by(store, beat).await?;
                if let Some(status) = told.into_iter().find(|status| status.job_id == job) {
                    let now = own::health(&picture, picture.is_received(self.now()));
                    return Ok((status, now.took_all_since(&health)));
                }
                if !picture.is_received(self.now()) {
                    return Err(
                        Exit::Failed.with("the receiver has stopped in the middle of the job")
                    );
                }
                sleep(LOOK).await;
            }
        };
        let patience = Duration::try_from(self.settings.completion_timeout).unwrap_or_default();
        let ended = timeout(patience, wait)
            .await
            .unwrap_or_else(|_| Err(Exit::Failed.with("no completion of the job arrived in time")));
        let (status, took_all) = match ended {
            Ok(ended) => ended,
            Err(failure) => {
                settle(Outcome::Failed { job: Some(job), reason: failure.to_string() }).await?;
                return Err(failure);
            }
        };
        let reason = match (&status.job_state, took_all) {
            (JobState::Complete, true) => {
                let events = settle(Outcome::Recovered { job }).await?;
                return Ok(self.created(Some(job), false, "recovered", Some(events)));
            }
            (state, took_all) => {
                let words = status.job_state_description;
                let words = words.unwrap_or_else(|| "the job ended incomplete".to_owned());
                let refused = "the receiver refused deliveries meanwhile";
                let reason = match (state, took_all) {
                    (JobState::Complete, _) => refused.to_owned(),
                    // Perhaps what X could not deliver is what was refused.
                    (_, false) => format!("{refused}: {words}"),
                    (_, true) => words,
                };
                settle(match took_all {
                    true => Outcome::Incomplete { job, reason: reason.clone() },
                    false => Outcome::Failed { job: Some(job), reason: reason.clone() },
                })
                .await?;
                reason
            }
        };
        Err(Exit::Failed.with(format!("job {job}: {reason}")))
    }

    /// Leaves the request in the ledger, for whoever looks after the replays.
    async fn hand_over(
        &self,
        store: &Store,
        ledger: &SqliteLedger,
        patience: Option<Duration>,
    ) -> Result<Created, Failure> {
        let webhooks = self.client.app().list_webhooks().await?;
        let webhook = webhooks.iter().find(|webhook| webhook.id == self.args.id);
        let webhook = webhook
            .ok_or_else(|| Exit::Failed.with(format!("the app has no webhook {}", self.args.id)))?;
        let webhook = Webhook { id: webhook.id, created_at: webhook.created_at };
        let picture = picture::read(store).await?;
        let (from, to) = (self.window.from_date().start(), self.window.to_date().start());
        let gap = Gap::new(from, to, Cause::Requested);
        // Whoever asks compares this with a clock of its own, which may be a little behind ours.
        let at =
            picture.last().map_or(self.clock.now(), |last| last.x_time().min(self.clock.now()));
        let declaration = Declaration { gap, webhook: Some(self.args.id), at };
        let number = ledger.declare(declaration).await.map_err(|error| unusable(&error))?;
        let Some(patience) = patience else {
            return Ok(self.created(None, true, "handed over", None));
        };
        let answers = |attempt: &&Attempt| {
            let core = attempt.intent.core;
            attempt.intent.webhook == self.args.id
                && attempt.intent.at >= at
                && core.from_date() < self.window.to_date()
                && self.window.from_date() < core.to_date()
        };
        let mut so_far = None;
        let wait = async {
            let mut told = None;
            loop {
                let picture = picture::read(store).await?;
                let mine: Vec<_> = picture.attempts.iter().filter(answers).collect();
                let job = mine.iter().rev().find_map(|attempt| picture::job(&attempt.outcome));
                if job.is_some() && !self.args.follow {
                    return Ok(self.created(job, true, "running", None));
                }
                let last = mine.last().map(|last| (last.number, &last.outcome));
                so_far = last.map(|(_, outcome)| outcome.clone());
                if let Some((
                    number,
                    Outcome::Failed { reason, .. } | Outcome::Incomplete { reason, .. },
                )) = last
                    && told.replace(number) != Some(number)
                {
                    output::over(format_args!("not yet: {reason}"));
                }
                let now = self.now();
                let plan = picture.plan_of(webhook, self.settings, now, number);
                let open = mine.iter().any(|attempt| attempt.outcome.is_open());
                if !open && plan.now.is_empty() && plan.later.is_empty() {
                    if let Some(lost) = awaited::lost(&plan, self.window) {
                        let words = format!("lost for good: {}", lost.reason);
                        return Err(Exit::Lost.with(words));
                    }
                    let events = mine.iter().map(|attempt| attempt.found).sum();
                    return Ok(self.created(job, true, "recovered", Some(events)));
                }
                sleep(LOOK).await;
            }
        };
        let waited = timeout(patience, wait).await;
        waited.unwrap_or_else(|_| {
            Err(Exit::Failed
                .with(awaited::so_far(so_far.as_ref()))
                .advise("`aaa replay status --watch` shows what becomes of it"))
        })
    }

    fn created(
        &self,
        job_id: Option<JobId>,
        handed_over: bool,
        state: &'static str,
        events: Option<u64>,
    ) -> Created {
        let (from_date, to_date) = (self.window.from_date(), self.window.to_date());
        Created { webhook_id: self.args.id, from_date, to_date, job_id, handed_over, state, events }
    }

    fn now(&self) -> Now {
        Now { x: self.clock.now(), wall: self.clock.wall() }
    }
}

/// Works, and keeps the lease meanwhile.
async fn keeping<T>(
    ledger: &SqliteLedger,
    clock: &XClock,
    holder: &Holder,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut work = std::pin::pin!(work);
    let mut renew = interval(RENEW);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = renew.tick() => {
                // Whoever has it by now is seen at the next write.
                let _ = own::take(ledger, clock, holder).await;
            }
        }
    }
}
