//! What became of a request that somebody else looks after.

use aaa_replay::plan::{Lost, Plan};
use aaa_types::ReplayWindow;

/// Returns what of a window is lost for certain: a plan names what is lost elsewhere, too.
pub(super) fn lost(plan: &Plan, window: ReplayWindow) -> Option<&Lost> {
    let (from, to) = (window.from_date().start(), window.to_date().start());
    let mut certain = plan.lost.iter().filter(|lost| lost.reason.is_certain());
    certain.find(|lost| lost.from < to && from < lost.to)
}

#[cfg(test)]
mod tests {
    use aaa_replay::plan::LostReason;

    use super::*;

    fn window(from: &str, to: &str) -> ReplayWindow {
        ReplayWindow::new(from.parse().unwrap(), to.parse().unwrap()).unwrap()
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
