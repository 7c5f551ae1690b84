//! One webhook and who is subscribed to it.

use std::{collections::BTreeSet, sync::Arc};

use aaa_auth::tokens::Tokens;
use aaa_types::UserId;
use axum::{
    extract::{Path, State},
    response::{Html, Response},
};
use maud::{Markup, html};

use super::{
    Tab, banner, empty, framed, shown,
    webhooks::{id, quota, validity},
};
use crate::{
    answer::Refused,
    shared::{self, Shared},
    words,
};

/// How many users are listed; who looks for one of more filters by his id.
const LISTED: usize = 500;

pub(crate) async fn page(State(shared): State<Arc<Shared>>, Path(text): Path<String>) -> Response {
    let content = page_of(&shared, &text).await;
    shown(&shared, content)
}

async fn page_of(shared: &Shared, text: &str) -> Result<Html<String>, Refused> {
    let id = id(text)?;
    let webhooks = shared.x.webhooks().await;
    let webhook = match &webhooks {
        Ok(webhooks) => {
            let found = webhooks.iter().find(|webhook| webhook.id == id);
            Some(found.ok_or_else(|| Refused::missing("The app has no such webhook."))?)
        }
        Err(_) => None,
    };
    let subscriptions = shared.x.subscriptions(id).await;
    let count = shared.x.count().await;
    let tokens = shared.tokens().await;
    let now = shared::now(None);
    let at = |path: &str| shared.at(&format!("/webhooks/{id}{path}"));
    let subscribed: BTreeSet<UserId> = match &subscriptions {
        Ok(list) => list.subscriptions.iter().map(|one| one.user_id).collect(),
        Err(_) => BTreeSet::new(),
    };
    let content = html! {
        nav.pages aria-label="Up" { a href=(shared.at("/webhooks")) { "All webhooks" } }
        section.card #webhook data-live="20" {
            @match (&webhooks, webhook) {
                (Err(error), _) => { (banner("warn", html! { "X was not reached: " (error) })) }
                (_, Some(webhook)) => {
                    dl.facts {
                        div { dt { "State" } dd { (validity(webhook.valid)) } }
                        @if let Some(created) = webhook.created_at {
                            div { dt { "Registered" } dd { (words::time(created, now.x)) } }
                        }
                        div.broad { dt { "URL" } dd.key { bdi { (webhook.url) } } }
                    }
                }
                _ => {}
            }
            div.actions {
                button data-post=(at("/validate")) { "Validate" }
                a.button.quiet href=(shared.at(&format!("/replay?webhook={id}"))) { "Replays" }
                button.quiet.danger data-post=(at("/delete"))
                    data-confirm=(format!("Delete webhook {id} and all its subscriptions? X delivers nothing to it any more.")) { "Delete" }
            }
        }
        section.card #subscriptions data-live="20" {
            h2 { "Subscribed users" }
            @match &subscriptions {
                Err(error) => { (banner("warn", html! { "X did not say who is subscribed: " (error) })) }
                Ok(list) if list.subscriptions.is_empty() => {
                    (empty("Nobody is, so nothing is delivered."))
                }
                Ok(_) => { (users(shared, &subscribed, tokens.as_ref().ok().and_then(Option::as_ref), &at("/unsubscribe"))) }
            }
            (quota(&count))
        }
        section.card #subscribe data-live="20" {
            h2 { "Subscribe a user" }
            @match &tokens {
                Err(error) => { (banner("bad", html! { "The users' tokens cannot be read: " (error) })) }
                Ok(None) => { (empty("This dashboard was started without a file of users' tokens.")) }
                Ok(Some(tokens)) => { (offer(shared, tokens, &subscribed, &at("/subscribe"))) }
            }
        }
    };
    Ok(framed(shared, Tab::Webhooks, &format!("Webhook {id}"), content))
}

fn users(
    shared: &Shared,
    users: &BTreeSet<UserId>,
    tokens: Option<&Tokens>,
    action: &str,
) -> Markup {
    let name = |user: UserId| tokens.and_then(|t| t.get(user)).and_then(|t| t.screen_name.clone());
    let more = users.len().saturating_sub(LISTED);
    html! {
        div.wide {
            table {
                thead { tr { th { "User" } th { "Name" } th.end { span.hidden { "Change" } } } }
                tbody {
                    @for user in users.iter().take(LISTED) {
                        tr {
                            td { a.plain href=(shared.at(&format!("/events?user={user}"))) { (user) } }
                            td { @if let Some(name) = name(*user) { bdi { "@" (name) } } @else { span.faint { "–" } } }
                            td.end {
                                form.inline data-post=(action) {
                                    input type="hidden" name="user" value=(user);
                                    button.quiet.danger data-confirm=(format!("End the subscription of user {user}?")) aria-label=(format!("Remove user {user}")) { "Remove" }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if more > 0 { p.note { (more) " more are subscribed." } }
    }
}

fn offer(shared: &Shared, tokens: &Tokens, subscribed: &BTreeSet<UserId>, action: &str) -> Markup {
    let free: Vec<_> = tokens.iter().filter(|(user, _)| !subscribed.contains(user)).collect();
    html! {
        @if free.is_empty() {
            @if tokens.is_empty() {
                (empty("No user has signed in yet."))
            } @else {
                (empty("All users who signed in are subscribed."))
            }
        } @else {
            form data-post=(action) {
                label.long { "Who signed in"
                    select name="user" required {
                        @for (user, stored) in &free {
                            option value=(user) { (user) @if let Some(name) = &stored.screen_name { " @" (name) } }
                        }
                    }
                }
                button { "Subscribe" }
            }
        }
        p.more { a href=(shared.at("/accounts")) { "Have another user sign in" } }
    }
}
