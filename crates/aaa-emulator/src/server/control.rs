//! The control API over HTTP.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{FromRequest, RawQuery, Request, State},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use http::StatusCode;
use serde::{Serialize, de::DeserializeOwned};

use super::{ControlError, guard::refuse, orders, shared::Shared};
use crate::control::{Advance, Clock, Deliver, Fault, Traffic, Trigger};

type Core = State<Arc<Shared>>;

/// The routes under `/_emulator/`.
pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/_emulator", any(unknown))
        .route("/_emulator/", any(unknown))
        .route("/_emulator/events", post(events))
        .route("/_emulator/ledger", get(ledger))
        .route("/_emulator/deliver", post(deliver))
        .route("/_emulator/clock", post(clock))
        .route("/_emulator/state", get(state))
        .route("/_emulator/faults", get(faults).post(plan_fault))
        .route("/_emulator/traffic", get(traffic).post(set_traffic))
        .route("/_emulator/reset", post(reset))
        .route("/_emulator/{*rest}", any(unknown))
        .method_not_allowed_fallback(other_method)
}

/// A body, as far as one is read.
struct Whole(Bytes);

impl<S: Send + Sync> FromRequest<S> for Whole {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let read = Bytes::from_request(request, state).await;
        read.map(Self).map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                refuse(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 2 MiB")
            }
            status => refuse(status, "the body broke off"),
        })
    }
}

async fn events(State(shared): Core, RawQuery(query): RawQuery, Whole(body): Whole) -> Response {
    let ask: Trigger = match parse(&body) {
        Ok(ask) => ask,
        Err(refusal) => return *refusal,
    };
    let query = query.unwrap_or_default();
    let Some(patience) = patience(&query) else {
        return refuse(StatusCode::BAD_REQUEST, "`patience` is a number of seconds, at most 60");
    };
    let waits = query.split('&').any(|pair| pair == "wait=true");
    let made = if waits {
        orders::trigger_and_wait(&shared, &ask, patience).await
    } else {
        orders::trigger(&shared, &ask).await
    };
    answer(made)
}

/// How long a query has somebody wait.
fn patience(query: &str) -> Option<Duration> {
    let Some(asked) = query.split('&').find_map(|pair| pair.strip_prefix("patience=")) else {
        return Some(orders::PATIENCE);
    };
    asked.parse().ok().map(Duration::from_secs).filter(|asked| *asked <= orders::PATIENCE)
}

async fn ledger(State(shared): Core, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let ids = query.split('&').filter_map(|pair| pair.strip_prefix("id="));
    let Ok(ids) = ids.map(str::parse).collect::<Result<Vec<u64>, _>>() else {
        return refuse(StatusCode::BAD_REQUEST, "an id in the query is not a number");
    };
    let ledger = shared.look(|world, now| match ids.as_slice() {
        [] => world.ledger(now),
        ids => world.ledger_of(ids, now),
    });
    Json(ledger).into_response()
}

async fn deliver(State(shared): Core, Whole(body): Whole) -> Response {
    match parse::<Deliver>(&body) {
        Ok(ask) => answer(orders::deliver(&shared, ask).await),
        Err(refusal) => *refusal,
    }
}

async fn clock(State(shared): Core, Whole(body): Whole) -> Response {
    match parse::<Advance>(&body) {
        Ok(ask) => {
            let by = Duration::from_secs(ask.advance_seconds);
            answer(orders::advance(&shared, by).await.map(|now| Clock { now }))
        }
        Err(refusal) => *refusal,
    }
}

async fn state(State(shared): Core, RawQuery(query): RawQuery) -> Response {
    if query.unwrap_or_default().split('&').any(|pair| pair == "export=true") {
        return Json(shared.export()).into_response();
    }
    Json(shared.look(|world, now| world.state(now))).into_response()
}

async fn faults(State(shared): Core) -> Response {
    Json(shared.look(|world, _| world.faults())).into_response()
}

async fn plan_fault(State(shared): Core, Whole(body): Whole) -> Response {
    match parse::<Fault>(&body) {
        Ok(fault) => answer(orders::plan_fault(&shared, fault)),
        Err(refusal) => *refusal,
    }
}

async fn traffic(State(shared): Core) -> Response {
    Json(shared.look(|world, _| world.traffic())).into_response()
}

async fn set_traffic(State(shared): Core, Whole(body): Whole) -> Response {
    match parse::<Traffic>(&body) {
        Ok(ask) => answer(orders::set_traffic(&shared, ask)),
        Err(refusal) => *refusal,
    }
}

async fn reset(State(shared): Core) -> Response {
    Json(Clock { now: shared.reset() }).into_response()
}

async fn unknown() -> Response {
    refuse(
        StatusCode::NOT_FOUND,
        "there is no such control call: see the documentation of `control`",
    )
}

pub(super) async fn other_method() -> Response {
    refuse(
        StatusCode::METHOD_NOT_ALLOWED,
        "this control call has another method: see the documentation of `control`",
    )
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Box<Response>> {
    serde_json::from_slice(body)
        .map_err(|error| Box::new(refuse(StatusCode::BAD_REQUEST, format!("the body: {error}"))))
}

fn answer<T: Serialize>(result: Result<T, ControlError>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(error) => {
            let status = match &error {
                ControlError::Trigger(_)
                | ControlError::Fault(_)
                | ControlError::TooFar
                | ControlError::Traffic(_)
                | ControlError::TooMuch(_) => StatusCode::BAD_REQUEST,
                ControlError::Webhook(_) => StatusCode::NOT_FOUND,
                ControlError::Gone => StatusCode::CONFLICT,
            };
            refuse(status, error.to_string())
        }
    }
}
