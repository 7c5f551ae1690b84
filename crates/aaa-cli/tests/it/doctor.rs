//! `aaa doctor`: a sound receiver, and every way in which one behind a proxy is broken.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    time::Duration,
};

use aaa_emulator::{control::Trigger, credentials};
use aaa_store::SqliteStore;
use aaa_webhook::signature::HEADER;
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    process::Command,
    time::{sleep, timeout},
};

use crate::{
    lab::Lab,
    support::{Done, PATIENCE, Server, aaa, run, send},
};

/// What the proxy before the receiver does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Way {
    Right,
    Redirects,
    EatsTheQuery,
    WritesTheQueryAnew,
    ChangesBodies,
    WritesJsonAnew,
    StripsTheSignature,
    IsSlow,
    Compresses,
    RefusesPosts,
}

const WAYS: [Way; 10] = [
    Way::Right,
    Way::Redirects,
    Way::EatsTheQuery,
    Way::WritesTheQueryAnew,
    Way::ChangesBodies,
    Way::WritesJsonAnew,
    Way::StripsTheSignature,
    Way::IsSlow,
    Way::Compresses,
    Way::RefusesPosts,
];

#[derive(Clone)]
struct Proxy {
    way: Arc<AtomicU8>,
    to: String,
}

/// A receiver, and a proxy that stands before it.
struct Place {
    lab: Lab,
    receiver: Server,
    proxy: Proxy,
    url: String,
}

impl Place {
    async fn new(receivers_secret: &str) -> Self {
        let lab = Lab::new().await;
        let mut command = lab.command(&[
            "listen",
            "--bind",
            "127.0.0.1:0",
            "--recover",
            "off",
            "--format",
            "none",
        ]);
        command.env("X_CONSUMER_SECRET", receivers_secret);
        let receiver = Server::start(command).await;
        let proxy = Proxy { way: Arc::default(), to: receiver.url.clone() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks/twitter", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(proxy.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { lab, receiver, proxy, url }
    }

    /// Looks at the receiver while the proxy does something, and returns what is not ok, as
    /// `check verdict`.
    async fn through(&self, way: Way) -> (i32, Vec<String>) {
        self.proxy.way.store(way as u8, SeqCst);
        let done = self.lab.run(&["doctor", &self.url, "--json"]).await;
        let report: Value = serde_json::from_str(&done.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap();
        let bad = checks.iter().filter(|check| check["verdict"] != "ok");
        let bad = bad.map(|check| {
            assert!(check["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{check}");
            format!("{} {}", check["check"].as_str().unwrap(), check["verdict"].as_str().unwrap())
        });
        let bad: Vec<_> = bad.collect();
        let is_fit = !bad.iter().any(|check| check.ends_with("wrong"));
        assert_eq!((report["fit"].as_bool(), done.code == 0), (Some(is_fit), is_fit));
        (done.code, bad)
    }

    async fn end(self) {
        assert_eq!(self.receiver.end().await, 0);
    }
}

/// Passes a request on, in its way.
async fn pass(
    State(proxy): State<Proxy>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let way = WAYS[usize::from(proxy.way.load(SeqCst))];
    let mut target = uri.path_and_query().unwrap().to_string();
    let mut body = String::from_utf8(body.to_vec()).unwrap();
    let is_post = method == Method::POST;
    match way {
        Way::Redirects => {
            return (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, "https://x/")])
                .into_response();
        }
        Way::EatsTheQuery => target = uri.path().to_owned(),
        // The same parameters, in the other order.
        Way::WritesTheQueryAnew => {
            let mut pairs: Vec<_> = uri.query().unwrap_or_default().split('&').collect();
            pairs.reverse();
            target = format!("{}?{}", uri.path(), pairs.join("&"));
        }
        Way::ChangesBodies if is_post => body.push(' '),
        Way::WritesJsonAnew if is_post => {
            body = serde_json::from_str::<Value>(&body).unwrap().to_string();
        }
        Way::IsSlow if !is_post => sleep(Duration::from_millis(3100)).await,
        Way::RefusesPosts if is_post => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
        _ => {}
    }
    let signature = headers.get(HEADER).filter(|_| way != Way::StripsTheSignature || !is_post);
    let signature = signature.map(|signature| signature.to_str().unwrap());
    let signature = signature.map(|value| format!("{HEADER}: {value}\r\n")).unwrap_or_default();
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\n{signature}content-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    let (status, answer) = send(&proxy.to, &request).await;
    let mut answer = (
        StatusCode::from_u16(status).unwrap(),
        [(header::CONTENT_TYPE, "application/json")],
        answer,
    )
        .into_response();
    if way == Way::Compresses && headers.contains_key(header::ACCEPT_ENCODING) {
        answer.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
    }
    answer
}

#[tokio::test]
async fn each_broken_way_is_named() {
    let place = Place::new(credentials::CONSUMER_SECRET).await;
    let mut told = String::new();
    for way in WAYS {
        let (code, bad) = place.through(way).await;
        // What an unregistered webhook on loopback always has, once.
        let usual = ["url warning", "tls warning", "access_token warning", "webhook warning"];
        let (usual, own): (Vec<_>, Vec<_>) =
            bad.into_iter().partition(|bad| usual.contains(&bad.as_str()));
        assert_eq!(usual.len(), 4, "{way:?}: {usual:?}");
        told += &format!("{way:?}: exit {code}, {}\n", own.join(", "));
    }
    insta::assert_snapshot!(told, @"
    Right: exit 0, 
    Redirects: exit 1, redirect wrong
    EatsTheQuery: exit 1, query wrong
    WritesTheQueryAnew: exit 1, query wrong
    ChangesBodies: exit 1, body wrong
    WritesJsonAnew: exit 1, body wrong
    StripsTheSignature: exit 1, signature wrong
    IsSlow: exit 1, latency wrong
    Compresses: exit 0, compression warning
    RefusesPosts: exit 1, body wrong
    ");
    // Nothing of all that was stored, and no gap was opened.
    let stats = place.lab.json(&["events", "stats"]).await;
    assert_eq!(stats["deliveries"], 0);
    place.end().await;
}

#[tokio::test]
async fn another_secret_is_found_out() {
    for (secret, words) in [
        ("some-other-secret", "made with another secret"),
        ("1-emulator-secret", "made with X_ACCESS_TOKEN_SECRET"),
    ] {
        let place = Place::new(secret).await;
        let done = place.lab.run(&["doctor", &place.url]).await;
        assert_eq!(done.code, 1);
        let line = done.stdout.lines().find(|line| line.contains("challenge")).unwrap();
        assert!(line.starts_with("wrong") && line.contains(words), "{line}");
        assert!(done.stdout.contains("fix: give the receiver the consumer secret"));
        place.end().await;
    }
}

/// Where only X's networks are let in, a signed challenge still is; what the posts of this machine
/// would show is not known, and that is no fault of the receiver.
#[tokio::test]
async fn a_network_that_is_not_allowed_is_no_fault() {
    let lab = Lab::new().await;
    let args = ["listen", "--bind", "127.0.0.1:0", "--recover", "off", "--format", "none"];
    let receiver = Server::start(lab.command(&[&args[..], &["--allow-from", "x"]].concat())).await;
    let url = format!("{}/webhooks/twitter", receiver.url);
    let done = lab.run(&["doctor", &url]).await;
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let from = done.stdout.find("ok       challenge").unwrap();
    let to = done.stdout.find("ok       X's clock").unwrap();
    insta::assert_snapshot!(plain(&lab, &done.stdout[from..to]), @"
    ok       challenge         answered with the right token
    ok       query             arrives
    ok       latency           N ms, then N ms
    ok       compression       none
    ok       receiver's clock  its clock and this machine's agree
    ok       forgery           refused: 403 for a wrong signature, 403 for none
    warning  body              posts from this machine are refused (403) as an unsigned challenge is, for where they come from: what becomes of a body on its way could not be told
                               fix: nothing, if `aaa listen --allow-from` leaves this machine out on purpose; to have bodies looked at, name its address there too for as long as that takes
    ");
    assert_eq!(receiver.end().await, 0);
}

/// The emulator and a receiver, as the README starts them, with everything that is wanted.
#[tokio::test]
async fn a_sound_receiver_is_fit() {
    let place = Place::new(credentials::CONSUMER_SECRET).await;
    let url = format!("{}/webhooks/twitter", place.receiver.url);
    let id = place.lab.json(&["webhooks", "ensure", &url]).await["id"].clone();
    place.lab.json(&["subscriptions", "add", id.as_str().unwrap()]).await;
    let done = place.lab.run(&["doctor", &url]).await;
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    insta::assert_snapshot!(plain(&place.lab, &done.stdout), @"
    warning  URL               an emulator on this machine takes it, X does not
                               fix: put a proxy or tunnel with a certificate before the receiver: X takes `https` without a port, on a public name
    ok       DNS               127.0.0.1
    ok       connection        port N, after N ms
    warning  TLS               none: what is delivered can be read on the way
                               fix: X delivers to `https` only; on this machine it does not matter
    ok       redirect          none
    ok       challenge         answered with the right token
    ok       query             arrives
    ok       latency           N ms, then N ms
    ok       compression       none
    ok       receiver's clock  its clock and this machine's agree
    ok       forgery           refused: 403 for a wrong signature, 401 for none
    ok       body              arrives unchanged, and so does its signature
    ok       X's clock         X's clock and this machine's agree
    ok       data directory    `aaa-data`, for its owner only
    ok       disk              a commit takes N ms
    ok       consumer secret   set
    ok       bearer token      works; the app has 1 webhook
    ok       access token      works
    ok       webhook           9999999999999999999 is registered and valid
    ok       subscriptions     one user is subscribed
    ");
    insta::assert_snapshot!(done.stderr, @"the webhook is fit, with 2 warnings");
    let report = place.lab.json(&["doctor", &url]).await;
    assert_eq!((&report["fit"], &report["url"]), (&json!(true), &json!(url)));
    // What it forged is no reason to replay anything.
    let trigger = Trigger::new("follow_events", "1".parse().unwrap());
    place.lab.emulator.trigger_and_wait(&trigger).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "it is compared with what the receiver wrote")]
    let stored = Timestamp::now();
    let reader = SqliteStore::open_reader(place.lab.directory.path().join("aaa-data")).unwrap();
    let told = async {
        while reader.spans().await.unwrap().last().is_none_or(|span| span.last.wall < stored) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, told).await.expect("no heartbeat tells of it");
    let plan = place.lab.json(&["replay", "plan"]).await;
    for missing in ["now", "later", "lost"] {
        assert_eq!(plan[missing], json!([]), "{plan}");
    }
    place.end().await;
}

/// Takes out what differs from run to run.
fn plain(lab: &Lab, text: &str) -> String {
    let mut lines = Vec::new();
    // How full this machine's disk is, is not what is tested.
    for line in lab.plain(text).lines().filter(|line| !line.contains("MiB are free")) {
        let check: String = line.chars().take(27).collect();
        let rest = match check.get(9..).unwrap_or_default().trim() {
            "connection" => "port N, after N ms",
            "latency" => "N ms, then N ms",
            "disk" if line.contains("commit takes") => "a commit takes N ms",
            _ => {
                lines.push(line.to_owned());
                continue;
            }
        };
        lines.push(format!("{check}{rest}"));
    }
    lines.join("\n")
}

#[tokio::test]
async fn what_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", nobody.local_addr().unwrap());
    drop(nobody);
    fs::DirBuilder::new().mode(0o700).create(directory.path().join("open")).unwrap();
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(directory.path().join("open"), open).unwrap();
    let mut command = aaa(directory.path(), &["doctor", &url, "--data-dir", "open"]);
    command.env("X_API_URL", "http://127.0.0.1:9").env("X_BEARER_TOKEN", "b");
    let done = run(command).await;
    assert_eq!(done.code, 1);
    let port = url.rsplit(':').next().unwrap().trim_end_matches("/hook");
    let told = done.stdout.replace(port, "PORT");
    let told: Vec<_> = told.lines().filter(|line| !line.contains(" disk ")).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    warning  URL               an emulator on this machine takes it, X does not
                               fix: put a proxy or tunnel with a certificate before the receiver: X takes `https` without a port, on a public name
    ok       DNS               127.0.0.1
    wrong    connection        port PORT takes no connection: 127.0.0.1:PORT: Connection refused (os error 111)
                               fix: start the receiver and whatever stands before it, and let connections from outside through
    wrong    data directory    `open` is open to other users (mode 755): no receiver starts there
                               fix: `chmod 700 open`, after a look at what is in it
    warning  consumer secret   X_CONSUMER_SECRET is not set: neither challenges nor signatures could be judged
                               fix: set it here to the same as at the receiver: the API secret key of your app
    wrong    bearer token      could not list the webhooks: GET http://127.0.0.1:9/2/webhooks: no connection, nothing was sent: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
                               fix: check the network and the API's address, or try again later
    warning  access token      X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET are not set: the owner of the app cannot be subscribed
                               fix: set them, or use only tokens that `aaa auth login` has stored
    ");
    insta::assert_snapshot!(done.stderr, @"error: the webhook is not fit: 3 things are wrong, with 3 warnings");
    for bad in ["hook", "ftp://example.com/", "https://a:b@example.com/"] {
        let done = run(aaa(directory.path(), &["doctor", bad])).await;
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{bad}");
    }
}

/// The certificates of the receiver's own tests: what is wrong with one is said.
#[tokio::test]
async fn tls_is_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let file =
        |name: &str| format!("{}/../aaa-webhook/tests/it/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let (chain, key) = (file("first.pem"), file("first.key.pem"));
    let mut listen = aaa(directory.path(), &["listen", "--bind", "127.0.0.1:0"]);
    listen
        .args(["--tls-cert", &chain, "--tls-key", &key, "--recover", "off"])
        .env("X_CONSUMER_SECRET", "right");
    let receiver = Server::start(listen).await;
    let url = format!("{}/webhooks/twitter", receiver.url).replace("127.0.0.1", "localhost");
    let look = |trusted: &str, url: &str| -> Command {
        let mut command = aaa(directory.path(), &["doctor", url]);
        command
            .env("X_CONSUMER_SECRET", "right")
            .env("X_API_URL", "http://127.0.0.1:9")
            .env("SSL_CERT_FILE", file(trusted));
        command
    };
    let line = |done: &Done, check: &str| {
        let mut lines = done.stdout.lines();
        let found = lines.find(|line| line.get(9..).is_some_and(|rest| rest.starts_with(check)));
        found.unwrap_or_else(|| panic!("{check}: {}", done.stdout)).to_owned()
    };
    let good = run(look("first.pem", &url)).await;
    assert_eq!(line(&good, "TLS"), "ok       TLS               TLS 1.3, 1 certificate");
    assert!(line(&good, "certificate").contains("valid for"), "{}", good.stdout);
    assert!(line(&good, "challenge").starts_with("ok"), "{}", good.stdout);
    assert!(line(&good, "body").starts_with("ok"), "{}", good.stdout);
    let unknown = run(look("second.pem", &url)).await;
    assert!(line(&unknown, "TLS").starts_with("wrong    TLS               no handshake: invalid"));
    assert!(unknown.stdout.contains("fix: have the server send the whole chain"));
    assert!(!unknown.stdout.contains("challenge"), "{}", unknown.stdout);
    assert_eq!(receiver.end().await, 0);
}

/// What X tells of a token, in a header that the emulator does not send.
#[tokio::test]
async fn the_level_of_the_tokens() {
    let place = Place::new(credentials::CONSUMER_SECRET).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}", listener.local_addr().unwrap());
    let url = place.url.clone();
    let answer = async move |uri: Uri| {
        let data = match uri.path() {
            "/2/webhooks" => json!([{ "id": "12", "url": url, "valid": false }]),
            path if path.ends_with("/list") => json!({ "application_id": "1", "webhook_id": "12",
                "webhook_url": url, "subscriptions": [] }),
            _ => json!({ "subscribed": false }),
        };
        let level = [("x-access-level", "read-write")];
        (level, Json(json!({ "data": data, "meta": { "result_count": 1 } })))
    };
    let router = Router::new().fallback(answer);
    tokio::spawn(axum::serve(listener, router).into_future());
    let mut command = place.lab.command(&["doctor", &place.url]);
    command.env("X_API_URL", api);
    let done = place.lab.finish(command).await;
    assert_eq!(done.code, 1);
    let from = done.stdout.find("ok       consumer secret").unwrap();
    insta::assert_snapshot!(&done.stdout[from..], @r#"
    ok       consumer secret   set
    ok       bearer token      works; the app has 1 webhook
    ok       access token      works
    wrong    permission        read-write: direct messages are not delivered, and subscribing may be refused
                               fix: give the app "Read, Write, and Direct Messages" in its settings, and regenerate the tokens: they keep the level at which they were made
    wrong    webhook           12 is registered and not valid: it receives nothing
                               fix: mend what is wrong above, then `aaa webhooks validate 12`
    warning  subscriptions     nobody is subscribed, so nothing is delivered
                               fix: `aaa subscriptions add 12` subscribes the owner, with --user another one
    "#);
    place.end().await;
}
