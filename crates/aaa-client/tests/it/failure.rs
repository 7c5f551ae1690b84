use std::time::Duration;

use aaa_auth::UserCredential;
use aaa_client::{Client, ClientError, RetryPolicy, Timeouts};
use aaa_types::api::NewDirectMessage;
use jiff::Timestamp;
use tokio::{io::AsyncWriteExt, net::TcpListener};

use crate::server::{Reply, Server, client, read};

const LIMIT: usize = 1024 * 1024;

async fn fails(client: &Client) -> ClientError {
    client.app().list_webhooks().await.unwrap_err()
}

/// An address where nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_back() {
    let headers = ["x-rate-limit-limit: 450", "x-rate-limit-reset: 1763784040"];
    let body = r#"{"errors":[{"code":88,"message":"Rate limit exceeded"}]}"#;
    let server = Server::start(&[Reply::new(429, &headers, body)]).await;
    let error = fails(&server.client()).await;
    assert!(error.is_retryable());
    let now: Timestamp = "2025-11-22T04:00:00Z".parse().unwrap();
    assert_eq!(error.retry_after(now).unwrap().as_secs(), 40);
}

#[tokio::test]
async fn a_refused_connection_was_surely_not_sent() {
    let error = fails(&client(&nobody().await)).await;
    assert!(!error.maybe_sent(), "{error}");
    assert!(error.is_retryable());
    assert!(!error.is_timeout());
    let text = error.to_string();
    let begin = "could not list the webhooks: GET http://127.0.0.1:";
    assert!(text.starts_with(begin), "{text}");
    assert!(text.contains("/2/webhooks: no connection, nothing was sent: "), "{text}");
}

#[tokio::test]
async fn a_connection_lost_after_the_request_may_have_been_sent() {
    let cut_short = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"data\":[".to_vec();
    for reply in [Reply::Close, Reply::Raw(b"HTTP/1.1 200 O".to_vec()), Reply::Raw(cut_short)] {
        let server = Server::start(&[reply]).await;
        let error = fails(&server.client()).await;
        assert!(error.maybe_sent(), "{error}");
        assert!(error.is_retryable(), "{error}");
        assert_eq!(server.seen().len(), 1, "it was sent again");
    }
}

/// No layer below repeats what a kept connection may have carried before it ended.
#[tokio::test]
async fn a_message_on_a_kept_connection_is_sent_once() {
    const LIST: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]";
    for rest in [&b""[..], b"HTTP/1.1 201 Created\r\ncontent-length: 90\r\n\r\n{\"data\":"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = client(&format!("http://{}", listener.local_addr().unwrap()))
            .with_retry(RetryPolicy::default());
        let server = tokio::spawn(async move {
            let mut stream = listener.accept().await.unwrap().0;
            read(&mut stream).await.unwrap();
            stream.write_all(LIST).await.unwrap();
            // The same connection.
            read(&mut stream).await.unwrap();
            stream.write_all(rest).await.unwrap();
            drop(stream);
            // Nobody comes back, not before the next call.
            let mut stream = listener.accept().await.unwrap().0;
            let next = read(&mut stream).await.unwrap().line;
            stream.write_all(LIST).await.unwrap();
            next
        });
        client.app().list_webhooks().await.unwrap();
        let user = client.user(UserCredential::OAuth2("token".parse().unwrap()));
        let message = NewDirectMessage::text("hello").unwrap();
        let sent = user.send_direct_message(8.try_into().unwrap(), &message).await;
        assert!(sent.unwrap_err().maybe_done());
        client.app().list_webhooks().await.unwrap();
        assert_eq!(server.await.unwrap(), "GET /2/webhooks");
    }
}

#[tokio::test]
async fn a_silent_server_times_out() {
    let server = Server::start(&[Reply::Silence]).await;
    let client = Client::builder(format!("http://{}", server.address).parse().unwrap())
        .bearer("AAAA".parse().unwrap())
        .retry(RetryPolicy::none())
        .timeouts(Timeouts { total: Duration::from_millis(200), ..Timeouts::default() })
        .build()
        .unwrap();
    let error = fails(&client).await;
    assert!(error.is_timeout(), "{error}");
    assert!(error.maybe_sent());
    assert!(error.is_retryable());
}

#[tokio::test]
async fn an_answer_above_the_limit_is_refused() {
    // One byte decides.
    let json = |length: usize| format!("[{}]", " ".repeat(length - 2));
    let fits = Server::start(&[Reply::new(200, &[], &json(LIMIT))]).await;
    assert_eq!(fits.client().app().list_webhooks().await, Ok(Vec::new()));

    let too_large = Reply::new(200, &[], &json(LIMIT + 1));
    let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..40 {
        chunked.extend_from_slice(b"8000\r\n");
        chunked.extend(std::iter::repeat_n(b' ', 0x8000));
        chunked.extend_from_slice(b"\r\n");
    }
    for reply in [too_large, Reply::Raw(chunked)] {
        let server = Server::start(&[reply]).await;
        let error = fails(&server.client()).await;
        assert!(error.to_string().contains("larger than 1048576 bytes"), "{error}");
        assert!(error.maybe_sent());
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = Server::start(&[Reply::new(200, &[], "[]")]).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: http://{}/2/webhooks", elsewhere.address);
        let server = Server::start(&[Reply::new(status, &[&location], "")]).await;
        let error = fails(&server.client()).await;
        assert_eq!(error.api().unwrap().status(), status);
        assert_eq!(server.seen().len(), 1);
    }
    assert!(elsewhere.seen().is_empty(), "the credential went elsewhere");
}

#[tokio::test]
async fn no_answer_in_http_is_no_answer() {
    let server = Server::start(&[Reply::Raw(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec())]).await;
    let error = fails(&server.client()).await;
    assert!(matches!(error, ClientError::Transport { .. }), "{error}");
    assert!(error.maybe_sent());
}

#[tokio::test]
async fn errors_show_neither_secret_nor_query() {
    let window = aaa_types::ReplayWindow::new(
        "202511220400".parse().unwrap(),
        "202511220430".parse().unwrap(),
    );
    let client = Client::builder(nobody().await.parse().unwrap())
        .bearer("AAAA".parse().unwrap())
        .retry(RetryPolicy::none())
        .replay_route(aaa_client::v2::ReplayRoute::AccountActivity)
        .build()
        .unwrap();
    let id = "12".parse().unwrap();
    let error = client.app().create_replay(id, window.unwrap()).await.unwrap_err();
    for shown in [format!("{error}"), format!("{error:?}"), format!("{client:?}")] {
        assert!(!shown.contains("AAAA") && !shown.contains("from_date"), "{shown}");
    }
}
