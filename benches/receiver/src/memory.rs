//! How much memory a receiver takes among slow clients.

use std::{net::SocketAddr, path::Path, time::Duration};

use load::{PATH, SECRET, delivery::Deliveries, http::Connection, process::Server, usage};
use tokio::task::JoinSet;

use crate::{
    Failure, WARM_UP,
    senders::{Requests, Senders},
};

/// How many clients are slow.
const SLOW: usize = 1000;

/// How long a slow client takes for a byte.
const PER_BYTE: Duration = Duration::from_millis(500);

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
    let mut slow = JoinSet::new();
    for _ in 0..SLOW {
        slow.spawn(client(address));
    }
    senders.full(WARM_UP, TIME).await?;
    slow.shutdown().await;
    let most = server.id().and_then(usage::most_memory);
    server.kill().await?;
    Ok(most)
}

/// Begins a delivery, brings it byte by byte, and begins anew when it is cut off.
async fn client(address: SocketAddr) {
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         x-twitter-webhooks-signature: sha256=YWHphPn/JFq43jkF0y4/w8R/SelmLjvpunhVFY8JhlI=\r\n\
         content-length: 2400\r\n\r\n"
    );
    // The connections of the load come first, or they would have to wait for a place.
    tokio::time::sleep(WARM_UP).await;
    loop {
        if let Ok(mut connection) = Connection::open(address).await
            && connection.send(head.as_bytes()).await.is_ok()
        {
            while connection.send(b"{").await.is_ok() {
                tokio::time::sleep(PER_BYTE).await;
            }
        }
        tokio::time::sleep(PER_BYTE).await;
    }
}
