//! An accept loop for a receiver: HTTP/1.1 with a time-out for headers, bounded connections, and
//! a shutdown that lets running requests end.
//!
//! A request whose end is unclear is answered 400 and the connection closed: two lengths, even
//! equal ones, or a length beside `chunked`. A server in front may have understood it in another
//! way, and what it took for a body would be a request of somebody else's here. After a chunked
//! request the connection is closed. A head that is not whole in time is answered 408; a connection
//! on which none has begun is closed without a word.
//!
//! What hyper cannot read as a head it answers itself, 400 or 431 and closed, as everything else
//! here is, but without words: no request is there that anybody could be told about. It is counted
//! as [`Reason::MalformedHead`](crate::receiver::Reason::MalformedHead) or
//! [`Reason::LargeHead`](crate::receiver::Reason::LargeHead).
//!
//! Each request carries the address of the other side as
//! [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo).
//!
//! # When all connections are in use
//!
//! X may be among those who wait, so a refusal is counted every second until there is room again.
//! Holding a connection costs an attacker one small request every few seconds. So each connection
//! that is a second old and has carried no delivery with a right signature, or only copies of what
//! was there, is asked to end: at once when no request is there, with a 503 when its body is not
//! whole, else after the one it is in. One that does not end in [`Limits::drain_time`] is cut off.
//! Who has a consumer secret keeps the connection. The same is done when the process has no file
//! descriptors left. This lets X in again; it does not stop somebody who opens connections faster
//! than that, for which a firewall is the place.

mod connection;
mod heads;
mod progress;
mod sending;
mod slow;
#[cfg(feature = "tls")]
mod tls;

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Interval, MissedTickBehavior},
};

use self::connection::{Call, Connection};
#[cfg(feature = "tls")]
pub use self::tls::{Tls, TlsError};
use crate::receiver::Status;

/// How often a full server counts a refusal: several times in a heartbeat of five seconds, so that
/// no two heartbeats with equal counts cover a time without a free connection.
const COUNT_PERIOD: Duration = Duration::from_secs(1);

/// How often a full server asks its connections to end.
const CALL_PERIOD: Duration = Duration::from_millis(250);

/// How old a connection is, at least, when it is asked: time for the first request to arrive, also
/// from far away and behind a greeting of TLS.
const SPARED: Duration = Duration::from_secs(1);

/// How much of an answer the kernel takes, in bytes, before the other side has. Left to itself it
/// takes megabytes and asks for more when a third is gone, so that whoever reads slowly would look
/// like somebody who does not read. What the receiver answers is smaller than this by far.
const SEND_BUFFER: u32 = 64 * 1024;

/// How many connections the kernel keeps until they are taken, as [`TcpListener::bind`] has it.
const BACKLOG: u32 = 128;

/// How long to wait before another connection is tried to be taken when one could not be.
const STARVED_PAUSE: Duration = Duration::from_millis(50);

/// How many connections a server takes, and how patient it is with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Open connections, 1,024 by default. What happens beyond is told [above](self).
    pub connections: usize,
    /// How long the head of a request may take from its first byte, how long a connection may be
    /// idle before its first delivery, and how long a greeting of TLS may take; 10 s by default.
    pub header_time: Duration,
    /// How long a connection that has carried a delivery with a right signature may be idle, 75 s
    /// by default. Where a proxy keeps connections open, it should be the one to close them: what
    /// it sends on one that is being closed here is lost. Most do so after 60 s or less.
    pub idle_time: Duration,
    /// The largest head of a request in bytes, 32 KiB by default. A larger one is answered 431.
    pub header_bytes: usize,
    /// How long an answer may wait to be read, each 16 KiB of it; 5 s by default. Kernels on both
    /// sides tell late what was taken, some hundred kilobytes at a time: whoever reads a large
    /// answer at less than some tens of kilobytes in a second may be cut off.
    pub read_time: Duration,
    /// How long running requests may take to end at shutdown, and on connections that a full
    /// server wants back, before they are cut off; 5 s by default.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            header_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            header_bytes: 32 * 1024,
            read_time: Duration::from_secs(5),
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
        let listener = listen(address)?;
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

    /// Serves until `shutdown` is ready, then says that it [drains](Status::drain), takes no more
    /// connections, lets running requests end and returns.
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
            if let Some((stream, peer, permit)) = accepted {
                // The answer is one small packet; waiting for more would only delay it.
                let _ = stream.set_nodelay(true);
                let (calls, status) = (places.calls.subscribe(), places.status.clone());
                let connection = Connection::new(router.clone(), peer, calls, self.limits, status);
                #[cfg(feature = "tls")]
                if let Some(tls) = &self.tls {
                    let greeting = tls.acceptor().accept(stream);
                    tokio::spawn(async move {
                        connection.greet(greeting).await;
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
        // Whoever asks whether we are ready hears it before the port is closed.
        places.status.drain();
        drop(self.listener);
        let calls = places.calls;
        calls.send_modify(|call| call.draining = true);
        if tokio::time::timeout(self.limits.drain_time, calls.closed()).await.is_err() {
            tracing::warn!("connections were still open at the end of the drain time");
        }
    }

    /// Waits for a free place, then for a connection; those beyond wait in the kernel's queue.
    async fn accept(
        &self,
        places: &mut Places,
    ) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let permit = places.take().await?;
        match self.listener.accept().await {
            Ok((stream, peer)) => {
                places.told &= places.crowded;
                Some((stream, peer, permit))
            }
            // Whoever it was is gone, which says nothing about anybody else.
            Err(error) if is_of_the_connection(&error) => None,
            Err(error) => {
                places.starved(&error).await;
                None
            }
        }
    }
}

/// Does what [`TcpListener::bind`] does, but for the room that answers have in the kernel.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Elsewhere somebody could take an address that is in use.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    // Whoever is accepted has it from here.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The places for connections, and what happens when there are none.
struct Places {
    permits: Arc<Semaphore>,
    calls: watch::Sender<Call>,
    count: Interval,
    call: Interval,
    status: Status,
    /// Whether the last connection had to wait for its place.
    crowded: bool,
    /// Whether the log has it that there are none. Said once until it is over, since whoever
    /// causes it could fill the log.
    told: bool,
}

impl Places {
    fn new(connections: usize, status: Status) -> Self {
        let [count, call] = [COUNT_PERIOD, CALL_PERIOD].map(|period| {
            let mut interval = tokio::time::interval(period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        let permits = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
        Self {
            permits,
            calls: watch::Sender::default(),
            count,
            call,
            status,
            crowded: false,
            told: false,
        }
    }

    /// Takes a place, and makes room while there is none.
    async fn take(&mut self) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok();
        self.crowded = permit.is_none();
        if permit.is_some() {
            return permit;
        }
        let permit = Arc::clone(&self.permits).acquire_owned();
        let mut permit = std::pin::pin!(permit);
        let permit = loop {
            tokio::select! {
                permit = &mut permit => break permit,
                _ = self.count.tick() => {
                    self.status.refused();
                    if !std::mem::replace(&mut self.told, true) {
                        tracing::warn!("all connections are in use");
                    }
                }
                _ = self.call.tick() => self.call_all(),
            }
        };
        // Whoever came since the last count was not taken either.
        self.status.refused();
        permit.ok()
    }

    /// Tells all connections that there is no free place.
    fn call_all(&self) {
        self.calls.send_modify(|_| {});
    }

    /// Makes room when a place is of no use: out of file descriptors, say. Accepting again at once
    /// would spin.
    async fn starved(&mut self, error: &io::Error) {
        self.status.refused();
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(%error, "a connection could not be taken");
        }
        tokio::select! {
            _ = self.call.tick() => self.call_all(),
            () = tokio::time::sleep(STARVED_PAUSE) => {}
        }
    }
}

#[cfg(test)]
mod tests;
