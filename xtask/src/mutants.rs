//! `cargo xtask mutants`: breaks the code in every way that `cargo-mutants` knows, one at a time, and
//! looks whether the tests of the crate notice.
//!
//! Hours of work for a machine, so it goes in parts: what a part has found is written into
//! `xtask/mutants/baseline.json`, which is committed, and the next call, in whichever clone, goes on
//! with the parts that are missing. A part is tried with the unit tests of the package; what survives
//! them is tried once more with all its tests. Whatever survives those has to be explained in
//! `xtask/mutants/survivors.txt`, a line each, or a test is to be written.

mod baseline;
mod survivors;

use std::{fs, path::Path};

use serde_json::Value;

use self::{
    baseline::{Baseline, Found},
    survivors::Survivors,
};
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
    /// In how many parts it is done.
    parts: u32,
    /// Tests that take long, and look at what others look at too.
    skip: &'static [&'static str],
}

const AREAS: [Area; 4] = [
    Area {
        name: "keys",
        package: "aaa-types",
        files: &["src/event.rs", "src/event/*.rs", "src/event/body/*.rs"],
        parts: 4,
        skip: &[],
    },
    Area {
        name: "receiver",
        package: "aaa-webhook",
        files: &["src/**/*.rs"],
        parts: 4,
        skip: &["crowd::", "who_does_not_read_is_closed"],
    },
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
        parts: 4,
        // What drives the core over the network, apart from what only that shows.
        skip: &["driver::"],
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
        parts: 4,
        skip: &["jetstream", "damage::any_byte"],
    },
];

/// Which share has to be noticed, in hundredths.
const ENOUGH: usize = 90;

/// What was found so far.
const BASELINE: &str = "xtask/mutants/baseline.json";

/// What survives, and why that is no fault of the tests.
const SURVIVORS: &str = "xtask/mutants/survivors.txt";

/// How the tests are run: up to the first that fails, or does not end.
const RUNNER: &str = "xtask/mutants/nextest.toml";

/// How long all tests of a package may take, in seconds.
const PATIENCE: &str = "240";

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let options = Options::parse(arguments)?;
    let workspace = Workspace::load()?;
    let home = workspace.target.join("mutants");
    let known = Survivors::read(&workspace.root.join(SURVIVORS))?;
    for tool in ["mutants", "nextest"] {
        if Cargo::new(&format!("{tool} --version")).output(&workspace).is_err() {
            return Err(Failure::Failed(format!(
                "this needs cargo-{tool}: `cargo install --locked cargo-{tool}`"
            )));
        }
    }
    fs::create_dir_all(&home).map_err(|error| unusable(&home, &error))?;
    let path = workspace.root.join(BASELINE);
    let mut baseline = Baseline::read(&path)?;
    for area in options.areas() {
        baseline.area(area.name, area.parts, options.fresh);
        for part in 0..options.limit.unwrap_or(area.parts).min(area.parts) {
            if !options.survivors && !baseline.area(area.name, area.parts, false).is_done(part) {
                let found = area.try_part(part, &home, &workspace)?;
                baseline.area(area.name, area.parts, false).put(part, found);
                baseline.write(&path)?;
            }
            let Some(found) = baseline.area(area.name, area.parts, false).part(part) else {
                continue;
            };
            let again = found.again(|mutant| options.survivors && !known.explains(mutant));
            if !again.is_empty() {
                let missed = area.try_again(&again, &home, &workspace)?;
                found.tried_again(&again, &missed);
                baseline.write(&path)?;
            }
        }
    }
    println!("{}", Found::HEAD);
    let mut problems = Vec::new();
    for area in options.areas() {
        let counts = baseline.area(area.name, area.parts, false);
        println!("{}", counts.row(area.name));
        let found = counts.all();
        let unknown = found.missed.iter().filter(|mutant| !known.explains(mutant));
        problems.extend(unknown.map(|mutant| format!("survives, unexplained: {mutant}")));
        if found.share() < ENOUGH {
            let share = found.share();
            problems.push(format!("{}: {share} % are caught, {ENOUGH} have to be", area.name));
        }
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
    /// Only what survived and is not explained, once more.
    survivors: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            if word == "--fresh" {
                options.fresh = true;
            } else if word == "--survivors" {
                options.survivors = true;
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
    /// Tries a part of the mutants with the unit tests, which are built in half the time.
    fn try_part(&self, part: u32, home: &Path, workspace: &Workspace) -> Result<Found, Failure> {
        let chosen = ["--shard".to_owned(), format!("{part}/{}", self.parts)];
        let outcomes = self.try_those(&chosen, &["--cargo-arg=--lib"], home, workspace)?;
        Ok(Found::by_unit_tests(&outcomes))
    }

    /// Tries some mutants once more, as they stand in the baseline, with all tests; returns those that
    /// survive.
    fn try_again(
        &self,
        mutants: &[String],
        home: &Path,
        workspace: &Workspace,
    ) -> Result<Vec<String>, Failure> {
        let chosen: Vec<_> = mutants
            .iter()
            .flat_map(|mutant| ["--re".to_owned(), baseline::expression(mutant)])
            .collect();
        // Tests of documentation are slow to build, and show how things are used.
        let tests = ["--cargo-arg=--lib", "--cargo-arg=--tests"];
        let outcomes = self.try_those(&chosen, &tests, home, workspace)?;
        Ok(baseline::missed(&outcomes))
    }

    fn try_those(
        &self,
        chosen: &[String],
        tests: &[&str],
        home: &Path,
        workspace: &Workspace,
    ) -> Result<Value, Failure> {
        let files = self
            .files
            .iter()
            .map(|file| ["--file".to_owned(), format!("crates/{}/{file}", self.package)]);
        let skipped: Vec<_> = self.skip.iter().map(|test| format!("test({test})")).collect();
        let skipped = if skipped.is_empty() {
            "all()".to_owned()
        } else {
            format!("!({})", skipped.join("|"))
        };
        let cargo = Cargo::new("mutants --all-features --no-shuffle --colors never --no-times")
            .args(["--package", self.package, "--profile", "mutants", "--timeout", PATIENCE])
            .args(["--output".to_owned(), home.to_string_lossy().into_owned()])
            .args(["--exclude-re", "impl (fmt::)?Debug for"])
            .args(files.flatten())
            .args(chosen.iter().cloned())
            .args(["--test-tool", "nextest"])
            .args(tests.iter().copied())
            .args(["--", "--config-file", RUNNER, "--filterset", &skipped]);
        let status = step(&cargo, || {
            let mut command = cargo
                .clone()
                .env("PROPTEST_CASES", "64")
                .env("RUST_BACKTRACE", "0")
                // What the copies of the tree have in common is built once.
                .env("CARGO_TARGET_DIR", home.join("build").to_string_lossy())
                .command(workspace);
            command
                .status()
                .map_err(|error| Failure::Failed(format!("cannot start cargo: {error}")))
        })?;
        // 2: some were missed; 3: some did not end.
        if !matches!(status.code(), Some(0 | 2 | 3)) {
            return Err(Failure::Failed(format!("`{cargo}` failed ({status})")));
        }
        let outcomes = home.join("mutants.out").join("outcomes.json");
        let text = fs::read_to_string(&outcomes).map_err(|error| unusable(&outcomes, &error))?;
        serde_json::from_str(&text).map_err(|error| unusable(&outcomes, &error))
    }
}

fn unusable(path: &Path, problem: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(format!("cannot use {}: {problem}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_chosen_by_name() {
        let parse = |line: &str| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            Options::parse(&words)
        };
        assert_eq!(parse("").unwrap().areas().count(), AREAS.len());
        assert!(parse("--survivors").unwrap().survivors);
        let some = parse("keys --parts 2 --fresh").unwrap();
        assert_eq!((some.areas().count(), some.limit, some.fresh), (1, Some(2), true));
        for bad in ["--parts", "--parts 0", "nothing"] {
            assert!(matches!(parse(bad), Err(Failure::Usage(_))), "{bad}");
        }
    }

    /// What is committed can be read, and names files that are there.
    #[test]
    fn what_is_committed_is_well_formed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let survivors = Survivors::read(&root.join(SURVIVORS)).unwrap();
        for mutant in survivors.mutants() {
            let file = mutant.split(':').next().unwrap();
            assert!(root.join(file).exists(), "{mutant}");
        }
        let mut baseline = Baseline::read(&root.join(BASELINE)).unwrap();
        for area in &AREAS {
            let found = baseline.area(area.name, area.parts, false).all();
            let unknown = found.missed.iter().find(|mutant| !survivors.explains(mutant));
            assert_eq!(unknown, None, "survives, unexplained");
            let open = found.tried() == 0 || found.is_open();
            assert!(open || found.share() >= ENOUGH, "{}", area.name);
        }
    }
}
