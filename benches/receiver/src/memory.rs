//! How much memory a receiver takes among slow clients.

use std::{path::Path, time::Duration};

use load::{SECRET, delivery::Deliveries, process::Server, slow, usage};
use tokio::task::JoinSet;

use crate::{
    Failure, WARM_UP,
    senders::{Requests, Senders},
};

/// How many clients are slow.
const SLOW: usize = 1000;

/// How long the load lasts: several times as long as any slow client is suffered.
const TIME: Duration = Duration::from_secs(10);

/// Loads a receiver beside a thousand slow clients and returns the most memory it ever took, in
/// MiB, where the system tells.
pub(crate) async fn measure(
    program: &Path,
    deliveries: &Deliveries,
) -> Result<Option<f64>, Failure> {
    let secret = SECRET.parse()?;
    let directory = tempfile::tempdir()?;
    let mut server = Server::receiver(program, directory.path())?;
    let address = server.ready().await?;
    let senders = Senders::new(address, Requests::signed(crate::REQUESTS * 3, deliveries, &secret));
    let mut clients = JoinSet::new();
    for _ in 0..SLOW {
        clients.spawn(async move {
            // The connections of the load come first, or they would have to wait for a place.
            tokio::time::sleep(WARM_UP).await;
            slow::client(|| Some(address), || ()).await;
        });
    }
    senders.full(WARM_UP, TIME).await?;
    clients.shutdown().await;
    let most = server.id().and_then(usage::most_memory);
    server.kill().await?;
    Ok(most)
}
