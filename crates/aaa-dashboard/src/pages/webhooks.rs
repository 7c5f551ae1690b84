//! The app's webhooks.

use std::sync::Arc;

use aaa_types::api::{SubscriptionCount, Webhook};
use axum::{
    extract::State,
    response::{Html, Response},
};
use maud::{Markup, html};

use super::{Tab, banner, empty, framed, shown};
use crate::{
    answer::Refused,
    shared::{self, Shared},
    words,
};

pub(crate) async fn page(State(shared): State<Arc<Shared>>) -> Response {
    let content = page_of(&shared).await;
    shown(&shared, Ok(content))
}

async fn page_of(shared: &Shared) -> Html<String> {
    let webhooks = shared.x.webhooks().await;
    let count = shared.x.count().await;
    let now = shared::now(None);
    let content = html! {
        section.card #webhooks data-live="20" {
            h2 { "Registered at X" }
            @match &webhooks {
                Err(error) => { (banner("warn", html! { "X was not reached: " (error) })) }
                Ok(webhooks) if webhooks.is_empty() => {
                    (empty("The app has none. Start the receiver first: X challenges the URL before it registers it."))
                }
                Ok(webhooks) => {
                    div.cards {
                        @for webhook in webhooks { (card(shared, webhook, now.x)) }
                    }
                }
            }
            (quota(&count))
        }
        section.card {
            h2 { "Register a webhook" }
            form data-post=(shared.at("/webhooks")) {
                label.long { "Public URL of the receiver"
                    input type="url" name="url" required placeholder="https://example.com/webhooks/twitter";
                }
                button { "Register" }
            }
        }
    };
    framed(shared, Tab::Webhooks, "Webhooks", content)
}

fn card(shared: &Shared, webhook: &Webhook, now: jiff::Timestamp) -> Markup {
    let at = |path: &str| shared.at(&format!("/webhooks/{}{path}", webhook.id));
    html! {
        article.item {
            div.head {
                a.title href=(at("")) { (webhook.id) }
                (validity(webhook.valid))
            }
            p.key { bdi { (webhook.url) } }
            @if let Some(created) = webhook.created_at {
                p.faint { "since " (words::time(created, now)) }
            }
            div.actions {
                a.button href=(at("")) { "Subscriptions" }
                button.quiet data-post=(at("/validate")) { "Validate" }
                button.quiet.danger data-post=(at("/delete"))
                    data-confirm=(format!("Delete webhook {} and all its subscriptions? X delivers nothing to it any more.", webhook.id)) { "Delete" }
            }
        }
    }
}

pub(super) fn validity(valid: bool) -> Markup {
    if valid {
        html! { span.pill.proved { "valid" } }
    } else {
        html! { span.pill.lost { "invalid" } }
    }
}

/// Says how many subscriptions there are, of how many.
pub(super) fn quota(count: &Result<SubscriptionCount, String>) -> Markup {
    match count {
        Ok(count) => {
            let (used, all) = (count.used(), count.provisioned());
            html! {
                p.quota {
                    "Subscriptions of the account: " strong { (count.subscriptions_count_all) }
                    " of " (count.provisioned_count)
                    @if let (Some(used), Some(all)) = (used, all) {
                        meter min="0" max=(all.max(1)) value=(used) high=(all * 9 / 10) { (used) " of " (all) }
                    }
                }
            }
        }
        Err(error) => html! { p.faint { "The count of subscriptions is not known: " (error) } },
    }
}

/// Reads the id in an address.
pub(crate) fn id(text: &str) -> Result<aaa_types::WebhookId, Refused> {
    text.parse().map_err(|_| Refused::missing("There is no such webhook."))
}
