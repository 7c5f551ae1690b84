//! Why a request was not answered 200, as a word for counting.

/// Why a request was not answered 200.
///
/// # Examples
///
/// ```
/// use aaa_webhook::receiver::Reason;
///
/// assert_eq!(Reason::WrongSignature.as_str(), "wrong_signature");
/// assert_eq!(Reason::WrongSignature.status(), 403);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// It comes from none of the allowed networks: 403.
    ForeignSource,
    /// Where it comes from cannot be told, though it matters: 403.
    UnclearSource,
    /// Nothing is at this path: 404.
    NoReceiver,
    /// A head that was not whole in time: 408.
    SlowHead,
    /// A head that is too large: 431.
    LargeHead,
    /// A head that is not HTTP: 400.
    MalformedHead,
    /// Neither GET nor POST: 405.
    Method,
    /// It is unclear where the body ends: 400.
    Framing,
    /// A `Content-Encoding`: 415.
    Encoded,
    /// A body that is too large: 413.
    TooLarge,
    /// A body that ended too soon: 400.
    Incomplete,
    /// A body that arrived too slowly: 408.
    SlowBody,
    /// Too many bodies at once: 503.
    NoRoom,
    /// A delivery without a signature: 401.
    MissingSignature,
    /// A delivery with a malformed signature, or with several: 401.
    MalformedSignature,
    /// A delivery that no configured secret signed: 403.
    WrongSignature,
    /// Signed, but not a JSON object: 400.
    NotADelivery,
    /// The inbox refused a verified delivery: 503.
    NotStored,
    /// A verified delivery was not stored in time: 503.
    Late,
    /// A check without the signature that is required, or with a malformed one: 401.
    CheckSignature,
    /// A check that no configured secret signed: 403.
    ForgedCheck,
    /// A token that is not answered: 400.
    CheckToken,
    /// An unsigned check on a path that several apps share: 503.
    AmbiguousCheck,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 23] = [
        Self::ForeignSource,
        Self::UnclearSource,
        Self::NoReceiver,
        Self::SlowHead,
        Self::LargeHead,
        Self::MalformedHead,
        Self::Method,
        Self::Framing,
        Self::Encoded,
        Self::TooLarge,
        Self::Incomplete,
        Self::SlowBody,
        Self::NoRoom,
        Self::MissingSignature,
        Self::MalformedSignature,
        Self::WrongSignature,
        Self::NotADelivery,
        Self::NotStored,
        Self::Late,
        Self::CheckSignature,
        Self::ForgedCheck,
        Self::CheckToken,
        Self::AmbiguousCheck,
    ];

    /// Returns the reason as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ForeignSource => "foreign_source",
            Self::UnclearSource => "unclear_source",
            Self::NoReceiver => "no_receiver",
            Self::SlowHead => "slow_head",
            Self::LargeHead => "large_head",
            Self::MalformedHead => "malformed_head",
            Self::Method => "method",
            Self::Framing => "framing",
            Self::Encoded => "encoded",
            Self::TooLarge => "too_large",
            Self::Incomplete => "incomplete",
            Self::SlowBody => "slow_body",
            Self::NoRoom => "no_room",
            Self::MissingSignature => "missing_signature",
            Self::MalformedSignature => "malformed_signature",
            Self::WrongSignature => "wrong_signature",
            Self::NotADelivery => "not_a_delivery",
            Self::NotStored => "not_stored",
            Self::Late => "late",
            Self::CheckSignature => "check_signature",
            Self::ForgedCheck => "forged_check",
            Self::CheckToken => "check_token",
            Self::AmbiguousCheck => "ambiguous_check",
        }
    }

    /// Returns the status of the answer.
    pub fn status(self) -> http::StatusCode {
        use http::StatusCode;
        match self {
            Self::NoReceiver => StatusCode::NOT_FOUND,
            Self::LargeHead => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SlowHead | Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::MalformedHead
            | Self::Framing
            | Self::Incomplete
            | Self::CheckToken
            | Self::NotADelivery => StatusCode::BAD_REQUEST,
            Self::MissingSignature | Self::MalformedSignature | Self::CheckSignature => {
                StatusCode::UNAUTHORIZED
            }
            Self::ForeignSource
            | Self::UnclearSource
            | Self::WrongSignature
            | Self::ForgedCheck => StatusCode::FORBIDDEN,
            Self::NoRoom | Self::NotStored | Self::Late | Self::AmbiguousCheck => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// Says whether bytes of the request are left unread, so that the connection cannot go on.
    pub(super) fn closes(self) -> bool {
        match self {
            Self::ForeignSource
            | Self::UnclearSource
            | Self::SlowHead
            | Self::LargeHead
            | Self::MalformedHead
            | Self::Framing
            | Self::Encoded
            | Self::TooLarge
            | Self::Incomplete
            | Self::SlowBody
            | Self::NoRoom
            | Self::MissingSignature
            | Self::MalformedSignature => true,
            Self::NoReceiver
            | Self::Method
            | Self::WrongSignature
            | Self::NotADelivery
            | Self::NotStored
            | Self::Late
            | Self::CheckSignature
            | Self::ForgedCheck
            | Self::CheckToken
            | Self::AmbiguousCheck => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_answers() {
        let table = Reason::ALL.map(|r| format!("{} {}", r.status().as_u16(), r.as_str()));
        insta::assert_snapshot!(table.join("\n"));
        for (at, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at, "the counters are in this order");
        }
    }
}
