//! `--dashboard`: pages for people, on a listener of their own.

use std::sync::Arc;

use aaa_dashboard::Dashboard;
use aaa_webhook::{receiver::Status, server::Server};
use axum::Router;
use tokio::task::JoinHandle;

use super::{Phase, Run, metrics::Look, store::Store};
use crate::{
    cli::{InboxKind, ListenArgs},
    credentials::Credentials,
    dashboard::{Again, Door, Pages, Recovery},
    exit::{Exit, Failure},
    forward, output, replay,
    webhooks::Record,
};

/// A bound listener and its pages.
pub(super) struct Board {
    server: Server,
    router: Router,
    recovery: Recovery,
}

impl Board {
    /// Binds the address, if one is named.
    ///
    /// # Errors
    ///
    /// Fails when it is that of another listener, when others could come in without a password, and
    /// when it cannot be bound.
    pub(super) async fn bind(
        args: &ListenArgs,
        credentials: &Arc<Credentials>,
        store: &Store,
        status: &Status,
        look: impl FnOnce() -> Look,
    ) -> Result<Option<Self>, Failure> {
        let Some(address) = args.dashboard else { return Ok(None) };
        let taken = [Some(args.bind), args.metrics].contains(&Some(address));
        if taken && address.port() != 0 {
            let words = "--dashboard needs an address of its own: what X can reach, anybody can";
            return Err(Exit::Usage.with(words));
        }
        let door = Door::find(&args.door, address, "--dashboard", credentials)?;
        let client = credentials.builder().version(args.api.into()).build();
        let client =
            client.map_err(|error| Exit::Failed.of("the client could not be built", error))?;
        let secret = forward::secret(args.forward.forward_secret.as_ref(), credentials)?;
        let recovery = Recovery::new(&args.store, args.api, Arc::clone(credentials));
        let mut dashboard = Dashboard::new(store.clone(), client)
            .with_settings(replay::settings(args.api, credentials))
            .with_tokens(credentials.token_file(&args.store.data_dir))
            .with_resend(Again::new(args.forward.forward_to.clone(), secret))
            .with_record(Record::new(&args.store.data_dir, credentials.api()))
            .with_figures(status.clone(), look())
            .woken_by(store.subscribe());
        // What is recovered on request is recovered by a driver on the file, as a command would.
        if args.shared.inbox == InboxKind::Sqlite {
            dashboard = dashboard.with_recover(recovery.clone());
        }
        if let Some(webhook) = args.webhook {
            dashboard = dashboard.with_webhook(webhook);
        }
        let pages = Pages::bind(address, door).await?;
        let router = pages.router(dashboard)?;
        Ok(Some(Self { server: pages.into_server(), router, recovery }))
    }

    /// Answers until the run has ended.
    pub(super) fn start(self, run: &Run) -> JoinHandle<()> {
        output::note(format_args!("dashboard on http://{}", self.server.local_addr()));
        let Self { server, router, recovery } = self;
        let (ended, stopping) = (run.reached(Phase::Ended), run.reached(Phase::Draining));
        tokio::spawn(async move {
            // What happens to these connections says nothing about deliveries.
            let serving = server.serve(router, Status::default(), ended);
            let stopping = async {
                stopping.await;
                recovery.stop().await;
            };
            tokio::join!(serving, stopping);
        })
    }
}
