//! What a process takes, second by second.

use std::{fs, path::PathBuf};

use load::usage;

use crate::trouble::{Tally, Trouble};

/// A second of the run. Sizes are in MiB.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    /// The number of the second.
    pub second: u64,
    /// The memory of the process, if there is one and the system tells.
    pub memory: Option<f64>,
    /// The database.
    pub database: f64,
    /// Its write-ahead log.
    pub log: f64,
    /// Deliveries acknowledged in this second.
    pub acknowledged: u64,
    /// Milliseconds from sending to the 200 at p99.
    pub p99: f64,
    /// How often the process was killed until now, and how often it had stood still.
    pub kills: u64,
    /// See `kills`.
    pub standstills: u64,
}

/// All seconds so far.
#[derive(Debug)]
pub(crate) struct Samples {
    database: PathBuf,
    all: Vec<Sample>,
    acknowledged: u64,
    most_memory: f64,
}

impl Samples {
    pub(crate) fn new(database: PathBuf) -> Self {
        Self { database, all: Vec::new(), acknowledged: 0, most_memory: 0.0 }
    }

    /// Looks at everything once.
    pub(crate) fn take(&mut self, second: u64, process: Option<u32>, tally: &Tally) -> &Sample {
        let acknowledged = tally.acknowledged();
        let most = process.and_then(usage::most_memory).unwrap_or_default();
        self.most_memory = self.most_memory.max(most);
        let sample = Sample {
            second,
            memory: process.and_then(usage::memory),
            database: self.size(""),
            log: self.size("-wal"),
            acknowledged: acknowledged - self.acknowledged,
            p99: tally.second(),
            kills: tally.count(Trouble::Kill),
            standstills: tally.count(Trouble::Standstill),
        };
        self.acknowledged = acknowledged;
        self.all.push(sample);
        self.all.last().unwrap_or_else(|| unreachable!())
    }

    /// The most memory that any of the processes ever had, in MiB.
    pub(crate) fn most_memory(&self) -> f64 {
        self.most_memory
    }

    pub(crate) fn all(self) -> Vec<Sample> {
        self.all
    }

    #[expect(clippy::cast_precision_loss, reason = "a size in MiB needs no more")]
    fn size(&self, suffix: &str) -> f64 {
        let mut path = self.database.as_os_str().to_owned();
        path.push(suffix);
        // A log that is not there is empty.
        fs::metadata(path).map_or(0.0, |file| file.len() as f64 / 1024.0 / 1024.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_is_what_came_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("aaa.db");
        fs::write(&database, vec![0; 3 << 20]).unwrap();
        let tally = Tally::default();
        let mut samples = Samples::new(database);
        tally.took(Duration::from_millis(1));
        tally.fired(Trouble::Kill);
        let first = *samples.take(1, Some(std::process::id()), &tally);
        assert_eq!((first.acknowledged, first.kills, first.standstills), (1, 1, 0));
        assert!((first.database - 3.0).abs() < 1e-9);
        assert!(first.log.abs() < 1e-9);
        let second = *samples.take(2, None, &tally);
        assert_eq!((second.second, second.acknowledged, second.memory), (2, 0, None));
    }
}
