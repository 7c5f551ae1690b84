//! Under which names the pages may be asked for.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
};

/// The names that are ours.
///
/// A page of somewhere else can have its own name lead to this machine, and then a browser takes
/// it for the same site. It cannot do so with an address, nor with `localhost`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts {
    names: BTreeSet<String>,
    /// Whether any address will do, not only those of loopback.
    addresses: bool,
}

impl Hosts {
    /// Adds a name.
    pub(crate) fn add(&mut self, name: &str) {
        self.names.insert(name.to_ascii_lowercase());
    }

    /// Lets any address be a name.
    pub(crate) fn add_addresses(&mut self) {
        self.addresses = true;
    }

    /// Says whether the value of a `Host` header is a name of ours.
    pub(crate) fn admit(&self, host: &str) -> bool {
        let Some(name) = without_port(host) else { return false };
        match address(name) {
            Some(ip) => ip.is_loopback() || self.addresses,
            None => {
                let name = name.to_ascii_lowercase();
                name == "localhost" || self.names.contains(&name)
            }
        }
    }
}

/// Takes the port away.
fn without_port(host: &str) -> Option<&str> {
    let end = if host.starts_with('[') {
        host.find(']')? + 1
    } else {
        host.find(':').unwrap_or(host.len())
    };
    let (name, rest) = host.split_at_checked(end)?;
    let port = match rest.strip_prefix(':') {
        Some(port) => {
            !port.is_empty() && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit())
        }
        None => rest.is_empty(),
    };
    (port && !name.is_empty()).then_some(name)
}

fn address(name: &str) -> Option<IpAddr> {
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(ip) => ip.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => name.parse().ok().filter(IpAddr::is_ipv4),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whose_names_are_ours() {
        let mut hosts = Hosts::default();
        hosts.add("Dash.Example.com");
        for ours in [
            "127.0.0.1:8899",
            "127.0.0.1",
            "127.9.9.9:1",
            "localhost",
            "LOCALHOST:80",
            "[::1]:8899",
            "[::1]",
            "dash.example.com",
            "DASH.example.com:443",
        ] {
            assert!(hosts.admit(ours), "{ours}");
        }
        for foreign in [
            "",
            ":80",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost:80:80",
            "localhost:",
            "localhost:x",
            "localhost:123456",
            "10.0.0.1",
            "[::2]",
            "::1",
            "[127.0.0.1]",
            "[::1]x",
            "[::1",
            "localhost ",
            "localhost@evil.example",
            "2130706433",
            "example.com",
            "x.dash.example.com",
            "dash.example.com.",
        ] {
            assert!(!hosts.admit(foreign), "{foreign}");
        }
        hosts.add_addresses();
        assert!(hosts.admit("10.0.0.1:8899") && hosts.admit("[fe80::1]"));
        assert!(!hosts.admit("evil.example") && !hosts.admit("[fe80::1%eth0]"));
    }

    proptest! {
        #[test]
        fn no_text_panics(host in "\\PC{0,20}|[\\[\\]:a-f0-9.]{0,12}") {
            let _ = Hosts::default().admit(&host);
        }
    }
}
