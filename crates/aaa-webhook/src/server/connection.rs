//! One connection of the server.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    response::IntoResponse,
};
use http::{
    HeaderValue,
    header::{CONNECTION, TRANSFER_ENCODING},
};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::watch,
    time::{Instant, Sleep, sleep, timeout},
};

use super::{
    Limits, SPARED,
    progress::{Phase, Progress, Watched},
    sending::Sending,
    slow,
};
use crate::receiver::{Carried, Enough, Refusal, Status, clock};

/// What the server tells its connections. When it tells the same again, it has looked for a free
/// place and found none.
#[derive(Debug, Default)]
pub(super) struct Call {
    /// The server ends.
    pub(super) draining: bool,
}

pub(super) struct Connection {
    router: Router,
    peer: SocketAddr,
    calls: Calls,
    limits: Limits,
    status: Status,
}

/// How a connection ends.
enum End {
    Itself(hyper::Result<()>),
    /// Waiting took too long.
    Late(Phase),
    /// It was asked to, and did not.
    CutOff,
}

impl Connection {
    pub(super) fn new(
        router: Router,
        peer: SocketAddr,
        calls: watch::Receiver<Call>,
        limits: Limits,
        status: Status,
    ) -> Self {
        let calls = Calls { calls, began: clock::instant(), carried: Arc::default() };
        Self { router, peer, calls, limits, status }
    }

    /// Serves once the other side has greeted, which it has to do in time.
    #[cfg(feature = "tls")]
    pub(super) async fn greet<S>(mut self, greeting: impl Future<Output = std::io::Result<S>>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let greeted = tokio::select! {
            greeted = timeout(self.limits.header_time, greeting) => greeted,
            // Nothing was begun that could be ended.
            _ = self.calls.asked() => return,
        };
        match greeted {
            Ok(Ok(stream)) => self.run(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "no TLS"),
            Err(_) => tracing::debug!("no TLS in time"),
        }
    }

    /// Serves until the other side ends, or this side is asked to.
    pub(super) async fn run<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { router, peer, mut calls, limits, status } = self;
        let _connected = status.connected();
        let progress = Progress::default();
        let carried = Arc::clone(&calls.carried);
        let enough = Enough::default();
        let router = TowerToHyperService::new(router);
        let service = service_fn(|mut request: Request<Incoming>| {
            let unclear = progress.called().then(|| status.unclear());
            let chunked = request.headers().contains_key(TRANSFER_ENCODING);
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(enough.clone());
            let (router, carried, progress) = (&router, &carried, &progress);
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
                progress.answered();
                Ok::<_, Infallible>(answer.map(|body| Sending::new(body, progress.clone())))
            }
        });
        let stream = TokioIo::new(Watched::new(stream, progress.clone()));
        let mut connection = http1::Builder::new()
            // A head that is late is told so, see below; hyper would only close.
            .header_read_timeout(None)
            .max_buf_size(limits.header_bytes.max(8192))
            .serve_connection(stream, service);
        let mut patience = Patience::new(&progress, &carried, limits);
        let mut asked = false;
        let mut cut_off = pin!(sleep(limits.drain_time));
        let mut cutting = false;
        let end = loop {
            let served = poll_fn(|context| match Pin::new(&mut connection).poll(context) {
                Poll::Ready(ended) => Poll::Ready(End::Itself(ended)),
                Poll::Pending => patience.poll(context).map(End::Late),
            });
            tokio::select! {
                biased;
                end = served => break end,
                () = &mut cut_off, if cutting => break End::CutOff,
                why = calls.asked(), if !asked => {
                    (asked, cutting) = (true, true);
                    Pin::new(&mut connection).graceful_shutdown();
                    let mut time = limits.drain_time;
                    if let Asked::Full = why {
                        // What is no request yet, or of nobody knows whom, is not waited for.
                        enough.call();
                        let running = matches!(progress.phase(), Phase::Busy | Phase::Stuck(_));
                        time = if running { time } else { Duration::ZERO };
                    }
                    // A stream would go on by itself, also when nobody waits for it any more.
                    cut_off.set(sleep(time));
                }
            }
        };
        match end {
            End::Itself(Ok(())) => {}
            End::Itself(Err(error)) => ended(&error, &status),
            End::Late(Phase::Head(_)) => {
                let refused = status.refuse_head(Refusal::SlowHead);
                tracing::debug!(why = %refused, "connection ended");
                let mut stream = connection.into_parts().io.into_inner();
                let told = async {
                    stream.write_all(&slow::answer(&refused, clock::now())).await?;
                    stream.shutdown().await
                };
                let _ = timeout(limits.drain_time, told).await;
            }
            End::Late(phase) => tracing::debug!(?phase, "connection closed"),
            End::CutOff => tracing::debug!("connection cut off"),
        }
    }
}

/// hyper answers what it cannot read, and then fails.
fn ended(error: &hyper::Error, status: &Status) {
    let why = match error {
        error if error.is_parse_too_large() => Some(Refusal::LargeHead),
        // The preface of HTTP/2 gets no answer.
        error if error.is_parse() && !error.is_parse_version_h2() => Some(Refusal::MalformedHead),
        _ => None,
    };
    let _ = why.map(|why| status.refuse_head(why));
    tracing::debug!(%error, "connection ended");
}

/// Why a connection is asked to end.
enum Asked {
    Draining,
    Full,
}

/// What is heard of the server. As long as it lives, the server knows that the connection is there.
struct Calls {
    calls: watch::Receiver<Call>,
    began: Instant,
    /// Whether the connection has brought a delivery with a right signature.
    carried: Arc<AtomicBool>,
}

impl Calls {
    /// Waits until the connection has to end.
    async fn asked(&mut self) -> Asked {
        loop {
            // A server that was dropped ends too.
            if self.calls.changed().await.is_err() || self.calls.borrow_and_update().draining {
                return Asked::Draining;
            }
            if self.began.elapsed() >= SPARED && !self.carried.load(SeqCst) {
                return Asked::Full;
            }
        }
    }
}

/// Measures how long one wait takes.
struct Patience<'a> {
    progress: &'a Progress,
    carried: &'a AtomicBool,
    limits: Limits,
    phase: Phase,
    timer: Pin<Box<Sleep>>,
}

impl<'a> Patience<'a> {
    fn new(progress: &'a Progress, carried: &'a AtomicBool, limits: Limits) -> Self {
        let timer = Box::pin(sleep(limits.header_time));
        Self { progress, carried, limits, phase: progress.phase(), timer }
    }

    /// Says what took too long; to be asked after whatever may have changed that.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Phase> {
        let phase = self.progress.phase();
        if phase.follows(self.phase) {
            self.phase = phase;
            let limit = match phase {
                Phase::Idle(_) if self.carried.load(SeqCst) => self.limits.idle_time,
                Phase::Idle(_) | Phase::Head(_) => self.limits.header_time,
                Phase::Stuck(_) => self.limits.read_time,
                // The receiver has time-outs of its own, and a stream may have nothing to say.
                Phase::Busy => return Poll::Pending,
            };
            self.timer.set(sleep(limit));
        }
        match self.phase {
            Phase::Busy => Poll::Pending,
            phase => self.timer.as_mut().poll(context).map(|()| phase),
        }
    }
}

#[cfg(test)]
mod tests;
