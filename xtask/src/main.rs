//! The gate: what contributors run before a pull request and what CI runs after it.
//!
//! `cargo xtask ci` is the whole gate; the other commands are parts of it or tools around it.
//! Nothing here depends on the crates it checks, so it builds in seconds and still works when
//! they do not.
//!
//! The commands that run tests end with one line, `N passed, N failed, N skipped`. Exit codes:
//! 0 good, 1 failed, 2 usage.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what these commands are for"
)]

use std::{env, process::ExitCode};

use crate::outcome::{Counts, Failure};

mod bench;
mod campaign;
mod cargo;
mod ci;
mod conformance;
mod crash;
mod fuzz;
mod layers;
mod lint;
mod mutants;
mod newcomer;
mod outcome;
mod parity;
mod peers;
mod properties;
mod reference;
mod results;
mod scaling;
mod screenshots;
mod sim;
mod skips;
mod snapshots;
mod soak;
mod stream;
mod test;
mod workspace;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  ci [-p PACKAGE]...      the gate: format, lints, layers, documentation, then every test
  test [-p PACKAGE]...    every test: unit, integration, documentation, snapshots, properties
  snapshots [--review] [-p PACKAGE]...
                          check the snapshots; with --review, write what changed for review
  properties [--cases N] [-p PACKAGE]...
                          only the property tests, with N cases each (default 4096)
  examples                run every example, and see it do what it says
  layers                  check who may depend on whom
  bench [--rounds N] [NAME]...
                          measure us beside bare libraries, and judge the ratios; a name may be
                          the beginning of one: keys, decode, verify, sign, plan
  bench receiver [--rounds N]
                          measure how fast deliveries are committed, beside a bare axum server
  bench recovery [--rounds N] [--events N]
                          measure how fast a replay of N events (default 1000000) is recovered,
                          beside the same deliveries as a load
  bench cluster [--rounds N]
                          measure how far 1, 2 and 4 receivers on one stream go, and what a
                          delivery and a key cost; needs nats-server
  bench emulator [--rounds N]
                          measure how many deliveries the emulator makes, beside wrk
  bench timing            look whether the time of a verification tells anything of the signature
  fuzz [--seconds N] [TARGET]...
                          look for input that breaks what must hold for any input, N seconds each
                          (default 60): answer, api_error, authorization, crc,
                          delivery, source
  crash [--rounds N] [--seed N] [--control]
                          kill receivers at random moments, N times two (default 200), and look
                          for what was acknowledged and is gone; with --control, a receiver that
                          acknowledges too early, which must lose something
  sim [--seeds N] [--seed S] [--sqlite] [--control] [--json] [--verbose]
                          run N random histories (default 1000) of receiver, store, engine and
                          emulator on a fake clock, from seed S on; with --seed alone, tell that
                          one; with --control, broken engines, each of which must be caught
  soak [--seconds N] [--rate N] [--stops N] [--seed N] [--svg FILE] [--control]
                          load a receiver for ten minutes with 2,500 deliveries a second while it
                          is killed, stopped and pestered, and draw what it takes; with --control,
                          a receiver that acknowledges too early, which must lose something
  mutants [--parts N] [--fresh] [AREA]...
                          break the code in every way cargo-mutants knows and see whether the tests
                          notice; goes on where it was, for hours: keys, receiver, replay, inbox
  scaling [--measured]    reckon what ten, a hundred and a thousand times X's limits would need, from
                          the costs in docs/SCALING.md or those of the last `bench cluster`
  campaign [--quick] [STEP]...
                          all that is too long for the gate, one after another, with a table
  newcomer [--no-tests]   do in a fresh clone what the README and the first guide say, nothing built
                          before: demo, installation, every command of theirs, every test
  conformance --spec FILE check requests and answers against X's description of its API
  screenshots             make the pictures in docs/images anew, with a headless Chromium
  reference               write docs/REFERENCE.md from what `aaa` says of its commands; a test
                          fails while it is stale
  peers [--spec FILE]     try the emulator with X's own Python SDK and, given X's description, with
                          schemathesis; installs both, and says what it skips
  parity [--mutate [ID]...]
                          check that the tests of docs/PARITY.md fail when the emulator does
                          otherwise: for each setting, and with --mutate for each line (long)
  help                    this text
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => return usage("a command is missing"),
    };
    match command {
        "ci" => closing(ci::run(rest)),
        "test" => closing(test::run(rest)),
        "snapshots" => closing(snapshots::run(rest)),
        "properties" => closing(properties::run(rest)),
        "examples" => closing(test::examples(rest)),
        "layers" => plain(layers::run(rest)),
        "bench" => plain(bench::run(rest)),
        "fuzz" => plain(fuzz::run(rest)),
        "crash" => plain(crash::run(rest)),
        "sim" => plain(sim::run(rest)),
        "soak" => plain(soak::run(rest)),
        "mutants" => plain(mutants::run(rest)),
        "scaling" => plain(scaling::run(rest)),
        "campaign" => plain(campaign::run(rest)),
        "newcomer" => plain(newcomer::run(rest)),
        "screenshots" => plain(screenshots::run(rest)),
        "conformance" => plain(conformance::run(rest)),
        "reference" => plain(reference::run(rest)),
        "peers" => plain(peers::run(rest)),
        "parity" => plain(parity::run(rest)),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        other => usage(&format!("there is no command `{other}`")),
    }
}

/// Ends a command that ran tests. Whatever went wrong, the last line says how many of what;
/// a step that failed before the tests counts as one failure.
fn closing(result: Result<Counts, Failure>) -> ExitCode {
    let counts = match result {
        Ok(counts) => counts,
        Err(Failure::Usage(problem)) => return usage(&problem),
        Err(Failure::Failed(problem)) => {
            println!("error: {problem}");
            Counts::one_failure()
        }
    };
    println!("{counts}");
    if counts.are_good(outcome::in_ci()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn plain(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(problem)) => usage(&problem),
        Err(Failure::Failed(problem)) => {
            println!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn usage(problem: &str) -> ExitCode {
    eprint!("error: {problem}\n\n{USAGE}");
    ExitCode::from(2)
}
