//! Who revoked access, by what the inbox tells: a run may have ended before it heard of it. What it
//! tells is noted at the users' tokens, since the inbox forgets events.

use std::{collections::BTreeMap, time::Duration};

use aaa_auth::tokens::{TokenFile, TokenFileError};
use aaa_types::{UserId, event::Event};
use aaa_webhook::inbox::StoredEvent;
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
    time::sleep,
};

use super::{
    following::{follow, stored},
    store::Store,
};

/// How long to wait for a file of tokens that cannot be changed.
const TRY_AGAIN: Duration = Duration::from_secs(5);

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

    /// Takes over what else is known.
    pub(super) fn and(self, others: BTreeMap<UserId, Timestamp>) -> Self {
        self.0.into_iter().chain(others).collect()
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

/// Notes at the tokens of users that they revoked access. `past` goes when all is noted that the
/// inbox knows by now; then it goes on with what arrives, until the run has ended.
pub(super) async fn note(
    store: Store,
    tokens: TokenFile,
    past: oneshot::Sender<()>,
    ended: impl Future<Output = ()>,
) {
    let work = async {
        let (revoked, last) = Revoked::read(&store).await;
        note_at(&tokens, revoked.latest()).await;
        // The events that tell of it may go now.
        drop(past);
        let (sender, mut news) = mpsc::channel(16);
        let hear = async {
            while let Some(one) = news.recv().await {
                note_at(&tokens, BTreeMap::from([one])).await;
            }
        };
        tokio::join!(follow(store, KIND, last, read, sender), hear)
    };
    tokio::select! {
        () = ended => {}
        _ = work => {}
    }
}

/// Notes it, and tries until that is done: nothing else knows of it when the inbox forgets.
async fn note_at(tokens: &TokenFile, revoked: BTreeMap<UserId, Timestamp>) {
    let mut told = false;
    while let Err(error) = note_once(tokens, &revoked).await {
        if !std::mem::replace(&mut told, true) {
            tracing::warn!(%error, "that users revoked access is not noted at their tokens yet, so no event is removed");
        }
        sleep(TRY_AGAIN).await;
    }
}

/// Changes the file on a thread for that: it may wait for another process.
async fn note_once(
    tokens: &TokenFile,
    revoked: &BTreeMap<UserId, Timestamp>,
) -> Result<(), TokenFileError> {
    if revoked.is_empty() {
        return Ok(());
    }
    let (tokens, revoked) = (tokens.clone(), revoked.clone());
    let work = move || {
        // Where there is nothing to note, no file is made.
        let known = tokens.read()?;
        if revoked.keys().any(|user| known.get(*user).is_some()) {
            tokens.update(|tokens| {
                for (user, at) in &revoked {
                    tokens.revoke(*user, *at);
                }
            })?;
        }
        Ok(())
    };
    // Without a result the process ends.
    spawn_blocking(work).await.unwrap_or(Ok(()))
}

/// Returns who revoked access, and when; where X does not tell, it was when that arrived.
pub(super) fn read(event: &StoredEvent) -> Option<(UserId, Timestamp)> {
    let Event::Revoke(told) = Event::decode(KIND, event.payload.get()) else { return None };
    let user = told.revoke.source.user_id.parse().ok()?;
    Some((user, told.revoke.revoked_at().unwrap_or(event.received_at)))
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

    /// What cannot be noted is tried again, and only then said to be done: the events that tell of
    /// it may go from there on.
    #[cfg(unix)]
    #[tokio::test]
    async fn it_is_noted_once_the_file_can_be_changed() {
        use std::os::unix::fs::PermissionsExt;

        use aaa_auth::{UserToken, tokens::StoredToken};

        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o700)).unwrap();
        let path = directory.path().join("tokens.json");
        let tokens = TokenFile::new(path.clone());
        let user = UserId::try_from(7_u64).unwrap();
        let token = UserToken::new("7-token".parse().unwrap(), "hush".parse().unwrap());
        tokens
            .update(|all| drop(all.insert(user, StoredToken::new(token, Timestamp::UNIX_EPOCH))))
            .unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, "{").unwrap();

        let revoked = BTreeMap::from([(user, Timestamp::from_second(60).unwrap())]);
        note_once(&tokens, &revoked).await.unwrap_err();
        let mut noting = std::pin::pin!(note_at(&tokens, revoked));
        let waits = tokio::time::timeout(Duration::from_millis(200), &mut noting).await;
        assert!(waits.is_err(), "it is not noted");
        std::fs::write(&path, whole).unwrap();
        tokio::time::timeout(4 * TRY_AGAIN, noting).await.expect("it is not tried again");
        assert!(tokens.read().unwrap().get(user).unwrap().is_revoked());
    }
}
