//! What answers say about the rate limit, and what X's clock says.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};

use crate::Operation;

/// How many calls X takes, as an answer said it (`x-rate-limit-*`). Each part may be missing.
///
/// # Examples
///
/// ```
/// use aaa_client::RateLimit;
/// use http::HeaderMap;
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(RateLimit::from_headers(&headers), None);
///
/// headers.insert("x-rate-limit-limit", "450".parse()?);
/// headers.insert("x-rate-limit-remaining", "0".parse()?);
/// headers.insert("x-rate-limit-reset", "1763784040".parse()?);
/// let limit = RateLimit::from_headers(&headers).ok_or("there is a limit")?;
/// assert_eq!((limit.limit, limit.remaining), (Some(450), Some(0)));
/// assert!(limit.is_exhausted("2025-11-22T04:00:00Z".parse()?));
/// assert!(!limit.is_exhausted("2025-11-22T04:00:40Z".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// How many calls are allowed in a window, which is 15 minutes mostly.
    pub limit: Option<u32>,
    /// How many of them are left.
    pub remaining: Option<u32>,
    /// When the next window begins, on X's clock.
    pub reset: Option<Timestamp>,
}

impl RateLimit {
    /// Reads the headers of an answer; what is no number is left out.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let number = |name| text(headers, name)?.parse::<u32>().ok();
        let reset = number("x-rate-limit-reset");
        let found = Self {
            limit: number("x-rate-limit-limit"),
            remaining: number("x-rate-limit-remaining"),
            reset: reset.and_then(|seconds| Timestamp::from_second(seconds.into()).ok()),
        };
        let something = found.limit.is_some() || found.remaining.is_some();
        (something || found.reset.is_some()).then_some(found)
    }

    /// Says whether no call is left until the reset, seen from `now` on X's clock.
    pub fn is_exhausted(&self, now: Timestamp) -> bool {
        self.remaining == Some(0) && self.reset.is_none_or(|reset| now < reset)
    }
}

/// The last rate limit of each operation.
#[derive(Debug, Default)]
pub(crate) struct RateLimits(Mutex<HashMap<Operation, RateLimit>>);

impl RateLimits {
    pub(crate) fn last(&self, operation: Operation) -> Option<RateLimit> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&operation).copied()
    }

    pub(crate) fn note(&self, operation: Operation, limit: RateLimit) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(operation, limit);
    }
}

/// X's clock minus the local one, from the last answer that told it.
#[derive(Debug, Default)]
pub(crate) struct ServerClock(Mutex<Option<SignedDuration>>);

impl ServerClock {
    /// Takes the headers of an answer that has arrived at `now`, on the local clock.
    pub(crate) fn note(&self, headers: &HeaderMap, now: Timestamp) {
        if let Some(date) = date(headers) {
            let offset = date.duration_since(now);
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(offset);
        }
    }

    pub(crate) fn offset(&self) -> Option<SignedDuration> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns X's time at `now` on the local clock. Without any answer they count as equal.
    pub(crate) fn at(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.offset().unwrap_or_default()).unwrap_or(now)
    }
}

/// Reads X's clock.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = rfc2822::parse(text(headers, header::DATE.as_str())?).ok()?;
    Some(date.timestamp())
}

/// Returns the text of a header, without white space around it.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn each_part_may_be_missing() {
        let only =
            |name: &'static str, value: &str| RateLimit::from_headers(&headers(&[(name, value)]));
        assert_eq!(only("x-rate-limit-limit", "15").unwrap().limit, Some(15));
        assert_eq!(only("x-rate-limit-remaining", " 3 ").unwrap().remaining, Some(3));
        let reset = only("x-rate-limit-reset", "1763784040").unwrap().reset.unwrap();
        assert_eq!(reset.to_string(), "2025-11-22T04:00:40Z");
        for garbage in ["", "many", "-1", "1.5", "99999999999999999999"] {
            assert_eq!(only("x-rate-limit-reset", garbage), None, "{garbage}");
            let mixed = headers(&[("x-rate-limit-limit", "15"), ("x-rate-limit-reset", garbage)]);
            assert_eq!(RateLimit::from_headers(&mixed).unwrap().limit, Some(15));
        }
    }

    #[test]
    fn a_limit_without_a_reset_is_exhausted_for_good() {
        let limit = RateLimit { limit: None, remaining: Some(0), reset: None };
        assert!(limit.is_exhausted(Timestamp::MAX));
        assert!(!RateLimit { remaining: Some(1), ..limit }.is_exhausted(Timestamp::MIN));
        assert!(!RateLimit { remaining: None, ..limit }.is_exhausted(Timestamp::MIN));
    }

    #[test]
    fn the_clock_is_the_last_one_told() {
        let clock = ServerClock::default();
        let now: Timestamp = "2025-11-22T04:00:00Z".parse().unwrap();
        assert_eq!((clock.offset(), clock.at(now)), (None, now));
        clock.note(&headers(&[("date", "Sat, 22 Nov 2025 05:00:00 GMT")]), now);
        assert_eq!(clock.offset().unwrap().as_secs(), 3600);
        clock.note(&headers(&[("date", "yesterday")]), now);
        assert_eq!(clock.at(now).to_string(), "2025-11-22T05:00:00Z");
    }

    proptest! {
        #[test]
        fn arbitrary_headers_never_panic(text in "[ -~]{0,40}") {
            let names = ["date", "x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"];
            let headers = headers(&names.map(|name| (name, text.as_str())));
            let clock = ServerClock::default();
            for now in [Timestamp::MIN, Timestamp::MAX] {
                clock.note(&headers, now);
                clock.at(now);
                RateLimit::from_headers(&headers).map(|limit| limit.is_exhausted(now));
            }
        }
    }
}
