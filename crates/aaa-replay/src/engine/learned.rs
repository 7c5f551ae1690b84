//! What refusals have taught.

use aaa_types::{WebhookId, api::Failure};

use super::Settings;
use crate::ledger::{Attempt, Outcome};

/// Returns the settings with what X's refusals, as the ledger remembers them, have taught of its
/// look-back: an engine that is made anew, or one that only plans, then agrees with the one that
/// met the refusals.
pub fn learned(mut settings: Settings, webhook: WebhookId, attempts: &[Attempt]) -> Settings {
    for Attempt { intent, outcome, settled_at, .. } in attempts {
        if let Outcome::Failed { job: None, reason } = outcome
            && intent.webhook == webhook
            && is_about_window(reason)
        {
            // When X refused it, as nearly as that is known: the call may have been late.
            settings.limits.doubt_look_back(intent.request, *settled_at);
        }
    }
    settings
}

/// Says whether a window was refused, from the words under which that was recorded: those of
/// `ClientError`, which names a code or X's name of the failure.
fn is_about_window(reason: &str) -> bool {
    let codes = ["code 356:", "code 357:", "code 358:", "code 360:", "code 368:"];
    reason.contains(Failure::QueryParamInvalid.name())
        || codes.iter().any(|code| reason.contains(code))
}

#[cfg(test)]
mod tests {
    use aaa_types::ReplayWindow;
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::ledger::{Intent, Purpose};

    const REFUSED: &str = "could not create a replay: status 400, code 356: no";

    fn refused(reason: &str) -> Outcome {
        Outcome::Failed { job: None, reason: reason.to_owned() }
    }

    /// An attempt for minutes of which the first is nearly a day old.
    fn attempt(webhook: &str, outcome: Outcome) -> Attempt {
        let at: Timestamp = "2025-11-22T12:00:00Z".parse().unwrap();
        let core =
            ReplayWindow::new("202511211201".parse().unwrap(), "202511211400".parse().unwrap());
        let (webhook, core) = (webhook.parse().unwrap(), core.unwrap());
        let intent = Intent { webhook, core, request: core, at, purpose: Purpose::Gap };
        Attempt { number: 1, intent, outcome, settled_at: at, found: 0 }
    }

    /// By how many minutes attempts shorten the look-back.
    fn less(attempts: &[Attempt]) -> i64 {
        let (before, webhook) = (Settings::v2(), "12".parse().unwrap());
        let after = learned(before, webhook, attempts);
        let doubt = after.limits.doubt;
        let shortened = before.limits.look_back - after.limits.look_back;
        assert_eq!(shortened, doubt);
        doubt.as_mins()
    }

    #[test]
    fn only_refusals_of_its_own_windows_teach_an_engine() {
        let job = "5".parse().unwrap();
        for (minutes, webhook, outcome) in [
            (10, "12", refused(REFUSED)),
            (0, "13", refused(REFUSED)),
            (0, "12", refused("could not create a replay: status 503: no")),
            (0, "13", refused("could not create a replay: status 503: no")),
            (0, "12", Outcome::Failed { job: Some(job), reason: REFUSED.to_owned() }),
            (0, "12", Outcome::Incomplete { job, reason: REFUSED.to_owned() }),
            (0, "12", Outcome::Recovered { job }),
        ] {
            let attempt = attempt(webhook, outcome);
            assert_eq!(less(std::slice::from_ref(&attempt)), minutes, "{attempt:?}");
        }
        // The answer came when the window was just not too old, and when it was.
        let answered = |seconds| {
            let attempt = attempt("12", refused(REFUSED));
            let settled_at = attempt.settled_at + SignedDuration::from_secs(seconds);
            Attempt { settled_at, ..attempt }
        };
        assert_eq!([60, 61].map(|seconds| less(&[answered(seconds)])), [10, 0]);
        // By then the look-back is shorter: the same window tells nothing more.
        assert_eq!(less(&[answered(0), answered(0)]), 10);
        assert_eq!(less(&[answered(0), answered(-600)]), 20);
    }

    #[test]
    fn what_is_about_a_window_is_told_by_its_code_or_its_name() {
        for code in [356, 357, 358, 360, 368] {
            assert!(is_about_window(&format!("status 400, code {code}: no")), "{code}");
        }
        assert!(is_about_window("status 400, code QueryParamInvalid: from_date is too old"));
        for other in ["status 400, code 355: no", "status 400, code 3560: no", "status 356: no"] {
            assert!(!is_about_window(other), "{other}");
        }
    }
}
