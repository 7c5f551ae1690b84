//! The users who permitted the app to act for them.

use std::sync::Arc;

use aaa_auth::tokens::Tokens;
use axum::{
    extract::State,
    response::{Html, Response},
};
use maud::{Markup, html};

use super::{Tab, banner, empty, framed, shown};
use crate::{
    shared::{self, Shared},
    words,
};

pub(crate) async fn page(State(shared): State<Arc<Shared>>) -> Response {
    let content = page_of(&shared).await;
    shown(&shared, Ok(content))
}

async fn page_of(shared: &Shared) -> Html<String> {
    let content = html! {
        section.card #accounts {
            h2 { "Signed in" }
            @match shared.tokens().await {
                Err(error) => { (banner("bad", html! { "The users' tokens cannot be read: " (error) })) }
                Ok(None) => { (empty("This dashboard was started without a file of users' tokens.")) }
                Ok(Some(tokens)) if tokens.is_empty() => {
                    (empty("Nobody yet. X delivers what happens to users who are subscribed, and only the app's owner and users who signed in can be."))
                }
                Ok(Some(tokens)) => { (users(shared, &tokens)) }
            }
        }
        @if shared.tokens.is_some() {
            section.card {
                h2 { "Sign another user in" }
                p {
                    "X asks the user whether the app may act for them, and sends them back here. The app's settings at X have to list the callback "
                    code { "…" (shared.at("/accounts/callback")) } "; without it, take the PIN."
                }
                form data-post=(shared.at("/accounts/sign-in")) {
                    button { "Sign in with X" }
                }
                form data-post=(shared.at("/accounts/sign-in")) data-pin="pin" {
                    input type="hidden" name="way" value="pin";
                    button.quiet { "Sign in with a PIN" }
                }
                form #pin data-post=(shared.at("/accounts/pin")) hidden {
                    p { a data-authorize target="_blank" rel="noopener noreferrer" { "Open X’s page" } ", give permission as the user, and type the PIN that it shows." }
                    input type="hidden" name="request";
                    label { "PIN"
                        input name="pin" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9 ]{4,14}" required;
                    }
                    button { "Done" }
                }
            }
        }
    };
    framed(shared, Tab::Accounts, "Accounts", content)
}

/// Who is there, never with which token.
fn users(shared: &Shared, tokens: &Tokens) -> Markup {
    let now = shared::now(None);
    html! {
        div.wide {
            table {
                thead { tr { th { "User" } th { "Name" } th { "Since" } th.end { span.hidden { "Change" } } } }
                tbody {
                    @for (user, stored) in tokens.iter() {
                        tr {
                            td { a.plain href=(shared.at(&format!("/events?user={user}"))) { (user) } }
                            td { @if let Some(name) = &stored.screen_name { bdi { "@" (name) } } @else { span.faint { "–" } } }
                            td { @if let Some(at) = stored.added_at { (words::time(at, now.wall)) } @else { span.faint { "–" } } }
                            td.end {
                                button.quiet.danger data-post=(shared.at(&format!("/accounts/{user}/forget")))
                                    data-confirm=(format!("Forget the token of user {user}? Subscriptions stay; the permission is taken back at X."))
                                    aria-label=(format!("Forget user {user}")) { "Forget" }
                            }
                        }
                    }
                }
            }
        }
    }
}
