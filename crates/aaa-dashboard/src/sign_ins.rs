//! Users who are on their way through X.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aaa_auth::flow::RequestToken;

use crate::clock::Steady;

/// How long a user may take. X's request tokens live for about as long.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How many may be on their way; the one who is so for longest makes room.
const WAITING: usize = 32;

/// The request tokens, by their public part.
pub(crate) struct SignIns {
    clock: Steady,
    waiting: Mutex<HashMap<String, (Duration, RequestToken)>>,
}

impl SignIns {
    pub(crate) fn new(clock: Steady) -> Self {
        Self { clock, waiting: Mutex::default() }
    }

    /// Remembers somebody who goes to X; returns the name that they come back with.
    pub(crate) fn add(&self, token: RequestToken) -> String {
        let name = token.token().token.expose().to_owned();
        let mut waiting = self.waiting();
        if waiting.len() >= WAITING
            && let Some(oldest) =
                waiting.iter().min_by_key(|(_, (since, _))| *since).map(|(name, _)| name.clone())
        {
            waiting.remove(&oldest);
        }
        waiting.insert(name.clone(), (self.clock.elapsed(), token));
        name
    }

    /// Takes the one who comes back; there is no second time.
    pub(crate) fn take(&self, name: &str) -> Option<RequestToken> {
        self.waiting().remove(name).map(|(_, token)| token)
    }

    /// Forgets those who took too long.
    fn waiting(&self) -> MutexGuard<'_, HashMap<String, (Duration, RequestToken)>> {
        let now = self.clock.elapsed();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, (since, _)| now.saturating_sub(*since) < PATIENCE);
        waiting
    }
}

#[cfg(test)]
mod tests {
    use aaa_auth::{UserToken, flow::Callback};

    use super::*;

    #[test]
    fn everybody_comes_back_once_and_not_all_wait() {
        let sign_ins = SignIns::new(Steady::start());
        let token = |n: usize| {
            let token = UserToken::new(format!("r-{n}").parse().unwrap(), "hush".parse().unwrap());
            RequestToken::new(token, &Callback::OUT_OF_BAND)
        };
        let first = sign_ins.add(token(0));
        assert!(sign_ins.take("r-1").is_none());
        assert!(sign_ins.take(&first).is_some() && sign_ins.take(&first).is_none());
        (0..=WAITING).for_each(|n| drop(sign_ins.add(token(n))));
        assert!(sign_ins.take("r-0").is_none() && sign_ins.take("r-1").is_some());
    }
}
