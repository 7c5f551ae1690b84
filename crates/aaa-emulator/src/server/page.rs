//! The page at `/`, for a person who wants to see what there is and to make something happen.
//!
//! What is shown is written here; the script fetches it anew each second and puts it in place. What
//! the buttons do is the control API. Nothing comes from elsewhere, and what came from elsewhere
//! (URLs, bodies, errors) is escaped.

mod forms;
mod parts;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderName, header};

use self::parts::View;
use super::shared::Shared;

/// Only what this server sends by itself; no frame, no form, no base.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page and what belongs to it.
pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(page))
        .route("/_emulator/page", get(shown))
        .route("/_emulator/page.css", get(style))
        .route("/_emulator/page.js", get(script))
        .method_not_allowed_fallback(super::control::other_method)
}

async fn page(State(shared): State<Arc<Shared>>) -> Response {
    answer("text/html; charset=utf-8", parts::page(&view(&shared)))
}

async fn shown(State(shared): State<Arc<Shared>>) -> Response {
    answer("text/html; charset=utf-8", parts::shown(&view(&shared)))
}

async fn style() -> Response {
    answer("text/css; charset=utf-8", include_str!("page/page.css").to_owned())
}

async fn script() -> Response {
    answer("text/javascript; charset=utf-8", include_str!("page/page.js").to_owned())
}

fn view(shared: &Shared) -> View {
    shared.look(|world, now| View {
        state: world.state(now),
        faults: world.latest_faults(parts::FEW),
        latest: world.latest(parts::SHOWN),
        traffic: world.traffic(),
    })
}

fn answer(content_type: &'static str, body: String) -> Response {
    let headers: [(HeaderName, &str); 6] = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, body).into_response()
}
