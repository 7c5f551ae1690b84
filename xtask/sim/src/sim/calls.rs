//! The calls to X: a real client writes the requests and reads the answers.

use std::pin::Pin;

use aaa_auth::{Consumer, UserToken};
use aaa_client::{ApiVersion, Client, ClientBuilder, ClientError, RetryPolicy, TransportError};
use aaa_emulator::{
    control::{Action, Cause, Fault, JobState, Match, Operation},
    credentials,
    rest::Called,
    settings::Generation,
};
use aaa_replay::{
    driver::classify,
    engine::{Input, Quota, Refusal, RefusalKind, Webhook},
    ledger::{Attempt, Outcome},
};
use aaa_types::{JobId, ReplayWindow, UtcMinute, WebhookId};
use bytes::Bytes;
use http::{Request, Response};

use super::{Event, Sim};
use crate::{
    clock::{MINUTE, SECOND},
    disk::Failure,
    fault::Kind,
    invariant::Invariant,
    wire::{self, Answered, Wire},
};

/// Where X is.
const API: &str = "http://127.0.0.1:7878";

/// Tells calls apart.
pub(super) type CallId = u64;

/// A call of the process that is under way.
pub(super) struct Call {
    id: CallId,
    future: Pin<Box<dyn Future<Output = Result<Told, ClientError>>>>,
    purpose: Purpose,
}

/// What a call is for.
enum Purpose {
    Create {
        request: ReplayWindow,
    },
    /// The webhook is to be checked; then the refusal is told.
    Validate {
        refusal: Refusal,
    },
}

/// What an answer tells.
enum Told {
    Job(JobId),
    Validated,
}

/// Makes the client of the process.
///
/// # Errors
///
/// Fails when the emulator's credentials are none.
pub(super) fn client(wire: Wire, generation: Generation) -> Result<Client<Wire>, Failure> {
    let version = match generation {
        Generation::V2 => ApiVersion::V2,
        Generation::V1_1 => ApiVersion::V1_1,
    };
    let owner = credentials::user_token(credentials::OWNER);
    let builder = ClientBuilder::new(API.parse()?)
        .version(version)
        .consumer(Consumer::new(
            credentials::CONSUMER_KEY.parse()?,
            credentials::CONSUMER_SECRET.parse()?,
        ))
        .owner(UserToken::new(owner.token.parse()?, owner.secret.parse()?))
        .bearer(credentials::BEARER_TOKEN.parse()?)
        // The driver has its own patience.
        .retry(RetryPolicy::none());
    Ok(builder.build_with(wire))
}

impl Sim {
    /// Begins to ask for a job.
    pub(super) fn create(
        &mut self,
        webhook: WebhookId,
        request: ReplayWindow,
    ) -> Result<(), Failure> {
        self.asked = self.clocks.now();
        let Some(process) = &self.process else { return Ok(()) };
        let app = process.client.app();
        let future = async move {
            app.create_replay(webhook, request).await.map(|job| Told::Job(job.job_id))
        };
        self.begin(Box::pin(future), Purpose::Create { request });
        if let Some(index) = self.kills.iter().position(|(kind, _)| *kind == Kind::CrashInCall) {
            let (kind, down) = self.kills.swap_remove(index);
            let soon = self.rng.i64(1..400);
            self.later(soon, Event::Killed { kind, down });
        }
        Ok(())
    }

    fn begin(
        &mut self,
        future: Pin<Box<dyn Future<Output = Result<Told, ClientError>>>>,
        purpose: Purpose,
    ) {
        self.serial += 1;
        let id = self.serial;
        let mut call = Call { id, future, purpose };
        // The first step makes the request, and cannot end the call.
        let _ = wire::step(&mut call.future);
        if let Some(process) = &mut self.process {
            process.call = Some(call);
        }
        self.send_request(id);
    }

    fn send_request(&mut self, call: CallId) {
        if let Some(request) = self.wire.request() {
            let way = self.rng.i64(10..150);
            self.later(way, Event::Called { call, request });
        }
    }

    /// A call arrives at X.
    pub(super) fn called(&mut self, call: CallId, request: Request<Bytes>) {
        if self.api_down {
            let answer = Err(TransportError::not_connected("refused"));
            self.later(SECOND, Event::Answered { call, answer });
            return;
        }
        let is_create = request.uri().path().contains("/replay");
        let fault = if is_create { self.call_faults.pop_front() } else { None };
        if let Some(kind) = fault {
            self.troubles += 1;
            self.tally.fire(kind);
            self.say(|| format!("X: {kind}"));
            self.truth.set_back(25 * MINUTE, self.clocks.now());
        }
        let status = match fault {
            Some(Kind::RateLimited) => Some(429),
            Some(Kind::ServerError) => Some(if self.rng.bool() { 500 } else { 503 }),
            Some(Kind::LostCall) => {
                let answer = Err(TransportError::no_answer("reset"));
                self.later(30 * SECOND, Event::Answered { call, answer });
                return;
            }
            Some(Kind::LostCallAnswer) => {
                self.lossy.push(call);
                None
            }
            _ => None,
        };
        if let Some(status) = status {
            self.planned_calls.push(call);
            let when = Match { operation: Some(Operation::CreateReplay), ..Match::default() };
            let fault = Fault { when, action: Action::Respond { status, form: None }, times: 1 };
            if self.world.plan_fault(fault).is_ok() {
                self.planned.push(None);
            }
        }
        if is_create {
            self.judge_request(&request);
        }
        let now = self.clocks.x();
        // The client signs by the real clock, which is no part of the history.
        let clocks = [now, real_now()];
        match self.rest.call(&mut self.world, request, now, &clocks) {
            Called::Answered(answer) => {
                self.answer_call(call, answer);
            }
            Called::Waiting(pending) => {
                self.waiting.insert(pending.ticket(), (call, pending));
            }
        }
        self.carry_out();
    }

    /// X answers a call.
    pub(super) fn answer_call(&mut self, call: CallId, answer: Response<Bytes>) {
        let lost = self.lossy.iter().position(|lossy| *lossy == call);
        let (way, answer) = match lost {
            Some(index) => {
                self.lossy.swap_remove(index);
                (30 * SECOND, Err(TransportError::no_answer("reset")))
            }
            None => (self.rng.i64(10..150), Ok(answer)),
        };
        self.later(way, Event::Answered { call, answer });
    }

    /// The answer to a call arrives, if somebody still waits for it.
    pub(super) fn answered(&mut self, call: CallId, answer: Answered) -> Result<(), Failure> {
        let Some(process) = &mut self.process else { return Ok(()) };
        if process.call.as_ref().is_none_or(|waiting| waiting.id != call) {
            return Ok(());
        }
        if process.still.is_some() {
            self.later(5 * SECOND, Event::Answered { call, answer });
            return Ok(());
        }
        let Some(mut waiting) = process.call.take() else { return Ok(()) };
        self.wire.answer(answer);
        let Some(result) = wire::step(&mut waiting.future) else {
            // There is a second route.
            process.call = Some(waiting);
            self.send_request(call);
            return Ok(());
        };
        let input = match (waiting.purpose, result) {
            (Purpose::Validate { refusal }, _) => Input::Refused(refusal),
            (Purpose::Create { .. }, Ok(Told::Job(job))) => {
                self.say(|| format!("job {job} was accepted"));
                Input::Accepted(job)
            }
            (Purpose::Create { .. }, Ok(Told::Validated)) => return Ok(()),
            (Purpose::Create { request }, Err(error)) => {
                let kind = classify(&error, process.moment(&self.clocks).x);
                self.say(|| format!("no job for {request}: {kind:?}: {error}"));
                self.judge_refusal(call, kind, &error);
                if kind == RefusalKind::Conflict {
                    self.truth.set_back(15 * MINUTE, self.clocks.now());
                }
                let refusal = Refusal { kind, words: error.to_string() };
                if kind == RefusalKind::Invalid
                    && let Some(webhook) = self.webhook
                {
                    let Some(process) = &self.process else { return Ok(()) };
                    let app = process.client.app();
                    let future =
                        async move { app.validate_webhook(webhook).await.map(|_| Told::Validated) };
                    self.begin(Box::pin(future), Purpose::Validate { refusal });
                    return Ok(());
                }
                Input::Refused(refusal)
            }
        };
        self.tell_engine(input);
        let quota = self.process.as_ref().and_then(|process| {
            let limit = process.client.rate_limit(aaa_client::Operation::CreateReplay)?;
            Some(Quota { remaining: limit.remaining?, reset: limit.reset? })
        });
        if let Some(quota) = quota {
            self.tell_engine(Input::Quota(quota));
        }
        self.drive()
    }

    /// Looks for the webhook, as a driver does before it has an engine. The answer comes at once.
    pub(super) fn find_webhook(&mut self) -> Option<Webhook> {
        if self.api_down {
            return None;
        }
        let app = self.process.as_ref()?.client.app();
        let mut future: Pin<Box<dyn Future<Output = _>>> =
            Box::pin(async move { app.list_webhooks().await });
        let _ = wire::step(&mut future);
        let now = self.clocks.x();
        let called = self.rest.call(&mut self.world, self.wire.request()?, now, &[now]);
        let Called::Answered(answer) = called else { return None };
        self.wire.answer(Ok(answer));
        let webhooks = wire::step(&mut future)?.ok()?;
        let [webhook] = webhooks.as_slice() else { return None };
        Some(Webhook { id: webhook.id, created_at: webhook.created_at })
    }

    /// What must hold of a request.
    fn judge_request(&mut self, request: &Request<Bytes>) {
        let asked = window(request);
        let attempts = self.disk.attempts().unwrap_or_default();
        let (open, settled): (Vec<Attempt>, Vec<Attempt>) =
            attempts.into_iter().partition(|attempt| attempt.outcome.is_open());
        let Some(asked) = asked else { return };
        self.say(|| format!("X is asked for {asked}"));
        if open.len() > 1 {
            let words = format!("{} attempts are open while {asked} is asked for", open.len());
            self.violate(Invariant::OneJob, words);
        }
        let is_there = self.process.as_ref().is_some_and(|process| process.call.is_some());
        let Some(attempt) = open.last() else {
            // One that was killed meanwhile may have been settled by the next run.
            if is_there {
                self.violate(Invariant::IntentFirst, format!("nothing in the ledger of {asked}"));
            }
            return;
        };
        let core = attempt.intent.core;
        // Before a minute is given up, it is asked for alone.
        let failed = |attempt: &&Attempt| {
            attempt.intent.core == core && matches!(attempt.outcome, Outcome::Incomplete { .. })
        };
        let may_be_alone =
            core.minutes() == 1 && settled.iter().filter(failed).count() + 1 >= self.settings.tries;
        let end = core.to_date().plus(i64::from(!may_be_alone));
        let covers = asked.from_date() <= core.from_date() && end <= asked.to_date();
        if is_there && !covers {
            self.violate(Invariant::Overlap, format!("{asked} was asked for, missing is {core}"));
        }
    }

    /// What must hold of a refusal.
    fn judge_refusal(&mut self, call: CallId, kind: RefusalKind, error: &ClientError) {
        let planned = self.planned_calls.iter().position(|planned| *planned == call);
        let planned = planned.map(|index| self.planned_calls.swap_remove(index)).is_some();
        if matches!(kind, RefusalKind::RateLimited(_)) && !planned {
            self.violate(Invariant::Rate, error.to_string());
        }
        let (x, believed) = self.both_times();
        let knows_time = (x - believed).abs() <= 2 * SECOND;
        if kind == RefusalKind::Window && knows_time {
            self.violate(Invariant::Window, error.to_string());
        }
    }

    /// Says whether X has a job under way.
    pub(super) fn has_running_job(&self) -> bool {
        let jobs = self.world.state(self.clocks.x()).jobs;
        jobs.last().is_some_and(|job| job.job.state == JobState::Running)
    }

    /// Somebody else asks for a job, one that takes its time.
    pub(super) fn foreign_job(&mut self) {
        let Some(webhook) = self.webhook else { return };
        let now = self.clocks.x();
        let minute = UtcMinute::floor(now);
        let (from, to) = (minute.plus(-120).to_string(), minute.plus(-11).to_string());
        if self.world.replay(webhook, &from, &to, self.scenario.generation, now).is_ok() {
            self.say(|| "somebody else asks for a job".to_owned());
            self.tally.fire(Kind::ForeignJob);
            self.troubles += 1;
            self.truth.set_back(30 * MINUTE, self.clocks.now());
            let when = Match { cause: Some(Cause::Replay), ..Match::default() };
            let seconds = self.rng.u64(30..900);
            let fault = Fault { when, action: Action::Delay { seconds }, times: 1 };
            if self.world.plan_fault(fault).is_ok() {
                self.planned.push(None);
            }
        }
        self.carry_out();
    }

    /// Somebody has the webhook checked.
    pub(super) fn validate_by_hand(&mut self) {
        if let Some(webhook) = self.webhook {
            let _ = self.world.validate(webhook, self.scenario.generation, self.clocks.x());
            self.carry_out();
            let valid = self.world.webhooks().iter().all(|webhook| webhook.valid);
            if !valid {
                let again = crate::scenario::Happening::Validate;
                self.later(10 * MINUTE, Event::Happening(again));
            }
        }
    }
}

/// Reads the window out of a request of either generation.
fn window(request: &Request<Bytes>) -> Option<ReplayWindow> {
    let body = serde_json::from_slice::<serde_json::Value>(request.body()).ok();
    let minute = |name: &str| {
        let in_body = body.as_ref().and_then(|body| body.get(name)?.as_str()?.parse().ok());
        let pairs = request.uri().query().unwrap_or_default().split('&');
        let mut values = pairs.filter_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        in_body.or_else(|| values.next()?.parse().ok())
    };
    ReplayWindow::new(minute("from_date")?, minute("to_date")?).ok()
}

#[expect(clippy::disallowed_methods, reason = "signatures are made by the real clock")]
fn real_now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
