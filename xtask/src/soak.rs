//! `cargo xtask soak`: ten minutes of load with things going wrong, and a picture of what it took.
//!
//! The work is done by a package of its own, since it needs what this one does without: the
//! layers. What is loaded is the `aaa` that people run: a release.

use crate::{cargo::Cargo, outcome::Failure, workspace::Workspace};

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let control = check(arguments)?;
    let workspace = Workspace::load()?;
    // The control is a program of the crash tests.
    let (package, program) = if control { ("crash", "hasty") } else { ("aaa-cli", "aaa") };
    Cargo::new("build --quiet --release --package").args([package]).run(&workspace)?;
    let program = workspace.target.join("release").join(program);
    Cargo::new("run --quiet --release --package soak --bin soak --")
        .args(["--program".to_owned(), program.to_string_lossy().into_owned()])
        .args(arguments)
        .run(&workspace)
}

/// Says whether a control is wanted.
fn check(arguments: &[String]) -> Result<bool, Failure> {
    let mut control = false;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let least = match word.as_str() {
            "--control" => {
                control = true;
                continue;
            }
            "--svg" if words.next().is_some() => continue,
            "--svg" => return Err(Failure::Usage("`--svg` needs a file".to_owned())),
            "--seconds" | "--rate" | "--stops" => 1,
            "--seed" => 0,
            other => return Err(Failure::Usage(format!("unexpected argument `{other}`"))),
        };
        let number = words.next().and_then(|number| number.parse::<u64>().ok());
        if number.is_none_or(|number| number < least) {
            return Err(Failure::Usage(format!("`{word}` needs a number")));
        }
    }
    Ok(control)
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
        assert!(!check("--seconds 20 --rate 100 --stops 2 --seed 0 --svg x.svg").unwrap());
        assert!(check("--control").unwrap());
        for bad in ["--svg", "--seconds 0", "--rate x", "--stops", "--seed -1", "x"] {
            assert!(matches!(check(bad), Err(Failure::Usage(_))), "{bad}");
        }
    }
}
