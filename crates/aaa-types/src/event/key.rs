use std::{fmt, str::FromStr};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::ItemIdentity;

/// The key of an event in a store: 16 bytes, the event's time first.
///
/// The format is fixed:
///
/// * bytes 0–3: the event's own time in whole seconds since 1970, big-endian, 0 without one.
///   Time first keeps an index local: new keys go to its end.
/// * bytes 4–15: the first 12 bytes of a SHA-256 over `aaa-event-key-1` and a zero byte, then
///   app, `for_user_id`, kind and item identity in their text forms, each behind its length in
///   bytes as four bytes, big-endian.
///
/// Nothing of how a delivery was grouped, ordered or formatted goes into it.
///
/// # Examples
///
/// ```
/// use aaa_types::event::Body;
///
/// let one = Body::parse(br#"{"for_user_id":"7","favorite_events":[{"id":"a1"},{"id":"b2"}]}"#)?;
/// let two = Body::parse(br#"{ "favorite_events": [ {"id": "b2"} ], "for_user_id": "7" }"#)?;
/// let key = |event: &aaa_types::event::RawEvent<'_>| event.identity().key("app", event.occurred_at());
/// assert_eq!(key(&one.events()[1]), key(&two.events()[0]));
/// # Ok::<(), aaa_types::event::BodyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey([u8; 16]);

impl EventKey {
    pub(super) fn new(
        app: &str,
        for_user_id: &str,
        kind: &str,
        item: &ItemIdentity,
        occurred_at: Option<Timestamp>,
    ) -> Self {
        let seconds = occurred_at.map_or(0, |time| u32::try_from(time.as_second()).unwrap_or(0));
        let mut hash = Sha256::new_with_prefix(b"aaa-event-key-1\0");
        for part in [app, for_user_id, kind, &item.text()] {
            // A part is shorter than the body it came from, and that is bounded far below this.
            hash.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut key = [0; 16];
        let hash = hash.finalize();
        let bytes = seconds.to_be_bytes().into_iter().chain(hash);
        key.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        Self(key)
    }

    /// Returns the key's bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Returns the event's own time to the second; `None` for kinds without one.
    pub fn occurred_at(&self) -> Option<Timestamp> {
        let [a, b, c, d, ..] = self.0;
        let seconds = u32::from_be_bytes([a, b, c, d]);
        (seconds != 0).then(|| Timestamp::from_second(i64::from(seconds)).ok()).flatten()
    }
}

impl From<[u8; 16]> for EventKey {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for EventKey {
    type Error = EventKeyError;

    fn try_from(bytes: &[u8]) -> Result<Self, EventKeyError> {
        bytes.try_into().map(Self).map_err(|_| EventKeyError)
    }
}

impl FromStr for EventKey {
    type Err = EventKeyError;

    /// Reads the 32 hex digits that `Display` writes.
    fn from_str(text: &str) -> Result<Self, EventKeyError> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(EventKeyError);
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| EventKeyError)?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventKey({self})")
    }
}

/// Bytes or a text are not an event key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an event key: expected 16 bytes, or 32 hex digits")]
pub struct EventKeyError;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::EventIdentity;

    fn key(app: &str, user: &str, kind: &str, item: &str) -> EventKey {
        let time = "2018-03-26T16:33:26Z".parse().unwrap();
        EventIdentity::new(Some(user), kind, ItemIdentity::Named(item.into())).key(app, Some(time))
    }

    #[test]
    fn the_format_is_fixed() {
        let key = key("app", "7", "favorite_events", "a7ba59eab0bfcba386f7acedac279542");
        insta::assert_snapshot!(key, @"5ab920d6c0ac801ecaecec82cac37a37");
        assert_eq!(key.occurred_at().unwrap().to_string(), "2018-03-26T16:33:26Z");
    }

    #[test]
    fn a_part_cannot_flow_into_the_next() {
        assert_ne!(key("a", "b", "k", "i"), key("ab", "", "k", "i"));
        assert_ne!(key("a", "7", "k", "i"), key("a", "7", "ki", ""));
    }

    #[test]
    fn times_before_1970_and_after_2106_count_as_none() {
        for time in ["1969-12-31T23:59:59Z", "2107-01-01T00:00:00Z"] {
            let item = ItemIdentity::Named("x".into());
            let key = EventKey::new("a", "7", "k", &item, Some(time.parse().unwrap()));
            assert_eq!(key.occurred_at(), None);
        }
    }

    #[test]
    fn a_text_has_32_hex_digits_and_nothing_else() {
        let zeros = |n: usize| "0".repeat(n);
        for bad in [zeros(0), zeros(31), zeros(33), "g".repeat(32), format!("+{}", zeros(31))] {
            assert_eq!(bad.parse::<EventKey>(), Err(EventKeyError), "{bad}");
        }
        assert_eq!(zeros(32).parse(), Ok(EventKey::from([0; 16])));
    }

    proptest! {
        #[test]
        fn text_and_bytes_round_trip(bytes: [u8; 16]) {
            let key = EventKey::from(bytes);
            prop_assert_eq!(key.to_string().parse::<EventKey>().unwrap(), key);
            prop_assert_eq!(EventKey::try_from(key.as_bytes().as_slice()).unwrap(), key);
        }

        #[test]
        fn order_is_by_time(a in 1..4_000_000_000_i64, b in 1..4_000_000_000_i64) {
            let at = |seconds| {
                let item = ItemIdentity::from_bytes(b"x");
                EventKey::new("a", "7", "k", &item, Timestamp::from_second(seconds).ok())
            };
            prop_assert_eq!(at(a).cmp(&at(b)), a.cmp(&b));
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".*") {
            let _ = text.parse::<EventKey>();
        }
    }
}
