//! `cargo xtask parity`: whether the emulator does what `docs/PARITY.md` says, and whether the tests
//! would notice if it did not.
//!
//! Every test passes as the emulator is. Then each row's setting is turned, and the row's test has
//! to fail; with `--mutate` each row that has no setting has its line changed, in a copy of the
//! workspace. A mutant that is not caught, or does not compile, is a failure.

mod lines;
mod rules;
mod table;

use crate::{cargo::Cargo, outcome::Failure, workspace::Workspace};

use self::{
    rules::Tree,
    table::{Row, Turn},
};

/// The tests of the rows, a program of their own.
const TESTS: &str = "test --quiet --package aaa-emulator --test parity";

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let wanted = match arguments.split_first() {
        None => None,
        Some((option, ids)) if option == "--mutate" => Some(ids),
        Some((other, _)) => {
            return Err(Failure::Usage(format!("`{other}` is not known; it is --mutate [ID]...")));
        }
    };
    let workspace = Workspace::load()?;
    let tree = Tree::read(&workspace.root)?;
    let problems = tree.problems();
    if !problems.is_empty() {
        return Err(Failure::Failed(problems.join("\nerror: ")));
    }
    let chosen = chosen(&tree, wanted)?;
    Cargo::new(TESTS).run(&workspace)?;

    let mut missed = Vec::new();
    let (mut settings, mut lines) = (0, 0);
    for row in &tree.rows {
        let Turn::Setting(name) = &row.turn else { continue };
        settings += 1;
        let fails = Cargo::new(TESTS)
            .args(["--", "--exact", &tree.test(row)])
            .env("AAA_PARITY_FLIP", name.as_str());
        note(row, &format!("{name} turned"), verdict(&fails, &workspace)?, &mut missed);
    }
    if !chosen.is_empty() {
        let copy = lines::Copy::new(&workspace)?;
        for row in &chosen {
            let Turn::Line(line) = &row.turn else { continue };
            lines += 1;
            let seen = copy.with(line, |workspace| {
                // Where the workspace builds, so that dependencies are compiled once.
                let cargo = Cargo::new(TESTS)
                    .args(["--", "--exact", &tree.test(row)])
                    .env("CARGO_TARGET_DIR", workspace.target.display().to_string());
                verdict(&cargo, workspace)
            })?;
            note(row, &format!("{} changed", line.file), seen, &mut missed);
        }
    }
    println!("{}", tree.counts());
    println!("turned: {settings} settings, {lines} lines; {} not noticed", missed.len());
    if missed.is_empty() {
        Ok(())
    } else {
        Err(Failure::Failed(format!("not noticed: {}", missed.join(", "))))
    }
}

/// The rows whose lines are to be changed.
fn chosen<'a>(tree: &'a Tree, wanted: Option<&[String]>) -> Result<Vec<&'a Row>, Failure> {
    let Some(ids) = wanted else { return Ok(Vec::new()) };
    let has_line = |row: &&Row| matches!(row.turn, Turn::Line(_));
    for id in ids {
        if !tree.rows.iter().filter(has_line).any(|row| row.id == *id) {
            return Err(Failure::Usage(format!("no row `{id}` has a line")));
        }
    }
    let is_wanted = |row: &&Row| ids.is_empty() || ids.contains(&row.id);
    Ok(tree.rows.iter().filter(has_line).filter(is_wanted).collect())
}

/// What a test says of a world that is not as its row has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Caught,
    Passed,
    /// No test ran: it does not compile, or has another name.
    Nothing,
}

fn verdict(cargo: &Cargo, workspace: &Workspace) -> Result<Seen, Failure> {
    let output = cargo
        .command(workspace)
        .output()
        .map_err(|error| Failure::Failed(format!("cannot start cargo: {error}")))?;
    Ok(read(&String::from_utf8_lossy(&output.stdout), output.status.success()))
}

fn read(printed: &str, is_success: bool) -> Seen {
    let ran = printed.lines().any(|line| line == "running 1 test");
    match (ran, is_success) {
        (true, true) => Seen::Passed,
        (true, false) if printed.contains(" 1 failed;") => Seen::Caught,
        _ => Seen::Nothing,
    }
}

fn note(row: &Row, how: &str, seen: Seen, missed: &mut Vec<String>) {
    let told = match seen {
        Seen::Caught => "noticed",
        Seen::Passed => "NOT NOTICED",
        Seen::Nothing => "NO TEST RAN",
    };
    println!("{:<24} {how}: {told}", row.id);
    if seen != Seen::Caught {
        missed.push(row.id.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_prints_is_read() {
        let failed = "\nrunning 1 test\nF\ntest result: FAILED. 0 passed; 1 failed; 0 ignored\n";
        assert_eq!(read(failed, false), Seen::Caught);
        let passed = "\nrunning 1 test\n.\ntest result: ok. 1 passed; 0 failed; 0 ignored\n";
        assert_eq!(read(passed, true), Seen::Passed);
        let none = "\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored\n";
        assert_eq!(read(none, true), Seen::Nothing);
        assert_eq!(read("", false), Seen::Nothing);
    }

    #[test]
    fn wrong_usage() {
        for words in ["--flip", "x"] {
            assert!(matches!(run(&[words.to_owned()]), Err(Failure::Usage(_))), "{words}");
        }
    }

    /// The gate: the table, the tests, the settings and the lines belong together.
    #[test]
    fn the_table_is_true() {
        let tree = Tree::read(&Workspace::load().unwrap().root).unwrap();
        assert_eq!(tree.problems(), Vec::<String>::new());
    }
}
