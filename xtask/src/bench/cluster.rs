//! `cargo xtask bench cluster`: how far 1, 2 and 4 receivers go that share a stream on three servers
//! of JetStream, beside one receiver with a file of its own.
//!
//! Everything shares one machine, so there is no goal for the rates. What a delivery costs is what
//! `cargo xtask scaling` reckons with.

use std::fs;

use serde_json::Value;

use super::{medians, receiver::load_average, rounds, unusable};
use crate::{cargo::Cargo, outcome::Failure, scaling::Costs, workspace::Workspace};

/// How often everything is measured, if not told otherwise.
const ROUNDS: u32 = 3;

/// Where figures are left for `cargo xtask scaling`.
pub(crate) const FIGURES: &str = "cluster-bench.json";

/// Runs the command.
pub(super) fn run(arguments: &[String]) -> Result<(), Failure> {
    let (rounds, rest) = rounds(arguments, ROUNDS)?;
    if let Some(other) = rest.first() {
        return Err(Failure::Usage(format!("`bench cluster` stands alone, without `{other}`")));
    }
    let workspace = Workspace::load()?;
    let release = workspace.target.join("release");
    let out = workspace.target.join(FIGURES);
    Cargo::new("build --quiet --release --package aaa-cli").run(&workspace)?;
    Cargo::new("run --quiet --release --package receiver-bench --bin receiver-bench --")
        .args(["--program".to_owned(), release.join("aaa").to_string_lossy().into_owned()])
        .args(["--out".to_owned(), out.to_string_lossy().into_owned()])
        .args(["--rounds".to_owned(), rounds.to_string()])
        .args(["--cluster".to_owned()])
        .run(&workspace)?;
    let text = fs::read_to_string(&out).map_err(|error| unusable(&out, &error))?;
    let figures = serde_json::from_str(&text).map_err(|error| unusable(&out, &error))?;
    print!("{}", table(&figures).ok_or_else(|| unusable(&out, &"a figure is missing"))?);
    Ok(())
}

/// Reads what a delivery costs: with one receiver, since more of them on one machine wait for one
/// another.
pub(crate) fn costs(figures: &Value) -> Option<Costs> {
    let of = |at: &str| medians(figures, |round| round.pointer(at)?.as_f64());
    Some(Costs {
        receiver_micros: of("/cluster/0/receiver_cpu")?,
        servers_micros: of("/cluster/0/server_cpu")?,
        disk_bytes: of("/cluster/0/bytes")?,
        key_bytes: of("/key_bytes")?,
        stream_rate: of("/cluster/0/rate")?.max(of("/cluster/1/rate")?),
    })
}

fn table(figures: &Value) -> Option<String> {
    let line = |what: String, at: &str| {
        let of = |name: &str| {
            let at = format!("{at}/{name}");
            medians(figures, |round| round.pointer(&at)?.as_f64())
        };
        let micros = |name| of(name).map_or_else(|| "-".to_owned(), |time| format!("{time:.0} µs"));
        Some([
            what,
            format!("{:.0} /s", of("rate")?),
            format!("{:.1} ms", of("p99")?),
            micros("receiver_cpu"),
            micros("server_cpu"),
            of("bytes").map_or_else(|| "-".to_owned(), |bytes| format!("{bytes:.0} bytes")),
        ])
    };
    let head = ["what", "acknowledged", "p99", "receivers", "servers", "disk"].map(str::to_owned);
    let mut lines = vec![head, line("1 receiver, a file of its own".to_owned(), "/file")?];
    let rounds = figures.get("rounds")?.as_array()?;
    let count = rounds.first()?.get("cluster")?.as_array()?.len();
    for n in 0..count {
        let receivers =
            medians(figures, |round| round.pointer(&format!("/cluster/{n}/receivers"))?.as_f64())?;
        let s = if n == 0 { "" } else { "s" };
        let what = format!("{receivers:.0} receiver{s}, a stream on 3 servers");
        lines.push(line(what, &format!("/cluster/{n}"))?);
    }
    Some(format!(
        "{}a key in a server's memory: {:.0} bytes; load average: {}\n",
        super::aligned(&lines),
        medians(figures, |round| round.get("key_bytes")?.as_f64())?,
        load_average(figures),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn figures() -> Value {
        let point = |receivers: u32, rate: f64, bytes: Option<f64>| {
            json!({"receivers": receivers, "rate": rate, "p50": 1.0, "p99": 25.25,
                "receiver_cpu": 90.0, "server_cpu": 210.0, "bytes": bytes})
        };
        let round = |rate: f64| {
            json!({
                "load_average": 1.5,
                "key_bytes": 250.0,
                "file": point(1, 15_000.0, None),
                "cluster": [point(1, rate, Some(2600.0)), point(2, rate * 1.25, Some(2600.0))],
            })
        };
        json!({"rounds": [round(4000.0), round(1.0), round(5000.0)]})
    }

    #[test]
    fn what_several_receivers_reach() {
        assert_eq!(
            table(&figures()).unwrap(),
            "\
what                                acknowledged      p99  receivers  servers  disk
1 receiver, a file of its own           15000 /s  25.2 ms  90 µs      210 µs   -
1 receiver, a stream on 3 servers        4000 /s  25.2 ms  90 µs      210 µs   2600 bytes
2 receivers, a stream on 3 servers       5000 /s  25.2 ms  90 µs      210 µs   2600 bytes
a key in a server's memory: 250 bytes; load average: 1.5
"
        );
        assert!(table(&json!({"rounds": []})).is_none());
    }

    #[test]
    fn what_a_delivery_costs() {
        let costs = costs(&figures()).unwrap();
        assert_eq!((costs.receiver_micros, costs.servers_micros), (90.0, 210.0));
        assert_eq!((costs.disk_bytes, costs.key_bytes, costs.stream_rate), (2600.0, 250.0, 5000.0));
    }
}
