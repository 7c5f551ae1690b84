use std::{collections::BTreeMap, sync::Arc};

use axum::{Router, extract::Request, response::IntoResponse};
use http::StatusCode;

use super::Receiver;
use crate::inbox::Inbox;

/// Receivers at paths of one router, the supported way to several apps.
///
/// # Examples
///
/// ```
/// use aaa_webhook::{app::App, receiver::{Paths, Receiver}};
/// # use aaa_webhook::{delivery::VerifiedDelivery, inbox::{Inbox, InboxError, Receipt}};
/// # struct Store;
/// # impl Inbox for Store {
/// #     async fn commit(&self, delivery: VerifiedDelivery) -> Result<Receipt, InboxError> {
/// #         Ok(Receipt { stored: delivery.events().len(), duplicates: 0 })
/// #     }
/// # }
///
/// let main = Receiver::new(Store, App::new("main", "consumer-secret".parse()?));
/// // The same inbox, limits and counts for another app.
/// let shop = main.for_apps(vec![App::new("shop", "secret-of-the-shop".parse()?)]);
/// let paths = Paths::new().at("/webhooks/twitter", main)?.at("/webhooks/shop", shop)?;
/// let router: axum::Router = paths.router();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Paths<I> {
    receivers: BTreeMap<String, Receiver<I>>,
}

impl<I> Default for Paths<I> {
    fn default() -> Self {
        Self { receivers: BTreeMap::new() }
    }
}

impl<I: Inbox> Paths<I> {
    /// Begins without any.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a receiver at a path, which is compared as it is, a slash before it where there is
    /// none: nothing in it is a pattern, and nothing that is asked for is decoded.
    ///
    /// # Errors
    ///
    /// Fails when a receiver is there already. Apps that have to share a path share a receiver,
    /// see [`Receiver::shared`].
    pub fn at(mut self, path: &str, receiver: Receiver<I>) -> Result<Self, PathTaken> {
        let path = absolute(path);
        if self.receivers.contains_key(&path) {
            return Err(PathTaken { path });
        }
        self.receivers.insert(path, receiver);
        Ok(self)
    }

    /// Makes a router of them; everything else is answered 404.
    ///
    /// They are the fallback of the router, so two of these cannot be merged; into a router of
    /// your own goes `route_service(path, receiver)`, or `fallback_service` of this one.
    pub fn router(self) -> Router {
        let receivers = Arc::new(self.receivers);
        Router::new().fallback(move |request: Request| async move {
            match receivers.get(request.uri().path()) {
                Some(receiver) => receiver.answer(request).await.into_response(),
                None => match receivers.values().next() {
                    Some(any) => IntoResponse::into_response(any.no_receiver()),
                    None => StatusCode::NOT_FOUND.into_response(),
                },
            }
        })
    }
}

/// Two receivers were put at one path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is a receiver at `{path}` already: apps that share a path share a receiver")]
pub struct PathTaken {
    path: String,
}

impl PathTaken {
    /// Returns the path.
    pub fn path(&self) -> &str {
        &self.path
    }
}

fn absolute(path: &str) -> String {
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{slash}{path}")
}
