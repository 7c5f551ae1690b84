//! One connection of the server.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

use axum::{Router, extract::Request, response::IntoResponse};
use http::{
    HeaderValue,
    header::{CONNECTION, TRANSFER_ENCODING},
};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

use super::{Limits, heads::Watched};
use crate::receiver::{Carried, Status};

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
    status: Status,
    /// Whether it has brought a delivery with a right signature.
    carried: Arc<AtomicBool>,
}

/// Why a connection is asked to end.
enum Asked {
    Draining,
    Full,
}

impl Connection {
    pub(super) fn new(
        router: Router,
        calls: watch::Receiver<Call>,
        limits: Limits,
        status: Status,
    ) -> Self {
        Self { router, calls, limits, status, carried: Arc::default() }
    }

    /// Serves until the other side ends, or this side is asked to.
    pub(super) async fn run<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { router, mut calls, limits, status, carried } = self;
        let _connected = status.connected();
        let (stream, unclear) = Watched::new(stream);
        let requests = AtomicU64::new(0);
        let router = TowerToHyperService::new(router);
        let service = service_fn(|request: Request<Incoming>| {
            let number = requests.fetch_add(1, SeqCst).saturating_add(1);
            let unclear = unclear.is(number).then(|| status.unclear());
            let chunked = request.headers().contains_key(TRANSFER_ENCODING);
            let (router, carried) = (&router, &carried);
            async move {
                let mut answer = match unclear {
                    Some(refused) => IntoResponse::into_response(refused),
                    None => router.call(request).await?,
                };
                if chunked {
                    // Where the next head begins is not known any more, see `heads`.
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
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
