use std::{collections::BTreeMap, fmt};

use serde_json::{Value, value::RawValue};

use super::{
    ErrorCode, Failure,
    words::{excerpt, plain},
};

/// The longest parameters that are taken apart, in bytes: taken apart they are ten times as large.
const PARAMETERS: usize = 4096;

/// One error object: an element of `errors[]`, or an answer that is a problem itself.
///
/// Nothing is required of it, and nothing of it is dropped: what has no accessor is in
/// [`json`](Problem::json).
///
/// # Examples
///
/// ```
/// use aaa_types::api::{ApiError, ErrorCode};
///
/// let body = br#"{"errors":[{"code":99,"label":"authenticity_token_error",
///     "message":"Unable to verify your credentials"}]}"#;
/// let error = ApiError::parse(403, body);
/// let problem = &error.errors()[0];
/// assert_eq!(problem.code(), Some(ErrorCode::NotVerified));
/// assert_eq!(problem.label(), Some("authenticity_token_error"));
/// assert_eq!(problem.words(), Some("Unable to verify your credentials"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Problem {
    json: Box<str>,
    code: Option<Box<str>>,
    label: Option<Box<str>>,
    message: Option<Box<str>>,
    title: Option<Box<str>>,
    detail: Option<Box<str>>,
    parameters: Option<Value>,
    failure: Option<Failure>,
    problem_type: Option<ProblemType>,
}

impl Problem {
    /// Returns the object as X wrote it.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Returns the code of the v1.1 form, also when it is written as text.
    pub fn code(&self) -> Option<ErrorCode> {
        self.code_text()?.parse().ok().map(i64::into)
    }

    /// Returns the code as it is written, be it a number of any size or no number at all.
    pub fn code_text(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Returns the label, a word beside the code in some answers about tokens.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Returns the message.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Returns the title: the same for all problems of a type.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// Returns the detail: what is special about this one.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Returns the parameters that X complains about, unless they are longer than 4 KiB.
    pub fn parameters(&self) -> Option<&Value> {
        self.parameters.as_ref()
    }

    /// Returns the name of the failure, where X gave one.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Returns the type, where X gave one.
    pub fn problem_type(&self) -> Option<&ProblemType> {
        self.problem_type.as_ref()
    }

    /// Returns the most telling words: the message, else the detail, else the title.
    pub fn words(&self) -> Option<&str> {
        self.all_words().next()
    }

    pub(super) fn all_words(&self) -> impl Iterator<Item = &str> {
        [&self.message, &self.detail, &self.title].into_iter().flatten().map(|words| &**words)
    }

    /// Says whether one of the phrases, in plain words, stands somewhere in X's words.
    pub(super) fn says(&self, phrases: &[&str]) -> bool {
        self.all_words().map(plain).any(|words| phrases.iter().any(|one| words.contains(one)))
    }

    /// Says whether a word, in lower case, stands somewhere in X's words.
    pub(super) fn has_word(&self, word: &str) -> bool {
        self.all_words().map(plain).any(|words| words.split(' ').any(|one| one == word))
    }

    pub(super) fn read(json: &RawValue) -> Self {
        match serde_json::from_str(json.get()) {
            Ok(members) => Self::of_members(json, &members),
            Err(_) => {
                let mut problem = Self::of_members(json, &BTreeMap::new());
                problem.message = text(json);
                problem.failure = problem.message.as_deref().and_then(Failure::in_words);
                problem
            }
        }
    }

    pub(super) fn of_members(json: &RawValue, members: &Members<'_>) -> Self {
        let text = |name: &str| members.get(name).and_then(|raw| text(raw));
        // Besides, the names of OAuth 2.0.
        let message = text("message").or_else(|| text("error_description"));
        let mut problem = Self {
            json: json.get().into(),
            code: members.get("code").and_then(|raw| scalar(raw)),
            label: text("label"),
            message: message.or_else(|| text("error")),
            title: text("title"),
            detail: text("detail"),
            parameters: members
                .get("parameters")
                .filter(|raw| raw.get().len() <= PARAMETERS)
                .and_then(|raw| serde_json::from_str(raw.get()).ok()),
            failure: None,
            problem_type: text("type").and_then(|url| ProblemType::of_url(&url)),
        };
        let failure = problem.all_words().find_map(Failure::in_words);
        problem.failure = failure;
        problem
    }
}

impl fmt::Debug for Problem {
    /// Shows the beginning: nobody bounds what a server writes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Problem({})", excerpt(&self.json, 400))
    }
}

/// The members of an object, not taken apart any further.
pub(super) type Members<'a> = BTreeMap<String, &'a RawValue>;

/// Returns the text of a JSON string, unless it is blank.
fn text(raw: &RawValue) -> Option<Box<str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    // Half of a surrogate pair is no text, but the words around it are.
    let text = serde_json::from_str(raw.get()).unwrap_or_else(|_| inner.to_owned());
    let text = text.trim();
    (!text.is_empty()).then(|| text.into())
}

/// Returns a number, or a text, as it is written.
fn scalar(raw: &RawValue) -> Option<Box<str>> {
    let number = raw.get().starts_with(|c: char| c == '-' || c.is_ascii_digit());
    if number { Some(raw.get().into()) } else { text(raw) }
}

/// The type of a problem: the last word of the URL in `type`, on whichever host.
///
/// # Examples
///
/// ```
/// use aaa_types::api::{ApiError, ProblemType};
///
/// let body = br#"{"type":"https://api.twitter.com/2/problems/usage-capped","title":"UsageCapExceeded"}"#;
/// assert_eq!(ApiError::parse(429, body).problem_type(), Some(&ProblemType::UsageCapped));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemType {
    /// `invalid-request`.
    InvalidRequest,
    /// `resource-not-found`.
    ResourceNotFound,
    /// `client-forbidden`.
    ClientForbidden,
    /// `not-authorized-for-resource`.
    NotAuthorizedForResource,
    /// `oauth1-permissions`.
    OAuth1Permissions,
    /// `usage-capped`.
    UsageCapped,
    /// `rate-limit-exceeded`.
    RateLimitExceeded,
    /// `unsupported-authentication`.
    UnsupportedAuthentication,
    /// `internal-error`.
    InternalError,
    /// Another word, or the whole `type` when it does not end in one.
    Other(String),
}

impl ProblemType {
    /// Returns the word, as it stands on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InvalidRequest => "invalid-request",
            Self::ResourceNotFound => "resource-not-found",
            Self::ClientForbidden => "client-forbidden",
            Self::NotAuthorizedForResource => "not-authorized-for-resource",
            Self::OAuth1Permissions => "oauth1-permissions",
            Self::UsageCapped => "usage-capped",
            Self::RateLimitExceeded => "rate-limit-exceeded",
            Self::UnsupportedAuthentication => "unsupported-authentication",
            Self::InternalError => "internal-error",
            Self::Other(word) => word,
        }
    }

    /// `about:blank` is the way to say that there is no type (RFC 9457, section 4.2.1).
    fn of_url(url: &str) -> Option<Self> {
        let path = url.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        if path.eq_ignore_ascii_case("about:blank") {
            return None;
        }
        let word = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        Some(match word.as_str() {
            "invalid-request" => Self::InvalidRequest,
            "resource-not-found" => Self::ResourceNotFound,
            "client-forbidden" => Self::ClientForbidden,
            "not-authorized-for-resource" => Self::NotAuthorizedForResource,
            "oauth1-permissions" => Self::OAuth1Permissions,
            "usage-capped" => Self::UsageCapped,
            "rate-limit-exceeded" => Self::RateLimitExceeded,
            "unsupported-authentication" => Self::UnsupportedAuthentication,
            "internal-error" => Self::InternalError,
            "" => return None,
            other if other.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => {
                Self::Other(word)
            }
            _ => Self::Other(url.to_owned()),
        })
    }
}

impl fmt::Display for ProblemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Problem {
        Problem::read(&serde_json::from_str::<Box<RawValue>>(json).unwrap())
    }

    #[test]
    fn types_on_every_host() {
        for word in [
            "invalid-request",
            "resource-not-found",
            "client-forbidden",
            "not-authorized-for-resource",
            "oauth1-permissions",
            "usage-capped",
            "rate-limit-exceeded",
            "unsupported-authentication",
            "internal-error",
            "disallowed-resource",
        ] {
            for host in ["https://api.x.com", "https://api.twitter.com"] {
                for end in ["", "/", "#part"] {
                    let url = format!("{host}/2/problems/{word}{end}");
                    let found = ProblemType::of_url(&url).unwrap();
                    assert_eq!(found.as_str(), word, "{url}");
                    let other = matches!(found, ProblemType::Other(_));
                    assert_eq!(other, word == "disallowed-resource");
                }
            }
        }
        assert_eq!(ProblemType::of_url("about:blank"), None);
        let odd = ProblemType::of_url("urn:odd type");
        assert_eq!(odd, Some(ProblemType::Other("urn:odd type".into())));
    }

    #[test]
    fn codes_of_every_kind() {
        let code = |json: &str| {
            let problem = read(&format!(r#"{{"code":{json}}}"#));
            (problem.code().map(ErrorCode::as_i64), problem.code_text().map(str::to_owned))
        };
        assert_eq!(code("88"), (Some(88), Some("88".into())));
        assert_eq!(code(r#""88""#), (Some(88), Some("88".into())));
        assert_eq!(code("-5"), (Some(-5), Some("-5".into())));
        let huge = "99999999999999999999";
        assert_eq!(code(huge), (None, Some(huge.into())));
        assert_eq!(code(r#""E12""#), (None, Some("E12".into())));
        for nothing in ["null", "[]", "{}", "true", r#""""#] {
            assert_eq!(code(nothing), (None, None), "{nothing}");
        }
    }

    #[test]
    fn odd_elements() {
        assert_eq!(read(r#""sorry""#).words(), Some("sorry"));
        assert_eq!(read("[1]").words(), None);
        assert_eq!(read(r#"{"message":"a \ud800 b"}"#).words(), Some(r"a \ud800 b"));
        assert_eq!(read(r#"{"message":" ","title":5,"detail":"d"}"#).words(), Some("d"));
        let problem = read(r#"{"x":1,"parameters":{"url":["a"]}}"#);
        assert_eq!(problem.parameters().unwrap()["url"][0], "a");
        assert_eq!(problem.json(), r#"{"x":1,"parameters":{"url":["a"]}}"#);
        let long = read(&format!(r#"{{"message":"{}"}}"#, "x".repeat(100_000)));
        assert!(format!("{long:?}").len() < 500);
    }
}
