//! The forms of the page: native controls, so that a keyboard is enough. What they send is what the
//! control API takes.

use std::fmt::Write as _;

use crate::{bodies, credentials};

/// A choice: what is sent, and what is read.
type Choice = (&'static str, &'static str);

const DELIVERIES: [Choice; 12] = [
    ("drop", "a delivery is lost on its way"),
    ("give_up", "a delivery is given up"),
    ("lose_answer", "a delivery or call loses its answer"),
    ("delay", "a delivery is delayed"),
    ("duplicate", "a delivery is sent twice"),
    ("reorder", "a delivery is overtaken by the next"),
    ("bad_signature", "a delivery or check has a wrong signature"),
    ("corrupt", "a delivery has a wrong byte"),
    ("truncate", "a delivery is cut in half"),
    ("slow_body", "the second half of a body comes later"),
    ("reset", "the connection breaks within a body"),
    ("jump_clock", "the clock jumps"),
];

const CALLS: [Choice; 1] = [("respond", "a call is refused")];

const CHECKS: [Choice; 2] = [
    ("wrong_check", "the answer to a check counts as wrong"),
    ("silent_check", "the answer to a check never came"),
];

const JOBS: [Choice; 4] = [
    ("incomplete_job", "a job is said to have failed"),
    ("complete_job", "a job is said to have succeeded"),
    ("missing_completion", "nobody says that a job ended"),
    ("double_completion", "it is said twice that a job ended"),
];

const FORMS: [Choice; 7] = [
    ("", "of the API called"),
    ("coded", "errors with codes, as v1.1"),
    ("invalid", "errors and a title, as v2"),
    ("problem", "problem+json"),
    ("bare", "code and message"),
    ("html", "a page of HTML"),
    ("empty", "no body"),
];

const OPERATIONS: [&str; 17] = [
    "create_webhook",
    "list_webhooks",
    "validate_webhook",
    "delete_webhook",
    "subscribe",
    "check_subscription",
    "list_subscriptions",
    "unsubscribe",
    "unsubscribe_self",
    "count_subscriptions",
    "create_replay",
    "send_message",
    "request_token",
    "authorize",
    "access_token",
    "bearer_token",
    "invalidate_bearer_token",
];

/// Writes all of them.
pub(super) fn forms() -> String {
    let max_user = credentials::MAX_USER;
    let sent = kinds_to_send();
    let fault = fault();
    format!(
        r##"<form id="send" data-call="events"><h2>Send events</h2>
<label class="wide">Kind <select name="kind">{sent}</select></label>
<label>User <input name="user_id" type="number" min="1" max="{max_user}" value="1" required></label>
<label>Count <input name="count" type="number" min="1" max="100000" value="1" required></label>
<details class="wide"><summary>Members that differ</summary>
<textarea name="payload" rows="3" spellcheck="false" aria-label="JSON object, merged into the item"
 placeholder='{{"text":"hello"}}'></textarea></details>
<button>Send</button><output></output></form>
<form id="clock" data-call="clock"><h2>Advance the clock</h2>
<label class="wide">By <select name="advance_seconds">
<option value="60">1 minute</option><option value="660">11 minutes</option>
<option value="3600">1 hour</option><option value="86400">1 day</option>
<option value="100800">28 hours</option></select></label>
<button>Advance</button><output></output></form>
{fault}<form id="traffic" data-call="traffic"><h2>Traffic</h2>
<label>Acts per s <input name="rate" type="number" min="0" max="100000" step="any" value="1" required></label>
<label>Users <input name="users" type="number" min="2" max="10000" value="20" required></label>
<button>Set</button><output></output></form>
<form id="reset" data-call="reset"><h2>Begin anew</h2>
<p>Forgets webhooks, subscriptions, events, jobs and faults; the flags stay.</p>
<button class="danger">Reset</button><output></output></form>
"##
    )
}

/// The form for faults. The script hides the parameters that the chosen action does not have.
fn fault() -> String {
    let grouped = [
        ("Deliveries", DELIVERIES.as_slice()),
        ("Calls of the API", &CALLS),
        ("Checks", &CHECKS),
        ("Replay jobs", &JOBS),
    ];
    let actions: String = grouped.map(|(label, choices)| group(label, &options(choices))).concat();
    let forms = options(&FORMS);
    let kinds = kinds_to_match();
    let causes = any(&["live", "retry", "replay"]);
    let operations = any(&OPERATIONS);
    let checks = any(&["registration", "request", "replay", "schedule"]);
    format!(
        r##"<form id="fault" data-call="faults"><h2>Inject a fault</h2>
<label class="wide">What happens <select name="type">{actions}</select></label>
<label data-for="delay jump_clock">Seconds
<input name="seconds" type="number" min="1" max="31622400" value="60" required></label>
<label data-for="slow_body">Milliseconds
<input name="millis" type="number" min="0" max="600000" value="1000" required></label>
<label data-for="respond">Status
<input name="status" type="number" min="400" max="599" value="503" required></label>
<label data-for="respond">Form <select name="form">{forms}</select></label>
<label>Times <input name="times" type="number" min="1" max="1000000" value="1" required></label>
<details class="wide"><summary>Only on some occasions</summary><div class="fields">
<label class="wide">Kind <input name="kind" list="kinds" spellcheck="false" placeholder="any"></label>
<datalist id="kinds">{kinds}</datalist>
<label>User <input name="user_id" inputmode="numeric" pattern="[0-9]+" placeholder="any"></label>
<label>Webhook <input name="webhook_id" inputmode="numeric" pattern="[0-9]+" placeholder="any"></label>
<label>Cause <select name="cause">{causes}</select></label>
<label>Check <select name="check">{checks}</select></label>
<label class="wide">Call of the API <select name="operation">{operations}</select></label>
<label>From the nth <input name="nth" type="number" min="1" max="4294967295" placeholder="1"></label>
<label>Probability
<input name="probability" type="number" min="0.000001" max="1" step="any" placeholder="1"></label>
</div></details>
<button>Plan it</button><output></output></form>
"##
    )
}

fn kinds_to_send() -> String {
    let kinds = bodies::KINDS.iter().filter(|kind| **kind != bodies::JOB_STATUS);
    let own: String = kinds.map(|kind| named(kind)).collect();
    let other: String = bodies::ACTIVITY_KINDS.iter().map(|kind| named(kind)).collect();
    [
        group("Account Activity", &own),
        group("X Activity", &other),
        group("Filtered stream", &named(bodies::FILTERED_STREAM)),
    ]
    .concat()
}

fn kinds_to_match() -> String {
    let all = bodies::KINDS.iter().chain(&bodies::ACTIVITY_KINDS).chain(&["unknown"]);
    all.map(|kind| format!("<option value=\"{kind}\">")).collect()
}

fn named(value: &str) -> String {
    format!("<option value=\"{value}\">{value}</option>")
}

fn options(choices: &[Choice]) -> String {
    choices.iter().fold(String::new(), |mut text, (value, words)| {
        let _ = write!(text, "<option value=\"{value}\">{words}</option>");
        text
    })
}

fn any(values: &[&str]) -> String {
    let values: String = values.iter().map(|value| named(value)).collect();
    format!("<option value=\"\">any</option>{values}")
}

fn group(label: &str, options: &str) -> String {
    format!("<optgroup label=\"{label}\">{options}</optgroup>")
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::control::{Action, Cause, CheckCause, ErrorForm, Match, Operation};

    /// The names that a type takes, from what it says to one that it does not.
    fn names<T: DeserializeOwned + std::fmt::Debug>(wrong: Value) -> Vec<String> {
        let error = serde_json::from_value::<T>(wrong).unwrap_err().to_string();
        let (_, expected) = error.split_once("expected").unwrap();
        expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    /// What the control API takes, the page offers.
    #[test]
    fn everything_can_be_chosen() {
        let form = fault();
        for name in names::<Action>(json!({"type": "?"})) {
            assert!(form.contains(&format!("<option value=\"{name}\">")), "{name}");
        }
        for name in names::<ErrorForm>(json!("?")) {
            assert!(form.contains(&format!("<option value=\"{name}\">")), "{name}");
        }
        let chosen = [
            names::<Cause>(json!("?")),
            names::<CheckCause>(json!("?")),
            names::<Operation>(json!("?")),
        ];
        for name in chosen.concat() {
            assert!(form.contains(&format!("<option value=\"{name}\">{name}</option>")), "{name}");
        }
        for name in names::<Match>(json!({"?": 1})) {
            assert!(form.contains(&format!(" name=\"{name}\"")), "{name}");
        }
        assert_eq!(names::<Operation>(json!("?")).len(), OPERATIONS.len());
        for parameter in ["seconds", "millis", "status", "form"] {
            assert!(form.contains(&format!(" name=\"{parameter}\"")), "{parameter}");
        }
    }
}
