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
    extract::State,
    response::{Html, IntoResponse, Response},
};
use http::{Method, StatusCode};
use maud::{Markup, html};

pub(crate) use self::layout::notice;
use self::layout::{Tab, framed};
use crate::{answer::Refused, shared::Shared};

/// A page that is not there.
pub(crate) async fn missing(State(shared): State<Arc<Shared>>, method: Method) -> Response {
    if matches!(method, Method::GET | Method::HEAD) {
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
