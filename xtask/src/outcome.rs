//! How a command ends: a failure, or counts of tests.

use std::{env, fmt};

/// Why a command stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was called wrongly.
    Usage(String),
    /// A step failed.
    Failed(String),
}

/// How many tests passed, failed and were skipped.
///
/// It prints as the closing line of a command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Counts {
    /// Counts a step that failed before any test could run.
    pub(crate) fn one_failure() -> Self {
        Self { failed: 1, ..Self::default() }
    }

    /// Says whether the gate is passed. In CI every test has what it needs, so a skipped test
    /// there is a test that silently stopped running.
    pub(crate) fn are_good(self, ci: bool) -> bool {
        self.failed == 0 && !(ci && self.skipped > 0)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// Says whether this runs in CI (`CI=true`).
pub(crate) fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_line() {
        let counts = Counts { passed: 12, failed: 0, skipped: 3 };
        assert_eq!(counts.to_string(), "12 passed, 0 failed, 3 skipped");
    }

    #[test]
    fn skipped_tests_fail_in_ci_only() {
        let skipped = Counts { passed: 1, failed: 0, skipped: 1 };
        assert!(skipped.are_good(false));
        assert!(!skipped.are_good(true));
        assert!(Counts { skipped: 0, ..skipped }.are_good(true));
        assert!(!Counts::one_failure().are_good(false));
    }
}
