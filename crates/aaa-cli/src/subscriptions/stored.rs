//! Subscribes every user whose token is stored.

use aaa_auth::{
    UserCredential,
    tokens::{TokenFile, Tokens},
};
use aaa_client::{BulkReport, BulkResult, Client, Ensured};
use aaa_types::{UserId, WebhookId};
use serde::Serialize;

use crate::{
    exit::{Exit, Failure},
    output,
    table::Table,
};

/// How it ended for a user, in JSON.
#[derive(Serialize)]
struct State {
    webhook_id: WebhookId,
    user_id: UserId,
    /// Null when a call failed: then nobody knows.
    subscribed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Subscribes them, a few at a time. One who is subscribed already stays so.
///
/// # Errors
///
/// Fails when nobody's token is stored, and when one of them is not subscribed at the end; then
/// what was reached is printed all the same.
pub(super) async fn add(
    client: &Client,
    webhook: WebhookId,
    file: &TokenFile,
    json: bool,
) -> Result<(), Failure> {
    let tokens = file.read().map_err(|error| Exit::Credentials.of("users' tokens", error))?;
    if tokens.is_empty() {
        let words = format!("no user's token is in `{}`", file.path().display());
        return Err(Exit::Credentials.with(words).advise("`aaa auth login` asks a user for one"));
    }
    let users: Vec<_> = tokens
        .iter()
        .map(|(user, stored)| (user, UserCredential::from(stored.token.clone())))
        .collect();
    let tell =
        |step: &aaa_client::BulkProgress<'_, Ensured>| output::progress(step.done, step.total);
    let report = client.bulk(webhook).subscribe(users, tell).await;
    if json {
        let states = report.results().iter().map(|(user, result)| state(webhook, *user, result));
        output::json(&states.collect::<Vec<_>>())?;
    } else {
        print(&report, &tokens)?;
    }
    verdict(&report)
}

fn state(webhook_id: WebhookId, user_id: UserId, result: &BulkResult<Ensured>) -> State {
    let (subscribed, error) = match result {
        BulkResult::Done(_) => (Some(true), None),
        BulkResult::Failed(error) => (None, Some(error.to_string())),
        BulkResult::NotTried => (None, Some("not tried".to_owned())),
    };
    State { webhook_id, user_id, subscribed, error }
}

fn print(report: &BulkReport<Ensured>, tokens: &Tokens) -> Result<(), Failure> {
    let mut table = Table::new(["USER", "NAME", "STATE"]);
    for (user, result) in report.results() {
        let name = tokens.get(*user).and_then(|stored| stored.screen_name.as_ref());
        let state = match result {
            BulkResult::Done(Ensured::Existed) => "was subscribed already".to_owned(),
            BulkResult::Done(_) => "subscribed".to_owned(),
            BulkResult::Failed(error) => error.to_string(),
            BulkResult::NotTried => "not tried, since the same would have happened".to_owned(),
        };
        let name = name.map_or_else(|| "-".to_owned(), |name| format!("@{name}"));
        table.row([user.to_string(), name, state]);
    }
    table.print()
}

/// Fails as the first of the failures does.
fn verdict(report: &BulkReport<Ensured>) -> Result<(), Failure> {
    let failures = report.results().iter().filter_map(|(user, result)| match result {
        BulkResult::Failed(error) => Some((*user, error)),
        _ => None,
    });
    let Some((user, error)) = report.stopped_by().or_else(|| failures.into_iter().next()) else {
        return Ok(());
    };
    let done = report.results().iter().filter(|(_, r)| matches!(r, BulkResult::Done(_))).count();
    let all = report.results().len();
    let failure = Failure::from(error.clone());
    Err(failure.about(&format!("{done} of {all} users are subscribed; user {user}")))
}
