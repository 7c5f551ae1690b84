//! What the receiver answers. A refusal knows its own status and its public words; neither ever
//! repeats what was sent.

use std::fmt;

use aaa_types::event::BodyError;
use axum::{Extension, response::IntoResponse};
use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER},
};
use http_body_util::Full;

use super::{Carried, Reason, Status};
use crate::{
    crc::CrcTokenError,
    delivery::{Acknowledged, Rejection},
    inbox::InboxError,
    networks::SourceError,
    signature::SignatureError,
};

/// Why a request is not answered 200.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "server"),
    allow(dead_code, reason = "what is wrong with a head, only the accept loop sees")
)]
pub(crate) enum Refusal {
    Source(Option<SourceError>),
    NoReceiver,
    SlowHead,
    LargeHead,
    MalformedHead,
    Method,
    Framing,
    Encoded,
    TooLarge(usize),
    Incomplete,
    SlowBody,
    NoRoom,
    Rejected(Rejection),
    NotStored,
    Late,
    CheckSignature(SignatureError),
    ForgedCheck,
    CheckToken(CrcTokenError),
    AmbiguousCheck,
}

impl Refusal {
    fn reason(&self) -> Reason {
        match self {
            Self::Source(Some(SourceError::Foreign { .. })) => Reason::ForeignSource,
            Self::Source(_) => Reason::UnclearSource,
            Self::NoReceiver => Reason::NoReceiver,
            Self::SlowHead => Reason::SlowHead,
            Self::LargeHead => Reason::LargeHead,
            Self::MalformedHead => Reason::MalformedHead,
            Self::Method => Reason::Method,
            Self::Framing => Reason::Framing,
            Self::Encoded => Reason::Encoded,
            Self::TooLarge(_) => Reason::TooLarge,
            Self::Incomplete => Reason::Incomplete,
            Self::SlowBody => Reason::SlowBody,
            Self::NoRoom => Reason::NoRoom,
            Self::Rejected(Rejection::Signature(SignatureError::Missing)) => {
                Reason::MissingSignature
            }
            Self::Rejected(Rejection::Signature(_)) => Reason::MalformedSignature,
            Self::Rejected(Rejection::WrongSignature) => Reason::WrongSignature,
            Self::Rejected(Rejection::Body(_)) => Reason::NotADelivery,
            Self::NotStored => Reason::NotStored,
            Self::Late => Reason::Late,
            Self::CheckSignature(_) => Reason::CheckSignature,
            Self::ForgedCheck => Reason::ForgedCheck,
            Self::CheckToken(_) => Reason::CheckToken,
            Self::AmbiguousCheck => Reason::AmbiguousCheck,
        }
    }

    fn words(&self) -> String {
        match self {
            // Neither the address nor what a proxy said is anybody's business.
            Self::Source(Some(SourceError::Foreign { .. })) => {
                "requests from this network are not taken".to_owned()
            }
            Self::Source(_) => "where the request comes from is not clear".to_owned(),
            Self::NoReceiver => "nothing is here".to_owned(),
            Self::SlowHead => "the head arrived too slowly".to_owned(),
            Self::LargeHead => "the head is too large".to_owned(),
            Self::MalformedHead => "the head cannot be read".to_owned(),
            Self::Method => "only GET and POST are answered".to_owned(),
            Self::Framing => "where the body ends is not clear".to_owned(),
            Self::Encoded => "a body with a Content-Encoding is not taken".to_owned(),
            Self::TooLarge(limit) => format!("the body is larger than {limit} bytes"),
            Self::Incomplete => "the body ended before it was whole".to_owned(),
            Self::SlowBody => "the body arrived too slowly".to_owned(),
            Self::NoRoom => "too many bodies are being read".to_owned(),
            // What to look at stands in the log: out here, only that it does not fit.
            Self::Rejected(Rejection::Signature(error)) => format!("not signed: {error}"),
            Self::Rejected(Rejection::WrongSignature) => {
                "the signature does not fit the body".to_owned()
            }
            Self::Rejected(Rejection::Body(BodyError::NotAnObject)) => {
                "signed, but not a JSON object".to_owned()
            }
            Self::Rejected(Rejection::Body(_)) => "signed, but not JSON in UTF-8".to_owned(),
            Self::NotStored => "the delivery could not be stored".to_owned(),
            Self::Late => "the delivery could not be stored in time".to_owned(),
            Self::CheckSignature(error) => error.to_string(),
            Self::ForgedCheck => "the check is not signed with a configured secret".to_owned(),
            Self::CheckToken(error) => error.to_string(),
            Self::AmbiguousCheck => {
                "several apps share this path, and the check is not signed".to_owned()
            }
        }
    }
}

/// A request that is not answered 200: it knows its answer, which repeats nothing of what was
/// sent. It was counted.
#[derive(Debug)]
pub struct Refused(Refusal);

impl Refused {
    /// The only way to one, so that each is counted, once.
    pub(super) fn new(refusal: Refusal, status: &Status) -> Self {
        status.answered(refusal.reason());
        Self(refusal)
    }

    /// Refuses a request for where it comes from. Anybody can cause this too; but X may be among
    /// them, if it sends from somewhere new or a proxy is not named.
    pub(super) fn elsewhere(source: Option<SourceError>, status: &Status) -> Self {
        let refusal = Refusal::Source(source);
        let count = status.count(refusal.reason()).wrapping_add(1);
        let why = match source {
            Some(source) => source.to_string(),
            None => "no address came with the request".to_owned(),
        };
        if count.is_power_of_two() {
            tracing::warn!(count, why, "a request was refused for where it comes from");
        } else {
            tracing::debug!(count, why, "a request was refused for where it comes from");
        }
        Self::new(refusal, status)
    }

    /// Refuses a body that was not read. Anybody can cause this, so only every power of two is a
    /// warning: it cannot flood the log.
    pub(super) fn unread(refusal: Refusal, status: &Status) -> Self {
        let count = status.unread();
        let refused = Self::new(refusal, status);
        if count.is_power_of_two() {
            tracing::warn!(count, why = %refused, "a body was not read");
        } else {
            tracing::debug!(count, why = %refused, "a body was not read");
        }
        refused
    }

    /// Returns why.
    pub fn reason(&self) -> Reason {
        self.0.reason()
    }

    /// Returns the answer.
    pub fn into_response(self) -> Response<Full<Bytes>> {
        let reason = self.reason();
        let mut answer = plain(reason.status(), self.0.words());
        let headers = answer.headers_mut();
        if reason == Reason::Method {
            headers.insert(ALLOW, HeaderValue::from_static("GET, POST"));
        }
        if reason.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if reason.closes() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if matches!(reason, Reason::NotStored | Reason::Late) {
            answer.extensions_mut().insert(Carried);
        }
        answer
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.words())
    }
}

impl std::error::Error for Refused {}

impl IntoResponse for Refused {
    fn into_response(self) -> axum::response::Response {
        Self::into_response(self).map(axum::body::Body::new)
    }
}

/// 200 and nothing more: X reads only the status.
impl IntoResponse for Acknowledged {
    fn into_response(self) -> axum::response::Response {
        let carried = self.brought_something().then_some(Extension(Carried));
        (carried, self.status()).into_response()
    }
}

/// 503, so that X sends the delivery again. What went wrong is not the caller's business.
impl IntoResponse for InboxError {
    fn into_response(self) -> axum::response::Response {
        let words = Refusal::NotStored.words();
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], words).into_response()
    }
}

/// Returns a short answer in plain text.
pub(super) fn plain(status: StatusCode, words: String) -> Response<Full<Bytes>> {
    with_type(status, words, "text/plain; charset=utf-8")
}

/// Returns the answer to a check.
pub(super) fn json(body: String) -> Response<Full<Bytes>> {
    with_type(StatusCode::OK, body, "application/json")
}

fn with_type(status: StatusCode, body: String, mime: &'static str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(mime));
    answer
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use http::HeaderMap;
    use http_body_util::BodyExt;
    use jiff::Timestamp;

    use super::*;
    use crate::{
        app::App,
        delivery::{Received, VerifiedDelivery},
        inbox::{Inbox, Receipt},
        networks::{ClientError, SourceError},
        signature::{HEADER, Signature},
    };

    fn all() -> Vec<Refusal> {
        let foreign = SourceError::Foreign { client: [192, 0, 2, 1].into() };
        let signature = |error| Refusal::Rejected(Rejection::Signature(error));
        let body = |error| Refusal::Rejected(Rejection::Body(error));
        vec![
            Refusal::Source(Some(foreign)),
            Refusal::Source(Some(SourceError::Unclear(ClientError::Missing))),
            Refusal::Source(None),
            Refusal::NoReceiver,
            Refusal::SlowHead,
            Refusal::LargeHead,
            Refusal::MalformedHead,
            Refusal::Method,
            Refusal::Framing,
            Refusal::Encoded,
            Refusal::TooLarge(1024),
            Refusal::Incomplete,
            Refusal::SlowBody,
            Refusal::NoRoom,
            signature(SignatureError::Missing),
            signature(SignatureError::Repeated),
            signature(SignatureError::Malformed),
            Refusal::Rejected(Rejection::WrongSignature),
            body(BodyError::NotAnObject),
            body(BodyError::NotJson { line: 7, column: 9 }),
            Refusal::NotStored,
            Refusal::Late,
            Refusal::CheckSignature(SignatureError::Missing),
            Refusal::CheckSignature(SignatureError::Repeated),
            Refusal::CheckSignature(SignatureError::Malformed),
            Refusal::ForgedCheck,
            Refusal::CheckToken(CrcTokenError::Missing),
            Refusal::CheckToken(CrcTokenError::Repeated),
            Refusal::CheckToken(CrcTokenError::Length),
            Refusal::CheckToken(CrcTokenError::Character),
            Refusal::CheckToken(CrcTokenError::Padding),
            Refusal::AmbiguousCheck,
        ]
    }

    /// As where the receiver answers itself: who delivers keeps the connection, who sends copies
    /// does not.
    #[tokio::test]
    async fn the_answer_of_a_handler_says_whether_anything_was_new() {
        struct Only(Receipt);
        impl Inbox for Only {
            async fn commit(&self, _: VerifiedDelivery) -> Result<Receipt, InboxError> {
                Ok(self.0)
            }
        }
        let app = App::new("main", "consumer-secret".parse().unwrap());
        let body = br#"{"for_user_id":"7","favorite_events":[{"id":"a"}]}"#.as_slice();
        let signature = Signature::of(app.active(), body).to_string();
        let headers = HeaderMap::from_iter([(HEADER, signature.parse().unwrap())]);
        let received = Received::new(body.into(), Timestamp::UNIX_EPOCH);
        let delivery = received.verify(&headers, &[app]).unwrap();
        for (stored, duplicates) in [(1, 0), (0, 1)] {
            let inbox = Only(Receipt { stored, duplicates });
            let done = delivery.clone().commit(&inbox).await.unwrap().acknowledge();
            let answer = done.into_response();
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.extensions().get::<Carried>().is_some(), stored > 0);
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "");
        }
    }

    /// Each reason has words of its own, short and the same every time, and is counted.
    #[tokio::test]
    async fn what_is_said_in_public() {
        let status = Status::default();
        let mut told = Vec::new();
        let mut counted = BTreeMap::new();
        for refusal in all() {
            let refused = Refused::new(refusal, &status);
            let reason = refused.reason();
            *counted.entry(reason.as_str()).or_insert(0) += 1;
            let answer = refused.into_response();
            assert_eq!(answer.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
            let words = answer.into_body().collect().await.unwrap().to_bytes();
            let words = String::from_utf8(words.into()).unwrap();
            assert!((1..100).contains(&words.len()) && !words.contains('\n'), "{words}");
            told.push(format!("{} {}: {words}", reason.status().as_u16(), reason.as_str()));
        }
        insta::assert_snapshot!(told.join("\n"));
        for (reason, count) in status.figures().refused {
            assert_eq!(counted.get(reason.as_str()), Some(&count), "{reason:?}");
        }
    }
}
