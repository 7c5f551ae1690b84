//! What is sent to the receiver, and what it answers.

use std::time::{Duration, Instant};

use aaa_client::{ReqwestTransport, Timeouts, Transport};
use aaa_types::ConsumerSecret;
use aaa_webhook::signature::{self, Signature};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header, uri::Scheme,
};
use jiff::Timestamp;
use url::Url;

use crate::exit::{Exit, Failure};

/// X waits ten seconds.
const TIMEOUTS: Timeouts =
    Timeouts { connect: Duration::from_secs(10), total: Duration::from_secs(10) };

/// How long X waits for the answer to a challenge in v1.1, and a good measure in v2, which waits
/// 10 s.
pub(super) const DEADLINE: Duration = Duration::from_secs(3);

/// A JSON list, and so no delivery: no receiver can store it. Whatever reads it as JSON and writes
/// it again changes a byte of it.
pub(super) const TRAP: &str = "[ {\"probe\" : \"aaa doctor\", \"a\":1.0, \"url\":\"https:\\/\\/x.com\\/\", \"text\":\"\\u00fc ü 😀\"} ]\n";

/// The same in such a way that it does not change.
pub(super) const PLAIN: &str = "[1]";

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) took: Duration,
    /// The local time when it had come.
    pub(super) at: Timestamp,
}

impl Answer {
    /// Returns a header that is text.
    pub(super) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Says whether another answer says the same.
    pub(super) fn says_as(&self, other: &Self) -> bool {
        self.status == other.status && self.body == other.body
    }
}

/// Why nothing was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unanswered {
    pub(super) words: String,
    pub(super) timed_out: bool,
}

pub(super) type Outcome = Result<Answer, Unanswered>;

/// How the challenges were answered.
#[derive(Debug, Clone)]
pub(super) struct Challenge {
    /// The token as it was sent, percent-encoded, and as it is to be signed.
    pub(super) encoded: String,
    pub(super) token: String,
    /// The check as X sends it, with a signature of its query where there is a secret.
    pub(super) check: Outcome,
    /// The same again, over the connection that is there.
    pub(super) again: Option<Outcome>,
    /// Without that signature, from a client that would take gzip.
    pub(super) unsigned: Option<Outcome>,
    /// Without a query.
    pub(super) bare: Option<Outcome>,
}

impl Challenge {
    /// Says whether asking for more makes sense.
    pub(super) fn is_answered(&self) -> bool {
        self.check.as_ref().is_ok_and(|answer| !answer.status.is_redirection())
    }
}

/// How the posts were answered.
#[derive(Debug, Clone)]
pub(super) struct Deliveries {
    /// [`TRAP`] with a signature of something else.
    pub(super) forged: Outcome,
    /// The same without a signature.
    pub(super) missing: Outcome,
    /// Signed, where there is a secret; and then [`PLAIN`], signed as well.
    pub(super) signed: Option<(Outcome, Outcome)>,
}

/// Sends probes to one URL.
pub(super) struct Probes {
    transport: ReqwestTransport,
    url: Url,
    secret: Option<ConsumerSecret>,
}

impl Probes {
    /// Prepares to send.
    ///
    /// # Errors
    ///
    /// Fails when TLS cannot be set up.
    pub(super) fn new(url: &Url, secret: Option<ConsumerSecret>) -> Result<Self, Failure> {
        let scheme = if url.scheme() == "https" { Scheme::HTTPS } else { Scheme::HTTP };
        let transport = ReqwestTransport::for_scheme(&scheme, TIMEOUTS);
        let transport = transport.map_err(|error| Exit::Failed.with(error.to_string()))?;
        Ok(Self { transport, url: url.clone(), secret })
    }

    /// Challenges the receiver as X does; asks further only when there was an answer.
    ///
    /// # Errors
    ///
    /// Fails when the URL cannot be called, and without random numbers.
    pub(super) async fn challenge(&self) -> Result<Challenge, Failure> {
        let token = token()?;
        let encoded = token.replace('+', "%2B").replace('/', "%2F");
        // X sends a nonce besides, and signs the query as it is sent.
        let query = format!("crc_token={encoded}&nonce={encoded}");
        let query = match self.url.query() {
            Some(own) => format!("{own}&{query}"),
            None => query,
        };
        let signed = self.signed(&query);
        let check = self.get(Some(&query), &signed).await?;
        let mut challenge =
            Challenge { encoded, token, check, again: None, unsigned: None, bare: None };
        // Who is too slow is not asked again: it is judged by that.
        if challenge.check.as_ref().is_ok_and(|answer| answer.took < DEADLINE) {
            challenge.again = Some(self.get(Some(&query), &signed).await?);
            let gzip = [(header::ACCEPT_ENCODING, "gzip, deflate, br".to_owned())];
            challenge.unsigned = Some(self.get(Some(&query), &gzip).await?);
            challenge.bare = Some(self.get(self.url.query(), &[]).await?);
        }
        Ok(challenge)
    }

    /// Posts what is no delivery, signed in different ways.
    ///
    /// # Errors
    ///
    /// Fails when the URL cannot be called.
    pub(super) async fn deliveries(&self) -> Result<Deliveries, Failure> {
        let other: ConsumerSecret = "not-the-secret-of-any-app"
            .parse()
            .map_err(|error| Exit::Failed.of("could not sign", error))?;
        let forged = Signature::of(&other, TRAP.as_bytes());
        let forged = self.post(TRAP, Some(forged)).await?;
        let missing = self.post(TRAP, None).await?;
        let signed = match &self.secret {
            Some(secret) => {
                let trap = self.post(TRAP, Some(Signature::of(secret, TRAP.as_bytes()))).await?;
                let plain = self.post(PLAIN, Some(Signature::of(secret, PLAIN.as_bytes()))).await?;
                Some((trap, plain))
            }
            None => None,
        };
        Ok(Deliveries { forged, missing, signed })
    }

    /// Returns the header with the signature of a query, where there is a secret.
    fn signed(&self, query: &str) -> Vec<(HeaderName, String)> {
        let signature = |secret| (signature::HEADER, Signature::of(secret, query.as_bytes()));
        let header = self.secret.as_ref().map(signature);
        header.map(|(name, signature)| (name, signature.to_string())).into_iter().collect()
    }

    async fn get(
        &self,
        query: Option<&str>,
        headers: &[(HeaderName, String)],
    ) -> Result<Outcome, Failure> {
        let mut url = self.url.clone();
        url.set_query(query);
        self.send(Method::GET, &url, headers, Bytes::new()).await
    }

    async fn post(
        &self,
        body: &'static str,
        signature: Option<Signature>,
    ) -> Result<Outcome, Failure> {
        let mut headers = vec![(header::CONTENT_TYPE, "application/json".to_owned())];
        headers.extend(signature.map(|signature| (signature::HEADER, signature.to_string())));
        self.send(Method::POST, &self.url, &headers, Bytes::from_static(body.as_bytes())).await
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: &[(HeaderName, String)],
        body: Bytes,
    ) -> Result<Outcome, Failure> {
        let failed =
            |error: &dyn std::fmt::Display| Exit::Failed.of("could not call the URL", error);
        let uri: Uri = url.as_str().parse().map_err(|error| failed(&error))?;
        let agent = concat!("aaa-doctor/", env!("CARGO_PKG_VERSION"));
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::USER_AGENT, agent)
            // Neither what is forged here nor what is signed says anything about X's secret.
            .header(signature::PROBE, "aaa")
            .header(header::ACCEPT, "*/*");
        for (name, value) in headers {
            let value = HeaderValue::try_from(value).map_err(|error| failed(&error))?;
            request = request.header(name, value);
        }
        let request = request.body(body).map_err(|error| failed(&error))?;
        let watch = Stopwatch::start();
        let answered = self.transport.send(request).await;
        let took = watch.elapsed();
        Ok(match answered {
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                let (status, headers) = (head.status, head.headers);
                Ok(Answer { status, headers, body, took, at: now() })
            }
            Err(error) => {
                Err(Unanswered { words: error.to_string(), timed_out: error.is_timeout() })
            }
        })
    }
}

/// Makes a token of base64, as X's are, in which everything occurs that a proxy may decode or
/// encode in another way.
fn token() -> Result<String, Failure> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = [0; 44];
    getrandom::fill(&mut bytes).map_err(|error| Exit::Failed.of("no random numbers", error))?;
    let digit = |byte: &u8| DIGITS.get(usize::from(byte % 64)).copied().unwrap_or(b'A');
    let random: String = bytes.iter().map(digit).map(char::from).collect();
    Ok(format!("A+/a{random}"))
}

#[expect(clippy::disallowed_methods, reason = "the edge: clocks are compared")]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

/// Measures how long something takes.
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "the edge: how long something takes is asked")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use aaa_types::event::Body;
    use aaa_webhook::crc::CrcToken;

    use super::*;

    #[test]
    fn what_is_posted_is_no_delivery() {
        for body in [TRAP, PLAIN] {
            assert!(Body::parse(body.as_bytes()).is_err());
            assert!(serde_json::from_str::<Vec<serde_json::Value>>(body).is_ok(), "{body}");
        }
        let read: serde_json::Value = serde_json::from_str(TRAP).unwrap();
        assert_ne!(serde_json::to_string(&read).unwrap(), TRAP.trim_end());
        let read: serde_json::Value = serde_json::from_str(PLAIN).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), PLAIN);
    }

    #[test]
    fn tokens_are_ones_that_are_answered() {
        let (one, other) = (token().unwrap(), token().unwrap());
        assert_ne!(one, other);
        assert!(CrcToken::parse(&one).is_ok() && one.len() == 48, "{one}");
    }
}
