//! TLS with certificates from files, which are read again when they change.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use sha2::{Digest, Sha256};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

/// A certificate and its key, from two files in PEM. Clones share them.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use aaa_webhook::server::{Server, Tls};
///
/// let tls = Tls::from_files("fullchain.pem", "privkey.pem")?;
/// let server = Server::bind("0.0.0.0:443".parse()?).await?.with_tls(tls.clone());
/// // Now and then, or when a signal says so: takes renewed files for new connections.
/// match tls.reload() {
///     Ok(changed) => println!("changed: {changed}"),
///     Err(error) => eprintln!("{error}; the old certificate goes on"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
}

struct Shared {
    chain: PathBuf,
    key: PathBuf,
    loaded: RwLock<Loaded>,
}

#[derive(Clone)]
struct Loaded {
    config: Arc<ServerConfig>,
    /// Of both files, so that a change is seen whatever the times of the files say.
    digest: [u8; 32],
}

impl Tls {
    /// Reads the chain, the server's own certificate first, and the key.
    ///
    /// # Errors
    ///
    /// Fails when a file cannot be read, holds no such thing, or the two do not belong together.
    pub fn from_files(
        chain: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        let (chain, key) = (chain.into(), key.into());
        let loaded = RwLock::new(Files::read(&chain, &key)?.load()?);
        Ok(Self { shared: Arc::new(Shared { chain, key, loaded }) })
    }

    /// Reads the files again. When they have changed, new connections get what is in them; open
    /// ones go on with what they have. Returns whether they have.
    ///
    /// It blocks for as long as reading two small files takes.
    ///
    /// # Errors
    ///
    /// Fails as [`Tls::from_files`] does; then the old ones stay in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let files = Files::read(&self.shared.chain, &self.shared.key)?;
        if files.digest() == self.loaded().digest {
            return Ok(false);
        }
        let loaded = files.load()?;
        *self.shared.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(true)
    }

    /// Returns what greets a new connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.loaded().config.into()
    }

    fn loaded(&self) -> Loaded {
        self.shared.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { chain, key, .. } = &*self.shared;
        f.debug_struct("Tls").field("chain", chain).field("key", key).finish_non_exhaustive()
    }
}

/// The contents of both files.
struct Files<'a> {
    chain: (&'a Path, Vec<u8>),
    key: (&'a Path, Vec<u8>),
}

impl<'a> Files<'a> {
    fn read(chain: &'a Path, key: &'a Path) -> Result<Self, TlsError> {
        let read = |path: &'a Path| match std::fs::read(path) {
            Ok(bytes) => Ok((path, bytes)),
            Err(error) => {
                Err(TlsError::Unreadable { path: path.to_owned(), reason: error.to_string() })
            }
        };
        Ok(Self { chain: read(chain)?, key: read(key)? })
    }

    fn digest(&self) -> [u8; 32] {
        let both = [&self.chain.1, &self.key.1].map(Sha256::digest);
        Sha256::digest(both.concat()).into()
    }

    fn load(&self) -> Result<Loaded, TlsError> {
        let (path, bytes) = &self.chain;
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(bytes).collect::<Result<_, _>>().unwrap_or_default();
        if chain.is_empty() {
            return Err(TlsError::NoCertificate { path: (*path).to_owned() });
        }
        let (path, bytes) = &self.key;
        let key = PrivateKeyDer::from_pem_slice(bytes)
            .map_err(|_| TlsError::NoKey { path: (*path).to_owned() })?;
        let unfit =
            |error: tokio_rustls::rustls::Error| TlsError::Unfit { reason: error.to_string() };
        let mut config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(unfit)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(unfit)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Loaded { config: Arc::new(config), digest: self.digest() })
    }
}

/// A certificate or its key cannot be used. Nothing of the key is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("could not read `{}`: {reason}", path.display())]
    #[non_exhaustive]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// There is no certificate in the file.
    #[error("`{}` holds no certificate in PEM (`BEGIN CERTIFICATE`)", path.display())]
    #[non_exhaustive]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// There is no key in the file.
    #[error("`{}` holds no private key in PEM (`BEGIN PRIVATE KEY`)", path.display())]
    #[non_exhaustive]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key are of no use, or not for each other.
    #[error("certificate and key cannot be used together: {reason}")]
    #[non_exhaustive]
    Unfit {
        /// What is wrong.
        reason: String,
    },
}
