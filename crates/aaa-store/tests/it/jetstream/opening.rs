//! What is refused, and why.

use super::nats::Nats;

#[tokio::test]
async fn a_server_alone_is_no_three_replicas() {
    let Some(nats) = Nats::one() else { return };
    let settings = aaa_store::jetstream::Settings::default();
    let error = nats.try_open(settings).await.unwrap_err();
    insta::assert_snapshot!(error, @"");
}
