//! Reads a signature header that need not be well-formed.

use base64::{
    Engine as _,
    alphabet::STANDARD as DIGITS,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use percent_encoding::percent_decode_str;

use crate::signature::{HEADER, Signature};

/// What is wrong with a signature header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderFault {
    /// Nothing is in it.
    #[error("it is empty")]
    Empty,
    /// Several signatures.
    #[error("it holds more than one signature")]
    Several,
    /// `sha256=` is missing.
    #[error("`sha256=` is missing before the signature")]
    NoPrefix,
    /// `SHA256=`.
    #[error("`sha256=` is not in small letters")]
    PrefixCase,
    /// SHA-1, as other services sign.
    #[error("it holds a signature by SHA-1, which X does not make")]
    Sha1,
    /// Hexadecimal digits, as other services sign.
    #[error("the signature is in hexadecimal digits, X writes base64")]
    Hex,
    /// `-` and `_` for `+` and `/`.
    #[error("the signature is in the URL-safe alphabet of base64, with `-` and `_`")]
    UrlSafe,
    /// `%2B` for `+`.
    #[error("the signature is percent-encoded")]
    PercentEncoded,
    /// A space for `+`.
    #[error("the signature has spaces where a `+` was: something decoded it as a form")]
    PlusLost,
    /// Quotes around it.
    #[error("it is in quotes")]
    Quoted,
    /// `=` at the end is missing, or is there too often.
    #[error("the padding of the signature, one `=` at its end, is missing or there too often")]
    Padding,
    /// White space around it.
    #[error("there is white space around it")]
    Space,
    /// Not 32 bytes.
    #[error("it is cut off or too long: the signature does not have 32 bytes")]
    Length,
    /// Nothing that could be a signature.
    #[error("it is not `sha256=` and the base64 of 32 bytes")]
    NoBase64,
}

/// What was found in a header.
pub(super) struct Reading {
    /// The signature that it may have been, if there is one.
    pub(super) signature: Option<Signature>,
    /// What has to be repaired for that.
    pub(super) fault: Option<HeaderFault>,
}

/// Reads a header, or the whole line with its name.
pub(super) fn read(line: &str) -> Reading {
    let value = line.trim_end_matches(['\r', '\n']);
    let value = match value.split_once(':') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case(HEADER.as_str()) => {
            value.trim_start_matches(' ')
        }
        _ => value,
    };
    if let Ok(signature) = Signature::parse(value) {
        return Reading { signature: Some(signature), fault: None };
    }
    match repair(value) {
        Ok((signature, fault)) => Reading { signature: Some(signature), fault: Some(fault) },
        Err(fault) => Reading { signature: None, fault: Some(fault) },
    }
}

/// Undoes what is known to happen to headers, and names the first of it.
fn repair(value: &str) -> Result<(Signature, HeaderFault), HeaderFault> {
    let mut faults = Vec::new();
    let trimmed = value.trim();
    if trimmed.is_empty() {
        return Err(HeaderFault::Empty);
    }
    if trimmed != value {
        faults.push(HeaderFault::Space);
    }
    if trimmed.matches("sha256=").count() > 1 {
        return Err(HeaderFault::Several);
    }
    let plain = trimmed.trim_matches(['"', '\'', '`', '“', '”']);
    if plain != trimmed {
        faults.push(HeaderFault::Quoted);
    }
    let decoded = percent_decode_str(plain).decode_utf8_lossy();
    if decoded != plain {
        faults.push(HeaderFault::PercentEncoded);
    }
    let digits = match decoded.split_at_checked(7) {
        Some(("sha256=", digits)) => digits,
        Some((prefix, digits)) if prefix.eq_ignore_ascii_case("sha256=") => {
            faults.push(HeaderFault::PrefixCase);
            digits
        }
        _ if decoded.get(..5).is_some_and(|prefix| prefix.eq_ignore_ascii_case("sha1=")) => {
            return Err(HeaderFault::Sha1);
        }
        _ => {
            faults.push(HeaderFault::NoPrefix);
            &decoded
        }
    };
    let bytes = bytes(digits, &mut faults)?;
    match <[u8; 32]>::try_from(bytes) {
        Ok(bytes) => {
            let fault = faults.first().copied().unwrap_or(HeaderFault::NoBase64);
            Ok((Signature::from_bytes(bytes), fault))
        }
        Err(bytes) if bytes.len() == 20 => Err(HeaderFault::Sha1),
        Err(_) => Err(HeaderFault::Length),
    }
}

fn bytes(digits: &str, faults: &mut Vec<HeaderFault>) -> Result<Vec<u8>, HeaderFault> {
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit()) && digits.len() != 44 {
        faults.push(HeaderFault::Hex);
        return hex(digits).ok_or(HeaderFault::Length);
    }
    let mut digits = digits.to_owned();
    if digits.contains(' ') {
        faults.push(HeaderFault::PlusLost);
        digits = digits.replace(' ', "+");
    }
    if digits.contains(['-', '_']) {
        faults.push(HeaderFault::UrlSafe);
        digits = digits.replace('-', "+").replace('_', "/");
    }
    let bare = digits.trim_end_matches('=');
    if digits.len().abs_diff(bare.len()) != 1 {
        faults.push(HeaderFault::Padding);
    }
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true);
    // A cut-off text may end in the middle of a byte.
    let whole =
        if bare.len() % 4 == 1 { bare.get(..bare.len().saturating_sub(1)) } else { Some(bare) };
    let decoded = GeneralPurpose::new(&DIGITS, config).decode(whole.unwrap_or_default());
    decoded.map_err(|_| HeaderFault::NoBase64)
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
