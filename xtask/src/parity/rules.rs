//! What holds between the table, the tests, the settings and the lines.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use super::table::{self, Row, Turn};
use crate::outcome::Failure;

/// Everything that belongs together.
pub(super) struct Tree {
    pub(super) rows: Vec<Row>,
    /// The module of each test, by its name.
    tests: BTreeMap<String, String>,
    /// The members of `Settings`.
    settings: BTreeSet<String>,
    /// The settings that the tests can turn.
    turned: BTreeSet<String>,
    /// The files that the rows name, by name.
    sources: BTreeMap<String, String>,
}

const KINDS: [&str; 5] = ["documented", "observed", "contradictory", "inferred", "own"];

impl Tree {
    pub(super) fn read(root: &Path) -> Result<Self, Failure> {
        let emulator = root.join("crates").join("aaa-emulator");
        let text = read(&root.join("docs").join("PARITY.md"))?;
        let rows = table::read(&text).map_err(Failure::Failed)?;
        let mut tests = BTreeMap::new();
        let directory = emulator.join("tests").join("parity");
        let entries = fs::read_dir(&directory)
            .map_err(|error| Failure::Failed(format!("{}: {error}", directory.display())))?;
        for entry in entries {
            let path = entry.map_err(|error| Failure::Failed(error.to_string()))?.path();
            let module = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let names = tests_of(&read(&path)?);
            tests.extend(names.into_iter().map(|name| (name, module.clone())));
        }
        let settings = members_of(&read(&emulator.join("src").join("settings.rs"))?);
        let turned = arms_of(&read(&directory.join("flip.rs"))?);
        let mut sources = BTreeMap::new();
        for row in &rows {
            if let Turn::Line(line) = &row.turn {
                let text = read(&emulator.join("src").join(&line.file))?;
                sources.insert(line.file.clone(), text);
            }
        }
        Ok(Self { rows, tests, settings, turned, sources })
    }

    /// The path of a row's test.
    pub(super) fn test(&self, row: &Row) -> String {
        let module = self.tests.get(&row.id).map_or("?", String::as_str);
        format!("{module}::{}", row.id)
    }

    /// Counts the rows by their kinds.
    pub(super) fn counts(&self) -> String {
        let of = |kind: &str| self.rows.iter().filter(|row| row.kind == kind).count();
        let kinds = KINDS.map(|kind| format!("{} {kind}", of(kind))).join(", ");
        format!("rows: {}: {kinds}", self.rows.len())
    }

    /// Says what does not fit.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut ids = BTreeSet::new();
        let mut named = BTreeSet::new();
        for row in &self.rows {
            let id = &row.id;
            if !ids.insert(id.clone()) {
                problems.push(format!("two rows are `{id}`"));
            }
            if !KINDS.contains(&row.kind.as_str()) {
                problems.push(format!("`{id}` is `{}`, which is no kind", row.kind));
            }
            if !self.tests.contains_key(id) {
                problems.push(format!("row `{id}` has no test of its name"));
            }
            match &row.turn {
                Turn::Setting(name) => {
                    named.insert(name.clone());
                }
                Turn::Line(line) => {
                    let text = self.sources.get(&line.file).map_or("", String::as_str);
                    let times = text.matches(&line.from).count();
                    if times != 1 {
                        let file = &line.file;
                        problems.push(format!(
                            "row `{id}`: {file} has its text {times} times, expected once: {}",
                            line.from
                        ));
                    }
                    if line.from == line.to {
                        problems.push(format!("row `{id}` changes nothing"));
                    }
                }
            }
        }
        let orphans = self.tests.keys().filter(|name| !ids.contains(*name));
        problems.extend(orphans.map(|name| format!("test `{name}` has no row")));
        let missing = self.settings.difference(&named);
        problems.extend(missing.map(|name| format!("setting `{name}` has no row")));
        let unknown = named.difference(&self.settings);
        problems.extend(unknown.map(|name| format!("a row names `{name}`, which is no setting")));
        let stuck = self.settings.difference(&self.turned);
        problems.extend(stuck.map(|name| format!("flip.rs cannot turn `{name}`")));
        problems
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .map_err(|error| Failure::Failed(format!("cannot read {}: {error}", path.display())))
}

/// The names of the tests in a source.
fn tests_of(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if !["#[test]", "#[tokio::test]"].contains(&line.trim()) {
            continue;
        }
        let name = lines.next().and_then(|line| line.split_once("fn ")).map(|(_, rest)| rest);
        names.extend(name.and_then(|rest| rest.split('(').next()).map(str::to_owned));
    }
    names
}

/// The members of `Settings`.
fn members_of(source: &str) -> BTreeSet<String> {
    let body = source.split_once("pub struct Settings {").map_or("", |(_, rest)| rest);
    let body = body.split_once("\n}").map_or("", |(body, _)| body);
    let member = |line: &str| {
        let (name, _) = line.trim().strip_prefix("pub ")?.split_once(':')?;
        Some(name.to_owned())
    };
    body.lines().filter_map(member).collect()
}

/// The texts that a match over names begins its arms with.
fn arms_of(source: &str) -> BTreeSet<String> {
    let arm = |line: &str| {
        let (name, rest) = line.trim().strip_prefix('"')?.split_once('"')?;
        rest.trim().starts_with("=>").then(|| name.to_owned())
    };
    source.lines().filter_map(arm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(rows: &str) -> Tree {
        let tests = "#[test]\nfn a() {}\n\n#[tokio::test]\nasync fn b() {}\n";
        let settings =
            "pub struct Settings {\n    /// One.\n    pub one: u8,\n    pub two: u8,\n}\n";
        Tree {
            rows: table::read(rows).unwrap(),
            tests: tests_of(tests).into_iter().map(|name| (name, "x".to_owned())).collect(),
            settings: members_of(settings),
            turned: arms_of("        \"one\" => 1,\n        \"two\" => {\n"),
            sources: [("w.rs".to_owned(), "x y x".to_owned())].into(),
        }
    }

    #[test]
    fn a_whole_table_has_no_problem() {
        let rows = "\
| a | . | own | . | setting `one` |
| b | . | documented | . | setting `two` |
";
        let tree = tree(rows);
        assert_eq!(tree.problems(), Vec::<String>::new());
        assert_eq!(tree.test(&tree.rows[1]), "x::b");
        let counts = "rows: 2: 1 documented, 0 observed, 0 contradictory, 0 inferred, 1 own";
        assert_eq!(tree.counts(), counts);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let rows = "\
| a | . | guessed | . | setting `three` |
| a | . | own | . | `w.rs`: `` x `` → `` x `` |
| c | . | own | . | `w.rs`: `` y `` → `` z `` |
";
        let problems = tree(rows).problems();
        assert_eq!(
            problems,
            [
                "`a` is `guessed`, which is no kind",
                "two rows are `a`",
                "row `a`: w.rs has its text 2 times, expected once: x",
                "row `a` changes nothing",
                "row `c` has no test of its name",
                "test `b` has no row",
                "setting `one` has no row",
                "setting `two` has no row",
                "a row names `three`, which is no setting",
            ]
        );
    }
}
