//! All of it at a glance.

use std::sync::Arc;

use aaa_replay::{
    coverage::{Grade, graded},
    picture::{Now, Picture},
    plan::Plan,
};
use aaa_webhook::distribution::Distribution;
use axum::{
    extract::State,
    response::{Html, Response},
};
use jiff::SignedDuration;
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    Asked, Tab, banner, empty,
    events::rows,
    framed, letters, shown,
    timeline::{self, Span},
};
use crate::{
    answer::Refused,
    reading::{self, Filter},
    shared::{self, Shared},
    words,
};

/// How many of the last events are shown.
const EVENTS: usize = 6;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    span: Option<String>,
}

async fn page_of(shared: &Shared, wanted: &Wanted) -> Result<Html<String>, Refused> {
    let (picture, now) = shared.picture().await?;
    let target = shared.target(&picture).await;
    let known = target.or_else(shared::nobody);
    let plan = known.map(|w| picture.plan(w, shared.settings, now)).unwrap_or_default();
    let span = Span::named(wanted.span.as_deref());
    let drawn = match known {
        Some(webhook) => {
            let what = (&picture, &plan, webhook);
            timeline::draw(shared, what, span, now, &shared.at("/")).await?
        }
        None => html! {},
    };
    let last = shared.last().await?;
    let latest = reading::newest(&*shared.store, &Filter::default(), last, EVENTS).await?;
    let dead = letters::count(shared).await?;
    let webhooks = shared.x.webhooks().await;
    let content = html! {
        div #now data-live="5" {
            (state(&picture, &plan, now, Some(&shared.at("/replay"))))
            @match &webhooks {
                Ok(webhooks) => {
                    @for webhook in webhooks.iter().filter(|webhook| !webhook.valid) {
                        (banner("bad", html! {
                            "Webhook " a href=(shared.at(&format!("/webhooks/{}", webhook.id))) { (webhook.id) }
                            " is invalid: X delivers nothing to it until it is validated."
                        }))
                    }
                    @if webhooks.is_empty() {
                        (banner("info", html! {
                            "The app has no webhook yet: " a href=(shared.at("/webhooks")) { "register one" } "."
                        }))
                    }
                }
                Err(error) => { (banner("warn", html! { "X was not reached: " (error) })) }
            }
            div.tiles { (tiles(shared, &picture, &plan, last, dead).await) }
        }
        section.card #coverage data-live="15" {
            h2 { "Coverage" }
            (drawn)
        }
        section.card #latest data-live="3" data-events {
            h2 { "Latest events" }
            @if latest.is_empty() {
                (empty("Nothing has arrived yet. Subscribe a user to a webhook, and let something happen."))
            } @else {
                (rows(shared, &latest, now.wall))
                p.more { a href=(shared.at("/events")) { "All events" } }
            }
        }
        (figures(shared).await)
    };
    Ok(framed(shared, Tab::Overview, "Overview", content))
}

pub(crate) async fn page(
    State(shared): State<Arc<Shared>>,
    Asked(wanted): Asked<Wanted>,
) -> Response {
    let content = page_of(&shared, &wanted).await;
    shown(&shared, content)
}

/// Says whether somebody receives, and whether anything is missing; `more` leads to what.
pub(super) fn state(picture: &Picture, plan: &Plan, now: Now, more: Option<&str>) -> Markup {
    let last = picture.last();
    let lost: i64 = plan
        .lost
        .iter()
        .filter(|lost| lost.reason.is_certain())
        .map(|lost| lost.to.duration_since(lost.from).as_secs())
        .sum();
    let missing: i64 = plan.now.iter().map(|w| w.core.minutes()).sum::<i64>()
        + plan.later.iter().map(|l| l.window.core.minutes()).sum::<i64>();
    html! {
        @match last {
            Some(last) if picture.is_received(now) => {
                p.state.good { span.dot aria-hidden="true" {} strong { "Receiving" }
                    @if missing == 0 && lost == 0 { ", and nothing is missing" }
                    span.faint { " · last heartbeat " (words::ago(last.x_time(), now.x)) }
                }
            }
            Some(last) => {
                p.state.bad { span.dot aria-hidden="true" {} strong { "Nobody receives" }
                    " since " (words::time(last.x_time(), now.x)) ": what X sends now is missing until the receiver runs again."
                }
            }
            None => {
                p.state.idle { span.dot aria-hidden="true" {} strong { "Nothing was ever received" } " into this store." }
            }
        }
        @if missing > 0 {
            (banner("warn", html! {
                (words::lasting(missing * 60)) " of X's time are missing and can still be replayed"
                @if let Some(more) = more { ": " a href=(more) { "see the plan" } } "."
            }))
        }
        @if lost > 0 {
            (banner("bad", html! {
                (words::lasting(lost)) " are lost for good"
                @if let Some(more) = more { ": " a href=(more) { "see which" } } "."
            }))
        }
    }
}

async fn tiles(
    shared: &Shared,
    picture: &Picture,
    plan: &Plan,
    last: u64,
    dead: letters::Count,
) -> Markup {
    let behind = match &shared.figures {
        Some(figures) => Some(figures.behind().await),
        None => None,
    };
    let events = behind.as_ref().and_then(|behind| behind.events).unwrap_or(last);
    let (found, swept) = picture.found();
    let (mut covered, mut proved) = (picture.summary.covered, SignedDuration::ZERO);
    for stretch in graded(&picture.spans, &picture.proofs) {
        let length = stretch.to.duration_since(stretch.from);
        covered = covered.saturating_add(length);
        if stretch.grade == Grade::Proved {
            proved = proved.saturating_add(length);
        }
    }
    let cursors = shared.store.cursors().await.unwrap_or_default();
    let lag = cursors.iter().map(|(_, cursor)| cursor.progress.unfinished(last)).max();
    let waiting = plan.later.len();
    html! {
        (tile("Events", &words::count(events), "kept in the store"))
        (tile("Covered", &words::lasting(covered.as_secs()), &format!("{} of it proved by what arrived", words::lasting(proved.as_secs()))))
        (tile("Recovered", &words::count(found), &format!("events by replays{}", if swept > 0 { format!(", {} by sweeps", words::count(swept)) } else { String::new() })))
        (tile("To replay", &plan.now.len().to_string(), &format!("{} now{}", if plan.now.len() == 1 { "window" } else { "windows" }, if waiting > 0 { format!(", {waiting} later") } else { String::new() })))
        (tile("Dead letters", &dead.to_string(), match lag { Some(_) => "could not be handled", None => "no consumer yet" }))
        @if let Some(lag) = lag {
            (tile("Behind", &words::count(lag), "events the slowest consumer has yet to handle"))
        }
    }
}

fn tile(name: &str, value: &str, what: &str) -> Markup {
    html! {
        div.tile { span.name { (name) } span.value { (value) } span.what { (what) } }
    }
}

/// Shows what the receiver in this process measured.
async fn figures(shared: &Shared) -> Markup {
    let Some(look) = &shared.figures else { return html! {} };
    let (figures, behind) = (look.figures(), look.behind().await);
    let counts = figures.counts;
    html! {
        section.card #figures data-live="5" {
            h2 { "This run of the receiver" }
            @if let Some(trouble) = &behind.trouble { (banner("bad", html! { "Nothing can be stored: " (trouble) })) }
            dl.figures {
                (figure("Deliveries acknowledged", &words::count(counts.committed)))
                (figure("Events stored", &words::count(counts.stored)))
                (figure("Copies dropped", &words::count(counts.duplicates)))
                (figure("Verified deliveries refused", &words::count(counts.refusals)))
                (figure("Rejected without a right signature", &words::count(counts.rejections)))
                (figure("Challenges answered", &words::count(counts.checks)))
                (figure("Open connections", &words::count(counts.connections)))
                @if let Some(queued) = behind.queued { (figure("Waiting for their commit", &words::count(queued))) }
                @if let Some(free) = behind.free_bytes { (figure("Free disk", &words::bytes(free))) }
                (figure("Acknowledgement, half within", &quantile(&figures.deliveries, 50)))
                (figure("Acknowledgement, 99 % within", &quantile(&figures.deliveries, 99)))
                (figure("Challenge, 99 % within", &quantile(&figures.checks, 99)))
            }
        }
    }
}

fn figure(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// Returns the bound within which so many of a hundred were.
fn quantile(measured: &Distribution, percent: u64) -> String {
    let all = measured.count();
    if all == 0 {
        return "–".to_owned();
    }
    let wanted = all.saturating_mul(percent).div_ceil(100);
    let mut seen = 0_u64;
    for (bound, count) in &measured.buckets {
        seen = seen.saturating_add(*count);
        if seen >= wanted {
            return match bound * 1000.0 {
                millis if millis.is_infinite() => "more than 2.5 s".to_owned(),
                millis => format!("{millis} ms"),
            };
        }
    }
    "–".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        let buckets = vec![(0.001, 50), (0.0025, 49), (f64::INFINITY, 1)];
        let measured = Distribution { buckets, sum: 1.0 };
        assert_eq!(quantile(&measured, 50), "1 ms");
        assert_eq!(quantile(&measured, 99), "2.5 ms");
        assert_eq!(quantile(&measured, 100), "more than 2.5 s");
        assert_eq!(quantile(&Distribution::default(), 50), "–");
    }
}
