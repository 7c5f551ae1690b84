//! Whether the time of a comparison tells how much of a guess was right.
//!
//! Whoever guesses a signature byte by byte looks for guesses that take a little longer. So two
//! classes of guesses are measured, in random order: wrong from the first byte on, and wrong in the
//! last byte only. Welch's t says how far their mean times are apart, in units of what chance makes of
//! it: a constant-time comparison stays near zero, however many guesses there are, while that of one
//! that stops early grows with their square root.

use std::{hint::black_box, time::Instant};

use aaa_types::ConsumerSecret;
use aaa_webhook::signature::Signature;
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::digest::InvalidLength;

use crate::signature::hmac_sha256;

/// The share of the slowest measurements that is left out: interruptions, not comparisons.
const OUTLIERS: f64 = 0.1;

/// What verifies a guess.
pub trait Subject {
    /// A guess as it is verified.
    type Guess;

    /// Makes a guess; that takes no part of the time.
    fn guess(&self, bytes: [u8; 32]) -> Self::Guess;

    /// Verifies a guess.
    fn verify(&self, guess: &Self::Guess) -> bool;
}

/// The verification that the receiver uses.
#[derive(Debug)]
pub struct Ours {
    secret: ConsumerSecret,
    body: Vec<u8>,
}

/// The control: the same code, compared byte by byte until one differs.
#[derive(Debug)]
pub struct EarlyExit {
    secret: ConsumerSecret,
    body: Vec<u8>,
}

impl Ours {
    /// Creates it for deliveries of a body.
    pub fn new(secret: ConsumerSecret, body: &[u8]) -> Self {
        Self { secret, body: body.to_vec() }
    }
}

impl EarlyExit {
    /// Creates it for deliveries of a body.
    pub fn new(secret: ConsumerSecret, body: &[u8]) -> Self {
        Self { secret, body: body.to_vec() }
    }
}

impl Subject for Ours {
    type Guess = Option<Signature>;

    fn guess(&self, bytes: [u8; 32]) -> Self::Guess {
        Signature::parse(&format!("sha256={}", STANDARD.encode(bytes))).ok()
    }

    fn verify(&self, guess: &Self::Guess) -> bool {
        guess.as_ref().is_some_and(|guess| guess.verifies(&self.secret, &self.body))
    }
}

impl Subject for EarlyExit {
    type Guess = [u8; 32];

    fn guess(&self, bytes: [u8; 32]) -> [u8; 32] {
        bytes
    }

    fn verify(&self, guess: &[u8; 32]) -> bool {
        let Ok(right) = hmac_sha256(self.secret.expose().as_bytes(), &self.body) else {
            return false;
        };
        // Told apart one by one, or the compiler would compare them all at once.
        right.iter().zip(guess).all(|(right, guess)| black_box(right) == black_box(guess))
    }
}

/// Measures a subject with so many guesses, and returns Welch's t: above zero when a guess that is
/// nearly right takes longer.
///
/// # Errors
///
/// Never fails: the key may have any length.
pub fn welch_t(
    subject: &impl Subject,
    secret: &ConsumerSecret,
    body: &[u8],
    guesses: usize,
    seed: u64,
) -> Result<f64, InvalidLength> {
    let right = hmac_sha256(secret.expose().as_bytes(), body)?;
    let flipped = |at: usize| {
        let mut guess = right;
        if let Some(byte) = guess.get_mut(at) {
            *byte ^= 0x55;
        }
        subject.guess(guess)
    };
    let classes = [flipped(0), flipped(31)];
    let mut times = [Vec::with_capacity(guesses / 2 + 1), Vec::with_capacity(guesses / 2 + 1)];
    let mut random = seed | 1;
    for _ in 0..guesses {
        // xorshift: which class comes next must not follow anything.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let class = usize::from(random.count_ones() % 2 == 1);
        let (Some(guess), Some(times)) = (classes.get(class), times.get_mut(class)) else {
            continue;
        };
        times.push(time(|| subject.verify(black_box(guess))));
    }
    let [early, late] = times.map(cropped);
    Ok((late.mean - early.mean) / (late.error + early.error).sqrt())
}

#[expect(clippy::disallowed_methods, reason = "a time is what is wanted")]
fn time(verify: impl FnOnce() -> bool) -> f64 {
    let begun = Instant::now();
    black_box(verify());
    begun.elapsed().as_secs_f64()
}

struct Sample {
    mean: f64,
    /// The square of the standard error of the mean.
    error: f64,
}

fn cropped(mut times: Vec<f64>) -> Sample {
    times.sort_by(f64::total_cmp);
    let kept = times.len() as f64 * (1.0 - OUTLIERS);
    times.truncate(kept as usize);
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
    Sample { mean, error: variance / count }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_take_what_is_right_and_nothing_else() {
        let secret: ConsumerSecret = "secret".parse().unwrap();
        let right = hmac_sha256(b"secret", b"{}").unwrap();
        let mut wrong = right;
        wrong[31] ^= 1;
        let (ours, control) = (Ours::new(secret.clone(), b"{}"), EarlyExit::new(secret, b"{}"));
        assert!(ours.verify(&ours.guess(right)) && control.verify(&right));
        assert!(!ours.verify(&ours.guess(wrong)) && !control.verify(&wrong));
    }

    #[test]
    fn a_sample_without_its_slowest() {
        let sample = cropped((1..=10).map(f64::from).collect());
        assert!((sample.mean - 5.0).abs() < 1e-9, "{}", sample.mean);
    }
}
