//! A client whose requests go through a transport of one's own: here one that counts and times
//! what it hands on to reqwest. The same trait carries requests over another HTTP stack, a
//! corporate proxy, or none at all, in tests.
//!
//! ```sh
//! cargo run --example custom_transport -p examples                 # an emulated X
//! X_BEARER_TOKEN=… cargo run --example custom_transport -p examples
//! ```

#![allow(clippy::print_stdout, reason = "printing is what this example is for")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aaa_client::{
    ApiVersion, ClientBuilder, ReqwestTransport, Timeouts, Transport, TransportError,
};
use examples::{Account, Failure};
use http::{Request, Response};

/// Counts requests, and says what came of each.
struct Counted<T> {
    inner: T,
    requests: AtomicUsize,
}

impl<T: Transport> Transport for Counted<T> {
    async fn send(
        &self,
        request: Request<bytes::Bytes>,
    ) -> Result<Response<bytes::Bytes>, TransportError> {
        // The path and never the headers: those hold credentials.
        let what = format!("{} {}", request.method(), request.uri().path());
        self.requests.fetch_add(1, Ordering::Relaxed);
        let answer = self.inner.send(request).await;
        match &answer {
            Ok(answer) => println!("{what}: {}", answer.status()),
            Err(error) => println!("{what}: {error}"),
        }
        answer
    }

    fn pause(&self, duration: Duration) -> Option<impl Future<Output = ()> + Send> {
        self.inner.pause(duration)
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let account = Account::find().await?;
    let inner = ReqwestTransport::new(&account.found.api, Timeouts::default())?;
    let transport = Arc::new(Counted { inner, requests: AtomicUsize::new(0) });
    let client = ClientBuilder::new(account.found.api.clone())
        .version(ApiVersion::V2)
        .credentials(account.found.credentials.clone())
        .build_with(Arc::clone(&transport));
    for webhook in client.app().list_webhooks().await? {
        println!("{} {}", webhook.id, webhook.url);
    }
    let count = client.app().count_subscriptions().await?;
    println!("{} of {} subscriptions", count.subscriptions_count_all, count.provisioned_count);
    println!("{} requests", transport.requests.load(Ordering::Relaxed));
    Ok(())
}
