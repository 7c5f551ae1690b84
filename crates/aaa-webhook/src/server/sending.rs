//! An answer whose body is on its way.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};

use super::progress::Progress;

/// A body that notes its end: until then the other side waits, and is not idle.
///
/// That it is dropped is its end, whether all of it was read, or none, as after `HEAD`.
#[derive(Debug)]
pub(super) struct Sending {
    body: Body,
    progress: Progress,
}

impl Sending {
    pub(super) fn new(body: Body, progress: Progress) -> Self {
        Self { body, progress }
    }
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    // These two decide how the answer is framed.
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.progress.sent();
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;

    use super::*;

    #[test]
    fn it_is_framed_as_its_body_is() {
        let sending = |body| Sending::new(body, Progress::default());
        assert!(sending(Body::empty()).is_end_stream());
        let known = sending(Body::from("abc"));
        assert_eq!((known.is_end_stream(), known.size_hint().exact()), (false, Some(3)));
    }
}
