//! Clients who take their time.

use std::{net::SocketAddr, time::Duration};

use tokio::time::sleep;

use crate::{PATH, http::Connection};

/// How long a slow client takes for a byte.
const PER_BYTE: Duration = Duration::from_millis(500);

/// Begins a delivery, brings it byte by byte, and begins anew when it is cut off, which `cut` hears of.
/// While there is no address it waits. It never ends by itself.
pub async fn client(address: impl Fn() -> Option<SocketAddr>, cut: impl Fn()) {
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         x-twitter-webhooks-signature: sha256=YWHphPn/JFq43jkF0y4/w8R/SelmLjvpunhVFY8JhlI=\r\n\
         content-length: 2400\r\n\r\n"
    );
    loop {
        if let Some(address) = address()
            && let Ok(mut connection) = Connection::open(address).await
            && connection.send(head.as_bytes()).await.is_ok()
        {
            while connection.send(b"{").await.is_ok() {
                sleep(PER_BYTE).await;
            }
            cut();
        }
        sleep(PER_BYTE).await;
    }
}
