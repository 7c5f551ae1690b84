//! `cargo xtask layers`: who may depend on whom.
//!
//! [`table`] is the rule. [`edges`] compares the manifests with it, [`sources`] looks for uses
//! that a manifest cannot show, and [`trees`] looks at what each crate really compiles with the
//! features it offers. [`licenses`] sees that each published crate carries its licenses.

use crate::{outcome::Failure, workspace::Workspace};

mod edges;
mod licenses;
mod sources;
mod table;
mod trees;

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(argument) = arguments.first() {
        return Err(Failure::Usage(format!("unexpected argument `{argument}`")));
    }
    check(&Workspace::load()?)
}

/// Checks the workspace and prints each violation.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    let violations = violations(workspace)?;
    for violation in &violations {
        println!("error: {violation}");
    }
    match violations.len() {
        0 => {
            println!("{} packages keep to their layers", workspace.members.len());
            Ok(())
        }
        1 => Err(Failure::Failed("the layers are broken in one place".to_owned())),
        many => Err(Failure::Failed(format!("the layers are broken in {many} places"))),
    }
}

fn violations(workspace: &Workspace) -> Result<Vec<String>, Failure> {
    let mut violations = edges::check(&workspace.members, table::ROWS);
    violations.extend(sources::check(workspace, table::ROWS)?);
    violations.extend(licenses::check(workspace));
    // One edge too many brings in a whole tree: what is compiled says something new only once
    // the edges are right.
    if violations.is_empty() {
        violations.extend(trees::check(workspace, table::ROWS)?);
    }
    Ok(violations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_keeps_to_its_layers() {
        let violations = violations(&Workspace::load().unwrap()).unwrap();
        assert!(violations.is_empty(), "{}", violations.join("\n"));
    }
}
