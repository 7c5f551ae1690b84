use aaa_types::api::Failure;
use jiff::SignedDuration;

use super::checks::Trouble;

/// Why the service refused: by one of the names in the documents of v2, and by a code of v1.1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {words}", self.name())]
pub struct Refusal {
    failure: Failure,
    words: String,
    coded: Coded,
}

/// The v1.1 form of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coded {
    pub(crate) status: u16,
    pub(crate) code: u32,
    pub(crate) message: String,
}

impl Refusal {
    /// Returns the failure.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// Returns its name, as it stands on the wire of v2.
    pub fn name(&self) -> &str {
        match &self.failure {
            Failure::CrcValidationFailed => "CrcValidationFailed",
            Failure::UrlValidationFailed => "UrlValidationFailed",
            Failure::DuplicateUrlFailed => "DuplicateUrlFailed",
            Failure::WebhookLimitExceeded => "WebhookLimitExceeded",
            Failure::WebhookIdInvalid => "WebhookIdInvalid",
            Failure::DuplicateSubscriptionFailed => "DuplicateSubscriptionFailed",
            Failure::SubscriptionLimitExceeded => "SubscriptionLimitExceeded",
            Failure::SubscriptionNotFound => "SubscriptionNotFound",
            Failure::QueryParamInvalid => "QueryParamInvalid",
            Failure::ReplayConflictError => "ReplayConflictError",
            Failure::Other(name) => name,
            _ => "InvalidRequest",
        }
    }

    /// Returns the words that follow the name on v2; may be empty.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// Returns the code by which v1.1 refuses the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_emulator::{settings::{Generation, Settings}, world::World};
    ///
    /// let now = "2025-11-22T04:00:00Z".parse()?;
    /// let mut world = World::new(Settings::default(), now);
    /// let refusal = world.register("http://example.com/", Generation::V1_1, now).unwrap_err();
    /// assert_eq!(refusal.name(), "UrlValidationFailed");
    /// assert_eq!(refusal.code(), 214);
    /// # Ok::<(), jiff::Error>(())
    /// ```
    pub fn code(&self) -> u32 {
        self.coded.code
    }

    pub(crate) fn coded(&self) -> &Coded {
        &self.coded
    }
}

/// What there is to refuse. Both generations refuse the same, each in its own words.
#[derive(Debug)]
pub(crate) enum Reason {
    /// The URL cannot be a webhook, with the reason.
    Url(String),
    UrlTaken,
    TooManyWebhooks,
    UnknownWebhook,
    /// An identifier in the path that is none.
    Id {
        name: &'static str,
        value: String,
    },
    /// The webhook failed a check.
    Check(Trouble),
    /// The webhook is invalid already.
    Invalid,
    AlreadySubscribed,
    NotSubscribed,
    TooManySubscriptions,
    /// A parameter is not there.
    Missing(&'static str),
    /// A parameter cannot be read, with what was expected.
    Malformed(&'static str, &'static str),
    NotPast {
        name: &'static str,
        value: String,
    },
    /// A minute is past, but events of it cannot be replayed yet.
    TooYoung {
        name: &'static str,
        value: String,
        needed: SignedDuration,
    },
    TooOld(SignedDuration),
    Backwards,
    InProgress,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        let (failure, words) = named(&reason);
        Self { failure, words, coded: coded(&reason) }
    }
}

/// The name of v2 and the words after it.
fn named(reason: &Reason) -> (Failure, String) {
    match reason {
        Reason::Url(why) => (Failure::UrlValidationFailed, why.clone()),
        Reason::UrlTaken => (Failure::DuplicateUrlFailed, String::new()),
        Reason::TooManyWebhooks => (Failure::WebhookLimitExceeded, String::new()),
        Reason::UnknownWebhook => (Failure::WebhookIdInvalid, String::new()),
        Reason::Id { name: "user_id", .. } | Reason::NotSubscribed => {
            (Failure::SubscriptionNotFound, String::new())
        }
        Reason::Id { .. } => (Failure::WebhookIdInvalid, String::new()),
        Reason::Check(trouble) => (Failure::CrcValidationFailed, trouble.to_string()),
        Reason::Invalid => (Failure::CrcValidationFailed, MARKED_INVALID.into()),
        Reason::AlreadySubscribed => {
            (Failure::DuplicateSubscriptionFailed, "Subscription already exists".into())
        }
        Reason::TooManySubscriptions => (Failure::SubscriptionLimitExceeded, String::new()),
        Reason::Missing(name) => (Failure::QueryParamInvalid, format!("{name} is missing.")),
        Reason::Malformed(name, expected) => {
            (Failure::QueryParamInvalid, format!("{name} must be {expected}."))
        }
        Reason::NotPast { name, .. } => {
            (Failure::QueryParamInvalid, format!("{name} must be in the past."))
        }
        Reason::TooYoung { name, needed, .. } => {
            let minutes = needed.as_mins();
            let words = format!("{name} must be at least {minutes} minutes in the past.");
            (Failure::QueryParamInvalid, words)
        }
        Reason::TooOld(look_back) => {
            (Failure::QueryParamInvalid, format!("from_date must be within {}.", past(*look_back)))
        }
        Reason::Backwards => (Failure::QueryParamInvalid, BACKWARDS.into()),
        Reason::InProgress => (Failure::ReplayConflictError, IN_PROGRESS.into()),
    }
}

/// Status, code and message of v1.1, from the error tables of
/// <https://developer.x.com/en/docs/x-api/enterprise/account-activity-api/api-reference>. Where
/// they are silent (a second registration of a URL, one subscription too many, a minute that is
/// too young) the nearest row is taken.
fn coded(reason: &Reason) -> Coded {
    let (status, code, message) = match reason {
        Reason::Url(_) | Reason::UrlTaken | Reason::Check(Trouble::Tls(_)) => {
            (403, 214, BAD_URL.into())
        }
        Reason::TooManyWebhooks | Reason::TooManySubscriptions => {
            (403, 214, "Too many resources already created.".into())
        }
        Reason::Check(Trouble::WrongToken | Trouble::Compressed | Trouble::ContentType) => {
            (403, 214, format!("{BAD_URL} {BAD_TOKEN}"))
        }
        Reason::Check(Trouble::Slow(_)) => (403, 214, Trouble::HIGH_LATENCY_V1_1.into()),
        Reason::Check(Trouble::Status(_) | Trouble::Closed(_)) => {
            (403, 214, "Non-200 response code during CRC GET request (i.e. 404, 500, etc).".into())
        }
        Reason::Invalid => (400, 214, MARKED_INVALID.into()),
        Reason::UnknownWebhook => {
            let words = "Webhook does not exist or is associated with a different X application.";
            (404, 34, words.into())
        }
        Reason::NotSubscribed => (404, 34, "Sorry, that page does not exist.".into()),
        Reason::AlreadySubscribed => (409, 355, "Subscription already exists.".into()),
        Reason::InProgress => (409, 355, IN_PROGRESS.into()),
        Reason::Backwards => (400, 356, BACKWARDS.into()),
        Reason::TooOld(look_back) => {
            (400, 356, format!("from_date must be within {}.", past(*look_back)))
        }
        Reason::Missing(name) => (400, 357, format!("{name}: queryParam is required")),
        Reason::Id { name, value } if is_negative(value) => {
            (400, 360, format!("{name}: [{value}] is not greater than or equal to 0."))
        }
        Reason::Id { name, .. } | Reason::Malformed(name, _) => {
            (400, 358, format!("Unable to parse {name}"))
        }
        Reason::NotPast { name, value } | Reason::TooYoung { name, value, .. } => {
            (400, 368, format!("{name}: [{value}] is not in the past."))
        }
    };
    Coded { status, code, message }
}

const BAD_URL: &str = "Webhook URL does not meet the requirements.";
const BAD_TOKEN: &str = "Invalid CRC token or json response format.";
const MARKED_INVALID: &str = "Webhook is marked invalid and requires a CRC check.";
const BACKWARDS: &str = "from_date must be before to_date.";
const IN_PROGRESS: &str = "A replay job is already in progress for this webhook.";

fn is_negative(value: &str) -> bool {
    let digits = value.strip_prefix('-');
    digits.is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
}

/// Whole days are called days, as X calls its five; one is called 24 hours.
fn past(span: SignedDuration) -> String {
    match span.as_hours() {
        hours if hours > 24 && hours % 24 == 0 => format!("the past {} days", hours / 24),
        hours => format!("the past {hours} hours"),
    }
}
