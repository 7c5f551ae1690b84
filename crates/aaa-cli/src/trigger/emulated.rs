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

/// The emulator itself waits for a delivery for a minute, and then says how it stands.
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
        let What { kind, user, payload, context } = what;
        let ask = Trigger { payload, context, ..Trigger::new(&kind, user) };
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
        Ok(told(made, &ledger))
    }

    fn advice(&self, _: u16) -> Option<&'static str> {
        Some("`aaa listen` says on stderr and in its metrics why it refuses")
    }
}

/// Tells what became of each event so far.
fn told(made: Triggered, ledger: &Ledger) -> Vec<Told> {
    let Triggered { events, under_way } = made;
    let told = events.into_iter().map(|event| {
        let TriggeredEvent { id, key, kind, for_user_id } = event;
        // Of several attempts the one that succeeded counts, else the last.
        let known = ledger.events.iter().find(|known| known.id == id);
        let attempts = known.map(|known| known.attempts.as_slice()).unwrap_or_default();
        let taken = attempts.iter().find(|attempt| attempt.status == Some(200));
        let attempt = taken.or(attempts.last());
        let status = attempt.and_then(|attempt| attempt.status);
        let error = attempt.and_then(|attempt| attempt.error.clone());
        // It may have ended between the two answers.
        let under_way = taken.is_none() && under_way.contains(&id);
        Told { id, key, kind, for_user_id, status, error, under_way }
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use aaa_emulator::control::LedgerEvent;
    use serde_json::json;

    use super::*;
    use crate::trigger::tally::Tally;

    fn event(id: &str, attempts: &serde_json::Value) -> LedgerEvent {
        let event = json!({
            "id": id, "key": format!("7/favorite_events:{id}"), "kind": "favorite_events",
            "for_user_id": "7", "webhook_id": "5", "created_at": "2025-11-22T04:00:00Z",
            "attempts": attempts, "acknowledged_at": null,
        });
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn what_is_under_way_is_told_as_that() {
        let attempt = |status: Option<u16>| {
            json!({"at": "2025-11-22T04:00:00Z", "cause": "live", "job_id": null,
                   "status": status, "error": null})
        };
        let ledger = Ledger {
            now: "2025-11-22T04:01:00Z".parse().unwrap(),
            events: vec![
                event("1", &json!([attempt(Some(503))])),
                event("2", &json!([attempt(Some(503)), attempt(Some(200))])),
                event("3", &json!([])),
                event("4", &json!([attempt(Some(200))])),
            ],
            jobs: Vec::new(),
        };
        let events = ledger.events.iter().map(|event| TriggeredEvent {
            id: event.id.clone(),
            key: event.key.clone(),
            kind: event.kind.clone(),
            for_user_id: event.for_user_id,
        });
        let under_way = ["1", "2", "3"].map(str::to_owned).to_vec();
        let told = told(Triggered { events: events.collect(), under_way }, &ledger);
        let shown: Vec<_> = told.iter().map(|told| (told.status, told.under_way)).collect();
        assert_eq!(
            shown,
            [(Some(503), true), (Some(200), false), (None, true), (Some(200), false)]
        );
        let mut tally = Tally::default();
        told.iter().for_each(|told| tally.add(told));
        assert_eq!(
            tally.summary(Duration::from_secs(60)),
            "4 events in 60.0 s: 2 answered 200, 0 refused, 0 without an answer, 2 still under way"
        );
        let failure = tally.judge(|_| None).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "2 of 4 are still under way: retries are due, or deliveries are delayed"
        );
    }
}
