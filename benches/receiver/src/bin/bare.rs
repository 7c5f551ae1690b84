//! What the receiver is measured beside: an axum server that reads the body and answers 200.

#![allow(clippy::print_stdout, reason = "it says where it listens")]

use axum::{Router, body::Bytes, http::StatusCode, routing::get, serve::ListenerExt};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let router =
        Router::new().route(load::PATH, get(async || StatusCode::OK).post(async |_: Bytes| {}));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    // As the receiver does.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await
}
