use aaa_types::api::{ApiError, ErrorCode, ProblemType};

use crate::{ClientError, NotSent};

/// How many failures in a row, each of which may be a single user's or everybody's, are taken for
/// everybody's.
const IN_A_ROW: u32 = 3;

/// Decides which failures would hit everybody.
#[derive(Debug)]
pub(super) struct Judge {
    /// Whether users vouch for themselves.
    own_credentials: bool,
    somebody_succeeded: bool,
    doubtful: u32,
    stops: bool,
}

impl Judge {
    /// Judges calls for which each user vouches.
    pub(super) fn of_users() -> Self {
        Self { own_credentials: true, somebody_succeeded: false, doubtful: 0, stops: false }
    }

    /// Judges calls for which the app vouches.
    pub(super) fn of_app() -> Self {
        Self { own_credentials: false, ..Self::of_users() }
    }

    /// Says whether no further call should begin.
    pub(super) fn stops(&self) -> bool {
        self.stops
    }

    /// Takes a result.
    pub(super) fn hear<O>(&mut self, result: &Result<O, ClientError>) {
        let Err(error) = result else {
            (self.somebody_succeeded, self.doubtful) = (true, 0);
            return;
        };
        if self.hits_everybody(error) {
            self.stops = true;
        } else if self.is_doubtful(error) {
            self.doubtful += 1;
            self.stops |= self.doubtful >= IN_A_ROW;
        } else {
            self.doubtful = 0;
        }
    }

    fn hits_everybody(&self, error: &ClientError) -> bool {
        match error {
            ClientError::MissingCredential(_) => true,
            ClientError::NotSent { reason, .. } => *reason == NotSent::NoRandomness,
            _ => error.api().is_some_and(|api| {
                api.is_limit_reached()
                    || api.is_unknown_webhook()
                    // The call has waited as long as it may, or would have to wait longer.
                    || api.is_rate_limited()
                    || is_about_the_app(api)
                    || (api.is_unauthorized() && !self.own_credentials)
            }),
        }
    }

    /// Says whether the failure may be the user's own or everybody's.
    fn is_doubtful(&self, error: &ClientError) -> bool {
        match error.api() {
            // A wrong signature: the app's secret, or the user's. Once somebody got through, the
            // app's is right. An expired token is surely the user's.
            Some(api) if api.is_unauthorized() => {
                !self.somebody_succeeded && api.code() != Some(ErrorCode::InvalidToken)
            }
            _ => error.is_retryable(),
        }
    }
}

fn is_about_the_app(api: &ApiError) -> bool {
    let code = matches!(
        api.code(),
        Some(ErrorCode::NoProductAccess | ErrorCode::MethodNotPermitted | ErrorCode::AccessLevel)
    );
    code || api.problem_type() == Some(&ProblemType::ClientForbidden)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::v2;

    fn refused(status: u16, body: &str) -> Result<(), ClientError> {
        let answer = http::Response::builder().status(status).body(Bytes::from(body.to_owned()));
        v2::delete_webhook("12".parse().unwrap()).answer(&answer.unwrap())
    }

    fn code(status: u16, code: u16, message: &str) -> Result<(), ClientError> {
        let message = format!(r#"{{"errors":[{{"code":{code},"message":"{message}"}}]}}"#);
        refused(status, &message)
    }

    fn named(name: &str) -> Result<(), ClientError> {
        refused(400, &format!(r#"{{"errors":[{{"message":"{name}: "}}]}}"#))
    }

    fn stops(mut judge: Judge, results: &[Result<(), ClientError>]) -> bool {
        results.iter().for_each(|result| judge.hear(result));
        judge.stops()
    }

    #[test]
    fn what_hits_everybody_stops_at_once() {
        for result in [
            named("SubscriptionLimitExceeded"),
            named("WebhookIdInvalid"),
            code(429, 88, "Rate limit exceeded"),
            code(403, 200, "Forbidden."),
            refused(429, r#"{"type":"https://api.x.com/2/problems/usage-capped"}"#),
            refused(403, r#"{"type":"https://api.x.com/2/problems/client-forbidden"}"#),
        ] {
            assert!(stops(Judge::of_users(), std::slice::from_ref(&result)), "{result:?}");
            assert!(stops(Judge::of_app(), &[Ok(()), result]));
        }
    }

    #[test]
    fn what_is_one_users_never_stops() {
        for result in [
            code(401, 89, "Invalid or expired token"),
            code(
                401,
                348,
                "Client application is not permitted to access this user's webhook subscriptions.",
            ),
            code(403, 261, "Application cannot perform write actions."),
            named("SubscriptionNotFound"),
        ] {
            let results = vec![result; 9];
            assert!(!stops(Judge::of_users(), &results), "{:?}", results[0]);
        }
    }

    #[test]
    fn a_wrong_signature_stops_when_nobody_gets_through() {
        let wrong = || code(401, 32, "Could not authenticate you.");
        assert!(!stops(Judge::of_users(), &[wrong(), wrong()]));
        assert!(stops(Judge::of_users(), &[wrong(), wrong(), wrong()]));
        assert!(!stops(Judge::of_users(), &[wrong(), Ok(()), wrong(), wrong(), wrong()]));
        // The app's own credential is the same for everybody.
        assert!(stops(Judge::of_app(), &[wrong()]));
    }

    #[test]
    fn trouble_stops_when_it_lasts() {
        let trouble = || refused(503, "");
        assert!(!stops(Judge::of_users(), &[trouble(), trouble(), Ok(()), trouble(), trouble()]));
        assert!(stops(Judge::of_app(), &[Ok(()), trouble(), trouble(), trouble()]));
    }
}
