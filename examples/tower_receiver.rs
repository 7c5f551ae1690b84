//! No framework: the receiver is a tower service, which hyper serves.
//!
//! ```sh
//! cargo run --example tower_receiver -p examples                # an emulated X calls
//! X_CONSUMER_SECRET=… cargo run --example tower_receiver -p examples -- 127.0.0.1:8080
//! ```

#![allow(clippy::print_stdout, reason = "printing is what this example is for")]

use std::{error::Error, time::Duration};

use aaa_store::{Settings, SqliteStore};
use aaa_webhook::{app::App, receiver::Receiver};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, util::MapResponseLayer};

type Failure = Box<dyn Error + Send + Sync>;

async fn serve(listener: TcpListener, receiver: Receiver<SqliteStore>) -> Result<(), Failure> {
    // Any layer of tower goes around it; this one says what was answered.
    let told = MapResponseLayer::new(|answer: hyper::Response<_>| {
        println!("answered: {}", answer.status());
        answer
    });
    let service = ServiceBuilder::new().layer(told).service(receiver);
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
        tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let place = examples::Place::find()?;
    let store = SqliteStore::open(place.directory, Settings::default())?;
    let receiver = Receiver::new(store, App::new("default", place.secret.clone()));
    let listener = TcpListener::bind(&place.bind).await?;
    let url = format!("http://{}/", listener.local_addr()?);
    println!("listening on {url}");
    tokio::select! {
        served = serve(listener, receiver) => served,
        called = place.calls(url) => called,
    }
}
