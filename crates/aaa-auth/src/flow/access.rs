use aaa_types::UserId;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::{RequestToken, Verifier, request_token::token};
use crate::{ApiUrl, Consumer, Exchange, Step, UserToken, form::Form, oauth1::Signer};

/// Ends the flow: exchanges the verifier, or PIN, for the user's token.
///
/// Signed with the request token's secret. The verifier goes into the body, as a form; X takes
/// it in the query as well, as one of its pages has it, and the signature is the same.
pub fn access_token(
    api: &ApiUrl,
    consumer: &Consumer,
    request_token: &RequestToken,
    verifier: &Verifier,
    nonce: &str,
    now: Timestamp,
) -> Exchange<Access> {
    let url = api.join("/oauth/access_token", &[]);
    let signed = [("oauth_verifier", verifier.expose())];
    let signer = Signer::new(consumer).with_token(request_token.token());
    let UserToken { token: key, secret } = request_token.token();
    let secrets = [consumer.secret.expose(), key.expose(), secret.expose(), verifier.expose()];
    let secrets = secrets.map(SecretString::from);
    let sent = secrets.clone();
    Exchange {
        step: Step::AccessToken,
        authorization: signer.sign(&http::Method::POST, &url, &signed, nonce, now),
        url,
        form: vec![("oauth_verifier", verifier.expose().to_owned())],
        secrets: secrets.into(),
        understand: Box::new(move |body| {
            let form = Form::parse(body);
            // Names are shown; one that repeats what was sent is none.
            let repeats =
                |name: &str| sent.iter().any(|secret| name.contains(secret.expose_secret()));
            let screen_name = form.one("screen_name")?;
            let screen_name = screen_name.filter(|name| !name.is_empty() && !repeats(name));
            Ok(Access {
                token: token(&form)?,
                // The verifier is spent: a token must not be lost for an id that nobody needs.
                user_id: form.one("user_id")?.and_then(|id| id.parse().ok()),
                screen_name: screen_name.map(str::to_owned),
            })
        }),
    }
}

/// What the flow ends with: a user's token, and mostly who they are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Access {
    /// The token. It works until the user or the app revokes it.
    pub token: UserToken,
    /// The user, when X says.
    pub user_id: Option<UserId>,
    /// His name at this moment, without `@`, when X says. Users change it.
    pub screen_name: Option<String>,
}
