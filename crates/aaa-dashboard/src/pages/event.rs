//! One event: what is known of it, and what is in it.

use std::sync::Arc;

use aaa_webhook::inbox::StoredEvent;
use axum::{
    extract::{Path, State},
    response::{Html, IntoResponse, Response},
};
use http::header;
use maud::html;

use super::{
    Tab,
    events::{kind, user},
    framed,
    payload::pretty,
    shown,
};
use crate::{
    answer::Refused,
    reading::{self, Filter},
    shared::{self, Shared},
    words,
};

pub(crate) async fn page(State(shared): State<Arc<Shared>>, Path(seq): Path<String>) -> Response {
    let content = page_of(&shared, &seq).await;
    shown(&shared, content)
}

/// The whole body of the delivery, to be kept: as it came, and never shown by the browser.
pub(crate) async fn body(State(shared): State<Arc<Shared>>, Path(seq): Path<String>) -> Response {
    match find(&shared, &seq).await {
        Ok(event) => {
            let name = format!("attachment; filename=\"delivery-of-event-{}.json\"", event.seq);
            let headers = [
                (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
                (header::CONTENT_DISPOSITION, name),
            ];
            (headers, event.body).into_response()
        }
        Err(refused) => shown(&shared, Err(refused)),
    }
}

/// Finds the event of an address.
pub(crate) async fn find(shared: &Shared, seq: &str) -> Result<StoredEvent, Refused> {
    let found = match seq.parse() {
        Ok(seq) => reading::one(&*shared.store, seq).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| Refused::missing("There is no such event, or it was removed."))
}

async fn page_of(shared: &Shared, seq: &str) -> Result<Html<String>, Refused> {
    let event = find(shared, seq).await?;
    let now = shared::now(None);
    let earlier = reading::newest(&*shared.store, &Filter::default(), event.seq - 1, 1).await?;
    let later = reading::first_after(&*shared.store, event.seq).await?;
    let to = |event: &StoredEvent| shared.at(&format!("/events/{}", event.seq));
    let resend = shared.resend.as_ref().map(|resend| resend.usual());
    let content = html! {
        nav.pages aria-label="Events beside this one" {
            a href=(shared.at("/events")) { "All events" }
            @if let Some(earlier) = earlier.first() { a href=(to(earlier)) rel="prev" { "Earlier" } }
            @if let Some(later) = &later { a href=(to(later)) rel="next" { "Later" } }
        }
        section.card {
            dl.facts {
                div { dt { "Kind" } dd { (kind(&event.kind)) } }
                div { dt { "For user" } dd { (user(shared, event.for_user_id.as_deref())) } }
                div { dt { "Arrived" } dd { (words::time(event.received_at, now.wall)) } }
                div { dt { "App" } dd { bdi { (event.app) } } }
                div { dt { "Delivery" } dd { (event.origin.delivery) } }
                div.broad { dt { "Key" } dd.key { bdi { (event.key) } } }
                @if event.stale {
                    div.broad { dt { "Stale" } dd { "It was older than keys are remembered, so it may be an old capture sent again: it is kept, and never handled." } }
                }
            }
        }
        section.card {
            h2 { "Payload" }
            (pretty(event.payload.get()))
        }
        @if event.context.get() != "{}" {
            section.card {
                details {
                    summary { h2 { "Context" } }
                    (pretty(event.context.get()))
                }
            }
        }
        section.card {
            h2 { "Send it again" }
            @match resend {
                Some(usual) => {
                    p { "The delivery that brought this event is posted as it came, body and signature, once." }
                    form data-post=(shared.at(&format!("/events/{}/resend", event.seq))) {
                        label.long { "To"
                            input type="url" name="to" value=[usual.as_deref()] placeholder="http://127.0.0.1:3000/hook" required;
                        }
                        button { "Send again" }
                    }
                }
                None => { p.empty { "This dashboard was started without a way to send." } }
            }
            p.more { a href=(shared.at(&format!("/events/{}/body", event.seq))) download { "Download the whole delivery" } }
        }
    };
    Ok(framed(shared, Tab::Events, &format!("Event {}", event.seq), content))
}
