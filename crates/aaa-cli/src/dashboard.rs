//! `aaa dashboard`, and what `aaa listen --dashboard` shares with it.

mod beside;
mod record;
mod recovery;
mod resend;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use aaa_dashboard::{Dashboard, Password};
use aaa_store::sqlite;
use aaa_webhook::{
    receiver::Status,
    server::{Limits, Server},
};
use axum::Router;
use secrecy::ExposeSecret;

use self::beside::Beside;
pub(crate) use self::{recovery::Recovery, resend::Again};
use crate::{
    cli::{DashboardArgs, DoorArgs},
    credentials::Credentials,
    exit::{self, Exit, Failure},
    forward, output, replay, signals,
    webhooks::Record,
};

/// More connections than those who look need: each page holds one for what arrives.
const CONNECTIONS: usize = 256;

/// How long pages may take to be read at the end.
const DRAIN: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: DashboardArgs, credentials: Credentials) -> Result<(), Failure> {
    let signal = signals::end();
    let door = Door::find(&args.door, args.bind, "--bind", &credentials)?;
    let credentials = Arc::new(credentials);
    let directory = args.store.data_dir.clone();
    let store = Beside::open(&directory)?;
    let client = credentials.builder().version(args.api.into()).build();
    let client = client.map_err(|error| Exit::Failed.of("the client could not be built", error))?;
    let secret = forward::secret(None, &credentials)?;
    let recovery = Recovery::new(&args.store, args.api, Arc::clone(&credentials));
    let mut dashboard = Dashboard::new(store, client)
        .with_settings(replay::settings(args.api, &credentials))
        .with_tokens(credentials.token_file(&directory))
        .with_resend(Again::new(args.resend_to, secret))
        .with_recover(recovery.clone())
        .with_record(Record::new(&directory, credentials.api()))
        .with_claim(move || sqlite::is_in_use(&directory));
    if let Some(webhook) = args.webhook {
        dashboard = dashboard.with_webhook(webhook);
    }
    let pages = Pages::bind(args.bind, door).await?;
    let address = pages.address();
    let router = pages.router(dashboard)?;
    output::listening(&format!("http://{address}"), args.json)?;
    let ending = async {
        let signal = signal.await;
        output::note(format_args!("{signal}: ending"));
    };
    pages.server.serve(router, Status::default(), ending).await;
    recovery.stop().await;
    Ok(())
}

/// Who is let in.
pub(crate) struct Door {
    password: Option<Password>,
    names: Vec<String>,
    is_open: bool,
    /// Which flag names the address.
    flag: &'static str,
}

impl Door {
    /// Reads the flags and the environment.
    ///
    /// # Errors
    ///
    /// Fails when other machines could come in without a password.
    pub(crate) fn find(
        args: &DoorArgs,
        bind: SocketAddr,
        flag: &'static str,
        credentials: &Credentials,
    ) -> Result<Self, Failure> {
        let given = args.dashboard_password.as_ref().map(|it| it.expose_secret().to_owned());
        let given = given.or_else(|| credentials.variable("AAA_DASHBOARD_PASSWORD"));
        let password = given.filter(|given| !given.is_empty()).map(|given| given.parse());
        let password: Option<Password> = password
            .transpose()
            .map_err(|error| Exit::Usage.of("AAA_DASHBOARD_PASSWORD", error))?;
        let is_open = !bind.ip().is_loopback();
        let is_named = !args.dashboard_host.is_empty();
        if password.is_none() && (is_open || is_named) {
            let what =
                if is_open { format!("{flag} {bind}") } else { "--dashboard-host".to_owned() };
            return Err(Exit::Usage
                .with(format!(
                    "{what} lets other machines in, and the dashboard needs a password then"
                ))
                .advise("set AAA_DASHBOARD_PASSWORD, or listen on 127.0.0.1"));
        }
        if is_open {
            output::note(
                "warning: the dashboard speaks no TLS, so the password can be read on the way; put \
                 a proxy that does before it",
            );
        }
        Ok(Self { password, names: args.dashboard_host.clone(), is_open, flag })
    }
}

/// A listener for pages.
pub(crate) struct Pages {
    server: Server,
    door: Door,
}

impl Pages {
    /// Binds the address.
    ///
    /// # Errors
    ///
    /// Fails when that cannot be done.
    pub(crate) async fn bind(address: SocketAddr, door: Door) -> Result<Self, Failure> {
        let server = Server::bind(address).await;
        let server = server.map_err(|error| exit::not_bound(address, door.flag, error))?;
        let mut limits = Limits::default();
        limits.connections = CONNECTIONS;
        // What is still open at the end are streams, and those have no end.
        limits.drain_time = DRAIN;
        Ok(Self { server: server.with_limits(limits), door })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Makes the router of a dashboard behind this door.
    ///
    /// # Errors
    ///
    /// Fails when there is no randomness.
    pub(crate) fn router(&self, mut dashboard: Dashboard) -> Result<Router, Failure> {
        if let Some(password) = &self.door.password {
            dashboard = dashboard.with_password(password.clone());
        }
        if self.door.is_open {
            dashboard = dashboard.with_any_address();
        }
        for name in &self.door.names {
            dashboard = dashboard.with_host(name);
        }
        dashboard.router().map_err(|error| Exit::Failed.with(error.to_string()))
    }

    pub(crate) fn into_server(self) -> Server {
        self.server
    }
}
