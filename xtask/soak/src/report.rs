//! What a run has shown.

use std::{fmt, time::Duration};

use crate::{
    Options,
    sample::Sample,
    trouble::{Tally, Trouble},
};

/// How much memory a receiver may ever take, in MiB: what `cargo xtask bench receiver` allows among a
/// thousand slow clients.
const MEMORY: f64 = 100.0;

/// By which share a delivery may take more of the disk in the last third than in the middle one.
const GROWTH: f64 = 1.1;

/// Files grow by pages and checkpoints, so their growth is only told from so many seconds on.
const ENOUGH: usize = 120;

/// The figures of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// How long it was meant to last, and how many were due a second.
    pub time: Duration,
    /// See `time`.
    pub rate: u32,
    /// Deliveries that were answered 200, a copy of one counted again.
    pub acknowledged: u64,
    /// Of what was acknowledged: not in the store, there more than once, not as it was sent.
    pub lost: u64,
    /// See `lost`.
    pub doubled: u64,
    /// See `lost`.
    pub altered: u64,
    /// Attempts that were answered otherwise, and sent again.
    pub refused: u64,
    /// Attempts that were not answered, and sent again.
    pub unanswered: u64,
    /// What was not X's and was taken all the same.
    pub admitted: u64,
    /// How often each trouble was seen.
    pub troubles: Vec<(Trouble, u64)>,
    /// How many kills and standstills were planned.
    pub stops: u32,
    /// Milliseconds from sending to the 200, at p50 and p99, whatever else went on.
    pub median: f64,
    /// See `median`.
    pub p99: f64,
    /// The longest start after a kill.
    pub longest_start: Duration,
    /// The most memory that a process ever had, in MiB.
    pub memory: f64,
    /// Bytes of disk for a delivery, in the middle third of the time and in the last.
    pub bytes: Option<(f64, f64)>,
    /// What was seen second by second.
    pub samples: Vec<Sample>,
}

impl Report {
    pub(crate) fn new(
        options: &Options,
        samples: Vec<Sample>,
        memory: f64,
        found: &crash::Report,
        tally: &Tally,
    ) -> Self {
        let (refused, unanswered, admitted) = tally.failures();
        Self {
            seed: options.seed,
            time: options.time,
            rate: options.rate,
            acknowledged: tally.acknowledged(),
            lost: found.lost,
            doubled: found.doubled,
            altered: found.altered,
            refused,
            unanswered,
            admitted,
            troubles: Trouble::ALL.into_iter().map(|t| (t, tally.count(t))).collect(),
            stops: options.stops,
            median: tally.quantile(0.5),
            p99: tally.quantile(0.99),
            longest_start: tally.longest_start(),
            memory,
            bytes: growth(&samples),
            samples,
        }
    }

    /// Names everything that must not be, but for what a control loses on purpose.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (count, what) in [
            (self.lost, "acknowledged and not in the store"),
            (self.doubled, "in the store more than once"),
            (self.altered, "in the store otherwise than they were sent"),
            (self.admitted, "taken although X had not sent them"),
        ] {
            if count > 0 {
                problems.push(format!("{count} deliveries are {what}"));
            }
        }
        let kills = u64::from(self.stops.div_ceil(2));
        for (trouble, count) in &self.troubles {
            let planned = match trouble {
                Trouble::Kill => kills,
                Trouble::Standstill => u64::from(self.stops) - kills,
                _ => 1,
            };
            if *count < planned {
                let name = trouble.name();
                problems.push(format!("`{name}` was seen {count} times instead of {planned}"));
            }
        }
        if self.memory > MEMORY {
            problems.push(format!("{:.0} MiB of memory are more than {MEMORY:.0}", self.memory));
        }
        if let Some((before, after)) = self.bytes.filter(|(before, after)| *after > before * GROWTH)
        {
            problems.push(format!("a delivery took {before:.0} bytes of disk, then {after:.0}"));
        }
        problems
    }
}

/// Bytes of disk for a delivery, in the middle third and in the last.
#[expect(clippy::cast_precision_loss, reason = "a mean needs no more")]
fn growth(samples: &[Sample]) -> Option<(f64, f64)> {
    if samples.len() < ENOUGH {
        return None;
    }
    let third = samples.len() / 3;
    let per_delivery = |part: &[Sample]| {
        let (first, last) = (part.first()?, part.last()?);
        let deliveries: u64 = part.iter().skip(1).map(|sample| sample.acknowledged).sum();
        Some((last.database - first.database) * 1024.0 * 1024.0 / deliveries as f64)
    };
    let last = samples.len() - third;
    Some((per_delivery(samples.get(third..last)?)?, per_delivery(samples.get(last..)?)?))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |what: &str, figure: String| writeln!(f, "{what:<28}{figure:>12}");
        line("seconds", self.time.as_secs().to_string())?;
        line("due a second", self.rate.to_string())?;
        line("acknowledged", self.acknowledged.to_string())?;
        line("  lost", self.lost.to_string())?;
        line("  doubled", self.doubled.to_string())?;
        line("  altered", self.altered.to_string())?;
        line("forged and taken", self.admitted.to_string())?;
        line("answered otherwise", self.refused.to_string())?;
        line("not answered", self.unanswered.to_string())?;
        for (trouble, count) in &self.troubles {
            line(trouble.name(), count.to_string())?;
        }
        line("acknowledgement p50", format!("{:.1} ms", self.median))?;
        line("acknowledgement p99", format!("{:.1} ms", self.p99))?;
        line("longest start", format!("{:.1} s", self.longest_start.as_secs_f64()))?;
        line("most memory", format!("{:.0} MiB", self.memory))?;
        if let Some((before, after)) = self.bytes {
            line("disk for a delivery", format!("{before:.0} B"))?;
            line("  in the last third", format!("{after:.0} B"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            seed: 1,
            time: Duration::from_secs(600),
            rate: 2500,
            acknowledged: 1_500_000,
            lost: 0,
            doubled: 0,
            altered: 0,
            refused: 3,
            unanswered: 64,
            admitted: 0,
            troubles: Trouble::ALL.into_iter().map(|trouble| (trouble, 5)).collect(),
            stops: 10,
            median: 3.21,
            p99: 20.04,
            longest_start: Duration::from_millis(1500),
            memory: 40.0,
            bytes: Some((3000.0, 3100.0)),
            samples: Vec::new(),
        }
    }

    #[test]
    fn shown() {
        insta::assert_snapshot!(report(), @"
        seconds                              600
        due a second                        2500
        acknowledged                     1500000
          lost                                 0
          doubled                              0
          altered                              0
        forged and taken                       0
        answered otherwise                     3
        not answered                          64
        killed and started again               5
        stood still                            5
        slow clients cut off                   5
        connections cut in a body              5
        forged, refused                        5
        oversized, refused                     5
        twice at once                          5
        acknowledgement p50               3.2 ms
        acknowledgement p99              20.0 ms
        longest start                      1.5 s
        most memory                       40 MiB
        disk for a delivery               3000 B
          in the last third               3100 B
        ");
    }

    #[test]
    fn whatever_must_not_be_is_named() {
        assert_eq!(report().problems(), [""; 0]);
        let mut bad = Report {
            lost: 1,
            doubled: 2,
            altered: 3,
            admitted: 4,
            memory: 101.0,
            bytes: Some((3000.0, 3301.0)),
            ..report()
        };
        for (_, count) in &mut bad.troubles {
            *count = 0;
        }
        let problems = bad.problems();
        assert_eq!(problems.len(), 4 + Trouble::ALL.len() + 2, "{problems:#?}");
        assert!(problems[4].contains("`killed and started again` was seen 0 times instead of 5"));
    }

    #[test]
    fn disk_is_told_for_each_delivery() {
        let sample = |second: u32| Sample {
            second: second.into(),
            // From the last third on twice as much.
            database: f64::from(second + second.saturating_sub(200)),
            acknowledged: 1024,
            ..Sample::default()
        };
        let samples: Vec<_> = (0..300).map(sample).collect();
        assert_eq!(growth(&samples), Some((1024.0, 2048.0)));
        assert_eq!(growth(&samples[..ENOUGH - 1]), None);
    }
}
