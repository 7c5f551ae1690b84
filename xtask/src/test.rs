//! `cargo xtask test`: every test there is, counted.
//!
//! Plain `cargo test` runs them, so that nothing needs to be installed; it compiles the
//! examples and runs the documentation's tests too. A failure counts, and so does what only
//! looks like success: an ignored test, a test binary that ends without a result, a process
//! that a test started and left running.

use std::time::Duration;

use crate::{
    cargo::{Cargo, step},
    outcome::{Counts, Failure, in_ci},
    results::Tally,
    skips::{self, SkippedFile},
    stream,
    workspace::{self, Workspace},
};

/// How long a process that a test left behind may hold its output.
const PATIENCE: Duration = Duration::from_secs(10);

/// Credentials are taken from the environment of a test: no test may act on a real account.
const CREDENTIALS: [&str; 7] = [
    "X_CONSUMER_KEY",
    "X_CONSUMER_SECRET",
    "X_CONSUMER_SECRET_PREVIOUS",
    "X_ACCESS_TOKEN",
    "X_ACCESS_TOKEN_SECRET",
    "X_BEARER_TOKEN",
    "X_API_URL",
];

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<Counts, Failure> {
    let names = workspace::packages(arguments)?;
    let workspace = Workspace::load()?;
    workspace.select(&names)?;
    all(&workspace, &names)
}

/// Runs every example as its tests do: without an account, to its end or as long as it takes.
pub(crate) fn examples(arguments: &[String]) -> Result<Counts, Failure> {
    match arguments {
        [] => all(&Workspace::load()?, &["examples".to_owned()]),
        _ => Err(Failure::Usage("`cargo xtask examples` takes no arguments".to_owned())),
    }
}

/// Runs every test of the named packages, of all if none is named. Snapshots are compared and
/// never written.
pub(crate) fn all(workspace: &Workspace, names: &[String]) -> Result<Counts, Failure> {
    let cargo = Cargo::new("test").args(scope(names)).args(["--no-fail-fast"]);
    counted(workspace, cargo.env("INSTA_UPDATE", "no").env("INSTA_FORCE_PASS", "0"))
}

/// Runs a `cargo test`, shows what it prints, and counts.
pub(crate) fn counted(workspace: &Workspace, cargo: Cargo) -> Result<Counts, Failure> {
    let skipped = SkippedFile::create(workspace)
        .map_err(|error| Failure::Failed(format!("cannot create the list of skips: {error}")))?;
    let mut command = cargo.command(workspace);
    command.env(skips::VARIABLE, skipped.path());
    for name in CREDENTIALS {
        command.env_remove(name);
    }

    let mut tally = Tally::default();
    let ended = step(&cargo, || {
        let ended = stream::run(command, PATIENCE, |line| {
            println!("{line}");
            tally.line(line);
        });
        ended.map_err(|error| Failure::Failed(format!("cannot run `{cargo}`: {error}")))
    })?;

    let (mut counts, mut problems) = tally.end(ended.status.success());
    if ended.left_running {
        counts.failed += 1;
        problems.push(
            "a process that a test started still runs and holds its output; stop it in the test"
                .to_owned(),
        );
    }
    let skipped = skipped
        .take()
        .map_err(|error| Failure::Failed(format!("cannot read the list of skips: {error}")))?;
    for test in &skipped {
        println!("skipped: {test}");
    }
    if in_ci() && !skipped.is_empty() {
        problems.push("tests were skipped in CI; install what they miss in `.ci/run`".to_owned());
    }
    for problem in problems {
        println!("error: {problem}");
    }
    Ok(skips::apply(counts, skipped.len()))
}

/// Returns the arguments that select packages.
pub(crate) fn scope(names: &[String]) -> Vec<String> {
    if names.is_empty() {
        return vec!["--workspace".to_owned()];
    }
    names.iter().flat_map(|name| ["--package".to_owned(), name.clone()]).collect()
}
