//! [`VerifiedDelivery`] as an extractor of axum.

use axum::extract::{FromRef, FromRequest, Request};

use super::{Receiver, Refused, Verifier};
use crate::delivery::VerifiedDelivery;

/// Takes a request whose body X signed; any other is answered as the receiver answers it.
///
/// The state has to hold a [`Verifier`], or be a [`Receiver`].
impl<S> FromRequest<S> for VerifiedDelivery
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        Verifier::from_ref(state).verify(request).await
    }
}

impl<I> FromRef<Receiver<I>> for Verifier {
    fn from_ref(receiver: &Receiver<I>) -> Self {
        receiver.verifier.clone()
    }
}
