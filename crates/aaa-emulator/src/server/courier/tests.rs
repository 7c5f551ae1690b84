use jiff::SignedDuration;
use proptest::prelude::*;
use tokio::net::TcpListener;

use super::*;
use crate::world::DeliveryId;

fn post(uri: &str, body: &str) -> Post {
    Post {
        id: DeliveryId::for_tests(),
        uri: uri.to_owned(),
        signature: "sha256=x".to_owned(),
        headers: vec![("x-more", "1".to_owned())],
        body: Bytes::copy_from_slice(body.as_bytes()),
        wire: Wire::Whole,
        deadline: SignedDuration::from_secs(1),
    }
}

/// Answers each connection with the next texts, as requests come; an empty one ends it.
async fn serve(
    connections: Vec<Vec<&'static str>>,
) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/hook?a=b", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answers in connections {
            let (mut stream, _) = listener.accept().await.unwrap();
            for answer in answers {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n{}") {
                    if stream.read_buf(&mut request).await.unwrap() == 0 {
                        break;
                    }
                }
                requests.push(String::from_utf8(request).unwrap());
                // In pieces, so that nothing depends on how they come.
                for piece in answer.as_bytes().chunks(7) {
                    stream.write_all(piece).await.unwrap();
                    stream.flush().await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        }
        requests
    });
    (uri, serving)
}

async fn ask(courier: &Courier, uri: &str) -> Result<(u16, String), String> {
    let answer = courier.post(place(uri).unwrap(), &post(uri, "{}")).await;
    let text = |answer: Answer| (answer.status, String::from_utf8(answer.body.to_vec()).unwrap());
    answer.map(text).map_err(|error| error.to_string())
}

#[tokio::test]
async fn one_connection_for_answers_of_every_form() {
    let (uri, serving) = serve(vec![vec![
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nfull",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\na: b\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\n\r\ngone",
    ]])
    .await;
    let courier = Courier::default();
    for expected in [(200, ""), (503, "full"), (200, "abcd"), (204, ""), (404, "gone")] {
        assert_eq!(ask(&courier, &uri).await, Ok((expected.0, expected.1.to_owned())));
    }
    let requests = serving.await.unwrap();
    let (authority, target) = place(&uri).unwrap();
    let expected = format!(
        "POST {target} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\n\
         x-twitter-webhooks-signature: sha256=x\r\nx-more: 1\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    assert_eq!(requests, [expected.as_str(); 5]);
}

#[tokio::test]
async fn a_connection_that_ended_is_replaced_and_a_broken_answer_is_an_error() {
    let (uri, serving) = serve(vec![
        vec!["HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"],
        vec!["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nno"],
        vec!["nonsense\r\n\r\n"],
        vec!["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n"],
        vec!["HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello"],
        vec!["HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"],
    ])
    .await;
    let courier = Courier::default();
    assert_eq!(ask(&courier, &uri).await, Ok((200, String::new())));
    assert_eq!(ask(&courier, &uri).await.unwrap_err(), "it ended before the answer did");
    for words in ["invalid HTTP version", "a chunk has no size", "its length is no number"] {
        let error = ask(&courier, &uri).await.unwrap_err();
        assert_eq!(error, format!("the answer is not HTTP: {words}"));
    }
    assert_eq!(ask(&courier, &uri).await, Ok((200, "ok".to_owned())));
    serving.await.unwrap();
    assert!(ask(&courier, &uri).await.unwrap_err().contains("refused"));
}

#[test]
fn places() {
    assert_eq!(place("http://localhost:1/a?b=c"), Some(("localhost:1", "/a?b=c")));
    assert_eq!(place("http://[::1]:80/"), Some(("[::1]:80", "/")));
    for other in [
        "https://localhost/",
        "http://localhost",
        "http://a@localhost/",
        "http://x/#y",
        "http://x?y",
    ] {
        assert_eq!(place(other), None, "{other}");
    }
}

/// Nobody smuggles a header or a request into another one.
#[test]
fn what_would_not_stand_in_a_request_goes_another_way() {
    let uri = "http://localhost:1/";
    assert_eq!(place_of(&post(uri, "")), Some(("localhost:1", "/")));
    let signature = |signature: &str| Post { signature: signature.to_owned(), ..post(uri, "") };
    assert_eq!(place_of(&signature("a\r\nx: y")), None);
    let headers = vec![("x", "a\nb".to_owned())];
    assert_eq!(place_of(&Post { headers, ..post(uri, "") }), None);
    assert_eq!(place_of(&Post { wire: Wire::Reset, ..post(uri, "") }), None);
    assert_eq!(place_of(&post("http://localhost:1/a b", "")), None);
}

proptest! {
    #[test]
    fn no_answer_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..60) {
        let _ = head(&bytes);
        let text = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: Close\r\n\r\nhello";
        let whole = head(&text[..cut.min(text.len())]).unwrap();
        prop_assert!(whole.is_none() || cut >= text.len() - 5);
    }
}
