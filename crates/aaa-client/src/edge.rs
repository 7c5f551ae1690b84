//! The clock and the source of randomness: the only impure lines outside the transport.

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
