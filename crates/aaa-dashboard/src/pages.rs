//! The pages. Each reads what it shows and writes HTML; nothing is changed by looking.

pub(crate) mod accounts;
pub(crate) mod event;
pub(crate) mod events;
mod layout;
pub(crate) mod letters;
pub(crate) mod login;
pub(crate) mod overview;
mod payload;
pub(crate) mod replay;
mod timeline;
pub(crate) mod webhook;
pub(crate) mod webhooks;

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Query, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use http::{Method, StatusCode, Uri, request::Parts};
use maud::{Markup, html};
use serde::de::DeserializeOwned;

pub(crate) use self::layout::notice;
use self::layout::{Tab, framed};
use crate::{answer::Refused, shared::Shared};

/// What is asked for in the address. What makes no sense is answered with a page.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Shared>> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Response> {
        let asked = Query::try_from_uri(&parts.uri);
        asked.map(|Query(asked)| Self(asked)).map_err(|error| {
            let words = format!("The address is not understood: {}", error.body_text());
            failed(shared, &Refused::new(error.status(), words))
        })
    }
}

/// A page that is not there. One with a slash at its end, as people type it, is where it is
/// without.
pub(crate) async fn missing(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
) -> Response {
    if matches!(method, Method::GET | Method::HEAD) {
        if let Some(path) = uri.path().strip_suffix('/').filter(|path| login::is_own(path)) {
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            return Redirect::permanent(&format!("{}{query}", shared.at(path))).into_response();
        }
        (StatusCode::NOT_FOUND, notice(&shared, "Nothing here", "There is no such page."))
            .into_response()
    } else {
        Refused::missing("there is nothing to change here").into_response()
    }
}

/// A page that can only be read, or only be written to.
pub(crate) async fn not_so() -> Response {
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, "that cannot be done here").into_response()
}

/// A page that cannot be shown.
fn failed(shared: &Shared, refused: &Refused) -> Response {
    let status = refused.status();
    let title = if status == StatusCode::NOT_FOUND { "Nothing here" } else { "That did not work" };
    (status, notice(shared, title, refused.error())).into_response()
}

/// Shows a page, or why it cannot be shown.
fn shown(shared: &Shared, content: Result<Html<String>, Refused>) -> Response {
    match content {
        Ok(page) => page.into_response(),
        Err(refused) => failed(shared, &refused),
    }
}

/// Something that the reader should not miss.
fn banner(class: &str, words: impl maud::Render) -> Markup {
    html! { p class=(format!("banner {class}")) role="status" { (words) } }
}

/// What a list says when it is empty.
fn empty(words: &str) -> Markup {
    html! { p.empty { (words) } }
}
