//! The signals that ask a server to end.

/// Begins to listen for SIGINT and SIGTERM at once; the future names the one that came.
#[cfg(unix)]
pub(crate) fn end() -> impl Future<Output = &'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = signal(SignalKind::interrupt());
    let terminate = signal(SignalKind::terminate());
    async {
        let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => "interrupted",
            _ = terminate.recv() => "terminated",
        }
    }
}

/// Waits for Ctrl-C, and names it.
#[cfg(not(unix))]
pub(crate) async fn end() -> &'static str {
    match tokio::signal::ctrl_c().await {
        Ok(()) => "interrupted",
        Err(_) => std::future::pending().await,
    }
}
