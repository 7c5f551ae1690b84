//! Why a signature does not fit: what was done to a body, a header or a secret on its way.
//!
//! [`diagnose`] takes a body and a signature header that were saved, and the secrets at hand. What
//! it can undo it undoes, and looks whether the signature fits then: such a cause is
//! [proved](Cause::is_proved). What else it sees is a hint.
//!
//! It never tells which signature would have been right. That would sign whatever is in the file,
//! and what is printed ends up in logs and tickets.
//!
//! ```
//! use aaa_webhook::{diagnosis::{Candidate, Case, Diagnosis, diagnose}, signature::Signature};
//!
//! let secret = "consumer-secret".parse()?;
//! let sent = br#"{"for_user_id":"7","favorite_events":[]}"#;
//! let header = Signature::of(&secret, sent).to_string();
//!
//! // What a JSON library made of it.
//! let saved = br#"{ "for_user_id": "7", "favorite_events": [] }"#;
//! let candidates = [Candidate::signing("X_CONSUMER_SECRET", secret)];
//! let Diagnosis::Wrong(causes) = diagnose(&Case::new(saved, &header), &candidates) else {
//!     panic!("the signature fits");
//! };
//! assert!(causes[0].is_proved());
//! assert_eq!(
//!     causes[0].to_string(),
//!     "the body was changed: white space was put between the words of the JSON",
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cause;
mod changes;
mod header;
mod json;

use aaa_types::{ConsumerSecret, event::Body};

use self::header::Reading;
pub use self::{cause::Cause, changes::Change, header::HeaderFault};

/// What was saved of a delivery.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    body: &'a [u8],
    header: &'a str,
    length: Option<u64>,
}

impl<'a> Case<'a> {
    /// Takes the body as it was saved, and the value of `x-twitter-webhooks-signature`, or the
    /// whole line.
    pub fn new(body: &'a [u8], header: &'a str) -> Self {
        Self { body, header, length: None }
    }

    /// Adds the `Content-Length` that came with it.
    #[must_use]
    pub fn with_length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }
}

/// A secret that may have made a signature.
#[derive(Debug, Clone)]
pub struct Candidate {
    name: String,
    secret: ConsumerSecret,
    role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Signing,
    Mistaken,
}

impl Candidate {
    /// A consumer secret with which X may sign, and what it is called by those who set it.
    pub fn signing(name: impl Into<String>, secret: ConsumerSecret) -> Self {
        Self { name: name.into(), secret, role: Role::Signing }
    }

    /// Another value at hand, which may have been put into the wrong place. What cannot be a
    /// secret at all is left out.
    pub fn mistaken(name: impl Into<String>, value: &str) -> Option<Self> {
        let secret = value.parse().ok()?;
        Some(Self { name: name.into(), secret, role: Role::Mistaken })
    }
}

/// What became of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Diagnosis {
    /// It is right: what a receiver would take, as far as the signature goes.
    Right {
        /// The name of the secret that made it.
        secret: String,
        /// Why it is no delivery all the same, if it is none.
        not_a_delivery: Option<String>,
    },
    /// It is not. The likeliest cause comes first, and there is always one.
    Wrong(Vec<Cause>),
}

/// Finds out whether a signature is right, and if not, why.
pub fn diagnose(case: &Case<'_>, candidates: &[Candidate]) -> Diagnosis {
    let Case { body, .. } = *case;
    let reading = header::read(case.header);
    let mut causes = Vec::new();
    if let Reading { signature: Some(signature), fault } = &reading {
        let signer = |bytes: &[u8], role: Role| {
            let mut fitting = candidates.iter().filter(|candidate| candidate.role == role);
            fitting.find(|candidate| signature.verifies(&candidate.secret, bytes))
        };
        match (signer(body, Role::Signing), fault) {
            (Some(candidate), None) => {
                let not_a_delivery = Body::parse(body).err().map(|error| error.to_string());
                return Diagnosis::Right { secret: candidate.name.clone(), not_a_delivery };
            }
            (Some(_), Some(fault)) => return wrong(Cause::header(*fault, true), None),
            (None, _) => {}
        }
        let header = || fault.map(|fault| Cause::header(fault, false));
        if let Some(candidate) = signer(body, Role::Mistaken) {
            return wrong(Cause::Secret { name: candidate.name.clone() }, header());
        }
        let any = |bytes: &[u8]| signer(bytes, Role::Signing).or(signer(bytes, Role::Mistaken));
        if let Some((changes, candidate)) = changes::undo(body, any) {
            let secret = (candidate.role == Role::Mistaken)
                .then(|| Cause::Secret { name: candidate.name.clone() });
            return wrong(Cause::Body { changes }, secret.into_iter().chain(header()));
        }
    }
    causes.extend(reading.fault.map(|fault| Cause::header(fault, false)));
    causes.extend(cause::hints(body, case.length));
    causes.extend(
        candidates
            .iter()
            .filter(|candidate| candidate.role == Role::Signing)
            .filter_map(|candidate| cause::shape(&candidate.name, candidate.secret.expose())),
    );
    if causes.is_empty() || reading.signature.is_some() {
        causes.push(Cause::Unknown);
    }
    Diagnosis::Wrong(causes)
}

fn wrong(first: Cause, others: impl IntoIterator<Item = Cause>) -> Diagnosis {
    Diagnosis::Wrong([first].into_iter().chain(others).collect())
}

#[cfg(test)]
mod tests;
