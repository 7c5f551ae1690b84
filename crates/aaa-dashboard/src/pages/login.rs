//! The way in, where a password is needed. It works without the script.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{Html, IntoResponse, Redirect, Response},
};
use bytes::Bytes;
use http::{Extensions, HeaderMap, StatusCode, Uri, header};
use maud::html;
use serde::Deserialize;
use url::form_urlencoded;

use super::{Asked, layout::document};
use crate::{
    access::{SESSION, Sender, SignedIn},
    answer::Refused,
    guard::{COOKIE, cookie, single},
    shared::Shared,
};

#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    next: String,
}

/// Sends somebody who is not signed in to where they can.
pub(crate) fn away(shared: &Shared, wanted: &Uri) -> Redirect {
    let wanted = wanted.path_and_query().map_or("/", |wanted| wanted.as_str());
    let query =
        form_urlencoded::Serializer::new(String::new()).append_pair("next", wanted).finish();
    Redirect::to(&shared.at(&format!("/login?{query}")))
}

pub(crate) async fn page(
    State(shared): State<Arc<Shared>>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Response {
    if shared.access.admits(cookie(&headers)) {
        return Redirect::to(&shared.at(&own_path(&wanted.next))).into_response();
    }
    form(&shared, &wanted.next, None).into_response()
}

fn form(shared: &Shared, next: &str, error: Option<&str>) -> Html<String> {
    let body = html! {
        body.bare {
            main #main.card {
                h1 { "aaa" }
                p { "This dashboard asks for its password." }
                @if let Some(error) = error {
                    p.banner.bad role="alert" { (error) }
                }
                form method="post" action=(shared.at("/login")) {
                    input type="hidden" name="next" value=(own_path(next));
                    label { "Password"
                        input type="password" name="password" required autofocus
                            autocomplete="current-password";
                    }
                    button { "Sign in" }
                }
            }
        }
    };
    document(shared, "Sign in", None, &body)
}

pub(crate) async fn sign_in(
    State(shared): State<Arc<Shared>>,
    extensions: Extensions,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (mut password, mut next) = (String::new(), String::new());
    for (name, value) in form_urlencoded::parse(&body) {
        match &*name {
            "password" => password = value.into_owned(),
            "next" => next = value.into_owned(),
            _ => {}
        }
    }
    match shared.access.sign_in(&password, Sender::of(&extensions, &headers)) {
        Ok(SignedIn::Yes(id)) => {
            let secure = single(&headers, header::ORIGIN).is_some_and(|o| o.starts_with("https:"));
            let secure = if secure { "; Secure" } else { "" };
            let (age, path) = (SESSION.as_secs(), shared.at("/"));
            let cookie = format!(
                "{COOKIE}={id}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"
            );
            let to = shared.at(&own_path(&next));
            ([(header::SET_COOKIE, cookie)], Redirect::to(&to)).into_response()
        }
        Ok(SignedIn::No) => {
            let words = "That is not the password.";
            (StatusCode::FORBIDDEN, form(&shared, &next, Some(words))).into_response()
        }
        Ok(SignedIn::Later(wait)) => {
            let seconds = wait.as_secs() + 1;
            let words = format!("Too many wrong passwords came. Try again in {seconds} s.");
            let status = StatusCode::TOO_MANY_REQUESTS;
            let after = [(header::RETRY_AFTER, seconds.to_string())];
            (status, after, form(&shared, &next, Some(&words))).into_response()
        }
        Err(_) => {
            let words = "The system gave no random bytes, so nobody can be signed in.";
            (StatusCode::INTERNAL_SERVER_ERROR, form(&shared, &next, Some(words))).into_response()
        }
    }
}

pub(crate) async fn sign_out(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if !shared.access.is_closed() {
        return Refused::not_here("nobody has to sign in here, so nobody can sign out")
            .into_response();
    }
    if let Some(cookie) = cookie(&headers) {
        shared.access.sign_out(cookie);
    }
    let gone = format!("{COOKIE}=; Path={}; Max-Age=0; HttpOnly; SameSite=Strict", shared.at("/"));
    ([(header::SET_COOKIE, gone)], Redirect::to(&shared.at("/login"))).into_response()
}

/// Returns a path of these pages; anything else, which a link could bring, becomes the overview.
fn own_path(next: &str) -> String {
    if is_own(next) { next.to_owned() } else { "/".to_owned() }
}

/// Says whether a browser that is sent there stays on these pages.
pub(super) fn is_own(path: &str) -> bool {
    let plain = path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    path.starts_with('/') && !path.starts_with("//") && plain
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for own in ["/", "/events?kind=x&before=7", "/webhooks/12"] {
            assert_eq!(own_path(own), own);
        }
        for foreign in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "javascript:1",
            "/a\r\nb",
            "/ä",
        ] {
            assert_eq!(own_path(foreign), "/", "{foreign}");
        }
    }
}
