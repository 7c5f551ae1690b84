//! Webhooks and subscriptions, at X.

use std::sync::Arc;

use aaa_auth::UserToken;
use aaa_client::Ensured;
use aaa_types::{UserId, WebhookUrl};
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;

use crate::{
    answer::{Change, Done, Refused},
    pages::webhooks::id,
    shared::Shared,
};

#[derive(Deserialize)]
pub(crate) struct Create {
    url: String,
}

pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    Change(change): Change<Create>,
) -> Result<Done, Refused> {
    let url: WebhookUrl = change.url.trim().parse().map_err(Refused::wrong)?;
    let calls = shared.x.calls();
    url.check_registrable(calls.api().is_loopback()).map_err(Refused::wrong)?;
    let created = calls.create_webhook(&url).await;
    shared.x.forget();
    let webhook = created?;
    let state = if webhook.valid { "valid" } else { "not valid yet" };
    let mut words = format!("webhook {} is registered and {state}", webhook.id);
    if let Some(record) = &shared.record
        && let Err(error) = record.made(&webhook).await
    {
        words.push_str(&format!("; it will not count as made here: {error}"));
    }
    Ok(Done::new(words))
}

/// What the answer to the call means differs between X's documents, so the list decides.
pub(crate) async fn validate(
    State(shared): State<Arc<Shared>>,
    Path(text): Path<String>,
) -> Result<Done, Refused> {
    let id = id(&text)?;
    let validated = shared.x.calls().validate_webhook(id).await;
    shared.x.forget();
    let validation = validated?;
    let listed = shared.x.webhooks().await.unwrap_or_default();
    let valid = listed.iter().find(|w| w.id == id).map_or(validation.valid, |w| w.valid);
    if valid {
        return Ok(Done::new(format!("webhook {id} is valid")));
    }
    let words = format!("webhook {id} was checked, and X does not list it as valid");
    Err(Refused::new(StatusCode::BAD_GATEWAY, words).advise(
        "see that its URL answers the challenge with this app's consumer secret, and try again",
    ))
}

pub(crate) async fn delete(
    State(shared): State<Arc<Shared>>,
    Path(text): Path<String>,
) -> Result<Done, Refused> {
    let id = id(&text)?;
    let deleted = shared.x.calls().delete_webhook(id).await;
    shared.x.forget();
    deleted?;
    let mut words = format!("webhook {id} is deleted, and its subscriptions with it");
    if let Some(record) = &shared.record
        && let Err(error) = record.deleted(id).await
    {
        words.push_str(&format!("; it is still noted as made here: {error}"));
    }
    Ok(Done::new(words).at(shared.at("/webhooks")))
}

/// Stands for the app's owner, whose id may not be known.
pub(crate) const OWNER: &str = "owner";

#[derive(Deserialize)]
pub(crate) struct Of {
    user: String,
}

impl Of {
    fn user(&self) -> Result<UserId, Refused> {
        self.user.trim().parse().map_err(Refused::wrong)
    }
}

pub(crate) async fn subscribe(
    State(shared): State<Arc<Shared>>,
    Path(text): Path<String>,
    Change(of): Change<Of>,
) -> Result<Done, Refused> {
    let id = id(&text)?;
    let (name, token) = token_of(&shared, &of).await?;
    let subscribed = shared.x.calls().subscribe(id, token).await;
    shared.x.forget();
    let already = if subscribed? == Ensured::Existed { " already" } else { "" };
    Ok(Done::new(format!("{name} is{already} subscribed to webhook {id}")))
}

/// Finds the token of a user, and says who that is. What the user has permitted last is in the
/// file; the owner's token is among the app's credentials, and nobody has to sign in for it.
async fn token_of(shared: &Shared, of: &Of) -> Result<(String, UserToken), Refused> {
    let owner = shared.x.calls().owner();
    if of.user == OWNER {
        let owner = owner.ok_or_else(|| {
            Refused::not_here("the access token of the app's owner is not known here")
                .advise("start the dashboard with X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET")
        })?;
        return Ok(("the app's owner".to_owned(), owner.clone()));
    }
    let user = of.user()?;
    let tokens = shared.tokens().await.map_err(|error| {
        Refused::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the users' tokens cannot be read: {error}"),
        )
    })?;
    let stored = tokens.as_ref().and_then(|tokens| tokens.get(user)).map(|stored| &stored.token);
    let token = stored.or_else(|| owner.filter(|owner| owner.user_id() == Some(user)));
    let token = token.ok_or_else(|| {
        Refused::not_here(format!("no token of user {user} is stored"))
            .advise("have the user sign in first")
    })?;
    Ok((format!("user {user}"), token.clone()))
}

pub(crate) async fn unsubscribe(
    State(shared): State<Arc<Shared>>,
    Path(text): Path<String>,
    Change(of): Change<Of>,
) -> Result<Done, Refused> {
    let (id, user) = (id(&text)?, of.user()?);
    // A listener that looks meanwhile does not miss them; and should it still have seen them, it is
    // told once more.
    let _ = shared.store.dismiss(id, user).await;
    let ended = shared.x.calls().unsubscribe(id, user).await;
    shared.x.forget();
    let dismissed = shared.store.dismiss(id, user).await;
    if ended?.subscribed {
        let words = format!("X says that user {user} is still subscribed to webhook {id}");
        return Err(Refused::new(StatusCode::BAD_GATEWAY, words));
    }
    let mut words = format!("user {user} is no longer subscribed to webhook {id}");
    if let Err(error) = dismissed {
        words.push_str(&format!("; a listener will miss them: {error}"));
    }
    Ok(Done::new(words))
}
