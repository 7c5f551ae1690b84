//! `cargo xtask bench recovery`: how fast what was missed comes back, from the call that asks for a
//! replay to the settled window, beside what the same receiver takes of the same deliveries as a
//! load.
//!
//! X itself replays at most 2,500 events a second, so a receiver that takes more is never what a
//! recovery waits for: by how much is printed too.

use std::fs;

use serde_json::Value;

use super::{medians, receiver::load_average, rounds, unusable};
use crate::{cargo::Cargo, outcome::Failure, workspace::Workspace};

/// How often everything is measured, and how many events are replayed, if not told otherwise.
const ROUNDS: u32 = 3;
const EVENTS: u32 = 1_000_000;

/// At least this share of the load has to come back.
const GOAL: f64 = 0.5;

/// How many events a second X replays at most.
const CAP: f64 = 2500.0;

/// Runs the command.
pub(super) fn run(arguments: &[String]) -> Result<(), Failure> {
    let (rounds, rest) = rounds(arguments, ROUNDS)?;
    let events = events(&rest)?;
    let workspace = Workspace::load()?;
    let release = workspace.target.join("release");
    let out = workspace.target.join("recovery-bench.json");
    Cargo::new("build --quiet --release --package aaa-cli").run(&workspace)?;
    Cargo::new("run --quiet --release --package receiver-bench --bin receiver-bench --")
        .args(["--program".to_owned(), release.join("aaa").to_string_lossy().into_owned()])
        .args(["--out".to_owned(), out.to_string_lossy().into_owned()])
        .args(["--rounds".to_owned(), rounds.to_string()])
        .args(["--events".to_owned(), events.to_string()])
        .run(&workspace)?;
    let text = fs::read_to_string(&out).map_err(|error| unusable(&out, &error))?;
    let figures = serde_json::from_str(&text).map_err(|error| unusable(&out, &error))?;
    let judged = Judged::of(&figures).ok_or_else(|| unusable(&out, &"a figure is missing"))?;
    print!("{}", judged.table(events));
    super::missed(usize::from(!judged.is_met()))
}

fn events(arguments: &[String]) -> Result<u32, Failure> {
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let number = match words.as_slice() {
        [] => Some(EVENTS),
        ["--events", number] => number.parse().ok().filter(|number| *number > 0),
        _ => None,
    };
    let usage = "`bench recovery` takes `--rounds N` and `--events N`, both above 0";
    number.ok_or_else(|| Failure::Usage(usage.to_owned()))
}

/// Medians of all rounds.
struct Judged {
    recovered: f64,
    load: f64,
    ratio: f64,
    replayed: f64,
    settling: f64,
    load_average: String,
}

impl Judged {
    fn of(figures: &Value) -> Option<Self> {
        let of = |name: &str| medians(figures, |round| round.get(name)?.as_f64());
        let ratio = |round: &Value| {
            Some(round.get("recovered_rate")?.as_f64()? / round.get("load_rate")?.as_f64()?)
        };
        Some(Self {
            recovered: of("recovered_rate")?,
            load: of("load_rate")?,
            ratio: medians(figures, ratio)?,
            replayed: of("replayed_rate")?,
            settling: of("settling")?,
            load_average: load_average(figures),
        })
    }

    fn is_met(&self) -> bool {
        self.ratio >= GOAL
    }

    fn table(&self, events: u32) -> String {
        let head = ["what", "ours", "beside", "ratio", "goal", "met"].map(str::to_owned);
        let line = [
            format!("{events} events recovered / as a load"),
            format!("{:.0} /s", self.recovered),
            format!("{:.0} /s", self.load),
            format!("{:.2} x", self.ratio),
            format!("at least {GOAL} x"),
            if self.is_met() { "yes" } else { "NO" }.to_owned(),
        ];
        format!(
            "{}{:.1} times what X replays in a second at most; the deliveries alone came at {:.0} \
             /s; settling took {:.2} s; load average: {}\n",
            super::aligned(&[head, line]),
            self.recovered / CAP,
            self.replayed,
            self.settling,
            self.load_average,
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn half_of_the_load_is_enough() {
        let round = |recovered: f64| {
            json!({"recovered_rate": recovered, "load_rate": 20_000.0, "replayed_rate": 12_500.0,
                "settling": 0.25, "load_average": 1.5})
        };
        let figures = json!({"rounds": [round(10_000.0), round(1.0), round(12_000.0)]});
        let judged = Judged::of(&figures).unwrap();
        assert!(judged.is_met());
        assert_eq!(
            judged.table(1_000_000),
            "\
what                                      ours    beside  ratio   goal            met
1000000 events recovered / as a load  10000 /s  20000 /s  0.50 x  at least 0.5 x  yes
4.0 times what X replays in a second at most; the deliveries alone came at 12500 /s; settling took \
             0.25 s; load average: 1.5
"
        );
        let slow = Judged::of(&json!({"rounds": [round(9_999.0)]})).unwrap();
        assert!(!slow.is_met());
        assert!(Judged::of(&json!({"rounds": []})).is_none());
    }

    #[test]
    fn arguments() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(events(&words("")).unwrap(), EVENTS);
        assert_eq!(events(&words("--events 50000")).unwrap(), 50_000);
        for bad in ["--events", "--events 0", "--events x", "plan"] {
            assert!(matches!(events(&words(bad)), Err(Failure::Usage(_))), "{bad}");
        }
    }
}
