use crate::stage::Stage;
use aaa_webhook::{receiver::Status, server::Server};
#[tokio::test]
async fn show() {
    let Ok(addr) = std::env::var("SHOW") else { return };
    let stage = Stage::new().await;
    stage.store_token(7, "harbour");
    stage.store_token(8, "lighthouse");
    let now = jiff::Timestamp::now();
    crate::day::write(&stage.store, now, crate::day::Size::Full).await;
    eprintln!("written");
    let client = aaa_client::ClientBuilder::new("http://127.0.0.1:1".parse().unwrap())
        .bearer("x".parse().unwrap())
        .build_with(crate::day::Canned);
    let server = Server::bind(addr.parse().unwrap()).await.unwrap();
    let d = aaa_dashboard::Dashboard::new(stage.store.clone(), client)
        .with_tokens(stage.tokens.clone())
        .with_resend(stage.asked.clone());
    let store = stage.store.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            use aaa_replay::coverage::*;
            use aaa_replay::ledger::Ledger;
            let w = jiff::Timestamp::now();
            let _ = store
                .heartbeat(Heartbeat {
                    run: RunId(3),
                    wall: w,
                    uptime: w.duration_since(now) + jiff::SignedDuration::from_mins(29),
                    offset: jiff::SignedDuration::ZERO,
                    offset_read: true,
                    tally: Tally { arrived: 100000, verified: 100000, ..Tally::default() },
                })
                .await;
        }
    });
    server.serve(d.router().unwrap(), Status::default(), std::future::pending()).await;
}
