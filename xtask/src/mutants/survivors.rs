//! Mutants that survive, each with the reason.

use std::{collections::BTreeMap, fs, path::Path};

use super::unusable;
use crate::outcome::Failure;

/// Mutants that survive, each with the reason.
pub(super) struct Survivors(BTreeMap<String, String>);

impl Survivors {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(|error| unusable(path, &error))?;
        Self::parse(&text).map_err(|line| {
            Failure::Failed(format!("{}: a reason is missing: {line}", path.display()))
        })
    }

    pub(super) fn explains(&self, mutant: &str) -> bool {
        self.0.contains_key(mutant)
    }

    #[cfg(test)]
    pub(super) fn mutants(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_to_be_there() {
        let good = Survivors::parse("# why\nsrc/a.rs: replace f\n    it is the same\n").unwrap();
        assert!(good.explains("src/a.rs: replace f") && !good.explains("src/a.rs: replace g"));
        assert!(Survivors::parse("src/a.rs: replace f\nsrc/a.rs: replace g\n    same\n").is_err());
        assert!(Survivors::parse("src/a.rs: replace f\n").is_err());
    }
}
