//! `cargo xtask fuzz`: looks for input that breaks what must hold for any input.
//!
//! The checks are those of the package `fuzz`, libFuzzer makes the input up, and the coverage that
//! guides it comes from the compiler: all of it works with a stable toolchain and a C++ compiler.
//! What is built and found stays in a directory of its own under `target`, so an ordinary build
//! finds everything as it left it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    cargo::{Cargo, step},
    outcome::Failure,
    workspace::Workspace,
};

const SECONDS: u32 = 60;

/// The programs of the package `fuzz`.
const TARGETS: [&str; 6] = ["answer", "api_error", "authorization", "crc", "delivery", "source"];

/// Coverage: a counter for each edge, and every comparison told to libFuzzer. No sanitizer: there
/// is no unsafe code to look at, and those need an unstable compiler.
const FLAGS: [&str; 6] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let (seconds, targets) = arguments_of(arguments)?;
    let workspace = Workspace::load()?;
    let home = workspace.target.join("fuzz");
    let host = host(&workspace)?;
    // With a target named, the flags are not those of build scripts and macros.
    let build = Cargo::new("build --package fuzz --bins --profile fuzz --target")
        .args([host.clone()])
        .args(["--target-dir".into(), home.to_string_lossy()])
        .env("RUSTFLAGS", FLAGS.join(" "));
    build.run(&workspace)?;

    let mut findings = Vec::new();
    for target in targets {
        let program = home.join(&host).join("fuzz").join(target);
        findings.extend(fuzz(&workspace, &home, &program, target, seconds)?);
    }
    for (target, path) in &findings {
        println!("error: {target} fails with {}", path.display());
        println!("    see it: cargo run --package fuzz --bin {target} -- {}", path.display());
    }
    match findings.len() {
        0 => Ok(()),
        _ => Err(Failure::Failed(
            "commit what was found under fuzz/corpus with the fix, so that every run of the tests \
             tries it"
                .to_owned(),
        )),
    }
}

/// Runs one program, and returns what broke it.
fn fuzz(
    workspace: &Workspace,
    home: &Path,
    program: &Path,
    target: &'static str,
    seconds: u32,
) -> Result<Option<(&'static str, PathBuf)>, Failure> {
    let (corpus, artifacts) = (home.join("corpus").join(target), home.join("artifacts"));
    let log = home.join(format!("{target}.log"));
    for dir in [&corpus, &artifacts] {
        fs::create_dir_all(dir).map_err(|error| unusable(dir, &error))?;
    }
    let output = fs::File::create(&log).map_err(|error| unusable(&log, &error))?;
    let artifact = artifacts.join(target);
    // What an earlier run found must not be taken for a finding of this one.
    if artifact.exists() {
        fs::remove_file(&artifact).map_err(|error| unusable(&artifact, &error))?;
    }

    let line = format!("fuzz {target} for {seconds} s");
    let status = step(&line, || {
        Command::new(program)
            // New input goes into the first directory; the second is what is committed.
            .args([&corpus, &workspace.root.join("fuzz/corpus").join(target)])
            .arg(format!("-dict={}", workspace.root.join("fuzz/words.dict").display()))
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-exact_artifact_path={}", artifact.display()))
            .args(["-max_len=8192", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"])
            .current_dir(home)
            .stdin(Stdio::null())
            .stderr(output)
            .status()
            .map_err(|error| unusable(program, &error))
    })?;
    let text = fs::read(&log).map_err(|error| unusable(&log, &error))?;
    let text = String::from_utf8_lossy(&text);
    println!("tried {target}: {}", summary(&text));
    if status.success() {
        return Ok(None);
    }
    // From where the check failed to where libFuzzer tells what it did about it.
    for line in text.lines().skip_while(|line| !is_trouble(line)).take(20) {
        println!("    {line}");
    }
    if artifact.exists() {
        Ok(Some((target, artifact)))
    } else {
        Err(Failure::Failed(format!("{target} ended with {status}; see {}", log.display())))
    }
}

fn is_trouble(line: &str) -> bool {
    line.contains("panicked at") || line.contains("ERROR")
}

/// Says how much was tried, in the words of libFuzzer.
fn summary(log: &str) -> String {
    let stat = |name: &str| {
        let line = log.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_start_matches([':', ' ']).to_owned())
    };
    let tried = stat("stat::number_of_executed_units").unwrap_or_else(|| "?".to_owned());
    let speed = stat("stat::average_exec_per_sec").unwrap_or_else(|| "?".to_owned());
    let mut words = log.lines().rev().filter(|line| line.starts_with('#')).flat_map(|line| {
        let (_, rest) = line.split_once(" cov: ")?;
        rest.split_whitespace().next()
    });
    let coverage = words.next().unwrap_or("?");
    format!("{tried} inputs, {speed} per second, {coverage} edges seen")
}

/// Takes `--seconds N` and the names of targets.
fn arguments_of(arguments: &[String]) -> Result<(u32, Vec<&'static str>), Failure> {
    let mut seconds = SECONDS;
    let mut targets = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--seconds" {
            let number = arguments.next().and_then(|number| number.parse().ok());
            seconds = number
                .filter(|number| *number > 0)
                .ok_or_else(|| Failure::Usage("`--seconds` needs a number above 0".to_owned()))?;
        } else {
            let known = TARGETS.into_iter().find(|target| target == argument);
            targets.push(known.ok_or_else(|| {
                Failure::Usage(format!(
                    "there is no target `{argument}`, only {}",
                    TARGETS.join(", ")
                ))
            })?);
        }
    }
    if targets.is_empty() {
        targets.extend(TARGETS);
    }
    Ok((seconds, targets))
}

/// Returns the name of the platform that this runs on, as the compiler calls it.
fn host(workspace: &Workspace) -> Result<String, Failure> {
    let version = Cargo::new("--version --verbose").output(workspace)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failure::Failed("cargo names no host".to_owned()))
}

fn unusable(path: &Path, problem: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(format!("cannot use {}: {problem}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let read = |line: &str| {
            arguments_of(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(read("").unwrap(), (SECONDS, TARGETS.to_vec()));
        assert_eq!(read("delivery --seconds 5 answer").unwrap(), (5, vec!["delivery", "answer"]));
        for bad in ["--seconds", "--seconds 0", "--seconds x", "--all", "nothing"] {
            assert!(matches!(read(bad), Err(Failure::Usage(_))), "{bad}");
        }
    }

    #[test]
    fn every_target_has_a_program_and_a_corpus() {
        let workspace = Workspace::load().unwrap();
        for target in TARGETS {
            let fuzz = workspace.root.join("fuzz");
            assert!(fuzz.join(format!("src/bin/{target}.rs")).is_file(), "{target}");
            assert!(fs::read_dir(fuzz.join("corpus").join(target)).unwrap().count() > 0);
        }
        let programs = fs::read_dir(workspace.root.join("fuzz/src/bin")).unwrap();
        assert_eq!(programs.count(), TARGETS.len());
    }

    #[test]
    fn the_host_is_told() {
        assert!(host(&Workspace::load().unwrap()).unwrap().contains('-'));
    }

    #[test]
    fn a_log_is_summed_up() {
        let log = "#2\tINITED cov: 5 ft: 6 corp: 1/1b\n#900\tNEW    cov: 77 ft: 99 corp: 3/9b\n\
                   stat::number_of_executed_units: 1234\nstat::average_exec_per_sec:     56\n";
        assert_eq!(summary(log), "1234 inputs, 56 per second, 77 edges seen");
        assert_eq!(summary(""), "? inputs, ? per second, ? edges seen");
    }
}
