//! Forwards what is stored, as a consumer like any other.

use std::time::Duration;

use aaa_webhook::consumer::{Consumer, ConsumerName, RetryPolicy, Settings};
use tokio::task::JoinHandle;

use super::{Phase, Run, store::Store};
use crate::{
    cli::ForwardArgs,
    credentials::Credentials,
    exit::{Exit, Failure},
    forward::{CONSUMER, Forwarder, secret},
    output,
};

/// What forwards, before it does.
pub(super) struct Forwarding {
    name: ConsumerName,
    forwarder: Forwarder,
    start: u64,
}

impl Forwarding {
    /// Prepares to forward, if that was asked for.
    ///
    /// # Errors
    ///
    /// Fails when the secret is malformed or TLS cannot be set up.
    pub(super) fn prepare(
        args: &ForwardArgs,
        credentials: &Credentials,
    ) -> Result<Option<Self>, Failure> {
        let Some(to) = &args.forward_to else { return Ok(None) };
        if to.is_open() {
            output::note(format_args!(
                "warning: deliveries hold direct messages, and on their way to {to} nothing is \
                 encrypted"
            ));
        }
        let secret = secret(args.forward_secret.as_ref(), credentials)?;
        let forwarder = Forwarder::new(to.clone(), secret)?;
        let name = CONSUMER.parse().map_err(|error| Exit::Failed.of(CONSUMER, error))?;
        Ok(Some(Self { name, forwarder, start: args.forward_after.unwrap_or(0) }))
    }

    /// Returns its name, and after which event it begins when it was never there before.
    pub(super) fn waits_from(&self) -> (ConsumerName, u64) {
        (self.name.clone(), self.start)
    }

    /// Forwards until nothing more is received. What is left then is forwarded by the next run.
    pub(super) fn start(self, store: &Store, run: &Run) -> JoinHandle<()> {
        let settings = Settings {
            retry: RetryPolicy { first: Duration::from_millis(500), ..RetryPolicy::default() },
            // The transport's own limit is shorter, and says more.
            timeout: Duration::from_secs(60),
            start: self.start,
            ..Settings::default()
        };
        let consumer = Consumer::of_deliveries(self.name, store.clone(), self.forwarder)
            .with_settings(settings);
        let work = consumer.run(store.subscribe(), run.reached(Phase::Ended));
        tokio::spawn(async move {
            if let Err(error) = work.await {
                tracing::error!(%error, "nothing is forwarded any more; it waits in the store");
            }
        })
    }
}
