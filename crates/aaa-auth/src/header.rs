//! Header values that must not be printed.

use http::HeaderValue;

/// Makes a sensitive header value of visible ASCII.
///
/// All callers pass percent-encoded text or a checked token, so the empty value is never made; if
/// it were, a request without credentials would be refused, which is the safe way to be wrong.
pub(crate) fn sensitive(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}
