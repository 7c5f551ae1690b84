//! Reads the output of `cargo test`.

use std::mem;

use crate::outcome::Counts;

/// What the lines so far say.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: Counts,
    problems: Vec<String>,
    binary: Option<Binary>,
}

#[derive(Debug)]
struct Binary {
    name: String,
    results: usize,
    ignored: Vec<String>,
}

impl Tally {
    /// Takes one line.
    pub(crate) fn line(&mut self, line: &str) {
        let line = without_colour(line);
        if let Some(name) = binary(&line) {
            self.end_of_binary();
            self.binary = Some(Binary { name, results: 0, ignored: Vec::new() });
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.result(result);
        } else if let Some(name) = ignored(&line)
            && let Some(binary) = &mut self.binary
        {
            binary.ignored.push(name.to_owned());
        }
    }

    /// Takes the end of the output, and whether cargo ended well; returns the counts, and
    /// sentences about what counts as a failure without being a failed test.
    pub(crate) fn end(mut self, success: bool) -> (Counts, Vec<String>) {
        self.end_of_binary();
        if !success && self.counts.failed == 0 {
            self.fail(1, "cargo failed before all tests had run; see above".to_owned());
        }
        (self.counts, self.problems)
    }

    fn result(&mut self, result: &str) {
        self.counts.passed += number_before(result, " passed");
        self.counts.failed += number_before(result, " failed");
        let ignored = number_before(result, " ignored");
        let Some(binary) = &mut self.binary else { return };
        binary.results += 1;
        let names = mem::take(&mut binary.ignored).join(", ");
        if ignored > 0 {
            let name = binary.name.clone();
            let problem =
                format!("{name}: {ignored} ignored ({names}); make them run, or delete them");
            self.fail(ignored, problem);
        }
    }

    fn end_of_binary(&mut self) {
        if let Some(binary) = self.binary.take()
            && binary.results == 0
        {
            let name = binary.name;
            self.fail(1, format!("{name}: ended without a result; it crashed, or a test exits"));
        }
    }

    fn fail(&mut self, count: usize, problem: String) {
        self.counts.failed += count;
        self.problems.push(problem);
    }
}

/// Returns what is started by a line of cargo such as
/// `     Running unittests src/lib.rs (target/debug/deps/aaa_types-0a1b2c)`.
fn binary(line: &str) -> Option<String> {
    let name = line.strip_prefix("     Running ").filter(|name| name.ends_with(')'));
    let name = name.or_else(|| line.starts_with("   Doc-tests ").then_some(line));
    name.map(|name| name.trim().to_owned())
}

/// Returns the name of a test in a line such as `test it::works ... ignored, too slow`.
fn ignored(line: &str) -> Option<&str> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    outcome.starts_with("ignored").then_some(name)
}

fn number_before(text: &str, word: &str) -> usize {
    let number = text.split_once(word).and_then(|(before, _)| before.rsplit(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn without_colour(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // An escape sequence ends with its first letter.
        let end = part.find(|c: char| c.is_ascii_alphabetic());
        plain.push_str(end.and_then(|end| part.get(end + 1..)).unwrap_or_default());
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: &str, success: bool) -> (Counts, Vec<String>) {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.line(line));
        tally.end(success)
    }

    #[test]
    fn results_of_all_binaries_are_added() {
        let output = "   Compiling aaa-types v0.1.0 (/src/crates/aaa-types)
     Running unittests src/lib.rs (target/debug/deps/aaa_types-0a1b2c)

running 3 tests
test id::tests::edges ... ok
test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s

\u{1b}[1m\u{1b}[92m     Running\u{1b}[0m tests/it/main.rs (target/debug/deps/it-0a1b2c)
test result: \u{1b}[32mok\u{1b}[0m. 10 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
   Doc-tests aaa_types
test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s
";
        let (counts, problems) = read(output, false);
        assert_eq!(counts, Counts { passed: 17, failed: 1, skipped: 0 });
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn ignored_tests_fail_and_are_named() {
        let output = "     Running tests/it/main.rs (target/debug/deps/it-0a1b2c)
test slow ... ignored, takes an hour
test works ... ok
test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
";
        let (counts, problems) = read(output, true);
        assert_eq!(counts, Counts { passed: 1, failed: 1, skipped: 0 });
        assert_eq!(
            problems,
            ["tests/it/main.rs (target/debug/deps/it-0a1b2c): 1 ignored (slow); make them run, \
              or delete them"]
        );
    }

    #[test]
    fn a_binary_without_a_result_fails() {
        let output = "     Running unittests src/lib.rs (target/debug/deps/a-1)
running 2 tests
     Running unittests src/lib.rs (target/debug/deps/b-1)
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out
     Running unittests src/lib.rs (target/debug/deps/c-1)
";
        // `c` left by calling `exit(0)`: cargo is content, the gate is not.
        let (counts, problems) = read(output, true);
        assert_eq!(counts, Counts { passed: 1, failed: 3, skipped: 0 });
        assert_eq!(problems.len(), 2);
        assert!(problems[0].contains("deps/a-1"), "{problems:?}");
        assert!(problems[1].contains("deps/c-1"), "{problems:?}");
    }

    #[test]
    fn what_does_not_compile_fails() {
        let (counts, problems) = read("error[E0425]: cannot find value `x`\n", false);
        assert_eq!(counts, Counts::one_failure());
        assert_eq!(problems.len(), 1);
    }
}
