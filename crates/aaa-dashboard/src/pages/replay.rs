//! What is missing, what can be had again, and what was done about it.

use std::sync::Arc;

use aaa_replay::{
    engine::Webhook,
    ledger::{Attempt, Role},
    picture::{self, Now, Picture},
    plan::Plan,
};
use axum::{
    extract::State,
    response::{Html, Response},
};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    Asked, Tab, banner, empty, framed, overview, shown,
    timeline::{self, Span},
};
use crate::{
    answer::Refused,
    shared::{self, Shared},
    words,
};

/// How many of the last jobs are shown.
const SHOWN: usize = 50;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    span: Option<String>,
    webhook: Option<String>,
}

pub(crate) async fn page(
    State(shared): State<Arc<Shared>>,
    Asked(wanted): Asked<Wanted>,
) -> Response {
    let content = page_of(&shared, &wanted).await;
    shown(&shared, content)
}

async fn page_of(shared: &Shared, wanted: &Wanted) -> Result<Html<String>, Refused> {
    let (picture, now) = shared.picture().await?;
    let webhooks = shared.x.webhooks().await;
    let named = match wanted.webhook.as_deref() {
        None | Some("") => None,
        Some(text) => {
            let id = super::webhooks::id(text)?;
            let listed = webhooks.iter().flatten().find(|webhook| webhook.id == id);
            Some(Webhook { id, created_at: listed.and_then(|webhook| webhook.created_at) })
        }
    };
    let target = match named {
        Some(named) => Some(named),
        None => shared.target(&picture).await,
    };
    let known = target.or_else(shared::nobody);
    let plan = known.map(|w| picture.plan(w, shared.settings, now)).unwrap_or_default();
    let span = Span::named(wanted.span.as_deref());
    let drawn = match known {
        Some(webhook) => {
            timeline::draw(shared, (&picture, &plan, webhook), span, now, &shared.at("/replay"))
                .await?
        }
        None => html! {},
    };
    let listed = webhooks.iter().flatten().map(|webhook| webhook.id).collect::<Vec<_>>();
    let content = html! {
        div #state data-live="3" {
            (overview::state(&picture, &plan, now, None))
            @if let Err(error) = &webhooks { (banner("warn", html! { "X was not reached: " (error) })) }
            @if let Some(live) = target.and_then(|target| picture.live(target.id, now)) { (running(live, now)) }
        }
        section.card #coverage data-live="15" {
            h2 { "Coverage" }
            (drawn)
        }
        section.card #plan data-live="3" {
            h2 { "Plan" @if let Some(target) = target { span.faint { " for webhook " (target.id) } } }
            (planned(&plan, now.x))
            (looked_after(shared, &picture, &plan, target, now))
        }
        section.card {
            h2 { "Have minutes sent again" }
            @match target {
                None => { (empty("No webhook is known yet.")) }
                Some(target) => {
                    (create(shared, &listed, target, now.x))
                }
            }
        }
        section.card #history data-live="3" {
            h2 { "Jobs" }
            (history(&picture, now.x))
        }
    };
    Ok(framed(shared, Tab::Replay, "Replay", content))
}

fn running(live: &Attempt, now: Now) -> Markup {
    let core = live.intent.core;
    banner(
        "info",
        html! {
            strong { "A job is running" } @if let Some(job) = picture::job(&live.outcome) { " (" (job) ")" }
            ": " (words::time(core.from_date().start(), now.x)) " to " (words::time(core.to_date().start(), now.x))
            ", asked for " (words::ago(live.intent.at, now.x)) "."
        },
    )
}

fn planned(plan: &Plan, now: Timestamp) -> Markup {
    if plan.now.is_empty() && plan.later.is_empty() && plan.lost.is_empty() {
        return empty("Nothing is missing.");
    }
    html! {
        div.wide {
            table {
                thead { tr { th { "What" } th { "From" } th { "To" } th.number { "Minutes" } th { "When, why" } } }
                tbody {
                    @for window in &plan.now {
                        tr {
                            td { span.pill.now { "now" } }
                            td { (words::time(window.core.from_date().start(), now)) }
                            td { (words::time(window.core.to_date().start(), now)) }
                            td.number { (window.core.minutes()) }
                            td { "X replays it now" }
                        }
                    }
                    @for later in &plan.later {
                        tr {
                            td { span.pill.later { "later" } }
                            td { (words::time(later.window.core.from_date().start(), now)) }
                            td { (words::time(later.window.core.to_date().start(), now)) }
                            td.number { (later.window.core.minutes()) }
                            td { "X replays it " (words::ago(later.at, now)) }
                        }
                    }
                    @for lost in &plan.lost {
                        @let (class, name) = if lost.reason.is_certain() { ("lost", "lost") } else { ("maybe-lost", "perhaps lost") };
                        tr {
                            td { span class=(format!("pill {class}")) { (name) } }
                            td { (words::time(lost.from, now)) }
                            td { (words::time(lost.to, now)) }
                            td.number { (lost.to.duration_since(lost.from).as_mins()) }
                            td { (lost.reason.to_string()) }
                        }
                    }
                }
            }
        }
    }
}

/// Says who has it replayed, or lets somebody begin.
fn looked_after(
    shared: &Shared,
    picture: &Picture,
    plan: &Plan,
    target: Option<Webhook>,
    now: Now,
) -> Markup {
    let holder = picture.holder(now);
    html! {
        @match holder {
            Some(lease) if lease.holder.role == Role::Listener && !picture.recovers_itself(now) => {
                p.note { bdi { (lease.holder.name) } " looked after the replays and is gone; its place is free " (words::ago(lease.expires_at, now.wall)) "." }
            }
            Some(lease) => {
                p.note { bdi { (lease.holder.name) } " looks after the replays: what can be had is asked for by itself." }
            }
            None => { p.note { "Nobody looks after the replays." } }
        }
        @if let (None, Some(target), Some(_)) = (holder, target, &shared.recover) {
            form data-post=(shared.at("/replay/recover")) {
                input type="hidden" name="webhook" value=(target.id);
                button disabled[plan.now.is_empty()] { "Recover now" }
            }
        }
    }
}

fn create(
    shared: &Shared,
    listed: &[aaa_types::WebhookId],
    target: Webhook,
    now: Timestamp,
) -> Markup {
    let limits = shared.settings.limits;
    let minute = |minutes: i64| {
        let at = aaa_types::UtcMinute::floor(now).plus(-minutes).start();
        at.strftime("%Y-%m-%dT%H:%M").to_string()
    };
    let oldest = limits.look_back.as_mins() - 1;
    html! {
        p {
            "X replays whole minutes: the first at least " (limits.from_age) " minutes ago, the last at least " (limits.to_age)
            ", none more than " (limits.look_back.as_hours()) " hours. Copies of what is there already are dropped."
        }
        form data-post=(shared.at("/replay/create")) {
            label { "Webhook"
                select name="webhook" {
                    @for id in listed { option value=(id) selected[*id == target.id] { (id) } }
                    @if !listed.contains(&target.id) { option value=(target.id) selected { (target.id) } }
                }
            }
            label { "From (UTC)"
                input type="datetime-local" name="from" required min=(minute(oldest)) max=(minute(limits.from_age)) value=(minute(limits.from_age + 30));
            }
            label { "To (UTC)"
                input type="datetime-local" name="to" required min=(minute(oldest)) max=(minute(limits.to_age)) value=(minute(limits.from_age));
            }
            button { "Ask for them" }
        }
    }
}

fn history(picture: &Picture, now: Timestamp) -> Markup {
    if picture.attempts.is_empty() {
        return empty("None was ever asked for.");
    }
    let earlier = picture.attempts.len().saturating_sub(SHOWN) as u64 + picture.summary.attempts;
    html! {
        div.wide {
            table {
                thead { tr { th { "Asked" } th { "Job" } th { "From" } th { "To" } th { "State" } th.number { "Events found" } } }
                tbody {
                    @for attempt in picture.attempts.iter().rev().take(SHOWN) {
                        @let core = attempt.intent.core;
                        @let (class, state) = words::outcome(&attempt.outcome);
                        tr {
                            td { (words::short(attempt.intent.at, now)) }
                            td { @if let Some(job) = picture::job(&attempt.outcome) { (job) } @else { span.faint { "–" } } }
                            td { (words::time(core.from_date().start(), now)) }
                            td { (words::time(core.to_date().start(), now)) }
                            td { span class=(format!("pill {class}")) { bdi { (state) } } }
                            td.number { (words::count(attempt.found)) }
                        }
                    }
                }
            }
        }
        @if earlier > 0 { p.note { (words::count(earlier)) " earlier ones are only counted." } }
    }
}
