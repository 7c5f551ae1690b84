//! Sends stored deliveries somewhere else over HTTP.

use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aaa_client::{ReqwestTransport, Timeouts, TransportError};
use aaa_types::{ConsumerSecret, url::is_loopback};
use aaa_webhook::{
    consumer::{Failed, Sink, StoredDelivery},
    signature::{self, Signature},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header,
    uri::Scheme,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    credentials::Credentials,
    exit::{Exit, Failure},
};

/// The consumer that forwards, whatever the URL: with another URL it goes on where it was.
pub(crate) const CONSUMER: &str = "forward";

/// The app whose secret verified the delivery.
pub(crate) const APP: HeaderName = HeaderName::from_static("aaa-app");

/// The sequence numbers of the events that the delivery brought: one, or first and last.
pub(crate) const SEQ: HeaderName = HeaderName::from_static("aaa-seq");

/// How many events these are.
pub(crate) const COUNT: HeaderName = HeaderName::from_static("aaa-event-count");

/// Their keys, percent-encoded and separated by commas, unless they are too long together.
pub(crate) const KEYS: HeaderName = HeaderName::from_static("aaa-event-keys");

/// How long the keys may be together; servers take 8 KiB of headers at least.
const KEYS_LENGTH: usize = 4096;

/// What may stand in a header as it is, and is easily read.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b':').remove(b'/');

/// How long to wait for a connection and for an answer.
const TIMEOUTS: Timeouts =
    Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(20) };

/// Where to send deliveries: `http` or `https`, without user and password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ForwardUrl {
    uri: Uri,
    scheme: Scheme,
    shown: String,
    loopback: bool,
}

impl ForwardUrl {
    /// Returns what is called.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Returns how it is called.
    pub(crate) fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Says whether everybody on the way can read what is sent.
    pub(crate) fn is_open(&self) -> bool {
        self.scheme == Scheme::HTTP && !self.loopback
    }
}

impl FromStr for ForwardUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| "expected an absolute URL")?;
        let scheme = match url.scheme() {
            "http" => Scheme::HTTP,
            "https" => Scheme::HTTPS,
            _ => return Err("expected an http or https URL"),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL with a user or password would be shown to everybody");
        }
        if !url.has_host() {
            return Err("the URL has no host");
        }
        let loopback = is_loopback(&url);
        let mut sent = url.clone();
        sent.set_fragment(None);
        let uri = sent.as_str().parse().map_err(|_| "the URL cannot be called")?;
        // A query may hold a token.
        sent.set_query(None);
        let hidden = if url.query().is_some() { "?…" } else { "" };
        Ok(Self { uri, scheme, shown: format!("{sent}{hidden}"), loopback })
    }
}

impl fmt::Display for ForwardUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for ForwardUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForwardUrl({self})")
    }
}

/// Returns the secret that what is forwarded is signed with, if it is to be signed anew: from its
/// flag, or from X_FORWARD_SECRET.
///
/// # Errors
///
/// Fails when it is malformed.
pub(crate) fn secret(
    flag: Option<&SecretString>,
    credentials: &Credentials,
) -> Result<Option<ConsumerSecret>, Failure> {
    let flag = flag.map(|secret| secret.expose_secret().to_owned());
    let secret = flag.or_else(|| credentials.variable("X_FORWARD_SECRET"));
    let Some(secret) = secret.filter(|secret| !secret.is_empty()) else { return Ok(None) };
    secret.parse().map(Some).map_err(|error| Exit::Credentials.of("X_FORWARD_SECRET", error))
}

/// Posts deliveries to a URL: the raw body with X's signature, or one of our own.
#[derive(Clone)]
pub(crate) struct Forwarder {
    transport: ReqwestTransport,
    to: ForwardUrl,
    secret: Option<ConsumerSecret>,
    away: Arc<AtomicBool>,
}

impl Forwarder {
    /// Creates a forwarder. It connects when it sends.
    ///
    /// # Errors
    ///
    /// Fails when TLS cannot be set up.
    pub(crate) fn new(to: ForwardUrl, secret: Option<ConsumerSecret>) -> Result<Self, Failure> {
        let transport = ReqwestTransport::for_scheme(&to.scheme, TIMEOUTS)
            .map_err(|error| Exit::Failed.with(error.to_string()))?;
        Ok(Self { transport, to, secret, away: Arc::default() })
    }

    /// Posts a delivery, once. Of the answer only the head matters.
    ///
    /// # Errors
    ///
    /// Fails when no answer comes.
    pub(crate) async fn post(
        &self,
        delivery: &StoredDelivery,
    ) -> Result<Response<()>, TransportError> {
        let mut request = Request::new(delivery.body().clone());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.to.uri.clone();
        *request.headers_mut() = self.headers(delivery);
        self.transport.send_for_head(request).await
    }

    fn headers(&self, delivery: &StoredDelivery) -> HeaderMap {
        let signature = match &self.secret {
            Some(secret) => Signature::of(secret, delivery.body()).to_string(),
            None => delivery.signature().to_owned(),
        };
        let (first, last) = (delivery.first().seq, delivery.last().seq);
        let seq = if first == last { first.to_string() } else { format!("{first}-{last}") };
        let mut keys = String::new();
        for event in delivery.events() {
            let comma = if keys.is_empty() { "" } else { "," };
            keys.push_str(comma);
            keys.extend(utf8_percent_encode(&event.key, PLAIN));
            if keys.len() > KEYS_LENGTH {
                keys.clear();
                break;
            }
        }
        let texts = [
            (header::CONTENT_TYPE, "application/json".to_owned()),
            (header::USER_AGENT, concat!("aaa/", env!("CARGO_PKG_VERSION")).to_owned()),
            (signature::HEADER, signature),
            (APP, utf8_percent_encode(delivery.app(), PLAIN).to_string()),
            (SEQ, seq),
            (COUNT, delivery.events().len().to_string()),
            (KEYS, keys),
        ];
        let values = texts.into_iter().filter(|(_, text)| !text.is_empty());
        values.filter_map(|(name, text)| Some((name, HeaderValue::try_from(text).ok()?))).collect()
    }

    /// Tells of a downstream that goes away or comes back, once each.
    fn tell(&self, failed: Option<&Failed>) {
        let away = failed.is_some_and(Failed::is_unavailable);
        if self.away.swap(away, Ordering::Relaxed) == away {
            return;
        }
        match failed {
            Some(reason) => tracing::warn!(
                to = %self.to, %reason,
                "what is forwarded is not taken; it waits in the store and is sent again"
            ),
            None => tracing::info!(to = %self.to, "what is forwarded is taken again"),
        }
    }
}

impl Sink for Forwarder {
    async fn send(&self, delivery: StoredDelivery) -> Result<(), Failed> {
        let result = match self.post(&delivery).await {
            Ok(answer) => judge(&answer),
            Err(error) if error.is_retryable() => Err(Failed::unavailable(error)),
            Err(error) => Err(Failed::again(error)),
        };
        self.tell(result.as_ref().err());
        result
    }
}

/// Says what an answer means: 2xx is taken. Who is overloaded or broken is waited for, and what is
/// refused for another reason becomes a dead letter after some attempts.
fn judge(answer: &Response<()>) -> Result<(), Failed> {
    let status = answer.status();
    let reason = || format!("answered {}", told(status));
    if status.is_success() {
        Ok(())
    } else if status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
    {
        let failed = Failed::unavailable(reason());
        let after = answer.headers().get(header::RETRY_AFTER);
        let seconds = after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Err(match seconds {
            Some(seconds) => failed.not_before(Duration::from_secs(seconds)),
            None => failed,
        })
    } else {
        Err(Failed::again(reason()))
    }
}

/// Returns a status with its name.
pub(crate) fn told(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

#[cfg(test)]
mod tests;
