//! Tests that cannot run here for lack of a program, and say so.
//!
//! Such a test appends one line to the file that the environment variable
//! `AAA_SKIPPED_FILE` names, and returns: its crate and name, a colon and a space, what is
//! missing. (Printing would not do: the output of a passing test is captured.) Without the
//! variable, under a plain `cargo test`, it just returns.
//!
//! ```text
//! aaa-store jetstream::survives_a_restart: nats-server
//! ```
//!
//! To libtest the test has passed; here it is counted as skipped instead. With `CI=true` a
//! skipped test fails the gate: there, everything is installed. `#[ignore]` is not the way: an
//! ignored test counts as a failure everywhere.

use std::{collections::BTreeSet, fs, io, path::PathBuf};

use crate::{outcome::Counts, workspace::Workspace};

/// The variable that names the file.
pub(crate) const VARIABLE: &str = "AAA_SKIPPED_FILE";

/// The file tests append to.
#[derive(Debug)]
pub(crate) struct SkippedFile {
    path: PathBuf,
}

impl SkippedFile {
    /// Makes an empty file in the target directory.
    pub(crate) fn create(workspace: &Workspace) -> io::Result<Self> {
        let dir = workspace.target.join("xtask");
        fs::create_dir_all(&dir)?;
        let path = dir.join(format!("skipped-{}.txt", std::process::id()));
        fs::write(&path, "")?;
        Ok(Self { path })
    }

    /// Returns its path, for the variable.
    pub(crate) fn path(&self) -> String {
        self.path.display().to_string()
    }

    /// Reads and removes it; returns each line once.
    pub(crate) fn take(self) -> io::Result<BTreeSet<String>> {
        let text = fs::read_to_string(&self.path)?;
        fs::remove_file(&self.path)?;
        Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
    }
}

/// Moves skipped tests out of the passed ones.
pub(crate) fn apply(counts: Counts, skipped: usize) -> Counts {
    Counts { passed: counts.passed.saturating_sub(skipped), skipped, ..counts }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn each_line_is_one_test() {
        let file = SkippedFile::create(&Workspace::load().unwrap()).unwrap();
        let path = PathBuf::from(file.path());
        for line in ["aaa-store a: nats-server", "aaa-cli b: chromium", "aaa-store a: nats-server"]
        {
            let mut open = fs::OpenOptions::new().append(true).open(&path).unwrap();
            writeln!(open, "{line}").unwrap();
        }
        let skipped = file.take().unwrap();
        assert_eq!(Vec::from_iter(&skipped), ["aaa-cli b: chromium", "aaa-store a: nats-server"]);
        assert!(!path.exists());

        let counts = apply(Counts { passed: 10, failed: 1, skipped: 0 }, skipped.len());
        assert_eq!(counts, Counts { passed: 8, failed: 1, skipped: 2 });
    }
}
