//! The control for power loss: a receiver that commits before it acknowledges, but with
//! `synchronous=NORMAL`. A killed process loses nothing by that, a machine does.

#![allow(clippy::print_stdout, reason = "it says where it listens")]

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use aaa_webhook::{
    app::App,
    delivery::VerifiedDelivery,
    inbox::{Inbox, InboxError, Receipt},
    receiver::Receiver,
    server::Server,
};
use rusqlite::Connection;

/// Leaves it to SQLite's checkpoints when the log is synced.
struct LaxInbox(Arc<Mutex<Connection>>);

impl Inbox for LaxInbox {
    async fn commit(&self, delivery: VerifiedDelivery) -> Result<Receipt, InboxError> {
        let (database, stored) = (Arc::clone(&self.0), delivery.events().len());
        let commit = move || {
            let database = database.lock().map_err(|_| InboxError::Closed)?;
            let body = delivery.body().as_ref();
            let inserted = database.execute("INSERT INTO deliveries (body) VALUES (?1)", [body]);
            inserted.map_err(|error| InboxError::Unavailable(error.to_string()))
        };
        tokio::task::spawn_blocking(commit).await.map_err(|_| InboxError::Closed)??;
        Ok(Receipt { stored, duplicates: 0 })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name);
        let value = at.and_then(|at| arguments.get(at + 1));
        value.ok_or_else(|| format!("{name} is missing"))
    };
    let directory = PathBuf::from(option("--data-dir")?);
    std::fs::create_dir_all(&directory)?;
    let database = Connection::open(directory.join("aaa.db"))?;
    database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
         CREATE TABLE deliveries (body BLOB NOT NULL);",
    )?;
    let inbox = LaxInbox(Arc::new(Mutex::new(database)));
    let app = App::new("default", std::env::var("X_CONSUMER_SECRET")?.parse()?);
    let receiver = Receiver::new(inbox, app);
    let server = Server::bind(option("--bind")?.parse()?).await?;
    println!("listening on http://{}", server.local_addr());
    let status = receiver.status();
    server.serve(receiver.router(option("--path")?), status, std::future::pending()).await;
    Ok(())
}
