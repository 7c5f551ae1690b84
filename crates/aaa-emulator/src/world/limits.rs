//! How often each call may be made: windows of fifteen minutes, and of a day for direct messages.

use std::collections::HashMap;

use aaa_types::UserId;
use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};

use super::World;
use crate::{
    control::{Operation, SavedWindow},
    settings::Generation,
};

const QUARTER: SignedDuration = SignedDuration::from_mins(15);

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Where X publishes no limit.
const UNPUBLISHED: u32 = 100_000;

/// The windows that are open.
#[derive(Debug, Default)]
pub(super) struct Limits(HashMap<Counted, Window>);

impl Limits {
    pub(super) fn saved(&self) -> Vec<SavedWindow> {
        let saved = self.0.iter().map(|(counted, window)| SavedWindow {
            generation: counted.generation,
            operation: counted.operation,
            user_id: counted.user,
            deprecated: counted.deprecated,
            seconds: counted.length.as_secs(),
            ends: window.ends,
            used: window.used,
        });
        let mut saved: Vec<_> = saved.collect();
        saved.sort_unstable_by_key(|w| {
            (w.generation, w.operation, w.user_id, w.deprecated, w.seconds)
        });
        saved
    }

    pub(super) fn restored(saved: Vec<SavedWindow>) -> Self {
        let windows = saved.into_iter().map(|window| {
            let counted = Counted {
                generation: window.generation,
                operation: window.operation,
                user: window.user_id,
                deprecated: window.deprecated,
                length: SignedDuration::from_secs(window.seconds),
            };
            (counted, Window { ends: window.ends, used: window.used })
        });
        Self(windows.collect())
    }
}

/// What has a window of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Counted {
    generation: Generation,
    operation: Operation,
    /// None where the app as a whole is counted.
    user: Option<UserId>,
    /// By the route of v2's replays that is no longer described, and has no limit of its own.
    deprecated: bool,
    length: SignedDuration,
}

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
    /// Counts a call, by the app and where X counts so by the user. What is returned is the window
    /// that is full, if one is.
    pub fn count_call(
        &mut self,
        operation: Operation,
        generation: Generation,
        user: Option<UserId>,
        now: Timestamp,
    ) -> RateLimit {
        self.observe(now);
        self.count(&windows(operation, generation, user))
    }

    /// Counts a replay by the deprecated route of v2, for which no limit is published.
    pub fn count_deprecated_replay(&mut self, now: Timestamp) -> RateLimit {
        self.observe(now);
        let counted = Counted {
            generation: Generation::V2,
            operation: Operation::CreateReplay,
            user: None,
            deprecated: true,
            length: QUARTER,
        };
        self.count(&[(counted, UNPUBLISHED)])
    }

    fn count(&mut self, windows: &[(Counted, u32)]) -> RateLimit {
        let mut shown = self.uncounted_call(self.now);
        for (index, (counted, limit)) in windows.iter().enumerate() {
            let window = self.window_of(*counted);
            let remaining = limit.saturating_sub(window.used);
            let stand = RateLimit {
                limit: *limit,
                // This one is not counted yet.
                remaining: remaining.saturating_sub(1),
                reset: window.ends,
                exceeded: remaining == 0,
            };
            if index == 0 || stand.exceeded {
                shown = stand;
            }
            if stand.exceeded {
                return shown;
            }
        }
        for (counted, _) in windows {
            self.window_of(*counted).used += 1;
        }
        shown
    }

    /// Returns where a caller stands whose call belongs to nothing that is counted.
    pub fn uncounted_call(&self, now: Timestamp) -> RateLimit {
        let reset = now.saturating_add(QUARTER).unwrap_or(now);
        RateLimit { limit: UNPUBLISHED, remaining: UNPUBLISHED, reset, exceeded: false }
    }

    fn window_of(&mut self, counted: Counted) -> &mut Window {
        let now = self.now;
        // Only whole seconds can be told: a window that ended within one would be told too early.
        let second = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Ceil);
        let ends = now.saturating_add(counted.length).and_then(|ends| ends.round(second));
        let fresh = Window { ends: ends.unwrap_or(now), used: 0 };
        let window = self.limits.0.entry(counted).or_insert(fresh);
        if window.ends <= now {
            *window = fresh;
        }
        window
    }
}

/// The windows that a call counts in, the one whose state every answer shows first.
fn windows(
    operation: Operation,
    generation: Generation,
    user: Option<UserId>,
) -> Vec<(Counted, u32)> {
    let counted = |user, length| Counted { generation, operation, user, deprecated: false, length };
    match operation {
        // https://docs.x.com/x-api/fundamentals/rate-limits. The 1,440 a day that each user has
        // need no window: 15 in a quarter of an hour are never more.
        Operation::SendMessage => vec![(counted(user, QUARTER), 15), (counted(None, DAY), 1440)],
        _ => vec![(counted(None, QUARTER), limit(operation, generation))],
    }
}

fn limit(operation: Operation, generation: Generation) -> u32 {
    match (operation, generation) {
        (
            Operation::CreateWebhook
            | Operation::ListWebhooks
            | Operation::ValidateWebhook
            | Operation::DeleteWebhook,
            Generation::V2,
        ) => 450,
        (Operation::CreateReplay, Generation::V2) => 100,
        (
            Operation::CreateWebhook
            | Operation::ListWebhooks
            | Operation::ValidateWebhook
            | Operation::DeleteWebhook
            | Operation::CountSubscriptions,
            Generation::V1_1,
        ) => 15,
        (Operation::ListSubscriptions, Generation::V1_1) => 50,
        (
            Operation::Subscribe
            | Operation::CheckSubscription
            | Operation::Unsubscribe
            | Operation::UnsubscribeSelf,
            Generation::V1_1,
        ) => 500,
        (Operation::CreateReplay, Generation::V1_1) => 5,
        _ => UNPUBLISHED,
    }
}
