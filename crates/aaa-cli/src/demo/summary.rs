//! The numbers at the end.

use serde::Serialize;

/// What the emulator's ledger and the inbox say when they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    /// Pairs of event and subscribed user in the emulator's ledger.
    pub(super) sent: usize,
    /// Those of them that are in the inbox.
    pub(super) received: usize,
    /// Those that were not there when the restarted receiver was ready.
    pub(super) missed_while_down: usize,
    /// Those of the missed that are there now.
    pub(super) recovered: usize,
    /// Those that are not in the inbox.
    pub(super) lost: usize,
    /// Copies that the inbox refused.
    pub(super) duplicates_dropped: u64,
    /// Replay jobs in the emulator's ledger.
    pub(super) replay_jobs: usize,
}

impl Summary {
    /// Returns the table for people.
    pub(super) fn table(&self) -> String {
        let rows = [
            ("events that X sent", self.sent as u64),
            ("missed while the receiver was down", self.missed_while_down as u64),
            ("recovered by replay", self.recovered as u64),
            ("replay jobs", self.replay_jobs as u64),
            ("copies dropped", self.duplicates_dropped),
            ("in the inbox, each exactly once", self.received as u64),
            ("lost", self.lost as u64),
        ];
        let rule = format!("  {}\n", "─".repeat(44));
        let rows = rows.iter().map(|(name, count)| format!("  {name:<36}{count:>8}\n"));
        format!("{rule}{}{rule}", rows.collect::<String>())
    }

    /// Checks that what the demo is for did happen: a run in which nothing went wrong would prove
    /// nothing.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.missed_while_down == 0 || self.recovered == 0 {
            Err("nothing was missed and recovered: the demo proved nothing".to_owned())
        } else if self.duplicates_dropped == 0 {
            Err("no delivery came twice: the demo proved nothing".to_owned())
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: Summary = Summary {
        sent: 500,
        received: 500,
        missed_while_down: 120,
        recovered: 120,
        lost: 0,
        duplicates_dropped: 380,
        replay_jobs: 1,
    };

    #[test]
    fn for_people_and_for_scripts() {
        insta::assert_snapshot!(SUMMARY.table(), @"
        ────────────────────────────────────────────
        events that X sent                       500
        missed while the receiver was down       120
        recovered by replay                      120
        replay jobs                                1
        copies dropped                           380
        in the inbox, each exactly once          500
        lost                                       0
        ────────────────────────────────────────────
        ");
        insta::assert_snapshot!(serde_json::to_string(&SUMMARY).unwrap(), @r#"{"sent":500,"received":500,"missed_while_down":120,"recovered":120,"lost":0,"duplicates_dropped":380,"replay_jobs":1}"#);
    }

    #[test]
    fn a_run_in_which_nothing_went_wrong_is_no_success() {
        assert_eq!(SUMMARY.check(), Ok(()));
        assert!(Summary { missed_while_down: 0, recovered: 0, ..SUMMARY }.check().is_err());
        assert!(Summary { duplicates_dropped: 0, ..SUMMARY }.check().is_err());
    }
}
