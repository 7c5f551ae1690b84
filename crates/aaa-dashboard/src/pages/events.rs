//! Events as they arrive, and those that arrived before.

use std::sync::Arc;

use aaa_types::event::EventKind;
use aaa_webhook::inbox::StoredEvent;
use axum::{
    extract::State,
    response::{Html, Response},
};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded;

use super::{Asked, Tab, empty, framed, shown};
use crate::{
    answer::Refused,
    reading::{self, Filter},
    shared::{self, Shared},
    words,
};

/// How many events a page has.
const PAGE: usize = 50;

/// The kinds that a filter offers; any other can be typed.
const KINDS: [EventKind; 14] = [
    EventKind::Post,
    EventKind::PostDelete,
    EventKind::Favorite,
    EventKind::Follow,
    EventKind::Unfollow,
    EventKind::Block,
    EventKind::Unblock,
    EventKind::Mute,
    EventKind::Unmute,
    EventKind::Revoke,
    EventKind::DirectMessage,
    EventKind::Typing,
    EventKind::MarkRead,
    EventKind::ReplayJobStatus,
];

/// What is asked for in the address.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    before: String,
    #[serde(default)]
    after: String,
}

impl Wanted {
    pub(crate) fn filter(&self) -> Filter {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Filter { kind: some(&self.kind), user: some(&self.user) }
    }

    /// Returns the number behind which a stream begins, if there is one.
    pub(crate) fn after(&self) -> Option<u64> {
        self.after.parse().ok()
    }

    /// Writes the query of an address with the same filter.
    fn query(&self, before: Option<u64>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let filter = self.filter();
        if let Some(kind) = &filter.kind {
            query.append_pair("kind", kind);
        }
        if let Some(user) = &filter.user {
            query.append_pair("user", user);
        }
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        query.finish()
    }
}

pub(crate) async fn page(
    State(shared): State<Arc<Shared>>,
    Asked(wanted): Asked<Wanted>,
) -> Response {
    let content = page_of(&shared, &wanted).await;
    shown(&shared, content)
}

async fn page_of(shared: &Shared, wanted: &Wanted) -> Result<Html<String>, Refused> {
    let before: Option<u64> = match wanted.before.as_str() {
        "" => None,
        text => {
            Some(text.parse().map_err(|_| Refused::wrong("`before` is the number of an event"))?)
        }
    };
    let last = shared.last().await?;
    let up_to = before.map_or(last, |before| before.saturating_sub(1).min(last));
    let filter = wanted.filter();
    let mut events = reading::newest(&*shared.store, &filter, up_to, PAGE + 1).await?;
    let more = events.len() > PAGE;
    events.truncate(PAGE);
    let now = shared::now(None);
    let older = events.last().filter(|_| more).map(|event| event.seq);
    let stream = shared.at(&format!("/events/stream?{}", wanted.query(None)));
    let content = html! {
        form.filters method="get" action=(shared.at("/events")) {
            label { "Kind"
                input name="kind" value=(wanted.kind) list="kinds" placeholder="any" autocomplete="off";
            }
            datalist #kinds { @for kind in &KINDS { option value=(kind) {} } }
            label { "User"
                input name="user" value=(wanted.user) inputmode="numeric" placeholder="any id" autocomplete="off";
            }
            button { "Filter" }
            @if filter != Filter::default() { a.quiet href=(shared.at("/events")) { "All events" } }
            @if before.is_none() {
                button.quiet type="button" data-pause hidden { "Pause" }
            }
        }
        // Only the newest page moves; whoever looks back wants it to stand still.
        section.card #events data-stream=[before.is_none().then_some(stream)] data-last=(last) {
            @if events.is_empty() {
                (empty(if filter == Filter::default() { "Nothing has arrived yet." } else { "No such event is stored." }))
            } @else {
                (rows(shared, &events, now.wall))
            }
            nav.pages aria-label="Older and newer events" {
                @if before.is_some() {
                    a href=(shared.at(&format!("/events?{}", wanted.query(None)))) { "Newest" }
                }
                @if let Some(older) = older {
                    a href=(shared.at(&format!("/events?{}", wanted.query(Some(older))))) rel="next" { "Older" }
                }
            }
        }
    };
    Ok(framed(shared, Tab::Events, "Events", content))
}

/// Writes events as the rows of a table.
pub(super) fn rows(shared: &Shared, events: &[StoredEvent], now: Timestamp) -> Markup {
    html! {
        div.wide {
            table.events {
                thead { tr { th.number { "Seq" } th { "Arrived" } th { "Kind" } th { "For user" } th { "Key" } } }
                tbody {
                    @for event in events {
                        tr {
                            td.number { a href=(shared.at(&format!("/events/{}", event.seq))) { (event.seq) } }
                            td { (words::short(event.received_at, now)) }
                            td { (kind(&event.kind)) @if event.stale { " " span.pill.silent { "stale" } } }
                            td { (user(shared, event.for_user_id.as_deref())) }
                            td.key { bdi { (short_key(&event.key)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Writes a kind in the colour of its family.
pub(super) fn kind(kind: &str) -> Markup {
    let family = match EventKind::from(kind) {
        EventKind::Post | EventKind::PostDelete => "post",
        EventKind::Favorite => "like",
        EventKind::DirectMessage | EventKind::Typing | EventKind::MarkRead => "message",
        EventKind::Follow | EventKind::Unfollow => "follow",
        EventKind::Block | EventKind::Unblock | EventKind::Mute | EventKind::Unmute => "block",
        EventKind::Revoke => "revoke",
        _ => "else",
    };
    html! { span class=(format!("kind {family}")) { bdi { (kind) } } }
}

/// Writes a user as a link to what they were sent.
pub(super) fn user(shared: &Shared, user: Option<&str>) -> Markup {
    html! {
        @match user {
            Some(user) => {
                @let query = form_urlencoded::Serializer::new(String::new()).append_pair("user", user).finish();
                a.plain href=(shared.at(&format!("/events?{query}"))) { bdi { (user) } }
            }
            None => { span.faint { "–" } }
        }
    }
}

/// Leaves away what stands in the other columns.
fn short_key(key: &str) -> &str {
    key.split_once('/').and_then(|(_, rest)| rest.split_once(':')).map_or(key, |(_, item)| item)
}
