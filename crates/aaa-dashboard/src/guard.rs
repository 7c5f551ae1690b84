//! What every request must satisfy, and what every answer carries.
//!
//! The pages can change things, and show what others wrote. So a request comes under a name of
//! ours, from whoever is signed in; a change needs JSON, our own origin and a token that only our
//! pages have; and an answer lets nothing run that is not ours, and nobody frame it.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};

use crate::{answer::Refused, pages, shared::Shared};

/// The header that brings the token of a page.
pub(crate) const TOKEN: HeaderName = HeaderName::from_static("aaa-token");

/// The cookie of somebody who is signed in.
pub(crate) const COOKIE: &str = "aaa-session";

/// Nothing runs, nothing is loaded and nothing is sent but what is our own; texts never become
/// scripts, nor pages by a script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // The origin is still told to ourselves; the addresses of pages to nobody.
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// Lets a request through or refuses it.
pub(crate) async fn check(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match judge(&shared, &request) {
        // Whoever asked may close the page meanwhile; what was begun is brought to its end.
        Ok(()) => tokio::spawn(next.run(request)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a page of the dashboard came to no end");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }),
        Err(refusal) => refusal,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

#[expect(clippy::result_large_err, reason = "a refusal is an answer like any other")]
fn judge(shared: &Shared, request: &Request) -> Result<(), Response> {
    let headers = request.headers();
    // Before the name is looked at: whoever put a proxy here has to hear of the password first.
    if !shared.access.is_closed() && is_passed_on(request) {
        let words = "A proxy passed this on, and without a password everybody whom it lets through \
                     would be let in. Set a password (AAA_DASHBOARD_PASSWORD, where `aaa` runs it) \
                     and start the dashboard again.";
        return Err(refuse(shared, request, StatusCode::FORBIDDEN, words));
    }
    let host = single(headers, header::HOST).or(request.uri().authority().map(|a| a.as_str()));
    let Some(host) = host.filter(|host| shared.hosts.admit(host)) else {
        let words = "This is not a name of the dashboard. Call it by its address, or name the host \
                     when it is started.";
        return Err(refuse(shared, request, StatusCode::MISDIRECTED_REQUEST, words));
    };
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    if !shared.access.is_closed() && peer.is_some_and(|peer| !peer.0.ip().is_loopback()) {
        let words = "Without a password the dashboard is for the machine it runs on.";
        return Err(refuse(shared, request, StatusCode::FORBIDDEN, words));
    }
    // Without the base: whoever nests a router takes that away.
    let path = request.uri().path();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && !is_own(headers, host) {
        let words = "A change has to come from a page of the dashboard itself. A proxy before it \
                     has to pass on the name it was called by (Host).";
        return Err(refuse(shared, request, StatusCode::FORBIDDEN, words));
    }
    if !is_open(path) && !shared.access.admits(cookie(headers)) {
        if reads && accepts_html(headers) {
            return Err(pages::login::away(shared, request.uri()).into_response());
        }
        let words = "You are not signed in, or no longer: open the dashboard again.";
        return Err(refuse(shared, request, StatusCode::UNAUTHORIZED, words));
    }
    // Signing in and out are forms, so that pages can be read without the script.
    if reads || matches!(path, "/login" | "/logout") {
        return Ok(());
    }
    if !is_json(headers) {
        let words = "A change has to be JSON.";
        return Err(refuse(shared, request, StatusCode::UNSUPPORTED_MEDIA_TYPE, words));
    }
    if !single(headers, TOKEN).is_some_and(|token| shared.access.has_token(token)) {
        let words = "The page is older than this dashboard: open it again, then repeat.";
        return Err(refuse(shared, request, StatusCode::FORBIDDEN, words));
    }
    Ok(())
}

/// Says whether a request shows that it came through a proxy, whose own address is all that the
/// other side of the connection tells. Browsers and scripts on this machine send none of these
/// headers, and no browser speaks HTTP/1.0, as nginx does unless it is told otherwise.
fn is_passed_on(request: &Request) -> bool {
    let told = request.headers().keys().any(|name| {
        let name = name.as_str();
        matches!(name, "forwarded" | "via" | "x-real-ip") || name.starts_with("x-forwarded-")
    });
    told || request.version() < Version::HTTP_11
}

/// What is for everybody: what pages look like, the way in, and the way back from X, whose link
/// brings no cookie and is good for nothing without the request token.
fn is_open(path: &str) -> bool {
    path.starts_with("/assets/") || matches!(path, "/login" | "/accounts/callback")
}

/// Says whether a request comes from a page under the same name.
fn is_own(headers: &HeaderMap, host: &str) -> bool {
    let origin = single(headers, header::ORIGIN);
    let authority = origin
        .and_then(|origin| origin.strip_prefix("http://").or(origin.strip_prefix("https://")));
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
        && site.is_none_or(|site| site == b"same-origin")
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = single(headers, header::CONTENT_TYPE).and_then(|t| t.split(';').next());
    media_type.is_some_and(|t| t.trim().eq_ignore_ascii_case("application/json"))
}

fn accepts_html(headers: &HeaderMap) -> bool {
    single(headers, header::ACCEPT).is_some_and(|accept| accept.contains("text/html"))
}

/// Returns the value of the session cookie.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Returns a header that is there once.
pub(crate) fn single(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Says no, in a page to whoever reads pages.
fn refuse(shared: &Shared, request: &Request, status: StatusCode, words: &'static str) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) && accepts_html(request.headers()) {
        return (status, pages::notice(shared, "That did not work", words)).into_response();
    }
    Refused::new(status, words).into_response()
}
