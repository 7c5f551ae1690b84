//! The clock and the source of randomness: the only impure lines outside the transport.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Reads the clock.
#[expect(clippy::disallowed_methods, reason = "the edge: signatures need the time")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Makes a nonce: 128 random bits in hexadecimal.
///
/// `None` if the operating system has no randomness to give.
pub(crate) fn nonce() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Draws a number. Without randomness it is always the same: a pause is no secret.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_be_bytes(bytes),
        Err(_) => 0,
    }
}

/// Measures how long a call takes.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "the edge: spans tell how long a call took")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nonces_differ() {
        let nonces: HashSet<_> = (0..1000).map(|_| nonce().unwrap()).collect();
        assert_eq!(nonces.len(), 1000);
        assert!(nonces.iter().all(|nonce| nonce.len() == 32));
    }
}
