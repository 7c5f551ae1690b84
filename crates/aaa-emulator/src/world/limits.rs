//! How often each call may be made: windows of fifteen minutes, per app.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::World;
use crate::control::Operation;

const WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// Where X publishes no limit.
const UNPUBLISHED: u32 = 100_000;

/// The windows that are open.
#[derive(Debug, Default)]
pub(super) struct Limits(HashMap<Operation, Window>);

#[derive(Debug, Clone, Copy)]
struct Window {
    ends: Timestamp,
    used: u32,
}

/// Where a caller stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many calls a window has.
    pub limit: u32,
    /// How many are left.
    pub remaining: u32,
    /// When the window ends.
    pub reset: Timestamp,
    /// This call was one too many.
    pub exceeded: bool,
}

impl World {
    /// Counts a call.
    pub fn count_call(&mut self, operation: Operation, now: Timestamp) -> RateLimit {
        self.observe(now);
        let fresh = Window { ends: self.now.saturating_add(WINDOW).unwrap_or(self.now), used: 0 };
        let window = self.limits.0.entry(operation).or_insert(fresh);
        if window.ends <= self.now {
            *window = fresh;
        }
        let limit = limit(operation);
        let exceeded = window.used >= limit;
        window.used += u32::from(!exceeded);
        RateLimit { limit, remaining: limit - window.used, reset: window.ends, exceeded }
    }

    /// Returns where a caller stands whose call belongs to nothing that is counted.
    pub fn uncounted_call(&self, now: Timestamp) -> RateLimit {
        let reset = now.saturating_add(WINDOW).unwrap_or(now);
        RateLimit { limit: UNPUBLISHED, remaining: UNPUBLISHED, reset, exceeded: false }
    }
}

fn limit(operation: Operation) -> u32 {
    match operation {
        Operation::CreateWebhook
        | Operation::ListWebhooks
        | Operation::ValidateWebhook
        | Operation::DeleteWebhook => 450,
        Operation::CreateReplay => 100,
        Operation::Subscribe
        | Operation::CheckSubscription
        | Operation::ListSubscriptions
        | Operation::Unsubscribe
        | Operation::CountSubscriptions => UNPUBLISHED,
    }
}
