//! `cargo xtask crash`: receivers that are killed at random moments must have kept what they
//! acknowledged.
//!
//! The work is done by a package of its own, since it needs what this one does without: the
//! layers. What is killed is the `aaa` that people run: a release.

use crate::{cargo::Cargo, outcome::Failure, workspace::Workspace};

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let options = Options::parse(arguments)?;
    let workspace = Workspace::load()?;
    // The control is a program of the same package.
    let (package, program) = if options.control { ("crash", "hasty") } else { ("aaa-cli", "aaa") };
    Cargo::new("build --quiet --release --package").args([package]).run(&workspace)?;
    let program = workspace.target.join("release").join(program);
    Cargo::new("run --quiet --release --package crash --bin crash --")
        .args(["--program".to_owned(), program.to_string_lossy().into_owned()])
        .args(options.rest)
        .run(&workspace)
}

#[derive(Debug, PartialEq, Eq)]
struct Options {
    control: bool,
    /// What is handed on.
    rest: Vec<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut control = false;
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let least = match word.as_str() {
                "--control" => {
                    control = true;
                    continue;
                }
                "--rounds" => 1,
                "--seed" => 0,
                other => return Err(Failure::Usage(format!("unexpected argument `{other}`"))),
            };
            let number = words.next().and_then(|number| number.parse::<u64>().ok());
            if number.is_none_or(|number| number < least) {
                return Err(Failure::Usage(format!("`{word}` needs a number")));
            }
        }
        Ok(Self { control, rest: arguments.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_are_checked_and_handed_on() {
        let line = "--rounds 3 --seed 0 --control";
        let expected = Options { control: true, rest: words(line) };
        assert_eq!(Options::parse(&words(line)).unwrap(), expected);
        assert!(!Options::parse(&[]).unwrap().control);
        for bad in ["--rounds", "--rounds 0", "--rounds x", "--seed", "--seed -1", "x"] {
            assert!(matches!(Options::parse(&words(bad)), Err(Failure::Usage(_))), "{bad}");
        }
    }
}
