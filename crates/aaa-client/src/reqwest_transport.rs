use std::{error::Error as _, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, uri::Scheme};
use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::Verifier;

use crate::{ApiUrl, Transport, TransportError};

/// The largest answer that is taken. Lists of 5,000 subscriptions have some 150 kB.
const MAX_ANSWER: usize = 1024 * 1024;

/// How much is read of a body that nobody wants, and how long: so much is cheaper than another
/// connection.
const LEFT_OVER: usize = 64 * 1024;
const LEFT_OVER_TIME: Duration = Duration::from_secs(1);

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, TLS included: 10 s.
    pub connect: Duration,
    /// For a call from beginning to end: 30 s. X challenges a webhook within a call, and may take
    /// 10 s for it.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), total: Duration::from_secs(30) }
    }
}

/// Sends with reqwest over HTTP/1.1, with rustls, its ring provider and the system's CA
/// certificates. It changes nothing global.
///
/// No redirect is followed, no proxy is looked for in the environment, and an answer above 1 MiB
/// is refused. Clones share their connections.
#[derive(Debug, Clone)]
pub struct ReqwestTransport(reqwest::Client);

impl ReqwestTransport {
    /// Creates a transport for one API. The CA certificates are only loaded for `https`.
    ///
    /// # Errors
    ///
    /// Fails when TLS cannot be set up, mostly for want of the system's CA certificates.
    pub fn new(api: &ApiUrl, timeouts: Timeouts) -> Result<Self, BuildError> {
        let scheme = if api.is_https() { Scheme::HTTPS } else { Scheme::HTTP };
        Self::for_scheme(&scheme, timeouts)
    }

    /// Creates a transport for anything else that is called the same way. With `https` nothing
    /// goes unencrypted; CA certificates are loaded for nothing else.
    ///
    /// # Errors
    ///
    /// Fails when TLS cannot be set up, mostly for want of the system's CA certificates.
    pub fn for_scheme(scheme: &Scheme, timeouts: Timeouts) -> Result<Self, BuildError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(scheme).map_err(|error| BuildError::tls(&error))?)
            .https_only(*scheme == Scheme::HTTPS)
            .http1_only()
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.total)
            .build()
            .map_err(|error| BuildError(chain(&error)))?;
        Ok(Self(client))
    }

    /// Sends a request of which only the head of the answer matters. What follows it is not taken,
    /// however long it is and whether or not it comes whole.
    ///
    /// # Errors
    ///
    /// Fails when there is no answer. An answer of any status is a success.
    pub async fn send_for_head(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<()>, TransportError> {
        let (head, mut answer) = self.head(request).await?;
        let left_over = async {
            let mut left = LEFT_OVER;
            while let Ok(Some(chunk)) = answer.chunk().await {
                let Some(less) = left.checked_sub(chunk.len()) else { return };
                left = less;
            }
        };
        // Else the connection is closed with the answer.
        let _ = tokio::time::timeout(LEFT_OVER_TIME, left_over).await;
        Ok(head)
    }

    async fn head(
        &self,
        request: Request<Bytes>,
    ) -> Result<(Response<()>, reqwest::Response), TransportError> {
        let request = request.try_into().map_err(failed)?;
        let mut answer = self.0.execute(request).await.map_err(failed)?;
        let mut head = Response::new(());
        *head.status_mut() = answer.status();
        *head.version_mut() = answer.version();
        *head.headers_mut() = std::mem::take(answer.headers_mut());
        Ok((head, answer))
    }
}

impl Transport for ReqwestTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let (head, mut answer) = self.head(request).await?;
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if chunk.len() > MAX_ANSWER.saturating_sub(body.len()) {
                return Err(TransportError::answer_too_large(MAX_ANSWER));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(head.map(|()| body.freeze()))
    }

    fn pause(&self, duration: Duration) -> Option<impl Future<Output = ()> + Send> {
        Some(tokio::time::sleep(duration))
    }
}

/// A transport cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub struct BuildError(String);

impl BuildError {
    fn tls(error: &rustls::Error) -> Self {
        Self(format!(
            "TLS: {error}; install the system's CA certificates (mostly a package `ca-certificates`)"
        ))
    }
}

/// Makes the configuration of TLS, so that no provider need be installed for the whole process.
fn tls(scheme: &Scheme) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let verified = if *scheme == Scheme::HTTPS {
        versions.dangerous().with_custom_certificate_verifier(Arc::new(Verifier::new(provider)?))
    } else {
        // Nothing is encrypted on loopback: a machine without certificates can talk to an emulator.
        versions.with_root_certificates(RootCertStore::empty())
    };
    let mut config = verified.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn failed(error: reqwest::Error) -> TransportError {
    let timed_out = error.is_timeout();
    // The URL is told by whoever knows which part of it may be shown.
    let error = error.without_url();
    let message = chain(&error);
    let failed = if error.is_builder() {
        TransportError::unsendable(message)
    } else if error.is_connect() {
        TransportError::not_connected(message)
    } else {
        TransportError::no_answer(message)
    };
    if timed_out { failed.timed_out() } else { failed }
}

/// Tells an error and its causes; reqwest's own text says little.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
