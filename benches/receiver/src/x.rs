//! As much of X as a replay needs: its time, its list of webhooks, and a job.
//!
//! The events themselves are sent by the load's senders. An emulator would keep a ledger of each
//! delivery, and measure itself.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use load::clock;
use serde_json::json;
use tokio::{net::TcpListener, sync::mpsc};

/// The webhook, and the one job.
pub(crate) const WEBHOOK: &str = "1234577122340233217";
pub(crate) const JOB: &str = "1995069190434586624";

/// X.
pub(crate) struct X {
    pub(crate) url: String,
    offset: Arc<AtomicI64>,
    jobs: mpsc::UnboundedReceiver<()>,
}

#[derive(Clone)]
struct Served {
    offset: Arc<AtomicI64>,
    asked: mpsc::UnboundedSender<()>,
}

impl X {
    /// Starts it.
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (asked, jobs) = mpsc::unbounded_channel();
        let offset = Arc::new(AtomicI64::new(0));
        let served = Served { offset: Arc::clone(&offset), asked };
        let router = Router::new().fallback(answer).with_state(served);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, offset, jobs })
    }

    /// Sets its clock so much behind that of the machine.
    pub(crate) fn set_back(&self, by: SignedDuration) {
        self.offset.store(by.as_secs(), Relaxed);
    }

    /// Waits until somebody asks for a job.
    pub(crate) async fn job(&mut self) -> Option<()> {
        self.jobs.recv().await
    }
}

async fn answer(State(x): State<Served>, request: Request) -> Response {
    let now = clock::now() - SignedDuration::from_secs(x.offset.load(Relaxed));
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/2/webhooks") => {
            let webhook = json!({
                "id": WEBHOOK,
                "url": "https://receiver.example/webhooks/twitter",
                "valid": true,
                "created_at": "2025-01-01T00:00:00Z",
            });
            (StatusCode::OK, json!({"data": [webhook], "meta": {"result_count": 1}}))
        }
        (&Method::POST, "/2/webhooks/replay") => {
            // Nobody waits when the measurement is over.
            let _ = x.asked.send(());
            (StatusCode::OK, json!({"data": {"job_id": JOB, "created_at": now.to_string()}}))
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, json!({})),
    };
    let mut answer = (status, body.to_string()).into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(date) = date(now) {
        headers.insert(header::DATE, date);
    }
    answer
}

fn date(now: Timestamp) -> Option<HeaderValue> {
    let text = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok()?;
    HeaderValue::from_str(&text).ok()
}

/// Returns the body that ends the job.
pub(crate) fn completion() -> Vec<u8> {
    let status = json!({
        "webhook_id": WEBHOOK,
        "job_state": "Complete",
        "job_state_description": "Job completed successfully",
        "job_id": JOB,
    });
    json!({ "replay_job_status": status }).to_string().into_bytes()
}
