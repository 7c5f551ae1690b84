use std::time::Duration;

use aaa_client::{AppClient, Client, RetryPolicy, Timeouts};
use rustls::crypto::CryptoProvider;
use tokio::{io::AsyncWriteExt, net::TcpListener};

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn app(url: &str, connect: Duration) -> AppClient {
    Client::builder(url.parse().unwrap())
        .bearer("AAAA".parse().unwrap())
        .retry(RetryPolicy::none())
        .timeouts(Timeouts { connect, ..Timeouts::default() })
        .build()
        .unwrap()
        .app()
}

#[tokio::test]
async fn tls_needs_no_provider_installed_and_installs_none() {
    assert!(CryptoProvider::get_default().is_none());
    let (listener, url) = listener().await;
    let app = app(&url, Duration::from_secs(5));
    let (result, ()) = tokio::join!(app.list_webhooks(), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 no TLS here\r\n\r\n").await.unwrap();
    });
    // The handshake failed, and nothing of the request was told.
    let error = result.unwrap_err();
    assert!(!error.maybe_sent(), "{error}");
    assert!(!error.is_timeout(), "{error}");
    assert!(CryptoProvider::get_default().is_none());
}

#[tokio::test]
async fn a_handshake_without_end_times_out_before_anything_is_sent() {
    let (listener, url) = listener().await;
    let app = app(&url, Duration::from_millis(200));
    let (result, _stream) = tokio::join!(app.list_webhooks(), listener.accept());
    let error = result.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(!error.maybe_sent(), "{error}");
}
