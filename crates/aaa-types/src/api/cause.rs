use super::words::plain;

/// What is wrong with a webhook: code 214 of v1.1 has five causes and tells them only in words,
/// and a sixth when a replay is asked for. The names of v2 tell the same.
///
/// [`ApiError::cause`](super::ApiError::cause) reads it from an answer.
///
/// # Examples
///
/// ```
/// use aaa_types::api::{ApiError, Cause};
///
/// let body = br#"{"errors":[{"code":214,"message":"Webhook URL does not meet the requirements. Invalid CRC token or json response format."}]}"#;
/// let cause = ApiError::parse(403, body).cause().unwrap();
/// assert_eq!(cause, Cause::CrcAnswer);
/// assert!(cause.advice().contains("consumer secret"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The URL itself is not accepted.
    UrlNotAccepted,
    /// The account has as many webhooks as it may have.
    TooManyWebhooks,
    /// The challenge-response check was answered with something else than the right token.
    CrcAnswer,
    /// The check was not answered in time.
    CrcLatency,
    /// The check was not answered with 200.
    CrcStatus,
    /// The webhook is marked invalid since an earlier check; nothing is replayed until one passes.
    NeedsValidation,
}

/// What X says, without punctuation and in lower case. The longest come first, since one sentence
/// begins with another.
const PHRASES: [(&str, Cause); 12] = [
    (
        "webhook url does not meet the requirements invalid crc token or json response format",
        Cause::CrcAnswer,
    ),
    ("webhook is marked invalid and requires a crc check", Cause::NeedsValidation),
    ("non 200 response code during crc get request", Cause::CrcStatus),
    ("webhook url does not meet the requirements", Cause::UrlNotAccepted),
    ("invalid crc token or json response format", Cause::CrcAnswer),
    ("your webhook should respond in less than", Cause::CrcLatency),
    ("url returned bad response during crc", Cause::CrcAnswer),
    ("too many resources already created", Cause::TooManyWebhooks),
    ("url does not meet the requirements", Cause::UrlNotAccepted),
    ("high latency on crc get request", Cause::CrcLatency),
    ("invalid response token", Cause::CrcAnswer),
    ("requires a crc check", Cause::NeedsValidation),
];

impl Cause {
    /// Says what to check, for whoever runs the webhook.
    pub fn advice(self) -> &'static str {
        match self {
            Self::UrlNotAccepted => {
                "the URL must be `https` on a public name, without a port, with at most 200 \
                 characters; its certificate and the chain of it must be valid"
            }
            Self::TooManyWebhooks => {
                "the account has as many webhooks as its plan allows, over all of its apps; list \
                 them and delete one that is yours and not in use, or ask X for more"
            }
            Self::CrcAnswer => {
                "the answer must be JSON, `{\"response_token\":\"sha256=...\"}`, made with the \
                 consumer secret (API secret key) of this very app, not with the access token \
                 secret or the OAuth 2.0 client secret; check also that no proxy takes \
                 `?crc_token=` out of the query or changes the body"
            }
            Self::CrcLatency => {
                "the answer came too late (3 seconds on v1.1, 10 on v2); look for a cold start, a \
                 slow tunnel, or a check that waits for storage, and try again once it is warm"
            }
            Self::CrcStatus => {
                "this very URL must answer 200; look for a redirect (a slash too many or too few, \
                 a log-in page), a firewall or proxy that refuses X, or a path that the receiver \
                 does not serve"
            }
            Self::NeedsValidation => {
                "have X run the check first (`PUT` on the webhook); as long as it fails, nothing \
                 is delivered or replayed"
            }
        }
    }

    /// Finds the cause in X's words.
    pub(super) fn in_words(words: &str) -> Option<Self> {
        let words = plain(words);
        PHRASES.iter().find(|(phrase, _)| words.contains(phrase)).map(|(_, cause)| *cause)
    }

    /// Guesses from single words why a check failed, when it is known that one did.
    pub(super) fn of_check(words: &str) -> Option<Self> {
        let words = plain(words);
        let has = |these: &[&str]| these.iter().any(|this| words.contains(this));
        if has(&["timed out", "timeout", "time out", "latency", "too slow"]) {
            Some(Self::CrcLatency)
        } else if has(&["status", "response code", "redirect"]) {
            Some(Self::CrcStatus)
        } else if has(&["response token", "json", "bad response"]) {
            Some(Self::CrcAnswer)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DOCUMENTED: [(&str, Cause); 7] = [
        ("Webhook URL does not meet the requirements.", Cause::UrlNotAccepted),
        ("Too many resources already created.", Cause::TooManyWebhooks),
        (
            "Webhook URL does not meet the requirements. Invalid CRC token or json response format.",
            Cause::CrcAnswer,
        ),
        (
            "High latency on CRC GET request. Your webhook should respond in less than 3 seconds.",
            Cause::CrcLatency,
        ),
        ("Non-200 response code during CRC GET request (i.e. 404, 500, etc).", Cause::CrcStatus),
        ("Webhook is marked invalid and requires a CRC check.", Cause::NeedsValidation),
        (
            "URL returned bad response during CRC with error: Invalid `response_token`",
            Cause::CrcAnswer,
        ),
    ];

    #[test]
    fn the_longest_phrase_wins() {
        assert!(PHRASES.windows(2).all(|pair| pair[0].0.len() >= pair[1].0.len()));
    }

    #[test]
    fn guesses_about_a_failed_check() {
        assert_eq!(Cause::of_check("connection timed out"), Some(Cause::CrcLatency));
        assert_eq!(Cause::of_check("HTTP status 404"), Some(Cause::CrcStatus));
        assert_eq!(Cause::of_check("not JSON"), Some(Cause::CrcAnswer));
        assert_eq!(Cause::of_check(""), None);
    }

    proptest! {
        #[test]
        fn case_dots_and_words_around_do_not_matter(
            (words, cause) in prop::sample::select(DOCUMENTED.as_slice()),
            upper: bool,
            dot: bool,
            before in "([A-Z][a-z]{0,8}: )?",
            after in "( \\([a-z ]{0,8}\\))?",
        ) {
            let words = if dot { words } else { words.trim_end_matches('.') };
            let words = if upper { words.to_uppercase() } else { words.to_owned() };
            prop_assert_eq!(Cause::in_words(&format!("{before}{words}{after}")), Some(cause));
        }

        #[test]
        fn arbitrary_words_never_panic(words in ".*") {
            let _ = (Cause::in_words(&words), Cause::of_check(&words));
        }
    }
}
