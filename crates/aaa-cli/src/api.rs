//! Calls of the API: the client and its pauses, and what its failures mean for the command.

use aaa_client::{Client, ClientBuilder, ClientError, NotSent, RetryPolicy, Wait};
use aaa_types::{
    WebhookUrl,
    api::{Cause, Failure as ApiFailure, Problem},
    url::is_loopback,
};

use crate::{
    cli::{ApiArgs, RouteArgs, WaitArgs},
    credentials::Credentials,
    exit::{Exit, Failure},
    output,
};

/// Builds the client of a command.
///
/// # Errors
///
/// Fails when its TLS cannot be set up.
pub(crate) fn client(credentials: &Credentials, args: ApiArgs) -> Result<Client, Failure> {
    build(credentials.builder().version(args.api.into()), args.wait)
}

/// Builds the client of a command that asks for replays.
///
/// # Errors
///
/// Fails when its TLS cannot be set up.
pub(crate) fn replay_client(
    credentials: &Credentials,
    args: ApiArgs,
    route: RouteArgs,
) -> Result<Client, Failure> {
    let builder = credentials.builder().version(args.api.into());
    build(builder.replay_route(route.into()), args.wait)
}

/// Builds a client for calls that are the same in both generations.
///
/// # Errors
///
/// Fails when its TLS cannot be set up.
pub(crate) fn oauth_client(credentials: &Credentials, wait: WaitArgs) -> Result<Client, Failure> {
    build(credentials.builder(), wait)
}

fn build(builder: ClientBuilder, wait: WaitArgs) -> Result<Client, Failure> {
    let retry = if wait.no_wait {
        RetryPolicy::none()
    } else {
        RetryPolicy::default().with_max_wait(wait.max_wait)
    };
    let client = builder.retry(retry).on_wait(|wait| output::note(pause(wait))).build();
    client.map_err(|error| Exit::Failed.of("the client could not be built", error))
}

/// Says why nothing happens for a while.
fn pause(wait: &Wait<'_>) -> String {
    let why = match wait.error {
        Some(error) => error.to_string(),
        None => {
            format!("could not {} yet: no call is left until the rate limit ends", wait.operation)
        }
    };
    let (seconds, until) = (wait.after.as_secs_f64(), wait.until);
    format!("{why}; trying again in {seconds:.1} s, at {until:.0}")
}

/// Reads the URL of a webhook that is to be registered.
///
/// # Errors
///
/// Fails when this API would not take it, before it is asked.
pub(crate) fn webhook_url(text: &str, credentials: &Credentials) -> Result<WebhookUrl, Failure> {
    let url: WebhookUrl = text.parse().map_err(|error| Exit::Usage.with(format!("{error}")))?;
    let registrable = url.check_registrable(credentials.api().is_loopback());
    registrable.map_err(|error| Exit::Usage.with(error.to_string()))?;
    Ok(url)
}

/// The one place that says with which code a failed call ends the process.
impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::MissingCredential(_) => Exit::Credentials,
            ClientError::NotSent { reason: NotSent::OAuth2OnV1_1, .. } => Exit::Credentials,
            ClientError::NotSent { reason: NotSent::NoRandomness, .. } => Exit::Failed,
            ClientError::NotSent { .. } => Exit::Usage,
            ClientError::Transport { .. } => Exit::Network,
            ClientError::StillInvalid { .. } => Exit::Refused,
            _ if error.is_unauthorized() => Exit::Credentials,
            _ if error.api().is_some() => Exit::Refused,
            _ => Exit::Failed,
        };
        let failure = exit.with(format!("{error}{}", further_words(&error)));
        let failure = match advice(&error) {
            Some(advice) => failure.advise(advice),
            None => failure,
        };
        if is_failed_challenge(&error) {
            return failure.advise_also("`aaa doctor URL` looks for the reason");
        }
        failure
    }
}

/// Says whether X challenged a webhook and did not like the answer.
fn is_failed_challenge(error: &ClientError) -> bool {
    let causes = [Cause::CrcAnswer, Cause::CrcLatency, Cause::CrcStatus];
    error.api().is_some_and(|api| {
        api.failure() == Some(&ApiFailure::CrcValidationFailed)
            || api.cause().is_some_and(|cause| causes.contains(&cause))
    })
}

/// Returns what to do: who is new here mostly has no emulator running, or no credentials yet.
fn advice(error: &ClientError) -> Option<&'static str> {
    match error {
        ClientError::Transport { url, error, .. } if !error.maybe_sent() && is_local(url) => Some(
            "nothing listens there: start an emulator with `aaa emulate`, or say with X_API_URL \
             where the API is",
        ),
        ClientError::MissingCredential(missing) => Some(match missing.variables() {
            [["X_BEARER_TOKEN"], ..] => GET_BEARER,
            _ => GET_CREDENTIALS,
        }),
        _ => error.advice(),
    }
}

/// How to come by a bearer token.
pub(crate) const GET_BEARER: &str = "`aaa auth bearer --env >> .env` gets one with the app's consumer key and secret; to try \
     without an account, `aaa emulate --print-env` prints the emulator's";

/// How to come by everything else.
pub(crate) const GET_CREDENTIALS: &str = "copy them from the app's settings at X into the environment or .env; to try without an \
     account, `aaa emulate --print-env` prints the emulator's";

fn is_local(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| is_loopback(&url))
}

/// Returns what X said beside the first of its words: nothing of it is to be lost.
fn further_words(error: &ClientError) -> String {
    /// More would hide what was said first.
    const MOST: usize = 10;
    const LONGEST: usize = 300;
    let problems = error.api().into_iter().flat_map(|api| api.errors().iter().skip(1));
    let words = problems.filter_map(Problem::words).take(MOST);
    let words = words.map(|words| words.chars().take(LONGEST).collect::<String>());
    words.map(|words| format!("; and: {}", output::printable(&words))).collect()
}

#[cfg(test)]
mod tests {
    use aaa_client::v2;
    use bytes::Bytes;

    use super::*;

    fn answered(status: u16, body: &'static str) -> Failure {
        let answer = http::Response::builder().status(status).body(Bytes::from(body)).unwrap();
        v2::list_webhooks().answer(&answer).unwrap_err().into()
    }

    #[test]
    fn what_the_codes_mean() {
        let full = r#"{"errors":[{"code":214,"message":"Too many resources already created."}]}"#;
        let write =
            r#"{"errors":[{"code":261,"message":"Application cannot perform write actions."}]}"#;
        let foreign =
            r#"{"errors":[{"code":348,"message":"Client application is not permitted"}]}"#;
        for (status, body, exit) in [
            (401, "", Exit::Credentials),
            (401, r#"{"errors":[{"code":89,"message":"Invalid token"}]}"#, Exit::Credentials),
            (401, foreign, Exit::Refused),
            (403, write, Exit::Refused),
            (403, full, Exit::Refused),
            (429, "", Exit::Refused),
            (503, "", Exit::Refused),
            (200, "<html>", Exit::Failed),
        ] {
            assert_eq!(answered(status, body).exit(), exit, "{status} {body}");
        }
    }

    #[test]
    fn all_of_xs_words_are_told() {
        let body = r#"{"errors":[{"code":89,"message":"Invalid token"},{"message":"and\u001b[2J more"},{"code":88}]}"#;
        let failure = answered(401, body).to_string();
        insta::assert_snapshot!(failure, @"could not list the webhooks: status 401, code 89: Invalid token; and: and [2J more");
    }

    #[test]
    fn a_failure_says_what_to_do() {
        let body = r#"{"errors":[{"code":214,"message":"High latency on CRC GET request. Your webhook should respond in less than 3 seconds."}]}"#;
        let failure = format!("{:?}", answered(403, body));
        assert!(failure.contains("High latency on CRC") && failure.contains("cold start"));
        assert!(failure.contains("`aaa doctor URL`"), "{failure}");
    }
}
