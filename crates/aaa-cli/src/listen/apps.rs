//! The apps whose deliveries are taken, and where.

use std::collections::BTreeMap;

use aaa_auth::environment::{Environment, Prefix, Variable};
use aaa_webhook::{
    app::App,
    receiver::{Paths, Receiver},
};

use super::store::Store;
use crate::{
    cli::{AppAtPath, ListenArgs},
    credentials::Credentials,
    exit::{Exit, Failure},
    output,
};

/// The name of the first app inside event keys.
const DEFAULT: &str = "default";

/// Which apps listen at which path; never none.
#[derive(Debug)]
pub(super) struct Apps {
    paths: BTreeMap<String, Vec<App>>,
}

impl Apps {
    /// Finds the secrets of the apps that the flags name: the one of `X_CONSUMER_SECRET` at
    /// `--path`, and those of `--app`.
    ///
    /// # Errors
    ///
    /// Fails when one has no secret, when two have the same, and when one is named twice for the
    /// same path.
    pub(super) fn find(args: &ListenArgs, credentials: &Credentials) -> Result<Self, Failure> {
        let mut found: Vec<(&Prefix, &str, App)> = Vec::new();
        if args.apps.is_empty() || credentials.environment().consumer_secret.is_some() {
            // Without a secret this is the error that says where to get one.
            credentials.consumer_secret()?;
            found.push((&Prefix::X, &args.path, app(&Prefix::X, credentials.environment())?));
        } else {
            let name = Variable::ConsumerSecret.name(&Prefix::X);
            output::note(format_args!(
                "warning: {name} is not set: nothing is taken at {}",
                args.path
            ));
        }
        for AppAtPath { path, prefix } in &args.apps {
            if found.iter().any(|(other, at, _)| (*other, *at) == (prefix, path.as_str())) {
                let words = format!("--app {path}={prefix}: this app is at this path already");
                return Err(Exit::Usage.with(words));
            }
            found.push((prefix, path, app(prefix, &credentials.app(prefix)?)?));
        }
        for (at, (prefix, _, app)) in found.iter().enumerate() {
            let others = found.iter().skip(at.saturating_add(1));
            let mut same = others.filter(|(other, ..)| other != prefix);
            if let Some((other, ..)) = same.find(|(.., other)| app.shares_secret_with(other)) {
                let words = format!(
                    "{prefix} and {other} have a consumer secret in common: nothing could tell \
                     their deliveries apart, so each app needs its own"
                );
                return Err(Exit::Credentials.with(words));
            }
        }
        let mut paths: BTreeMap<String, Vec<App>> = BTreeMap::new();
        for (_, path, app) in found {
            paths.entry(path.to_owned()).or_default().push(app);
        }
        Ok(Self { paths })
    }

    /// Tells what the user may not expect of several apps.
    pub(super) fn warn(&self, recovers: bool) {
        for (path, apps) in &self.paths {
            if apps.len() > 1 {
                output::note(format_args!(
                    "warning: {} apps share {path}: a check of X that is not signed cannot be \
                     answered for the right one and gets 503; a path for each app is safer",
                    apps.len()
                ));
            }
        }
        let others: Vec<_> = self.names().into_iter().filter(|name| *name != DEFAULT).collect();
        if recovers && !others.is_empty() {
            output::note(format_args!(
                "warning: only the app of X_CONSUMER_SECRET is recovered: what is missed of {} \
                 while this receiver is down stays missed",
                others.join(", ")
            ));
        }
    }

    /// Returns the name of the app that is recovered; where it is not among them, that of the first,
    /// since heartbeats tell of one.
    pub(super) fn recovered(&self) -> &str {
        let names = self.names();
        let first = names.first().copied().unwrap_or(DEFAULT);
        if names.contains(&DEFAULT) { DEFAULT } else { first }
    }

    /// Makes a receiver for each path, all with the store, limits and status of one.
    ///
    /// # Errors
    ///
    /// Fails when a path is taken, which it is not.
    pub(super) fn mount(self, receiver: &Receiver<Store>) -> Result<Paths<Store>, Failure> {
        let mut paths = Paths::new();
        for (path, apps) in self.paths {
            let mounted = paths.at(&path, receiver.for_apps(apps));
            paths = mounted.map_err(|error| Exit::Usage.with(error.to_string()))?;
        }
        Ok(paths)
    }

    fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.paths.values().flatten().map(App::name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// An app is called by its prefix, so that its keys are the same whatever the path.
fn app(prefix: &Prefix, found: &Environment) -> Result<App, Failure> {
    let secret = found.require_consumer_secret();
    let secret = secret.map_err(|error| Exit::Credentials.with(error.to_string()))?.clone();
    let name = if *prefix == Prefix::X { DEFAULT.to_owned() } else { prefix.to_string() };
    let app = App::new(name, secret);
    Ok(match &found.previous_secret {
        Some(previous) => app.with_previous(previous.clone()),
        None => app,
    })
}
