//! `cargo xtask ci`: the gate. CI runs exactly this.
//!
//! The steps before the tests stop at the first that fails; the tests run to their end.

use crate::{
    cargo::{Cargo, step},
    layers, lint,
    outcome::{Counts, Failure},
    sim, test,
    workspace::{self, Member, Workspace},
};

/// How many random histories the gate runs: from so many on, a fault that never fires fails the run.
const HISTORIES: u64 = 300;

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<Counts, Failure> {
    let names = workspace::packages(arguments)?;
    let workspace = Workspace::load()?;
    let members = workspace.select(&names)?;
    before_tests(&workspace, &names, &members).map_err(|failure| match failure {
        Failure::Failed(problem) => {
            Failure::Failed(format!("{problem}; the gate stops here, before any test"))
        }
        usage => usage,
    })?;
    test::all(&workspace, &names)
}

fn before_tests(
    workspace: &Workspace,
    names: &[String],
    members: &[&Member],
) -> Result<(), Failure> {
    let everything = vec!["--all".to_owned()];
    let formatted = if names.is_empty() { everything } else { test::scope(names) };
    Cargo::new("fmt").args(formatted).args(["--", "--check"]).run(workspace)?;

    step(&"cargo xtask layers", || layers::check(workspace))?;

    for call in members.iter().flat_map(|member| lint::calls(member)) {
        call.run(workspace)?;
    }

    Cargo::new("doc --no-deps --all-features")
        .args(test::scope(names))
        .env("RUSTDOCFLAGS", "-D warnings")
        .run(workspace)?;

    // Hundreds of histories take minutes without optimization, so a release runs them.
    if members.iter().any(|member| member.name == "sim") {
        sim::histories(HISTORIES).run(workspace)?;
    }
    Ok(())
}
