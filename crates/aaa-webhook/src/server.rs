//! An accept loop for a receiver: HTTP/1.1 with a time-out for headers, bounded connections, and
//! a shutdown that lets running requests end.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::receiver::Status;

/// How many connections a server takes, and how patient it is with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Open connections, 1,024 by default.
    pub connections: usize,
    /// How long the head of a request may take, idle time before it included; 10 s by default.
    pub header_time: Duration,
    /// The largest head of a request in bytes, 32 KiB by default. A larger one is answered 431.
    pub header_bytes: usize,
    /// How long running requests may take to end at shutdown, 5 s by default.
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
        Ok(Self { listener, address, limits: Limits::default() })
    }

    /// Sets the limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
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
        let permits = Arc::new(Semaphore::new(self.limits.connections));
        let graceful = GracefulShutdown::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                accepted = self.accept(&permits, &status) => accepted,
            };
            if let Some((stream, permit)) = accepted {
                self.spawn(stream, permit, router.clone(), &graceful);
            }
        }
        drop(self.listener);
        if tokio::time::timeout(self.limits.drain_time, graceful.shutdown()).await.is_err() {
            tracing::warn!("connections were still open at the end of the drain time");
        }
    }

    /// Waits for a free place, then for a connection; those beyond wait in the kernel's queue.
    async fn accept(
        &self,
        permits: &Arc<Semaphore>,
        status: &Status,
    ) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        let permit = match Arc::clone(permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                status.refused();
                tracing::warn!(limit = self.limits.connections, "all connections are in use");
                Arc::clone(permits).acquire_owned().await.ok()?
            }
        };
        match self.listener.accept().await {
            Ok((stream, _)) => Some((stream, permit)),
            Err(error) => {
                // Out of file descriptors, say. Accepting again at once would spin.
                status.refused();
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
                None
            }
        }
    }

    fn spawn(
        &self,
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
        router: Router,
        graceful: &GracefulShutdown,
    ) {
        // The answer is one small packet; waiting for more would only delay it.
        let _ = stream.set_nodelay(true);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_time)
            .max_buf_size(self.limits.header_bytes.max(8192))
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
            drop(permit);
        });
    }
}
