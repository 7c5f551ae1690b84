//! Verifying a signature.

use aaa_types::{AccessTokenSecret, ConsumerSecret};
use http::Method;
use subtle::ConstantTimeEq;
use url::Url;

use super::{Authorization, hmac_sha1::HmacSha1, parameters::Parameters};

impl Authorization {
    /// Verifies the signature of the request that brought this header.
    ///
    /// `url` is the whole URL the client called, with the host it named and the query; `form` the
    /// decoded parameters of a form body. The secrets are those that belong to
    /// [`Authorization::consumer_key`] and [`Authorization::token`]. Signatures are compared in
    /// constant time.
    ///
    /// A signature that is right can still be an old one:
    /// [`NonceCache::check`](super::NonceCache::check) is the second half.
    ///
    /// # Errors
    ///
    /// Fails when the signature is not the one the secrets make, or when a protocol parameter of
    /// the header is in the query or in the form as well.
    pub fn verify(
        &self,
        method: &Method,
        url: &Url,
        form: &[(&str, &str)],
        consumer_secret: &ConsumerSecret,
        token_secret: Option<&AccessTokenSecret>,
    ) -> Result<(), VerifyError> {
        let parameters = Parameters::collect(url, form, self.parameters());
        if let Some(name) = parameters.duplicate_protocol_parameter() {
            return Err(VerifyError::Duplicate(name.chars().take(40).collect()));
        }
        if parameters.contains("oauth_signature") {
            return Err(VerifyError::Duplicate("oauth_signature".to_owned()));
        }
        let secrets = (consumer_secret.expose(), token_secret.map(AccessTokenSecret::expose));
        let expected = parameters.sign(method, url, HmacSha1, secrets);
        let same = expected.as_base64().as_bytes().ct_eq(self.signature().as_bytes());
        if same.into() { Ok(()) } else { Err(VerifyError::Signature) }
    }
}

/// A request is not what the owner of the secrets signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Another signature was expected.
    #[error(
        "the signature is wrong: a secret, the method, the host, the path or a parameter differs \
         from what was signed"
    )]
    Signature,
    /// A protocol parameter is there twice, so that nobody can say which was meant.
    #[error("the request has the parameter `{0}` twice")]
    Duplicate(String),
}
