//! `cargo xtask snapshots`: the tests of the crates that hold snapshots, and order among the
//! snapshots themselves.
//!
//! Without an option nothing is written: a snapshot that differs fails, and so do snapshots
//! that wait for review (`.snap.new`, `.pending-snap`) and snapshot files that no test reads.
//!
//! `--review` writes what changed beside what is there and runs `cargo insta review`. That is a
//! program of its own (`cargo install cargo-insta`): only it can rewrite a snapshot inside a
//! source file. Without it the command lists what waits; an inline snapshot can then be edited
//! by hand, following the difference shown.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    cargo::Cargo,
    outcome::{Counts, Failure},
    test,
    workspace::{self, Member, Workspace},
};

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<Counts, Failure> {
    let (review, rest): (Vec<String>, Vec<String>) =
        arguments.iter().cloned().partition(|argument| argument == "--review");
    let names = workspace::packages(&rest)?;
    let workspace = Workspace::load()?;
    let mut holders = workspace.select(&names)?;
    holders.retain(|member| member.uses("insta"));
    if holders.is_empty() {
        return Err(Failure::Failed("there is no snapshot here".to_owned()));
    }
    if review.is_empty() { check(&workspace, &holders) } else { write(&workspace, &holders) }
}

fn check(workspace: &Workspace, holders: &[&Member]) -> Result<Counts, Failure> {
    let list = workspace.target.join("xtask").join("snapshots-read.txt");
    if let Some(dir) = list.parent() {
        fs::create_dir_all(dir).map_err(|error| cannot("create", dir, &error))?;
    }
    fs::write(&list, "").map_err(|error| cannot("write", &list, &error))?;
    let tests = tests(holders)
        .env("INSTA_UPDATE", "no")
        .env("INSTA_FORCE_PASS", "0")
        .env("INSTA_SNAPSHOT_REFERENCES_FILE", list.display().to_string());
    let mut counts = test::counted(workspace, tests)?;

    let read = fs::read_to_string(&list).map_err(|error| cannot("read", &list, &error))?;
    let read = read.lines().map(|line| real(Path::new(line))).collect();
    let order = Order::of(files(holders)?, &read);
    for path in &order.pending {
        println!("error: {} waits for review: `cargo insta review`", path.display());
    }
    // A test that failed may have ended before it read its snapshots.
    let unread = if counts.failed == 0 { order.unread } else { Vec::new() };
    for path in &unread {
        println!("error: {} is read by no test: delete it", path.display());
    }
    counts.failed += order.pending.len() + unread.len();
    Ok(counts)
}

fn write(workspace: &Workspace, holders: &[&Member]) -> Result<Counts, Failure> {
    // A test goes on after a difference, so that all its snapshots are written, not only one.
    let tests = tests(holders).env("INSTA_UPDATE", "new").env("INSTA_FORCE_PASS", "1");
    let mut counts = test::counted(workspace, tests)?;
    let order = Order::of(files(holders)?, &BTreeSet::new());
    if order.pending.is_empty() {
        println!("every snapshot is as it was; nothing to review");
        return Ok(counts);
    }
    for path in &order.pending {
        println!("to review: {}", path.display());
    }
    if Cargo::new("insta --version").output(workspace).is_ok() {
        Cargo::new("insta review").run(workspace)?;
        return Ok(counts);
    }
    println!(
        "error: `cargo insta` is not installed. To see these and accept or reject each, run\n\n    \
         cargo install cargo-insta\n    cargo insta review\n"
    );
    counts.failed += order.pending.len();
    Ok(counts)
}

fn tests(holders: &[&Member]) -> Cargo {
    let names: Vec<String> = holders.iter().map(|member| member.name.clone()).collect();
    Cargo::new("test --no-fail-fast --tests").args(test::scope(&names))
}

fn files(holders: &[&Member]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for member in holders {
        files.extend(workspace::files(&member.dir)?);
    }
    Ok(files)
}

/// Snapshot files that are out of order.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    /// Written for review, and neither accepted nor rejected.
    pending: Vec<PathBuf>,
    /// Read by no test.
    unread: Vec<PathBuf>,
}

impl Order {
    fn of(files: Vec<PathBuf>, read: &BTreeSet<PathBuf>) -> Self {
        let ends = |path: &PathBuf, end: &str| path.as_os_str().to_string_lossy().ends_with(end);
        let (pending, others): (Vec<PathBuf>, Vec<PathBuf>) = files
            .into_iter()
            .partition(|path| ends(path, ".snap.new") || ends(path, ".pending-snap"));
        let unread =
            others.into_iter().filter(|path| ends(path, ".snap") && !read.contains(&real(path)));
        Self { pending, unread: unread.collect() }
    }
}

/// Resolves `..`, which insta writes into the paths of some snapshots.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::Failed(format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_and_unread_are_told_apart() {
        let files = [
            "/w/src/.lib.rs.pending-snap",
            "/w/src/lib.rs",
            "/w/tests/snapshots/a.snap",
            "/w/tests/snapshots/a.snap.new",
            "/w/tests/snapshots/b.snap",
        ];
        let read = BTreeSet::from([PathBuf::from("/w/tests/snapshots/a.snap")]);
        let order = Order::of(files.map(PathBuf::from).to_vec(), &read);
        let pending = ["/w/src/.lib.rs.pending-snap", "/w/tests/snapshots/a.snap.new"];
        assert_eq!(order.pending, pending.map(PathBuf::from));
        assert_eq!(order.unread, ["/w/tests/snapshots/b.snap"].map(PathBuf::from));
    }
}
