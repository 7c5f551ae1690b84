//! One connection of the server.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use axum::{Router, extract::Request};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{net::TcpStream, sync::watch};

use super::Limits;
use crate::receiver::Carried;

/// What the server tells its connections.
#[derive(Debug, Default)]
pub(super) struct Call {
    /// The server ends.
    pub(super) draining: bool,
    /// How often it looked for a free place and found none.
    pub(super) full: u64,
}

pub(super) struct Connection {
    router: Router,
    calls: watch::Receiver<Call>,
    limits: Limits,
    /// Whether it has brought a delivery with a right signature.
    carried: Arc<AtomicBool>,
}

/// Why a connection is asked to end.
enum Asked {
    Draining,
    Full,
}

impl Connection {
    pub(super) fn new(router: Router, calls: watch::Receiver<Call>, limits: Limits) -> Self {
        Self { router, calls, limits, carried: Arc::default() }
    }

    /// Serves until the other side ends, or this side is asked to.
    pub(super) async fn run(self, stream: TcpStream) {
        let Self { router, mut calls, limits, carried } = self;
        // The answer is one small packet; waiting for more would only delay it.
        let _ = stream.set_nodelay(true);
        let router = TowerToHyperService::new(router);
        let service = service_fn(|request: Request<Incoming>| {
            let (answer, carried) = (router.call(request), &carried);
            async move {
                let answer = answer.await?;
                if answer.extensions().get::<Carried>().is_some() {
                    carried.store(true, SeqCst);
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_time)
            .max_buf_size(limits.header_bytes.max(8192))
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let asked = tokio::select! {
            ended = connection.as_mut() => return log(ended),
            asked = asked(&mut calls, &carried) => asked,
        };
        connection.as_mut().graceful_shutdown();
        match asked {
            Asked::Draining => log(connection.await),
            Asked::Full => {
                let patience = limits.header_time.saturating_add(limits.drain_time);
                match tokio::time::timeout(patience, connection).await {
                    Ok(ended) => log(ended),
                    Err(_) => tracing::debug!("connection cut off"),
                }
            }
        }
    }
}

/// Waits until the connection has to end. While it waits, and as long as `calls` lives, the server
/// knows that the connection is there.
async fn asked(calls: &mut watch::Receiver<Call>, carried: &AtomicBool) -> Asked {
    let mut spared = false;
    loop {
        // A server that was dropped ends too.
        if calls.changed().await.is_err() || calls.borrow_and_update().draining {
            return Asked::Draining;
        }
        // The first call may come before the first request had time to arrive.
        if spared && !carried.load(SeqCst) {
            return Asked::Full;
        }
        spared = true;
    }
}

fn log(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
