//! `cargo xtask conformance --spec FILE`: the client's requests and the emulator's answers against
//! a description of the API.
//!
//! The work is done by a package of its own, since it needs what this one does without: the
//! layers. The description is X's and is not in this repository.

use std::path::Path;

use crate::{cargo::Cargo, outcome::Failure, workspace::Workspace};

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let [option, file] = arguments else {
        return Err(Failure::Usage("conformance wants `--spec FILE`, and nothing else".to_owned()));
    };
    if option != "--spec" {
        return Err(Failure::Usage(format!("`{option}` is not known; it is `--spec FILE`")));
    }
    // Cargo runs at the root of the workspace, whoever calls may be elsewhere.
    let file = std::path::absolute(Path::new(file))
        .map_err(|error| Failure::Usage(format!("`{file}`: {error}")))?;
    let file = file.to_string_lossy().into_owned();
    Cargo::new("run --quiet --package conformance --")
        .args(["--spec".to_owned(), file])
        .run(&Workspace::load()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_usage() {
        for words in ["", "--spec", "--file x", "--spec a b"] {
            let words: Vec<_> = words.split_whitespace().map(str::to_owned).collect();
            assert!(matches!(run(&words), Err(Failure::Usage(_))), "{words:?}");
        }
    }
}
