//! What the facts mean. Nothing here asks anybody, so that each verdict has its test.

pub(super) mod data;
pub(super) mod network;
pub(super) mod receiver;
pub(super) mod x;

use aaa_types::ConsumerSecret;

/// The secrets that an answer may have been made with.
#[derive(Debug)]
pub(super) struct Secrets {
    active: Option<ConsumerSecret>,
    /// What may be in its place, by the name of its variable.
    others: Vec<(String, ConsumerSecret)>,
}

impl Secrets {
    /// Takes the right one, and what is easily mistaken for it.
    pub(super) fn new(
        active: Option<ConsumerSecret>,
        others: Vec<(String, ConsumerSecret)>,
    ) -> Self {
        Self { active, others }
    }

    /// Returns the secret that X uses.
    pub(super) fn active(&self) -> Option<&ConsumerSecret> {
        self.active.as_ref()
    }

    /// Returns the name of a mistaken secret for which something holds.
    fn mistaken(&self, holds: impl Fn(&ConsumerSecret) -> bool) -> Option<&str> {
        self.others.iter().find(|(_, secret)| holds(secret)).map(|(name, _)| name.as_str())
    }
}
