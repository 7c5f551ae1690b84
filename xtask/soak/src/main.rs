//! `soak --program PATH [--seconds N] [--rate N] [--stops N] [--seed N] [--svg FILE] [--control]`, as
//! `cargo xtask soak` calls it.
//!
//! Exit codes: 0 good, 1 something that must not be; 2 usage. With `--control` the receiver is one
//! that acknowledges before it commits, and it is good when something is lost.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what this program is for"
)]

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use soak::{Failure, Options, chart, run, sample::Sample};

const USAGE: &str = "usage: soak --program PATH [--seconds N] [--rate N] [--stops N] [--seed N] \
                     [--svg FILE] [--control]";

/// How many seconds lie between two lines of progress.
const EVERY: u64 = 30;

#[derive(Debug)]
struct Arguments {
    options: Options,
    svg: Option<PathBuf>,
    control: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let Some(arguments) = parse(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match judged(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: &[String]) -> Option<Arguments> {
    let (mut program, mut svg, mut seed, mut control) = (None, None, None, false);
    let (mut seconds, mut rate, mut stops) = (600, 2500, 10);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--program" => program = Some(PathBuf::from(words.next()?)),
            "--svg" => svg = Some(PathBuf::from(words.next()?)),
            "--seconds" => seconds = words.next()?.parse().ok().filter(|n| *n > 0)?,
            "--rate" => rate = words.next()?.parse().ok().filter(|n| *n > 0)?,
            "--stops" => stops = words.next()?.parse().ok().filter(|n| *n > 0)?,
            "--seed" => seed = Some(words.next()?.parse().ok()?),
            "--control" => control = true,
            _ => return None,
        }
    }
    let options = Options {
        program: program?,
        time: Duration::from_secs(seconds),
        rate,
        stops,
        seed: seed.unwrap_or_else(|| fastrand::u64(..)),
    };
    Some(Arguments { options, svg, control })
}

async fn judged(arguments: &Arguments) -> Result<(), Failure> {
    println!("seed {}", arguments.options.seed);
    let progress = |sample: &Sample| {
        if sample.second.is_multiple_of(EVERY) {
            let memory = sample.memory.unwrap_or_default();
            eprintln!(
                "{} s: {} acknowledged in the last, {memory:.0} MiB of memory, {:.0} MiB of files",
                sample.second,
                sample.acknowledged,
                sample.database + sample.log
            );
        }
    };
    let report = run(&arguments.options, progress).await?;
    print!("{report}");
    if let Some(path) = &arguments.svg {
        fs::write(path, chart::svg(&report)?)?;
        println!("{} shows it", path.display());
    }
    if arguments.control {
        return if report.lost > 0 {
            println!("the control has lost {}, as it must", report.lost);
            Ok(())
        } else {
            Err("the control has lost nothing: this run could not have seen a loss".into())
        };
    }
    match report.problems().as_slice() {
        [] => Ok(()),
        problems => Err(problems.join("; ").into()),
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
        let given =
            parse("--program aaa --seconds 20 --rate 7 --stops 2 --seed 5 --control").unwrap();
        let options = &given.options;
        assert_eq!((options.time, options.rate), (Duration::from_secs(20), 7));
        assert_eq!((options.stops, options.seed, given.control), (2, 5, true));
        let plain = parse("--program aaa --svg x.svg").unwrap();
        assert_eq!((plain.options.time.as_secs(), plain.options.rate), (600, 2500));
        assert_eq!(plain.svg, Some("x.svg".into()));
        for bad in ["", "--seconds 3", "--program aaa --rate 0", "--program aaa --svg", "aaa"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
