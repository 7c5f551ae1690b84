//! `cargo xtask reference`: writes `docs/REFERENCE.md` from the command line itself.
//!
//! The binary prints it, so that nothing here depends on the crates. Whether the file is fresh is
//! a test of `aaa-cli`, and so a part of the gate.

use std::fs;

use crate::{cargo::Cargo, outcome::Failure, workspace::Workspace};

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(argument) = arguments.first() {
        return Err(Failure::Usage(format!("`reference` takes no `{argument}`")));
    }
    let workspace = Workspace::load()?;
    let text =
        Cargo::new("run --quiet -p aaa-cli --bin aaa -- man --markdown").output(&workspace)?;
    let file = workspace.root.join("docs").join("REFERENCE.md");
    let failed = |error| Failure::Failed(format!("could not write {}: {error}", file.display()));
    fs::write(&file, text).map_err(failed)?;
    println!("{} is fresh", file.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_usage() {
        assert!(matches!(run(&["--check".to_owned()]), Err(Failure::Usage(_))));
    }
}
