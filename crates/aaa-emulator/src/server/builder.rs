use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::{net::TcpListener, runtime::Handle, sync::oneshot};

use super::{
    Emulator, StartError, control, guard, http_api, outbound::Outbound, page, shared::Shared,
};
use crate::{
    Expectation,
    control::{Snapshot, Traffic},
    settings::Settings,
};

/// Starts an [`Emulator`].
///
/// # Examples
///
/// ```
/// use aaa_emulator::{Emulator, settings::{Settings, TimeMode}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = Settings { time: TimeMode::Virtual, ..Settings::default() };
/// let emulator = Emulator::builder().settings(settings).start().await?;
/// let before = emulator.now();
/// let after = emulator.advance(std::time::Duration::from_secs(3600)).await?;
/// assert_eq!(after.duration_since(before).as_hours(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Builder {
    bind: SocketAddr,
    settings: Settings,
    traffic: Option<Traffic>,
    outbound: Outbound,
    state: Option<Snapshot>,
    expectations: Vec<Expectation>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            settings: Settings::default(),
            traffic: None,
            outbound: Outbound::new(),
            state: None,
            expectations: Vec::new(),
        }
    }

    /// Sets where to listen. The default is a free port on 127.0.0.1.
    #[must_use]
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.bind = addr;
        self
    }

    /// Sets how it behaves.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Has a world of users do things by themselves, from the beginning and after each reset.
    #[must_use]
    pub fn traffic(mut self, traffic: Traffic) -> Self {
        self.traffic = Some(traffic);
        self
    }

    /// Has it call `https` webhooks, whose certificates it trusts as told.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn trust(mut self, trust: super::Trust) -> Self {
        self.outbound = self.outbound.trusting(trust);
        self
    }

    /// Has it go on from what another has exported ([`Emulator::export`]).
    #[must_use]
    pub fn state(mut self, state: Snapshot) -> Self {
        self.state = Some(state);
        self
    }

    /// Has it panic at its end if this is not true by then. May be called several times.
    #[must_use]
    pub fn expect(mut self, expectation: Expectation) -> Self {
        self.expectations.push(expectation);
        self
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// Fails when a setting says what cannot be ([`Settings::check`]), when it cannot listen at the
    /// address, cannot take up the state, or cannot begin the traffic.
    pub async fn start(self) -> Result<Emulator, StartError> {
        self.settings.check()?;
        let fail = |error: std::io::Error| StartError::Listen {
            addr: self.bind,
            reason: error.to_string(),
        };
        let listener = TcpListener::bind(self.bind).await.map_err(fail)?;
        let addr = listener.local_addr().map_err(fail)?;
        let shared = Shared::new(self.settings, self.outbound, self.state, Handle::current())?;
        if let Some(traffic) = self.traffic {
            shared.begin_traffic(traffic).map_err(StartError::Traffic)?;
        }
        let app = control::router()
            .merge(page::router())
            .fallback(http_api::call)
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&shared), guard::check))
            .with_state(Arc::clone(&shared));
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            let until = async {
                // A dropped handle stops it as well.
                let _ = stopped.await;
            };
            let serving = axum::serve(listener, app).with_graceful_shutdown(until);
            if let Err(error) = serving.await {
                tracing::error!(%error, "the emulator stopped listening");
            }
        });
        let timer = tokio::spawn(Arc::clone(&shared).keep_time());
        Ok(Emulator::new(addr, shared, self.expectations, stop, server, timer))
    }
}
