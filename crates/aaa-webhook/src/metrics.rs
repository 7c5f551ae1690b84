//! What an operator watches: metrics for Prometheus, health and readiness.
//!
//! [`router`] answers three paths, on a listener of its own: how much is received, and when, is
//! nobody's business on the public one.
//!
//! | Path | Answer |
//! |---|---|
//! | `/metrics` | 200, the table below, as OpenMetrics text |
//! | `/healthz` | 200 as long as the process can answer: restart it otherwise |
//! | `/readyz` | 200 when deliveries are taken, else 503 and why |
//!
//! | Metric | Is |
//! |---|---|
//! | `aaa_deliveries_verified_total{secret}` | deliveries that X signed, by the secret (`active`, `previous`) |
//! | `aaa_deliveries_committed_total` | of these, the ones that are durable |
//! | `aaa_events_stored_total`, `aaa_events_duplicate_total` | events that were new, and copies |
//! | `aaa_refusals_total` | verified deliveries not stored in time, connections not taken: each may be an event missed |
//! | `aaa_requests_refused_total{reason,status}` | requests not answered 200, see [`Reason`](crate::receiver::Reason) |
//! | `aaa_checks_total{result}` | challenge-response checks, `answered` and `refused` |
//! | `aaa_delivery_duration_seconds` | from the head of an acknowledged delivery to its answer |
//! | `aaa_commit_duration_seconds` | what of it the inbox took, its queue included |
//! | `aaa_check_duration_seconds` | what the answer to a check took |
//! | `aaa_last_delivery_timestamp_seconds`, `aaa_last_check_timestamp_seconds` | when the last one came |
//! | `aaa_connections` | open connections |
//! | `aaa_ready` | 1 when `/readyz` is 200 |
//! | `aaa_store_queued`, `aaa_store_queued_bytes` | deliveries that wait for their commit |
//! | `aaa_store_events` | events in the store |
//! | `aaa_store_deliveries_total` | deliveries that brought something new |
//! | `aaa_store_transaction_deliveries` | deliveries that one transaction of the store took, copies included |
//! | `aaa_store_transaction_bytes` | the bytes of their bodies |
//! | `aaa_store_transaction_duration_seconds` | from its begin until it was durable |
//! | `aaa_store_queue_duration_seconds` | what a delivery waited for its transaction to begin |
//! | `aaa_store_stale_total` | events that were too old when they arrived, and are not handled |
//! | `aaa_consumer_lag{consumer}` | events that a consumer has yet to handle |
//! | `aaa_disk_free_bytes` | free space where the store is |
//! | `aaa_clock_offset_seconds` | X's clock minus that of this machine, once it was read |
//! | `aaa_replay_windows{state}` | windows of missing time: `now`, `later`, `running`, `lost`, `maybe_lost`; covered ones to look at: `sweep` |
//! | `aaa_replay_attempts_total{outcome}` | replay jobs and calls, by what became of them |
//! | `aaa_replay_events_found_total{by}` | events that closing a `gap` brought, and a `sweep` |
//! | `aaa_replay_last_recovered_timestamp_seconds` | when a window was recovered last, on X's clock |
//! | `aaa_coverage_seconds` | for how long deliveries were taken, since the first start |
//!
//! What begins with `aaa_store`, `aaa_consumer`, `aaa_disk`, `aaa_clock`, `aaa_replay` and
//! `aaa_coverage` is there when the [`Probe`] knows it.
//! No name, label or value is chosen by who sends requests, so nobody can make them many.

mod text;

use std::{future::Future, sync::Arc};

use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::{StatusCode, header::CONTENT_TYPE};
use jiff::{SignedDuration, Timestamp};

pub use self::text::text;
use crate::{distribution::Distribution, receiver::Status};

/// Looks at what the receiver does not know: the store behind it, who reads from it, the disk.
pub trait Probe: Send + Sync + 'static {
    /// Looks, now. It is asked once for each request, so it must be quick.
    fn look(&self) -> impl Future<Output = Behind> + Send;
}

/// What is behind a receiver, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Behind {
    /// Why nothing can be stored now; the receiver is not ready then.
    pub trouble: Option<String>,
    /// How many deliveries wait for their commit.
    pub queued: Option<u64>,
    /// The bytes of their bodies.
    pub queued_bytes: Option<u64>,
    /// How many events are stored.
    pub events: Option<u64>,
    /// How many deliveries brought something new.
    pub deliveries: Option<u64>,
    /// What the transactions were like that stored them.
    pub transactions: Option<Transactions>,
    /// How many events were too old when they arrived, and are not handled.
    pub stale: Option<u64>,
    /// For each consumer its name, and how many events it has yet to handle.
    pub consumers: Vec<(String, u64)>,
    /// Free bytes where the store is.
    pub free_bytes: Option<u64>,
    /// X's clock minus that of this machine.
    pub clock_offset: Option<SignedDuration>,
    /// What became of time that was missed.
    pub replay: Option<Replay>,
}

/// What became of time that was missed.
///
/// # Examples
///
/// ```
/// use aaa_webhook::metrics::Replay;
///
/// let mut replay = Replay::default();
/// replay.windows = vec![("now", 2), ("lost", 0)];
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replay {
    /// For each state how many windows are in it.
    pub windows: Vec<(&'static str, u64)>,
    /// For each outcome how many attempts had it.
    pub attempts: Vec<(&'static str, u64)>,
    /// By what events were found, and how many.
    pub found: Vec<(&'static str, u64)>,
    /// For how long deliveries were taken.
    pub covered_seconds: u64,
    /// When a window was recovered last.
    pub last_recovered: Option<Timestamp>,
}

/// What the transactions of a store were like, since it was opened; only those that took
/// deliveries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transactions {
    /// How many deliveries one took.
    pub deliveries: Distribution,
    /// The bytes of their bodies.
    pub bytes: Distribution,
    /// How long one took until it was durable, in seconds.
    pub durations: Distribution,
    /// How long each delivery waited for its transaction to begin, in seconds.
    pub waits: Distribution,
}

/// Answers `/metrics`, `/healthz` and `/readyz`.
///
/// # Examples
///
/// ```
/// use aaa_webhook::{
///     metrics::{self, Behind, Probe},
///     receiver::Status,
/// };
///
/// /// Knows nothing but the receiver.
/// struct Nothing;
///
/// impl Probe for Nothing {
///     async fn look(&self) -> Behind {
///         Behind::default()
///     }
/// }
///
/// let router: axum::Router = metrics::router(Status::default(), Nothing);
/// ```
pub fn router<P: Probe>(status: Status, probe: P) -> Router {
    let watched = Arc::new(Watched { status, probe });
    Router::new()
        .route("/metrics", get(scraped::<P>))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready::<P>))
        .with_state(watched)
}

struct Watched<P> {
    status: Status,
    probe: P,
}

impl<P: Probe> Watched<P> {
    /// Returns what is behind the receiver, and what is in the way of a delivery.
    async fn look(&self) -> (Behind, Vec<String>) {
        let behind = self.probe.look().await;
        let unready = self.status.ready(now()).err().map(|why| why.to_string());
        let trouble = unready.into_iter().chain(behind.trouble.clone()).collect();
        (behind, trouble)
    }
}

async fn scraped<P: Probe>(State(watched): State<Arc<Watched<P>>>) -> impl IntoResponse {
    let (behind, trouble) = watched.look().await;
    let text = text(&watched.status.figures(), &behind, trouble.is_empty());
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}

async fn ready<P: Probe>(State(watched): State<Arc<Watched<P>>>) -> (StatusCode, String) {
    match watched.look().await {
        (_, trouble) if trouble.is_empty() => (StatusCode::OK, "ready\n".to_owned()),
        (_, trouble) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", trouble.join("; ")))
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long ago something failed is asked by people")]
fn now() -> Timestamp {
    Timestamp::now()
}
