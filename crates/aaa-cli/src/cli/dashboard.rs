//! The dashboard and its flags.

use std::net::SocketAddr;

use aaa_types::WebhookId;
use clap::Args;
use secrecy::SecretString;

use super::{Api, StoreArgs};
use crate::forward::ForwardUrl;

pub(super) const HELP: &str = "It reads the store and writes to it as the other commands do, so a receiver may run beside it \
     or not.\nOn loopback everybody on this machine may use it; any other address needs a password, \
     and TLS before it.\nUsers who sign in come back to /accounts/callback, which the app's settings \
     at X have to list.\n\nExample:\n  aaa dashboard --data-dir aaa-data";

#[derive(Debug, Args)]
pub(crate) struct DashboardArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8899")]
    pub(crate) bind: SocketAddr,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) door: DoorArgs,
    /// The webhook whose replays are shown [default: the one that the store knows, or the app's
    /// only one]
    #[arg(long, value_name = "ID")]
    pub(crate) webhook: Option<WebhookId>,
    /// Offer this URL when a delivery is sent again; signed with X_FORWARD_SECRET, if that is set
    #[arg(long, value_name = "URL")]
    pub(crate) resend_to: Option<ForwardUrl>,
    /// The generation of the API; v1.1 is Enterprise
    #[arg(long, value_enum, value_name = "VERSION", default_value_t = Api::V2)]
    pub(crate) api: Api,
    /// Print the first line as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Who is let in.
#[derive(Debug, Args)]
pub(crate) struct DoorArgs {
    /// Ask for this password, of at least eight characters (AAA_DASHBOARD_PASSWORD); needed
    /// wherever another machine can reach the dashboard
    #[arg(long, value_name = "PASSWORD")]
    pub(crate) dashboard_password: Option<SecretString>,
    /// Answer under this name too, such as that of a proxy before it; may be given more than once
    #[arg(long, value_name = "NAME", value_parser = host)]
    pub(crate) dashboard_host: Vec<String>,
}

/// Reads a name without a port.
fn host(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-.".contains(&b);
    if text.is_empty() || !text.bytes().all(plain) {
        return Err("expected a name without a port, such as ops.example.com".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn names() {
        assert!(host("ops.example.com").is_ok());
        for bad in ["", "a:80", "http://a", "a/b", "ä", "a b"] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }
}
