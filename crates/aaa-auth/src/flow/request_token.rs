use jiff::Timestamp;
use secrecy::SecretString;
use subtle::ConstantTimeEq;
use url::Url;

use super::{Callback, CallbackError, Verifier};
use crate::{AnswerError, ApiUrl, Consumer, Exchange, Step, UserToken, form::Form, oauth1::Signer};

/// Begins the flow: asks for a request token.
///
/// The callback is signed and sent in the header. The nonce must be ASCII and differ between any
/// two requests of the same second.
pub fn request_token(
    api: &ApiUrl,
    consumer: &Consumer,
    callback: &Callback,
    nonce: &str,
    now: Timestamp,
) -> Exchange<RequestToken> {
    let step = Step::RequestToken;
    let url = api.join("/oauth/request_token", &[]);
    let signer = Signer::new(consumer).with_callback(callback.as_str());
    let out_of_band = callback.is_out_of_band();
    Exchange {
        step,
        authorization: signer.sign(&http::Method::POST, &url, &[], nonce, now),
        url,
        form: Vec::new(),
        secrets: vec![SecretString::from(consumer.secret.expose())],
        understand: Box::new(move |body| {
            let form = Form::parse(body);
            let token = token(&form)?;
            if form.one("oauth_callback_confirmed")? != Some("true") {
                return Err(AnswerError::NotConfirmed);
            }
            Ok(RequestToken { token, out_of_band })
        }),
    }
}

/// Reads a token and its secret, whether they are a user's or a request token.
pub(super) fn token(form: &Form) -> Result<UserToken, AnswerError> {
    let required = |name| form.one(name)?.ok_or(AnswerError::Missing(name));
    let token = required("oauth_token")?.parse()?;
    Ok(UserToken::new(token, required("oauth_token_secret")?.parse()?))
}

/// A request token: it names one user's way through the flow, and lives for minutes.
///
/// # Examples
///
/// A web server keeps it between the first step and the callback:
///
/// ```
/// use aaa_auth::{ApiUrl, UserToken, flow::{Callback, CallbackError, RequestToken}};
///
/// let callback: Callback = "https://example.com/callback".parse()?;
/// let kept = UserToken::new("r-1".parse()?, "hush".parse()?);
/// let request_token = RequestToken::new(kept, &callback);
/// assert_eq!(
///     request_token.authorize_url(&ApiUrl::X.parse()?).as_str(),
///     "https://api.x.com/oauth/authenticate?oauth_token=r-1",
/// );
///
/// let verifier = request_token.verifier("oauth_token=r-1&oauth_verifier=uw7N")?;
/// assert_eq!(verifier.expose(), "uw7N");
/// assert_eq!(request_token.verifier("denied=r-1").err(), Some(CallbackError::Denied));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct RequestToken {
    token: UserToken,
    out_of_band: bool,
}

impl RequestToken {
    /// Creates a request token that was kept, together with the callback it was asked for with.
    pub fn new(token: UserToken, callback: &Callback) -> Self {
        Self { token, out_of_band: callback.is_out_of_band() }
    }

    /// Returns the token and its secret.
    pub fn token(&self) -> &UserToken {
        &self.token
    }

    /// Says whether the user is shown a PIN instead of being sent to a callback.
    pub fn is_out_of_band(&self) -> bool {
        self.out_of_band
    }

    /// Returns the page on which the user gives permission. It is for this user only: whoever
    /// opens it gives permission for their own account.
    ///
    /// With a PIN it must be `/oauth/authorize`. Otherwise it is `/oauth/authenticate`, which
    /// sends a user who agreed before straight back.
    pub fn authorize_url(&self, api: &ApiUrl) -> Url {
        let path = if self.out_of_band { "/oauth/authorize" } else { "/oauth/authenticate" };
        let mut url = api.join(path, &[]);
        url.query_pairs_mut().append_pair("oauth_token", self.token.token.expose());
        url
    }

    /// Reads the query with which the user comes back to the callback. A question mark before it
    /// does no harm.
    ///
    /// # Errors
    ///
    /// Fails when the user did not agree, when the query belongs to another request token (a
    /// stranger may have sent it), and when it lacks something or has it twice.
    pub fn verifier(&self, query: &str) -> Result<Verifier, CallbackError> {
        let form = Form::parse(query.strip_prefix('?').unwrap_or(query).as_bytes());
        if let Some(denied) = form.one("denied")? {
            self.check(denied)?;
            return Err(CallbackError::Denied);
        }
        let required = |name| form.one(name)?.ok_or(CallbackError::Missing(name));
        self.check(required("oauth_token")?)?;
        required("oauth_verifier")?.parse().map_err(CallbackError::Verifier)
    }

    fn check(&self, token: &str) -> Result<(), CallbackError> {
        let same = self.token.token.expose().as_bytes().ct_eq(token.as_bytes());
        if same.into() { Ok(()) } else { Err(CallbackError::OtherToken) }
    }
}
