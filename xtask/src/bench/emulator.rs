//! `cargo xtask bench emulator`: how many deliveries a second the emulator makes on one thread,
//! beside wrk with one thread on the same sink in the same run.
//!
//! wrk sends one request over and over, which it made once. The emulator makes each event, signs it
//! and writes down what became of it. Where the system tells how much of a core's time each of them
//! took, it is said below the table; how much wrk needs of it depends on how long the sink lets it
//! wait, so what is judged is what arrives in a second.

use std::fs;

use serde_json::Value;

use super::{aligned, median, rounds, unusable};
use crate::{cargo::Cargo, outcome::Failure, workspace::Workspace};

/// How often both are measured, if not told otherwise.
const ROUNDS: u32 = 5;

/// Which share of wrk's requests the emulator has to make.
const GOAL: f64 = 0.5;

/// Runs the command.
pub(super) fn run(arguments: &[String]) -> Result<(), Failure> {
    let (rounds, rest) = rounds(arguments, ROUNDS)?;
    if let Some(other) = rest.first() {
        return Err(Failure::Usage(format!("`bench emulator` stands alone, without `{other}`")));
    }
    let workspace = Workspace::load()?;
    let out = workspace.target.join("emulator-bench.json");
    let sink = workspace.target.join("release").join("sink");
    // Both of its programs.
    Cargo::new("build --quiet --release --package emulator-bench").run(&workspace)?;
    Cargo::new("run --quiet --release --package emulator-bench --bin emulator-bench --")
        .args(["--sink".to_owned(), sink.to_string_lossy().into_owned()])
        .args(["--out".to_owned(), out.to_string_lossy().into_owned()])
        .args(["--rounds".to_owned(), rounds.to_string()])
        .run(&workspace)?;
    let text = fs::read_to_string(&out).map_err(|error| unusable(&out, &error))?;
    let figures = serde_json::from_str(&text).map_err(|error| unusable(&out, &error))?;
    let judged = Judged::new(&figures).ok_or_else(|| unusable(&out, &"a figure is missing"))?;
    print!("{}", judged.table());
    if let Some(per_core) = judged.per_core {
        println!("the emulator makes {per_core:.0} deliveries per second of a core's time");
    }
    if judged.ratio.is_none() {
        println!("skipped: wrk is not installed, so nothing is judged");
    }
    super::missed(usize::from(judged.ratio.is_some_and(|ratio| ratio < GOAL)))
}

/// Medians over all rounds.
struct Judged {
    emulator: f64,
    body: f64,
    wrk: Option<f64>,
    ratio: Option<f64>,
    /// What the emulator delivers per second of a core's time.
    per_core: Option<f64>,
}

impl Judged {
    fn new(figures: &Value) -> Option<Self> {
        let rounds = figures.get("rounds")?.as_array()?;
        if rounds.is_empty() {
            return None;
        }
        let of = |path: &str| -> Option<Vec<f64>> {
            rounds.iter().map(|round| round.pointer(path)?.as_f64()).collect()
        };
        let (emulator, wrk) = (of("/emulator/per_second")?, of("/wrk/per_second"));
        let ratio = wrk.as_ref().map(|wrk| {
            median(emulator.iter().zip(wrk).map(|(emulator, wrk)| emulator / wrk).collect())
        });
        let (emulator, body) = (median(emulator), median(of("/body")?));
        let per_core = of("/emulator/per_core").map(median);
        Some(Self { emulator, body, wrk: wrk.map(median), ratio, per_core })
    }

    fn table(&self) -> String {
        let head = ["what", "emulator", "wrk", "ratio", "goal", "met"].map(str::to_owned);
        let shown = |rate: f64| format!("{rate:.0} /s");
        let row = [
            format!("deliveries of {:.0} bytes, one thread", self.body),
            shown(self.emulator),
            self.wrk.map_or_else(|| "-".to_owned(), shown),
            self.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2} x")),
            format!("at least {GOAL} x"),
            match self.ratio {
                None => "-".to_owned(),
                Some(ratio) if ratio >= GOAL => "yes".to_owned(),
                Some(_) => "NO".to_owned(),
            },
        ];
        aligned(&[head, row])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_median_of_the_ratios_is_judged() {
        let rates = |rate: f64| json!({"per_second": rate, "per_core": 2.0 * rate});
        let round = |emulator: f64, wrk: Option<f64>| json!({"emulator": rates(emulator), "wrk": wrk.map(rates), "body": 1800.0});
        let all = [round(50.0, Some(90.0)), round(9.0, Some(90.0)), round(60.0, Some(100.0))];
        let judged = Judged::new(&json!({ "rounds": all })).unwrap();
        assert_eq!(judged.ratio, Some(50.0 / 90.0));
        assert_eq!(
            judged.table(),
            "\
what                                  emulator    wrk  ratio   goal            met
deliveries of 1800 bytes, one thread     50 /s  90 /s  0.56 x  at least 0.5 x  yes
"
        );
        let alone = Judged::new(&json!({"rounds": [round(50.0, None)]})).unwrap();
        assert_eq!((alone.ratio, alone.emulator, alone.per_core), (None, 50.0, Some(100.0)));
        let mut untold = round(50.0, Some(200.0));
        untold["emulator"]["per_core"] = Value::Null;
        let untold = Judged::new(&json!({ "rounds": [untold] })).unwrap();
        assert_eq!((untold.ratio, untold.per_core), (Some(0.25), None));
        assert!(Judged::new(&json!({"rounds": []})).is_none());
        assert!(Judged::new(&json!({"rounds": [{"wrk": 1.0}]})).is_none());
    }
}
