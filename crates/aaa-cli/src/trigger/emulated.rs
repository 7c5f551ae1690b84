//! Through the control API of an emulator.

use std::time::Duration;

use aaa_client::{ApiUrl, ReqwestTransport, Timeouts, Transport};
use aaa_emulator::control::{ErrorAnswer, Ledger, State, Trigger, Triggered, TriggeredEvent};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use serde::de::DeserializeOwned;

use super::{Told, Way, What};
use crate::{
    exit::{Exit, Failure},
    forward::told as status_and_name,
};

/// The emulator itself gives up waiting for a delivery after a minute.
const TIMEOUTS: Timeouts =
    Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(70) };

/// Asks an emulator for events.
pub(super) struct Emulated {
    transport: ReqwestTransport,
    api: ApiUrl,
    ask: Trigger,
}

impl Emulated {
    /// Looks whether there is an emulator.
    ///
    /// # Errors
    ///
    /// Fails when nobody answers, or somebody else does.
    pub(super) async fn find(api: &ApiUrl, what: What) -> Result<Self, Failure> {
        let transport = ReqwestTransport::new(api, TIMEOUTS)
            .map_err(|error| Exit::Failed.with(error.to_string()))?;
        let What { kind, user, payload } = what;
        let ask = Trigger { payload, ..Trigger::new(&kind, user) };
        let emulator = Self { transport, api: api.clone(), ask };
        emulator.call::<State>(Method::GET, "state", &[], Bytes::new()).await?;
        Ok(emulator)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Bytes,
    ) -> Result<T, Failure> {
        let url = self.api.join(&format!("/_emulator/{path}"), query);
        let request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|error| Exit::Failed.of("could not ask the emulator", error))?;
        let answer = self.transport.send(request).await.map_err(|error| {
            Exit::Network.of(&format!("no emulator answers at {}", self.api), error).advise(START)
        })?;
        let status = answer.status();
        if status == StatusCode::OK
            && let Ok(value) = serde_json::from_slice(answer.body())
        {
            return Ok(value);
        }
        Err(match serde_json::from_slice::<ErrorAnswer>(answer.body()) {
            Ok(refusal) => Exit::Refused.of("the emulator refused", refusal.error),
            Err(_) => {
                let words = format!("what answers at {} is no emulator", self.api);
                Exit::Failed.with(format!("{words}: {}", status_and_name(status))).advise(START)
            }
        })
    }
}

const START: &str = "start one with `aaa emulate`, or say with --emulator or X_API_URL where it is";

impl Way for Emulated {
    async fn once(&self) -> Result<Vec<Told>, Failure> {
        let ask = serde_json::to_vec(&self.ask);
        let ask = ask.map_err(|error| Exit::Failed.of("could not ask the emulator", error))?;
        let wait = [("wait", "true".to_owned())];
        let made: Triggered = self.call(Method::POST, "events", &wait, ask.into()).await?;
        let ids: Vec<_> = made.events.iter().map(|event| ("id", event.id.clone())).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ledger: Ledger = self.call(Method::GET, "ledger", &ids, Bytes::new()).await?;
        let told = made.events.into_iter().map(|event| {
            let TriggeredEvent { id, key, kind, for_user_id } = event;
            // Of several attempts the one that succeeded counts, else the last.
            let known = ledger.events.iter().find(|known| known.id == id);
            let attempts = known.map(|known| known.attempts.as_slice()).unwrap_or_default();
            let taken = attempts.iter().find(|attempt| attempt.status == Some(200));
            let attempt = taken.or(attempts.last());
            let status = attempt.and_then(|attempt| attempt.status);
            let error = attempt.and_then(|attempt| attempt.error.clone());
            Told { id, key, kind, for_user_id, status, error }
        });
        Ok(told.collect())
    }

    fn advice(&self, _: u16) -> Option<&'static str> {
        Some("`aaa listen` says on stderr and in its metrics why it refuses")
    }
}
