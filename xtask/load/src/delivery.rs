//! Deliveries of 2.4 kB, each of its own.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use aaa_types::ConsumerSecret;
use aaa_webhook::signature::Signature;
use jiff::Timestamp;

use crate::PATH;

/// A post as X delivers it, 2.4 kB.
const TEMPLATE: &str = include_str!("../../../benches/fixtures/post.json");

/// What is replaced in the template.
const ID: &str = "1050118621198921728";
const TIME: &str = "1539202764211";
const USER: &str = "3001969357";

/// How many users are subscribed.
const USERS: u64 = 1000;

/// The first of them, with as many digits as the one in the template.
const FIRST_USER: u64 = 3_001_969_000;

/// The first millisecond of X's identifiers.
const EPOCH: u64 = 1_288_834_974_657;

/// How many bits of an identifier stand behind its time.
const BITS: u32 = 22;

/// How many posts there are in a millisecond.
const PER_MILLISECOND: u64 = 4;

/// Gives out deliveries, never the same twice. Clones share what was given out.
#[derive(Debug, Clone)]
pub struct Deliveries {
    start: u64,
    next: Arc<AtomicU64>,
}

impl Deliveries {
    /// Begins with posts of this time; each is a little later than the one before.
    pub fn new(now: Timestamp) -> Self {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Self { start: millis.saturating_sub(EPOCH), next: Arc::default() }
    }

    /// Gives out the next one.
    pub fn next(&self) -> Delivery {
        let number = self.next.fetch_add(1, Relaxed);
        let time = self.start + number / PER_MILLISECOND;
        Delivery { id: time << BITS | number & ((1 << BITS) - 1) }
    }
}

/// A delivery of one post, which its identifier determines to the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Delivery {
    id: u64,
}

impl Delivery {
    /// Returns the delivery of a post.
    pub fn of(id: u64) -> Self {
        Self { id }
    }

    /// Returns the identifier of the post.
    pub fn id(self) -> u64 {
        self.id
    }

    /// Returns the raw body.
    pub fn body(self) -> Vec<u8> {
        let time = (self.id >> BITS) + EPOCH;
        let user = FIRST_USER + self.id % USERS;
        // The user stands first, and again as the author, who is nobody in particular.
        let body = TEMPLATE.replacen(USER, &user.to_string(), 1);
        body.replace(ID, &self.id.to_string()).replace(TIME, &time.to_string()).into_bytes()
    }

    /// Returns the whole request, signed.
    pub fn request(self, secret: &ConsumerSecret) -> Vec<u8> {
        request(&self.body(), secret)
    }
}

/// Returns the whole request that delivers any body, signed.
pub fn request(body: &[u8], secret: &ConsumerSecret) -> Vec<u8> {
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         x-twitter-webhooks-signature: {}\r\ncontent-length: {}\r\n\r\n",
        Signature::of(secret, body),
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use aaa_webhook::{app::App, delivery::Received, signature::HEADER};

    use super::*;

    #[test]
    fn each_is_a_delivery_of_its_own() {
        let now = "2026-11-22T08:00:00Z".parse().unwrap();
        let deliveries = Deliveries::new(now);
        let secret: ConsumerSecret = crate::SECRET.parse().unwrap();
        let app = App::new("app", secret.clone());
        let mut keys = HashSet::new();
        for _ in 0..5000 {
            let delivery = deliveries.next();
            let body = delivery.body();
            assert!((2300..2500).contains(&body.len()), "{}", body.len());
            let request = String::from_utf8(delivery.request(&secret)).unwrap();
            let signature = request.split(": ").nth(3).unwrap().lines().next().unwrap();
            let headers = [(HEADER, signature.parse().unwrap())].into_iter().collect();
            let verified =
                Received::new(body.into(), now).verify(&headers, std::slice::from_ref(&app));
            let verified = verified.unwrap();
            let [event] = verified.events() else { panic!("{verified:?}") };
            assert_eq!(event.identity().item().to_string(), delivery.id().to_string());
            let age = event.occurred_at().unwrap().duration_since(now).as_millis();
            assert!((0..=1250).contains(&age), "{age} ms");
            assert!(keys.insert(event.key()));
        }
    }
}
