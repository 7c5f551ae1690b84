//! `cargo xtask sim`: receiver, store, replay engine and emulator in one thread, on a fake clock,
//! through random histories.
//!
//! The work is done by a package of its own, since it needs what this one does without: the
//! layers. It runs as a release, since thousands of histories are wanted.

use crate::{cargo::Cargo, outcome::Failure, workspace::Workspace};

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    check(arguments)?;
    let workspace = Workspace::load()?;
    simulator().args(arguments).run(&workspace)
}

/// Returns the call that runs so many histories.
pub(crate) fn histories(seeds: u64) -> Cargo {
    simulator().args(["--seeds".to_owned(), seeds.to_string()])
}

fn simulator() -> Cargo {
    Cargo::new("run --quiet --release --package sim --bin sim --")
}

fn check(arguments: &[String]) -> Result<(), Failure> {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let least = match word.as_str() {
            "--sqlite" | "--control" | "--json" | "--verbose" => continue,
            "--seeds" => 1,
            "--seed" => 0,
            other => return Err(Failure::Usage(format!("unexpected argument `{other}`"))),
        };
        let number = words.next().and_then(|number| number.parse::<u64>().ok());
        if number.is_none_or(|number| number < least) {
            return Err(Failure::Usage(format!("`{word}` needs a number")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked() {
        let check = |line: &str| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            check(&words)
        };
        for good in ["", "--seeds 3 --seed 0 --json", "--control", "--seed 4 --sqlite --verbose"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["--seeds", "--seeds 0", "--seeds x", "--seed", "--seed -1", "x"] {
            assert!(matches!(check(bad), Err(Failure::Usage(_))), "{bad}");
        }
    }
}
