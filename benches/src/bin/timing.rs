//! `timing [GUESSES]`, as `cargo xtask bench timing` calls it: prints Welch's t of the receiver's
//! verification and of one that stops at the first wrong byte. Ends with 1 when the first is far from
//! zero, or the second near it, which would mean that nothing can be seen on this machine.

#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

use std::{env, error::Error, process::ExitCode};

use aaa_types::ConsumerSecret;
use benches::timing::{EarlyExit, Ours, welch_t};

const GUESSES: usize = 2_000_000;

/// Beyond this, chance is no explanation; the order of measurements and the state of caches leave a
/// little more than chance does.
const SEEN: f64 = 10.0;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let guesses = env::args().nth(1).map_or(Ok(GUESSES), |text| text.parse())?;
    let secret: ConsumerSecret = "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw".parse()?;
    // The shorter, the less else there is to measure.
    let body = b"{}";
    let ours = welch_t(&Ours::new(secret.clone(), body), &secret, body, guesses, 42)?;
    let control = welch_t(&EarlyExit::new(secret.clone(), body), &secret, body, guesses, 42)?;
    let good = ours.abs() < SEEN && control > SEEN;
    println!("what                                Welch's t  goal");
    println!("verifying a signature               {ours:>9.1}  within {SEEN} of 0");
    println!("control: stops at the first byte    {control:>9.1}  above {SEEN}");
    println!("{guesses} guesses each: {}", if good { "good" } else { "NOT GOOD" });
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
