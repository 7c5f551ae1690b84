//! The signals that ask a process to end.

use crate::exit::{Exit, Failure};

/// Works until the work is done or the process is asked to end; then what is under way is dropped.
///
/// # Errors
///
/// Fails as the work does, and when it was interrupted.
pub(crate) async fn or_end<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let signal = end();
    tokio::select! {
        done = work => done,
        signal = signal => {
            let words = format!("{signal}; what was being asked for may have been carried out");
            Err(Exit::Failed.with(words))
        }
    }
}

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

/// Listens for SIGHUP, which asks for what is in files to be read again.
#[cfg(unix)]
pub(crate) struct HungUp(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl HungUp {
    /// Begins to listen at once; without this the signal ends the process.
    pub(crate) fn new() -> Self {
        Self(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok())
    }

    /// Waits for the next one.
    pub(crate) async fn recv(&mut self) {
        let came = match &mut self.0 {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if came.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// There is no such signal here.
#[cfg(not(unix))]
pub(crate) struct HungUp;

#[cfg(not(unix))]
impl HungUp {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) async fn recv(&mut self) {
        std::future::pending().await
    }
}
