//! What the emulator challenges: webhooks that answer rightly, and some that do not.

use std::{io, net::Ipv4Addr};

use aaa_types::ConsumerSecret;
use aaa_webhook::crc::CrcToken;
use axum::{
    Router,
    extract::{RawQuery, State},
    http::StatusCode,
    routing::get,
};
use tokio::{net::TcpListener, task::JoinHandle};

/// A server on loopback. It ends when it is dropped.
pub(crate) struct Webhook {
    base: String,
    server: JoinHandle<()>,
}

impl Webhook {
    /// Starts it.
    pub(crate) async fn start(secret: ConsumerSecret) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let base = format!("http://{}", listener.local_addr()?);
        let app = Router::new()
            .route("/right", get(right))
            .route("/right/{number}", get(right))
            .route("/wrong", get(async || r#"{"response_token":"sha256=AAAA"}"#))
            .with_state(secret);
        let server = tokio::spawn(async move {
            // It runs until it is dropped; what goes wrong is seen by who asks.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { base, server })
    }

    /// The address of a webhook that answers rightly; every number is one of its own.
    pub(crate) fn right(&self, number: u32) -> String {
        format!("{}/right/{number}", self.base)
    }

    /// The address of one that answers with a wrong token.
    pub(crate) fn wrong(&self) -> String {
        format!("{}/wrong", self.base)
    }

    /// The address of one that is not there.
    pub(crate) fn missing(&self) -> String {
        format!("{}/missing", self.base)
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn right(
    State(secret): State<ConsumerSecret>,
    RawQuery(query): RawQuery,
) -> Result<String, StatusCode> {
    let token = CrcToken::from_query(&query.unwrap_or_default());
    token.map(|token| token.answer(&secret)).map_err(|_| StatusCode::BAD_REQUEST)
}
