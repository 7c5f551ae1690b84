//! What the REST calls answer: webhooks, subscriptions, replay jobs, and problems.
//!
//! X's documents disagree about several shapes; every shape that was documented or seen is
//! understood ([`Answer`] takes a value with or without its `data` envelope). Whatever X refuses,
//! in either generation of the API, is an [`ApiError`].

mod answer;
mod cause;
mod code;
mod error;
mod failure;
mod message;
mod problem;
mod replay;
mod subscription;
mod webhook;
mod words;

pub use self::{
    answer::Answer,
    cause::Cause,
    code::ErrorCode,
    error::ApiError,
    failure::Failure,
    message::{EmptyMessageError, NewDirectMessage, SentDirectMessage},
    problem::{Problem, ProblemType},
    replay::ReplayJob,
    subscription::{Subscription, SubscriptionCount, SubscriptionState, Subscriptions},
    webhook::{Validation, Webhook},
};
