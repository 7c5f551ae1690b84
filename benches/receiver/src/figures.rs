//! What is written down. Rates are deliveries a second, latencies milliseconds.

use serde::Serialize;

use crate::senders::{Checks, Load};

/// A whole run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Figures {
    pub(crate) rounds: Vec<Round>,
    /// The most memory that the receiver took among slow clients, in MiB.
    pub(crate) memory: Option<f64>,
}

/// Everything once.
#[derive(Debug, Serialize)]
pub(crate) struct Round {
    /// How much else the machine does: the average of the last minute.
    pub(crate) load_average: Option<f64>,
    pub(crate) bare: Measured,
    pub(crate) ours: Measured,
    /// The rate of ours, when its store is filled.
    pub(crate) filled_rate: f64,
    /// How long ours takes to start then, in seconds.
    pub(crate) filled_start: f64,
}

/// One server under both loads.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// Under full load.
    rate: f64,
    p50: f64,
    p99: f64,
    /// Challenge-response checks during that.
    crc_p99: f64,
    /// At the offered pace.
    paced_p50: f64,
    paced_p99: f64,
    /// How much of what was offered was acknowledged.
    paced_share: f64,
    /// Checks without a load, while nothing can be committed.
    stuck_crc_p99: f64,
}

impl Measured {
    pub(crate) fn new(full: &Load, paced: &Load, stuck: &Checks) -> Self {
        Self {
            rate: full.rate,
            p50: full.latency.at(0.50),
            p99: full.latency.at(0.99),
            crc_p99: full.checks.at(0.99),
            paced_p50: paced.latency.at(0.50),
            paced_p99: paced.latency.at(0.99),
            paced_share: paced.rate / f64::from(crate::PACE),
            stuck_crc_p99: stuck.latency.at(0.99),
        }
    }
}

/// Asks the system how busy it was, where it tells.
pub(crate) fn load_average() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}
