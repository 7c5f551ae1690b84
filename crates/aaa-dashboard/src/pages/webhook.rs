//! One webhook and who is subscribed to it.

use std::{collections::BTreeSet, sync::Arc};

use aaa_auth::{UserToken, tokens::Tokens};
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
    actions::webhooks::OWNER,
    answer::Refused,
    shared::{self, Shared},
    words,
};

/// How many users are listed; who looks for one of more filters by id.
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
                Ok(tokens) => { (offer(shared, tokens.as_ref(), &subscribed, &at("/subscribe"))) }
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
    let name = |user: UserId| {
        let name = tokens.and_then(|tokens| tokens.get(user)?.screen_name.clone());
        let is_owner = || owner(shared).flatten() == Some(user);
        name.map(|name| format!("@{name}"))
            .or_else(|| is_owner().then(|| "the app's owner".to_owned()))
    };
    let more = users.len().saturating_sub(LISTED);
    html! {
        div.wide {
            table {
                thead { tr { th { "User" } th { "Name" } th.end { span.hidden { "Change" } } } }
                tbody {
                    @for user in users.iter().take(LISTED) {
                        tr {
                            td { a.plain href=(shared.at(&format!("/events?user={user}"))) { (user) } }
                            td { @if let Some(name) = name(*user) { bdi { (name) } } @else { span.faint { "–" } } }
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

/// Returns whose the app's own user token is, as far as it tells; `None` if there is none.
fn owner(shared: &Shared) -> Option<Option<UserId>> {
    shared.x.calls().owner().map(UserToken::user_id)
}

fn offer(
    shared: &Shared,
    tokens: Option<&Tokens>,
    subscribed: &BTreeSet<UserId>,
    action: &str,
) -> Markup {
    let signed_in = tokens.into_iter().flat_map(Tokens::iter);
    let free: Vec<_> = signed_in.filter(|(user, _)| !subscribed.contains(user)).collect();
    // Whoever is in the file already is offered from there.
    let is_new = |user| !subscribed.contains(&user) && tokens.is_none_or(|t| t.get(user).is_none());
    let owner = owner(shared).filter(|id| id.is_none_or(is_new));
    html! {
        @if free.is_empty() && owner.is_none() {
            @match tokens {
                None => { (empty("This dashboard was started without a file of users' tokens.")) }
                Some(tokens) if tokens.is_empty() => { (empty("No user has signed in yet.")) }
                Some(_) => { (empty("All users who signed in are subscribed.")) }
            }
        } @else {
            form data-post=(action) {
                label.long { "Who gave permission"
                    select name="user" required {
                        @if let Some(id) = owner {
                            option value=(OWNER) { "the app's owner" @if let Some(id) = id { ", " (id) } }
                        }
                        @for (user, stored) in &free {
                            option value=(user) { (user) @if let Some(name) = &stored.screen_name { " @" (name) } }
                        }
                    }
                }
                button { "Subscribe" }
            }
        }
        @if tokens.is_some() {
            p.more { a href=(shared.at("/accounts")) { "Have another user sign in" } }
        }
    }
}
