//! Where everything ends: an axum server on one thread that answers challenges, reads the bodies of
//! deliveries and answers 200. Asked without a challenge, it says how many those were, and of how
//! many bytes.

#![allow(clippy::print_stdout, reason = "it says where it listens")]

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use aaa_emulator::credentials;
use aaa_types::ConsumerSecret;
use aaa_webhook::crc::CrcToken;
use axum::{
    Router,
    body::Bytes,
    extract::RawQuery,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
    serve::ListenerExt,
};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let router = Router::new().route(load::PATH, get(challenge).post(take));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    // As a receiver does.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await
}

static COUNT: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

async fn take(body: Bytes) {
    COUNT.fetch_add(1, Relaxed);
    BYTES.fetch_add(u64::try_from(body.len()).unwrap_or_default(), Relaxed);
}

async fn challenge(RawQuery(query): RawQuery) -> Response {
    if query.is_none() {
        return format!("{} {}", COUNT.load(Relaxed), BYTES.load(Relaxed)).into_response();
    }
    let token = CrcToken::from_query(&query.unwrap_or_default()).ok();
    let secret: Option<ConsumerSecret> = credentials::CONSUMER_SECRET.parse().ok();
    match token.zip(secret) {
        Some((token, secret)) => {
            ([(header::CONTENT_TYPE, "application/json")], token.answer(&secret)).into_response()
        }
        None => StatusCode::BAD_REQUEST.into_response(),
    }
}
