//! Users sign in through X.

use std::sync::Arc;

use aaa_auth::{
    flow::{Access, Callback, CallbackError, Verifier},
    tokens::StoredToken,
};
use aaa_types::UserId;
use axum::{
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use crate::{
    answer::{Change, Done, Refused, json},
    clock,
    guard::single,
    pages,
    shared::Shared,
};

#[derive(Deserialize)]
pub(crate) struct SignIn {
    #[serde(default)]
    way: String,
}

/// Where to go on: at X, or, with a PIN, there and back here.
#[derive(Serialize)]
struct Begun {
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorize: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
}

pub(crate) async fn sign_in(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Change(change): Change<SignIn>,
) -> Result<Response, Refused> {
    // A verifier works once: a token that cannot be stored afterwards would be lost.
    shared.change_tokens(|_| ()).await?;
    let by_pin = change.way == "pin";
    let callback = if by_pin {
        Callback::OUT_OF_BAND
    } else {
        // The guard has seen that it is ours.
        let origin = single(&headers, header::ORIGIN).unwrap_or_default();
        let callback = format!("{origin}{}", shared.at("/accounts/callback"));
        callback.parse().map_err(Refused::wrong)?
    };
    let calls = shared.x.calls();
    let token = calls.request_token(&callback).await?;
    let page = calls.authorize_url(&token).to_string();
    let request = shared.sign_ins.add(token);
    let begun = if by_pin {
        let message = "open X’s page, and type the PIN that it shows";
        Begun { message, location: None, authorize: Some(page), request: Some(request) }
    } else {
        Begun { message: "X asks the user", location: Some(page), authorize: None, request: None }
    };
    Ok(json(StatusCode::OK, &begun))
}

#[derive(Deserialize)]
pub(crate) struct Pin {
    request: String,
    pin: String,
}

pub(crate) async fn pin(
    State(shared): State<Arc<Shared>>,
    Change(change): Change<Pin>,
) -> Result<Done, Refused> {
    // What cannot be a PIN costs no attempt.
    let pin = Verifier::from_pin(&change.pin).map_err(Refused::wrong)?;
    let token = shared.sign_ins.take(&change.request);
    let token = token.ok_or_else(|| Refused::missing("this sign-in is over: begin again"))?;
    let access = shared.x.calls().access_token(&token, &pin).await?;
    let user = store(&shared, access).await?;
    Ok(Done::new(format!("{user} is signed in")).at(shared.at("/accounts")))
}

/// A user comes back from X. The browser comes from another site, so it brings no cookie; what
/// lets them in is the request token, which only somebody who was signed in could begin with.
pub(crate) async fn callback(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let (status, title, words) = match come_back(&shared, &query).await {
        Ok(user) => (
            StatusCode::OK,
            "Signed in",
            format!("{user} has given permission, and can be subscribed."),
        ),
        Err(refused) => (refused.status(), "Not signed in", refused.error().to_owned()),
    };
    (status, pages::notice(&shared, title, &words)).into_response()
}

async fn come_back(shared: &Shared, query: &str) -> Result<String, Refused> {
    let stranger = || {
        let words = "This does not belong to a sign-in that is under way here. Nothing was done.";
        Refused::new(StatusCode::BAD_REQUEST, words)
    };
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let name = pairs.find(|(name, _)| name == "oauth_token" || name == "denied");
    let (_, name) = name.ok_or_else(stranger)?;
    let token = shared.sign_ins.take(&name).ok_or_else(stranger)?;
    if token.is_out_of_band() {
        return Err(stranger());
    }
    let verifier = token.verifier(query).map_err(|error| match error {
        CallbackError::Denied => {
            Refused::new(StatusCode::FORBIDDEN, "The user did not give permission.")
        }
        error => Refused::new(StatusCode::BAD_REQUEST, error.to_string()),
    })?;
    let access = shared.x.calls().access_token(&token, &verifier).await?;
    store(shared, access).await
}

/// Stores the token, and says whose it is.
async fn store(shared: &Shared, access: Access) -> Result<String, Refused> {
    let user = access.user_id.or_else(|| access.token.user_id()).ok_or_else(|| {
        let words = "X handed out a token and did not say whose it is, so it is not stored";
        Refused::new(StatusCode::BAD_GATEWAY, words)
    })?;
    let name = access.screen_name.as_ref().map(|name| format!(" (@{name})")).unwrap_or_default();
    let stored = StoredToken::from_access(access, clock::wall());
    shared.change_tokens(move |tokens| drop(tokens.insert(user, stored))).await?;
    Ok(format!("user {user}{name}"))
}

pub(crate) async fn forget(
    State(shared): State<Arc<Shared>>,
    Path(text): Path<String>,
) -> Result<Done, Refused> {
    let user: UserId = text.parse().map_err(|_| Refused::missing("there is no such user"))?;
    let gone = shared.change_tokens(move |tokens| tokens.remove(user).is_some()).await?;
    if !gone {
        return Err(Refused::missing(format!("no token of user {user} is stored")));
    }
    Ok(Done::new(format!("the token of user {user} is forgotten")))
}
