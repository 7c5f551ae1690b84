//! `cargo xtask bench`: how fast we are beside the bare libraries, and whether that is as fast as
//! we mean to be.
//!
//! Times depend on the machine and on what else it does, so only ratios are judged, of two
//! functions measured one after the other. All is measured several times over, and the median of
//! the ratios counts. `cargo xtask bench receiver` measures the whole way instead ([`receiver`]),
//! `cargo xtask bench recovery` a replay ([`recovery`]), `cargo xtask bench cluster` receivers that
//! share a stream ([`cluster`]), `cargo xtask bench emulator` who sends ([`emulator`]). None of this
//! is part of the gate: a gate that fails on a busy machine is ignored soon.

pub(crate) mod cluster;
mod emulator;
mod receiver;
mod recovery;

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    cargo::{Cargo, step},
    outcome::Failure,
    workspace::Workspace,
};

const ROUNDS: u32 = 9;

/// Two functions of the package `benches`, `ours` and `bare`, in a group of this name.
struct Comparison {
    name: &'static str,
    what: &'static str,
    goal: Goal,
}

/// What the ratio of a comparison has to be.
#[derive(Clone, Copy)]
enum Goal {
    /// At least so many times as fast as the bare library.
    AsFast(f64),
    /// At most so many times the time of the bare library, which is part of ours.
    Longer(Option<f64>),
    /// Below so many milliseconds, since that was promised as such.
    Below(f64),
}

const COMPARISONS: [Comparison; 12] = [
    Comparison {
        name: "keys-post",
        what: "keys of a post / a tree of values",
        goal: Goal::AsFast(2.5),
    },
    Comparison {
        name: "keys-favorite",
        what: "keys of a like / a tree of values",
        goal: Goal::AsFast(2.5),
    },
    Comparison {
        name: "keys-message",
        what: "keys of a message / a tree of values",
        goal: Goal::AsFast(2.5),
    },
    Comparison {
        name: "decode-post",
        what: "typed post / a tree of values",
        goal: Goal::AsFast(1.0),
    },
    Comparison {
        name: "decode-favorite",
        what: "typed like / a tree of values",
        goal: Goal::AsFast(1.0),
    },
    Comparison {
        name: "decode-message",
        what: "typed message / a tree of values",
        goal: Goal::AsFast(1.0),
    },
    Comparison {
        name: "verify",
        what: "verifying a delivery / its HMAC-SHA256",
        goal: Goal::Longer(Some(1.1)),
    },
    Comparison {
        name: "sign",
        what: "signing a request / its HMAC-SHA1",
        goal: Goal::Longer(None),
    },
    // A plan that takes no more than a few times as long as sorting, whatever their number, grows as
    // sorting does.
    Comparison {
        name: "plan-1000",
        what: "planning 1,000 gaps / sorting them",
        goal: Goal::Longer(Some(4.0)),
    },
    Comparison {
        name: "plan-10000",
        what: "planning 10,000 gaps / sorting them",
        goal: Goal::Longer(Some(4.0)),
    },
    Comparison {
        name: "plan-100000",
        what: "planning 100,000 gaps / sorting them",
        goal: Goal::Longer(Some(4.0)),
    },
    Comparison { name: "plan-100000", what: "planning 100,000 gaps", goal: Goal::Below(100.0) },
];

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    match arguments.split_first().map(|(name, rest)| (name.as_str(), rest)) {
        Some(("receiver", rest)) => return receiver::run(rest),
        Some(("recovery", rest)) => return recovery::run(rest),
        Some(("cluster", rest)) => return cluster::run(rest),
        Some(("emulator", rest)) => return emulator::run(rest),
        Some(("timing", rest)) => return timing(rest),
        _ => {}
    }
    let (rounds, names) = rounds(arguments, ROUNDS)?;
    let comparisons = select(&names)?;
    let workspace = Workspace::load()?;
    let home = workspace.target.join("criterion-rounds");
    // What an earlier run left behind must not be taken for a result of this one.
    if home.exists() {
        fs::remove_dir_all(&home).map_err(|error| unusable(&home, &error))?;
    }

    let mut groups: Vec<_> = comparisons.iter().map(|comparison| comparison.name).collect();
    groups.dedup();
    let measure = Cargo::new("bench --quiet --package benches --bench speed --")
        .args(["--quiet", "--warm-up-time", "0.1", "--measurement-time", "0.25"])
        .args([format!("^({})/", groups.join("|"))])
        .env("CRITERION_HOME", home.to_string_lossy());
    let mut measured = vec![Vec::new(); comparisons.len()];
    for _ in 0..rounds {
        step(&measure, || measure.output(&workspace))?;
        for (comparison, times) in comparisons.iter().zip(&mut measured) {
            let group = home.join(comparison.name);
            times.push(Times { ours: estimate(&group, "ours")?, bare: estimate(&group, "bare")? });
        }
    }

    let rows = comparisons.iter().zip(&measured);
    let rows: Vec<_> = rows.map(|(comparison, times)| Row::new(comparison, times)).collect();
    print!("{}", table(&rows));
    missed(rows.iter().filter(|row| row.met == Some(false)).count())
}

/// Looks whether the time of a verification tells anything about the signature.
fn timing(arguments: &[String]) -> Result<(), Failure> {
    if let Some(unexpected) = arguments.first() {
        return Err(Failure::Usage(format!("unexpected argument `{unexpected}`")));
    }
    let workspace = Workspace::load()?;
    Cargo::new("run --quiet --release --package benches --bin timing").run(&workspace)
}

/// Ends with how many goals are missed.
fn missed(goals: usize) -> Result<(), Failure> {
    match goals {
        0 => Ok(()),
        1 => Err(Failure::Failed("one goal is missed".to_owned())),
        many => Err(Failure::Failed(format!("{many} goals are missed"))),
    }
}

/// Takes `--rounds N` out of the arguments.
fn rounds(arguments: &[String], unless_told: u32) -> Result<(u32, Vec<String>), Failure> {
    let mut rest = arguments.to_vec();
    let Some(at) = rest.iter().position(|argument| argument == "--rounds") else {
        return Ok((unless_told, rest));
    };
    let number = rest.get(at + 1).and_then(|number| number.parse().ok());
    let number = number
        .filter(|number| *number > 0)
        .ok_or_else(|| Failure::Usage("`--rounds` needs a number above 0".to_owned()))?;
    rest.drain(at..=at + 1);
    Ok((number, rest))
}

/// Returns the comparisons whose names begin with one of these; all of them if there is none.
fn select(names: &[String]) -> Result<Vec<&'static Comparison>, Failure> {
    let begins = |name: &String| COMPARISONS.iter().any(|known| known.name.starts_with(name));
    if let Some(unknown) = names.iter().find(|name| name.starts_with('-') || !begins(name)) {
        let known: Vec<_> = COMPARISONS.iter().map(|comparison| comparison.name).collect();
        return Err(Failure::Usage(format!(
            "there is no comparison `{unknown}`, only {}",
            known.join(", ")
        )));
    }
    let wanted = |known: &&Comparison| {
        names.is_empty() || names.iter().any(|name| known.name.starts_with(name))
    };
    Ok(COMPARISONS.iter().filter(wanted).collect())
}

/// The medians of one round, in nanoseconds.
#[derive(Clone, Copy)]
struct Times {
    ours: f64,
    bare: f64,
}

/// Reads what criterion found out about one function.
fn estimate(group: &Path, function: &str) -> Result<f64, Failure> {
    let path = group.join(function).join("new/estimates.json");
    let text = fs::read_to_string(&path).map_err(|error| unusable(&path, &error))?;
    let median = serde_json::from_str(&text).ok().and_then(|estimates: Value| {
        estimates.pointer("/median/point_estimate").and_then(Value::as_f64)
    });
    median.filter(|time| *time > 0.0).ok_or_else(|| unusable(&path, &"there is no median in it"))
}

/// A line of the table.
struct Row {
    what: &'static str,
    times: Times,
    ratio: f64,
    goal: Goal,
    /// `None` when there is no goal.
    met: Option<bool>,
}

impl Row {
    fn new(comparison: &Comparison, rounds: &[Times]) -> Self {
        let of = |f: fn(&Times) -> f64| median(rounds.iter().map(f).collect());
        let goal = comparison.goal;
        let (ratio, met) = match goal {
            Goal::AsFast(least) => {
                let ratio = of(|times| times.bare / times.ours);
                (ratio, Some(ratio >= least))
            }
            Goal::Longer(most) => {
                let ratio = of(|times| times.ours / times.bare);
                (ratio, most.map(|most| ratio <= most))
            }
            Goal::Below(most) => {
                let ratio = of(|times| times.ours / times.bare);
                (ratio, Some(of(|times| times.ours) < most * 1e6))
            }
        };
        let times = Times { ours: of(|times| times.ours), bare: of(|times| times.bare) };
        Self { what: comparison.what, times, ratio, goal, met }
    }
}

/// Returns the median of something over all rounds that were written down.
fn medians(figures: &Value, of: impl FnMut(&Value) -> Option<f64>) -> Option<f64> {
    let numbers: Option<Vec<_>> = figures.get("rounds")?.as_array()?.iter().map(of).collect();
    numbers.filter(|numbers| !numbers.is_empty()).map(median)
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    // Both are the middle of an odd number, and the two in the middle of an even one.
    let (lower, upper) = (numbers.len().saturating_sub(1) / 2, numbers.len() / 2);
    match (numbers.get(lower), numbers.get(upper)) {
        (Some(lower), Some(upper)) => f64::midpoint(*lower, *upper),
        _ => f64::NAN,
    }
}

fn table(rows: &[Row]) -> String {
    let head = ["what", "ours", "bare", "ratio", "goal", "met"].map(str::to_owned);
    let lines = rows.iter().map(|row| {
        let (unit, goal) = match row.goal {
            Goal::AsFast(least) => ("as fast", format!("at least {least}")),
            Goal::Longer(Some(most)) => ("the time", format!("at most {most}")),
            Goal::Longer(None) => ("the time", "none".to_owned()),
            Goal::Below(most) => ("the time", format!("below {most} ms")),
        };
        let met = row.met.map_or("-", |met| if met { "yes" } else { "NO" });
        [
            row.what.to_owned(),
            format!("{:.0} ns", row.times.ours),
            format!("{:.0} ns", row.times.bare),
            format!("{:.2} x {unit}", row.ratio),
            goal,
            met.to_owned(),
        ]
    });
    aligned(&std::iter::once(head).chain(lines).collect::<Vec<_>>())
}

/// Writes lines of cells below each other.
fn aligned(lines: &[[String; 6]]) -> String {
    let mut text = String::new();
    for line in lines {
        for (column, cell) in line.iter().enumerate() {
            let width =
                lines.iter().filter_map(|line| Some(line.get(column)?.len())).max().unwrap_or(0);
            // Times are numbers, so they stand at the right.
            text += &if matches!(column, 1 | 2) {
                format!("{cell:>width$}  ")
            } else {
                format!("{cell:width$}  ")
            };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

fn unusable(path: &Path, problem: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(format!("cannot use {}: {problem}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_median_of_the_ratios_is_judged() {
        let round = |ours, bare| Times { ours, bare };
        // One round in which something else ran beside ours.
        let rounds = [round(10.0, 30.0), round(90.0, 30.0), round(11.0, 30.0)];
        let faster = |goal| Comparison { name: "x", what: "x / y", goal };
        let row = Row::new(&faster(Goal::AsFast(2.5)), &rounds);
        assert_eq!((row.times.ours, row.times.bare), (11.0, 30.0));
        assert_eq!(row.met, Some(true));
        assert_eq!(Row::new(&faster(Goal::AsFast(3.0)), &rounds).met, Some(false));
        let rounds = [round(11.0, 10.0), round(10.0, 10.0)];
        assert_eq!(Row::new(&faster(Goal::Longer(Some(1.1))), &rounds).met, Some(true));
        assert_eq!(Row::new(&faster(Goal::Longer(Some(1.0))), &rounds).met, Some(false));
        assert_eq!(Row::new(&faster(Goal::Longer(None)), &rounds).met, None);
        let rounds = [round(99e6, 1.0), round(98e6, 1.0), round(900e6, 1.0)];
        assert_eq!(Row::new(&faster(Goal::Below(100.0)), &rounds).met, Some(true));
        assert_eq!(Row::new(&faster(Goal::Below(99.0)), &rounds).met, Some(false));
    }

    #[test]
    fn a_table_names_what_is_missed() {
        let row = |what, goal, met| Row {
            what,
            times: Times { ours: 1234.5, bare: 99.0 },
            ratio: 0.0802,
            goal,
            met,
        };
        let rows = [
            row("a / b", Goal::AsFast(2.5), Some(false)),
            row("signing / b", Goal::Longer(None), None),
        ];
        assert_eq!(
            table(&rows),
            "what            ours   bare  ratio            goal          met\n\
             a / b        1234 ns  99 ns  0.08 x as fast   at least 2.5  NO\n\
             signing / b  1234 ns  99 ns  0.08 x the time  none          -\n"
        );
    }

    #[test]
    fn arguments() {
        assert_eq!(rounds(&[], ROUNDS).unwrap(), (ROUNDS, Vec::new()));
        assert_eq!(rounds(&words("keys --rounds 2 sign"), 5).unwrap(), (2, words("keys sign")));
        for bad in ["--rounds", "--rounds 0", "--rounds x"] {
            assert!(matches!(rounds(&words(bad), 5), Err(Failure::Usage(_))), "{bad}");
        }
        let selected = |line| select(&words(line)).unwrap().iter().map(|c| c.name).collect();
        let names: Vec<&str> = selected("keys-post sign");
        assert_eq!(names, ["keys-post", "sign"]);
        let names: Vec<&str> = selected("decode");
        assert_eq!(names.len(), 3);
        let names: Vec<&str> = selected("");
        assert_eq!(names.len(), COMPARISONS.len());
        for bad in ["nobody", "--all", "keys nobody"] {
            assert!(matches!(select(&words(bad)), Err(Failure::Usage(_))), "{bad}");
        }
    }
}
