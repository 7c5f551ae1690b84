//! The signature method HMAC-SHA1, over the current `hmac` and `sha1`.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac, digest::Key};
use oauth1_request::signature_method::{Sign, SignatureMethod};
use sha1::{Digest, Sha1};

use super::parameters::encode;

/// The name of the method in the header.
pub(super) const NAME: &str = "HMAC-SHA1";

/// Makes a [`HmacSha1Sign`] of the two secrets.
#[derive(Clone, Copy)]
pub(super) struct HmacSha1;

impl SignatureMethod for HmacSha1 {
    type Sign = HmacSha1Sign;

    fn sign_with(self, client_secret: &str, token_secret: Option<&str>) -> HmacSha1Sign {
        let token_secret = token_secret.unwrap_or_default();
        let key = format!("{}&{}", encode(client_secret), encode(token_secret));
        HmacSha1Sign(keyed(key.as_bytes()))
    }
}

/// Signs a base string that it is fed piece by piece.
pub(super) struct HmacSha1Sign(Hmac<Sha1>);

impl Sign for HmacSha1Sign {
    type Signature = Signature;

    fn get_signature_method_name(&self) -> &'static str {
        NAME
    }

    fn request_method(&mut self, method: &str) {
        self.0.update(method.as_bytes());
        self.0.update(b"&");
    }

    fn uri<T: fmt::Display>(&mut self, uri: T) {
        self.0.update(uri.to_string().as_bytes());
        self.0.update(b"&");
    }

    fn parameter<V: fmt::Display>(&mut self, key: &str, value: V) {
        self.0.update(key.as_bytes());
        self.0.update(b"%3D");
        self.0.update(value.to_string().as_bytes());
    }

    fn delimiter(&mut self) {
        self.0.update(b"%26");
    }

    fn end(self) -> Signature {
        Signature(STANDARD.encode(self.0.finalize().into_bytes()))
    }
}

/// A signature in base64. Its `Display` is percent-encoded, as a header needs it.
pub(super) struct Signature(String);

impl Signature {
    /// Returns the base64 text.
    pub(super) fn as_base64(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&encode(&self.0), f)
    }
}

/// Starts a MAC. A key longer than a block is hashed first, as HMAC defines it; done here, it
/// leaves no error that cannot happen.
fn keyed(key: &[u8]) -> Hmac<Sha1> {
    let mut block = Key::<Hmac<Sha1>>::default();
    let hash = Sha1::digest(key);
    let key = if key.len() > block.len() { &hash } else { key };
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    Hmac::new(&block)
}
