//! Events as they are stored, as server-sent events: `id` is the number, `data` what a row shows.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, stream};
use http::HeaderMap;
use jiff::Timestamp;
use serde::Serialize;
use tokio::{sync::watch, time::timeout};

use crate::{
    answer::Refused,
    guard::{cookie, single},
    pages::{Asked, events::Wanted},
    reading::Filter,
    shared::Shared,
};

/// How often to look where nobody says that there is something new, and how often at most.
const LOOK: Duration = Duration::from_millis(500);

/// How many events are read at once.
const PAGE: usize = 100;

/// How long a stream lasts: whoever still watches comes again, and whoever is gone without a word
/// holds no connection for ever.
const LASTS: Duration = Duration::from_secs(3600);

/// What is told of an event.
#[derive(Debug, Serialize)]
struct Told {
    seq: u64,
    kind: String,
    for_user_id: Option<String>,
    key: String,
    received_at: Timestamp,
    stale: bool,
}

pub(crate) async fn events(
    State(shared): State<Arc<Shared>>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Response {
    let seen = single(&headers, http::HeaderName::from_static("last-event-id"));
    let seen = match seen.and_then(|seen| seen.parse().ok()) {
        Some(seen) => Ok(seen),
        None => match wanted.after() {
            Some(after) => Ok(after),
            None => shared.last().await,
        },
    };
    match seen {
        Ok(after) => {
            let cookie = cookie(&headers).map(str::to_owned);
            let told = Following::new(shared, cookie, wanted.filter(), after).told();
            Sse::new(told).keep_alive(KeepAlive::new()).into_response()
        }
        Err(error) => Refused::from(error).into_response(),
    }
}

struct Following {
    shared: Arc<Shared>,
    /// Whose session it is.
    cookie: Option<String>,
    filter: Filter,
    after: u64,
    woken: Option<watch::Receiver<u64>>,
    read: VecDeque<Event>,
    since: Duration,
}

impl Following {
    fn new(shared: Arc<Shared>, cookie: Option<String>, filter: Filter, after: u64) -> Self {
        let (woken, since) = (shared.woken.clone(), shared.clock.elapsed());
        Self { shared, cookie, filter, after, woken, read: VecDeque::new(), since }
    }

    fn told(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut following| async {
            let event = following.next().await?;
            Some((Ok(event), following))
        })
    }

    /// Returns what is to be told next, or `None` when it is over: also when whoever asked has
    /// signed out meanwhile, or was signed in for too long. That is looked at each time before
    /// something is told, and as often as there is a look for events.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if !self.shared.access.admits(self.cookie.as_deref()) {
                return None;
            }
            if let Some(event) = self.read.pop_front() {
                return Some(event);
            }
            if self.shared.clock.elapsed().saturating_sub(self.since) > LASTS {
                return None;
            }
            if let Some(woken) = &mut self.woken {
                woken.mark_unchanged();
            }
            let page = self.shared.store.events(self.filter.after(self.after, PAGE)).await;
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    tracing::debug!(%error, "events cannot be shown; trying again");
                    Vec::new()
                }
            };
            for event in page {
                self.after = event.seq;
                let told = Told {
                    seq: event.seq,
                    kind: event.kind,
                    for_user_id: event.for_user_id,
                    key: event.key,
                    received_at: event.received_at,
                    stale: event.stale,
                };
                let event = Event::default().id(told.seq.to_string());
                self.read.extend(serde_json::to_string(&told).ok().map(|told| event.data(told)));
            }
            if self.read.is_empty() {
                self.wait().await;
            }
        }
    }

    /// Waits until there may be something new.
    async fn wait(&mut self) {
        let changed = match &mut self.woken {
            // Nobody commits any more once the sender is gone.
            Some(woken) => timeout(LOOK, woken.changed()).await.map_or(true, |told| told.is_ok()),
            None => {
                tokio::time::sleep(LOOK).await;
                true
            }
        };
        if !changed {
            self.woken = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_of_what_is_told() {
        let told = Told {
            seq: 12,
            kind: "favorite_events".to_owned(),
            for_user_id: Some("7".to_owned()),
            key: "7/favorite_events:a".to_owned(),
            received_at: "2025-11-22T04:13:00.25Z".parse().unwrap(),
            stale: false,
        };
        insta::assert_snapshot!(serde_json::to_string(&told).unwrap(), @r#"{"seq":12,"kind":"favorite_events","for_user_id":"7","key":"7/favorite_events:a","received_at":"2025-11-22T04:13:00.25Z","stale":false}"#);
    }
}
