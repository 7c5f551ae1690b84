//! What answers say about the rate limit, and what X's clock says.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::{
    SignedDuration, Timestamp,
    fmt::rfc2822::{self, DateTimePrinter},
};

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
        let reset = text(headers, "x-rate-limit-reset").and_then(|text| text.parse::<u64>().ok());
        let found = Self {
            limit: number("x-rate-limit-limit"),
            remaining: number("x-rate-limit-remaining"),
            reset: reset.and_then(|seconds| Timestamp::from_second(seconds.try_into().ok()?).ok()),
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

    /// Returns the time to sign with at `now` on the local clock: that one, unless X's is known to
    /// be so far away that X could refuse it.
    pub(crate) fn signing_time(&self, now: Timestamp) -> Timestamp {
        let theirs = self.at(now);
        if is_far(theirs, now) { theirs } else { now }
    }
}

/// Says whether two times are so far apart that X may refuse what is signed with one at the other.
/// It takes some minutes; answers tell its clock to the second, and some late.
pub(crate) fn is_far(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other).unsigned_abs() > Duration::from_secs(60)
}

/// Reads when to ask again from `Retry-After`. Seconds count from the answer's own `Date`.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Timestamp> {
    match seconds_after(headers) {
        Some(seconds) => date(headers)?.checked_add(seconds).ok(),
        None => time(headers, header::RETRY_AFTER),
    }
}

/// Writes seconds in a `Retry-After` as a time, where the answer has no `Date` that they could
/// count from. It has arrived at `now` on X's clock.
pub(crate) fn settle_retry_after(headers: &mut HeaderMap, now: Timestamp) {
    let Some(seconds) = seconds_after(headers).filter(|_| date(headers).is_none()) else { return };
    // Rounded up to the next second, since that is how precise it is written.
    let at = now.saturating_add(seconds + SignedDuration::from_secs(1)).unwrap_or(now);
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&at);
    if let Some(value) = text.ok().and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(header::RETRY_AFTER, value);
    }
}

fn seconds_after(headers: &HeaderMap) -> Option<SignedDuration> {
    let seconds = text(headers, header::RETRY_AFTER.as_str())?.parse::<u32>().ok()?;
    Some(SignedDuration::from_secs(seconds.into()))
}

/// Reads X's clock.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    time(headers, header::DATE)
}

fn time(headers: &HeaderMap, name: HeaderName) -> Option<Timestamp> {
    let time = rfc2822::parse(text(headers, name.as_str())?).ok()?;
    Some(time.timestamp())
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
        let reset = |text| only("x-rate-limit-reset", text).unwrap().reset.unwrap().to_string();
        assert_eq!(reset("1763784040"), "2025-11-22T04:00:40Z");
        assert_eq!(reset("4919457640"), "2125-11-22T04:00:40Z");
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

    #[test]
    fn signatures_bear_the_time_of_x_where_it_is_far_away() {
        let clock = ServerClock::default();
        let now: Timestamp = "2025-11-22T04:00:00Z".parse().unwrap();
        assert_eq!(clock.signing_time(now), now);
        for (date, signed) in [
            ("Sat, 22 Nov 2025 04:01:00 GMT", "2025-11-22T04:00:00Z"),
            ("Sat, 22 Nov 2025 03:59:00 GMT", "2025-11-22T04:00:00Z"),
            ("Sat, 22 Nov 2025 04:01:01 GMT", "2025-11-22T04:01:01Z"),
            ("Sat, 22 Nov 2025 03:50:00 GMT", "2025-11-22T03:50:00Z"),
        ] {
            clock.note(&headers(&[("date", date)]), now);
            assert_eq!(clock.signing_time(now).to_string(), signed, "{date}");
        }
    }

    #[test]
    fn seconds_without_a_date_count_from_the_arrival() {
        let now: Timestamp = "2025-11-22T04:00:00.5Z".parse().unwrap();
        let mut without = headers(&[("retry-after", "7")]);
        assert_eq!(retry_after(&without), None);
        settle_retry_after(&mut without, now);
        assert_eq!(retry_after(&without).unwrap().to_string(), "2025-11-22T04:00:08Z");
        for untouched in [
            &[("retry-after", "7"), ("date", "Sat, 22 Nov 2025 03:00:00 GMT")][..],
            &[("retry-after", "Sat, 22 Nov 2025 03:00:00 GMT")],
            &[("retry-after", "soon")],
            &[],
        ] {
            let mut headers = headers(untouched);
            let before = headers.clone();
            settle_retry_after(&mut headers, now);
            assert_eq!(headers, before);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_headers_never_panic(text in "[ -~]{0,40}") {
            let names = [
                "date", "retry-after", "x-rate-limit-limit", "x-rate-limit-remaining",
                "x-rate-limit-reset",
            ];
            let mut headers = headers(&names.map(|name| (name, text.as_str())));
            let clock = ServerClock::default();
            for now in [Timestamp::MIN, Timestamp::MAX] {
                clock.note(&headers, now);
                clock.signing_time(now);
                retry_after(&headers);
                settle_retry_after(&mut headers, now);
                RateLimit::from_headers(&headers).map(|limit| limit.is_exhausted(now));
            }
        }
    }
}
