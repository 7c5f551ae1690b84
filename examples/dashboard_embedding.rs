//! Pages for people in a program of your own, beside its receiver and under a path of its router.
//!
//! ```sh
//! cargo run --example dashboard_embedding -p examples          # an emulated X calls
//! X_CONSUMER_SECRET=… X_BEARER_TOKEN=… \
//!     cargo run --example dashboard_embedding -p examples -- 127.0.0.1:8080
//! ```

#![allow(clippy::print_stdout, reason = "printing is what this example is for")]

use std::{error::Error, future};

use aaa_auth::tokens::TokenFile;
use aaa_client::{ApiVersion, ReqwestTransport, Timeouts};
use aaa_dashboard::{ActionFuture, Dashboard, Resend};
use aaa_store::{Settings, SqliteStore};
use aaa_webhook::{
    app::App,
    consumer::StoredDelivery,
    receiver::{Receiver, Status},
    server::Server,
    signature,
};
use axum::{Router, routing::get};
use http::{Request, Uri, uri::Scheme};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let place = examples::Place::find()?;
    let account = place.account().await?;
    let client = account.client(ApiVersion::V2)?;
    let store = SqliteStore::open(place.directory, Settings::default())?;
    let committed = store.subscribe();
    let receiver = Receiver::new(store.clone(), App::new("default", place.secret.clone()));
    let (status, public) = (receiver.status(), Server::bind(place.bind.parse()?).await?);
    let url = format!("http://{}/webhooks/twitter", public.local_addr());
    println!("listening on {url}");

    // Without a password it answers only this machine, and never on the listener that X reaches.
    let pages = Dashboard::new(store, client.clone())
        .at("/dashboard")
        .with_tokens(TokenFile::new(format!("{}/tokens.json", place.directory)))
        .with_resend(Again { usual: url.clone() })
        .woken_by(committed)
        .router()?;
    let own = Router::new().route("/", get(async || "your own pages")).merge(pages);
    let private = Server::bind("127.0.0.1:0".parse()?).await?;
    println!("dashboard on http://{}/dashboard", private.local_addr());

    let router = receiver.router("/webhooks/twitter");
    tokio::join!(
        public.serve(router, status, future::pending()),
        private.serve(own, Status::default(), future::pending()),
        async {
            if account.emulator().is_some()
                && let Err(error) = examples::let_things_happen(&account, &client, url).await
            {
                println!("the emulated X failed: {error}");
            }
        },
    );
    Ok(())
}

/// Posts a stored delivery once more, as it came: byte for byte, with X's signature.
struct Again {
    usual: String,
}

impl Resend for Again {
    fn resend(&self, delivery: StoredDelivery, to: Option<String>) -> ActionFuture<'_> {
        let to = to.unwrap_or_else(|| self.usual.clone());
        // The page shows what went wrong in these words.
        Box::pin(async move {
            let uri: Uri = to.parse().map_err(|_| format!("{to} cannot be called"))?;
            let scheme = uri.scheme().unwrap_or(&Scheme::HTTP);
            let transport = ReqwestTransport::for_scheme(scheme, Timeouts::default());
            let transport = transport.map_err(|error| error.to_string())?;
            let request = Request::post(&uri)
                .header(signature::HEADER, delivery.signature())
                .body(delivery.body().clone());
            let request = request.map_err(|error| error.to_string())?;
            let answer = transport.send_for_head(request).await;
            let status = answer.map_err(|error| error.to_string())?.status();
            let words = format!("{to} answered {status}");
            if status.is_success() { Ok(words) } else { Err(words) }
        })
    }

    fn usual(&self) -> Option<String> {
        Some(self.usual.clone())
    }
}
