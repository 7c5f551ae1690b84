//! What an answer means, for both generations of the API.

use super::{ApiError, Cause, ErrorCode, Failure, Problem, ProblemType};

impl ApiError {
    /// Says whether the same request may succeed later: rate limits and X's own faults.
    pub fn is_retryable(&self) -> bool {
        self.is_rate_limited() || self.status == 408 || self.status >= 500
    }

    /// Says whether a rate limit was hit, which ends by itself soon. A plan that is used up is
    /// [another thing](ApiError::is_limit_reached).
    pub fn is_rate_limited(&self) -> bool {
        let capped = self.problem_type() == Some(&ProblemType::UsageCapped);
        let limited = self.status == 429
            || self.has_code(&[ErrorCode::RateLimited])
            || self.problem_type() == Some(&ProblemType::RateLimitExceeded);
        limited && !capped
    }

    /// Says whether the plan allows no more: of webhooks, of subscriptions, or of use at all.
    pub fn is_limit_reached(&self) -> bool {
        self.has_failure(&[Failure::WebhookLimitExceeded, Failure::SubscriptionLimitExceeded])
            || self.cause() == Some(Cause::TooManyWebhooks)
            || self.problem_type() == Some(&ProblemType::UsageCapped)
    }

    /// Says whether what was to be made exists already.
    ///
    /// v1.1 has no documented words for a URL that is registered already, so several are taken
    /// for it.
    pub fn is_duplicate(&self) -> bool {
        let exists = ["already exist", "already registered", "already subscribed", "duplicate"];
        self.has_failure(&[Failure::DuplicateUrlFailed, Failure::DuplicateSubscriptionFailed])
            || self.any_with_code(
                &[ErrorCode::ExistsOrInProgress, ErrorCode::WebhookRefused],
                |problem| problem.says(&exists),
            )
            || (self.is_nameless() && self.status == 409 && self.says(&exists))
    }

    /// Says whether another replay job is in progress for the webhook.
    pub fn is_conflict(&self) -> bool {
        let running = ["in progress", "already running"];
        self.has_failure(&[Failure::ReplayConflictError])
            || self
                .any_with_code(&[ErrorCode::ExistsOrInProgress], |problem| problem.says(&running))
            || (self.is_nameless() && self.status == 409 && self.says(&running))
    }

    /// Says whether the credentials were refused: other ones are needed.
    pub fn is_unauthorized(&self) -> bool {
        if self.has_code(&PERMISSION_CODES) {
            return false;
        }
        self.status == 401
            || self.has_code(&[
                ErrorCode::NotAuthenticated,
                ErrorCode::InvalidToken,
                ErrorCode::NotVerified,
                ErrorCode::BadAuthentication,
            ])
            || self.problem_type() == Some(&ProblemType::UnsupportedAuthentication)
    }

    /// Says whether the credentials are good but do not suffice: the app's permission level, its
    /// access to the product, or whose subscription it is.
    pub fn is_forbidden(&self) -> bool {
        if self.is_unauthorized() || !self.is_nameless() {
            return false;
        }
        let named = match self.problem_type() {
            Some(
                ProblemType::ClientForbidden
                | ProblemType::NotAuthorizedForResource
                | ProblemType::OAuth1Permissions,
            ) => true,
            None | Some(ProblemType::Other(_)) => {
                // A status of 403 alone says it too, but v1.1 uses it for code 214 as well.
                let unknown = matches!(self.code(), None | Some(ErrorCode::Other(_)));
                self.status == 403 && unknown
            }
            Some(_) => false,
        };
        named || self.has_code(&PERMISSION_CODES)
    }

    /// Says whether the thing asked for does not exist, or belongs to another app.
    pub fn is_not_found(&self) -> bool {
        self.has_failure(&[Failure::WebhookIdInvalid, Failure::SubscriptionNotFound])
            || self.status == 404
            || self.has_code(&[ErrorCode::NotFound])
            || self.problem_type() == Some(&ProblemType::ResourceNotFound)
    }

    /// Says whether it is the webhook that does not exist, or belongs to another app.
    pub fn is_unknown_webhook(&self) -> bool {
        let resource = self.problem_type() == Some(&ProblemType::ResourceNotFound);
        // The path of a call may be in the words, and is about `webhooks`.
        let one = || self.problems().any(|problem| problem.has_word("webhook"));
        self.has_failure(&[Failure::WebhookIdInvalid])
            || (self.is_nameless() && self.is_not_found() && (resource || one()))
    }

    /// Says whether there is nothing at this address, and nothing is said about a webhook:
    /// `Sorry, that page does not exist.`
    ///
    /// A call that removes a subscription is answered so when the user is not subscribed; any
    /// other call when the API does not know the path.
    pub fn is_missing_page(&self) -> bool {
        let not_found = self.status == 404 || self.has_code(&[ErrorCode::NotFound]);
        not_found && self.failure().is_none() && !self.is_unknown_webhook()
    }

    /// Says whether the user is not subscribed, when a subscription was to be checked or removed.
    /// Of another call it says nothing.
    pub fn is_not_subscribed(&self) -> bool {
        self.has_failure(&[Failure::SubscriptionNotFound]) || self.is_missing_page()
    }

    /// Says whether the webhook failed its check, now or before: it is invalid, and receives and
    /// replays nothing until one passes.
    pub fn is_invalid_webhook(&self) -> bool {
        let checks =
            [Cause::CrcAnswer, Cause::CrcLatency, Cause::CrcStatus, Cause::NeedsValidation];
        self.has_failure(&[Failure::CrcValidationFailed])
            || self.cause().is_some_and(|cause| checks.contains(&cause))
    }

    /// Says whether the dates of a replay, or its other parameters, were refused.
    pub fn is_invalid_window(&self) -> bool {
        self.has_failure(&[Failure::QueryParamInvalid])
            || self.has_code(&[
                ErrorCode::DatesOutOfRange,
                ErrorCode::ParameterMissing,
                ErrorCode::ParameterMalformed,
                ErrorCode::NegativeId,
                ErrorCode::DateNotPast,
            ])
    }

    /// Returns what is wrong with the webhook, as far as X said it: which of the causes that code
    /// 214 has, and the names of v2 with it.
    pub fn cause(&self) -> Option<Cause> {
        self.problems().find_map(|problem| {
            if !matches!(problem.code(), None | Some(ErrorCode::WebhookRefused)) {
                return None;
            }
            let in_words = || problem.all_words().find_map(Cause::in_words);
            match problem.failure() {
                None => in_words(),
                Some(Failure::UrlValidationFailed) => in_words().or(Some(Cause::UrlNotAccepted)),
                Some(Failure::WebhookLimitExceeded) => Some(Cause::TooManyWebhooks),
                Some(Failure::CrcValidationFailed) => {
                    in_words().or_else(|| problem.all_words().find_map(Cause::of_check))
                }
                Some(_) => None,
            }
        })
    }

    fn has_failure(&self, failures: &[Failure]) -> bool {
        self.problems().filter_map(Problem::failure).any(|failure| failures.contains(failure))
    }

    fn has_code(&self, codes: &[ErrorCode]) -> bool {
        self.any_with_code(codes, |_| true)
    }

    fn any_with_code(&self, codes: &[ErrorCode], is: impl Fn(&Problem) -> bool) -> bool {
        self.problems()
            .any(|problem| problem.code().is_some_and(|code| codes.contains(&code)) && is(problem))
    }

    /// Says whether X gave no name of a failure that is known, so that its words must do.
    fn is_nameless(&self) -> bool {
        matches!(self.failure(), None | Some(Failure::Other(_)))
    }
}

/// Who asks is known, and may not.
const PERMISSION_CODES: [ErrorCode; 6] = [
    ErrorCode::MethodNotPermitted,
    ErrorCode::NoProductAccess,
    ErrorCode::CredentialsNotAllowed,
    ErrorCode::WriteNotAllowed,
    ErrorCode::ForeignSubscription,
    ErrorCode::AccessLevel,
];
