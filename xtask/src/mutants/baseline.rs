//! What became of the mutants, a part each.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::unusable;
use crate::outcome::Failure;

/// What was found, by area.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Baseline(BTreeMap<String, Area>);

impl Baseline {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(|error| unusable(path, &error))?;
        serde_json::from_str(&text).map_err(|error| unusable(path, &error))
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).map_err(|error| unusable(path, &error))?;
        fs::write(path, text + "\n").map_err(|error| unusable(path, &error))
    }

    /// Returns what was found in an area. Parts of another size do not count.
    pub(super) fn area(&mut self, name: &str, parts: u32, fresh: bool) -> &mut Area {
        let area = self.0.entry(name.to_owned()).or_default();
        if fresh || area.parts != parts {
            *area = Area { parts, done: BTreeMap::new() };
        }
        area
    }
}

/// What was found in an area.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Area {
    parts: u32,
    /// By the number of the part.
    done: BTreeMap<u32, Found>,
}

impl Area {
    pub(super) fn is_done(&self, part: u32) -> bool {
        self.done.contains_key(&part)
    }

    pub(super) fn put(&mut self, part: u32, found: Found) {
        self.done.insert(part, found);
    }

    pub(super) fn all(&self) -> Found {
        let mut all = Found::default();
        for part in self.done.values() {
            all.caught += part.caught;
            all.unviable += part.unviable;
            all.passed_units.extend(part.passed_units.iter().cloned());
            all.missed.extend(part.missed.iter().cloned());
        }
        all
    }

    /// What was found in a part, if it was tried.
    pub(super) fn part(&mut self, part: u32) -> Option<&mut Found> {
        self.done.get_mut(&part)
    }

    pub(super) fn row(&self, name: &str) -> String {
        let open = self.parts as usize - self.done.len().min(self.parts as usize);
        let mut open = if open == 0 { String::new() } else { format!("  {open} parts open") };
        let all = self.all();
        if all.is_open() {
            let _ = write!(open, "  {} to be tried with all tests", all.passed_units.len());
        }
        format!(
            "{name:<10}{:>9}{:>9}{:>11}{:>9}{:>8}%{open}",
            all.tried(),
            all.caught,
            all.unviable,
            all.missed.len(),
            all.share()
        )
    }
}

/// What became of some mutants.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    /// A test failed, or did not end.
    pub(super) caught: usize,
    /// Did not build.
    pub(super) unviable: usize,
    /// No unit test noticed; all tests are still to be run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) passed_units: Vec<String>,
    /// No test noticed.
    pub(super) missed: Vec<String>,
}

impl Found {
    /// Above the rows of areas.
    pub(super) const HEAD: &str = "            mutants   caught   unviable   missed    share";

    /// Reads what `cargo-mutants` wrote of a run with the unit tests.
    pub(super) fn by_unit_tests(outcomes: &Value) -> Self {
        let mut found = Self { passed_units: missed(outcomes), ..Self::default() };
        for (_, became) in mutants(outcomes) {
            match became {
                Became::Caught => found.caught += 1,
                Became::Unviable => found.unviable += 1,
                Became::Missed => {}
            }
        }
        found
    }

    /// Returns what is to be tried with all tests: what only the unit tests were run for, and those
    /// of the survivors that are chosen.
    pub(super) fn again(&self, chosen: impl Fn(&String) -> bool) -> Vec<String> {
        let survivors = self.missed.iter().filter(|mutant| chosen(mutant));
        self.passed_units.iter().chain(survivors).cloned().collect()
    }

    /// Notes which of some that were tried with all tests are missed. Where several have one name, as
    /// many of them as survived this time.
    pub(super) fn tried_again(&mut self, again: &[String], missed: &[String]) {
        let before = self.passed_units.len() + self.missed.len();
        self.missed.append(&mut self.passed_units);
        let mut missed = missed.to_vec();
        self.missed.retain(|mutant| {
            let place = missed.iter().position(|name| name == mutant);
            !again.contains(mutant) || place.map(|place| missed.swap_remove(place)).is_some()
        });
        self.missed.sort();
        self.caught += before - self.missed.len();
    }

    /// Says whether all tests are still to be run for some.
    pub(super) fn is_open(&self) -> bool {
        !self.passed_units.is_empty()
    }

    pub(super) fn tried(&self) -> usize {
        self.caught + self.passed_units.len() + self.missed.len()
    }

    /// In hundredths, rounded down.
    pub(super) fn share(&self) -> usize {
        self.caught * 100 / self.tried().max(1)
    }
}

/// What became of a mutant.
enum Became {
    /// A test failed, or did not end.
    Caught,
    Unviable,
    Missed,
}

/// Returns the mutants that survived, sorted, as `cargo-mutants` wrote it.
pub(super) fn missed(outcomes: &Value) -> Vec<String> {
    let missed = mutants(outcomes).filter(|(_, became)| matches!(became, Became::Missed));
    let mut missed: Vec<_> = missed.map(|(name, _)| placeless(name)).collect();
    missed.sort();
    missed
}

fn mutants(outcomes: &Value) -> impl Iterator<Item = (&str, Became)> {
    let outcomes = outcomes.get("outcomes").and_then(Value::as_array);
    outcomes.into_iter().flatten().filter_map(|outcome| {
        // What was tried without a change has no name.
        let name = outcome.pointer("/scenario/Mutant/name").and_then(Value::as_str)?;
        let became = match outcome.get("summary").and_then(Value::as_str) {
            Some("CaughtMutant" | "Timeout") => Became::Caught,
            Some("Unviable") => Became::Unviable,
            _ => Became::Missed,
        };
        Some((name, became))
    })
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

/// The regular expression that finds a mutant of the baseline, wherever it stands now.
pub(super) fn expression(mutant: &str) -> String {
    let escaped = |text: &str| -> String {
        let meta = |c: char| r"\.+*?()|[]{}^$#&-~".contains(c);
        text.chars().flat_map(|c| meta(c).then_some('\\').into_iter().chain([c])).collect()
    };
    match mutant.split_once(':') {
        Some((file, what)) => format!(r"^{}:\d+:\d+:{}$", escaped(file), escaped(what)),
        None => format!("^{}$", escaped(mutant)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_survives_is_named_without_its_place() {
        let outcome = |name: &str, summary: &str| json!({"scenario": {"Mutant": {"name": name}}, "summary": summary});
        let outcomes = json!({"outcomes": [
            {"scenario": "Baseline", "summary": "Success"},
            outcome("src/a.rs:1:2: replace f -> u8 with 0", "CaughtMutant"),
            outcome("src/a.rs:1:2: replace f -> u8 with 1", "Timeout"),
            outcome("src/a.rs:3:4: replace g", "Unviable"),
            outcome("src/a.rs:5:6: replace A::h -> u8 with 0", "MissedMutant"),
        ]});
        let mut found = Found::by_unit_tests(&outcomes);
        assert_eq!((found.caught, found.unviable, found.share()), (2, 1, 66));
        let missed = missed(&outcomes);
        assert_eq!(missed, ["src/a.rs: replace A::h -> u8 with 0"]);
        assert_eq!((found.again(|_| false), found.is_open()), (missed.clone(), true));
        found.tried_again(&missed, &missed);
        assert_eq!((&found.missed, found.is_open(), found.share()), (&missed, false, 66));
        assert_eq!((found.again(|_| false), found.again(|_| true)), (vec![], missed.clone()));
        found.tried_again(&missed, &[]);
        assert_eq!((found.missed.len(), found.share()), (0, 100));
        found.passed_units = [missed.clone(), missed.clone()].concat();
        found.tried_again(&missed, &missed);
        assert_eq!((&found.missed, found.caught), (&missed, 4), "one of two of a name");
        let again = expression(&missed[0]);
        assert_eq!(again, r"^src/a\.rs:\d+:\d+: replace A::h \-> u8 with 0$");
    }

    #[test]
    fn parts_are_counted_until_their_size_changes() {
        let mut baseline = Baseline::default();
        let missed = vec!["src/a.rs: replace f".to_owned()];
        let found = Found { caught: 2, unviable: 1, passed_units: missed, missed: Vec::new() };
        baseline.area("x", 2, false).put(1, found);
        let mut baseline: Baseline =
            serde_json::from_str(&serde_json::to_string(&baseline).unwrap()).unwrap();
        let area = baseline.area("x", 2, false);
        assert!(area.is_done(1) && !area.is_done(0));
        let row = "x                 3        2          1        0      66%  1 parts open";
        assert_eq!(area.row("x"), format!("{row}  1 to be tried with all tests"));
        assert!(area.part(0).is_none());
        let found = area.part(1).unwrap();
        let again = found.again(|_| false);
        found.tried_again(&again, &again);
        let row = "x                 3        2          1        1      66%  1 parts open";
        assert_eq!(area.row("x"), row);
        assert!(!baseline.area("x", 3, false).is_done(1));
    }
}
