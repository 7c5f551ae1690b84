//! Who revoked access, by what the inbox tells: a run may have ended before it heard of it.

use std::collections::BTreeMap;

use aaa_types::{UserId, event::Event};
use jiff::Timestamp;

use super::{following::stored, store::Store};

/// The kind under which X reports it.
pub(super) const KIND: &str = "user_event";

/// When users revoked access last.
#[derive(Debug, Default)]
pub(super) struct Revoked(BTreeMap<UserId, Timestamp>);

impl Revoked {
    /// Reads the inbox; returns up to which number, too.
    pub(super) async fn read(store: &Store) -> (Self, u64) {
        let (all, last) = stored(store, KIND, read).await;
        (all.into_iter().collect(), last)
    }

    /// Says whether a token that was added at a time is still good. One that nobody knows the time
    /// of is older than any revocation.
    pub(super) fn holds(&self, user: UserId, added: Option<Timestamp>) -> bool {
        let revoked = self.0.get(&user);
        revoked.is_none_or(|revoked| added.is_some_and(|added| *revoked < added))
    }

    pub(super) fn latest(self) -> BTreeMap<UserId, Timestamp> {
        self.0
    }
}

impl FromIterator<(UserId, Timestamp)> for Revoked {
    fn from_iter<I: IntoIterator<Item = (UserId, Timestamp)>>(all: I) -> Self {
        let mut latest = BTreeMap::new();
        for (user, at) in all {
            let known = latest.entry(user).or_insert(at);
            *known = at.max(*known);
        }
        Self(latest)
    }
}

/// Returns who revoked access, and when; a time that X does not tell counts as after all others.
pub(super) fn read(event: Event) -> Option<(UserId, Timestamp)> {
    let Event::Revoke(event) = event else { return None };
    let user = event.revoke.source.user_id.parse().ok()?;
    Some((user, event.revoke.revoked_at().unwrap_or(Timestamp::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_until_access_is_revoked_and_again_when_it_is_newer() {
        let user = |id: u64| UserId::try_from(id).unwrap();
        let at = |hour: i64| Timestamp::from_second(1_763_784_000 + hour * 3600).unwrap();
        let revoked: Revoked = [(user(8), at(2)), (user(8), at(1))].into_iter().collect();
        assert!(revoked.holds(user(7), None));
        assert!(!revoked.holds(user(8), None));
        assert!(!revoked.holds(user(8), Some(at(1))));
        assert!(revoked.holds(user(8), Some(at(3))));
    }
}
