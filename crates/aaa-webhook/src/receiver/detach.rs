//! Work that goes on when whoever waits for it goes away.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::runtime::Handle;

/// Runs within whoever polls it, which costs nothing; only when it is dropped before its end does
/// it get a task of its own, in which it ends.
pub(super) struct Detached<F>(Option<Pin<Box<F>>>)
where
    F: Future<Output: Send> + Send + 'static;

/// The work panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Panicked;

impl<F: Future<Output: Send> + Send + 'static> Detached<F> {
    pub(super) fn new(work: F) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for Detached<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(work) = &mut self.0 else { return Poll::Pending };
        // What panicked is not polled again, so nobody sees it half done.
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        let done = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(done)) => Ok(done),
            Err(_) => Err(Panicked),
        };
        self.0 = None;
        Poll::Ready(done)
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Detached<F> {
    fn drop(&mut self) {
        // Without a runtime nothing polled it either.
        if let Some((work, runtime)) = self.0.take().zip(Handle::try_current().ok()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{sync::oneshot, time::timeout};

    use super::*;

    #[tokio::test]
    async fn what_is_dropped_goes_on() {
        let ((go, gone), (done, ended)) = (oneshot::channel::<u8>(), oneshot::channel());
        let work = Detached::new(async move { done.send(gone.await.unwrap()).unwrap() });
        timeout(Duration::ZERO, work).await.unwrap_err();
        go.send(7).unwrap();
        assert_eq!(timeout(Duration::from_secs(10), ended).await.unwrap(), Ok(7));
    }

    #[tokio::test]
    async fn what_ends_does_not() {
        assert_eq!(Detached::new(async { 7 }).await, Ok(7));
        let (done, ended) = oneshot::channel::<u8>();
        let work = Detached::new(async move {
            assert!(done.is_closed(), "it panics, and is not begun again");
        });
        assert_eq!(work.await, Err(Panicked));
        assert!(ended.await.is_err());
    }
}
