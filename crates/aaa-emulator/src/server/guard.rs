//! What every request must satisfy, and what every answer carries.
//!
//! The emulator is for the machine it runs on. A web page of somewhere else must not be able to
//! use it through the user's browser: so only loopback names in `Host`; no foreign `Origin` on
//! whatever may change something; for control calls that do, JSON as well; and for the form that
//! gives permission, beyond this module, a token that only its page has.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Json,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, header};

use super::shared::Shared;
use crate::{
    control::ErrorAnswer,
    rest::{add_date, add_rate_limit},
};

/// Lets a request through or refuses it; adds `Date` and the rate limit.
pub(super) async fn check(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match refusal(&request) {
        Some((status, error)) => refuse(status, error),
        None => next.run(request).await,
    };
    let now = shared.now();
    add_date(&mut response, now);
    if !response.headers().contains_key("x-rate-limit-limit") {
        let limit = shared.look(|world, now| world.uncounted_call(now));
        add_rate_limit(&mut response, limit);
    }
    response
}

/// Refuses with an error of the control API.
pub(super) fn refuse(status: StatusCode, error: impl Into<String>) -> Response {
    (status, Json(ErrorAnswer { error: error.into() })).into_response()
}

fn refusal(request: &Request) -> Option<(StatusCode, &'static str)> {
    let headers = request.headers();
    let Some(host) = single(headers, header::HOST) else {
        return Some((StatusCode::BAD_REQUEST, "the request has no single Host"));
    };
    if !is_loopback(host) {
        let error = "the Host is not a loopback name: call the emulator as 127.0.0.1 or localhost";
        return Some((StatusCode::FORBIDDEN, error));
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    // The credentials are known to everybody, so they keep no page from the calls of X either.
    if headers.contains_key(header::ORIGIN) {
        let own = single(headers, header::ORIGIN).and_then(|o| o.strip_prefix("http://"));
        if own != Some(host) {
            return Some((StatusCode::FORBIDDEN, "the Origin is not the emulator's own"));
        }
    }
    let path = request.uri().path();
    let is_page = matches!(path, "/oauth/authorize" | "/oauth/authenticate");
    let (needed, error) = if is_page {
        let error = "the content type is not application/x-www-form-urlencoded";
        ("application/x-www-form-urlencoded", error)
    } else if path.starts_with("/_emulator/") {
        ("application/json", "the content type is not application/json")
    } else {
        return None;
    };
    let media_type = single(headers, header::CONTENT_TYPE).and_then(|t| t.split(';').next());
    if !media_type.is_some_and(|t| t.trim().eq_ignore_ascii_case(needed)) {
        return Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, error));
    }
    None
}

fn single(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Says whether the value of `Host` names this machine, whatever the port.
fn is_loopback(host: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, "")) => name,
        Some((name, port)) if port.strip_prefix(':').is_some_and(is_port) => name,
        Some(_) => return false,
        None => match host.rsplit_once(':') {
            Some((name, port)) if is_port(port) => name,
            Some(_) => return false,
            None => host,
        },
    };
    let lower = name.to_ascii_lowercase();
    lower == "localhost"
        || lower.ends_with(".localhost")
        || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names() {
        for good in ["localhost", "LocalHost:80", "127.0.0.1:7878", "127.9.9.9", "[::1]:1", "[::1]"]
        {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "10.0.0.1:80",
            "[::2]",
            "[::1]x",
            "localhost:80:80x",
            "127.0.0.1@evil",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
