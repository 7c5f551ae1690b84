//! `cargo xtask bench receiver`: what the whole way costs, from the connection to the commit,
//! beside a bare axum server that reads the same bodies and answers 200.
//!
//! A package of its own does the work and writes down what it has seen; here it is judged. Both
//! servers are loaded in turn, several times over, and the median of what is judged counts. The
//! loads and their sender share the machine with whatever else it does, so the load average stands
//! below the table.

use std::fs;

use serde_json::Value;

use super::{medians, rounds, unusable};
use crate::{cargo::Cargo, outcome::Failure, workspace::Workspace};

/// How often everything is measured, if not told otherwise.
const ROUNDS: u32 = 5;

/// A line of the table.
struct Line {
    what: &'static str,
    unit: &'static str,
    /// Where both figures are found in a round; what is ours is judged beside the other.
    ours: &'static str,
    beside: &'static str,
    goal: Goal,
}

/// What has to be.
#[derive(Clone, Copy)]
enum Goal {
    /// Ours is at least this share of what stands beside it.
    Share(f64),
    /// Ours is at most so many times what stands beside it.
    Times(f64),
    /// Ours is below this.
    Below(f64),
}

const LINES: [Line; 6] = [
    Line {
        what: "committed deliveries, 64 connections",
        unit: "/s",
        ours: "/ours/rate",
        beside: "/bare/rate",
        goal: Goal::Share(0.4),
    },
    Line {
        what: "acknowledgement p99, 64 connections",
        unit: "ms",
        ours: "/ours/p99",
        beside: "/bare/p99",
        goal: Goal::Below(25.0),
    },
    Line {
        what: "acknowledgement p99, 2,500/s offered",
        unit: "ms",
        ours: "/ours/paced_p99",
        beside: "/bare/paced_p99",
        goal: Goal::Below(10.0),
    },
    Line {
        what: "challenge p99 under full load",
        unit: "ms",
        ours: "/ours/crc_p99",
        beside: "/bare/crc_p99",
        goal: Goal::Times(3.0),
    },
    Line {
        what: "challenge p99, commits stuck, no load",
        unit: "ms",
        ours: "/ours/stuck_crc_p99",
        beside: "/bare/stuck_crc_p99",
        goal: Goal::Below(5.0),
    },
    Line {
        what: "5 million keys stored / empty store",
        unit: "/s",
        ours: "/filled_rate",
        beside: "/ours/rate",
        goal: Goal::Share(0.8),
    },
];

/// How much memory a receiver may take among a thousand slow clients, in MiB.
const MEMORY: f64 = 100.0;

/// Runs the command.
pub(super) fn run(arguments: &[String]) -> Result<(), Failure> {
    let (rounds, rest) = rounds(arguments, ROUNDS)?;
    if let Some(other) = rest.first() {
        return Err(Failure::Usage(format!("`bench receiver` stands alone, without `{other}`")));
    }
    let workspace = Workspace::load()?;
    let release = workspace.target.join("release");
    let out = workspace.target.join("receiver-bench.json");
    Cargo::new("build --quiet --release --package aaa-cli").run(&workspace)?;
    // All of its programs: the bare server is one of them.
    Cargo::new("build --quiet --release --package receiver-bench").run(&workspace)?;
    Cargo::new("run --quiet --release --package receiver-bench --bin receiver-bench --")
        .args(["--program".to_owned(), release.join("aaa").to_string_lossy().into_owned()])
        .args(["--out".to_owned(), out.to_string_lossy().into_owned()])
        .args(["--rounds".to_owned(), rounds.to_string()])
        .run(&workspace)?;
    let text = fs::read_to_string(&out).map_err(|error| unusable(&out, &error))?;
    let figures = serde_json::from_str(&text).map_err(|error| unusable(&out, &error))?;
    let rows = rows(&figures).ok_or_else(|| unusable(&out, &"a figure is missing"))?;
    print!("{}", super::aligned(&cells(&rows)));
    println!("{}", remarks(&figures));
    super::missed(rows.iter().filter(|row| !row.met).count())
}

struct Row {
    what: &'static str,
    ours: String,
    beside: String,
    ratio: String,
    goal: String,
    met: bool,
}

fn rows(figures: &Value) -> Option<Vec<Row>> {
    let of = |at: &str| medians(figures, |round| round.pointer(at)?.as_f64());
    let mut rows = Vec::new();
    for line in &LINES {
        let ratio = medians(figures, |round| {
            Some(round.pointer(line.ours)?.as_f64()? / round.pointer(line.beside)?.as_f64()?)
        })?;
        let (ours, beside) = (of(line.ours)?, of(line.beside)?);
        let (goal, met) = match line.goal {
            Goal::Share(least) => (format!("at least {least} x"), ratio >= least),
            Goal::Times(most) => (format!("at most {most} x"), ratio <= most),
            Goal::Below(limit) => (format!("below {limit} {}", line.unit), ours < limit),
        };
        let shown = |figure: f64| match line.unit {
            "/s" => format!("{figure:.0} /s"),
            unit => format!("{figure:.1} {unit}"),
        };
        let (ours, beside) = (shown(ours), shown(beside));
        rows.push(Row { what: line.what, ours, beside, ratio: format!("{ratio:.2} x"), goal, met });
    }
    // Only some systems tell.
    if let Some(memory) = figures.get("memory")?.as_f64() {
        rows.push(Row {
            what: "memory, full load and 1,000 slow clients",
            ours: format!("{memory:.0} MiB"),
            beside: "-".to_owned(),
            ratio: "-".to_owned(),
            goal: format!("below {MEMORY} MiB"),
            met: memory < MEMORY,
        });
    }
    Some(rows)
}

fn cells(rows: &[Row]) -> Vec<[String; 6]> {
    let head = ["what", "ours", "beside", "ratio", "goal", "met"].map(str::to_owned);
    let rows = rows.iter().map(|row| {
        let met = if row.met { "yes" } else { "NO" };
        let Row { what, ours, beside, ratio, goal, .. } = row;
        [
            (*what).to_owned(),
            ours.clone(),
            beside.clone(),
            ratio.clone(),
            goal.clone(),
            met.to_owned(),
        ]
    });
    std::iter::once(head).chain(rows).collect()
}

fn remarks(figures: &Value) -> String {
    let of = |at: &str| medians(figures, |round| round.pointer(at)?.as_f64());
    let start = of("/filled_start").unwrap_or(f64::NAN);
    let share = of("/ours/paced_share").unwrap_or(f64::NAN);
    let load = load_average(figures);
    format!(
        "acknowledged of what was offered: {:.0} %; start with 5 million keys: {start:.1} s; load \
         average: {load}",
        share * 100.0
    )
}

/// Returns how busy the machine was, in words.
pub(super) fn load_average(figures: &Value) -> String {
    let load = medians(figures, |round| round.get("load_average")?.as_f64());
    load.map_or_else(|| "unknown".to_owned(), |load| format!("{load:.1}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_median_of_each_figure_is_judged() {
        let server = |rate: f64, ms: f64| json!({"rate": rate, "p99": ms, "crc_p99": ms, "paced_p99": ms, "paced_share": 1.0, "stuck_crc_p99": ms / 2.0});
        let round = |ours: f64, ms: f64, filled: f64| {
            json!({
                "load_average": 2.0,
                "bare": server(20_000.0, 4.0),
                "ours": server(ours, ms),
                "filled_rate": filled,
                "filled_start": 4.0,
            })
        };
        // One round in which something else ran beside ours.
        let rounds = [round(9000.0, 9.0, 8000.0), round(10.0, 9000.0, 9.0), round(9e3, 9.5, 7e3)];
        let mut figures = json!({"rounds": rounds, "memory": 60.25});
        let judged = rows(&figures).unwrap();
        assert!(judged.iter().all(|row| row.met));
        assert_eq!(
            super::super::aligned(&cells(&judged)),
            "\
what                                         ours    beside  ratio   goal            met
committed deliveries, 64 connections      9000 /s  20000 /s  0.45 x  at least 0.4 x  yes
acknowledgement p99, 64 connections        9.5 ms    4.0 ms  2.38 x  below 25 ms     yes
acknowledgement p99, 2,500/s offered       9.5 ms    4.0 ms  2.38 x  below 10 ms     yes
challenge p99 under full load              9.5 ms    4.0 ms  2.38 x  at most 3 x     yes
challenge p99, commits stuck, no load      4.8 ms    2.0 ms  2.38 x  below 5 ms      yes
5 million keys stored / empty store       7000 /s   9000 /s  0.89 x  at least 0.8 x  yes
memory, full load and 1,000 slow clients   60 MiB         -  -       below 100 MiB   yes
"
        );
        figures["rounds"] = json!([round(7999.0, 25.0, 6000.0)]);
        figures["memory"] = json!(100.0);
        assert!(rows(&figures).unwrap().iter().all(|row| !row.met));
        // Without a word about memory there is nothing to judge.
        figures["memory"] = Value::Null;
        assert_eq!(rows(&figures).unwrap().len(), LINES.len());
    }

    #[test]
    fn a_figure_that_is_missing_is_no_zero() {
        assert!(rows(&json!({"rounds": [], "memory": null})).is_none());
        assert!(rows(&json!({"rounds": [{"ours": {"rate": 1.0}}], "memory": null})).is_none());
    }
}
