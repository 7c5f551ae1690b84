//! What became of a request that somebody else looks after.

use aaa_replay::{
    ledger::Outcome,
    plan::{Lost, Plan},
};
use aaa_types::ReplayWindow;

/// Returns what of a window is lost for certain: a plan names what is lost elsewhere, too.
pub(super) fn lost(plan: &Plan, window: ReplayWindow) -> Option<&Lost> {
    let (from, to) = (window.from_date().start(), window.to_date().start());
    let mut certain = plan.lost.iter().filter(|lost| lost.reason.is_certain());
    certain.find(|lost| lost.from < to && from < lost.to)
}

/// Says how far a request is when nobody waits for it any longer, from what became of the last
/// attempt.
pub(super) fn so_far(last: Option<&Outcome>) -> String {
    match last {
        None => "nobody has asked X so far; the request stays in the ledger".to_owned(),
        Some(Outcome::Running { job }) => {
            format!("job {job} still runs; whoever looks after the replays follows it")
        }
        Some(Outcome::Recovered { .. }) => {
            "a part of it is recovered; the rest stays in the ledger".to_owned()
        }
        Some(Outcome::Incomplete { reason, .. } | Outcome::Failed { reason, .. }) => {
            format!("X was asked, and it failed: {reason}; it is tried again")
        }
        Some(_) => "X is being asked; its answer is not known yet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use aaa_replay::plan::LostReason;

    use super::*;

    fn window(from: &str, to: &str) -> ReplayWindow {
        ReplayWindow::new(from.parse().unwrap(), to.parse().unwrap()).unwrap()
    }

    #[test]
    fn how_far_a_request_is() {
        let job = 5.try_into().unwrap();
        let reason = || "retry".to_owned();
        let all = [
            None,
            Some(Outcome::Intended),
            Some(Outcome::Running { job }),
            Some(Outcome::Recovered { job }),
            Some(Outcome::Incomplete { job, reason: reason() }),
            Some(Outcome::Failed { job: None, reason: reason() }),
        ];
        let said = all.iter().map(|last| so_far(last.as_ref())).collect::<Vec<_>>();
        insta::assert_snapshot!(said.join("\n"), @"
        nobody has asked X so far; the request stays in the ledger
        X is being asked; its answer is not known yet
        job 5 still runs; whoever looks after the replays follows it
        a part of it is recovered; the rest stays in the ledger
        X was asked, and it failed: retry; it is tried again
        X was asked, and it failed: retry; it is tried again
        ");
    }

    #[test]
    fn what_is_lost_elsewhere_says_nothing_of_a_request() {
        let given_up = window("202511220420", "202511220421");
        let lost_there = Lost {
            from: given_up.from_date().start(),
            to: given_up.to_date().start(),
            reason: LostReason::GivenUp { tries: 3 },
        };
        let plan = Plan { lost: vec![lost_there], ..Plan::default() };
        assert_eq!(lost(&plan, window("202511220410", "202511220420")), None);
        assert_eq!(lost(&plan, window("202511220421", "202511220430")), None);
        assert!(lost(&plan, window("202511220410", "202511220430")).is_some());
    }
}
