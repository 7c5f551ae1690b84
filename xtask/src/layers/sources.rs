//! Looks in the sources for what the manifests cannot show.

use std::path::Path;

use crate::{
    layers::table::Row,
    outcome::Failure,
    workspace::{self, Member, Workspace},
};

/// Returns a sentence for each file that reaches beyond its layer.
pub(crate) fn check(workspace: &Workspace, rows: &[Row]) -> Result<Vec<String>, Failure> {
    let mut violations = Vec::new();
    for member in &workspace.members {
        let test_only = test_only(member);
        let no_clock = rows.iter().any(|row| row.name == member.name && row.no_clock);
        for dir in ["src", "examples", "benches"] {
            for (path, text) in workspace::rust_files(&member.dir.join(dir))? {
                let path = path.strip_prefix(&workspace.root).unwrap_or(&path);
                violations.extend(judge(path, &text, &test_only, no_clock));
            }
        }
    }
    Ok(violations)
}

/// Returns the names, as Rust code spells them, of the packages of this workspace that only the
/// tests of a package depend on.
fn test_only(member: &Member) -> Vec<String> {
    let inside = member.dependencies.iter().filter(|edge| edge.local);
    let (dev, normal): (Vec<_>, Vec<_>) = inside.partition(|edge| edge.dev);
    dev.iter()
        // A package may depend on itself, for a feature that its tests need.
        .filter(|edge| edge.name != member.name)
        .filter(|edge| normal.iter().all(|other| other.name != edge.name))
        .map(|edge| edge.name.replace('-', "_"))
        .collect()
}

fn judge(path: &Path, text: &str, test_only: &[String], no_clock: bool) -> Vec<String> {
    let path = path.display();
    let mut violations = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for name in test_only.iter().filter(|name| mentions(line, name)) {
            violations.push(format!(
                "{path}:{number}: `{name}` is a dev-dependency of this workspace and may be used \
                 from tests/it only: move the test there"
            ));
        }
        if no_clock && line.contains("clippy::disallowed_methods") {
            violations.push(format!(
                "{path}:{number}: this crate reads no clock: take `now` as an argument"
            ));
        }
    }
    violations
}

/// Says whether a line uses a crate: its name, by itself and not as part of a longer one, where a
/// path begins or an item is imported. A sentence may have the same word.
fn mentions(line: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| {
        let (before, rest) = line.split_at(at);
        let after = rest.strip_prefix(name).unwrap_or_default();
        let is_whole = !before.ends_with(is_word) && !after.starts_with(is_word);
        let is_used = after.starts_with("::")
            || ["use ", "use ::", "extern crate "].iter().any(|word| before.ends_with(word));
        is_whole && is_used
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    #[test]
    fn a_dev_dependency_in_the_sources_is_found() {
        let names = ["aaa_emulator".to_owned()];
        let judged = |text: &str| judge(Path::new("src/a.rs"), text, &names, false);
        for bad in [
            "use aaa_emulator::World;",
            "    let world = ::aaa_emulator::World::new();",
            "//! use aaa_emulator as e;",
            "extern crate aaa_emulator;",
        ] {
            let violations = judged(&format!("//! Doc.\n{bad}\n"));
            assert!(violations[0].starts_with("src/a.rs:2: `aaa_emulator`"), "{violations:?}");
        }
        for good in [
            "use aaa_emulator_extra::X;",
            "// `aaa-emulator` is the other side",
            "// An aaa_emulator is a word as well.",
        ] {
            assert!(judged(good).is_empty(), "{good}");
        }
    }

    #[test]
    fn a_clock_in_a_pure_crate_is_found() {
        let text = "#[expect(clippy::disallowed_methods, reason = \"an edge\")]\n";
        assert_eq!(judge(Path::new("src/a.rs"), text, &[], true).len(), 1);
        assert!(judge(Path::new("src/a.rs"), text, &[], false).is_empty());
    }

    #[test]
    fn what_is_also_a_normal_dependency_is_not_test_only() {
        let edge = |name: &str, dev: bool, local: bool| Dependency {
            name: name.to_owned(),
            dev,
            optional: false,
            versioned: !local,
            local,
        };
        let member = Member {
            name: "aaa-client".to_owned(),
            dir: "/nowhere".into(),
            has_lib: true,
            published: true,
            features: Default::default(),
            dependencies: vec![
                edge("aaa-emulator", true, true),
                edge("aaa-client", true, true),
                edge("aaa-types", true, true),
                edge("aaa-types", false, true),
                edge("proptest", true, false),
            ],
        };
        assert_eq!(test_only(&member), ["aaa_emulator"]);
    }
}
