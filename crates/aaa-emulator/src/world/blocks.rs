//! Who has blocked whom: a delivery that tells somebody of a post says so.

use std::collections::BTreeSet;

use aaa_types::UserId;

/// How many are remembered.
const MOST: usize = 50_000;

/// Whom each user has blocked.
#[derive(Debug, Default)]
pub(super) struct Blocks(BTreeSet<(UserId, UserId)>);

impl Blocks {
    pub(super) fn restored(saved: Vec<(UserId, UserId)>) -> Self {
        Self(saved.into_iter().collect())
    }

    pub(super) fn saved(&self) -> Vec<(UserId, UserId)> {
        self.0.iter().copied().collect()
    }

    /// Notes that a user has blocked another, or has ended that.
    pub(super) fn note(&mut self, blocks: bool, user: UserId, other: UserId) {
        if !blocks {
            self.0.remove(&(user, other));
            return;
        }
        if self.0.len() >= MOST {
            self.0.pop_first();
        }
        self.0.insert((user, other));
    }

    /// Says whether a user has blocked another.
    pub(super) fn has(&self, user: UserId, other: UserId) -> bool {
        self.0.contains(&(user, other))
    }
}
