use aaa_types::UserId;

use crate::ClientError;

/// How it ended for each user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkReport<O> {
    results: Vec<(UserId, BulkResult<O>)>,
    stopped_by: Option<usize>,
}

/// How it ended for one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkResult<O> {
    /// What was wanted holds.
    Done(O),
    /// It failed, for this user or for everybody.
    Failed(ClientError),
    /// It was not tried, since an earlier failure would have hit everybody.
    NotTried,
}

/// How the end of a subscription came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Removed {
    /// The user was subscribed, and is no more.
    Removed,
    /// The user was not subscribed.
    WasAbsent,
}

/// One user is done.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct BulkProgress<'a, O> {
    /// The user.
    pub user: UserId,
    /// How many users are done, this one included.
    pub done: usize,
    /// How many there are in all.
    pub total: usize,
    /// How it ended for this user.
    pub result: Result<&'a O, &'a ClientError>,
}

impl<O> BulkReport<O> {
    /// Returns the result of each user, in the order in which they were given.
    pub fn results(&self) -> &[(UserId, BulkResult<O>)] {
        &self.results
    }

    /// Returns the failure that stopped everything, and the user whom it met. Others may have met
    /// the same.
    pub fn stopped_by(&self) -> Option<(UserId, &ClientError)> {
        match self.results.get(self.stopped_by?) {
            Some((user, BulkResult::Failed(error))) => Some((*user, error)),
            _ => None,
        }
    }

    /// Says whether what was wanted holds for everybody.
    pub fn is_complete(&self) -> bool {
        self.results.iter().all(|(_, result)| matches!(result, BulkResult::Done(_)))
    }

    pub(super) fn expect(&mut self, user: UserId) {
        self.results.push((user, BulkResult::NotTried));
    }

    pub(super) fn note(&mut self, index: usize, result: Result<O, ClientError>, stops: bool) {
        if stops && result.is_err() {
            self.stopped_by.get_or_insert(index);
        }
        if let Some((_, noted)) = self.results.get_mut(index) {
            *noted = match result {
                Ok(done) => BulkResult::Done(done),
                Err(error) => BulkResult::Failed(error),
            };
        }
    }
}

impl<O> Default for BulkReport<O> {
    fn default() -> Self {
        Self { results: Vec::new(), stopped_by: None }
    }
}
