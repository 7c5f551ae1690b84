//! `crash --program PATH [--rounds N] [--seed N] [--control]`, as `cargo xtask crash` calls it.
//!
//! Exit codes: 0 good, 1 something acknowledged is gone, doubled or changed, or a moment never
//! occurred; 2 usage. With `--control` the receiver is one that acknowledges before it commits, and
//! it is good when something is lost.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what this program is for"
)]

use std::{path::PathBuf, process::ExitCode};

use crash::{Failure, Options, Report, run};

const USAGE: &str = "usage: crash --program PATH [--rounds N] [--seed N] [--control]";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let Some((options, control)) = parse(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match judged(&options, control).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Option<(Options, bool)> {
    let (mut program, mut rounds, mut seed, mut control) = (None, 200, None, false);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--program" => program = Some(PathBuf::from(arguments.next()?)),
            "--rounds" => rounds = arguments.next()?.parse().ok().filter(|rounds| *rounds > 0)?,
            "--seed" => seed = Some(arguments.next()?.parse().ok()?),
            "--control" => control = true,
            _ => return None,
        }
    }
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    Some((Options { program: program?, rounds, seed }, control))
}

async fn judged(options: &Options, control: bool) -> Result<(), Failure> {
    println!("seed {}", options.seed);
    let report = run(options, |report: &Report| {
        if report.rounds.is_multiple_of(20) && report.rounds < options.rounds {
            eprintln!("{} rounds, {} lost", report.rounds, report.lost);
        }
    });
    let report = report.await?;
    print!("{report}");
    if control {
        return if report.lost > 0 {
            println!("the control has lost {}, as it must", report.lost);
            Ok(())
        } else {
            Err("the control has lost nothing: this run could not have seen a loss".into())
        };
    }
    if !report.is_sound() {
        return Err("what was acknowledged is not in the store, once and as it was sent".into());
    }
    match report.unseen().as_slice() {
        [] => Ok(()),
        unseen => Err(format!("no kill fell {}", unseen.join(", nor ")).into()),
    }
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
        let (options, control) = parse("--program aaa --rounds 3 --seed 7 --control").unwrap();
        assert_eq!((options.rounds, options.seed, control), (3, 7, true));
        assert_eq!(parse("--program aaa").unwrap().0.rounds, 200);
        for bad in ["", "--rounds 3", "--program aaa --rounds 0", "--program aaa --seed", "aaa"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
