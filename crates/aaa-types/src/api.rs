//! What the REST calls answer: webhooks, subscriptions, replay jobs, and problems.
//!
//! X's documents disagree about several shapes; every shape that was documented or seen is
//! understood ([`Answer`] takes a value with or without its `data` envelope).

mod answer;
mod problem;
mod replay;
mod subscription;
mod webhook;

pub use self::{
    answer::Answer,
    problem::{ApiError, Failure},
    replay::ReplayJob,
    subscription::{Subscription, SubscriptionCount, SubscriptionState, Subscriptions},
    webhook::{Validation, Webhook},
};
