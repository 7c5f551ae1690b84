//! `cargo xtask mutants`: breaks the code in every way that `cargo-mutants` knows, one at a time, and
//! looks whether the tests of the crate notice.
//!
//! Hours of work for a machine, so it goes in parts: what a part has found stays in
//! `target/mutants`, and the next call goes on with the parts that are missing. Whatever survives has
//! to be explained in `xtask/mutants/survivors.txt`, a line each, or a test is to be written.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    cargo::{Cargo, step},
    outcome::Failure,
    workspace::Workspace,
};

/// Code whose tests have to notice everything.
struct Area {
    name: &'static str,
    package: &'static str,
    /// Below the package.
    files: &'static [&'static str],
    /// In how many parts it is done, if not told otherwise.
    parts: u32,
}

const AREAS: [Area; 4] = [
    Area {
        name: "keys",
        package: "aaa-types",
        files: &["src/event.rs", "src/event/*.rs", "src/event/body/*.rs"],
        parts: 4,
    },
    Area { name: "receiver", package: "aaa-webhook", files: &["src/**/*.rs"], parts: 32 },
    Area {
        name: "replay",
        package: "aaa-replay",
        files: &[
            "src/coverage.rs",
            "src/coverage/*.rs",
            "src/engine.rs",
            "src/engine/*.rs",
            "src/plan.rs",
            "src/plan/*.rs",
            "src/sweep.rs",
            "src/watch.rs",
            "src/watch/*.rs",
        ],
        parts: 24,
    },
    Area {
        name: "inbox",
        package: "aaa-store",
        files: &[
            "src/sqlite/batch.rs",
            "src/sqlite/filing.rs",
            "src/sqlite/filing/*.rs",
            "src/sqlite/prune.rs",
            "src/sqlite/prune/*.rs",
            "src/sqlite/writer.rs",
            "src/sqlite/writer/*.rs",
        ],
        parts: 16,
    },
];

/// Which share has to be noticed, in hundredths.
const ENOUGH: usize = 90;

/// What survives, and why that is no fault of the tests.
const SURVIVORS: &str = "xtask/mutants/survivors.txt";

/// How long the tests may take with a mutant that does not end.
const PATIENCE: &str = "180";

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let options = Options::parse(arguments)?;
    let workspace = Workspace::load()?;
    let home = workspace.target.join("mutants");
    let known = Survivors::read(&workspace.root.join(SURVIVORS))?;
    if Cargo::new("mutants --version").output(&workspace).is_err() {
        return Err(Failure::Failed(
            "this needs cargo-mutants: `cargo install cargo-mutants`".to_owned(),
        ));
    }
    let mut problems = Vec::new();
    println!(
        "{:<10}{:>9}{:>9}{:>11}{:>9}{:>9}",
        "", "mutants", "caught", "unviable", "missed", "share"
    );
    let mut rows = Vec::new();
    for area in options.areas() {
        let parts = area.parts;
        let home = home.join(area.name);
        fs::create_dir_all(&home).map_err(|error| unusable(&home, &error))?;
        let wanted = options.limit.unwrap_or(parts).min(parts);
        for part in 0..wanted {
            let found = home.join(format!("{part}-of-{parts}.json"));
            if options.fresh || !found.exists() {
                area.try_part(part, &home, &found, &workspace)?;
            }
        }
        let counts = Counts::read(&home, parts)?;
        problems.extend(counts.problems(area.name, &known));
        rows.push((area.name, counts));
    }
    for (name, counts) in &rows {
        println!("{}", counts.row(name));
    }
    match problems.as_slice() {
        [] => Ok(()),
        problems => {
            problems.iter().for_each(|problem| println!("{problem}"));
            Err(Failure::Failed(format!(
                "{} mutants or shares are not as they should be",
                problems.len()
            )))
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    /// The names of areas; all, if there is none.
    names: Vec<String>,
    /// How many parts of each, from the first on.
    limit: Option<u32>,
    /// What was found before does not count.
    fresh: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            if word == "--fresh" {
                options.fresh = true;
            } else if word == "--parts" {
                let number = words.next().and_then(|word| word.parse().ok()).filter(|n| *n > 0);
                let usage = || Failure::Usage("`--parts` needs a number".to_owned());
                options.limit = Some(number.ok_or_else(usage)?);
            } else if AREAS.iter().any(|area| area.name == word) {
                options.names.push(word.clone());
            } else {
                let names: Vec<_> = AREAS.iter().map(|area| area.name).collect();
                let names = names.join(", ");
                return Err(Failure::Usage(format!("there is no `{word}`, only {names}")));
            }
        }
        Ok(options)
    }

    fn areas(&self) -> impl Iterator<Item = &'static Area> {
        let wanted =
            |area: &&Area| self.names.is_empty() || self.names.iter().any(|n| n == area.name);
        AREAS.iter().filter(wanted)
    }
}

impl Area {
    /// Tries a part of the mutants and keeps what came of it.
    fn try_part(
        &self,
        part: u32,
        home: &Path,
        found: &Path,
        workspace: &Workspace,
    ) -> Result<(), Failure> {
        let files = self
            .files
            .iter()
            .map(|file| ["--file".to_owned(), format!("crates/{}/{file}", self.package)]);
        let cargo = Cargo::new("mutants --all-features --no-shuffle --colors never --no-times")
            .args(["--package", self.package, "--timeout", PATIENCE])
            .args(["--shard".to_owned(), format!("{part}/{}", self.parts)])
            .args(["--output".to_owned(), home.to_string_lossy().into_owned()])
            .args(["--exclude-re", "impl (fmt::)?Debug for"])
            .args(files.flatten())
            // Tests of documentation are slow to build, and show how things are used.
            .args(["--", "--lib", "--tests"]);
        let status = step(&cargo, || {
            // Cases that were found once are not written beside the code.
            let status = cargo.clone().env("PROPTEST_CASES", "64").command(workspace).status();
            status.map_err(|error| Failure::Failed(format!("cannot start cargo: {error}")))
        })?;
        // 2: some were missed; 3: some did not end.
        if !matches!(status.code(), Some(0 | 2 | 3)) {
            return Err(Failure::Failed(format!("`{cargo}` failed ({status})")));
        }
        let outcomes = home.join("mutants.out").join("outcomes.json");
        fs::copy(&outcomes, found).map(drop).map_err(|error| unusable(&outcomes, &error))
    }
}

/// What became of the mutants of an area.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    caught: usize,
    /// Did not build.
    unviable: usize,
    missed: BTreeSet<String>,
    /// Parts that are not done.
    open: u32,
}

impl Counts {
    fn read(home: &Path, parts: u32) -> Result<Self, Failure> {
        let mut counts = Self::default();
        for part in 0..parts {
            let path: PathBuf = home.join(format!("{part}-of-{parts}.json"));
            let Ok(text) = fs::read_to_string(&path) else {
                counts.open += 1;
                continue;
            };
            let found: Value =
                serde_json::from_str(&text).map_err(|error| unusable(&path, &error))?;
            counts.add(&found);
        }
        Ok(counts)
    }

    fn add(&mut self, found: &Value) {
        let outcomes = found.get("outcomes").and_then(Value::as_array);
        for outcome in outcomes.into_iter().flatten() {
            let Some(name) = outcome.pointer("/scenario/Mutant/name").and_then(Value::as_str)
            else {
                continue;
            };
            match outcome.get("summary").and_then(Value::as_str) {
                Some("CaughtMutant" | "Timeout") => self.caught += 1,
                Some("Unviable") => self.unviable += 1,
                _ => drop(self.missed.insert(placeless(name))),
            }
        }
    }

    fn tried(&self) -> usize {
        self.caught + self.missed.len()
    }

    /// In hundredths, rounded down.
    fn share(&self) -> usize {
        self.caught * 100 / self.tried().max(1)
    }

    fn row(&self, name: &str) -> String {
        let open =
            if self.open == 0 { String::new() } else { format!("  {} parts open", self.open) };
        format!(
            "{name:<10}{:>9}{:>9}{:>11}{:>9}{:>8}%{open}",
            self.tried(),
            self.caught,
            self.unviable,
            self.missed.len(),
            self.share()
        )
    }

    fn problems(&self, name: &str, known: &Survivors) -> Vec<String> {
        let unknown = self.missed.iter().filter(|mutant| !known.0.contains_key(*mutant));
        let mut problems: Vec<_> =
            unknown.map(|mutant| format!("survives, unexplained: {mutant}")).collect();
        if self.share() < ENOUGH {
            problems.push(format!("{name}: {} % are caught, {ENOUGH} have to be", self.share()));
        }
        problems
    }
}

/// Takes line and column out of `src/x.rs:12:5: replace f -> T with …`, so that edits elsewhere in
/// the file do not move it.
fn placeless(name: &str) -> String {
    let mut parts = name.splitn(4, ':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(file), Some(_), Some(_), Some(what)) => format!("{file}:{what}"),
        _ => name.to_owned(),
    }
}

/// Mutants that survive, each with the reason.
struct Survivors(BTreeMap<String, String>);

impl Survivors {
    fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(|error| unusable(path, &error))?;
        Self::parse(&text).map_err(|line| {
            Failure::Failed(format!("{}: a reason is missing: {line}", path.display()))
        })
    }

    /// A mutant, and indented below it why it survives.
    fn parse(text: &str) -> Result<Self, String> {
        let mut survivors = BTreeMap::new();
        let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        while let Some(mutant) = lines.next() {
            let reason = lines.next().filter(|line| line.starts_with("    "));
            let reason = reason.ok_or_else(|| mutant.to_owned())?;
            survivors.insert(mutant.to_owned(), reason.trim().to_owned());
        }
        Ok(Self(survivors))
    }
}

fn unusable(path: &Path, problem: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(format!("cannot use {}: {problem}", path.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn areas_are_chosen_by_name() {
        let parse = |line: &str| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            Options::parse(&words)
        };
        assert_eq!(parse("").unwrap().areas().count(), AREAS.len());
        let some = parse("keys --parts 2 --fresh").unwrap();
        assert_eq!((some.areas().count(), some.limit, some.fresh), (1, Some(2), true));
        for bad in ["--parts", "--parts 0", "nothing"] {
            assert!(matches!(parse(bad), Err(Failure::Usage(_))), "{bad}");
        }
    }

    #[test]
    fn whatever_survives_is_named_without_its_place() {
        let outcome = |name: &str, summary: &str| json!({"scenario": {"Mutant": {"name": name}}, "summary": summary});
        let mut counts = Counts::default();
        counts.add(&json!({"outcomes": [
            {"scenario": "Baseline", "summary": "Success"},
            outcome("src/a.rs:1:2: replace f -> u8 with 0", "CaughtMutant"),
            outcome("src/a.rs:1:2: replace f -> u8 with 1", "Timeout"),
            outcome("src/a.rs:3:4: replace g", "Unviable"),
            outcome("src/a.rs:5:6: replace A::h -> u8 with 0", "MissedMutant"),
        ]}));
        assert_eq!((counts.caught, counts.unviable, counts.share()), (2, 1, 66));
        let mutant = "src/a.rs: replace A::h -> u8 with 0";
        assert!(counts.missed.contains(mutant), "{counts:?}");
        let explained =
            Survivors::parse(&format!("# why\n{mutant}\n    it is the same\n")).unwrap();
        assert_eq!(counts.problems("x", &explained).len(), 1, "the share");
        assert_eq!(counts.problems("x", &Survivors(BTreeMap::new())).len(), 2);
        assert_eq!(counts.row("x"), "x                 3        2          1        1      66%");
    }

    #[test]
    fn a_reason_has_to_be_there() {
        assert!(Survivors::parse("src/a.rs: replace f\nsrc/a.rs: replace g\n    same\n").is_err());
        assert!(Survivors::parse("src/a.rs: replace f\n").is_err());
    }

    /// The list in the repository can be read, and names files that are there.
    #[test]
    fn the_list_is_well_formed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let survivors = Survivors::read(&root.join(SURVIVORS)).unwrap();
        for mutant in survivors.0.keys() {
            let file = mutant.split(':').next().unwrap();
            assert!(root.join(file).exists(), "{mutant}");
        }
    }
}
