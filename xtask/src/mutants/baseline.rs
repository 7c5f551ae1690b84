//! What became of the mutants, a part each.

use std::{collections::BTreeMap, fs, path::Path};

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
            all.missed.extend(part.missed.iter().cloned());
        }
        all
    }

    /// Notes which of some that were tried again are still missed. Where several have one name, it
    /// takes all of them.
    pub(super) fn keep_missed(&mut self, again: &[String], missed: &[String]) {
        let is_caught = |mutant: &String| again.contains(mutant) && !missed.contains(mutant);
        for part in self.done.values_mut() {
            let before = part.missed.len();
            part.missed.retain(|mutant| !is_caught(mutant));
            part.caught += before - part.missed.len();
        }
    }

    pub(super) fn row(&self, name: &str) -> String {
        let open = self.parts as usize - self.done.len().min(self.parts as usize);
        let open = if open == 0 { String::new() } else { format!("  {open} parts open") };
        let all = self.all();
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
    /// No test noticed.
    pub(super) missed: Vec<String>,
}

impl Found {
    /// Above the rows of areas.
    pub(super) const HEAD: &str = "            mutants   caught   unviable   missed    share";

    /// Reads what `cargo-mutants` wrote.
    pub(super) fn read(outcomes: &Value) -> Self {
        let mut found = Self::default();
        let outcomes = outcomes.get("outcomes").and_then(Value::as_array);
        for outcome in outcomes.into_iter().flatten() {
            let Some(name) = outcome.pointer("/scenario/Mutant/name").and_then(Value::as_str)
            else {
                continue;
            };
            match outcome.get("summary").and_then(Value::as_str) {
                Some("CaughtMutant" | "Timeout") => found.caught += 1,
                Some("Unviable") => found.unviable += 1,
                _ => found.missed.push(placeless(name)),
            }
        }
        found.missed.sort();
        found
    }

    pub(super) fn tried(&self) -> usize {
        self.caught + self.missed.len()
    }

    /// In hundredths, rounded down.
    pub(super) fn share(&self) -> usize {
        self.caught * 100 / self.tried().max(1)
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
        let found = Found::read(&json!({"outcomes": [
            {"scenario": "Baseline", "summary": "Success"},
            outcome("src/a.rs:1:2: replace f -> u8 with 0", "CaughtMutant"),
            outcome("src/a.rs:1:2: replace f -> u8 with 1", "Timeout"),
            outcome("src/a.rs:3:4: replace g", "Unviable"),
            outcome("src/a.rs:5:6: replace A::h -> u8 with 0", "MissedMutant"),
        ]}));
        assert_eq!((found.caught, found.unviable, found.share()), (2, 1, 66));
        assert_eq!(found.missed, ["src/a.rs: replace A::h -> u8 with 0"]);
        let again = expression(&found.missed[0]);
        assert_eq!(again, r"^src/a\.rs:\d+:\d+: replace A::h \-> u8 with 0$");
    }

    #[test]
    fn parts_are_counted_until_their_size_changes() {
        let mut baseline = Baseline::default();
        let missed = vec!["src/a.rs: replace f".to_owned()];
        baseline.area("x", 2, false).put(1, Found { caught: 2, unviable: 1, missed });
        let mut baseline: Baseline =
            serde_json::from_str(&serde_json::to_string(&baseline).unwrap()).unwrap();
        let area = baseline.area("x", 2, false);
        assert!(area.is_done(1) && !area.is_done(0));
        let row = "x                 3        2          1        1      66%  1 parts open";
        assert_eq!(area.row("x"), row);
        let again = area.all().missed;
        area.keep_missed(&again, &again);
        assert_eq!(area.row("x"), row, "it is missed again");
        area.keep_missed(&again, &[]);
        let row = "x                 3        3          1        0     100%  1 parts open";
        assert_eq!(area.row("x"), row);
        assert!(!baseline.area("x", 3, false).is_done(1));
    }
}
