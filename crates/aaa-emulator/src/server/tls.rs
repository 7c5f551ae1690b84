//! Whose certificates are trusted where a webhook is `https`.

use std::{error::Error, fmt, io, sync::Arc};

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The certificates that the emulator trusts, from a file in PEM: those of an authority of one's
/// own, or that of the webhook itself. Nothing else is trusted, so nothing beyond this machine is
/// called by accident.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use aaa_emulator::{Emulator, Trust};
///
/// let trust = Trust::from_pem(&std::fs::read("local-ca.pem")?)?;
/// let emulator = Emulator::builder().trust(trust).start().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

/// A text holds no certificate that can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no certificates to trust: {0}; expected PEM with at least one certificate")]
pub struct TrustError(String);

impl Trust {
    /// Reads one or more certificates.
    ///
    /// # Errors
    ///
    /// Fails when there is none, or one that cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| TrustError(error.to_string()))?;
            roots.add(certificate).map_err(|error| TrustError(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(TrustError("the text has none".to_owned()));
        }
        let config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|error| TrustError(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn connector(self, http: HttpConnector) -> HttpsConnector<HttpConnector> {
        HttpsConnector::from((http, self.0))
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

/// Finds what TLS says about a failed connection. The connector wraps an error of the handshake,
/// itself one of input and output, in another such error, and does so with nothing else.
pub(super) fn failure(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(handshake) = inner.and_then(|inner| inner.downcast_ref::<io::Error>()) {
            return Some(handshake.to_string());
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certificates_are_trusted() {
        assert!(Trust::from_pem(b"").is_err());
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let error = Trust::from_pem(broken).unwrap_err().to_string();
        assert!(error.starts_with("no certificates to trust: "), "{error}");
    }
}
