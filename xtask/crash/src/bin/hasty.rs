//! The control: a receiver that acknowledges before it commits.

use std::{sync::Arc, time::Duration};

use aaa_store::{Settings, SqliteStore};
use aaa_webhook::{
    delivery::VerifiedDelivery,
    inbox::{Inbox, InboxError, Receipt},
};
use crash::{Failure, control::receive};
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
async fn main() -> Result<(), Failure> {
    receive(|directory| {
        let store = SqliteStore::open(directory, Settings::default())?;
        Ok(HastyInbox { store, ahead: Arc::new(Semaphore::new(AHEAD)) })
    })
    .await
}
