//! Where requests come from, through real connections.

use std::net::SocketAddr;

use aaa_webhook::{
    delivery::VerifiedDelivery,
    networks::{Networks, ProxyHeader, Sources, TrustedProxies},
    receiver::{Reason, Receiver, Verifier},
    server::Server,
    signature::{HEADER, Signature},
};
use axum::{Router, http::request::Parts};
use http::Request;
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt;

use crate::support::{BODY, Behaviour, PATH, TOKEN, TestInbox, app, full, post};

fn proxies(header: ProxyHeader) -> TrustedProxies {
    TrustedProxies::new("127.0.0.1, 10.0.0.0/8".parse().unwrap(), header)
}

/// Takes what comes from X's networks.
fn receiver(proxies: TrustedProxies) -> (Receiver<TestInbox>, TestInbox) {
    let inbox = TestInbox::new(Behaviour::Store);
    let sources = Sources::new(Networks::of_x()).behind(proxies);
    (Receiver::new(inbox.clone(), app()).with_sources(sources), inbox)
}

async fn start(receiver: &Receiver<TestInbox>) -> SocketAddr {
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (address, status) = (server.local_addr(), receiver.status());
    let router = receiver.clone().router(PATH);
    tokio::spawn(server.serve(router, status, std::future::pending()));
    address
}

fn delivery(lines: &str) -> String {
    let (signature, length) = (Signature::of(app().active(), BODY.as_bytes()), BODY.len());
    format!(
        "POST {PATH} HTTP/1.1\r\nhost: x\r\n{HEADER}: {signature}\r\n{lines}content-length: {length}\r\n\r\n{BODY}"
    )
}

fn check(lines: &str) -> String {
    format!("GET {PATH}?crc_token={TOKEN} HTTP/1.1\r\nhost: x\r\n{lines}\r\n")
}

/// Returns what is answered to a request and to one more, which ends the connection.
async fn answers(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let last = "PUT /last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let _ = stream.write_all(format!("{request}{last}").as_bytes()).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let read = tokio::time::timeout(std::time::Duration::from_secs(20), read).await;
    let _ = read.expect("the server does not close");
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn behind_a_proxy() {
    for (header, taken, foreign, unclear) in [
        (
            ProxyHeader::XForwardedFor,
            &[
                "x-forwarded-for: 199.59.148.9\r\n",
                "x-forwarded-for: 1.2.3.4\r\nx-forwarded-for: 64.63.15.1:443, 10.1.1.1\r\n",
            ][..],
            &[
                "x-forwarded-for: 199.59.148.9, 1.2.3.4\r\n",
                "x-forwarded-for: 1.2.3.4\r\nforwarded: for=199.59.148.9\r\n",
            ][..],
            &[
                "",
                "forwarded: for=199.59.148.9\r\n",
                "x-forwarded-for: 199.59.148.9, ?\r\n",
                "x-forwarded-for: 10.0.0.1\r\n",
            ][..],
        ),
        (
            ProxyHeader::Forwarded,
            &[
                "forwarded: for=199.59.148.9;proto=https\r\n",
                "forwarded: for=\"1.2.3.4, for=\"64.63.15.1:443\", for=10.1.1.1\r\n",
            ],
            &["forwarded: for=199.59.148.9, for=\"[2001:db8::1]:443\"\r\n"],
            &[
                "",
                "x-forwarded-for: 199.59.148.9\r\n",
                "forwarded: for=199.59.148.9, for=unknown\r\n",
                "forwarded: proto=https\r\n",
            ],
        ),
    ] {
        let (receiver, inbox) = receiver(proxies(header));
        let address = start(&receiver).await;
        for lines in taken {
            for request in [delivery(lines), check(lines)] {
                let answer = answers(address, &request).await;
                assert!(answer.starts_with("HTTP/1.1 200 "), "{lines}: {answer}");
                assert!(answer.contains("HTTP/1.1 404 "), "{lines}: {answer}");
            }
        }
        let stored = inbox.bodies.lock().unwrap().len();
        assert_eq!(stored, taken.len());
        for (refused, words) in [
            (foreign, "requests from this network are not taken"),
            (unclear, "where the request comes from is not clear"),
        ] {
            for lines in refused {
                for request in [delivery(lines), check(lines)] {
                    let answer = answers(address, &request).await;
                    assert!(answer.starts_with("HTTP/1.1 403 "), "{lines}: {answer}");
                    assert!(answer.ends_with(&format!("\r\n\r\n{words}")), "{lines}: {answer}");
                    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
                }
            }
        }
        // It is stored nowhere, it is no refusal that opens a gap, and it has counts of its own.
        assert_eq!(inbox.bodies.lock().unwrap().len(), stored);
        let figures = receiver.status().figures();
        assert_eq!((figures.counts.refusals, figures.counts.rejections), (0, 0));
        let count = |reason| figures.refused.iter().find(|(other, _)| *other == reason).unwrap().1;
        assert_eq!(count(Reason::ForeignSource), 2 * foreign.len() as u64);
        assert_eq!(count(Reason::UnclearSource), 2 * unclear.len() as u64);
    }
}

/// Then whoever connects is the client, and what it says of itself does not count.
#[tokio::test]
async fn without_a_proxy() {
    let (receiver, inbox) = receiver(TrustedProxies::none());
    let address = start(&receiver).await;
    for lines in ["", "x-forwarded-for: 199.59.148.9\r\n", "forwarded: for=199.59.148.9\r\n"] {
        assert!(answers(address, &delivery(lines)).await.starts_with("HTTP/1.1 403 "), "{lines}");
        assert!(answers(address, &check(lines)).await.starts_with("HTTP/1.1 403 "), "{lines}");
    }
    assert!(inbox.bodies.lock().unwrap().is_empty());
    let sources = Sources::new("127.0.0.0/8".parse().unwrap());
    let address = start(&receiver.with_sources(sources)).await;
    for lines in ["", "x-forwarded-for: 1.2.3.4\r\n", "x-forwarded-for: ?\r\n"] {
        assert!(answers(address, &delivery(lines)).await.starts_with("HTTP/1.1 200 "), "{lines}");
        assert!(answers(address, &check(lines)).await.starts_with("HTTP/1.1 200 "), "{lines}");
    }
}

/// Only who holds a secret can sign a check, and who calls their own URL from here holds it too.
#[tokio::test]
async fn a_signed_check_is_answered_wherever_it_comes_from() {
    let (receiver, _) = receiver(proxies(ProxyHeader::XForwardedFor));
    let address = start(&receiver).await;
    let check = |method: &str, secret: &str, lines: &str| {
        let query = format!("crc_token={TOKEN}&nonce=1");
        let signature = Signature::of(&secret.parse().unwrap(), query.as_bytes());
        format!(
            "{method} {PATH}?{query} HTTP/1.1\r\nhost: x\r\n{HEADER}: {signature}\r\n{lines}\r\n"
        )
    };
    for lines in ["", "x-forwarded-for: 1.2.3.4\r\n", "x-forwarded-for: ?\r\n"] {
        let answer = answers(address, &check("GET", "consumer-secret", lines)).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{lines}: {answer}");
        assert!(answer.contains("response_token"), "{lines}: {answer}");
        // Nobody else is, whatever they bring.
        let sized = format!("{lines}content-length: 0\r\n");
        for request in [
            check("GET", "other", lines),
            check("GET", "consumer-secret", &format!("{HEADER}: x\r\n{lines}")),
            check("HEAD", "consumer-secret", lines),
            check("POST", "consumer-secret", &sized),
            delivery(lines),
        ] {
            let answer = answers(address, &request).await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{request}: {answer}");
        }
    }
    let status = receiver.status();
    assert_eq!((status.counts().checks, status.counts().rejections), (3, 0));
}

/// A server of somebody else's, which has to hand the address on.
#[tokio::test]
async fn with_another_server() {
    let (receiver, _) = receiver(proxies(ProxyHeader::XForwardedFor));
    let router = Router::new().route_service(PATH, receiver.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.clone().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let from_x = "x-forwarded-for: 199.59.148.9\r\n";
    assert!(answers(address, &delivery(from_x)).await.starts_with("HTTP/1.1 200 "));
    assert!(answers(address, &delivery("")).await.starts_with("HTTP/1.1 403 "));
    // Without an address nothing is taken, whatever a header says.
    let request = || post(BODY).header("x-forwarded-for", "199.59.148.9");
    let answer = router.oneshot(full(request(), BODY)).await.unwrap();
    assert_eq!(answer.status(), 403);
    let words = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(words, "where the request comes from is not clear");
}

/// Handlers of one's own are behind the same list.
#[tokio::test]
async fn extractor_and_check() {
    let sources = Sources::new(Networks::of_x());
    let verifier = Verifier::new(app()).with_sources(sources);
    let from = |address: &str, mut request: Request<_>| {
        let peer = SocketAddr::new(address.parse().unwrap(), 443);
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        request
    };
    let router = Router::new()
        .route(PATH, axum::routing::post(async |_: VerifiedDelivery| ()))
        .with_state(verifier.clone());
    for (address, status) in [("199.59.148.9", 200), ("1.2.3.4", 403), ("::1", 403)] {
        let request = from(address, full(post(BODY), BODY));
        assert_eq!(router.clone().oneshot(request).await.unwrap().status(), status, "{address}");
        let request = Request::get(format!("{PATH}?crc_token={TOKEN}"));
        let (head, _): (Parts, _) = from(address, full(request, "")).into_parts();
        assert_eq!(verifier.check(&head).status(), status, "{address}");
        let query = format!("crc_token={TOKEN}");
        let signature = Signature::of(app().active(), query.as_bytes()).to_string();
        let request = Request::get(format!("{PATH}?{query}")).header(HEADER, signature);
        let (head, _): (Parts, _) = from(address, full(request, "")).into_parts();
        assert_eq!(verifier.check(&head).status(), 200, "{address}");
    }
}
