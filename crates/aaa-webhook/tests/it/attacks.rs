//! What is sent to do harm, or by mistake, and what comes back: one table.

use std::{fmt::Write, net::SocketAddr, time::Duration};

use aaa_webhook::{
    receiver::{self, Receiver},
    server::{Limits, Server},
    signature::{HEADER, Signature},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{BODY, Behaviour, PATH, TOKEN, TestInbox, app};

/// Follows whatever is sent: it is answered when the connection was left open.
const NEXT: &str = "GET /next HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

struct Receiving {
    address: SocketAddr,
    inbox: TestInbox,
}

async fn start() -> Receiving {
    let inbox = TestInbox::new(Behaviour::Store);
    let mut limits = receiver::Limits::default();
    limits.body = 4096;
    limits.body_time = Duration::from_millis(300);
    let receiver = Receiver::new(inbox.clone(), app()).with_limits(limits);
    let mut limits = Limits::default();
    limits.header_time = Duration::from_millis(300);
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap().with_limits(limits);
    let address = server.local_addr();
    let status = receiver.status();
    tokio::spawn(server.serve(receiver.router(PATH), status, std::future::pending()));
    Receiving { address, inbox }
}

/// Sends bytes and says what was answered, and whether the connection went on.
async fn answer(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may have closed already.
    let _ = stream.write_all(bytes).await;
    let mut all = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut all)).await;
    let reset = read.expect("the server does not close").is_err();
    let all = String::from_utf8_lossy(&all);
    let mut statuses: Vec<_> = all.split("HTTP/1.").skip(1).map(|a| a[2..5].to_owned()).collect();
    let open = statuses.len() > 1 && statuses.last().is_some_and(|last| last == "404");
    if open {
        statuses.pop();
    }
    assert!(statuses.iter().all(|status| !status.starts_with('3')), "{all}");
    match (statuses.is_empty(), open) {
        (true, _) if reset => "reset".to_owned(),
        (true, _) => "closed without an answer".to_owned(),
        (false, true) => format!("{}, goes on", statuses.join(" ")),
        (false, false) => format!("{}, closed", statuses.join(" ")),
    }
}

fn signature(body: &str) -> String {
    Signature::of(app().active(), body.as_bytes()).to_string()
}

/// A signed delivery with these lines in its head, and this after it.
fn delivery(lines: &str, rest: &str) -> Vec<u8> {
    let signature = signature(BODY);
    format!("POST {PATH} HTTP/1.1\r\nhost: x\r\n{HEADER}: {signature}\r\n{lines}\r\n{rest}{NEXT}")
        .into_bytes()
}

/// A signed delivery that is right but for this request line and these lines.
fn right_but(request: &str, lines: &str) -> Vec<u8> {
    let (signature, length) = (signature(BODY), BODY.len());
    format!(
        "{request}\r\nhost: x\r\n{HEADER}: {signature}\r\ncontent-length: {length}\r\n{lines}\r\n{BODY}{NEXT}"
    )
    .into_bytes()
}

/// A delivery with these lines for its signature.
fn signed_with(lines: &str) -> Vec<u8> {
    let length = BODY.len();
    format!(
        "POST {PATH} HTTP/1.1\r\nhost: x\r\n{lines}content-length: {length}\r\n\r\n{BODY}{NEXT}"
    )
    .into_bytes()
}

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n{NEXT}").into_bytes()
}

fn framing() -> Vec<(&'static str, Vec<u8>)> {
    let n = BODY.len();
    let length = format!("content-length: {n}\r\n");
    let chunked = "transfer-encoding: chunked\r\n";
    let chunks = format!("{n:x}\r\n{BODY}\r\n0\r\n\r\n");
    let right = right_but(&format!("POST {PATH} HTTP/1.1"), "");
    let endless = format!("1000\r\n{}\r\n", "x".repeat(4096)).repeat(3);
    vec![
        ("a length", right),
        ("chunks", delivery(chunked, &chunks)),
        ("two lengths", delivery(&format!("{length}content-length: 1\r\n"), BODY)),
        ("two equal lengths", delivery(&length.repeat(2), BODY)),
        ("a list of equal lengths", delivery(&format!("content-length: {n}, {n}\r\n"), BODY)),
        ("length, then chunked", delivery(&format!("{length}{chunked}"), &chunks)),
        ("chunked, then length", delivery(&format!("{chunked}{length}"), &chunks)),
        (
            "chunked, then length of 0",
            delivery(&format!("{chunked}content-length: 0\r\n"), &chunks),
        ),
        ("chunked twice", delivery(&chunked.repeat(2), &chunks)),
        ("gzip, chunked", delivery("transfer-encoding: gzip, chunked\r\n", &chunks)),
        ("chunked, gzip", delivery("transfer-encoding: chunked, gzip\r\n", &chunks)),
        (
            "identity as encoding",
            delivery(&format!("{length}transfer-encoding: identity\r\n"), BODY),
        ),
        ("chunked behind a tab", delivery("transfer-encoding:\tchunked\r\n", &chunks)),
        ("chunked in quotes", delivery("transfer-encoding: \"chunked\"\r\n", &chunks)),
        ("chunked in HTTP/1.0", {
            let text = String::from_utf8(delivery(chunked, &chunks)).unwrap();
            text.replacen("HTTP/1.1", "HTTP/1.0", 1).into_bytes()
        }),
        ("a folded header", delivery(&format!("x: y\r\n z\r\n{length}"), BODY)),
        ("a folded length", delivery(&format!("content-length:\r\n {n}\r\n"), BODY)),
        ("space before the colon", delivery(&format!("content-length : {n}\r\n"), BODY)),
        (
            "a length behind many zeros",
            delivery(&format!("content-length: {}{n}\r\n", "0".repeat(64)), BODY),
        ),
        (
            "a length behind many spaces",
            delivery(&format!("content-length:{}{n}\r\n", " ".repeat(64)), BODY),
        ),
        ("a negative length", delivery("content-length: -1\r\n", BODY)),
        ("a length with a plus", delivery(&format!("content-length: +{n}\r\n"), BODY)),
        ("a length in hex", delivery(&format!("content-length: 0x{n:x}\r\n"), BODY)),
        ("a length beyond 64 bits", delivery("content-length: 99999999999999999999\r\n", BODY)),
        ("no length", delivery("", BODY)),
        ("a length that is too short", delivery(&format!("content-length: {}\r\n", n - 1), BODY)),
        ("a length that is too long", delivery("content-length: 4000\r\n", BODY)),
        ("a length above the limit", delivery("content-length: 4097\r\n", BODY)),
        ("chunks without end", delivery(chunked, &endless)),
        ("a chunk of 2^64", delivery(chunked, "10000000000000000\r\nx")),
        ("a chunk without its line end", delivery(chunked, &format!("{n:x}\r\n{BODY}0\r\n\r\n"))),
        ("bare line feeds in chunks", delivery(chunked, &chunks.replace('\r', ""))),
        ("a chunk with an extension", delivery(chunked, &chunks.replacen("\r\n", ";a=b\r\n", 1))),
        ("a trailer", delivery(chunked, &chunks.replace("0\r\n\r\n", "0\r\nx: y\r\n\r\n"))),
        (
            "a length as trailer",
            delivery(chunked, &chunks.replace("0\r\n\r\n", "0\r\ncontent-length: 1\r\n\r\n")),
        ),
        (
            "gzip as content encoding",
            right_but(&format!("POST {PATH} HTTP/1.1"), "content-encoding: gzip\r\n"),
        ),
    ]
}

fn heads() -> Vec<(&'static str, Vec<u8>)> {
    let post = format!("POST {PATH} HTTP/1.1");
    let many: String = (0..120).map(|n| format!("x{n}: y\r\n")).collect();
    vec![
        ("a header of 64 KiB", right_but(&post, &format!("x: {}\r\n", "y".repeat(64 * 1024)))),
        ("120 headers", right_but(&post, &many)),
        ("a target of 64 KiB", get(&format!("{PATH}?{}", "x".repeat(64 * 1024)))),
        ("a NUL in a header", right_but(&post, "x: a\0b\r\n")),
        ("a bare carriage return", right_but(&post, "x: a\rb\r\n")),
        ("a header without a name", right_but(&post, ": y\r\n")),
        ("bytes above ASCII", right_but(&post, "x: ä\r\n")),
        ("a head that never ends", b"POST / HTTP/1.1\r\nhost: x\r\n".to_vec()),
        ("a target that never ends", format!("POST {PATH}?x").into_bytes()),
        ("a next head that never ends", {
            let mut bytes = right_but(&post, "");
            bytes.truncate(bytes.len() - 2);
            bytes
        }),
        ("nothing", Vec::new()),
        ("nothing but line ends", b"\r\n\r\n".to_vec()),
        ("no host", format!("GET /next HTTP/1.1\r\n\r\n{NEXT}").into_bytes()),
        ("HTTP/1.0", right_but(&format!("POST {PATH} HTTP/1.0"), "")),
        ("HTTP/2.0", right_but(&format!("POST {PATH} HTTP/2.0"), "")),
        ("no version", format!("GET {PATH}\r\n\r\n{NEXT}").into_bytes()),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("a TLS greeting", b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03\r\n\r\n".to_vec()),
        ("expect: 100-continue", right_but(&post, "expect: 100-continue\r\n")),
        ("expect: something else", right_but(&post, "expect: x\r\n")),
        (
            "upgrade to a websocket",
            right_but(&post, "connection: upgrade\r\nupgrade: websocket\r\n"),
        ),
        (
            "upgrade to HTTP/2",
            right_but(
                &post,
                "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n",
            ),
        ),
        ("a wrong content type", right_but(&post, "content-type: text/html\r\n")),
        ("another method by header", right_but(&post, "x-http-method-override: PUT\r\n")),
    ]
}

fn signatures() -> Vec<(&'static str, Vec<u8>)> {
    let good = signature(BODY);
    let other = Signature::of(&"other".parse().unwrap(), BODY.as_bytes());
    let of_another = signature("{}");
    vec![
        ("no signature", signed_with("")),
        ("an empty signature", signed_with(&format!("{HEADER}:\r\n"))),
        ("the same twice", signed_with(&format!("{HEADER}: {good}\r\n").repeat(2))),
        (
            "a wrong one, then the right one",
            signed_with(&format!("{HEADER}: {other}\r\n{HEADER}: {good}\r\n")),
        ),
        (
            "the right one, then a wrong one",
            signed_with(&format!("{HEADER}: {good}\r\n{HEADER}: {other}\r\n")),
        ),
        ("two in one header", signed_with(&format!("{HEADER}: {other}, {good}\r\n"))),
        ("folded", signed_with(&format!("{HEADER}: sha256=\r\n {}\r\n", &good[7..]))),
        ("padded once more", signed_with(&format!("{HEADER}: {good}=\r\n"))),
        (
            "without its padding",
            signed_with(&format!("{HEADER}: {}\r\n", good.trim_end_matches('='))),
        ),
        ("cut off", signed_with(&format!("{HEADER}: {}\r\n", &good[..40]))),
        ("SHA256=", signed_with(&format!("{HEADER}: {}\r\n", good.replace("sha", "SHA")))),
        ("sha1=", signed_with(&format!("{HEADER}: {}\r\n", good.replace("sha256", "sha1")))),
        ("white space around it", signed_with(&format!("{HEADER}: \t {good} \t \r\n"))),
        ("its name in capitals", signed_with(&format!("X-Twitter-Webhooks-Signature: {good}\r\n"))),
        ("another secret's", signed_with(&format!("{HEADER}: {other}\r\n"))),
        ("another body's", signed_with(&format!("{HEADER}: {of_another}\r\n"))),
        (
            "of nothing, with an empty secret",
            signed_with(&format!(
                "{HEADER}: sha256=thNnmggU2ex3L5XXeMNfxf8Wl8STcVZTxscSFEKSxa0=\r\n"
            )),
        ),
    ]
}

fn targets() -> Vec<(&'static str, Vec<u8>)> {
    let check = format!("crc_token={TOKEN}");
    let method = |method: &str| right_but(&format!("{method} {PATH} HTTP/1.1"), "");
    let to = |target: &str| right_but(&format!("POST {target} HTTP/1.1"), "");
    vec![
        ("a check", get(&format!("{PATH}?{check}"))),
        ("HEAD", format!("HEAD {PATH}?{check} HTTP/1.1\r\nhost: x\r\n\r\n{NEXT}").into_bytes()),
        ("OPTIONS", method("OPTIONS")),
        ("OPTIONS *", right_but("OPTIONS * HTTP/1.1", "")),
        ("TRACE", method("TRACE")),
        ("PUT", method("PUT")),
        ("post in small letters", method("post")),
        ("CONNECT", b"CONNECT example.com:443 HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()),
        ("a target with a host", to(&format!("http://x{PATH}"))),
        ("a target with another host", to(&format!("http://example.com{PATH}"))),
        ("a query on a delivery", to(&format!("{PATH}?x"))),
        ("a slash behind it", to(&format!("{PATH}/"))),
        ("two slashes", to("/webhooks//twitter")),
        ("a slash before it", to(&format!("/{PATH}"))),
        ("an encoded slash", to("/webhooks%2ftwitter")),
        ("an encoded letter", to("/webhooks/twitte%72")),
        ("dots", to("/webhooks/x/../twitter")),
        ("encoded dots", to("/webhooks/x/%2e%2e/twitter")),
        ("a semicolon", to(&format!("{PATH};x"))),
        ("capitals", to("/Webhooks/Twitter")),
        ("a fragment", to(&format!("{PATH}#x"))),
        ("no slash", to("webhooks/twitter")),
        (
            "a token that is an object",
            get(&format!("{PATH}?crc_token=%7B%22for_user_id%22%3A%227%22%7D")),
        ),
        ("a token that is an array", get(&format!("{PATH}?crc_token=%5B1234567890123456%5D"))),
        ("a token that is a text in quotes", get(&format!("{PATH}?crc_token=%22{TOKEN}%22"))),
        ("a token of 15 characters", get(&format!("{PATH}?crc_token={}", "a".repeat(15)))),
        ("a token of 257 characters", get(&format!("{PATH}?crc_token={}", "a".repeat(257)))),
        ("a token of 16 KiB", get(&format!("{PATH}?crc_token={}", "a".repeat(16 * 1024)))),
        ("a line end in a token", get(&format!("{PATH}?crc_token={TOKEN}%0a"))),
        ("a NUL in a token", get(&format!("{PATH}?crc_token={TOKEN}%00"))),
        ("a token that is encoded twice", get(&format!("{PATH}?crc_token=%2541{TOKEN}"))),
        ("a token that is a query", get(&format!("{PATH}?crc_token={check}"))),
        ("two tokens", get(&format!("{PATH}?{check}&{check}"))),
        ("a token as an array", get(&format!("{PATH}?crc_token[]={TOKEN}"))),
        (
            "a check with a body",
            format!("GET {PATH}?{check} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nxx{NEXT}")
                .into_bytes(),
        ),
    ]
}

/// Nothing but what X signed is stored, however it is sent. What the other rows are answered is
/// in the snapshot, so that no change of it goes unseen.
#[tokio::test]
async fn the_table() {
    let server = start().await;
    let mut table = String::new();
    for (name, rows) in [
        ("framing", framing()),
        ("heads", heads()),
        ("signatures", signatures()),
        ("targets", targets()),
    ] {
        writeln!(table, "{name}:").unwrap();
        for (case, bytes) in rows {
            let before = server.inbox.bodies.lock().unwrap().len();
            let answer = answer(server.address, &bytes).await;
            writeln!(table, "  {case} → {answer}").unwrap();
            let stored = server.inbox.bodies.lock().unwrap().len() - before;
            // A check is answered 200 as well, and stores nothing.
            let acknowledged = answer.contains("200") && !case.contains("check");
            assert_eq!(stored, usize::from(acknowledged), "{case} → {answer}");
        }
    }
    assert!(server.inbox.bodies.lock().unwrap().iter().all(|body| body == BODY));
    insta::assert_snapshot!(table);
}
