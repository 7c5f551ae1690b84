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
    watch::{Errand, Report},
};
use aaa_types::{JobId, ReplayWindow, UtcMinute, WebhookId};
use bytes::Bytes;
use http::{Request, Response};
use jiff::SignedDuration;

use super::{
    Event, Sim,
    driving::{Driver, Who},
};
use crate::{
    clock::{MINUTE, Millis, SECOND},
    disk::Failure,
    fault::Kind,
    scenario::{Route, Scenario},
    wire::{self, Answered, Wire},
};

/// Where X is.
const API: &str = "http://127.0.0.1:7878";

/// The newer of the two routes to a replay.
const NEW_ROUTE: &str = "/2/webhooks/replay";

/// Tells calls apart.
pub(super) type CallId = u64;

/// A call that is under way.
pub(super) struct Call {
    id: CallId,
    pub(super) since: Millis,
    /// How long the process has run.
    uptime: SignedDuration,
    future: Pin<Box<dyn Future<Output = Result<Told, ClientError>>>>,
    purpose: Purpose,
}

/// What a call is for.
enum Purpose {
    Create {
        webhook: WebhookId,
        request: ReplayWindow,
    },
    /// The webhook is to be checked; then the refusal is told, and the end of the gap moved.
    Validate {
        webhook: WebhookId,
        refusal: Refusal,
        recorded: u64,
    },
}

/// What an answer tells.
enum Told {
    Job(JobId),
    Validated,
}

/// Makes the client of a process.
///
/// # Errors
///
/// Fails when the emulator's credentials are none.
pub(super) fn client(wire: Wire, scenario: &Scenario) -> Result<Client<Wire>, Failure> {
    let version = match scenario.generation {
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
        .replay_route(scenario.route.first())
        // The driver has its own patience.
        .retry(RetryPolicy::none());
    Ok(builder.build_with(wire))
}

impl Sim {
    /// Begins to ask for a job.
    pub(super) fn create(
        &mut self,
        who: Who,
        webhook: WebhookId,
        request: ReplayWindow,
    ) -> Result<(), Failure> {
        let Some(driver) = self.driver(who) else { return Ok(()) };
        let app = driver.client.app();
        let future = async move {
            app.create_replay(webhook, request).await.map(|job| Told::Job(job.job_id))
        };
        self.begin(who, Box::pin(future), Purpose::Create { webhook, request });
        if who == Who::Command {
            return Ok(());
        }
        let soon = self.rng.i64(1..400);
        if let Some(index) = self.kills.iter().position(|(kind, _)| *kind == Kind::CrashInCall) {
            let (kind, down) = self.kills.swap_remove(index);
            self.later(soon, Event::Killed { kind, down });
        } else if let Some(pause) = self.pauses.pop() {
            self.later(soon, Event::Happening(pause));
        }
        Ok(())
    }

    fn begin(
        &mut self,
        who: Who,
        future: Pin<Box<dyn Future<Output = Result<Told, ClientError>>>>,
        purpose: Purpose,
    ) {
        self.serial += 1;
        let (id, since) = (self.serial, self.clocks.now());
        let uptime = self.moment(who).uptime;
        let mut call = Call { id, since, uptime, future, purpose };
        // The first step makes the request, and cannot end the call.
        let _ = wire::step(&mut call.future);
        if let Some(driver) = self.driver(who) {
            driver.call = Some(call);
        }
        self.send_request(who, id);
    }

    fn send_request(&mut self, who: Who, call: CallId) {
        if let Some(request) = self.driver(who).and_then(|driver| driver.wire.request()) {
            let way = self.rng.i64(10..150);
            self.later(way, Event::Called { call, request });
        }
    }

    /// Returns whose call it is, if anybody still waits for it.
    pub(super) fn caller(&mut self, call: CallId) -> Option<Who> {
        let waits = |driver: &mut Driver| driver.call.as_ref().is_some_and(|it| it.id == call);
        [Who::Listener, Who::Command].into_iter().find(|who| self.driver(*who).is_some_and(waits))
    }

    /// A call arrives at X.
    pub(super) fn called(&mut self, call: CallId, request: Request<Bytes>) {
        if self.api_down {
            let answer = Err(TransportError::not_connected("refused"));
            self.later(SECOND, Event::Answered { call, answer });
            return;
        }
        let is_create = request.uri().path().contains("/replay");
        if self.scenario.route == Route::OldOnly && request.uri().path() == NEW_ROUTE {
            self.answer_call(call, missing_page());
            return;
        }
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
            self.judge_request(call, &request);
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
        let Some(who) = self.caller(call) else { return Ok(()) };
        if !self.is_awake(who) {
            self.later(5 * SECOND, Event::Answered { call, answer });
            return Ok(());
        }
        let Some(driver) = self.driver(who) else { return Ok(()) };
        let Some(mut waiting) = driver.call.take() else { return Ok(()) };
        driver.wire.answer(answer);
        let Some(result) = wire::step(&mut waiting.future) else {
            // There is a second route.
            driver.call = Some(waiting);
            self.send_request(who, call);
            return Ok(());
        };
        let (webhook, input) = match (waiting.purpose, result) {
            (Purpose::Validate { webhook, refusal, recorded }, _) => {
                let to = self.moment(who).x;
                self.record(Errand::Prolong { number: recorded, to });
                (webhook, Input::Refused(refusal))
            }
            (Purpose::Create { webhook, .. }, Ok(Told::Job(job))) => {
                self.say(|| format!("job {job} was accepted"));
                if let Some(driver) = self.driver(who) {
                    driver.jobs.insert(webhook, (job, waiting.uptime));
                }
                (webhook, Input::Accepted(job))
            }
            (Purpose::Create { .. }, Ok(Told::Validated)) => return Ok(()),
            (Purpose::Create { webhook, request }, Err(error)) => {
                let kind = classify(&error, self.moment(who).x);
                self.say(|| format!("no job for {request}: {kind:?}: {error}"));
                self.judge_refusal(who, (call, waiting.since), kind, &error);
                if kind == RefusalKind::Conflict {
                    self.truth.set_back(15 * MINUTE, self.clocks.now());
                }
                let refusal = Refusal { kind, words: error.to_string() };
                if kind == RefusalKind::Invalid
                    && let Some(recorded) = self.record_invalid(who, webhook)
                {
                    let Some(driver) = self.driver(who) else { return Ok(()) };
                    let app = driver.client.app();
                    let future =
                        async move { app.validate_webhook(webhook).await.map(|_| Told::Validated) };
                    let purpose = Purpose::Validate { webhook, refusal, recorded };
                    self.begin(who, Box::pin(future), purpose);
                    return Ok(());
                }
                (webhook, Input::Refused(refusal))
            }
        };
        self.tell_engine(who, webhook, input);
        let quota = self.driver(who).and_then(|driver| {
            let limit = driver.client.rate_limit(aaa_client::Operation::CreateReplay)?;
            Some(Quota { remaining: limit.remaining?, reset: limit.reset? })
        });
        if let Some(quota) = quota {
            self.tell_engines(who, &Input::Quota(quota));
        }
        self.drive(who)
    }

    /// Records that a webhook is invalid, before it is checked; says under which number.
    fn record_invalid(&mut self, who: Who, webhook: WebhookId) -> Option<u64> {
        let seen = self.disk.confirmed(webhook).ok()?;
        let errand = seen.invalid(webhook, &self.disk.declared().ok()?, self.moment(who).x);
        match (errand.clone(), self.record(errand)) {
            (_, Report::Declared(number)) | (Errand::Prolong { number, .. }, Report::Done) => {
                Some(number)
            }
            _ => None,
        }
    }

    /// Lists the webhooks, as a driver does before it has engines. The answer comes at once.
    pub(super) fn find_webhooks(&mut self, who: Who) -> Option<Vec<Webhook>> {
        if self.api_down {
            return None;
        }
        let driver = self.driver(who)?;
        let (app, wire) = (driver.client.app(), driver.wire.clone());
        let mut future: Pin<Box<dyn Future<Output = _>>> =
            Box::pin(async move { app.list_webhooks().await });
        let _ = wire::step(&mut future);
        let now = self.clocks.x();
        let called = self.rest.call(&mut self.world, wire.request()?, now, &[now]);
        let Called::Answered(answer) = called else { return None };
        wire.answer(Ok(answer));
        let webhooks = wire::step(&mut future)?.ok()?;
        let webhook =
            |it: &aaa_types::api::Webhook| Webhook { id: it.id, created_at: it.created_at };
        Some(webhooks.iter().map(webhook).collect())
    }

    /// Says whether X has a job under way.
    pub(super) fn has_running_job(&self) -> bool {
        let jobs = self.world.state(self.clocks.x()).jobs;
        jobs.iter().rev().take(crate::sim::MOST).any(|job| job.job.state == JobState::Running)
    }

    /// Somebody else asks for a job, one that takes its time.
    pub(super) fn foreign_job(&mut self) {
        let Some(webhook) = self.some_webhook() else { return };
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

    /// Somebody has the webhooks checked.
    pub(super) fn validate_by_hand(&mut self) {
        for webhook in self.webhooks() {
            let _ = self.world.validate(webhook, self.scenario.generation, self.clocks.x());
        }
        self.carry_out();
        if !self.world.webhooks().iter().all(|webhook| webhook.valid) {
            let again = crate::scenario::Happening::Validate;
            self.later(10 * MINUTE, Event::Happening(again));
        }
    }
}

/// What X answers where there is no such route.
fn missing_page() -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from_static(
        br#"{"title":"Not Found","type":"about:blank","status":404,"detail":"Not Found"}"#,
    ));
    *answer.status_mut() = http::StatusCode::NOT_FOUND;
    answer
}

#[expect(clippy::disallowed_methods, reason = "signatures are made by the real clock")]
fn real_now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
