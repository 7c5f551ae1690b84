//! A webhook server: answers X's challenges, verifies every delivery, stores it, and prints the
//! events.
//!
//! ```sh
//! cargo run --example simple_webhook_server -p examples                # an emulated X calls
//! X_CONSUMER_SECRET=… cargo run --example simple_webhook_server -p examples -- 127.0.0.1:8080
//! ```

#![allow(clippy::print_stdout, reason = "printing is what this example is for")]

use std::{env, error::Error, future};

use aaa_store::{Settings, SqliteStore};
use aaa_types::event::Event;
use aaa_webhook::{
    app::App,
    inbox::{EventLog, EventQuery},
    receiver::Receiver,
    server::Server,
};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let address = env::args().nth(1);
    let (secret, bind, directory) = match &address {
        Some(bind) => {
            let secret = env::var("X_CONSUMER_SECRET");
            (secret.map_err(|_| "X_CONSUMER_SECRET is not set")?, bind.as_str(), "aaa-data")
        }
        // Everybody knows the emulator's secret, so this is for this machine only.
        None => ("emulator-secret".to_owned(), "127.0.0.1:0", "aaa-example-data"),
    };

    // A 200 means that the delivery is in this store.
    let store = SqliteStore::open(directory, Settings::default())?;
    let seen = store.stats().await?.last_seq.unwrap_or(0);
    let receiver = Receiver::new(store.clone(), App::new("default", secret.parse()?));
    let server = Server::bind(bind.parse()?).await?;
    let url = format!("http://{}/webhooks/twitter", server.local_addr());
    println!("listening on {url}");

    let (router, status) = (receiver.clone().router("/webhooks/twitter"), receiver.status());
    let ctrl_c = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    let calls = async {
        match address {
            Some(_) => future::pending().await,
            None => examples::call_from_an_emulated_x(url).await,
        }
    };
    tokio::select! {
        () = server.serve(router, status, ctrl_c) => Ok(()),
        printed = print_events(store, seen) => printed,
        called = calls => called,
    }
}

async fn print_events(store: SqliteStore, mut after: u64) -> Result<(), Failure> {
    let mut committed = store.subscribe();
    loop {
        // Marked before the read, so that what comes during it wakes us again.
        committed.mark_unchanged();
        let page = store.events(EventQuery::after(after, 100)).await?;
        for event in &page {
            after = event.seq;
            match Event::decode(&event.kind, event.payload.get()) {
                Event::Post(post) => println!("post: {}", post.full_text().unwrap_or_default()),
                Event::Favorite(like) => println!("like of {}", like.favorited_status.id_str),
                Event::DirectMessage(message) => {
                    let text = message.message_create.message_data.text;
                    println!("message: {}", text.unwrap_or_default());
                }
                _ => println!("{}", event.key),
            }
        }
        // Only an empty page is the end.
        if page.is_empty() {
            committed.changed().await?;
        }
    }
}
