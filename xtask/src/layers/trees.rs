//! Looks at what each crate compiles, with the features resolved for it alone.

use crate::{
    cargo::Cargo,
    layers::table::{Row, Tree},
    outcome::Failure,
    workspace::Workspace,
};

/// Returns a sentence for each package that is compiled where it must not be.
pub(crate) fn check(workspace: &Workspace, rows: &[Row]) -> Result<Vec<String>, Failure> {
    let mut violations = Vec::new();
    for row in rows {
        if workspace.members.iter().all(|member| member.name != row.name) {
            continue;
        }
        for tree in row.trees {
            let listing = Cargo::new("tree --locked --edges no-dev --prefix none --format {p}")
                .args(["--package", row.name, tree.features])
                .output(workspace)?;
            violations.extend(judge(row.name, tree, &listing));
        }
    }
    Ok(violations)
}

fn judge(name: &str, tree: &Tree, listing: &str) -> Vec<String> {
    let compiled =
        |absent: &str| listing.lines().any(|line| line.split_whitespace().next() == Some(absent));
    let features = tree.features;
    let found = tree.absent.iter().filter(|absent| compiled(absent));
    let sentence = |absent| {
        format!(
            "{name} with {features} compiles {absent}, and must not; who brings it in: \
             `cargo tree -e no-dev -p {name} {features} -i {absent}`"
        )
    };
    found.map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_found_by_its_whole_name() {
        let tree = Tree { features: "--all-features", absent: &["axum", "reqwest"] };
        let listing =
            "aaa-client v0.1.0 (/src)\nreqwest v0.13.5\naxum-core v0.5.0\n\nurl v2.5.8 (*)\n";
        let violations = judge("aaa-client", &tree, listing);
        assert_eq!(violations.len(), 1);
        assert!(violations[0].starts_with("aaa-client with --all-features compiles reqwest"));
    }

    #[test]
    fn features_are_resolved_for_the_package_alone() {
        let workspace = Workspace::load().unwrap();
        // The command line enables the client's transport; its core alone must not see that.
        let row = |features| Row {
            name: "aaa-client",
            may_use: &[],
            optional: &[],
            no_clock: false,
            trees: features,
        };
        let core = row(&[Tree { features: "--no-default-features", absent: &["reqwest"] }]);
        assert_eq!(check(&workspace, &[core]).unwrap(), [] as [String; 0]);
        let all = row(&[Tree { features: "--all-features", absent: &["reqwest"] }]);
        assert_eq!(check(&workspace, &[all]).unwrap().len(), 1);
    }
}
