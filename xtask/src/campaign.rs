//! `cargo xtask campaign`: everything that is too long for the gate and shows that the promises hold,
//! one after another, with a closing table.
//!
//! Each step is a command of its own, as somebody would type it; what it printed stays in
//! `target/campaign`. A control is a step that looks for a fault that is there: it fails when nothing
//! is found.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::{cargo::Cargo, outcome::Failure, workspace::Workspace};

/// A step of the campaign.
struct Step {
    name: &'static str,
    /// What it shows.
    shows: &'static str,
    /// How it is typed after `cargo`.
    command: &'static str,
    /// The same in a minute or so, to see whether all of it runs.
    quick: &'static str,
    /// Lines of its output that hold figures begin so.
    figures: &'static [&'static str],
}

const STEPS: [Step; 16] = [
    Step {
        name: "kills",
        shows: "what was answered 200 survives kill -9",
        command: "xtask crash --rounds 200",
        quick: "xtask crash --rounds 3",
        figures: &["rounds", "acknowledged", "lost", "doubled", "altered"],
    },
    Step {
        name: "kills-control",
        shows: "a receiver that acknowledges too early loses something",
        command: "xtask crash --control --rounds 20",
        quick: "xtask crash --control --rounds 3",
        figures: &["acknowledged", "lost"],
    },
    Step {
        name: "soak",
        shows: "ten minutes at X's highest rate, with things going wrong",
        command: "xtask soak",
        quick: "xtask soak --seconds 20 --stops 4",
        figures: &[
            "acknowledged",
            "lost",
            "doubled",
            "altered",
            "acknowledgement p99",
            "most memory",
        ],
    },
    Step {
        name: "soak-control",
        shows: "the same sees what a receiver loses that acknowledges too early",
        command: "xtask soak --control --seconds 20 --stops 4",
        quick: "xtask soak --control --seconds 10 --stops 4",
        figures: &["acknowledged", "lost"],
    },
    Step {
        name: "power",
        shows: "each 200 follows a sync",
        command: "test -p aaa-cli --test it -- crash::",
        quick: "test -p aaa-cli --test it -- crash::",
        figures: &["test result"],
    },
    Step {
        name: "histories",
        shows: "gaps are found and closed, or named",
        command: "xtask sim --seeds 20000",
        quick: "xtask sim --seeds 100",
        figures: &["histories", "events", "faults fired", "broken invariants", "seeds per minute"],
    },
    Step {
        name: "broken-engines",
        shows: "each broken engine is caught",
        command: "xtask sim --control",
        quick: "xtask sim --control --seeds 2000",
        figures: &[],
    },
    Step {
        name: "fuzzing",
        shows: "no input breaks what holds for any",
        command: "xtask fuzz --seconds 60",
        quick: "xtask fuzz --seconds 3",
        figures: &["tried "],
    },
    Step {
        name: "attacks",
        shows: "the attack table, over raw sockets",
        command: "test -p aaa-webhook --all-features --test it -- attacks",
        quick: "test -p aaa-webhook --all-features --test it -- attacks",
        figures: &["test result"],
    },
    Step {
        name: "slow-clients",
        shows: "thousands of slow clients",
        command: "test -p aaa-webhook --all-features --test it -- crowd sockets",
        quick: "test -p aaa-webhook --all-features --test it -- crowd sockets",
        figures: &["test result"],
    },
    Step {
        name: "disk-full",
        shows: "a full disk, damage, a directory of others",
        command: "test -p aaa-store --all-features --test it -- full_disk damage directory",
        quick: "test -p aaa-store --all-features --test it -- full_disk damage directory",
        figures: &["test result"],
    },
    Step {
        name: "cluster",
        shows: "servers of JetStream killed, stopped, cut off, under load",
        command: "test -p aaa-store --all-features --test it -- jetstream",
        quick: "test -p aaa-store --all-features --test it -- jetstream::faults",
        figures: &["test result"],
    },
    Step {
        name: "browser",
        shows: "hostile payloads do not run in a real browser",
        command: "test -p aaa-dashboard -p aaa-emulator --test it",
        quick: "test -p aaa-dashboard -p aaa-emulator --test it",
        figures: &["test result"],
    },
    Step {
        name: "parity",
        shows: "the emulator's tests notice when it does otherwise",
        command: "xtask parity --mutate",
        quick: "xtask parity",
        figures: &["rows", "turned"],
    },
    Step {
        name: "timing",
        shows: "the time of a verification tells nothing",
        command: "xtask bench timing",
        quick: "xtask bench timing",
        figures: &["verifying", "control"],
    },
    Step {
        name: "conversation",
        shows: "emulator and client by X's pages of v1.1",
        command: "test -p conformance",
        quick: "test -p conformance",
        figures: &["test result"],
    },
];

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let options = Options::parse(arguments)?;
    let workspace = Workspace::load()?;
    let logs = workspace.target.join("campaign");
    fs::create_dir_all(&logs).map_err(|error| unusable(&logs, &error))?;
    let mut rows = Vec::new();
    for step in options.steps() {
        let command = if options.quick { step.quick } else { step.command };
        println!("==> cargo {command}");
        let row = step.run(command, &workspace, &logs)?;
        println!("    {} after {:.0} s", row.verdict(), row.took.as_secs_f64());
        rows.push(row);
    }
    print!("\n{}", table(&rows));
    match rows.iter().filter(|row| !row.good).count() {
        0 => Ok(()),
        1 => Err(Failure::Failed("one step failed".to_owned())),
        many => Err(Failure::Failed(format!("{many} steps failed"))),
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    quick: bool,
    /// The names of the steps that are wanted; all, if there is none.
    names: Vec<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self::default();
        for argument in arguments {
            if argument == "--quick" {
                options.quick = true;
            } else if STEPS.iter().any(|step| step.name == argument) {
                options.names.push(argument.clone());
            } else {
                let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
                let names = names.join(", ");
                return Err(Failure::Usage(format!("there is no step `{argument}`, only {names}")));
            }
        }
        Ok(options)
    }

    fn steps(&self) -> impl Iterator<Item = &'static Step> {
        let wanted =
            |step: &&Step| self.names.is_empty() || self.names.iter().any(|n| n == step.name);
        STEPS.iter().filter(wanted)
    }
}

impl Step {
    #[expect(
        clippy::disallowed_methods,
        reason = "an edge: a person wants to know how long it took"
    )]
    fn run(
        &'static self,
        words: &'static str,
        workspace: &Workspace,
        logs: &Path,
    ) -> Result<Row, Failure> {
        let path = logs.join(format!("{}.log", self.name));
        let log = fs::File::create(&path).map_err(|error| unusable(&path, &error))?;
        let errors = log.try_clone().map_err(|error| unusable(&path, &error))?;
        let begun = Instant::now();
        let mut command: Command = Cargo::new(words).command(workspace);
        let status = command.stdout(log).stderr(errors).status();
        let status =
            status.map_err(|error| Failure::Failed(format!("cannot start cargo: {error}")))?;
        let text = fs::read_to_string(&path).map_err(|error| unusable(&path, &error))?;
        let figures = figures(&text, self.figures);
        Ok(Row { step: self, words, good: status.success(), figures, took: begun.elapsed() })
    }
}

/// What came of a step.
struct Row {
    step: &'static Step,
    words: &'static str,
    good: bool,
    figures: String,
    took: Duration,
}

impl Row {
    fn verdict(&self) -> &'static str {
        if self.good { "good" } else { "FAILED" }
    }
}

/// Finds the lines with figures, each once and with single spaces.
fn figures(text: &str, begin: &[&str]) -> String {
    let is_figure = |line: &&str| {
        let is_named = begin.iter().any(|begin| line.trim_start().starts_with(begin));
        is_named && line.contains(|c: char| c.is_ascii_digit()) && !line.contains(" after ")
    };
    // Of tests, whatever ran nothing is left out.
    let ran = |line: &&str| !line.contains(" 0 passed; 0 failed");
    let lines = text.lines().filter(is_figure).filter(ran);
    let lines = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("; ")
}

fn table(rows: &[Row]) -> String {
    let mut text =
        "| what it shows | command | | figures | seconds |\n|---|---|---|---|---|\n".to_owned();
    for row in rows {
        let seconds = row.took.as_secs();
        text += &format!(
            "| {} | `cargo {}` | {} | {} | {seconds} |\n",
            row.step.shows,
            row.words,
            row.verdict(),
            row.figures
        );
    }
    text
}

fn unusable(path: &Path, problem: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(format!("cannot use {}: {problem}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_chosen_by_name() {
        let parse = |line: &str| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            Options::parse(&words)
        };
        assert_eq!(parse("").unwrap().steps().count(), STEPS.len());
        let chosen = parse("--quick timing kills").unwrap();
        let names: Vec<_> = chosen.steps().map(|step| step.name).collect();
        assert_eq!((chosen.quick, names), (true, vec!["kills", "timing"]));
        for bad in ["nobody", "--slow", "kills nobody"] {
            assert!(matches!(parse(bad), Err(Failure::Usage(_))), "{bad}");
        }
    }

    #[test]
    fn lines_with_figures() {
        let text = "  lost      0\n    Finished in 3 s\ntest result: ok. 0 passed; 0 failed; x\n\
                    test result: ok. 12 passed; 0 failed; x\nlost nothing\n";
        assert_eq!(
            figures(text, &["lost", "test result"]),
            "lost 0; test result: ok. 12 passed; 0 failed; x"
        );
    }

    #[test]
    fn the_table_names_what_failed() {
        let row = |good| Row {
            step: &STEPS[0],
            words: STEPS[0].quick,
            good,
            figures: "lost 0".to_owned(),
            took: Duration::from_millis(2900),
        };
        assert_eq!(
            table(&[row(true), row(false)]),
            "| what it shows | command | | figures | seconds |\n|---|---|---|---|---|\n\
             | what was answered 200 survives kill -9 | `cargo xtask crash --rounds 3` | good | lost 0 | 2 |\n\
             | what was answered 200 survives kill -9 | `cargo xtask crash --rounds 3` | FAILED | lost 0 | 2 |\n"
        );
    }
}
