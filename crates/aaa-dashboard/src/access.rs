//! Who may look, and who may change something.

mod tries;

use std::{
    collections::HashMap,
    fmt,
    str::FromStr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub(crate) use self::tries::Sender;
use self::tries::Tries;
use crate::clock::Steady;

/// How long somebody stays signed in.
pub(crate) const SESSION: Duration = Duration::from_secs(12 * 3600);

/// How many may be signed in; the one who is so for longest makes room.
const SESSIONS: usize = 64;

/// What opens the pages where they are reached from another machine: at least eight characters.
///
/// # Examples
///
/// ```
/// use aaa_dashboard::Password;
///
/// let password: Password = "correct horse battery".parse()?;
/// assert_eq!(format!("{password:?}"), "Password([redacted])");
/// assert!("short".parse::<Password>().is_err());
/// # Ok::<(), aaa_dashboard::PasswordError>(())
/// ```
#[derive(Clone)]
pub struct Password(SecretString);

impl FromStr for Password {
    type Err = PasswordError;

    fn from_str(text: &str) -> Result<Self, PasswordError> {
        match text.chars().count() {
            ..8 => Err(PasswordError(())),
            _ => Ok(Self(SecretString::from(text))),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password([redacted])")
    }
}

/// A text is too short to be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the password has fewer than eight characters")]
pub struct PasswordError(());

/// Sessions, and the token that every change needs.
pub(crate) struct Access {
    /// The digest of the password; without one nobody has to sign in.
    password: Option<[u8; 32]>,
    /// Stands in our own pages only, so that no other page can have a browser change something.
    token: String,
    /// Digests of the cookies, and until when they hold.
    sessions: Mutex<HashMap<[u8; 32], Duration>>,
    tries: Mutex<Tries>,
    clock: Steady,
}

/// What became of an attempt to sign in.
pub(crate) enum SignedIn {
    /// The value of the cookie.
    Yes(String),
    No,
    /// Too many wrong passwords came lately, from there or from everywhere; how long to wait.
    Later(Duration),
}

impl Access {
    /// # Errors
    ///
    /// Fails when there is no randomness.
    pub(crate) fn new(
        password: Option<&Password>,
        clock: Steady,
    ) -> Result<Self, getrandom::Error> {
        Ok(Self {
            password: password.map(|password| digest(password.0.expose_secret())),
            token: random()?,
            sessions: Mutex::default(),
            tries: Mutex::default(),
            clock,
        })
    }

    /// Says whether a password is needed at all.
    pub(crate) fn is_closed(&self) -> bool {
        self.password.is_some()
    }

    /// Returns the token for the page.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Says whether a request brings the token of a page of ours.
    pub(crate) fn has_token(&self, token: &str) -> bool {
        digest(&self.token).ct_eq(&digest(token)).into()
    }

    /// Says whether the cookies of a request are those of somebody who is signed in.
    pub(crate) fn admits(&self, cookie: Option<&str>) -> bool {
        if self.password.is_none() {
            return true;
        }
        let now = self.clock.elapsed();
        let sessions = lock(&self.sessions);
        // Looked up by the digest, so the time it takes says nothing about the value.
        cookie.is_some_and(|id| sessions.get(&digest(id)).is_some_and(|until| now < *until))
    }

    pub(crate) fn sign_in(
        &self,
        password: &str,
        sender: Option<Sender>,
    ) -> Result<SignedIn, getrandom::Error> {
        let now = self.clock.elapsed();
        {
            let mut tries = lock(&self.tries);
            if let Some(wait) = tries.wait(sender, now) {
                return Ok(SignedIn::Later(wait));
            }
            let right = self.password.is_some_and(|right| right.ct_eq(&digest(password)).into());
            if !right {
                tries.note(sender, now);
                return Ok(SignedIn::No);
            }
        }
        let id = random()?;
        let mut sessions = lock(&self.sessions);
        sessions.retain(|_, until| now < *until);
        if sessions.len() >= SESSIONS
            && let Some(oldest) =
                sessions.iter().min_by_key(|(_, until)| **until).map(|(id, _)| *id)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(digest(&id), now + SESSION);
        Ok(SignedIn::Yes(id))
    }

    pub(crate) fn sign_out(&self, cookie: &str) {
        lock(&self.sessions).remove(&digest(cookie));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Texts of any length are compared by this, in a time that does not depend on them.
fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Returns 32 random bytes in hexadecimal.
fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn access() -> Access {
        Access::new(Some(&"correct horse".parse().unwrap()), Steady::start()).unwrap()
    }

    fn cookie(access: &Access) -> String {
        match access.sign_in("correct horse", None).unwrap() {
            SignedIn::Yes(cookie) => cookie,
            _ => panic!("the password is right"),
        }
    }

    #[test]
    fn a_session_begins_and_ends() {
        let access = access();
        assert!(access.is_closed() && !access.admits(None) && !access.admits(Some("")));
        let (one, other) = (cookie(&access), cookie(&access));
        assert_ne!(one, other);
        assert!(access.admits(Some(&one)) && access.admits(Some(&other)));
        access.sign_out(&one);
        assert!(!access.admits(Some(&one)) && access.admits(Some(&other)));
    }

    #[test]
    fn a_session_ends_by_itself() {
        let access = access();
        let cookie = cookie(&access);
        assert!(access.admits(Some(&cookie)));
        lock(&access.sessions).values_mut().for_each(|until| *until -= SESSION);
        assert!(!access.admits(Some(&cookie)));
    }

    #[test]
    fn guessing_is_slow_and_locks_nobody_else_out() {
        let access = access();
        let inside = cookie(&access);
        let sender = |ip: &str| Some(Sender::from(ip.parse::<IpAddr>().unwrap()));
        let (guesser, other) = (sender("192.0.2.1"), sender("192.0.2.2"));
        let mut guesses = 0;
        let wait = loop {
            match access.sign_in(&guesses.to_string(), guesser).unwrap() {
                SignedIn::Later(wait) => break wait,
                SignedIn::No => guesses += 1,
                SignedIn::Yes(_) => panic!("a guess was right"),
            }
            assert!(guesses <= 10, "guessing is not slowed down");
        };
        assert!(!wait.is_zero());
        // Not even the right one is looked at from there; from elsewhere it is.
        let right = |sender| access.sign_in("correct horse", sender).unwrap();
        assert!(matches!(right(guesser), SignedIn::Later(_)));
        assert!(matches!(right(other), SignedIn::Yes(_)));
        assert!(matches!(right(None), SignedIn::Yes(_)));
        assert!(access.admits(Some(&inside)));
    }

    #[test]
    fn sessions_are_bounded() {
        let access = access();
        let first = cookie(&access);
        for _ in 0..SESSIONS {
            cookie(&access);
        }
        assert!(!access.admits(Some(&first)));
        assert_eq!(lock(&access.sessions).len(), SESSIONS);
    }

    #[test]
    fn without_a_password_everybody_on_the_machine_may_look() {
        let access = Access::new(None, Steady::start()).unwrap();
        assert!(!access.is_closed() && access.admits(None));
        // Nobody gets a session by an empty password.
        assert!(matches!(access.sign_in("", None).unwrap(), SignedIn::No));
        assert!(access.has_token(access.token()) && !access.has_token(""));
        assert!(!access.has_token(&access.token()[1..]));
    }
}
