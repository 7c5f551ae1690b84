//! Signatures of deliveries and of requests.

use std::error::Error;

use aaa_auth::{Consumer, UserToken, oauth1::Signer};
use aaa_types::ConsumerSecret;
use aaa_webhook::signature::Signature;
use hmac::{Hmac, KeyInit, Mac, digest::InvalidLength};
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use sha1::Sha1;
use sha2::Sha256;
use url::Url;

/// Reads the signature of a delivery from its headers and verifies it.
pub fn verify(headers: &HeaderMap, secret: &ConsumerSecret, body: &[u8]) -> bool {
    Signature::from_headers(headers).is_ok_and(|signature| signature.verifies(secret, body))
}

/// Makes the bare code that a signature is verified with.
///
/// # Errors
///
/// Never fails: the key may have any length.
pub fn hmac_sha256(secret: &[u8], bytes: &[u8]) -> Result<[u8; 32], InvalidLength> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret)?;
    mac.update(bytes);
    Ok(mac.finalize().into_bytes().into())
}

/// A request to sign, with everything that the signature needs.
#[derive(Debug)]
pub struct Request {
    consumer: Consumer,
    token: UserToken,
    url: Url,
    now: Timestamp,
}

impl Request {
    /// Creates the registration of a webhook, by way of v1.1: a signed query.
    ///
    /// # Errors
    ///
    /// Never fails: the texts are valid.
    pub fn registration() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            consumer: Consumer::new(
                "xvz1evFS4wEEPTGEFPHBog".parse()?,
                "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw".parse()?,
            ),
            token: UserToken::new(
                "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb".parse()?,
                "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE".parse()?,
            ),
            url: Url::parse(
                "https://api.x.com/1.1/account_activity/all/prod/webhooks.json\
                 ?url=https%3A%2F%2Fexample.com%2Fwebhooks%2Ftwitter",
            )?,
            now: Timestamp::from_second(1_318_622_958)?,
        })
    }

    /// Signs it and returns the value of its `Authorization` header.
    pub fn sign(&self) -> HeaderValue {
        let signer = Signer::new(&self.consumer).with_token(&self.token);
        signer.sign(&Method::POST, &self.url, &[], NONCE, self.now)
    }
}

const NONCE: &str = "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg";

/// The key that [`Request::registration`] is signed with: both secrets.
pub const KEY: &str = "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw&\
                       LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE";

/// The text that is signed of [`Request::registration`].
pub const BASE_STRING: &str = "POST&\
    https%3A%2F%2Fapi.x.com%2F1.1%2Faccount_activity%2Fall%2Fprod%2Fwebhooks.json&\
    oauth_consumer_key%3Dxvz1evFS4wEEPTGEFPHBog%26\
    oauth_nonce%3DkYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg%26\
    oauth_signature_method%3DHMAC-SHA1%26\
    oauth_timestamp%3D1318622958%26\
    oauth_token%3D370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb%26\
    oauth_version%3D1.0%26\
    url%3Dhttps%253A%252F%252Fexample.com%252Fwebhooks%252Ftwitter";

/// Makes the bare code that a request is signed with.
///
/// # Errors
///
/// Never fails: the key may have any length.
pub fn hmac_sha1(key: &[u8], bytes: &[u8]) -> Result<[u8; 20], InvalidLength> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key)?;
    mac.update(bytes);
    Ok(mac.finalize().into_bytes().into())
}
