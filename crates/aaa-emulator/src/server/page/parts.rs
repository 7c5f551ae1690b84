//! What stands on the page.

use std::fmt::Write as _;

use bytes::Bytes;
use jiff::Timestamp;

use super::forms;
use crate::{
    control::{
        Attempt, Cause, Completion, JobDetail, JobState, LedgerEvent, PlannedFault, State,
        TrafficState, WebhookState,
    },
    html::escaped,
    settings::TimeMode,
};

/// How many deliveries are shown.
pub(super) const SHOWN: usize = 50;

/// How many of anything else.
pub(super) const FEW: usize = 30;

/// How much of a body is shown, in bytes.
const MAX_BODY: usize = 8 * 1024;

/// What there is to show.
pub(super) struct View {
    pub(super) state: State,
    /// The latest first, and how many there are.
    pub(super) faults: (Vec<PlannedFault>, usize),
    /// The latest first.
    pub(super) latest: Vec<(LedgerEvent, Bytes)>,
    pub(super) traffic: TrafficState,
}

/// Writes the whole page.
pub(super) fn page(view: &View) -> String {
    let forms = forms::forms();
    let shown = shown(view);
    format!(
        r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>aaa emulator</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/_emulator/page.css">
<script src="/_emulator/page.js" defer></script>
</head>
<body>
<header><h1>aaa emulator</h1><p>X's side of the Account Activity API, on this machine</p>
<a href="#actions">Make something happen</a></header>
<noscript><p class="notice">Without scripts this page shows how things stood when it was loaded, and
its buttons do nothing; the control API under <code>/_emulator/</code> does the same.</p></noscript>
<div id="columns">
<main id="shown" aria-live="off">
{shown}</main>
<div id="actions">
{forms}</div>
</div>
<footer><p id="contact" role="status"></p></footer>
</body>
</html>
"##
    )
}

/// Writes what changes: sections, each with an id.
pub(super) fn shown(view: &View) -> String {
    let View { state, faults, latest, traffic } = view;
    let mut text = String::new();
    let parts = [
        ("now", "Now", now(state, traffic)),
        ("webhooks", "Webhooks", webhooks(&state.webhooks)),
        ("deliveries", "Deliveries", deliveries(latest, state.counts.events)),
        ("jobs", "Replay jobs", jobs(&state.jobs)),
        ("faults", "Faults", planned(faults)),
    ];
    for (id, title, body) in parts {
        let _ = write!(text, "<section id=\"{id}\"><h2>{title}</h2>\n{body}</section>\n");
    }
    text
}

fn now(state: &State, traffic: &TrafficState) -> String {
    let clock = match state.settings.time {
        TimeMode::Running => "the clock runs",
        TimeMode::Virtual => "the clock stands still",
    };
    let counts = &state.counts;
    let mut text = format!(
        "<p class=\"clock\"><time>{}</time> <small>{clock}</small></p>\n<dl class=\"tiles\">\n",
        seconds(state.now)
    );
    for (name, count) in [
        ("Events", counts.events),
        ("Attempts", counts.attempts),
        ("Answered 200", counts.acknowledged),
        ("Under way", counts.in_flight),
        ("Waiting", counts.queued),
    ] {
        let _ = writeln!(text, "<div><dt>{name}</dt><dd>{count}</dd></div>");
    }
    text.push_str("</dl>\n");
    if traffic.rate > 0.0 || traffic.acts > 0 {
        let TrafficState { rate, users, acts, left_out } = traffic;
        let _ = writeln!(
            text,
            "<p>Traffic: {rate} acts per second among {users} users; {acts} so far, {left_out} left \
             out</p>"
        );
    }
    text
}

fn webhooks(all: &[WebhookState]) -> String {
    if all.is_empty() {
        return "<p class=\"none\">None yet. Register one with <code>aaa webhooks ensure URL</code> \
                or <code>POST /2/webhooks</code>.</p>\n"
            .to_owned();
    }
    let mut text = String::from("<ul class=\"cards\">\n");
    for webhook in all {
        let (class, word) = if webhook.valid { ("good", "valid") } else { ("bad", "invalid") };
        let _ = write!(
            text,
            "<li><p><span class=\"pill {class}\">{word}</span> <strong>{}</strong></p>\n<p>id \
             <code>{}</code>, registered {}, last passed a check {}</p>\n",
            escaped(webhook.url.as_str()),
            webhook.id,
            seconds(webhook.created_at),
            seconds(webhook.last_check_passed_at),
        );
        if let Some(error) = &webhook.last_check_error {
            let _ = writeln!(text, "<p class=\"error\">Last check: {}</p>", escaped(error));
        }
        let subscribed: Vec<_> =
            webhook.subscriptions.iter().take(FEW).map(|user| format!("<b>{user}</b>")).collect();
        let more = webhook.subscriptions.len().saturating_sub(FEW);
        let _ = match (subscribed.is_empty(), more) {
            (true, _) => writeln!(text, "<p class=\"none\">Nobody is subscribed.</p></li>"),
            (false, 0) => writeln!(text, "<p>Subscribed: {}</p></li>", subscribed.join(" ")),
            (false, more) => {
                writeln!(text, "<p>Subscribed: {} and {more} more</p></li>", subscribed.join(" "))
            }
        };
    }
    text.push_str("</ul>\n");
    text
}

fn deliveries(latest: &[(LedgerEvent, Bytes)], all: usize) -> String {
    if latest.is_empty() {
        return "<p class=\"none\">Nothing has happened to anybody who is subscribed.</p>\n"
            .to_owned();
    }
    let mut text = String::new();
    if all > latest.len() {
        let _ = writeln!(text, "<p>The latest {} of {all}</p>", latest.len());
    }
    for (event, body) in latest {
        let (class, word) = ending(event);
        let user = event.for_user_id.map(|user| format!("for <b>{user}</b>")).unwrap_or_default();
        let id = escaped(&event.id);
        let _ = write!(
            text,
            "<details data-key=\"{id}\"><summary><span class=\"pill {class}\">{word}</span> \
             <span class=\"kind\">{}</span> <span>{user}</span> <time>{}</time></summary>\n\
             <p>key <code>{}</code></p>\n<ol>\n",
            escaped(&event.kind),
            seconds(event.created_at),
            escaped(&event.key),
        );
        for attempt in &event.attempts {
            let _ = writeln!(text, "<li>{}</li>", tried(attempt));
        }
        let _ = writeln!(text, "</ol>\n<pre>{}</pre></details>", escaped(&readable(body)));
    }
    text
}

/// Says how it stands with an event: a class and a word.
fn ending(event: &LedgerEvent) -> (&'static str, String) {
    if event.acknowledged_at.is_some() {
        return ("good", "200".to_owned());
    }
    match event.attempts.last() {
        None => ("wait", "not tried".to_owned()),
        Some(Attempt { status: Some(status), .. }) => ("bad", status.to_string()),
        Some(Attempt { error: Some(_), .. }) => ("bad", "failed".to_owned()),
        Some(_) => ("wait", "under way".to_owned()),
    }
}

fn tried(attempt: &Attempt) -> String {
    let cause = match attempt.cause {
        Cause::Live => "live",
        Cause::Retry => "retry",
        Cause::Replay => "replay",
    };
    let ended = match (attempt.status, &attempt.error) {
        (Some(status), _) => format!("answered {status}"),
        (None, Some(error)) => escaped(error),
        (None, None) => "under way".to_owned(),
    };
    format!("{cause} at {}: {ended}", seconds(attempt.at))
}

fn jobs(all: &[JobDetail]) -> String {
    if all.is_empty() {
        return "<p class=\"none\">Nobody has asked for a replay.</p>\n".to_owned();
    }
    let mut text = String::from("<ul class=\"cards\">\n");
    for detail in all.iter().rev().take(FEW) {
        let job = &detail.job;
        let (class, word) = match job.state {
            JobState::Running => ("wait", "running"),
            JobState::Complete => ("good", "Complete"),
            JobState::Incomplete => ("bad", "Incomplete"),
        };
        let completion = match detail.completion {
            Completion::NotSent => "not sent",
            Completion::Sent => "under way",
            Completion::Acknowledged => "answered 200",
            Completion::Failed => "not answered 200",
        };
        let _ = writeln!(
            text,
            "<li><p><span class=\"pill {class}\">{word}</span> <strong>{}..{}</strong></p>\n<p>job \
             <code>{}</code> of webhook <code>{}</code>: {} events, {} failed; its end was \
             {completion}</p></li>",
            job.from_date, job.to_date, job.id, job.webhook_id, detail.events, detail.failed,
        );
    }
    text.push_str("</ul>\n");
    text
}

fn planned((latest, all): &(Vec<PlannedFault>, usize)) -> String {
    if latest.is_empty() {
        return "<p class=\"none\">None are planned.</p>\n".to_owned();
    }
    let mut text = String::new();
    if *all > latest.len() {
        let _ = writeln!(text, "<p>The latest {} of {all}</p>", latest.len());
    }
    text.push_str("<ul class=\"cards\">\n");
    for fault in latest {
        let class = if fault.fired < fault.planned { "wait" } else { "good" };
        let action = serde_json::to_string(&fault.action).unwrap_or_default();
        let when = serde_json::to_string(&fault.when).unwrap_or_default();
        let _ = writeln!(
            text,
            "<li><p><span class=\"pill {class}\">{} of {} fired</span> <code>{}</code></p>\n<p>when \
             <code>{}</code></p></li>",
            fault.fired,
            fault.planned,
            escaped(&action),
            escaped(&when),
        );
    }
    text.push_str("</ul>\n");
    text
}

/// A body as somebody reads it, at most [`MAX_BODY`] of it.
fn readable(body: &Bytes) -> String {
    let indented = serde_json::from_slice::<serde_json::Value>(body)
        .ok()
        .and_then(|value| serde_json::to_string_pretty(&value).ok());
    let text = indented.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    if text.len() <= MAX_BODY {
        return text;
    }
    let start: String = text
        .char_indices()
        .take_while(|(at, char)| at + char.len_utf8() <= MAX_BODY)
        .map(|(_, char)| char)
        .collect();
    format!("{start}\n… {} more bytes", text.len() - start.len())
}

fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
