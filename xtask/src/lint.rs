//! Which calls of clippy the gate makes.
//!
//! In one call for the whole workspace, cargo would unify the features: a crate could lean on
//! what another one enables. So each package is checked alone, in each of its distinct sets of
//! features. The library alone comes first: the features of dev-dependencies are not there to
//! help, as they are not there for the people who use it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{cargo::Cargo, workspace::Member};

/// Returns the calls for one package.
pub(crate) fn calls(member: &Member) -> Vec<Cargo> {
    let sets = distinct_sets(&member.features);
    let mut calls = Vec::new();
    if member.has_lib {
        calls.extend(sets.iter().map(|flag| clippy(&member.name, "--lib", flag)));
    }
    // Tests may lean on the default features, so without them only the library is checked.
    let whole = sets.iter().filter(|flag| **flag != NONE);
    calls.extend(whole.map(|flag| clippy(&member.name, "--all-targets", flag)));
    calls
}

const NONE: &str = "--no-default-features";
const ALL: &str = "--all-features";

fn clippy(package: &str, targets: &str, flag: &str) -> Cargo {
    Cargo::new("clippy -p")
        .args([package, targets])
        .args((!flag.is_empty()).then_some(flag))
        .args(["--", "-D", "warnings"])
}

/// Returns the flags of the sets of features that differ, the default set (no flag) first.
fn distinct_sets(features: &BTreeMap<String, Vec<String>>) -> Vec<&'static str> {
    let default = enabled_by_default(features);
    let mut sets = vec![""];
    if !default.is_empty() {
        sets.push(NONE);
    }
    if features.keys().any(|name| name != "default" && !default.contains(name.as_str())) {
        sets.push(ALL);
    }
    sets
}

/// Returns what `default` enables, directly or not: features, and entries such as `dep:x`.
fn enabled_by_default(features: &BTreeMap<String, Vec<String>>) -> BTreeSet<&str> {
    let mut enabled = BTreeSet::new();
    let mut todo = vec!["default"];
    while let Some(name) = todo.pop() {
        for entry in features.get(name).into_iter().flatten() {
            if enabled.insert(entry.as_str()) {
                todo.push(entry);
            }
        }
    }
    enabled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(features: &[(&str, &[&str])], has_lib: bool) -> Vec<String> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let features = features.iter().map(|(name, on)| ((*name).to_owned(), owned(on)));
        let member = Member {
            name: "x".to_owned(),
            dir: "/x".into(),
            has_lib,
            published: true,
            features: features.collect(),
            dependencies: Vec::new(),
        };
        let line = |cargo: &Cargo| cargo.to_string().replace(" -- -D warnings", "");
        calls(&member).iter().map(line).collect()
    }

    #[test]
    fn no_features() {
        let expected = ["cargo clippy -p x --lib", "cargo clippy -p x --all-targets"];
        assert_eq!(lines(&[], true), expected);
        assert_eq!(lines(&[("default", &[])], true), expected);
        assert_eq!(lines(&[], false), ["cargo clippy -p x --all-targets"]);
    }

    #[test]
    fn default_features_that_are_all_features() {
        assert_eq!(
            lines(&[("default", &["a"]), ("a", &["b"]), ("b", &["dep:b"])], true),
            [
                "cargo clippy -p x --lib",
                "cargo clippy -p x --lib --no-default-features",
                "cargo clippy -p x --all-targets",
            ]
        );
    }

    #[test]
    fn three_distinct_sets() {
        assert_eq!(
            lines(&[("default", &["a"]), ("a", &[]), ("b", &["a"])], true),
            [
                "cargo clippy -p x --lib",
                "cargo clippy -p x --lib --no-default-features",
                "cargo clippy -p x --lib --all-features",
                "cargo clippy -p x --all-targets",
                "cargo clippy -p x --all-targets --all-features",
            ]
        );
    }
}
