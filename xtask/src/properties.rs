//! `cargo xtask properties`: the property tests, with more cases than everyday life has time
//! for.
//!
//! The tests are found by name in the sources: the functions inside `proptest! { … }`, and the
//! functions that call `proptest!(|(…)| …)` or make a `TestRunner`. The count reaches them
//! through `PROPTEST_CASES`; a property that fixes its own count is not reached, and is named.
//!
//! When a property fails, proptest writes the seed to a file under `proptest-regressions`.
//! Commit that file with the fix: the seed is tried first from then on.

use std::collections::BTreeSet;

use crate::{
    cargo::Cargo,
    outcome::{Counts, Failure},
    test,
    workspace::{self, Workspace},
};

const CASES: u32 = 4096;

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<Counts, Failure> {
    let (cases, rest) = cases(arguments)?;
    let names = workspace::packages(&rest)?;
    let workspace = Workspace::load()?;

    let mut packages = Vec::new();
    let mut properties = BTreeSet::new();
    for member in workspace.select(&names)? {
        if !member.uses("proptest") {
            continue;
        }
        let before = properties.len();
        for (path, text) in workspace::rust_files(&member.dir)? {
            let found = property_names(&text);
            if !found.is_empty() && fixes_its_count(&text) {
                println!("note: {} fixes the number of cases itself", path.display());
            }
            properties.extend(found);
        }
        if properties.len() > before {
            packages.push(member.name.clone());
        }
    }
    if packages.is_empty() {
        return Err(Failure::Failed("there is no property test here".to_owned()));
    }

    let tests = Cargo::new("test --no-fail-fast --tests")
        .args(test::scope(&packages))
        .args(["--".to_owned()])
        .args(properties)
        .env("PROPTEST_CASES", cases.to_string())
        .env("INSTA_UPDATE", "no");
    let counts = test::counted(&workspace, tests)?;
    if counts.failed > 0 {
        println!("error: commit the new files under `proptest-regressions` with the fix");
    }
    Ok(counts)
}

/// Takes `--cases N` out of the arguments.
fn cases(arguments: &[String]) -> Result<(u32, Vec<String>), Failure> {
    let mut rest = arguments.to_vec();
    let Some(at) = rest.iter().position(|argument| argument == "--cases") else {
        return Ok((CASES, rest));
    };
    let number = rest.get(at + 1).and_then(|number| number.parse().ok());
    let number = number
        .filter(|number| *number > 0)
        .ok_or_else(|| Failure::Usage("`--cases` needs a number above 0".to_owned()))?;
    rest.drain(at..=at + 1);
    Ok((number, rest))
}

/// Finds the names of the property tests in a source file. The end of a block is the line that
/// closes it at its own indentation, which is where rustfmt puts it.
fn property_names(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut block_end: Option<String> = None;
    let mut last = None;
    for line in text.lines() {
        let code = line.trim_start();
        if code.starts_with("//") {
            continue;
        }
        if let Some(name) = function(code) {
            if block_end.is_some() {
                names.insert(name.to_owned());
            }
            last = Some(name);
        }
        if code.starts_with("proptest! {") || code.starts_with("proptest::proptest! {") {
            let indentation = line.strip_suffix(code).unwrap_or_default();
            block_end = Some(format!("{indentation}}}"));
        } else if code.contains("proptest!(") || code.contains("TestRunner::") {
            names.extend(last.map(str::to_owned));
        } else if block_end.as_deref() == Some(line) {
            block_end = None;
        }
    }
    names
}

fn function(code: &str) -> Option<&str> {
    let name = code.strip_prefix("fn ")?.split(|c: char| !c.is_alphanumeric() && c != '_').next();
    name.filter(|name| !name.is_empty())
}

fn fixes_its_count(text: &str) -> bool {
    text.contains("with_cases(") || text.contains("cases:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        // Built from parts, so that this file does not seem to hold properties itself.
        let text = "
    fn helper() {}

    proptest! {
        #[test]
        fn text_round_trip(number in 0..=9) {
            prop_assert!(true);
        }

        // fn not_this(x in 0..1) {}
        #[test]
        fn never_panics(text in \".*\") {
        }
    }

    #[test]
    fn ordinary() {}

    #[test]
    fn by_closure() {
        proptest!(|(x in 0..10)| { prop_assert!(x < 10); });
    }
";
        let names = property_names(text);
        assert_eq!(Vec::from_iter(names), ["by_closure", "never_panics", "text_round_trip"]);
        assert!(property_names("fn a() {}\n// proptest!(\n").is_empty());
    }

    #[test]
    fn number_of_cases() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(cases(&[]).unwrap(), (CASES, Vec::new()));
        let (number, rest) = cases(&words("-p aaa-types --cases 12 -p aaa-auth")).unwrap();
        assert_eq!((number, rest), (12, words("-p aaa-types -p aaa-auth")));
        for bad in ["--cases", "--cases 0", "--cases x", "--cases -p"] {
            assert!(matches!(cases(&words(bad)), Err(Failure::Usage(_))), "{bad}");
        }
    }

    #[test]
    fn fixed_counts_are_seen() {
        assert!(fixes_its_count("#![proptest_config(ProptestConfig::with_cases(16))]"));
        assert!(!fixes_its_count("proptest! {"));
    }
}
