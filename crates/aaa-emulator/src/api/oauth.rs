//! The endpoints that hand out tokens, and the page on which a user gives permission.

mod page;

use aaa_types::UserId;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::json;
use url::{Url, form_urlencoded};

use super::{Asked, Gate, Reply, answer, auth::Denied, form};
use crate::{
    control::{Action, Operation},
    credentials,
    settings::{Generation, Invalidation},
    world::{Decided, Decision, OUT_OF_BAND, RateLimit, Wire, World},
};

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    RequestToken,
    /// The page, `/oauth/authorize` or the one that cannot show a PIN, `/oauth/authenticate`.
    Page {
        shows_pins: bool,
    },
    AccessToken,
    BearerToken,
    InvalidateBearerToken,
}

/// Takes a call, if it is one of these.
pub(super) fn handle(
    world: &mut World,
    gate: &mut Gate,
    parts: &Parts,
    body: &[u8],
    now: Timestamp,
    clocks: &[Timestamp],
) -> Option<(RateLimit, Reply)> {
    let endpoint = match parts.uri.path() {
        "/oauth/request_token" => Endpoint::RequestToken,
        "/oauth/authorize" => Endpoint::Page { shows_pins: true },
        "/oauth/authenticate" => Endpoint::Page { shows_pins: false },
        "/oauth/access_token" => Endpoint::AccessToken,
        "/oauth2/token" => Endpoint::BearerToken,
        "/oauth2/invalidate_token" => Endpoint::InvalidateBearerToken,
        _ => return None,
    };
    let is_page = matches!(endpoint, Endpoint::Page { .. });
    if parts.method != Method::POST && !(is_page && parts.method == Method::GET) {
        let allow = if is_page { "GET, POST" } else { "POST" };
        let reply = answer::method_not_allowed(Generation::V1_1, allow);
        return Some((world.uncounted_call(now), reply));
    }
    let operation = endpoint.operation();
    let limit = world.count_call(operation, Generation::V1_1, None, now);
    if limit.exceeded {
        return Some((limit, answer::too_many_requests(Generation::V1_1)));
    }
    let wire = match world.call_fault(operation, None, now) {
        Some(Action::Respond { status, form }) => {
            return Some((limit, answer::injected(Generation::V1_1, status, form)));
        }
        Some(Action::Reset) => {
            return Some((limit, Reply::empty(StatusCode::OK).over(Wire::Reset)));
        }
        fault => super::wire(fault),
    };
    let asked = Asked { query: parts.uri.query(), form: form(parts, body), body };
    let reply = match endpoint {
        Endpoint::RequestToken => request_token(world, gate, parts, &asked, now, clocks),
        Endpoint::Page { shows_pins } if parts.method == Method::GET => {
            consent(world, parts, &asked, shows_pins, now)
        }
        Endpoint::Page { .. } => decide(world, &asked, now),
        Endpoint::AccessToken => access_token(world, gate, parts, &asked, now, clocks),
        Endpoint::BearerToken => bearer_token(world, parts, &asked),
        Endpoint::InvalidateBearerToken => invalidate(world, gate, parts, &asked, clocks),
    };
    Some((limit, reply.over(wire)))
}

fn request_token(
    world: &mut World,
    gate: &mut Gate,
    parts: &Parts,
    asked: &Asked<'_>,
    now: Timestamp,
    clocks: &[Timestamp],
) -> Reply {
    let signed = gate.admit_without_token(parts, &asked.form, clocks);
    let authorization = match signed {
        Ok(authorization) => authorization,
        Err(denied) => return refuse(denied),
    };
    let Some(callback) = authorization.callback() else {
        let words = "oauth_callback parameter is missing.";
        return Reply::coded(StatusCode::BAD_REQUEST, 38, words);
    };
    match world.request_token(callback, now) {
        Ok(request) => text_form(&[
            ("oauth_token", &request.token),
            ("oauth_token_secret", &request.secret),
            ("oauth_callback_confirmed", "true"),
        ]),
        Err(_) => {
            let words = "Callback URL not approved for this client application. Approved callback \
                         URLs can be adjusted in your application settings";
            Reply::coded(StatusCode::FORBIDDEN, 415, words)
        }
    }
}

fn access_token(
    world: &mut World,
    gate: &mut Gate,
    parts: &Parts,
    asked: &Asked<'_>,
    now: Timestamp,
    clocks: &[Timestamp],
) -> Reply {
    let secret = |token: &str| world.request_secret(token, now).map(str::to_owned);
    let signed = gate.admit_with_request_token(parts, &asked.form, clocks, secret);
    let authorization = match signed {
        Ok(authorization) => authorization,
        Err(denied) => return refuse(denied),
    };
    let in_header = authorization.verifier().map(str::to_owned);
    let verifier = in_header.or_else(|| asked.parameter("oauth_verifier")).unwrap_or_default();
    let token = authorization.token().unwrap_or_default();
    match world.access_token(token, &verifier, now) {
        Ok(user) => {
            let tokens = credentials::user_token(user.as_u64());
            text_form(&[
                ("oauth_token", &tokens.token),
                ("oauth_token_secret", &tokens.secret),
                ("user_id", &user.to_string()),
                ("screen_name", &format!("user{user}")),
            ])
        }
        Err(_) => Reply::new(
            StatusCode::UNAUTHORIZED,
            TEXT,
            "Error processing your OAuth request: Invalid oauth_verifier parameter".into(),
        ),
    }
}

fn consent(
    world: &World,
    parts: &Parts,
    asked: &Asked<'_>,
    shows_pins: bool,
    now: Timestamp,
) -> Reply {
    let token = asked.parameter("oauth_token").unwrap_or_default();
    match world.consent(&token, now) {
        Ok(consent) if consent.callback == OUT_OF_BAND && !shows_pins => page::refused(
            "This page leads back to a callback, and there is none: a PIN is shown by \
             /oauth/authorize.",
        ),
        Ok(consent) => page::consent(parts.uri.path(), &token, &consent),
        Err(error) => page::refused(&error.to_string()),
    }
}

fn decide(world: &mut World, asked: &Asked<'_>, now: Timestamp) -> Reply {
    let value = |name| asked.value(name).unwrap_or_default();
    let decision = match (value("decision"), value("user_id").parse::<UserId>()) {
        ("approve", Ok(user)) => Decision::Approve(user),
        ("deny", _) => Decision::Deny,
        _ => return page::refused("the form lacks `decision`, `approve` or `deny`, or `user_id`"),
    };
    let token = value("oauth_token");
    match world.decide(token, value("authenticity_token"), decision, now) {
        Ok(Decided { callback, verifier }) if callback == OUT_OF_BAND => {
            page::ended(verifier.as_deref())
        }
        Ok(Decided { callback, verifier }) => go_back(&callback, token, verifier.as_deref()),
        Err(error) => page::refused(&error.to_string()),
    }
}

fn bearer_token(world: &mut World, parts: &Parts, asked: &Asked<'_>) -> Reply {
    if !is_app(parts) {
        return unverified();
    }
    if asked.value("grant_type") != Some("client_credentials") {
        let error = json!({
            "code": 170,
            "label": "forbidden_missing_parameter",
            "message": "Missing required parameter: grant_type",
        });
        return Reply::json(StatusCode::FORBIDDEN, &json!({"errors": [error]}));
    }
    let body = json!({"token_type": "bearer", "access_token": world.bearer_token()});
    Reply::json(StatusCode::OK, &body)
}

fn invalidate(
    world: &mut World,
    gate: &mut Gate,
    parts: &Parts,
    asked: &Asked<'_>,
    clocks: &[Timestamp],
) -> Reply {
    let mut by_owner = || gate.admit(world, parts, &asked.form, clocks).is_ok_and(|c| c.is_owner());
    let is_right = match world.settings().invalidation {
        Invalidation::Either => is_app(parts) || by_owner(),
        Invalidation::Basic => is_app(parts),
        Invalidation::Owner => by_owner(),
    };
    if !is_right {
        return unverified();
    }
    let token = asked.value("access_token").unwrap_or_default();
    if world.invalidate_bearer_token(token) {
        Reply::json(StatusCode::OK, &json!({"access_token": token}))
    } else {
        let words = "Client application is not permitted to to invalidate this token.";
        Reply::coded(StatusCode::FORBIDDEN, 348, words)
    }
}

/// Sends the user back to where they came from.
fn go_back(callback: &str, token: &str, verifier: Option<&str>) -> Reply {
    let location = Url::parse(callback).ok().and_then(|mut url| {
        match verifier {
            Some(verifier) => url
                .query_pairs_mut()
                .append_pair("oauth_token", token)
                .append_pair("oauth_verifier", verifier),
            None => url.query_pairs_mut().append_pair("denied", token),
        };
        HeaderValue::from_str(url.as_str()).ok()
    });
    let mut reply = Reply::empty(StatusCode::FOUND);
    reply.headers.extend(location.map(|location| (header::LOCATION, location)));
    reply.headers.push((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
    reply
}

/// Says whether the app's key and secret are there, percent-encoded, as Basic has them.
fn is_app(parts: &Parts) -> bool {
    let read = || {
        let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, encoded) = value.split_once(' ')?;
        let pair = STANDARD.decode(encoded.trim()).ok()?;
        let (key, secret) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
        let is = |text: &str, expected: &str| {
            percent_decode_str(text).decode_utf8().is_ok_and(|text| text == expected)
        };
        let is_right =
            is(key, credentials::CONSUMER_KEY) && is(secret, credentials::CONSUMER_SECRET);
        Some(scheme.eq_ignore_ascii_case("Basic") && is_right)
    };
    read().unwrap_or(false)
}

fn unverified() -> Reply {
    let error = json!({
        "code": 99,
        "label": "authenticity_token_error",
        "message": "Unable to verify your credentials",
    });
    Reply::json(StatusCode::FORBIDDEN, &json!({"errors": [error]}))
}

fn refuse(denied: Denied) -> Reply {
    answer::denied(Generation::V1_1, denied)
}

/// A form, under the content type that X gives to it.
fn text_form(pairs: &[(&str, &str)]) -> Reply {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Reply::new(StatusCode::OK, TEXT, form)
}

const TEXT: &str = "text/html; charset=utf-8";

impl Endpoint {
    fn operation(self) -> Operation {
        match self {
            Self::RequestToken => Operation::RequestToken,
            Self::Page { .. } => Operation::Authorize,
            Self::AccessToken => Operation::AccessToken,
            Self::BearerToken => Operation::BearerToken,
            Self::InvalidateBearerToken => Operation::InvalidateBearerToken,
        }
    }
}

impl Asked<'_> {
    /// Finds a parameter in the form.
    fn value(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}
