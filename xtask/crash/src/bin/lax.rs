//! The control for power loss: a receiver that commits before it acknowledges, but with
//! `synchronous=NORMAL`. A killed process loses nothing by that, a machine does.

use std::sync::{Arc, Mutex};

use aaa_webhook::{
    delivery::VerifiedDelivery,
    inbox::{Inbox, InboxError, Receipt},
};
use crash::{Failure, control::receive};
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
async fn main() -> Result<(), Failure> {
    receive(|directory| {
        std::fs::create_dir_all(directory)?;
        let database = Connection::open(directory.join("aaa.db"))?;
        database.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
             CREATE TABLE deliveries (body BLOB NOT NULL);",
        )?;
        Ok(LaxInbox(Arc::new(Mutex::new(database))))
    })
    .await
}
