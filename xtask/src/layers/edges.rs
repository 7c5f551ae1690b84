//! Compares the dependencies that the manifests declare with the table.

use crate::{
    layers::table::Row,
    workspace::{Dependency, Member},
};

/// Returns a sentence for each dependency that the table does not allow.
pub(crate) fn check(members: &[Member], rows: &[Row]) -> Vec<String> {
    let mut violations = Vec::new();
    for member in members {
        let Some(row) = rows.iter().find(|row| row.name == member.name) else {
            violations.push(format!(
                "{} is in no layer: give it a row in xtask/src/layers/table.rs, and in \
                 ARCHITECTURE.md",
                member.name
            ));
            continue;
        };
        let inside = member
            .dependencies
            .iter()
            .filter(|edge| edge.local || members.iter().any(|other| other.name == edge.name));
        violations.extend(inside.filter_map(|edge| judge(member, row, edge)));
    }
    violations
}

fn judge(member: &Member, row: &Row, edge: &Dependency) -> Option<String> {
    let (from, to) = (&member.name, &edge.name);
    if edge.dev {
        return (edge.versioned || !edge.local).then(|| {
            format!(
                "{from} -> {to} (dev) asks for a version, which makes packaging circular: \
                 write `{to} = {{ path = \"../{to}\" }}` under [dev-dependencies]"
            )
        });
    }
    if !row.may_use.contains(&to.as_str()) {
        let allowed = match row.may_use {
            [] => "nothing of this workspace".to_owned(),
            names => names.join(", "),
        };
        return Some(format!(
            "{from} -> {to} is not an edge of the layers; {from} may use {allowed}. Move the \
             code to a layer that may see both, or hand in what is needed as an argument or a \
             trait; for tests only, make it a dev-dependency by path"
        ));
    }
    if row.optional.contains(&to.as_str()) && !edge.optional {
        return Some(format!(
            "{from} -> {to} must be optional: put `optional = true` and enable it by a feature"
        ));
    }
    if member.published && !edge.versioned {
        return Some(format!(
            "{from} -> {to} has no version, and {from} is published: write \
             `{to}.workspace = true`"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::table::ROWS;

    fn edge(name: &str) -> Dependency {
        Dependency {
            name: name.to_owned(),
            dev: false,
            optional: false,
            versioned: true,
            local: true,
        }
    }

    fn dev(name: &str) -> Dependency {
        Dependency { dev: true, versioned: false, ..edge(name) }
    }

    fn violations(name: &str, dependencies: Vec<Dependency>) -> Vec<String> {
        let member = |name: &str, dependencies| Member {
            name: name.to_owned(),
            dir: "/nowhere".into(),
            has_lib: true,
            published: true,
            features: Default::default(),
            dependencies,
        };
        let others = ROWS.iter().filter(|row| row.name != name);
        let mut members: Vec<Member> = others.map(|row| member(row.name, Vec::new())).collect();
        members.push(member(name, dependencies));
        check(&members, ROWS)
    }

    #[track_caller]
    fn only(violations: Vec<String>, words: &[&str]) {
        let [violation] = violations.as_slice() else { panic!("{violations:?}") };
        for word in words {
            assert!(violation.contains(word), "`{word}` is not in: {violation}");
        }
    }

    #[test]
    fn allowed_edges_pass() {
        let foreign = Dependency { local: false, ..edge("serde") };
        let none: [String; 0] = [];
        assert_eq!(violations("aaa-types", vec![foreign]), none);
        assert_eq!(violations("aaa-client", vec![edge("aaa-auth"), dev("aaa-emulator")]), none);
        assert_eq!(violations("examples", vec![edge("aaa-emulator")]), none);
        let optional = Dependency { optional: true, ..edge("aaa-client") };
        assert_eq!(violations("aaa-replay", vec![optional]), none);
    }

    #[test]
    fn a_forbidden_edge_is_named_with_what_is_allowed() {
        only(
            violations("aaa-webhook", vec![edge("aaa-types"), edge("aaa-client")]),
            &["aaa-webhook -> aaa-client", "may use aaa-types."],
        );
        only(violations("aaa-types", vec![edge("aaa-auth")]), &["nothing of this workspace"]);
        only(violations("aaa-store", vec![edge("aaa-emulator")]), &["aaa-store -> aaa-emulator"]);
        // Being optional makes no edge allowed.
        let optional = Dependency { optional: true, ..edge("aaa-webhook") };
        only(violations("aaa-client", vec![optional]), &["aaa-client -> aaa-webhook"]);
        // Nor does a path to somewhere outside the table.
        only(violations("aaa-cli", vec![edge("helpers")]), &["aaa-cli -> helpers"]);
    }

    #[test]
    fn an_edge_that_must_be_optional() {
        only(violations("aaa-replay", vec![edge("aaa-client")]), &["must be optional"]);
    }

    #[test]
    fn versions() {
        let versioned = Dependency { versioned: true, ..dev("aaa-emulator") };
        only(violations("aaa-client", vec![versioned]), &["aaa-client -> aaa-emulator (dev)"]);
        let bare = Dependency { versioned: false, ..edge("aaa-types") };
        only(violations("aaa-auth", vec![bare]), &["aaa-auth -> aaa-types has no version"]);
    }

    #[test]
    fn an_unknown_package() {
        only(violations("aaa-extra", Vec::new()), &["aaa-extra is in no layer"]);
    }
}
