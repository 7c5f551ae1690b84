//! What a run has shown.

use std::fmt;

/// From how many rounds on each kind of moment has to have occurred.
const ENOUGH_ROUNDS: u32 = 100;

/// The figures of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Rounds, each with two kills.
    pub rounds: u32,
    /// Processes that were killed.
    pub kills: u64,
    /// Deliveries that were answered 200 under load.
    pub acknowledged: u64,
    /// Deliveries that were answered with something else.
    pub refused: u64,
    /// Deliveries that were sent again after a crash.
    pub sent_again: u64,
    /// Deliveries that were answered 200 and are not in the store.
    pub lost: u64,
    /// Deliveries that are in the store more than once.
    pub doubled: u64,
    /// Records whose body is not the one that was sent.
    pub altered: u64,
    /// Kills that fell between the commit of a delivery and its 200. Committed is what recovery
    /// finds: its commit is in the log, synced or not.
    pub between_commit_and_answer: u64,
    /// Deliveries that were committed and not answered.
    pub committed_silently: u64,
    /// Kills that fell into a checkpoint.
    pub in_checkpoint: u64,
    /// Kills that fell into the recovery from the kill before.
    pub in_recovery: u64,
}

impl Report {
    /// Says whether nothing that was acknowledged is gone, doubled or changed.
    pub fn is_sound(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.altered == 0
    }

    /// Names the moments that never occurred although there were rounds enough: a run without them
    /// proves nothing about them.
    pub fn unseen(&self) -> Vec<&'static str> {
        let moments = [
            ("between commit and 200", self.between_commit_and_answer),
            ("within a checkpoint", self.in_checkpoint),
            ("within recovery", self.in_recovery),
        ];
        let unseen = moments.into_iter().filter(|(_, kills)| *kills == 0);
        unseen.filter(|_| self.rounds >= ENOUGH_ROUNDS).map(|(moment, _)| moment).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("rounds", u64::from(self.rounds)),
            ("acknowledged", self.acknowledged),
            ("  lost", self.lost),
            ("  doubled", self.doubled),
            ("  altered", self.altered),
            ("answered otherwise", self.refused),
            ("sent again", self.sent_again),
            ("committed, not answered", self.committed_silently),
            ("kills", self.kills),
            ("  between commit and 200", self.between_commit_and_answer),
            ("  within a checkpoint", self.in_checkpoint),
            ("  within recovery", self.in_recovery),
        ];
        for (what, count) in lines {
            writeln!(f, "{what:<26}{count:>9}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_never_came_is_named() {
        let report = Report { rounds: ENOUGH_ROUNDS, in_recovery: 1, ..Report::default() };
        assert_eq!(report.unseen(), ["between commit and 200", "within a checkpoint"]);
        assert!(Report { rounds: 3, ..report }.unseen().is_empty());
    }

    #[test]
    fn what_is_gone_doubled_or_changed_is_unsound() {
        let report = Report::default();
        assert!(report.is_sound());
        for unsound in [
            Report { lost: 1, ..report },
            Report { doubled: 1, ..report },
            Report { altered: 1, ..report },
        ] {
            assert!(!unsound.is_sound(), "{unsound}");
        }
    }
}
