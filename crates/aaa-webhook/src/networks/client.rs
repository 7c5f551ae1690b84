//! Who the client is, as proxies tell it.

use std::{net::IpAddr, str::FromStr};

use http::{HeaderMap, HeaderName, header::FORWARDED};

use super::{Networks, forwarded};

/// The header in which proxies say whom they speak for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ProxyHeader {
    /// `X-Forwarded-For`: addresses between commas, maybe with ports.
    #[default]
    XForwardedFor,
    /// `Forwarded`, as [RFC 7239](https://www.rfc-editor.org/rfc/rfc7239) has it.
    Forwarded,
}

impl ProxyHeader {
    fn name(self) -> HeaderName {
        match self {
            Self::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            Self::Forwarded => FORWARDED,
        }
    }
}

impl FromStr for ProxyHeader {
    type Err = ProxyHeaderError;

    /// Reads the name of the header, however it is written.
    fn from_str(text: &str) -> Result<Self, ProxyHeaderError> {
        let all = [Self::XForwardedFor, Self::Forwarded];
        let named =
            all.into_iter().find(|header| header.name().as_str().eq_ignore_ascii_case(text));
        named.ok_or(ProxyHeaderError)
    }
}

/// A text names no header that proxies tell their client in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the header in which a proxy names its client is `x-forwarded-for` or `forwarded`")]
pub struct ProxyHeaderError;

/// The proxies that are believed, and the header that they write.
///
/// # Examples
///
/// ```
/// use aaa_webhook::networks::{ProxyHeader, TrustedProxies};
/// use http::HeaderMap;
///
/// let proxies = TrustedProxies::new("10.0.0.0/8".parse()?, ProxyHeader::Forwarded);
/// let mut headers = HeaderMap::new();
/// headers.append("forwarded", "for=192.0.2.1".parse()?);
/// headers.append("forwarded", r#"for="[2001:db8::7]:4711";proto=https, for=10.1.1.1"#.parse()?);
/// assert_eq!(proxies.client("10.0.0.1".parse()?, &headers), Ok("2001:db8::7".parse()?));
/// // Whoever is no proxy speaks for itself.
/// assert_eq!(proxies.client("192.0.2.9".parse()?, &headers), Ok("192.0.2.9".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    networks: Networks,
    header: ProxyHeader,
}

impl TrustedProxies {
    /// Believes these proxies, when they write this header. The other header is never read: a
    /// proxy that does not write it passes on what a client wrote.
    pub fn new(networks: Networks, header: ProxyHeader) -> Self {
        Self { networks, header }
    }

    /// Believes nobody: the client is the other side of the connection.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns who the client is, which is never one of the proxies.
    ///
    /// # Errors
    ///
    /// Fails when a trusted proxy does not say it, or says it in a way that cannot be read.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, ClientError> {
        let peer = peer.to_canonical();
        if !self.networks.contains(peer) {
            return Ok(peer);
        }
        let mut error = ClientError::Missing;
        // The last line was added last.
        for line in headers.get_all(self.header.name()).iter().rev() {
            for element in forwarded::elements(line.as_bytes(), self.header) {
                let address = forwarded::address(element, self.header)?.to_canonical();
                if !self.networks.contains(address) {
                    return Ok(address);
                }
                error = ClientError::OnlyProxies;
            }
        }
        Err(error)
    }
}

/// A trusted proxy does not say who the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The header is not there.
    #[error("a trusted proxy sent no header that names the client")]
    Missing,
    /// An element of the header cannot be read.
    #[error("the header of a trusted proxy cannot be read")]
    Malformed,
    /// An element says that the client is unknown or has a name that is none of the network's.
    #[error("a trusted proxy does not tell the client's address")]
    Untold,
    /// All addresses are those of trusted proxies.
    #[error("the header of a trusted proxy names nobody but trusted proxies")]
    OnlyProxies,
}
