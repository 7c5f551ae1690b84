//! `cargo xtask ci`: the gate. CI runs exactly this.
//!
//! The steps before the tests stop at the first that fails; the tests run to their end.

use crate::{
    cargo::{Cargo, step},
    layers, lint,
    outcome::{Counts, Failure},
    test,
    workspace::{self, Workspace},
};

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<Counts, Failure> {
    let names = workspace::packages(arguments)?;
    let workspace = Workspace::load()?;
    let members = workspace.select(&names)?;

    let formatted = Cargo::new("fmt");
    let formatted = if names.is_empty() {
        formatted.args(["--all"])
    } else {
        formatted.args(test::scope(&names))
    };
    formatted.args(["--", "--check"]).run(&workspace)?;

    step(&"cargo xtask layers", || layers::check(&workspace))?;

    for member in members {
        for call in lint::calls(member) {
            call.run(&workspace)?;
        }
    }

    Cargo::new("doc --no-deps --all-features")
        .args(test::scope(&names))
        .env("RUSTDOCFLAGS", "-D warnings")
        .run(&workspace)?;

    test::all(&workspace, &names)
}
