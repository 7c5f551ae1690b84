//! A webhook server: answers X's challenges, verifies every delivery, stores it, and prints the
//! events.
//!
//! ```sh
//! cargo run --example simple_webhook_server -p examples                # without an account
//! X_CONSUMER_SECRET=… cargo run --example simple_webhook_server -p examples -- 127.0.0.1:8080
//! ```

#![allow(clippy::print_stdout, reason = "printing is what this example is for")]

use std::error::Error;

use aaa_store::{Settings, SqliteStore};
use aaa_types::event::Event;
use aaa_webhook::{
    app::App,
    inbox::{EventLog, EventQuery},
    receiver::Receiver,
    server::Server,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let secret = std::env::var("X_CONSUMER_SECRET");
    let bind = std::env::args().nth(1).unwrap_or("127.0.0.1:0".to_owned());

    // A 200 means that the delivery is in this store.
    let store = SqliteStore::open("aaa-data", Settings::default())?;
    let app = App::new("default", secret.as_deref().unwrap_or("emulator-secret").parse()?);
    let receiver = Receiver::new(store.clone(), app);
    let server = Server::bind(bind.parse()?).await?;
    let url = format!("http://{}/webhooks/twitter", server.local_addr());
    println!("listening on {url}");

    tokio::spawn(print_events(store));
    if secret.is_err() {
        // Nobody will call us, so an emulated X does.
        tokio::spawn(examples::call_from_an_emulated_x(url));
    }
    let status = receiver.status();
    let ctrl_c = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    server.serve(receiver.router("/webhooks/twitter"), status, ctrl_c).await;
    Ok(())
}

async fn print_events(store: SqliteStore) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut committed = store.subscribe();
    let mut after = store.stats().await?.last_seq.unwrap_or(0);
    loop {
        for event in store.events(EventQuery::after(after, 100)).await? {
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
        committed.changed().await?;
    }
}
