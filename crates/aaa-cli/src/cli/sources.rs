//! From where requests may come.

use aaa_webhook::networks::{Networks, ProxyHeader};
use clap::Args;

/// Stands for the networks that X names.
const OF_X: &str = "x";

#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// Answer nobody outside these networks, on the webhook's path: addresses, 203.0.113.0/24 and
    /// the like, with commas between them; `x` stands for the networks that X has published, which
    /// X may change: what it then sends is refused. A check that is signed with a secret of the app
    /// is answered from anywhere. May be given more than once
    #[arg(long, value_name = "CIDR", value_parser = networks)]
    pub(crate) allow_from: Vec<Networks>,
    /// Believe these proxies when they say who the client is; those before it too, if there are
    /// several. May be given more than once
    #[arg(
        long,
        value_name = "CIDR",
        value_parser = str::parse::<Networks>,
        requires = "allow_from"
    )]
    pub(crate) trusted_proxy: Vec<Networks>,
    /// The header in which they say so, x-forwarded-for (default) or forwarded. They have to add to
    /// it, or replace it, whatever a client has sent
    #[arg(
        long,
        value_name = "NAME",
        value_parser = str::parse::<ProxyHeader>,
        requires = "trusted_proxy"
    )]
    pub(crate) proxy_header: Option<ProxyHeader>,
}

fn networks(text: &str) -> Result<Networks, String> {
    text.split(',').try_fold(Networks::default(), |all, one| match one.trim() {
        OF_X => Ok(all.and(Networks::of_x())),
        one => one.parse().map(|one| all.and(one)).map_err(|error| error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let networks = |text| networks(text).map(|networks| networks.to_string());
        assert_eq!(networks("192.0.2.1, 10.0.0.0/8").unwrap(), "192.0.2.1/32,10.0.0.0/8");
        let of_x = Networks::of_x();
        assert_eq!(networks("x").unwrap(), of_x.to_string());
        assert_eq!(networks("192.0.2.1,x").unwrap(), format!("192.0.2.1/32,{of_x}"));
        for bad in ["", "X", "x,", "xx", "192.0.2.1 x"] {
            assert!(networks(bad).is_err(), "{bad}");
        }
    }
}
