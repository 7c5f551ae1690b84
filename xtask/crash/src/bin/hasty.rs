//! The control: a receiver that acknowledges before it commits. Everything else is as in `aaa
//! listen`, of whose options it takes what it needs.

#![allow(clippy::print_stdout, reason = "it says where it listens")]

use std::{path::PathBuf, sync::Arc, time::Duration};

use aaa_store::{Settings, SqliteStore};
use aaa_webhook::{
    app::App,
    delivery::VerifiedDelivery,
    inbox::{Inbox, InboxError, Receipt},
    receiver::Receiver,
    server::Server,
};
use tokio::sync::Semaphore;

/// How many deliveries may be acknowledged and not yet committed: fewer than the store's queue
/// takes, so that nothing is lost unless the process is killed.
const AHEAD: usize = 512;

/// How much later the promise is kept. A commit that follows at once is often in the log before the
/// kill comes, and three rounds would now and then lose nothing.
const LATER: Duration = Duration::from_millis(50);

/// Promises first, and keeps the promise a little later.
struct HastyInbox {
    store: SqliteStore,
    ahead: Arc<Semaphore>,
}

impl Inbox for HastyInbox {
    async fn commit(&self, delivery: VerifiedDelivery) -> Result<Receipt, InboxError> {
        let ahead = Arc::clone(&self.ahead).acquire_owned().await;
        let ahead = ahead.map_err(|_| InboxError::Closed)?;
        let (store, stored) = (self.store.clone(), delivery.events().len());
        tokio::spawn(async move {
            tokio::time::sleep(LATER).await;
            // Whoever sent it was told that it is stored; nobody is left to be told otherwise.
            let _ = store.commit(delivery).await;
            drop(ahead);
        });
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
    let store = SqliteStore::open(PathBuf::from(option("--data-dir")?), Settings::default())?;
    let inbox = HastyInbox { store, ahead: Arc::new(Semaphore::new(AHEAD)) };
    let app = App::new("default", std::env::var("X_CONSUMER_SECRET")?.parse()?);
    let receiver = Receiver::new(inbox, app);
    let server = Server::bind(option("--bind")?.parse()?).await?;
    println!("listening on http://{}", server.local_addr());
    let status = receiver.status();
    server.serve(receiver.router(option("--path")?), status, std::future::pending()).await;
    Ok(())
}
