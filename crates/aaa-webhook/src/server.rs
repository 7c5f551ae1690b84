//! An accept loop for a receiver: HTTP/1.1 with a time-out for headers, bounded connections, and
//! a shutdown that lets running requests end.
//!
//! A request whose end is unclear is answered 400 and the connection closed: two lengths, even
//! equal ones, or a length beside `chunked`. A server in front may have understood it in another
//! way, and what it took for a body would be a request of somebody else's here. After a chunked
//! request the connection is closed. A head that is not whole in time gets no answer.
//!
//! # When all connections are in use
//!
//! X may be among those who wait, so a refusal is counted every second until there is room again.
//! Holding a connection costs an attacker one small request every few seconds. So, every second
//! as well, each connection that has carried no delivery with a right signature is asked to end:
//! at once between two requests, else after the one it is in. One that was taken a moment ago is
//! spared once, and one that does not end in [`Limits::header_time`] and [`Limits::drain_time`] is
//! cut off. Who has a consumer secret keeps the connection. This lets X in again; it does not
//! stop somebody who opens connections faster than that, for which a firewall is the place.

mod connection;
mod heads;
#[cfg(feature = "tls")]
mod tls;

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Interval, MissedTickBehavior},
};

use self::connection::{Call, Connection};
#[cfg(feature = "tls")]
pub use self::tls::{Tls, TlsError};
use crate::receiver::Status;

/// How often a full server counts a refusal: several times in a heartbeat of five seconds, so that
/// no two heartbeats with equal counts cover a time without a free connection.
const FULL_PERIOD: Duration = Duration::from_secs(1);

/// How many connections a server takes, and how patient it is with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Open connections, 1,024 by default. What happens beyond is told [above](self).
    pub connections: usize,
    /// How long the head of a request may take, idle time before it included; 10 s by default.
    pub header_time: Duration,
    /// The largest head of a request in bytes, 32 KiB by default. A larger one is answered 431.
    pub header_bytes: usize,
    /// How long running requests may take to end at shutdown, and on connections that a full
    /// server wants back; 5 s by default.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            header_time: Duration::from_secs(10),
            header_bytes: 32 * 1024,
            drain_time: Duration::from_secs(5),
        }
    }
}

/// A bound socket that serves a router.
///
/// # Examples
///
/// ```no_run
/// # async fn run(router: axum::Router, status: aaa_webhook::receiver::Status) -> std::io::Result<()> {
/// use aaa_webhook::server::Server;
///
/// let server = Server::bind("127.0.0.1:8080".parse().unwrap()).await?;
/// println!("listening on http://{}", server.local_addr());
/// server.serve(router, status, std::future::pending()).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl Server {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// Fails when the address cannot be bound.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            limits: Limits::default(),
            #[cfg(feature = "tls")]
            tls: None,
        })
    }

    /// Sets the limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Speaks TLS. The greeting of a connection has to be over within [`Limits::header_time`].
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Returns the bound address.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready, then takes no more connections, lets running requests
    /// end and returns.
    ///
    /// A connection that cannot be taken is counted in `status` as a refusal.
    pub async fn serve(self, router: Router, status: Status, shutdown: impl Future<Output = ()>) {
        let mut places = Places::new(self.limits.connections, status);
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                accepted = self.accept(&mut places) => accepted,
            };
            if let Some((stream, permit)) = accepted {
                // The answer is one small packet; waiting for more would only delay it.
                let _ = stream.set_nodelay(true);
                let (calls, status) = (places.calls.subscribe(), places.status.clone());
                let connection = Connection::new(router.clone(), calls, self.limits, status);
                #[cfg(feature = "tls")]
                if let Some(tls) = &self.tls {
                    let greeting = tls.acceptor().accept(stream);
                    let greeting = tokio::time::timeout(self.limits.header_time, greeting);
                    tokio::spawn(async move {
                        match greeting.await {
                            Ok(Ok(stream)) => connection.run(stream).await,
                            Ok(Err(error)) => tracing::debug!(%error, "no TLS"),
                            Err(_) => tracing::debug!("no TLS in time"),
                        }
                        drop(permit);
                    });
                    continue;
                }
                tokio::spawn(async move {
                    connection.run(stream).await;
                    drop(permit);
                });
            }
        }
        drop(self.listener);
        places.status.drain();
        let calls = places.calls;
        calls.send_modify(|call| call.draining = true);
        if tokio::time::timeout(self.limits.drain_time, calls.closed()).await.is_err() {
            tracing::warn!("connections were still open at the end of the drain time");
        }
    }

    /// Waits for a free place, then for a connection; those beyond wait in the kernel's queue.
    async fn accept(&self, places: &mut Places) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        let permit = places.take().await?;
        match self.listener.accept().await {
            Ok((stream, _)) => Some((stream, permit)),
            Err(error) => {
                // Out of file descriptors, say. Accepting again at once would spin.
                places.status.refused();
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
                None
            }
        }
    }
}

/// The places for connections, and what happens when there are none.
struct Places {
    permits: Arc<Semaphore>,
    calls: watch::Sender<Call>,
    pace: Interval,
    status: Status,
}

impl Places {
    fn new(connections: usize, status: Status) -> Self {
        let mut pace = tokio::time::interval(FULL_PERIOD);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let permits = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
        Self { permits, calls: watch::Sender::default(), pace, status }
    }

    /// Takes a place, and makes room while there is none.
    async fn take(&mut self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Some(permit);
        }
        let permit = Arc::clone(&self.permits).acquire_owned();
        let mut permit = std::pin::pin!(permit);
        let mut told = false;
        let permit = loop {
            tokio::select! {
                permit = &mut permit => break permit,
                _ = self.pace.tick() => {
                    self.status.refused();
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!("all connections are in use");
                    }
                    self.calls.send_modify(|call| call.full = call.full.wrapping_add(1));
                }
            }
        };
        // Whoever came since the last count was not taken either.
        self.status.refused();
        permit.ok()
    }
}
