//! The signals that ask a server to end.

/// Waits for SIGINT or SIGTERM, and names it.
#[cfg(unix)]
pub(crate) async fn end() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "interrupted",
        _ = terminate.recv() => "terminated",
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
