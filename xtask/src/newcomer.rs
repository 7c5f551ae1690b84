//! `cargo xtask newcomer`: does what somebody does who has found this project, in a fresh clone of
//! what is committed, with nothing built before: the two commands of the README, the installation,
//! and then every command of the README and of the first guide with the program that was installed.

use std::{fs, path::Path, process::Command};

use crate::{
    cargo::{Cargo, step},
    outcome::Failure,
    workspace::Workspace,
};

/// Whoever follows the documents: a test of `aaa-cli`, which runs the blocks of all of them.
const FOLLOW: &str = "test --quiet --package aaa-cli --test it -- documents::";

/// Which program it takes for `aaa`.
const PROGRAM: &str = "AAA_PROGRAM";

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let tests = match arguments {
        [] => true,
        [only] if only == "--no-tests" => false,
        _ => return Err(Failure::Usage("`newcomer` takes `--no-tests` or nothing".to_owned())),
    };
    let workspace = Workspace::load()?;
    let place = workspace.target.join("newcomer");
    if place.exists() {
        fs::remove_dir_all(&place).map_err(|error| unusable(&place, &error))?;
    }
    fs::create_dir_all(&place).map_err(|error| unusable(&place, &error))?;
    let clone = place.join("aaa");
    git(&["clone", "--quiet", "--no-hardlinks"], &workspace.root, &clone)?;
    let cargo = |words: &str| {
        // It builds where somebody's clone does, whatever is set here.
        Cargo::new(words).env("CARGO_TARGET_DIR", clone.join("target").to_string_lossy())
    };
    let there = Workspace { root: clone.clone(), ..Workspace::load()? };

    cargo("run -- demo").run(&there)?;
    let installed = place.join("installed");
    cargo("install --locked --path crates/aaa-cli --profile dist --root")
        .args([installed.to_string_lossy()])
        .run(&there)?;
    let program = installed.join("bin").join("aaa");
    cargo(FOLLOW).env(PROGRAM, program.to_string_lossy()).run(&there)?;
    if tests {
        cargo("xtask test").run(&there)?;
    }
    let bytes = fs::metadata(&program).map_err(|error| unusable(&program, &error))?.len();
    println!("the program that was installed has {bytes} bytes");
    fs::remove_dir_all(&place).map_err(|error| unusable(&place, &error))
}

fn git(arguments: &[&str], from: &Path, to: &Path) -> Result<(), Failure> {
    let mut command = Command::new("git");
    command.args(arguments).arg(from).arg(to);
    let line = format!("git {} {} {}", arguments.join(" "), from.display(), to.display());
    step(&line, || match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Failed(format!("`{line}` failed ({status})"))),
        Err(error) => Err(Failure::Failed(format!("cannot start git: {error}"))),
    })
}

fn unusable(path: &Path, problem: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(format!("cannot use {}: {problem}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_argument_is_known() {
        for bad in [&["--tests"][..], &["--no-tests", "x"]] {
            let words: Vec<_> = bad.iter().map(|word| (*word).to_owned()).collect();
            assert!(matches!(run(&words), Err(Failure::Usage(_))), "{bad:?}");
        }
    }

    /// The test that follows the documents takes the program from the same variable.
    #[test]
    fn the_documents_are_followed_with_that_program() {
        let shell = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../crates/aaa-cli/tests/it/documents/shell.rs");
        assert!(fs::read_to_string(shell).unwrap().contains(&format!("\"{PROGRAM}\"")));
    }
}
