//! What to do about an answer, for the person in front of it.

use super::{ApiError, ErrorCode, Failure, ProblemType};

const CREDENTIALS: &str = "check the consumer key and secret, the token and its secret, and this \
     machine's clock; webhooks, lists and replay take the app's bearer token, a subscription the \
     tokens of the user who subscribes";
const PERMISSION: &str = "give the app the permission \"Read, Write, and Direct Messages\" and then \
     generate its access tokens again, since old tokens keep the old permission; on v1.1 a webhook \
     is registered with the app owner's OAuth 1.0a tokens, not with the bearer token";
const PRODUCT: &str = "X must have enabled the Account Activity API, and replay on its own, for \
     this app; check the app's access level, and that these are the credentials of that app";
const WEBHOOK_ID: &str = "no webhook of this app has this id; list the webhooks with this app's own \
     credentials, since those of another app are not found";
const WAIT: &str = "wait until the rate limit ends, `x-rate-limit-reset` in the answer";
const TROUBLE: &str = "the trouble is on X's side; try again later, waiting longer each time";
const DATES: &str = "both dates are minutes in UTC, `yyyymmddhhmm`, `from_date` before `to_date`; \
     `from_date` at least 31 minutes old and within the look-back (24 hours on v2, 5 days on v1.1), \
     `to_date` at least 10 minutes old";
const SUBSCRIBED: &str = "the user is subscribed already; nothing needs to be done";
const IN_PROGRESS: &str = "one replay job runs per webhook; wait for the `replay_job_status` \
     delivery at its end and ask again";
const NOTHING_HERE: &str = "when a subscription was to be removed, the user is not subscribed; \
     otherwise check the identifiers, the API's address, and that it is of this generation (v2 or \
     v1.1)";

impl ApiError {
    /// Says what to do, where that is known, in a sentence or two for a person.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_types::api::ApiError;
    ///
    /// let body = br#"{"errors":[{"code":261,"message":"Application cannot perform write actions."}]}"#;
    /// let advice = ApiError::parse(403, body).advice().unwrap();
    /// assert!(advice.contains("Read, Write, and Direct Messages"));
    /// ```
    pub fn advice(&self) -> Option<&'static str> {
        if let Some(cause) = self.cause() {
            return Some(cause.advice());
        }
        self.failure()
            .and_then(of_failure)
            .or_else(|| self.of_code())
            .or_else(|| self.problem_type().and_then(of_type))
            .or_else(|| self.of_status())
    }

    fn of_code(&self) -> Option<&'static str> {
        Some(match self.code()? {
            ErrorCode::NotAuthenticated | ErrorCode::BadAuthentication => CREDENTIALS,
            ErrorCode::InvalidToken => {
                "the token is invalid or has expired; generate it again, or have the user sign in \
                 again"
            }
            ErrorCode::TimestampOutOfBounds => {
                "set this machine's clock; a signature bears the time, and X refuses one that is minutes off"
            }
            ErrorCode::NotVerified => {
                "check the consumer key and secret, that the bearer token was made with them, and \
                 that X has enabled the product for this app"
            }
            ErrorCode::CredentialsNotAllowed | ErrorCode::WriteNotAllowed => PERMISSION,
            ErrorCode::MethodNotPermitted | ErrorCode::NoProductAccess | ErrorCode::AccessLevel => {
                PRODUCT
            }
            ErrorCode::ForeignSubscription => {
                "the webhook or the user's tokens belong to another app; use the tokens that this \
                 user gave to the app which owns the webhook"
            }
            ErrorCode::NotFound if self.is_unknown_webhook() => WEBHOOK_ID,
            ErrorCode::NotFound => NOTHING_HERE,
            ErrorCode::RateLimited => WAIT,
            ErrorCode::ExistsOrInProgress if self.is_conflict() => IN_PROGRESS,
            ErrorCode::ExistsOrInProgress if self.is_duplicate() => SUBSCRIBED,
            ErrorCode::WebhookRefused if self.is_duplicate() => DUPLICATE_URL,
            ErrorCode::DatesOutOfRange | ErrorCode::DateNotPast => DATES,
            ErrorCode::ParameterMissing => {
                "X names the parameter; a replay wants both `from_date` and `to_date`"
            }
            ErrorCode::ParameterMalformed => {
                "X names the parameter; dates are minutes in UTC, `yyyymmddhhmm`, and identifiers \
                 decimal numbers"
            }
            ErrorCode::NegativeId => "the webhook's id must be a decimal number above zero",
            ErrorCode::CallbackNotApproved => {
                "add this very callback to the callback URLs in the app's settings"
            }
            ErrorCode::Internal
            | ErrorCode::InternalError
            | ErrorCode::DependencyDown
            | ErrorCode::OverCapacity => TROUBLE,
            ErrorCode::WebhookRefused => {
                "the webhook was refused for a reason that is not known here; check that the URL \
                 is `https` without a port, and that it answers `?crc_token=...` at once, with 200 \
                 and with the consumer secret of this very app"
            }
            ErrorCode::ExistsOrInProgress => {
                "the user is subscribed already, or a replay job is in progress; look which"
            }
            ErrorCode::Other(_) => return None,
        })
    }

    fn of_status(&self) -> Option<&'static str> {
        Some(match self.status {
            300..=399 => "the API's address redirects, which is not followed; check that address",
            401 => CREDENTIALS,
            403 if self.is_forbidden() => PRODUCT,
            404 if self.is_missing_page() => NOTHING_HERE,
            409 if self.is_conflict() => IN_PROGRESS,
            409 if self.is_duplicate() => "it exists already; use the one that is there",
            429 => WAIT,
            500.. => TROUBLE,
            _ => return None,
        })
    }
}

const DUPLICATE_URL: &str = "the URL is registered already; list the webhooks and use that one";

fn of_failure(failure: &Failure) -> Option<&'static str> {
    Some(match failure {
        Failure::CrcValidationFailed => {
            "the webhook failed X's check; `GET URL?crc_token=...` must be answered at once, with \
             200, without a redirect, and with the consumer secret of this very app"
        }
        Failure::DuplicateUrlFailed => DUPLICATE_URL,
        Failure::WebhookIdInvalid => WEBHOOK_ID,
        Failure::DuplicateSubscriptionFailed => SUBSCRIBED,
        Failure::SubscriptionLimitExceeded => {
            "the account has as many subscriptions as its plan allows; list them and remove one \
             that is yours and not in use, or ask X for more"
        }
        Failure::SubscriptionNotFound => "the user is not subscribed; nothing needs to be removed",
        Failure::QueryParamInvalid => DATES,
        Failure::ReplayConflictError => IN_PROGRESS,
        // Of these the cause is known.
        Failure::UrlValidationFailed | Failure::WebhookLimitExceeded | Failure::Other(_) => {
            return None;
        }
    })
}

fn of_type(problem: &ProblemType) -> Option<&'static str> {
    Some(match problem {
        ProblemType::ResourceNotFound => WEBHOOK_ID,
        ProblemType::ClientForbidden => PRODUCT,
        ProblemType::NotAuthorizedForResource | ProblemType::OAuth1Permissions => PERMISSION,
        ProblemType::UsageCapped => {
            "the plan is used up; wait for its next period, or raise the cap in the developer portal"
        }
        ProblemType::RateLimitExceeded => WAIT,
        ProblemType::UnsupportedAuthentication => {
            "this call takes another kind of credential; webhooks, lists and replay take the app's \
             bearer token, a subscription the tokens of the user who subscribes"
        }
        ProblemType::InternalError => TROUBLE,
        ProblemType::InvalidRequest | ProblemType::Other(_) => return None,
    })
}
