//! Challenge-response checks, and what their outcome does to a webhook.

use aaa_types::{ReplayWindow, WebhookId, WebhookUrl};
use aaa_webhook::{crc::CrcToken, signature::Signature};
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    Answer, Check, CheckId, Effect, Heard, Outcome, Refusal, Silence, Ticket, Timer, World,
    faults::{Class, Occasion},
    refusal::Reason,
    replay::Scope,
};
use crate::{
    control::{Action, CheckCause},
    settings::{Challenge, ChallengeType, Generation, Revival, ValidationAnswer},
};

/// A check that is under way.
#[derive(Debug)]
pub(super) struct PendingCheck {
    token: String,
    generation: Generation,
    purpose: Purpose,
    fault: Option<Action>,
}

/// Why a webhook is checked.
#[derive(Debug)]
pub(super) enum Purpose {
    Register { ticket: Ticket, url: WebhookUrl },
    Validate { ticket: Ticket, webhook: WebhookId },
    Replay { ticket: Ticket, webhook: WebhookId, window: ReplayWindow, scope: Scope },
    Schedule { webhook: WebhookId },
}

impl Purpose {
    fn occasion(&self) -> Occasion<'static> {
        let (check, webhook) = match self {
            Self::Register { .. } => (CheckCause::Registration, None),
            Self::Validate { webhook, .. } => (CheckCause::Request, Some(*webhook)),
            Self::Replay { webhook, .. } => (CheckCause::Replay, Some(*webhook)),
            Self::Schedule { webhook } => (CheckCause::Schedule, Some(*webhook)),
        };
        Occasion { check: Some(check), webhook, ..Occasion::default() }
    }
}

/// What the outcome of a check means.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    /// It may pass: what came back says nothing about the webhook's secret.
    Transient(Trouble),
    /// The webhook is not what it should be.
    Wrong(Trouble),
}

/// What is wrong with the answer to a challenge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(
        "High latency on CRC GET request. Your webhook should respond in less than {} seconds.",
        .0.deadline().as_secs()
    )]
    Slow(Generation),
    #[error("{0}")]
    Closed(String),
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("Non-200 response code during CRC GET request (i.e. 404, 500, etc): {0}")]
    Status(u16),
    #[error("URL returned bad response during CRC with error: Invalid `response_token`")]
    WrongToken,
    #[error("URL returned bad response during CRC with error: the body is compressed, or says so")]
    Compressed,
    #[error(
        "URL returned bad response during CRC with error: the content type is not application/json"
    )]
    ContentType,
}

impl Trouble {
    /// What v1.1 says of a slow webhook, whatever deadline was set here.
    pub(super) const HIGH_LATENCY_V1_1: &str =
        "High latency on CRC GET request. Your webhook should respond in less than 3 seconds.";
}

impl World {
    /// Reports what a webhook answered to a challenge.
    pub fn check_ended(&mut self, check: CheckId, heard: Heard, now: Timestamp) {
        self.observe(now);
        let Some(PendingCheck { token, generation, purpose, fault }) = self.checks.remove(&check)
        else {
            return;
        };
        let verdict = match fault {
            Some(Action::WrongCheck) => Verdict::Wrong(Trouble::WrongToken),
            Some(Action::SilentCheck) => Verdict::Transient(Trouble::Slow(generation)),
            _ => self.judge(&token, generation, &heard),
        };
        match purpose {
            Purpose::Register { ticket, url } => {
                let result = match failed(verdict) {
                    None => self.registered(url, generation),
                    Some(refusal) => Err(refusal),
                };
                self.answer(ticket, Outcome::Registered(result));
            }
            Purpose::Validate { ticket, webhook } => {
                let refusal = self.apply_verdict(webhook, verdict, true);
                let result = self.validated(webhook, generation, refusal);
                self.answer(ticket, Outcome::Validated(result));
            }
            Purpose::Replay { ticket, webhook, window, scope } => {
                let refusal = self.apply_verdict(webhook, verdict, true);
                self.replay_checked(ticket, webhook, (window, scope), refusal);
            }
            Purpose::Schedule { webhook } => {
                if let Some(hook) = self.hooks.get_mut(&webhook) {
                    hook.checking = false;
                }
                let revives = self.settings.revival == Revival::OnAnyCheck;
                self.apply_verdict(webhook, verdict, revives);
            }
        }
    }

    /// Sends a challenge.
    pub(super) fn check(&mut self, url: &WebhookUrl, generation: Generation, purpose: Purpose) {
        let challenge = self.settings.challenge_of(generation);
        let token = self.random.token();
        let mut query = format!("crc_token={token}");
        let mut signature = None;
        if challenge == Challenge::Signed {
            query.push_str(&format!("&nonce={}", self.random.token()));
        }
        let (url, own) = match url.as_str().split_once('?') {
            Some((url, own)) => (url, format!("{own}&")),
            None => (url.as_str(), String::new()),
        };
        let query = own + &query;
        let was_asked_for = !matches!(purpose, Purpose::Schedule { .. });
        let fault = self.fire(Class::Check, &purpose.occasion());
        let secret = self.secret_for(fault);
        if let (Challenge::Signed, true, Some(secret)) = (challenge, was_asked_for, secret) {
            signature = Some(Signature::of(&secret, query.as_bytes()).to_string());
        }
        let id = CheckId(self.next_serial());
        self.effects.push(Effect::Check(Check {
            id,
            uri: format!("{url}?{query}"),
            signature,
            deadline: self.settings.deadline_of(generation),
        }));
        self.checks.insert(id, PendingCheck { token, generation, purpose, fault });
    }

    /// A webhook is due for a check. While one is under way the next is left out.
    pub(super) fn check_on_schedule(&mut self, webhook: WebhookId) {
        let Some(hook) = self.hooks.get_mut(&webhook) else {
            return;
        };
        let is_due = self.now.duration_since(hook.last_passed) >= self.settings.checks.after;
        let is_of_use = hook.valid || self.settings.revival == Revival::OnAnyCheck;
        if is_due && is_of_use && !hook.checking {
            hook.checking = true;
            let (url, generation) = (hook.url.clone(), hook.generation);
            self.check(&url, generation, Purpose::Schedule { webhook });
        }
        self.later(self.settings.checks.period, Timer::Check(webhook));
    }

    /// Notes the outcome of a check at its webhook; the refusal is for whoever asked.
    fn apply_verdict(
        &mut self,
        webhook: WebhookId,
        verdict: Verdict,
        revives: bool,
    ) -> Option<Refusal> {
        let now = self.now;
        let grace = self.settings.check_grace;
        let Some(hook) = self.hooks.get_mut(&webhook) else {
            return Some(super::webhooks::unknown_webhook());
        };
        match &verdict {
            Verdict::Passed => {
                hook.valid |= revives;
                hook.last_passed = now;
                hook.last_error = None;
            }
            Verdict::Transient(why) => {
                hook.last_error = Some(why.to_string());
                hook.valid &= now.duration_since(hook.last_passed) < grace;
            }
            Verdict::Wrong(why) => {
                hook.last_error = Some(why.to_string());
                hook.valid = false;
            }
        }
        if !hook.valid {
            self.stop_replay(webhook);
        }
        failed(verdict)
    }

    /// What is told of a check that somebody asked for, after it. By some of X's words a failed one
    /// is no refusal: `valid` says that it was made, or what the webhook is now.
    fn validated(
        &self,
        webhook: WebhookId,
        generation: Generation,
        refusal: Option<Refusal>,
    ) -> Result<bool, Refusal> {
        let valid = self.hook(webhook)?.valid;
        match (self.settings.validation_answer, generation) {
            (ValidationAnswer::Triggered, Generation::V2) => Ok(true),
            (ValidationAnswer::State, Generation::V2) => Ok(valid),
            _ => refusal.map_or(Ok(valid), Err),
        }
    }

    fn judge(&self, token: &str, generation: Generation, heard: &Heard) -> Verdict {
        let answer = match heard {
            Ok(answer) => answer,
            Err(Silence::Tls(why)) => return Verdict::Wrong(Trouble::Tls(why.clone())),
            Err(Silence::TimedOut) => return Verdict::Transient(Trouble::Slow(generation)),
            Err(silence) => return Verdict::Transient(Trouble::Closed(silence.to_string())),
        };
        match answer.status {
            200 if is_compressed(answer) => Verdict::Wrong(Trouble::Compressed),
            200 if !self.has_right_type(answer) => Verdict::Wrong(Trouble::ContentType),
            200 if self.is_right(token, &answer.body) => Verdict::Passed,
            200 => Verdict::Wrong(Trouble::WrongToken),
            status @ 400..=599 => Verdict::Transient(Trouble::Status(status)),
            status => Verdict::Wrong(Trouble::Status(status)),
        }
    }

    fn has_right_type(&self, answer: &Answer) -> bool {
        let essence = answer.content_type.as_deref().and_then(|t| t.split(';').next());
        let is_json = essence.is_some_and(|t| t.trim().eq_ignore_ascii_case("application/json"));
        is_json || self.settings.challenge_type == ChallengeType::Any
    }

    fn is_right(&self, token: &str, body: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Response {
            response_token: String,
        }
        let right = || {
            let response: Response = serde_json::from_slice(body).ok()?;
            let token = CrcToken::parse(token).ok()?;
            let signature = Signature::parse(&response.response_token).ok()?;
            Some(signature.verifies(self.secret.as_ref()?, token.as_str().as_bytes()))
        };
        right().unwrap_or(false)
    }
}

/// Says whether a body is compressed or said to be. What is both, X could perhaps read; a webhook
/// that does neither is on the safe side, and here nothing else passes.
fn is_compressed(answer: &Answer) -> bool {
    const GZIP: &[u8] = &[0x1f, 0x8b];
    let is_announced = answer
        .content_encoding
        .as_deref()
        .is_some_and(|encoding| !encoding.trim().eq_ignore_ascii_case("identity"));
    is_announced || answer.body.starts_with(GZIP)
}

fn failed(verdict: Verdict) -> Option<Refusal> {
    match verdict {
        Verdict::Passed => None,
        Verdict::Transient(trouble) | Verdict::Wrong(trouble) => {
            Some(Reason::Check(trouble).into())
        }
    }
}
