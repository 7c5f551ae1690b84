//! `sim [--seeds N] [--seed S] [--sqlite] [--control] [--json] [--verbose]`, as `cargo xtask sim`
//! calls it.
//!
//! Exit codes: 0 good, 1 something did not hold, or a fault never fired; 2 usage. With `--control`
//! engines are broken, and it is good when each of them is caught.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what this program is for"
)]

use std::process::ExitCode;

use sim::{Broken, Failure, Flaw, Options, control, run, tell};

const USAGE: &str = "usage: sim [--seeds N] [--seed S] [--sqlite] [--control] [--json] [--verbose]";

/// From how many seeds on each kind of fault has to fire.
const ENOUGH_SEEDS: u64 = 300;

/// How many of the seeds in which something did not hold are told.
const TOLD: usize = 5;

#[derive(Debug, Default, PartialEq, Eq)]
struct Arguments {
    seeds: Option<u64>,
    seed: Option<u64>,
    sqlite: bool,
    control: bool,
    json: bool,
    verbose: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let Some(arguments) = parse(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let result = match &arguments {
        Arguments { control: true, .. } => controls(&arguments),
        Arguments { seed: Some(seed), seeds: None, .. } => one(*seed, &arguments),
        _ => many(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: &[String]) -> Option<Arguments> {
    let mut arguments = Arguments::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seeds" => arguments.seeds = Some(words.next()?.parse().ok().filter(|n| *n > 0)?),
            "--seed" => arguments.seed = Some(words.next()?.parse().ok()?),
            "--sqlite" => arguments.sqlite = true,
            "--control" => arguments.control = true,
            "--json" => arguments.json = true,
            "--verbose" => arguments.verbose = true,
            _ => return None,
        }
    }
    Some(arguments)
}

/// One seed, told when that is asked for or something did not hold.
fn one(seed: u64, arguments: &Arguments) -> Result<(), Failure> {
    let told = tell(seed, arguments.sqlite, None)?;
    if arguments.verbose || !told.violations.is_empty() {
        for line in &told.lines {
            println!("{line}");
        }
    }
    match told.violations.len() {
        0 => {
            println!("seed {seed}: everything held");
            Ok(())
        }
        count => Err(format!("seed {seed}: {count} broken invariants").into()),
    }
}

fn many(arguments: &Arguments) -> Result<(), Failure> {
    let first = arguments.seed.unwrap_or(1);
    let options = Options { first, seeds: arguments.seeds.unwrap_or(1000) };
    let report = run(options, |done| eprintln!("{done} seeds"))?;
    if arguments.json {
        println!("{}", report.json());
    } else {
        print!("{report}");
        for broken in report.broken.iter().take(TOLD) {
            println!("seed {}:", called(broken));
            for violation in broken.violations().iter().take(TOLD) {
                println!("  {violation}");
            }
        }
    }
    if let Some(broken) = report.broken.first() {
        // Only a few are told, but each can be looked at.
        let all: Vec<_> = report.broken.iter().map(called).collect();
        let words = format!(
            "something did not hold in {} histories, {}: `cargo xtask sim --seed {}` tells the \
             first",
            all.len(),
            all.join(", "),
            called(broken),
        );
        return Err(words.into());
    }
    let silent = report.tally.silent();
    if options.seeds >= ENOUGH_SEEDS && !silent.is_empty() {
        let names: Vec<_> = silent.iter().map(|kind| kind.name()).collect();
        return Err(format!("these never happened: {}", names.join(", ")).into());
    }
    Ok(())
}

/// Returns what `--seed` is told to have a history again.
fn called(broken: &Broken) -> String {
    let disk = if broken.is_on_disk() { " --sqlite" } else { "" };
    format!("{}{disk}", broken.seed())
}

fn controls(arguments: &Arguments) -> Result<(), Failure> {
    let caught = control(&Flaw::ALL, arguments.seed.unwrap_or(1))?;
    let mut missed = Vec::new();
    for caught in &caught {
        match &caught.by {
            Some((seeds, seed, violation)) => {
                println!(
                    "{:?}: caught after {seeds} seeds, by seed {seed}: {violation}",
                    caught.flaw
                );
            }
            None => missed.push(format!("{:?}", caught.flaw)),
        }
    }
    if missed.is_empty() {
        return Ok(());
    }
    Err(format!("these broken engines were not caught: {}", missed.join("; ")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage() {
        let parse = |line: &str| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            parse(&words)
        };
        let arguments = parse("--seeds 3 --seed 7 --json").unwrap();
        assert_eq!((arguments.seeds, arguments.seed, arguments.json), (Some(3), Some(7), true));
        assert_eq!(parse(""), Some(Arguments::default()));
        for bad in ["--seeds", "--seeds 0", "--seed x", "sim"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
