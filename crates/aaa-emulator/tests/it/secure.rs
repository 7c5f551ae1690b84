//! `https` webhooks.

use std::{path::PathBuf, sync::Arc};

use aaa_emulator::{Emulator, Trust, control::Trigger, credentials};
use aaa_webhook::crc::CrcToken;
use http::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use crate::support::{call, subscribe, user};

/// The certificates that the receiver's own tests use; they are for `localhost`.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../aaa-webhook/tests/it/tls").join(name)
}

fn trust(name: &str) -> Trust {
    Trust::from_pem(&std::fs::read(file(&format!("{name}.pem"))).unwrap()).unwrap()
}

/// A webhook behind TLS, with the first certificate. It answers challenges rightly, and deliveries
/// with 200.
async fn secure_webhook() -> (String, JoinHandle<()>) {
    let chain = vec![CertificateDer::from_pem_file(file("first.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("first.key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/hook", listener.local_addr().unwrap().port());
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Whoever does not trust the certificate ends here.
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut head = Vec::new();
                while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => return,
                    }
                }
                let head = String::from_utf8(head).unwrap();
                let query = head.split(' ').nth(1).and_then(|target| target.split_once('?'));
                let body = query.map(|(_, query)| {
                    let secret = credentials::CONSUMER_SECRET.parse().unwrap();
                    CrcToken::from_query(query).unwrap().answer(&secret)
                });
                let body = body.unwrap_or_default();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            });
        }
    });
    (url, server)
}

#[tokio::test]
async fn a_trusted_webhook_is_called_over_tls() {
    let (url, server) = secure_webhook().await;
    let emulator = Emulator::builder().trust(trust("first")).start().await.unwrap();
    let got = call(&emulator, Method::POST, "/2/webhooks", json!({ "url": url })).await;
    assert_eq!(got.status, 200, "{got:?}");
    let webhook = got.body["data"]["id"].as_str().unwrap().parse().unwrap();
    subscribe(&emulator, webhook, 7).await;
    emulator.trigger_and_wait(&Trigger::new("favorite_events", user(7))).await.unwrap();
    assert!(emulator.ledger().events[0].acknowledged_at.is_some());
    server.abort();
}

/// Failed TLS is no passing trouble: the webhook is invalid at once.
#[tokio::test]
async fn failed_tls_is_told_and_invalidates_at_once() {
    let (url, server) = secure_webhook().await;
    for (builder, words) in [
        (Emulator::builder(), "the emulator trusts no certificates"),
        (Emulator::builder().trust(trust("second")), "invalid peer certificate"),
    ] {
        let emulator = builder.start().await.unwrap();
        let got = call(&emulator, Method::POST, "/2/webhooks", json!({ "url": url })).await;
        assert_eq!(got.status, 400);
        assert!(got.error().starts_with("CrcValidationFailed: TLS failed: "), "{}", got.error());
        assert!(got.error().contains(words), "{}", got.error());
    }
    server.abort();

    // A webhook that has spoken TLS and speaks none any more.
    let (url, server) = secure_webhook().await;
    let emulator = Emulator::builder().trust(trust("first")).start().await.unwrap();
    let got = call(&emulator, Method::POST, "/2/webhooks", json!({ "url": url })).await;
    let id = got.body["data"]["id"].as_str().unwrap().to_owned();
    server.abort();
    let _ = server.await;
    let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next()).unwrap();
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await.unwrap();
    let plain = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            // The hello is read first: what is unread at the end resets the connection.
            let mut hello = [0; 1024];
            let _ = stream.read(&mut hello).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let got = call(&emulator, Method::PUT, &format!("/2/webhooks/{id}"), json!({})).await;
    assert_eq!(got.status, 400);
    assert!(got.error().contains("TLS failed"), "{}", got.error());
    assert!(!emulator.state().webhooks[0].valid, "at once");
    plain.abort();
}
