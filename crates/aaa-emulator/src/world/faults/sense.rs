//! Whether a fault that somebody plans can ever happen. A run in which one does not fire proves
//! nothing, so what never could is refused when it is planned.

use super::Class;
use crate::{
    control::{Action, CheckCause, Fault, Match, Operation},
    credentials, payload,
};

/// The longest jump of the clock.
const LONGEST_JUMP: u64 = 366 * 24 * 3600;

/// The kind of a body that does not say what it is.
const UNKNOWN: &str = "unknown";

/// Says on which occasions an action is asked for.
pub(super) fn class_of(when: &Match, action: Action) -> Class {
    match action {
        _ if when.operation.is_some() => Class::Call,
        _ if when.check.is_some() => Class::Check,
        Action::Drop
        | Action::LoseAnswer
        | Action::Delay { .. }
        | Action::Duplicate
        | Action::Reorder
        | Action::BadSignature
        | Action::Corrupt
        | Action::Truncate
        | Action::SlowBody { .. }
        | Action::Reset
        | Action::GiveUp
        | Action::JumpClock { .. } => Class::Delivery,
        Action::Respond { .. } => Class::Call,
        Action::WrongCheck | Action::SilentCheck => Class::Check,
        Action::IncompleteJob | Action::CompleteJob => Class::JobState,
        Action::MissingCompletion | Action::DoubleCompletion => Class::JobEnd,
    }
}

/// Finds what keeps a fault from firing as it says.
pub(super) fn judge(fault: &Fault) -> Result<(), &'static str> {
    let Fault { when, action, times } = fault;
    if *times == 0 || when.nth == Some(0) {
        return Err("`times` and `nth` begin with 1");
    }
    if when.operation.is_some() && when.check.is_some() {
        return Err("`operation` and `check` are no one occasion");
    }
    match action {
        Action::Respond { status, .. } if !(400..=599).contains(status) => {
            return Err("`status` must be an error, 400 to 599");
        }
        Action::JumpClock { seconds } if *seconds > LONGEST_JUMP => {
            return Err("the clock jumps by at most a year");
        }
        Action::JumpClock { seconds: 0 } | Action::Delay { seconds: 0 } => {
            return Err("`seconds` begin with 1");
        }
        _ => {}
    }
    match class_of(when, *action) {
        Class::Call => judge_call(when, *action),
        Class::Check => judge_check(when, *action),
        Class::JobState | Class::JobEnd => judge_job(when),
        Class::Delivery => judge_delivery(when),
    }
}

fn judge_call(when: &Match, action: Action) -> Result<(), &'static str> {
    let Some(operation) = when.operation else {
        return Err("`respond` needs the `operation` that it answers");
    };
    let works = matches!(
        action,
        Action::Respond { .. }
            | Action::LoseAnswer
            | Action::Reset
            | Action::SlowBody { .. }
            | Action::JumpClock { .. }
    );
    if !works {
        return Err("with an `operation`, `respond`, `lose_answer`, `reset`, `slow_body` and \
                    `jump_clock` can happen");
    }
    if when.kind.is_some() || when.cause.is_some() || when.webhook_id.is_some() {
        return Err("a call has an `operation` and a `user_id`, and nothing else to match");
    }
    let Some(user) = when.user_id else {
        return Ok(());
    };
    match operation {
        Operation::Subscribe
        | Operation::CheckSubscription
        | Operation::UnsubscribeSelf
        | Operation::SendMessage => judge_user(when),
        Operation::CreateWebhook | Operation::ValidateWebhook | Operation::DeleteWebhook => {
            let is_owner = user.as_u64() == credentials::OWNER;
            is_owner.then_some(()).ok_or("only user 1, who owns the app, makes this call")
        }
        Operation::ListWebhooks
        | Operation::ListSubscriptions
        | Operation::Unsubscribe
        | Operation::CountSubscriptions
        | Operation::CreateReplay => {
            Err("this call is made with the app's bearer token: there is no `user_id` to match")
        }
        Operation::RequestToken
        | Operation::Authorize
        | Operation::AccessToken
        | Operation::BearerToken
        | Operation::InvalidateBearerToken => {
            Err("who hands out tokens knows no user yet: there is no `user_id` to match")
        }
    }
}

fn judge_check(when: &Match, action: Action) -> Result<(), &'static str> {
    if !matches!(action, Action::WrongCheck | Action::SilentCheck | Action::BadSignature) {
        return Err("with a `check`, `wrong_check`, `silent_check` and `bad_signature` can happen");
    }
    if when.kind.is_some() || when.cause.is_some() || when.user_id.is_some() {
        return Err("a check has a cause, `check`, and a `webhook_id`, and nothing else to match");
    }
    if when.check == Some(CheckCause::Registration) && when.webhook_id.is_some() {
        return Err("while it is being registered a webhook has no `webhook_id` yet");
    }
    Ok(())
}

fn judge_job(when: &Match) -> Result<(), &'static str> {
    let is_other = when.kind.as_deref().is_some_and(|kind| kind != payload::JOB_STATUS);
    if is_other || when.cause.is_some() || when.user_id.is_some() {
        return Err("the end of a job has a `webhook_id`, and nothing else to match");
    }
    Ok(())
}

fn judge_delivery(when: &Match) -> Result<(), &'static str> {
    judge_user(when)?;
    let Some(kind) = when.kind.as_deref() else {
        return Ok(());
    };
    if kind == payload::JOB_STATUS && (when.cause.is_some() || when.user_id.is_some()) {
        return Err("the delivery that ends a job has neither a `user_id` nor a `cause`");
    }
    if kind == payload::STREAMED {
        return Err("a post of a filtered stream has no name: its `kind` is `unknown`");
    }
    if !payload::is_kind(kind) && ![payload::JOB_STATUS, UNKNOWN].contains(&kind) {
        return Err("no delivery has that `kind`: it is a top-level key ending in `_events`, \
                    `user_event`, `replay_job_status`, an event type with a dot, or `unknown`");
    }
    if when.user_id.is_some() && !kind.ends_with("_events") {
        return Err("deliveries of that `kind` name no user: there is no `user_id` to match");
    }
    Ok(())
}

fn judge_user(when: &Match) -> Result<(), &'static str> {
    let is_known = |id: u64| (1..=credentials::MAX_USER).contains(&id);
    if when.user_id.is_none_or(|user| is_known(user.as_u64())) {
        return Ok(());
    }
    Err("there is no such `user_id`: users are 1 to 9999999")
}
