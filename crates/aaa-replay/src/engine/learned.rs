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
