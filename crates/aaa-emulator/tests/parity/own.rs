//! What is the emulator's own, and no claim about X.

use aaa_emulator::{
    Emulator,
    settings::{Settings, TimeMode},
};
use aaa_types::UtcMinute;
use bytes::Bytes;
use http::Method;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use jiff::SignedDuration;
use url::Url;

use crate::{
    flip::flipped,
    stage::{Stage, sign, start},
};

#[test]
fn own_seed() {
    let other = Stage::with(Settings { seed: 0, ..Settings::default() })
        .register("http://127.0.0.1:1/hook");
    assert_eq!(other, "1992080596792853839", "the id of seed 0 at this time");
}

#[test]
fn own_time() {
    let (mut stage, id) = Stage::subscribed(Settings { concurrency: 1000, ..Settings::default() });
    stage.make("favorite_events", 600);
    stage.answer_posts(500);
    stage.pass(SignedDuration::from_mins(40));
    stage.replay(&id, 0, 1);
    assert_eq!(stage.answer_posts(200).len(), 600, "where time stands still nothing is paced");
}

#[tokio::test]
async fn own_start() {
    let settings =
        Settings { time: TimeMode::Virtual, start: Some(start()), ..Settings::default() };
    let emulator = Emulator::builder().settings(flipped(settings)).start().await.unwrap();
    assert_eq!(UtcMinute::floor(emulator.now()).to_string(), "202511220400");
}

#[tokio::test]
async fn own_oauth_time() {
    let settings = Settings { start: Some(start()), ..Settings::default() };
    let emulator = Emulator::builder().settings(flipped(settings)).start().await.unwrap();
    // Clients know the real time only.
    let real = Emulator::start().await.unwrap().now();
    let url =
        Url::parse(&format!("{}/2/account_activity/webhooks/5/subscriptions/all", emulator.url()));
    let url = url.unwrap();
    let request = http::Request::get(url.as_str())
        .header("authorization", sign(7, &Method::GET, &url, "1", real))
        .body(Full::new(Bytes::new()))
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    assert_eq!(client.request(request).await.unwrap().status(), 400, "known, and no such webhook");
}

#[test]
fn own_concurrency() {
    let (mut stage, _) = Stage::subscribed(Settings::default());
    stage.make("favorite_events", 100);
    stage.collect();
    assert_eq!(stage.posts.len(), 64);
}
