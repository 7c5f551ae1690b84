//! A signature is good for one request, and for a few minutes.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::Authorization;

/// How far the time of a signature may be from a clock, in either direction.
///
/// # Examples
///
/// ```
/// use aaa_auth::oauth1::TimestampWindow;
/// use jiff::SignedDuration;
///
/// let window = TimestampWindow::new(SignedDuration::from_mins(5));
/// let now = "2025-11-22T04:00:00Z".parse()?;
/// assert!(window.contains("2025-11-22T04:05:00Z".parse()?, now));
/// assert!(!window.contains("2025-11-22T03:54:59Z".parse()?, now));
/// # Ok::<(), jiff::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampWindow(SignedDuration);

impl TimestampWindow {
    /// What X allows, as far as is known: five minutes.
    pub const FIVE_MINUTES: Self = Self(SignedDuration::from_mins(5));

    /// Creates a window that reaches as far back as ahead.
    pub const fn new(reach: SignedDuration) -> Self {
        Self(reach)
    }

    /// Says whether a signature made `at` is acceptable `now`; the edges are.
    pub fn contains(self, at: Timestamp, now: Timestamp) -> bool {
        let distance = now.duration_since(at);
        -self.0 <= distance && distance <= self.0
    }

    /// Says whether a signature made `at` will never be acceptable again.
    fn has_passed(self, at: Timestamp, now: Timestamp) -> bool {
        now.duration_since(at) > self.0
    }
}

/// Remembers the nonces of accepted requests for as long as their timestamps are acceptable.
///
/// A nonce is forgotten when its timestamp leaves the window, since the timestamp alone refuses
/// it from then on. So memory is bounded by the requests of two windows.
///
/// # Examples
///
/// ```
/// use aaa_auth::{Consumer, oauth1::{Authorization, FreshnessError, NonceCache, Signer, TimestampWindow}};
/// # use http::Method;
/// # use url::Url;
/// # let consumer = Consumer::new("app".parse()?, "hush".parse()?);
/// # let url = Url::parse("https://api.x.com/2/webhooks")?;
/// let now = "2025-11-22T04:00:00Z".parse()?;
/// let header = Signer::new(&consumer).sign(&Method::GET, &url, &[], "a1b2", now);
///
/// let authorization = Authorization::parse(&header)?;
/// authorization.verify(&Method::GET, &url, &[], &consumer.secret, None)?;
/// let mut nonces = NonceCache::new(TimestampWindow::FIVE_MINUTES);
/// assert_eq!(nonces.check(&authorization, &[now]), Ok(()));
/// assert_eq!(nonces.check(&authorization, &[now]), Err(FreshnessError::Replayed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct NonceCache {
    window: TimestampWindow,
    seen: BTreeSet<Seen>,
}

/// What must not come twice. The timestamp is first, so that the oldest are first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    timestamp: Timestamp,
    consumer_key: String,
    token: Option<String>,
    nonce: String,
}

impl NonceCache {
    /// Creates an empty memory.
    pub const fn new(window: TimestampWindow) -> Self {
        Self { window, seen: BTreeSet::new() }
    }

    /// Checks a request whose signature was verified, and remembers its nonce.
    ///
    /// Verify first: else anybody could use up the nonces of others. A request is fresh if any of
    /// the `clocks` says so; mostly there is one, an emulator with a clock of its own has two. Pass
    /// the same clocks every time: what is stale for all of them is forgotten.
    ///
    /// # Errors
    ///
    /// Fails when the timestamp is outside the window, or when app, user, timestamp and nonce
    /// were seen before.
    pub fn check(
        &mut self,
        authorization: &Authorization,
        clocks: &[Timestamp],
    ) -> Result<(), FreshnessError> {
        let timestamp = authorization.timestamp();
        let window = self.window;
        // Of no clock at all, "all of them" would be true.
        if let Some(slowest) = clocks.iter().min() {
            self.forget(|at| window.has_passed(at, *slowest));
        }
        if !clocks.iter().any(|&now| window.contains(timestamp, now)) {
            return Err(FreshnessError::Stale { timestamp });
        }
        let new = self.seen.insert(Seen {
            timestamp,
            consumer_key: authorization.consumer_key().to_owned(),
            token: authorization.token().map(str::to_owned),
            nonce: authorization.nonce().to_owned(),
        });
        if new { Ok(()) } else { Err(FreshnessError::Replayed) }
    }

    /// Returns how many nonces are remembered.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Says whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Forgets from the oldest on, as long as they have passed.
    fn forget(&mut self, has_passed: impl Fn(Timestamp) -> bool) {
        while self.seen.first().is_some_and(|oldest| has_passed(oldest.timestamp)) {
            self.seen.pop_first();
        }
    }
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen")
            .field("timestamp", &self.timestamp)
            .field("nonce", &self.nonce)
            .finish_non_exhaustive()
    }
}

/// A signature may be right, yet its request is not a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FreshnessError {
    /// Too old, or from the future.
    #[error("the timestamp {timestamp} is too far from now: check the clock")]
    Stale {
        /// When the client says it signed.
        timestamp: Timestamp,
    },
    /// The same request was accepted before.
    #[error("the nonce was used before: sign every request anew")]
    Replayed,
}

#[cfg(test)]
mod tests {
    use http::Method;
    use proptest::prelude::*;
    use url::Url;

    use super::*;
    use crate::{Consumer, UserToken, oauth1::Signer};

    fn signed(token: Option<&str>, nonce: &str, at: Timestamp) -> Authorization {
        let consumer = Consumer::new("app".parse().unwrap(), "hush".parse().unwrap());
        let url = Url::parse("https://api.x.com/2/webhooks").unwrap();
        let token = token.map(|t| UserToken::new(t.parse().unwrap(), "hush".parse().unwrap()));
        let mut signer = Signer::new(&consumer);
        if let Some(token) = &token {
            signer = signer.with_token(token);
        }
        Authorization::parse(&signer.sign(&Method::GET, &url, &[], nonce, at)).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_763_784_000 + second).unwrap()
    }

    #[test]
    fn one_nonce_per_app_user_and_second() {
        let mut nonces = NonceCache::new(TimestampWindow::FIVE_MINUTES);
        let now = &[at(0)];
        let first = signed(None, "a", at(0));
        assert_eq!(nonces.check(&first, now), Ok(()));
        assert_eq!(nonces.check(&first, now), Err(FreshnessError::Replayed));
        for other in [
            signed(None, "b", at(0)),
            signed(None, "a", at(1)),
            signed(Some("7"), "a", at(0)),
            signed(Some("8"), "a", at(0)),
        ] {
            assert_eq!(nonces.check(&other, now), Ok(()));
        }
        assert_eq!(nonces.len(), 5);
    }

    #[test]
    fn stale_in_both_directions() {
        let mut nonces = NonceCache::new(TimestampWindow::FIVE_MINUTES);
        for (second, fresh) in [(-301, false), (-300, true), (300, true), (301, false)] {
            let result = nonces.check(&signed(None, "a", at(second)), &[at(0)]);
            assert_eq!(result.is_ok(), fresh, "{second}");
        }
        assert_eq!(nonces.len(), 2, "what was refused is not remembered");
        let extremes = [Timestamp::MIN, Timestamp::MAX];
        assert!(nonces.check(&signed(None, "b", at(0)), &extremes).is_err());
    }

    #[test]
    fn either_clock_accepts_and_the_later_one_forgets() {
        let mut nonces = NonceCache::new(TimestampWindow::FIVE_MINUTES);
        let (real, ahead) = (at(0), at(86_400));
        let by_real_clock = signed(None, "a", real);
        assert_eq!(nonces.check(&by_real_clock, &[ahead, real]), Ok(()));
        assert_eq!(nonces.check(&by_real_clock, &[ahead, real]), Err(FreshnessError::Replayed));
        assert!(matches!(
            nonces.check(&by_real_clock, &[ahead]),
            Err(FreshnessError::Stale { .. })
        ));
        assert!(nonces.is_empty());
    }

    #[test]
    fn no_clock_accepts_nothing() {
        let mut nonces = NonceCache::new(TimestampWindow::FIVE_MINUTES);
        assert!(nonces.check(&signed(None, "a", at(0)), &[]).is_err());
    }

    proptest! {
        #[test]
        fn nothing_is_accepted_twice_and_memory_is_bounded(
            requests in prop::collection::vec((0..60_i64, -8..8_i64, 0..3_u8), 0..60),
        ) {
            let window = TimestampWindow::new(SignedDuration::from_secs(5));
            let mut nonces = NonceCache::new(window);
            let mut accepted = BTreeSet::new();
            let mut now = 0;
            for (step, drift, nonce) in requests {
                now += step % 4;
                let request = signed(None, &nonce.to_string(), at(now + drift));
                if nonces.check(&request, &[at(now)]).is_ok() {
                    prop_assert!(accepted.insert((now + drift, nonce)));
                }
                // Two windows of 5 s, one nonce of three per second.
                prop_assert!(nonces.len() <= 3 * 11);
            }
        }
    }
}
