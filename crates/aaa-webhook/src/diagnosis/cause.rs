use std::fmt;

use aaa_types::event::{Body, BodyError};

use super::{Change, HeaderFault};

/// Why a signature is not right.
///
/// `Display` says what happened; neither a secret nor a signature is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The header is malformed.
    Header {
        /// In which way.
        fault: HeaderFault,
        /// Whether the signature is right once that is repaired.
        else_right: bool,
    },
    /// Another secret made it, over just this body.
    Secret {
        /// Which one.
        name: String,
    },
    /// The body was changed; undone, the signature is right.
    Body {
        /// What was done to it.
        changes: Vec<Change>,
    },
    /// The body is empty.
    Empty,
    /// The body is compressed.
    Compressed,
    /// The body is not as long as was announced.
    Length {
        /// What was announced, in bytes.
        announced: u64,
        /// What was saved.
        saved: u64,
    },
    /// The JSON of the body ends before it is whole.
    CutOff,
    /// The body is no UTF-8, as JSON has to be.
    NotUtf8,
    /// The body looks as if a JSON library had written it again.
    Rewritten,
    /// A secret looks like another kind of credential.
    Shape {
        /// What the secret is called.
        name: String,
        /// What it looks like.
        like: &'static str,
    },
    /// Nothing that is known.
    Unknown,
}

impl Cause {
    pub(super) fn header(fault: HeaderFault, else_right: bool) -> Self {
        Self::Header { fault, else_right }
    }

    /// Says whether the signature is right without this cause; otherwise it is a hint.
    pub fn is_proved(&self) -> bool {
        matches!(
            self,
            Self::Header { else_right: true, .. } | Self::Secret { .. } | Self::Body { .. }
        )
    }

    /// Returns the cause as one word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Header { .. } => "header",
            Self::Secret { .. } => "secret",
            Self::Body { .. } => "body",
            Self::Empty => "empty",
            Self::Compressed => "compressed",
            Self::Length { .. } => "length",
            Self::CutOff => "cut_off",
            Self::NotUtf8 => "not_utf8",
            Self::Rewritten => "rewritten",
            Self::Shape { .. } => "secret_shape",
            Self::Unknown => "unknown",
        }
    }

    /// Says what to do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::Header { fault: HeaderFault::Sha1 | HeaderFault::Hex, .. } => {
                "look whether it is X that calls: other services sign so".to_owned()
            }
            Self::Header { fault: HeaderFault::Empty, .. } => {
                "save the value of x-twitter-webhooks-signature; if X's requests have none, \
                 something in front of the receiver removes it"
                    .to_owned()
            }
            Self::Header { .. } => {
                "hand on the value of x-twitter-webhooks-signature as it came".to_owned()
            }
            Self::Secret { name } => format!(
                "the value of {name} is the app's consumer secret (API secret key): put it where \
                 that belongs"
            ),
            Self::Body { changes } if changes.iter().all(|change| is_of_saving(*change)) => {
                "if only the saved file has it, save the raw bytes and look again; else find what \
                 adds it before the signature is verified"
                    .to_owned()
            }
            Self::Body { .. } | Self::Rewritten => {
                "verify the raw bytes of the request, before anything parses them: JSON that is \
                 written again is never the same, the order of its members included"
                    .to_owned()
            }
            Self::Empty => {
                "save the body before anything reads it: a stream is read once".to_owned()
            }
            Self::Compressed => {
                "X does not compress: find what in front of the receiver does, and turn it off"
                    .to_owned()
            }
            Self::Length { .. } | Self::CutOff => {
                "read the body to its end: raise the limit of whatever stands in front, and look \
                 for time-outs"
                    .to_owned()
            }
            Self::NotUtf8 => "keep the body as bytes, not as text".to_owned(),
            Self::Shape { .. } => {
                "compare it with the consumer secret (API secret key) in X's developer portal"
                    .to_owned()
            }
            Self::Unknown => "compare the secret with the consumer secret (API secret key) of \
                 this app in X's developer portal; after a rotation set the previous one too; and \
                 save the raw bytes of the body"
                .to_owned(),
        }
    }
}

/// What an editor or a shell does to a file.
fn is_of_saving(change: Change) -> bool {
    matches!(change, Change::LineEnd | Change::Around | Change::NoLineEnd | Change::ByteOrderMark)
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { fault, else_right } => {
                let rest = if *else_right { "; the signature itself is right" } else { "" };
                write!(f, "the header is malformed: {fault}{rest}")
            }
            Self::Secret { name } => {
                write!(f, "the signature was made with what is set as {name}")
            }
            Self::Body { changes } => {
                f.write_str("the body was changed: ")?;
                for (at, change) in changes.iter().enumerate() {
                    write!(f, "{}{change}", if at == 0 { "" } else { ", and " })?;
                }
                Ok(())
            }
            Self::Empty => f.write_str("the body is empty"),
            Self::Compressed => f.write_str("the body is compressed with gzip or zlib"),
            Self::Length { announced, saved } => {
                write!(f, "the body has {saved} bytes, its Content-Length said {announced}")
            }
            Self::CutOff => f.write_str("the body ends before its JSON is whole"),
            Self::NotUtf8 => {
                f.write_str("the body is not UTF-8: it was decoded or encoded on its way")
            }
            Self::Rewritten => f.write_str(
                "the body does not look as X writes it: a JSON library may have written it again",
            ),
            Self::Shape { name, like } => write!(f, "{name} looks like {like}"),
            Self::Unknown => f.write_str(
                "none of the secrets made the signature over these bytes: the secret is another \
                 app's or an old one, or the bytes were changed in a way that cannot be undone",
            ),
        }
    }
}

/// What is seen of a body that could not be made to fit.
pub(super) fn hints(body: &[u8], announced: Option<u64>) -> Vec<Cause> {
    let saved = body.len() as u64;
    let length = announced.filter(|announced| *announced != saved);
    let mut hints: Vec<_> =
        length.map(|announced| Cause::Length { announced, saved }).into_iter().collect();
    if body.is_empty() {
        hints.push(Cause::Empty);
    } else if body.starts_with(&[0x1f, 0x8b]) || is_zlib(body) {
        hints.push(Cause::Compressed);
    } else if let Ok(text) = std::str::from_utf8(body) {
        let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err();
        if error.is_some_and(|error| error.is_eof()) {
            hints.push(Cause::CutOff);
        } else if looks_rewritten(text) {
            hints.push(Cause::Rewritten);
        }
    } else {
        hints.push(Cause::NotUtf8);
    }
    hints
}

/// The two bytes that zlib begins with, for the usual window.
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..])
}

/// X writes no white space, and a slash with a backslash before it.
fn looks_rewritten(text: &str) -> bool {
    let delivery = !matches!(Body::parse(text.as_bytes()), Err(BodyError::NotAnObject));
    delivery && (text.contains("://") || text.contains("\": ") || text.contains("\n "))
}

/// Says what else a secret may be; by its length only, so it is no more than a hint.
pub(super) fn shape(name: &str, secret: &str) -> Option<Cause> {
    let like = match secret.len() {
        25 => "a consumer key (API key): X's have 25 characters, a consumer secret has 50",
        45 => "an access token secret: X's have 45 characters, a consumer secret has 50",
        _ if secret.starts_with("AAAAAAAA") => "a bearer token: it begins with AAAAAAAA",
        _ if secret.contains('-') && secret.starts_with(|c: char| c.is_ascii_digit()) => {
            "an access token: it begins with a user's id and a hyphen"
        }
        50 if secret.contains(['-', '_']) => {
            "an OAuth 2.0 client secret: a consumer secret has letters and digits only"
        }
        _ => return None,
    };
    Some(Cause::Shape { name: name.to_owned(), like })
}
