//! What must hold for any input from outside. Each module has one function, `check`, which takes
//! any bytes and panics when something does not hold.
//!
//! `cargo xtask fuzz` looks for bytes that break it; `cargo test` tries those under `corpus`. A
//! program of the same name tries the files it is given: `cargo run -p fuzz --bin delivery FILE`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "what does not hold must end the program"
)]

pub mod answer;
pub mod api_error;
pub mod authorization;
pub mod crc;
pub mod delivery;
pub mod source;

use std::{env, fs};

/// A check of any bytes.
pub type Check = fn(&[u8]);

/// Every check and its name, which is also that of its program and of its corpus.
pub const CHECKS: [(&str, Check); 6] = [
    ("answer", answer::check),
    ("api_error", api_error::check),
    ("authorization", authorization::check),
    ("crc", crc::check),
    ("delivery", delivery::check),
    ("source", source::check),
];

/// Makes the program of a check.
#[macro_export]
macro_rules! program {
    ($check:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| $check(bytes));

        #[cfg(not(fuzzing))]
        fn main() {
            $crate::try_files($check);
        }
    };
}

/// Tries the files named on the command line.
pub fn try_files(check: Check) {
    for path in env::args_os().skip(1) {
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        check(&bytes);
        eprintln!("{}: {} bytes, nothing wrong", path.display(), bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_corpus_holds() {
        for (name, check) in CHECKS {
            let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
            let mut tried = 0;
            for entry in fs::read_dir(&dir).unwrap() {
                let path = entry.unwrap().path();
                println!("{}", path.display());
                check(&fs::read(&path).unwrap());
                tried += 1;
            }
            assert!(tried >= 3, "{} has {tried} inputs", dir.display());
        }
    }
}
