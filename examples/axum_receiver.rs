//! Handlers of your own: a verified delivery is an extractor of axum.
//!
//! ```sh
//! cargo run --example axum_receiver -p examples                # an emulated X calls
//! X_CONSUMER_SECRET=… cargo run --example axum_receiver -p examples -- 127.0.0.1:8080
//! ```

#![allow(clippy::print_stdout, reason = "printing is what this example is for")]

use std::{error::Error, future};

use aaa_store::{Settings, SqliteStore};
use aaa_webhook::{
    app::App,
    delivery::{Acknowledged, VerifiedDelivery},
    receiver::{Receiver, Refused},
    server::Server,
};
use axum::{Router, extract::State, http::request::Parts, response::IntoResponse, routing::get};

async fn check(State(receiver): State<Receiver<SqliteStore>>, head: Parts) -> impl IntoResponse {
    receiver.check(&head)
}

async fn deliver(
    State(receiver): State<Receiver<SqliteStore>>,
    delivery: VerifiedDelivery,
) -> Result<Acknowledged, Refused> {
    let kinds: Vec<_> = delivery.events().iter().map(|e| e.identity().kind().to_owned()).collect();
    // Only a commit leads to a 200.
    let acknowledged = receiver.commit(delivery).await?;
    println!("stored: {}", kinds.join(", "));
    Ok(acknowledged)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let place = examples::Place::find()?;
    let store = SqliteStore::open(place.directory, Settings::default())?;
    let receiver = Receiver::new(store, App::new("default", place.secret.clone()));
    let (status, server) = (receiver.status(), Server::bind(place.bind.parse()?).await?);
    let url = format!("http://{}/webhooks/twitter", server.local_addr());
    println!("listening on {url}");
    let router = Router::new()
        .route("/", get(async || "your own pages"))
        .route("/webhooks/twitter", get(check).post(deliver))
        .with_state(receiver);
    tokio::select! {
        () = server.serve(router, status, future::pending()) => Ok(()),
        called = place.calls(url) => called,
    }
}
