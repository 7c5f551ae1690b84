//! The signature of a delivery: HMAC-SHA256 over the raw bytes of the body.

use std::fmt;

use aaa_types::ConsumerSecret;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName};
use sha2::Sha256;

/// The header that carries a signature, on deliveries and on challenge-response checks.
pub const HEADER: HeaderName = HeaderName::from_static("x-twitter-webhooks-signature");

/// The header by which whoever looks at their own receiver says so, whatever its value.
///
/// Such a request is answered like any other, but it says nothing about the secret that X has: it
/// is signed with the one that its sender has, which may be as wrong as the receiver's. X sends no
/// such header, and it opens nothing: who adds it only gives up what a right signature would show,
/// or keeps a wrong one from raising doubts.
pub const PROBE: HeaderName = HeaderName::from_static("aaa-probe");

/// What a signature begins with.
const PREFIX: &str = "sha256=";

/// A signature: 32 bytes, written `sha256=` and their base64.
///
/// It has no `PartialEq`: [`Signature::verifies`] compares in constant time.
///
/// # Examples
///
/// ```
/// use aaa_webhook::signature::Signature;
///
/// let secret = "test".parse()?;
/// let signature = Signature::parse("sha256=YWHphPn/JFq43jkF0y4/w8R/SelmLjvpunhVFY8JhlI=")?;
/// assert!(signature.verifies(&secret, br#"{"test_number":1,"test_string":"two"}"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Signature([u8; 32]);

impl Signature {
    /// Signs bytes.
    pub fn of(secret: &ConsumerSecret, bytes: &[u8]) -> Self {
        Self(mac(secret, bytes).finalize().into_bytes().into())
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the text form, strictly: the prefix in lower case, then the canonical base64 of
    /// exactly 32 bytes, and nothing else.
    ///
    /// # Errors
    ///
    /// Fails when the text is anything else.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SignatureError::Malformed)?;
        // Decoded where it stands: 32 bytes, and what the decoder wants beyond them while it works.
        let mut bytes = [0; 48];
        match (STANDARD.decode_slice(encoded, &mut bytes), bytes.first_chunk()) {
            (Ok(32), Some(signature)) => Ok(Self(*signature)),
            _ => Err(SignatureError::Malformed),
        }
    }

    /// Takes the signature from the headers of a request.
    ///
    /// # Errors
    ///
    /// Fails when the header is missing, is there more than once, or is malformed.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, SignatureError> {
        let mut values = headers.get_all(HEADER).iter();
        match (values.next(), values.next()) {
            (None, _) => Err(SignatureError::Missing),
            (Some(value), None) => {
                Self::parse(value.to_str().map_err(|_| SignatureError::Malformed)?)
            }
            (Some(_), Some(_)) => Err(SignatureError::Repeated),
        }
    }

    /// Says whether this is the signature of `bytes` under `secret`, in constant time.
    pub fn verifies(&self, secret: &ConsumerSecret, bytes: &[u8]) -> bool {
        mac(secret, bytes).verify_slice(&self.0).is_ok()
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature([redacted])")
    }
}

fn mac(secret: &ConsumerSecret, bytes: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length, so the error cannot occur; an empty key would sign wrongly
    // and verify nothing that X sends.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()));
    mac.update(bytes);
    mac
}

/// A request carries no usable signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The header is not there.
    #[error("the header x-twitter-webhooks-signature is missing")]
    Missing,
    /// The header is there more than once.
    #[error("the header x-twitter-webhooks-signature is there more than once")]
    Repeated,
    /// The header does not hold `sha256=` and the base64 of 32 bytes.
    #[error("the header x-twitter-webhooks-signature is not `sha256=` and the base64 of 32 bytes")]
    Malformed,
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn check(secret: &str, message: &str, signature: &str) {
        let secret = secret.parse().unwrap();
        let expected = format!("sha256={signature}");
        assert_eq!(Signature::of(&secret, message.as_bytes()).to_string(), expected);
        assert!(Signature::parse(&expected).unwrap().verifies(&secret, message.as_bytes()));
    }

    /// A real capture of 2017, and the values of two public clients' tests.
    #[test]
    fn published_vectors() {
        check(
            "fccV6Z7YvZdPz0IPRUCVGzk7KDe9QfGtMdVHo3kgyIUwWCtPjW",
            "crc_token=OWY4ODQ2ZjgtNDljMC00NDY2LWJhMGQtYTE4NzQ0MTM2OGFi&nonce=MTQ4Nzk3OTc0NDI1MA",
            "Pi321ShXoGo6Gn5fuT5vlUU0uZbx1Gq/pSuUkope2Lo=",
        );
        check("test", "test=1&other_test=2", "25Cu3iwbbiqBTwQRzcKJZwisjf736V2Q8UaTlkfLSoc=");
        check(
            "test",
            r#"{"test_number":1,"test_string":"two"}"#,
            "YWHphPn/JFq43jkF0y4/w8R/SelmLjvpunhVFY8JhlI=",
        );
        check(
            "__APP_SECRET__",
            "crc_token=__TOKEN_FROM_TWITTER__&nonce=__NONCE__",
            "bsQqpx1cyheVTwyNGGPmTeY+SLC8YZIwOfr5Kcb2fQE=",
        );
    }

    #[test]
    fn malformed_texts() {
        let good = "25Cu3iwbbiqBTwQRzcKJZwisjf736V2Q8UaTlkfLSoc=";
        for bad in [
            String::new(),
            "sha256=".to_owned(),
            good.to_owned(),
            format!("SHA256={good}"),
            format!("sha1={good}"),
            format!(" sha256={good}"),
            format!("sha256={good} "),
            format!("sha256={good}="),
            format!("sha256={}", good.trim_end_matches('=')),
            format!("sha256={good},sha256={good}"),
            // The last digit before the padding has bits that no byte uses: not canonical.
            "sha256=25Cu3iwbbiqBTwQRzcKJZwisjf736V2Q8UaTlkfLSod=".to_owned(),
            // URL-safe alphabet.
            "sha256=Pi321ShXoGo6Gn5fuT5vlUU0uZbx1Gq_pSuUkope2Lo=".to_owned(),
            format!("sha256={}", STANDARD.encode([0; 31])),
            format!("sha256={}", STANDARD.encode([0; 33])),
        ] {
            assert_eq!(Signature::parse(&bad).unwrap_err(), SignatureError::Malformed, "{bad}");
        }
    }

    #[test]
    fn headers() {
        let mut headers = HeaderMap::new();
        assert_eq!(Signature::from_headers(&headers).unwrap_err(), SignatureError::Missing);
        headers.append(HEADER, HeaderValue::from_bytes(b"sha256=\xff").unwrap());
        assert_eq!(Signature::from_headers(&headers).unwrap_err(), SignatureError::Malformed);
        let value = Signature([7; 32]).to_string();
        headers.insert(HEADER, value.parse().unwrap());
        assert_eq!(Signature::from_headers(&headers).unwrap().to_string(), value);
        headers.append(HEADER, value.parse().unwrap());
        assert_eq!(Signature::from_headers(&headers).unwrap_err(), SignatureError::Repeated);
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Signature([7; 32])), "Signature([redacted])");
    }

    proptest! {
        #[test]
        fn any_changed_byte_fails(secret in "[!-~]{1,80}", body: Vec<u8>, at: prop::sample::Index, bit in 0..8_u8) {
            let secret = secret.parse().unwrap();
            let signature = Signature::of(&secret, &body);
            prop_assert!(signature.verifies(&secret, &body));
            let mut changed = signature;
            changed.0[at.index(32)] ^= 1 << bit;
            prop_assert!(!changed.verifies(&secret, &body));
            if !body.is_empty() {
                let mut other = body.clone();
                other[at.index(body.len())] ^= 1 << bit;
                prop_assert!(!signature.verifies(&secret, &other));
            }
        }

        #[test]
        fn text_round_trip(bytes: [u8; 32]) {
            let text = Signature(bytes).to_string();
            prop_assert_eq!(Signature::parse(&text).unwrap().0, bytes);
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".*") {
            let _ = Signature::parse(&text);
        }
    }
}
