//! Many users at a time.

mod judge;
mod report;

use std::{fmt, num::NonZeroUsize};

use aaa_auth::UserCredential;
use aaa_types::{UserId, WebhookId};
use futures_util::{StreamExt, stream::FuturesUnordered};

use self::judge::Judge;
pub use self::report::{BulkProgress, BulkReport, BulkResult, Removed};
#[cfg(feature = "reqwest")]
use crate::ReqwestTransport;
use crate::{
    ApiVersion, Client, ClientError, Ensured, Operation, Transport,
    answer::{is_absent_v1_1, is_named_absent},
};

/// How many calls are under way at once, unless told otherwise.
const CONCURRENCY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);

/// Subscribes or unsubscribes many users of one webhook. [`Client::bulk`] returns it.
///
/// A few calls are under way at once (4 by default). Each user has a result of their own, and one
/// user's failure does not stop the others. What would hit everybody does: the webhook does not
/// exist, the plan allows no more subscriptions, the app's credentials are refused, a rate limit
/// ends later than the [`RetryPolicy`](crate::RetryPolicy) waits, X cannot be reached. Then no
/// further call begins, and those under way are awaited.
///
/// When the last answer said that no call is left, the next one begins after the reset.
///
/// # Examples
///
#[cfg_attr(feature = "reqwest", doc = "```no_run")]
#[cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
/// use aaa_auth::{UserCredential, UserToken};
/// use aaa_client::BulkResult;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = aaa_client::Client::builder(aaa_client::ApiUrl::X.parse()?).build()?;
/// let user = UserCredential::from(UserToken::new("7-token".parse()?, "7-secret".parse()?));
/// let bulk = client.bulk("1234577122340233217".parse()?);
/// let report = bulk
///     .subscribe([("7".parse()?, user)], |step| eprintln!("{} of {}", step.done, step.total))
///     .await;
/// for (user, result) in report.results() {
///     if let BulkResult::Failed(error) = result {
///         eprintln!("user {user}: {error}");
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Bulk<
    #[cfg(feature = "reqwest")] T = ReqwestTransport,
    #[cfg(not(feature = "reqwest"))] T,
> {
    client: Client<T>,
    webhook: WebhookId,
    concurrency: NonZeroUsize,
}

impl<T: Transport> Bulk<T> {
    pub(crate) fn new(client: Client<T>, webhook: WebhookId) -> Self {
        Self { client, webhook, concurrency: CONCURRENCY }
    }

    /// Changes how many calls are under way at once.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: NonZeroUsize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Subscribes users, each with their own credential. One who is subscribed already counts as
    /// done. The id only names the user in the report: X reads it from the credential.
    ///
    /// `progress` is called after each of them.
    pub async fn subscribe(
        &self,
        users: impl IntoIterator<Item = (UserId, UserCredential)>,
        progress: impl FnMut(&BulkProgress<'_, Ensured>),
    ) -> BulkReport<Ensured> {
        let judge = Judge::of_users();
        let subscribe = |credential: UserCredential| {
            let (user, webhook) = (self.client.user(credential), self.webhook);
            async move { user.ensure_subscription(webhook).await }
        };
        self.each(Operation::CreateSubscription, judge, users, subscribe, progress).await
    }

    /// Ends the subscriptions of users, with the app's bearer token. One who is not subscribed
    /// counts as done.
    ///
    /// `progress` is called after each of them.
    pub async fn unsubscribe(
        &self,
        users: impl IntoIterator<Item = UserId>,
        progress: impl FnMut(&BulkProgress<'_, Removed>),
    ) -> BulkReport<Removed> {
        let users = users.into_iter().map(|user| (user, user));
        let remove = |user| {
            let bulk = self.clone();
            async move { bulk.remove(user).await }
        };
        self.each(Operation::RemoveSubscription, Judge::of_app(), users, remove, progress).await
    }

    async fn remove(&self, user: UserId) -> Result<Removed, ClientError> {
        let is_absent = match self.client.version() {
            ApiVersion::V2 => is_named_absent,
            ApiVersion::V1_1 => is_absent_v1_1,
        };
        match self.client.app().remove_subscription(self.webhook, user).await {
            Ok(_) => Ok(Removed::Removed),
            Err(error) if error.api().is_some_and(is_absent) => Ok(Removed::WasAbsent),
            Err(error) => Err(error),
        }
    }

    /// Does the same for each user, a few at a time.
    async fn each<P, O, F>(
        &self,
        operation: Operation,
        mut judge: Judge,
        users: impl IntoIterator<Item = (UserId, P)>,
        act: impl Fn(P) -> F,
        mut progress: impl FnMut(&BulkProgress<'_, O>),
    ) -> BulkReport<O>
    where
        F: Future<Output = Result<O, ClientError>>,
    {
        let mut report = BulkReport::default();
        let mut waiting = Vec::new();
        for (index, (user, param)) in users.into_iter().enumerate() {
            report.expect(user);
            waiting.push((index, user, param));
        }
        let (total, mut done) = (waiting.len(), 0);
        let mut waiting = waiting.into_iter().peekable();
        let mut running = FuturesUnordered::new();
        loop {
            while !judge.stops() && running.len() < self.concurrency.get() {
                if waiting.peek().is_some() && self.client.is_exhausted(operation) {
                    if !running.is_empty() {
                        break;
                    }
                    self.client.wait_for_reset(operation).await;
                }
                let Some((index, user, param)) = waiting.next() else { break };
                let act = act(param);
                running.push(async move { (index, user, act.await) });
            }
            let Some((index, user, result)) = running.next().await else { return report };
            done += 1;
            judge.hear(&result);
            progress(&BulkProgress { user, done, total, result: result.as_ref() });
            report.note(index, result, judge.stops());
        }
    }
}

impl<T> Clone for Bulk<T> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), webhook: self.webhook, concurrency: self.concurrency }
    }
}

impl<T> fmt::Debug for Bulk<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulk")
            .field("client", &self.client)
            .field("webhook", &self.webhook)
            .field("concurrency", &self.concurrency)
            .finish()
    }
}
