//! Name, port and TLS: how far it is to the receiver.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rustls_platform_verifier::Verifier;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        CertificateError, ClientConfig, Error, ProtocolVersion, crypto::ring, pki_types::ServerName,
    },
};
use url::{Host, Url};

use super::{
    certificate::{self, Validity},
    probe::Stopwatch,
};

/// How long a name, a connection or a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far it was to the receiver.
#[derive(Debug)]
pub(super) struct Connected {
    /// How long the connection took, or why there is none.
    pub(super) tcp: Result<Duration, String>,
    /// Nothing without TLS or without a connection.
    pub(super) tls: Option<Result<Tls, TlsFailure>>,
}

impl Connected {
    /// Says whether something can be asked.
    pub(super) fn is_usable(&self) -> bool {
        self.tcp.is_ok() && !matches!(self.tls, Some(Err(_)))
    }
}

/// A handshake that X would have accepted too.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) version: String,
    /// How many certificates the server sent, its own included.
    pub(super) chain: usize,
    /// Nothing when the certificate could not be read.
    pub(super) validity: Option<Validity>,
}

/// Why there is no handshake.
#[derive(Debug)]
pub(super) struct TlsFailure {
    pub(super) kind: TlsTrouble,
    pub(super) words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsTrouble {
    Expired,
    NotYetValid,
    UnknownIssuer,
    OtherName,
    /// Anything else, such as a version or a server that speaks no TLS.
    Other,
    /// This machine cannot verify anything.
    NoCertificates,
}

/// Finds the addresses of the host.
pub(super) async fn resolve(url: &Url) -> Result<Vec<SocketAddr>, String> {
    let port = url.port_or_known_default().unwrap_or(443);
    match url.host() {
        Some(Host::Ipv4(address)) => Ok(vec![(address, port).into()]),
        Some(Host::Ipv6(address)) => Ok(vec![(address, port).into()]),
        Some(Host::Domain(name)) => {
            match timeout(PATIENCE, tokio::net::lookup_host((name, port))).await {
                Ok(Ok(found)) => {
                    let mut found: Vec<_> = found.collect();
                    found.dedup();
                    if found.is_empty() { Err("it has no address".to_owned()) } else { Ok(found) }
                }
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("no answer within 10 s".to_owned()),
            }
        }
        None => Err("the URL has no host".to_owned()),
    }
}

/// Connects to the first address that takes a connection, and shakes hands where that is due.
pub(super) async fn connect(url: &Url, addresses: &[SocketAddr]) -> Connected {
    let mut failure = String::new();
    for address in addresses {
        let watch = Stopwatch::start();
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let tcp = Ok(watch.elapsed());
                let tls = match url.scheme() {
                    "https" => Some(shake_hands(url, stream).await),
                    _ => None,
                };
                return Connected { tcp, tls };
            }
            Ok(Err(error)) => failure = format!("{address}: {error}"),
            Err(_) => failure = format!("{address}: no answer within 10 s"),
        }
    }
    Connected { tcp: Err(failure), tls: None }
}

async fn shake_hands(url: &Url, stream: TcpStream) -> Result<Tls, TlsFailure> {
    let other = |words: String| TlsFailure { kind: TlsTrouble::Other, words };
    let config = config().map_err(|error| TlsFailure {
        kind: TlsTrouble::NoCertificates,
        words: error.to_string(),
    })?;
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(|error| other(error.to_string()))?;
    let shaken = timeout(PATIENCE, TlsConnector::from(config).connect(name, stream)).await;
    let shaken = shaken.map_err(|_| other("no answer within 10 s".to_owned()))?;
    let stream = shaken.map_err(|error| failure(&error))?;
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates().unwrap_or_default();
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
        version => format!("{version:?}"),
    };
    let validity = chain.first().and_then(|own| certificate::validity(own));
    Ok(Tls { version, chain: chain.len(), validity })
}

fn config() -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier::new(provider)?))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn failure(error: &io::Error) -> TlsFailure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let kind = match inner {
        Some(Error::InvalidCertificate(why)) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                TlsTrouble::Expired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                TlsTrouble::NotYetValid
            }
            CertificateError::UnknownIssuer => TlsTrouble::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsTrouble::OtherName
            }
            _ => TlsTrouble::Other,
        },
        _ => TlsTrouble::Other,
    };
    TlsFailure { kind, words: error.to_string() }
}
