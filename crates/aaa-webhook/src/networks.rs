//! From where requests may come: an optional list of networks, also behind proxies.
//!
//! It guards nothing that the signature does not guard already. It keeps scanners and floods away
//! from the code that verifies, and from the log. Pure: addresses and headers are arguments.
//! `receiver::Receiver::with_sources` puts it before everything else that a receiver does; only a
//! check with a right signature passes it from anywhere.
//!
//! # Behind a proxy
//!
//! Then the other side of each connection is the proxy, and the client is told by a header. A
//! header can be written by anybody, so:
//!
//! * it is read only when the other side is a proxy that is [trusted](TrustedProxies);
//! * one header is read, the one that the proxy is known to write. What a client puts into the
//!   other one never counts;
//! * it is read from its end, where the proxy added what it saw itself. Other trusted proxies are
//!   passed; the first address that is none of them is the client, and what stands before it is
//!   what the client says of itself;
//! * what cannot be read stops the search. So does a missing header. Then the request is refused.
//!
//! The last rule is only as good as the proxy: one that passes the header on without adding to it
//! lets clients choose their address.

mod client;
mod forwarded;

use std::{fmt, net::IpAddr, str::FromStr};

use http::HeaderMap;
use ipnet::IpNet;

pub use self::client::{ClientError, ProxyHeader, TrustedProxies};

/// A list of networks, such as `203.0.113.0/24,2001:db8::/32`; one address is a network too.
///
/// IPv4 addresses that are written as IPv6 ones (`::ffff:203.0.113.7`) are IPv4 addresses here, in
/// the list and in what is looked up. So `::/0` holds no IPv4 address.
///
/// # Examples
///
/// ```
/// use aaa_webhook::networks::Networks;
///
/// let networks: Networks = "203.0.113.0/24, 2001:db8::/32, 192.0.2.1".parse()?;
/// assert!(networks.contains("203.0.113.7".parse()?));
/// assert!(networks.contains("::ffff:203.0.113.7".parse()?));
/// assert!(!networks.contains("192.0.2.2".parse()?));
/// assert!("203.0.113.7/24".parse::<Networks>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

/// What X calls its aggregate network blocks.
const OF_X: &str = "199.59.148.0/22,199.16.156.0/22,192.133.77.0/26,64.63.15.0/24,64.63.31.0/24,\
                    64.63.47.0/24,202.160.128.0/24,202.160.129.0/24,202.160.130.0/24";

impl Networks {
    /// Returns the networks from which X says that it sends webhooks. X does not promise that
    /// they stay; what it sends from elsewhere is refused, and then nothing else tells of it but
    /// the log and the metrics.
    ///
    /// They stand under "Additional security guidelines" in
    /// [X's page on securing webhooks](https://developer.x.com/en/docs/twitter-api/enterprise/account-activity-api/guides/securing-webhooks).
    pub fn of_x() -> Self {
        OF_X.parse().unwrap_or_default()
    }

    /// Says whether an address is in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Adds those of another list.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

impl FromStr for Networks {
    type Err = NetworksError;

    /// Reads networks between commas; white space around them does not matter.
    fn from_str(text: &str) -> Result<Self, NetworksError> {
        text.split(',').map(|one| network(one.trim())).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, network) in self.0.iter().enumerate() {
            write!(f, "{}{network}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// From which networks requests are taken.
///
/// # Examples
///
/// ```
/// use aaa_webhook::networks::{ProxyHeader, Sources, TrustedProxies};
/// use http::HeaderMap;
///
/// let proxies = TrustedProxies::new("10.0.0.0/8".parse()?, ProxyHeader::XForwardedFor);
/// let sources = Sources::new("203.0.113.0/24".parse()?).behind(proxies);
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-forwarded-for", "198.51.100.9, 203.0.113.7, 10.0.0.2".parse()?);
/// assert_eq!(sources.admit("10.0.0.1".parse()?, &headers), Ok("203.0.113.7".parse()?));
/// // Only a proxy that is trusted is asked whom it speaks for.
/// assert!(sources.admit("192.0.2.1".parse()?, &headers).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sources {
    allowed: Networks,
    proxies: TrustedProxies,
}

impl Sources {
    /// Takes requests from these networks, and from nowhere else.
    pub fn new(allowed: Networks) -> Self {
        Self { allowed, proxies: TrustedProxies::none() }
    }

    /// Believes these proxies when they say who the client is.
    #[must_use]
    pub fn behind(self, proxies: TrustedProxies) -> Self {
        Self { proxies, ..self }
    }

    /// Returns the address of the client, if requests of it are taken. `peer` is the other side of
    /// the connection.
    ///
    /// # Errors
    ///
    /// Fails when it is in none of the networks, and when it is not clear who the client is.
    pub fn admit(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, SourceError> {
        let client = self.proxies.client(peer, headers).map_err(SourceError::Unclear)?;
        if self.allowed.contains(client) {
            Ok(client)
        } else {
            Err(SourceError::Foreign { client })
        }
    }
}

/// A request is not taken, for where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The client is in none of the networks.
    #[error("{client} is in none of the networks from which requests are taken")]
    #[non_exhaustive]
    Foreign {
        /// The client.
        client: IpAddr,
    },
    /// Who the client is cannot be told.
    #[error("where the request comes from is not clear: {0}")]
    Unclear(ClientError),
}

/// A text is not a list of networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworksError {
    /// Something is not an address.
    #[error("`{text}` is no network: write an address, or `address/length` as in 203.0.113.0/24")]
    #[non_exhaustive]
    Address {
        /// What was read.
        text: String,
    },
    /// A length is not one.
    #[error("`{text}` is no network: the length behind the slash is 0 to {longest}")]
    #[non_exhaustive]
    Length {
        /// What was read.
        text: String,
        /// The longest there is for this kind of address.
        longest: u8,
    },
    /// The address has bits beyond the length: one of the two is a slip.
    #[error("`{text}` is no network: the one that this address is in is `{network}`")]
    #[non_exhaustive]
    Inside {
        /// What was read.
        text: String,
        /// What may have been meant.
        network: String,
    },
}

fn network(text: &str) -> Result<IpNet, NetworksError> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let no_address = |_| NetworksError::Address { text: text.to_owned() };
    let address: IpAddr = address.parse().map_err(no_address)?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let no_length = || NetworksError::Length { text: text.to_owned(), longest };
    let length: u8 = match length {
        None => longest,
        // `parse` would take a sign, too.
        Some(length) if length.len() > 3 || !length.bytes().all(|b| b.is_ascii_digit()) => {
            return Err(no_length());
        }
        Some(length) => length.parse().map_err(|_| no_length())?,
    };
    let network = IpNet::new(address, length).map_err(|_| no_length())?;
    let whole = canonical(network.trunc());
    if network.trunc() == network {
        Ok(whole)
    } else {
        Err(NetworksError::Inside { text: text.to_owned(), network: whole.to_string() })
    }
}

/// A network of IPv4 addresses that are written as IPv6 ones is one of IPv4.
fn canonical(network: IpNet) -> IpNet {
    let address = network.addr().to_canonical();
    let length = network.prefix_len().checked_sub(96).filter(|_| network.addr().is_ipv6());
    match (address, length) {
        (IpAddr::V4(_), Some(length)) => IpNet::new(address, length).unwrap_or(network),
        _ => network,
    }
}

#[cfg(test)]
mod tests;
