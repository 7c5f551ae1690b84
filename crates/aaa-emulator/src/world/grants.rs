//! Who gave the app permission, and the tokens on the way there. All of them come from the seed:
//! they protect nothing.

use std::collections::HashMap;

use aaa_types::UserId;
use jiff::{SignedDuration, Timestamp};

use super::World;
use crate::{
    control::{SavedDecision, SavedGrants, SavedRequest},
    credentials,
};

/// How long a request token is good for. X does not say; its pages speak of minutes.
const LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// What is under way.
#[derive(Debug)]
pub(super) struct Grants {
    requests: HashMap<String, Request>,
    /// Which bearer token is the one; none after one was invalidated.
    bearer: Option<u64>,
    bearers: u64,
}

#[derive(Debug)]
struct Request {
    secret: String,
    callback: String,
    form_token: String,
    expires: Timestamp,
    state: State,
}

#[derive(Debug)]
enum State {
    Open,
    /// A user agreed.
    Granted {
        user: UserId,
        verifier: String,
    },
    Denied,
}

/// A request token, with which the three-legged flow begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestGrant {
    /// The token.
    pub token: String,
    /// Its secret, which signs the exchange for the user's token.
    pub secret: String,
}

/// What the page shows that asks a user for permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Where the user goes from there; `oob` if they are shown a PIN.
    pub callback: String,
    /// What the page's form must bring back, so that nobody else's page can send it.
    pub form_token: String,
}

/// What a user decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// This user gives permission.
    Approve(UserId),
    /// Nobody does.
    Deny,
}

/// Where a decision leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Where the user goes from here; `oob` if nowhere.
    pub callback: String,
    /// The proof that they agreed, if they did: a PIN of 7 digits where there is no callback.
    pub verifier: Option<String>,
}

/// Permission was not given, or not to who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// The callback is no URL that a user can be sent to.
    #[error("the callback is neither `oob` nor an absolute URL")]
    Callback,
    /// There is no such request token, or not any more.
    #[error("the request token is unknown, expired or used")]
    Token,
    /// The form does not come from the page.
    #[error("the form does not come from the page that asks for permission")]
    Form,
    /// Nobody of that id can give permission.
    #[error("there is no user {0}: users are 1 to {max}", max = credentials::MAX_USER)]
    User(UserId),
    /// The verifier is wrong, or the user has not agreed.
    #[error("the verifier is wrong")]
    Verifier,
}

impl Grants {
    pub(super) fn new() -> Self {
        Self { requests: HashMap::new(), bearer: Some(1), bearers: 1 }
    }

    pub(super) fn saved(&self) -> SavedGrants {
        let requests = self.requests.iter().map(|(token, request)| SavedRequest {
            token: token.clone(),
            secret: request.secret.clone(),
            callback: request.callback.clone(),
            form_token: request.form_token.clone(),
            expires: request.expires,
            decision: match &request.state {
                State::Open => None,
                State::Granted { user, verifier } => {
                    Some(SavedDecision::Granted { user_id: *user, verifier: verifier.clone() })
                }
                State::Denied => Some(SavedDecision::Denied),
            },
        });
        let mut requests: Vec<_> = requests.collect();
        requests.sort_unstable_by(|a, b| a.token.cmp(&b.token));
        SavedGrants { requests, bearer: self.bearer, bearers: self.bearers }
    }

    pub(super) fn restored(saved: SavedGrants) -> Self {
        let requests = saved.requests.into_iter().map(|request| {
            let state = match request.decision {
                None => State::Open,
                Some(SavedDecision::Granted { user_id, verifier }) => {
                    State::Granted { user: user_id, verifier }
                }
                Some(SavedDecision::Denied) => State::Denied,
            };
            let SavedRequest { token, secret, callback, form_token, expires, .. } = request;
            (token, Request { secret, callback, form_token, expires, state })
        });
        Self { requests: requests.collect(), bearer: saved.bearer, bearers: saved.bearers }
    }
}

impl World {
    /// Begins the three-legged flow.
    ///
    /// # Errors
    ///
    /// Refuses callbacks that are neither `oob` nor an absolute URL of a scheme that leads
    /// somewhere.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_emulator::{settings::Settings, world::{Decision, World}};
    ///
    /// let now = "2025-11-22T04:00:00Z".parse()?;
    /// let mut world = World::new(Settings::default(), now);
    /// let request = world.request_token("oob", now)?;
    /// let form = world.consent(&request.token, now)?.form_token;
    /// let decided = world.decide(&request.token, &form, Decision::Approve("7".parse()?), now)?;
    /// let pin = decided.verifier.unwrap_or_default();
    /// assert_eq!(pin.len(), 7);
    /// assert_eq!(world.access_token(&request.token, &pin, now)?.as_u64(), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn request_token(
        &mut self,
        callback: &str,
        now: Timestamp,
    ) -> Result<RequestGrant, GrantError> {
        self.observe(now);
        if !is_callback(callback) {
            return Err(GrantError::Callback);
        }
        let now = self.now;
        self.grants.requests.retain(|_, request| request.expires > now);
        let (token, secret) = (self.random.text(27), self.random.text(32));
        let request = Request {
            secret: secret.clone(),
            callback: callback.to_owned(),
            form_token: self.random.text(32),
            expires: now.saturating_add(LIFETIME).unwrap_or(now),
            state: State::Open,
        };
        self.grants.requests.insert(token.clone(), request);
        Ok(RequestGrant { token, secret })
    }

    /// Returns what the page shows that asks for permission.
    ///
    /// # Errors
    ///
    /// Refuses unknown request tokens, and those that were decided on.
    pub fn consent(&self, token: &str, now: Timestamp) -> Result<Consent, GrantError> {
        let request = self.request(token, now)?;
        match request.state {
            State::Open => Ok(Consent {
                callback: request.callback.clone(),
                form_token: request.form_token.clone(),
            }),
            State::Granted { .. } | State::Denied => Err(GrantError::Token),
        }
    }

    /// Takes what a user decided.
    ///
    /// # Errors
    ///
    /// Refuses unknown request tokens and those that were decided on, forms of other pages, and
    /// users that there are not.
    pub fn decide(
        &mut self,
        token: &str,
        form_token: &str,
        decision: Decision,
        now: Timestamp,
    ) -> Result<Decided, GrantError> {
        self.observe(now);
        let Consent { callback, form_token: expected } = self.consent(token, self.now)?;
        if form_token != expected {
            return Err(GrantError::Form);
        }
        let state = match decision {
            Decision::Approve(user) if !is_user(user) => return Err(GrantError::User(user)),
            Decision::Approve(user) if callback == OUT_OF_BAND => {
                State::Granted { user, verifier: self.random.digits() }
            }
            Decision::Approve(user) => State::Granted { user, verifier: self.random.text(32) },
            Decision::Deny => State::Denied,
        };
        let verifier = match &state {
            State::Granted { verifier, .. } => Some(verifier.clone()),
            State::Open | State::Denied => None,
        };
        if let Some(request) = self.grants.requests.get_mut(token) {
            request.state = state;
        }
        Ok(Decided { callback, verifier })
    }

    /// Returns the secret of a request token, while it is good.
    pub fn request_secret(&self, token: &str, now: Timestamp) -> Option<&str> {
        self.request(token, now).ok().map(|request| request.secret.as_str())
    }

    /// Ends the three-legged flow: says which user gave permission. It works once.
    ///
    /// # Errors
    ///
    /// Refuses unknown request tokens, wrong verifiers, and where nobody agreed.
    pub fn access_token(
        &mut self,
        token: &str,
        verifier: &str,
        now: Timestamp,
    ) -> Result<UserId, GrantError> {
        self.observe(now);
        match &self.request(token, self.now)?.state {
            State::Granted { user, verifier: right } if right == verifier => {
                let user = *user;
                self.grants.requests.remove(token);
                Ok(user)
            }
            _ => Err(GrantError::Verifier),
        }
    }

    /// Returns the app's bearer token: the same until it is invalidated, then another.
    pub fn bearer_token(&mut self) -> String {
        let serial = *self.grants.bearer.get_or_insert_with(|| {
            self.grants.bearers += 1;
            self.grants.bearers
        });
        bearer(serial)
    }

    /// Says whether a bearer token is the app's.
    pub fn is_bearer_token(&self, token: &str) -> bool {
        self.grants.bearer.is_some_and(|serial| token == bearer(serial))
    }

    /// Invalidates a bearer token; says no if it is not the app's.
    pub fn invalidate_bearer_token(&mut self, token: &str) -> bool {
        let is_right = self.is_bearer_token(token);
        if is_right {
            self.grants.bearer = None;
        }
        is_right
    }

    fn request(&self, token: &str, now: Timestamp) -> Result<&Request, GrantError> {
        let request = self.grants.requests.get(token);
        request.filter(|request| request.expires > now.max(self.now)).ok_or(GrantError::Token)
    }
}

/// What stands for a callback where there is none.
pub(crate) const OUT_OF_BAND: &str = "oob";

fn bearer(serial: u64) -> String {
    match serial {
        1 => credentials::BEARER_TOKEN.to_owned(),
        serial => format!("{}-{serial}", credentials::BEARER_TOKEN),
    }
}

fn is_user(user: UserId) -> bool {
    (1..=credentials::MAX_USER).contains(&user.as_u64())
}

/// A browser is sent there: not to a scheme that stands for a text or a script of its own.
fn is_callback(callback: &str) -> bool {
    const NOWHERE: [&str; 7] =
        ["about", "blob", "data", "file", "javascript", "vbscript", "view-source"];
    let is_visible = !callback.chars().any(|c| c.is_whitespace() || c.is_control());
    let url = url::Url::parse(callback);
    callback == OUT_OF_BAND || is_visible && url.is_ok_and(|url| !NOWHERE.contains(&url.scheme()))
}
