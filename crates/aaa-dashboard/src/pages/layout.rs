//! What all pages have around their content.

use axum::response::Html;
use maud::{DOCTYPE, Markup, html};

use crate::{assets, shared::Shared};

/// The page that the navigation marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Overview,
    Events,
    Webhooks,
    Accounts,
    Replay,
    Letters,
}

const TABS: [(Tab, &str, &str); 6] = [
    (Tab::Overview, "/", "Overview"),
    (Tab::Events, "/events", "Events"),
    (Tab::Webhooks, "/webhooks", "Webhooks"),
    (Tab::Accounts, "/accounts", "Accounts"),
    (Tab::Replay, "/replay", "Replay"),
    (Tab::Letters, "/dead-letters", "Dead letters"),
];

/// Writes a page.
pub(crate) fn framed(shared: &Shared, tab: Tab, title: &str, content: Markup) -> Html<String> {
    let closed = shared.access.is_closed();
    let body = html! {
        body {
            a.skip href="#main" { "To the content" }
            header.top {
                a.brand href=(shared.at("/")) { span.mark aria-hidden="true" {} "aaa" }
                nav aria-label="Pages" {
                    @for (one, path, name) in TABS {
                        a href=(shared.at(path)) aria-current=[(one == tab).then_some("page")] {
                            (name)
                        }
                    }
                }
                @if closed {
                    form.inline method="post" action=(shared.at("/logout")) { button.quiet { "Sign out" } }
                }
            }
            main #main tabindex="-1" {
                h1 { (title) }
                noscript {
                    p.banner.info { "Without its script this dashboard can be read, but changes nothing." }
                }
                (content)
            }
            footer { "All times are UTC." }
            div #said role="status" aria-live="polite" {}
        }
    };
    document(shared, title, Some(shared.access.token()), &body)
}

/// Writes a page of words, for whoever has nothing else to see.
pub(crate) fn notice(shared: &Shared, title: &str, words: &str) -> Html<String> {
    let body = html! {
        body.bare {
            main #main.card {
                h1 { (title) }
                p { (words) }
                p { a href=(shared.at("/")) { "To the overview" } }
            }
        }
    };
    document(shared, title, None, &body)
}

/// Writes a document around a body; `token` lets its script change something.
pub(crate) fn document(
    shared: &Shared,
    title: &str,
    token: Option<&str>,
    body: &Markup,
) -> Html<String> {
    let asset = |name: &str| shared.at(&assets::path(name));
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if let Some(token) = token {
                    meta name="aaa-token" content=(token);
                }
                title { (title) " · aaa" }
                link rel="icon" href=(asset("icon.svg")) type="image/svg+xml";
                link rel="stylesheet" href=(asset("style.css"));
                script src=(asset("script.js")) defer {}
            }
            (body)
        }
    };
    Html(document.into_string())
}
