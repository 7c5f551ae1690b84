//! Webhooks and subscriptions, at X.

use std::sync::Arc;

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
    Ok(Done::new(format!("webhook {} is registered and {state}", webhook.id)))
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
    let words = format!("webhook {id} is deleted, and its subscriptions with it");
    Ok(Done::new(words).at(shared.at("/webhooks")))
}

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
    let (id, user) = (id(&text)?, of.user()?);
    let tokens = shared.tokens().await.map_err(|error| {
        Refused::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the users' tokens cannot be read: {error}"),
        )
    })?;
    let stored = tokens.as_ref().and_then(|tokens| tokens.get(user));
    let stored = stored.ok_or_else(|| {
        Refused::not_here(format!("no token of user {user} is stored"))
            .advise("have the user sign in first")
    })?;
    let subscribed = shared.x.calls().subscribe(id, stored.token.clone()).await;
    shared.x.forget();
    let already = if subscribed? == Ensured::Existed { " already" } else { "" };
    Ok(Done::new(format!("user {user} is{already} subscribed to webhook {id}")))
}

pub(crate) async fn unsubscribe(
    State(shared): State<Arc<Shared>>,
    Path(text): Path<String>,
    Change(of): Change<Of>,
) -> Result<Done, Refused> {
    let (id, user) = (id(&text)?, of.user()?);
    let ended = shared.x.calls().unsubscribe(id, user).await;
    shared.x.forget();
    if ended?.subscribed {
        let words = format!("X says that user {user} is still subscribed to webhook {id}");
        return Err(Refused::new(StatusCode::BAD_GATEWAY, words));
    }
    Ok(Done::new(format!("user {user} is no longer subscribed to webhook {id}")))
}
