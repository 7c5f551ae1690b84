//! Where a receiver stores, and what it needs for a store that others use as well.

use clap::{Args, ValueEnum};
use secrecy::SecretString;

/// Where deliveries are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum InboxKind {
    /// In the data directory, by this receiver alone.
    #[default]
    Sqlite,
    /// In a stream of NATS JetStream that any number of receivers share.
    Jetstream,
}

#[derive(Debug, Args)]
pub(crate) struct SharedArgs {
    /// Where to store deliveries: in the data directory, or in a stream of NATS JetStream that any
    /// number of receivers share
    #[arg(long, value_enum, default_value_t = InboxKind::Sqlite)]
    pub(crate) inbox: InboxKind,
    /// The servers of NATS, with commas between them, such as nats://10.0.0.1:4222
    #[arg(
        long,
        value_name = "URL",
        env = "NATS_URL",
        hide_env_values = true,
        required_if_eq("inbox", "jetstream")
    )]
    pub(crate) nats: Option<SecretString>,
    /// On how many servers each event is: 3 survives the loss of one, 1 survives that the server
    /// is killed but not that its machine loses power [default: 3]
    #[arg(long, value_name = "N", value_parser = ["1", "3"])]
    pub(crate) nats_replicas: Option<String>,
    /// The stream; all receivers of it know the same events
    #[arg(long, value_name = "NAME", default_value = "aaa")]
    pub(crate) nats_stream: String,
    /// The name of this receiver among those that share the stream; it keeps it from run to run
    /// [default: the machine's name and the port]
    #[arg(long, value_name = "NAME")]
    pub(crate) node: Option<String>,
}

#[cfg(feature = "jetstream")]
impl SharedArgs {
    /// Returns the settings of the inbox.
    ///
    /// # Errors
    ///
    /// Fails when something was asked for that is not there.
    pub(crate) fn settings(
        &self,
        args: &super::ListenArgs,
    ) -> Result<aaa_store::jetstream::Settings, crate::exit::Failure> {
        use aaa_store::jetstream::{Replicas, Settings};

        use crate::exit::Exit;
        if args.keep.redact_deleted {
            let words = "--redact-deleted needs --inbox sqlite: JetStream changes no message";
            return Err(Exit::Usage.with(words));
        }
        if args.forward.forward_to.is_some() {
            let words = "--forward-to needs --inbox sqlite: of several receivers each would take the \
                         cursor from the others; share the work with \
                         `aaa_store::jetstream::Worker`, or run one consumer";
            return Err(Exit::Usage.with(words));
        }
        let default = Settings::default();
        let limits = crate::replay::documented(args.api).limits;
        let look_back = limits.look_back.saturating_add(args.sweep.unwrap_or_default());
        let look_back = look_back.try_into().unwrap_or(default.look_back);
        let replicas = match self.nats_replicas.as_deref() {
            Some("1") => Replicas::One,
            _ => Replicas::Three,
        };
        let node = self.node.clone().unwrap_or_else(|| format!("{}-{}", host(), args.bind.port()));
        Ok(Settings {
            stream: self.nats_stream.clone(),
            replicas,
            node,
            look_back,
            key_retention: args.keep.keep_keys.unwrap_or(default.key_retention),
            body_retention: args.keep.keep_events,
            ..default
        })
    }
}

/// Returns the machine's name, as far as it may be that of a node.
#[cfg(feature = "jetstream")]
fn host() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = name.chars().map(plain).take(48).collect();
    if name.is_empty() { "receiver".to_owned() } else { name }
}
