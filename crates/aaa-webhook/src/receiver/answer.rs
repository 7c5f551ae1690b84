//! What the receiver answers. A refusal knows its own status and its public words; neither ever
//! repeats what was sent.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER},
};
use http_body_util::Full;

use crate::{crc::CrcTokenError, delivery::Rejection, signature::SignatureError};

/// Why a request is not answered 200.
#[derive(Debug)]
pub(super) enum Refusal {
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
    fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::Framing
            | Self::Incomplete
            | Self::CheckToken(_)
            | Self::Rejected(Rejection::Body(_)) => StatusCode::BAD_REQUEST,
            Self::CheckSignature(_) | Self::Rejected(Rejection::Signature(_)) => {
                StatusCode::UNAUTHORIZED
            }
            Self::ForgedCheck | Self::Rejected(Rejection::WrongSignature) => StatusCode::FORBIDDEN,
            Self::NoRoom | Self::NotStored | Self::Late | Self::AmbiguousCheck => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    pub(super) fn words(&self) -> String {
        match self {
            Self::Method => "only GET and POST are answered".to_owned(),
            Self::Framing => "where the body ends is not clear".to_owned(),
            Self::Encoded => "a body with a Content-Encoding is not taken".to_owned(),
            Self::TooLarge(limit) => format!("the body is larger than {limit} bytes"),
            Self::Incomplete => "the body ended before it was whole".to_owned(),
            Self::SlowBody => "the body arrived too slowly".to_owned(),
            Self::NoRoom => "too many bodies are being read".to_owned(),
            Self::Rejected(rejection) => rejection.to_string(),
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

    /// Says whether bytes of the request are left unread, so that the connection cannot go on.
    fn closes(&self) -> bool {
        match self {
            Self::Framing
            | Self::Encoded
            | Self::TooLarge(_)
            | Self::Incomplete
            | Self::SlowBody
            | Self::NoRoom
            | Self::Rejected(Rejection::Signature(_)) => true,
            Self::Method
            | Self::Rejected(Rejection::WrongSignature | Rejection::Body(_))
            | Self::NotStored
            | Self::Late
            | Self::CheckSignature(_)
            | Self::ForgedCheck
            | Self::CheckToken(_)
            | Self::AmbiguousCheck => false,
        }
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut answer = plain(self.status(), self.words());
        let headers = answer.headers_mut();
        if matches!(self, Self::Method) {
            headers.insert(ALLOW, HeaderValue::from_static("GET, POST"));
        }
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.closes() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
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
